//! From a line of output to the lines of templates that wrote it.

use std::ops::Range;

use kpkg_template::{Fragment, Span};

use super::WatchedFile;

/// A line of a template that had a part in a line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer {
    pub(super) file: String,
    pub(super) line: usize,
    /// Which of the file's reads were made for it.
    pub(super) reads: Range<usize>,
}

/// Who wrote some bytes of a file's output: the innermost template first, then those that included it.
/// Nothing if the file was not watched.
pub(super) fn writers(file: &WatchedFile, bytes: Range<usize>) -> Vec<Writer> {
    let Some(whole) = file.trace.fragments.last().filter(|whole| !whole.spans.is_empty()) else { return Vec::new() };
    let mut found = Vec::new();
    descend(&file.trace.fragments, whole, bytes, &mut found);
    found.reverse();
    found.dedup_by(|left, right| left.file == right.file && left.line == right.line);
    found
}

fn descend(fragments: &[Fragment], fragment: &Fragment, bytes: Range<usize>, found: &mut Vec<Writer>) {
    let Some(span) = responsible(&fragment.spans, &bytes) else { return };
    let start = bytes.start.max(span.bytes.start);
    let breaks = |range: Range<usize>| {
        fragment.text.get(range).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
    };
    let line = if span.is_literal { span.line + breaks(span.bytes.start..start) } else { span.line };
    found.push(Writer { file: span.file.to_string(), line, reads: span.reads.clone() });
    if span.is_literal {
        return;
    }
    // What was included may have been indented and trimmed since: its lines are known by their text.
    let end = bytes.end.min(span.bytes.end);
    let inner = fragments.get(span.inner.clone()).unwrap_or_default();
    for range in [whole_line(&fragment.text, start), start..end] {
        let shown = String::from_utf8_lossy(fragment.text.get(range).unwrap_or_default());
        let Some(wanted) = shown.lines().map(str::trim).find(|line| !line.is_empty()) else { continue };
        let hit = inner.iter().rev().find_map(|fragment| Some((fragment, line_with(&fragment.text, wanted)?)));
        if let Some((inner, range)) = hit {
            return descend(fragments, inner, range, found);
        }
    }
}

/// The line around a byte.
fn whole_line(text: &[u8], at: usize) -> Range<usize> {
    let is_break = |byte: &u8| *byte == b'\n';
    let start = text[..at].iter().rposition(is_break).map_or(0, |before| before + 1);
    let end = text[at..].iter().position(is_break).map_or(text.len(), |after| at + after);
    start..end
}

/// What wrote the bytes: the last action among what overlaps them, or else the template's own text.
fn responsible<'a>(spans: &'a [Span], bytes: &Range<usize>) -> Option<&'a Span> {
    let overlaps = |span: &&Span| span.bytes.start < bytes.end && span.bytes.end > bytes.start;
    let mut all = spans.iter().filter(overlaps);
    all.clone().rfind(|span| !span.is_literal).or_else(|| all.next())
}

/// Where a text has a line that says something, blanks around it aside.
fn line_with(text: &[u8], wanted: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let shown = String::from_utf8_lossy(line);
        if shown.trim() == wanted {
            let start = at + (line.len() - line.trim_ascii_start().len());
            return Some(start..at + line.trim_ascii_end().len());
        }
        at += line.len();
    }
    None
}
