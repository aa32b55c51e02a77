//! Values to text, byte for byte as go-yaml writes them.
//!
//! [`Emitter`] is driven by its caller (`begin_map`, `key`, `string`, ...), so that any kind of value can
//! be written without building a tree first. Two flavours differ in little: [`Flavour::Compact`] is what
//! `sigs.k8s.io/yaml` (go-yaml v2) writes, [`Flavour::Pretty`] what go-yaml v3 writes with an indent of 2.

use crate::analysis::{Analysis, is_break, is_printable};
use crate::resolve::{Resolved, resolve};

/// Whose output to equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// go-yaml v2: sequences are not indented, long texts are folded at 80 columns.
    Compact,
    /// go-yaml v3 with an indent of 2: sequences are indented, nothing is folded.
    Pretty,
}

const FOLD_AT: usize = 80;

/// What the emitter is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    MapKey,
    MapValue,
    Item,
}

/// Writes one document.
#[derive(Debug)]
pub struct Emitter {
    out: Vec<u8>,
    flavour: Flavour,
    column: usize,
    whitespace: bool,
    indention: bool,
    indent: isize,
    indents: Vec<isize>,
    place: Vec<Place>,
    is_unreadable: bool,
}

impl Emitter {
    /// An emitter with nothing written.
    pub fn new(flavour: Flavour) -> Self {
        Self::with_buffer(flavour, Vec::new())
    }

    /// An emitter that writes to what was a buffer of something else, and is empty.
    pub fn with_buffer(flavour: Flavour, out: Vec<u8>) -> Self {
        /// How deep most documents nest.
        const DEEP: usize = 8;
        let mut place = Vec::with_capacity(DEEP);
        place.push(Place::Root);
        Self {
            out,
            flavour,
            column: 0,
            whitespace: true,
            indention: true,
            indent: -1,
            indents: Vec::with_capacity(DEEP),
            place,
            is_unreadable: false,
        }
    }

    /// Whether a text holds characters that JSON leaves as they are and go-yaml does not read, or not as they are:
    /// U+007F to U+009F, U+FFFE and U+FFFF.
    pub fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// The text, with a line break at its end.
    pub fn finish(self) -> String {
        // Only whole characters were written.
        String::from_utf8(self.finish_bytes())
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The text as bytes.
    pub fn finish_bytes(mut self) -> Vec<u8> {
        self.write_indent();
        self.out
    }

    fn place(&self) -> Place {
        *self.place.last().expect("the root stays")
    }

    /// What stands before any value: a dash for an item, nothing elsewhere.
    fn begin_value(&mut self) {
        if self.place() == Place::Item {
            self.write_indent();
            self.indicator(b"-", true, false, true);
        }
    }

    /// Writes a scalar; the lines that follow its first stand one level deeper.
    fn scalar(&mut self, write: impl FnOnce(&mut Self)) {
        let indent = self.indent;
        self.indent = indent.max(0) + 2;
        write(self);
        self.indent = indent;
    }

    /// Opens a mapping; `empty` ones are written at once and take no [`Emitter::end_map`].
    pub fn begin_map(&mut self, empty: bool) {
        self.begin_value();
        if empty {
            self.indicator(b"{", true, true, false);
            self.indicator(b"}", false, false, false);
            return;
        }
        self.indents.push(self.indent);
        self.indent = self.deeper();
        self.place.push(Place::MapKey);
    }

    fn deeper(&self) -> isize {
        if self.indent < 0 { 0 } else { self.indent + 2 }
    }

    /// Writes the next key of the mapping.
    pub fn key(&mut self, key: &str) {
        self.key_as(key, |this, analysis| this.string_as(key, analysis, true));
    }

    /// Begins a field whose name is written so: with quotes or without.
    pub fn key_in(&mut self, key: &str, style: crate::Style) {
        self.key_as(key, |this, _| {
            this.scalar(|this| match style {
                crate::Style::Plain => this.write_plain(key, false),
                crate::Style::Single => this.write_single(key, false),
                _ => this.write_double(key, false),
            });
        });
    }

    fn key_as(&mut self, key: &str, write: impl FnOnce(&mut Self, &Analysis)) {
        *self.place.last_mut().expect("inside a mapping") = Place::MapKey;
        self.write_indent();
        let analysis = Analysis::of(key, self.flavour);
        if analysis.multiline || key.len() > 128 {
            self.indicator(b"?", true, false, true);
            self.string_as(key, &analysis, false);
            self.write_indent();
            self.indicator(b":", true, false, true);
        } else {
            write(self, &analysis);
            self.indicator(b":", false, false, false);
        }
        *self.place.last_mut().expect("inside a mapping") = Place::MapValue;
    }

    /// Closes the mapping.
    pub fn end_map(&mut self) {
        self.place.pop();
        self.indent = self.indents.pop().unwrap_or(-1);
    }

    /// Opens a sequence; `empty` ones are written at once and take no [`Emitter::end_list`].
    pub fn begin_list(&mut self, empty: bool) {
        let in_map = self.place() == Place::MapValue;
        self.begin_value();
        if empty {
            self.indicator(b"[", true, true, false);
            self.indicator(b"]", false, false, false);
            return;
        }
        let indentless = self.flavour == Flavour::Compact && in_map && !self.indention;
        self.indents.push(self.indent);
        if self.indent < 0 {
            self.indent = 0;
        } else if !indentless {
            self.indent += 2;
        }
        self.place.push(Place::Item);
    }

    /// Closes the sequence.
    pub fn end_list(&mut self) {
        self.end_map();
    }

    /// Writes `null`, `true`, a number or the like as it is.
    pub fn plain(&mut self, text: &str) {
        self.begin_value();
        self.scalar(|this| this.write_plain(text, true));
    }

    /// Writes a string in the style that go-yaml chooses.
    pub fn string(&mut self, text: &str) {
        self.begin_value();
        self.string_as(text, &Analysis::of(text, self.flavour), false);
    }

    /// Writes a string in double quotes.
    pub fn quoted(&mut self, text: &str) {
        self.begin_value();
        self.scalar(|this| this.write_double(text, true));
    }

    /// Writes a string in single quotes.
    pub fn single_quoted(&mut self, text: &str) {
        self.begin_value();
        self.scalar(|this| this.write_single(text, true));
    }

    /// Writes bytes that are not UTF-8, in base64 under a tag.
    pub fn binary(&mut self, bytes: &[u8]) {
        use base64::Engine as _;
        self.begin_value();
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        self.tag("!!binary");
        if encoded.len() > 70 {
            let lines: Vec<&str> =
                encoded.as_bytes().chunks(70).filter_map(|line| std::str::from_utf8(line).ok()).collect();
            self.scalar(|this| this.write_literal(&(lines.join("\n") + "\n")));
        } else {
            self.scalar(|this| this.write_plain(&encoded, true));
        }
    }

    fn tag(&mut self, tag: &str) {
        if !self.whitespace {
            self.put(b' ');
        }
        self.write(tag);
        self.whitespace = false;
        self.indention = false;
    }

    fn string_as(&mut self, text: &str, analysis: &Analysis, simple_key: bool) {
        let style = self.style(text, analysis, simple_key);
        self.scalar(|this| match style {
            Style::Plain => this.write_plain(text, !simple_key),
            Style::Single => this.write_single(text, !simple_key),
            Style::Double => this.write_double(text, !simple_key),
            Style::Literal => this.write_literal(text),
        });
    }

    fn style(&self, text: &str, analysis: &Analysis, simple_key: bool) -> Style {
        let wanted = if analysis.multiline && text.contains('\n') {
            Style::Literal
        } else if self.is_ambiguous(text) {
            Style::Double
        } else {
            Style::Plain
        };
        match wanted {
            Style::Literal if simple_key || !analysis.block => Style::Double,
            Style::Plain if simple_key && text.is_empty() || !analysis.plain => {
                if analysis.single {
                    Style::Single
                } else {
                    Style::Double
                }
            }
            other => other,
        }
    }

    /// Whether the bare text would be read as something else than a string.
    fn is_ambiguous(&self, text: &str) -> bool {
        match self.flavour {
            // A bare `<<` is a string where go-yaml writes one.
            Flavour::Compact => !matches!(resolve(text), Resolved::String | Resolved::Merge) || is_base_60(text),
            Flavour::Pretty => is_ambiguous_v3(text),
        }
    }

    // === writing ===

    fn put(&mut self, byte: u8) {
        self.out.push(byte);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
        self.indention = true;
    }

    fn write(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
    }

    fn write_char(&mut self, character: char) {
        self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.column += 1;
    }

    fn write_break(&mut self, character: char) {
        if character == '\n' {
            self.put_break();
        } else {
            self.write_char(character);
            self.column = 0;
        }
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put_break();
        }
        while self.column < indent {
            self.put(b' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &[u8], need_space: bool, is_space: bool, is_indention: bool) {
        if need_space && !self.whitespace {
            self.put(b' ');
        }
        for byte in text {
            self.put(*byte);
        }
        self.whitespace = is_space;
        self.indention = self.indention && is_indention;
    }

    fn folds(&self) -> bool {
        self.flavour == Flavour::Compact && self.column > FOLD_AT
    }

    fn write_plain(&mut self, text: &str, allow_breaks: bool) {
        if !self.whitespace && !text.is_empty() {
            self.put(b' ');
        }
        self.write_folded(text, allow_breaks, |_| false, true);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_single(&mut self, text: &str, allow_breaks: bool) {
        self.indicator(b"'", true, false, false);
        self.write_folded(text, allow_breaks, |character| character == '\'', false);
        self.indicator(b"'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// The text of a plain or single-quoted scalar, folded at single spaces.
    fn write_folded(&mut self, text: &str, allow_breaks: bool, doubled: impl Fn(char) -> bool, plain: bool) {
        let fits = !allow_breaks || self.flavour == Flavour::Pretty || self.column + text.len() <= FOLD_AT;
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'' || byte == b' ') {
            self.write(text);
            return;
        }
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.char_indices().peekable();
        while let Some((index, character)) = rest.next() {
            let next_is_space = rest.peek().is_some_and(|(_, next)| *next == ' ');
            if character == ' ' {
                let inside = plain || index > 0 && rest.peek().is_some();
                if allow_breaks && !spaces && self.folds() && inside && !next_is_space {
                    self.write_indent();
                } else {
                    self.put(b' ');
                }
                spaces = true;
            } else if is_break(character) {
                if !breaks && character == '\n' {
                    self.put_break();
                }
                self.write_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if doubled(character) {
                    self.write_char(character);
                }
                self.write_char(character);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn write_double(&mut self, text: &str, allow_breaks: bool) {
        self.indicator(b"\"", true, false, false);
        let mut spaces = false;
        // The library looks for the mark at the start of the text whichever character it is at.
        let has_mark = text.starts_with('\u{FEFF}');
        let mut rest = text.char_indices().peekable();
        while let Some((index, character)) = rest.next() {
            if has_mark || !is_printable(character) || is_break(character) || matches!(character, '"' | '\\') {
                self.write_escape(character);
                spaces = false;
            } else if character == ' ' {
                let inside = index > 0 && rest.peek().is_some();
                if allow_breaks && !spaces && self.folds() && inside {
                    self.write_indent();
                    if rest.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put(b'\\');
                    }
                } else {
                    self.put(b' ');
                }
                spaces = true;
            } else {
                self.write_char(character);
                spaces = false;
            }
        }
        self.indicator(b"\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_escape(&mut self, character: char) {
        let short = match character {
            '\0' => "\\0",
            '\x07' => "\\a",
            '\x08' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\x0B' => "\\v",
            '\x0C' => "\\f",
            '\r' => "\\r",
            '\x1B' => "\\e",
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{85}' => "\\N",
            '\u{A0}' => "\\_",
            '\u{2028}' => "\\L",
            '\u{2029}' => "\\P",
            _ => "",
        };
        self.is_unreadable |= matches!(character, '\x7F'..='\u{9F}' | '\u{FFFE}' | '\u{FFFF}');
        let code = u32::from(character);
        match code {
            _ if !short.is_empty() => self.write(short),
            0..=0xFF => self.write(&format!("\\x{code:02X}")),
            0x100..=0xFFFF => self.write(&format!("\\u{code:04X}")),
            _ => self.write(&format!("\\U{code:08X}")),
        }
    }

    fn write_literal(&mut self, text: &str) {
        self.indicator(b"|", true, false, false);
        self.block_hints(text);
        self.put_break();
        self.whitespace = true;
        if text.bytes().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\n')) {
            self.write_lines(text);
            return;
        }
        let mut breaks = true;
        for character in text.chars() {
            if is_break(character) {
                self.write_break(character);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.write_char(character);
                self.indention = false;
                breaks = false;
            }
        }
    }

    /// The lines of a literal that holds nothing but ASCII and line feeds.
    fn write_lines(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            if !content.is_empty() {
                self.write_indent();
                self.out.extend_from_slice(content.as_bytes());
                self.column += content.len();
                self.indention = false;
            }
            if content.len() < line.len() {
                self.put_break();
            }
        }
    }

    fn block_hints(&mut self, text: &str) {
        if text.starts_with(' ') || text.starts_with(is_break) {
            self.indicator(b"2", false, false, false);
        }
        let mut last = text.chars().rev();
        let hint: &[u8] = match (last.next(), last.next()) {
            (None, _) => b"-",
            (Some(end), _) if !is_break(end) => b"-",
            (Some(_), None) => b"+",
            (Some(_), Some(before)) if is_break(before) => b"+",
            _ => return,
        };
        self.indicator(hint, false, false, false);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: what YAML 1.1 reads in base 60.
fn is_base_60(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !rest.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut parts = rest.split(':');
    let Some(first) = parts.next() else { return false };
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !first.chars().all(|c| c.is_ascii_digit() || c == '_') {
        return false;
    }
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return false };
    let sexagesimal = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    let (last, fraction) = last.split_once('.').unwrap_or((last, ""));
    middle.iter().all(|part| sexagesimal(part))
        && sexagesimal(last)
        && fraction.chars().all(|c| c.is_ascii_digit() || c == '_')
}

/// go-yaml v3 resolves by YAML 1.2 with exceptions, and quotes what 1.1 would have read as a boolean.
pub(crate) fn is_ambiguous_v3(text: &str) -> bool {
    if is_base_60(text) {
        return true;
    }
    !matches!(resolve(text), Resolved::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> String {
        let mut emitter = Emitter::new(Flavour::Compact);
        emitter.begin_map(false);
        emitter.key("a");
        emitter.string(text);
        emitter.end_map();
        emitter.finish()
    }

    #[test]
    fn scalars() {
        let cases = [
            ("x", "a: x\n"),
            ("", "a: \"\"\n"),
            ("yes", "a: \"yes\"\n"),
            ("12:30", "a: \"12:30\"\n"),
            ("x: y", "a: 'x: y'\n"),
            ("it's: x", "a: 'it''s: x'\n"),
            (" x", "a: ' x'\n"),
            ("x\ny", "a: |-\n  x\n  y\n"),
            ("x\n", "a: |\n  x\n"),
            ("\n", "a: |2+\n\n"),
            (" x\ny\n\n", "a: |2+\n   x\n  y\n\n"),
            ("x \ny", "a: \"x \\ny\"\n"),
            ("\t", "a: \"\\t\"\n"),
            ("x\n\ty", "a: \"x\\n\\ty\"\n"),
            ("\u{FEFF}b c", "a: \"\\uFEFF\\x62\\x20\\x63\"\n"),
            ("- x", "a: '- x'\n"),
            ("-x", "a: -x\n"),
            ("{x}", "a: '{x}'\n"),
            ("x # y", "a: 'x # y'\n"),
            ("é", "a: é\n"),
            ("😀", "a: \"\\U0001F600\"\n"),
        ];
        for (text, want) in cases {
            assert_eq!(scalar(text), want, "{text:?}");
        }
    }

    #[test]
    fn literals_of_ascii_are_written_alike() {
        for text in ["a\nb", "a\n\n b\n", " a\nb\n\n", "\n\na", "a\n"] {
            let (plain, other) = (scalar(text), scalar(&text.replace('a', "é")));
            assert_eq!(plain, other.replace('é', "a"), "{text:?}");
        }
    }

    #[test]
    fn collections() {
        let mut emitter = Emitter::new(Flavour::Compact);
        emitter.begin_map(false);
        emitter.key("a");
        emitter.begin_list(false);
        emitter.plain("1");
        emitter.begin_map(false);
        emitter.key("b");
        emitter.begin_list(true);
        emitter.key("c");
        emitter.plain("null");
        emitter.end_map();
        emitter.begin_list(false);
        emitter.string("q");
        emitter.end_list();
        emitter.end_list();
        emitter.key("d");
        emitter.begin_map(true);
        emitter.end_map();
        assert_eq!(emitter.finish(), "a:\n- 1\n- b: []\n  c: null\n- - q\nd: {}\n");
    }
}
