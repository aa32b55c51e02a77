//! A place in a text, and what is wrong there. What no TOML may hold (bytes that are not UTF-8, control characters) is
//! refused when the reader first looks at it, and not before: another mistake may stand in front of it.

use crate::quote::quote_with;

/// What is wrong, and the line it is told for.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) what: String,
}

pub(super) type Read<T> = Result<T, Problem>;

pub(super) struct Cursor<'a> {
    /// As far as the text is UTF-8.
    text: &'a str,
    /// The byte that is not, after it.
    broken: Option<u8>,
    at: usize,
    line: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let chunk = bytes.utf8_chunks().next();
        let (text, broken) = chunk.map_or(("", None), |chunk| (chunk.valid(), chunk.invalid().first().copied()));
        Self { text, broken, at: 0, line: 1 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// What was read from a place on.
    pub(super) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// The next character; none at the end.
    pub(super) fn peek(&self) -> Read<Option<char>> {
        let rest = &self.text[self.at..];
        match rest.chars().next() {
            None => match self.broken {
                Some(byte) => Err(self.problem(format!("invalid UTF-8 byte: 0x{byte:02x}"))),
                None => Ok(None),
            },
            Some(found) if is_control(found) || found == '\r' && !rest.starts_with("\r\n") => {
                let code = u32::from(found);
                Err(self.problem(format!("TOML files cannot contain control characters: '0x{code:02x}'")))
            }
            found => Ok(found),
        }
    }

    /// Reads the next character.
    pub(super) fn next(&mut self) -> Read<Option<char>> {
        let found = self.peek()?;
        self.at += found.map_or(0, char::len_utf8);
        self.line += usize::from(found == Some('\n'));
        Ok(found)
    }

    /// Reads a character if it is this one, which is no line break.
    pub(super) fn accept(&mut self, character: char) -> Read<bool> {
        let found = self.peek()? == Some(character);
        self.at += if found { character.len_utf8() } else { 0 };
        Ok(found)
    }

    /// Goes back to a place in the same line.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads characters as long as they fit.
    pub(super) fn skip(&mut self, fits: impl Fn(char) -> bool) -> Read<()> {
        while self.peek()?.is_some_and(&fits) {
            self.next()?;
        }
        Ok(())
    }

    pub(super) fn spaces(&mut self) -> Read<()> {
        self.skip(|character| matches!(character, ' ' | '\t'))
    }

    /// Reads blank lines and comments, to the next character that counts.
    pub(super) fn blanks(&mut self) -> Read<Option<char>> {
        loop {
            self.skip(|character| matches!(character, ' ' | '\t' | '\r' | '\n'))?;
            match self.peek()? {
                Some('#') => self.comment()?,
                found => return Ok(found),
            }
        }
    }

    pub(super) fn comment(&mut self) -> Read<()> {
        self.skip(|character| !matches!(character, '\r' | '\n'))
    }

    /// Something is wrong in this line.
    pub(super) fn problem(&self, what: impl Into<String>) -> Problem {
        Problem { line: self.line, what: what.into() }
    }

    /// Something is wrong in the line before, whose end was read.
    pub(super) fn problem_before(&self, what: impl Into<String>) -> Problem {
        Problem { line: self.line - 1, what: what.into() }
    }

    /// What was read last is wrong. The end of a text belongs to its last line that has anything.
    pub(super) fn unexpected(&self, found: Option<char>, what: impl Into<String>) -> Problem {
        if found.is_none() && self.text.ends_with('\n') { self.problem_before(what) } else { self.problem(what) }
    }
}

fn is_control(character: char) -> bool {
    character.is_ascii_control() && !matches!(character, '\t' | '\r' | '\n')
}

/// A character as Go's `%q` shows it. To the library the end is a NUL.
pub(super) fn shown(found: Option<char>) -> String {
    quote_with(plain(found).as_bytes(), '\'')
}

/// A character where the library has a word for the end.
pub(super) fn named(found: Option<char>) -> String {
    found.map_or_else(|| "end of file".to_owned(), |found| format!("'{found}'"))
}

/// A character as Go's `%c` shows it.
pub(super) fn plain(found: Option<char>) -> String {
    found.unwrap_or('\0').to_string()
}
