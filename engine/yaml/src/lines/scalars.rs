//! Scalars: plain ones and quoted ones, over several lines too, and literal blocks.

use std::borrow::Cow;

use super::first::First;
use super::text::{is_marker, spaces, special};
use super::{Beyond, Lines, Step};
use crate::parser::Sink;
use crate::scanner::{Mark, Style};

impl<'a, S: Sink<'a>> Lines<'a, '_, S> {
    pub(super) fn plain_value(&mut self, start: usize) -> Step {
        let stop = self.plain_stop(start)?;
        let first = self.trimmed(start, stop);
        let mark = self.mark(start);
        match self.bytes.get(stop) {
            Some(b':') => return Err(Beyond),
            Some(b'#') => self.next = self.line_end(stop) + 1,
            _ => {
                self.next = stop + 1;
                if self.goes_on()? {
                    return self.plain_lines(first, mark);
                }
            }
        }
        self.scalar(first.into(), Style::Plain, mark)
    }

    /// Whether the next line belongs to the plain scalar of this one.
    fn goes_on(&mut self) -> Step<bool> {
        let indent = self.top()?.indent;
        match self.peek().0.map(|next| (next, self.bytes[next.start])) {
            Some((_, b'\t')) => Err(Beyond),
            Some((next, byte)) => Ok(next.indent > indent && byte != b'#'),
            None => Ok(false),
        }
    }

    /// A plain scalar over several lines: one break becomes a space, more stay but one.
    fn plain_lines(&mut self, first: &'a str, mark: Mark) -> Step {
        let mut text = first.to_owned();
        while self.goes_on()? {
            let (Some(line), blank) = self.peek() else { return Err(Beyond) };
            let stop = self.plain_stop(line.start)?;
            if !matches!(self.bytes.get(stop), None | Some(b'\n')) {
                return Err(Beyond);
            }
            if blank == 0 {
                text.push(' ');
            }
            text.extend(std::iter::repeat_n('\n', blank));
            text.push_str(self.trimmed(line.start, stop));
            self.step_over(line, blank);
            self.next = stop + 1;
        }
        self.scalar(text.into(), Style::Plain, mark)
    }

    /// Whether a plain scalar begins at a place.
    #[inline]
    pub(super) fn is_plain(&self, first: First, start: usize) -> bool {
        match first {
            First::Text | First::Number | First::Word => true,
            First::Indicator => !matches!(self.bytes.get(start + 1), None | Some(b' ' | b'\n')),
            _ => false,
        }
    }

    /// Where a plain scalar stops: at a colon that makes it a key, at a comment, or at the line's end.
    #[inline]
    pub(super) fn plain_stop(&self, start: usize) -> Step<usize> {
        let mut at = special(self.bytes, start);
        loop {
            match self.bytes.get(at) {
                None | Some(b'\n') => return Ok(at),
                Some(b':') if matches!(self.bytes.get(at + 1), None | Some(b' ' | b'\n')) => return Ok(at),
                Some(b'#') if at > start && self.bytes[at - 1] == b' ' => return Ok(at),
                Some(b'\t') => return Err(Beyond),
                Some(_) => at = special(self.bytes, at + 1),
            }
        }
    }

    /// A scalar in quotes and what follows it, if that is on the same line.
    pub(super) fn quoted(&self, start: usize) -> Step<Option<(Cow<'a, str>, usize)>> {
        let Some((after, is_bare)) = self.quote_end(start)? else { return Ok(None) };
        let inner = start + 1;
        if is_bare {
            return Ok(Some((Cow::Borrowed(&self.text[inner..after - 1]), after)));
        }
        let mut text = String::new();
        self.unquote(self.bytes[start], inner, after, &mut text)?;
        Ok(Some((text.into(), after)))
    }

    /// What follows a scalar in quotes, if that ends on its line, and whether its text is what stands there.
    pub(super) fn quote_end(&self, start: usize) -> Step<Option<(usize, bool)>> {
        let quote = self.bytes[start];
        let mut at = start + 1;
        let mut is_bare = true;
        while let Some(length) = memchr::memchr3(quote, b'\\', b'\n', &self.bytes[at..]) {
            at += length;
            match (self.bytes[at], self.bytes.get(at + 1)) {
                (b'\n', _) => break,
                (b'\\', _) if quote == b'\'' => at += 1,
                (b'\'', Some(b'\'')) | (b'\\', Some(b'"' | b'\\' | b'/' | b'n' | b't')) => {
                    is_bare = false;
                    at += 2;
                }
                (b'\\', _) => return Err(Beyond),
                _ => return Ok(Some((at + 1, is_bare))),
            }
        }
        Ok(None)
    }

    /// Adds what stands in quotes to a text, up to the closing one or the line's end; gives what follows the former.
    fn unquote(&self, quote: u8, start: usize, end: usize, text: &mut String) -> Step<Option<usize>> {
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

    /// A scalar in quotes over several lines, and what follows it on the last one. Lines fold as those of plain
    /// scalars do, however they are indented.
    pub(super) fn quoted_lines(&mut self, start: usize) -> Step<(Cow<'a, str>, usize)> {
        let quote = self.bytes[start];
        let mut text = String::new();
        let mut start = start + 1;
        loop {
            let end = self.line_end(start);
            if memchr::memchr(b'\t', &self.bytes[start..end]).is_some() {
                return Err(Beyond);
            }
            let text_end = start + self.trimmed(start, end).len();
            if let Some(after) = self.unquote(quote, start, text_end, &mut text)? {
                return Ok((text.into(), after));
            }
            self.next = end + 1;
            let (Some(next), blank) = self.peek() else { return Err(Beyond) };
            if next.indent == 0 && is_marker(&self.bytes[next.start..]) {
                return Err(Beyond);
            }
            if blank == 0 {
                text.push(' ');
            }
            text.extend(std::iter::repeat_n('\n', blank));
            self.step_over(next, blank);
            start = next.start;
        }
    }

    /// A literal block.
    pub(super) fn literal(&mut self, start: usize) -> Step {
        let keep = match self.bytes.get(start + 1) {
            Some(b'-') => Some(false),
            Some(b'+') => Some(true),
            _ => None,
        };
        self.end_line(start + 1 + usize::from(keep.is_some()))?;
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
