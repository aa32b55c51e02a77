//! Reads a pattern into a tree of parts.
//!
//! The grammar is that of Helm's library with its oddities: braces left open end with the pattern, one that closes nothing is
//! text, and a backslash at the end is dropped.

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// What is left of an alternative whose parts its siblings share.
    Nothing,
    Text(String),
    /// Any text without a slash.
    Any,
    /// Any text.
    Super,
    /// One character other than a slash.
    Single,
    List {
        negated: bool,
        characters: String,
    },
    Range {
        negated: bool,
        low: char,
        high: char,
    },
    /// Alternatives; as they are read each is a row.
    Choice(Vec<Part>),
    Row(Vec<Part>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Error {
    Malformed,
    TooLarge,
}

/// Parts of one pattern, which the compiler compares with each other.
const MAX_PARTS: usize = 5000;
/// Parts of one row, whose search nests as deep as it is long.
const MAX_ROW: usize = 300;
/// Braces within braces.
const MAX_DEPTH: usize = 50;

/// What the library takes for the end of a pattern, also when it stands within.
const END: char = '\0';

pub(super) fn parse(pattern: &str) -> Result<Vec<Part>, Error> {
    // The library cannot tell this character from bytes that are none.
    if pattern.contains(char::REPLACEMENT_CHARACTER) && !pattern.starts_with(END) {
        return Err(Error::Malformed);
    }
    Parser { rest: pattern, open: Vec::new(), row: Vec::new(), parts: 0 }.read()
}

struct Parser<'a> {
    rest: &'a str,
    /// For each brace that is open: the row before it, and its finished alternatives.
    open: Vec<(Vec<Part>, Vec<Part>)>,
    row: Vec<Part>,
    parts: usize,
}

impl Parser<'_> {
    fn read(mut self) -> Result<Vec<Part>, Error> {
        loop {
            let nested = !self.open.is_empty();
            let before = self.rest;
            match self.next() {
                END => break,
                '{' => self.open_brace()?,
                ',' if nested => self.close_alternative()?,
                '}' if nested => self.close_brace()?,
                '[' => {
                    let class = self.class()?;
                    self.push(class)?;
                }
                '?' => self.push(Part::Single)?,
                '*' => {
                    let part = if self.take('*') { Part::Super } else { Part::Any };
                    self.push(part)?;
                }
                _ => {
                    self.rest = before;
                    let text = self.text(if nested { "?*[{}," } else { "?*[{" });
                    if !text.is_empty() {
                        self.push(Part::Text(text))?;
                    }
                }
            }
        }
        while !self.open.is_empty() {
            self.close_brace()?;
        }
        Ok(self.row)
    }

    fn peek(&self) -> char {
        self.rest.chars().next().unwrap_or(END)
    }

    fn next(&mut self) -> char {
        let mut characters = self.rest.chars();
        let next = characters.next().unwrap_or(END);
        self.rest = characters.as_str();
        next
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == wanted;
        if found {
            self.next();
        }
        found
    }

    fn push(&mut self, part: Part) -> Result<(), Error> {
        self.parts += 1;
        self.row.push(part);
        if self.parts > MAX_PARTS || self.row.len() > MAX_ROW { Err(Error::TooLarge) } else { Ok(()) }
    }

    fn open_brace(&mut self) -> Result<(), Error> {
        if self.open.len() == MAX_DEPTH {
            return Err(Error::TooLarge);
        }
        self.open.push((std::mem::take(&mut self.row), Vec::new()));
        Ok(())
    }

    fn close_alternative(&mut self) -> Result<(), Error> {
        self.parts += 1;
        let row = std::mem::take(&mut self.row);
        if let Some((_, alternatives)) = self.open.last_mut() {
            alternatives.push(Part::Row(row));
        }
        if self.parts > MAX_PARTS { Err(Error::TooLarge) } else { Ok(()) }
    }

    fn close_brace(&mut self) -> Result<(), Error> {
        self.close_alternative()?;
        let Some((before, alternatives)) = self.open.pop() else { return Ok(()) };
        self.row = before;
        self.push(Part::Choice(alternatives))
    }

    /// Text up to one of the characters, without the backslashes that escape.
    fn text(&mut self, until: &str) -> String {
        let (mut text, mut escaped) = (String::new(), false);
        loop {
            let before = self.rest;
            let next = self.next();
            match next {
                END => return text,
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                _ if !escaped && until.contains(next) => {
                    self.rest = before;
                    return text;
                }
                _ => text.push(next),
            }
            escaped = false;
        }
    }

    /// What follows an opening bracket: two ends with a dash between, or else a list in which nothing but a backslash is special.
    fn class(&mut self) -> Result<Part, Error> {
        let negated = self.take('!');
        let before = self.rest;
        let low = self.next();
        if low == END {
            return Err(Error::Malformed);
        }
        let part = if self.take('-') {
            let high = self.next();
            if high < low {
                return Err(Error::Malformed);
            }
            Part::Range { negated, low, high }
        } else {
            self.rest = before;
            let characters = self.text("]");
            if characters.is_empty() {
                return Err(Error::Malformed);
            }
            Part::List { negated, characters }
        };
        if self.take(']') { Ok(part) } else { Err(Error::Malformed) }
    }
}
