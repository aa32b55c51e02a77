//! Scalars: plain ones and quoted ones, over several lines too, and literal blocks.

use std::borrow::Cow;

use super::text::{is_marker, spaces};
use super::{Beyond, Line, Lines, Step};
use crate::parser::Sink;
use crate::scanner::{Mark, Style};

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    pub(super) fn plain_value(&mut self, start: usize, end: usize) -> Step {
        let plain = self.plain(start, end)?;
        if plain.colon.is_some() {
            return Err(Beyond);
        }
        let first = self.trimmed(start, plain.end);
        let mark = self.mark(start);
        if plain.end == end && self.goes_on()? {
            return self.plain_lines(first, mark);
        }
        self.scalar(first.into(), Style::Plain, mark)
    }

    /// Whether the next line belongs to the plain scalar of this one.
    pub(super) fn goes_on(&mut self) -> Step<bool> {
        let indent = self.top()?.indent;
        match self.peek().0 {
            Some(next) if self.bytes[next.start] == b'\t' => Err(Beyond),
            Some(next) => Ok(next.indent > indent && self.bytes[next.start] != b'#'),
            None => Ok(false),
        }
    }

    /// A plain scalar over several lines: one break becomes a space, more stay but one.
    pub(super) fn plain_lines(&mut self, first: &'a str, mark: Mark) -> Step {
        let mut text = first.to_owned();
        while self.goes_on()? {
            let (Some(line), blank) = self.peek() else { return Err(Beyond) };
            let plain = self.plain(line.start, line.end)?;
            if plain.colon.is_some() || plain.end != line.end {
                return Err(Beyond);
            }
            if blank == 0 {
                text.push(' ');
            }
            text.extend(std::iter::repeat_n('\n', blank));
            text.push_str(self.trimmed(line.start, line.end));
            self.step_over(line, blank);
        }
        self.scalar(text.into(), Style::Plain, mark)
    }

    /// A scalar in quotes that ends on its line, and what follows it.
    pub(super) fn quoted(&self, start: usize, end: usize) -> Step<(Cow<'a, str>, usize)> {
        let quote = self.bytes[start];
        let inner = start + 1;
        let stop = inner + memchr::memchr2(quote, b'\\', &self.bytes[inner..end]).ok_or(Beyond)?;
        if self.bytes[stop] == quote && (quote == b'"' || self.bytes[..end].get(stop + 1) != Some(&b'\'')) {
            return Ok((Cow::Borrowed(&self.text[inner..stop]), stop + 1));
        }
        let mut text = String::new();
        let after = self.unquote(quote, inner, end, &mut text)?.ok_or(Beyond)?;
        Ok((text.into(), after))
    }

    /// Adds what stands in quotes to a text, up to the closing one or the line's end; gives what follows the former.
    pub(super) fn unquote(&self, quote: u8, start: usize, end: usize, text: &mut String) -> Step<Option<usize>> {
        let (mut from, mut at) = (start, start);
        while at < end {
            match (self.bytes[at], self.bytes[..end].get(at + 1)) {
                (b'\'', Some(b'\'')) if quote == b'\'' => {
                    text.push_str(&self.text[from..=at]);
                    at += 2;
                    from = at;
                }
                (b'\\', escaped) if quote == b'"' => {
                    text.push_str(&self.text[from..at]);
                    text.push(match escaped {
                        Some(b'"') => '"',
                        Some(b'\\') => '\\',
                        Some(b'/') => '/',
                        Some(b'n') => '\n',
                        Some(b't') => '\t',
                        _ => return Err(Beyond),
                    });
                    at += 2;
                    from = at;
                }
                (byte, _) if byte == quote => {
                    text.push_str(&self.text[from..at]);
                    return Ok(Some(at + 1));
                }
                _ => at += 1,
            }
        }
        text.push_str(&self.text[from..end]);
        Ok(None)
    }

    /// A scalar in quotes over several lines, what follows it on the last one, and where that ends. Lines fold as those
    /// of plain scalars do, however they are indented.
    pub(super) fn quoted_lines(&mut self, start: usize, end: usize) -> Step<(Cow<'a, str>, usize, usize)> {
        let quote = self.bytes[start];
        let mut text = String::new();
        let mut line = Line { indent: 0, start: start + 1, end };
        loop {
            if memchr::memchr(b'\t', &self.bytes[line.start..line.end]).is_some() {
                return Err(Beyond);
            }
            let end = line.start + self.trimmed(line.start, line.end).len();
            if let Some(after) = self.unquote(quote, line.start, end, &mut text)? {
                return Ok((text.into(), after, line.end));
            }
            let (Some(next), blank) = self.peek() else { return Err(Beyond) };
            if next.indent == 0 && is_marker(&self.bytes[next.start..next.end]) {
                return Err(Beyond);
            }
            if blank == 0 {
                text.push(' ');
            }
            text.extend(std::iter::repeat_n('\n', blank));
            self.step_over(next, blank);
            line = next;
        }
    }

    /// A literal block.
    pub(super) fn literal(&mut self, start: usize, end: usize) -> Step {
        let keep = match self.bytes[..end].get(start + 1) {
            Some(b'-') => Some(false),
            Some(b'+') => Some(true),
            _ => None,
        };
        self.nothing_more(start + 1 + usize::from(keep.is_some()), end)?;
        let mark = self.mark(start);
        let outer = self.top()?.indent;
        let (Some(first), blank) = self.peek() else { return Err(Beyond) };
        let indent = first.indent;
        if self.bytes[first.start] == b'\t' || self.has_deeper_blank(blank, indent.max(outer)) {
            return Err(Beyond);
        }
        if indent <= outer {
            let breaks = if keep == Some(true) { blank } else { 0 };
            return self.scalar("\n".repeat(breaks).into(), Style::Block, mark);
        }
        let mut text = String::new();
        // Breaks of blank lines are part of the text if more of it follows.
        let mut breaks = 0;
        let mut is_broken = false;
        while self.next < self.bytes.len() {
            let begin = self.next;
            let line_indent = spaces(&self.bytes[begin..]);
            let line_end = self.line_end(begin + line_indent);
            let is_blank = line_end == begin + line_indent;
            if line_indent < indent && !is_blank {
                if self.bytes[begin + line_indent] == b'\t' {
                    return Err(Beyond);
                }
                break;
            }
            self.next = line_end + 1;
            self.number += 1;
            if is_blank && line_indent <= indent {
                breaks += usize::from(line_end < self.bytes.len());
                continue;
            }
            text.extend(std::iter::repeat_n('\n', breaks));
            text.push_str(&self.text[begin + indent..line_end]);
            is_broken = line_end < self.bytes.len();
            breaks = usize::from(is_broken);
        }
        match keep {
            Some(false) => {}
            None => text.extend(is_broken.then_some('\n')),
            Some(true) => text.extend(std::iter::repeat_n('\n', breaks)),
        }
        self.scalar(text.into(), Style::Block, mark)
    }

    /// Whether one of the blank lines ahead has more spaces than the text behind them.
    pub(super) fn has_deeper_blank(&self, blank: usize, indent: usize) -> bool {
        let lines = self.bytes[self.next..].split(|byte| *byte == b'\n');
        lines.take(blank).any(|line| line.len() > indent)
    }
}
