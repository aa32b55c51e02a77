//! Comments of a YAML text that is written anew.
//!
//! Trees know no comments, but Kustomize keeps those of a text that a replacement goes into. They are put back where
//! their lines have gone: behind a line, or before the line that came next. Blank lines stay where go-yaml writes
//! them: around comments that belong to what stands before them, or to the whole text.

use std::collections::BTreeMap;

use kpkg_yaml::node::{Node, NodeOptions, read_node};

/// A line of the old text, and how far in it begins.
#[derive(Debug, Clone, Copy)]
struct Row<'t> {
    text: &'t str,
    indent: usize,
    line: Line<'t>,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Blank,
    /// A comment that stands alone.
    Comment(&'t str),
    /// Content, and the comment behind it.
    Content(Option<&'t str>),
    /// Within a text that goes over several lines, and the comment behind its end.
    Inner(Option<&'t str>),
}

/// Which of the new lines the old ones have become, counted from 1.
type Moves = BTreeMap<u32, u32>;

/// The new text with the old one's comments.
pub(super) fn carried_over(old: &str, written: String) -> String {
    let rows = scan(old);
    let read = |text: &str| read_node(text, NodeOptions::default()).ok().flatten();
    if !rows.iter().any(|row| matches!(row.line, Line::Comment(_) | Line::Content(Some(_)) | Line::Inner(Some(_)))) {
        return written;
    }
    let (Some(before), Some(after)) = (read(old), read(&written)) else { return written };
    let mut moves = Moves::new();
    follow(&before, &after, &mut moves);
    merge(&rows, &written, &moves)
}

fn follow(old: &Node, new: &Node, moves: &mut Moves) {
    match (old, new) {
        (Node::Map(old), Node::Map(new)) => {
            for (key, value) in old.iter() {
                if let Some((now, value_now)) = new.iter().find(|(other, _)| other.text == key.text) {
                    moves.entry(key.line).or_insert(now.line);
                    follow(value, value_now, moves);
                }
            }
        }
        (Node::List(old), Node::List(new)) => old.iter().zip(new).for_each(|(old, new)| follow(old, new, moves)),
        (Node::Scalar(old), Node::Scalar(new)) => {
            moves.entry(old.line).or_insert(new.line);
        }
        _ => {}
    }
}

// === The old text ===

fn scan(text: &str) -> Vec<Row<'_>> {
    // The column that the lines of a block must exceed, and the quotes that are open.
    let (mut block, mut quote) = (None, None);
    let row = |text| scan_line(text, &mut block, &mut quote);
    text.lines().map(row).collect()
}

fn scan_line<'t>(text: &'t str, block: &mut Option<usize>, quote: &mut Option<char>) -> Row<'t> {
    let content = text.trim_start();
    let indent = text.len() - content.len();
    let row = |line| Row { text, indent, line };
    if block.is_some_and(|column| content.is_empty() || indent > column) {
        return row(Line::Inner(None));
    }
    *block = None;
    let was_open = quote.is_some();
    let comment = comment_of(text, quote);
    let behind = || comment.map(|at| text[at..].trim_end());
    row(match comment {
        _ if was_open => Line::Inner(behind()),
        _ if content.is_empty() => Line::Blank,
        Some(at) if at == indent => Line::Comment(content.trim_end()),
        comment => {
            *block = begins_block(&text[..comment.unwrap_or(text.len())]);
            Line::Content(behind())
        }
    })
}

/// Where a line's comment begins.
fn comment_of(line: &str, quote: &mut Option<char>) -> Option<usize> {
    let mut before = ' ';
    let mut letters = line.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (*quote, letter) {
            (Some('"'), '\\') => drop(letters.next()),
            (Some(open), letter) if letter == open => *quote = None,
            (Some(_), _) => {}
            (None, '#') if before.is_whitespace() => return Some(at),
            (None, '"' | '\'') if before.is_whitespace() || "[{,".contains(before) => *quote = Some(letter),
            (None, _) => {}
        }
        before = letter;
    }
    None
}

/// The column that a block's lines must exceed, if the line ends by beginning one.
fn begins_block(line: &str) -> Option<usize> {
    let last = line.split_whitespace().next_back()?;
    let header = last.strip_prefix(['|', '>'])?;
    if !header.chars().all(|letter| letter == '+' || letter == '-' || letter.is_ascii_digit()) {
        return None;
    }
    columns(line).pop()
}

/// Where content begins in a line: after its blanks, and after each dash of a list.
fn columns(line: &str) -> Vec<usize> {
    let mut rest = line.trim_start();
    let mut columns = vec![line.len() - rest.len()];
    while let Some(inner) = rest.strip_prefix("- ").map(str::trim_start).filter(|inner| !inner.starts_with(['|', '>']))
    {
        rest = inner;
        columns.push(line.len() - rest.len());
    }
    columns
}

// === The new text ===

/// Comments that stand together: the first row, and the one behind the last.
#[derive(Debug, Clone, Copy)]
struct Block {
    at: usize,
    end: usize,
}

fn merge(rows: &[Row<'_>], written: &str, moves: &Moves) -> String {
    let new = New { rows, lines: written.lines().collect(), moves };
    let mut before: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut behind: BTreeMap<usize, &str> = BTreeMap::new();
    let mut at = 0;
    while let Some(row) = rows.get(at) {
        let mut end = at + 1;
        match row.line {
            Line::Comment(_) => {
                let is_of_block =
                    |other: &Row<'_>| other.indent == row.indent && matches!(other.line, Line::Comment(_));
                end += rows[end..].iter().take_while(|other| is_of_block(other)).count();
                let (line, comments) = new.insertion(Block { at, end });
                before.entry(line).or_default().extend(comments);
            }
            Line::Content(Some(comment)) | Line::Inner(Some(comment)) => {
                let begun = (0..=at).rev().find(|at| new.is_content(*at));
                behind.extend(begun.and_then(|at| new.place(at)).map(|line| (line, comment)));
            }
            Line::Content(None) | Line::Blank | Line::Inner(None) => {}
        }
        at = end;
    }
    let mut out = Vec::new();
    for (at, line) in (1..).zip(&new.lines) {
        out.extend(before.remove(&at).unwrap_or_default());
        out.push(behind.get(&at).map_or_else(|| (*line).to_owned(), |comment| format!("{line} {comment}")));
    }
    out.extend(before.into_values().flatten());
    out.join("\n")
}

/// The new text, and where the old one's lines are in it.
struct New<'a> {
    rows: &'a [Row<'a>],
    lines: Vec<&'a str>,
    moves: &'a Moves,
}

impl New<'_> {
    /// The new line of an old row, counted from 1.
    fn place(&self, at: usize) -> Option<usize> {
        let old = u32::try_from(at + 1).ok()?;
        usize::try_from(*self.moves.get(&old)?).ok()
    }

    fn is_content(&self, at: usize) -> bool {
        matches!(self.rows[at].line, Line::Content(_))
    }

    fn is_blank(&self, at: Option<usize>) -> bool {
        at.and_then(|at| self.rows.get(at)).is_some_and(|row| row.line == Line::Blank)
    }

    /// What a block of comments becomes, and the line it goes in before.
    fn insertion(&self, Block { at, end }: Block) -> (usize, Vec<String>) {
        let indent = self.rows[at].indent;
        let next = (end..self.rows.len()).find(|at| self.is_content(*at));
        let target = next.and_then(|next| (next..self.rows.len()).find_map(|at| self.place(at)));
        let (blank_before, blank_after) = (self.is_blank(at.checked_sub(1)), self.is_blank(Some(end)));
        let is_first = !(0..at).any(|at| self.is_content(at));
        let is_level = next.is_some_and(|next| self.rows[next].indent == indent);
        let level = match target {
            Some(line) if is_first || is_level && !blank_after => columns(self.lines[line - 1])[0],
            _ => self.level_before(at),
        };
        let mut lines = Vec::new();
        if next.is_none() && blank_before {
            lines.push(String::new());
        }
        lines.extend(self.rows[at..end].iter().map(|row| format!("{:level$}{}", "", row.text.trim())));
        let goes_on = self.rows[end..].iter().find(|row| row.line != Line::Blank);
        let goes_on = goes_on.is_some_and(|row| matches!(row.line, Line::Comment(_)));
        if blank_after && (is_first || is_level && (!blank_before || goes_on)) {
            lines.push(String::new());
        }
        (target.unwrap_or(self.lines.len() + 1), lines)
    }

    /// How far in a comment stands that belongs to what is before it: as far as that.
    fn level_before(&self, at: usize) -> usize {
        let indent = self.rows[at].indent;
        let fits = |at: usize| {
            let depth = columns(self.rows[at].text).iter().position(|column| *column == indent)?;
            let columns = columns(self.lines[self.place(at)? - 1]);
            columns.get(depth).or(columns.last()).copied()
        };
        (0..at).rev().filter(|at| self.is_content(*at)).find_map(fits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_along() {
        let cases = [
            ("# a\na:   1   # b\n", "a: 2", "# a\na: 2 # b"),
            ("a:\n    # in\n    b: 1\n# end\n", "a:\n  b: 2", "a:\n  # in\n  b: 2\n# end"),
            ("a: 1\n# of a\n\nb: 2\n\n# end", "a: 3\nb: 2", "a: 3\n# of a\n\nb: 2\n\n# end"),
            ("l:\n  # x\n  - n: '# no' # y\n    m: 1\n", "l:\n- n: '# no'\n  m: 2", "l:\n# x\n- n: '# no' # y\n  m: 2"),
            ("- t: |\n    # text\n  u: 1 # c\n", "- t: |\n    # text\n  u: 2", "- t: |\n    # text\n  u: 2 # c"),
            ("a: \"x\n  # y\"\n", "a: \"x # y\"", "a: \"x # y\""),
        ];
        for (old, written, want) in cases {
            assert_eq!(carried_over(old, written.to_owned()), want, "{old}");
        }
    }
}
