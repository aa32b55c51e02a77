//! Where in a YAML text a field stands.

use kpkg_yaml::{Error, Mark, Parser, Properties, Scalar, Sink};

/// Fields of one document by path, with the lines (from 1) of their keys and of their values' first lines.
pub(crate) struct Positions(Vec<(Vec<String>, Lines)>);

/// The lines of a field, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Where its key, or a list item, stands.
    pub(crate) key: usize,
    /// Where its value begins.
    pub(crate) value: usize,
}

/// A text with more fields than this is not looked into.
const MAX_FIELDS: usize = 200_000;

impl Positions {
    /// The fields of the text's first document, as far as it is YAML.
    pub(crate) fn of(text: &str) -> Self {
        let mut walk = Walk { open: Vec::new(), found: Vec::new() };
        // What was found before a mistake still stands.
        let _ = Parser::new(text).document(&mut walk);
        Self(walk.found)
    }

    /// The lines of a field; items of lists go by their number.
    pub(crate) fn get(&self, path: &[String]) -> Option<Lines> {
        self.0.iter().rev().find(|(known, _)| known == path).map(|(_, lines)| *lines)
    }
}

/// A collection that is being read.
enum Open {
    List {
        next: usize,
    },
    /// The key read last, and its line, until its value follows.
    Map {
        key: Option<(String, usize)>,
        is_value: bool,
    },
}

struct Walk {
    open: Vec<Open>,
    found: Vec<(Vec<String>, Lines)>,
}

impl Walk {
    fn path(&self) -> Vec<String> {
        let part = |open: &Open| match open {
            Open::List { next } => next.saturating_sub(1).to_string(),
            Open::Map { key, .. } => key.as_ref().map(|(key, _)| key.clone()).unwrap_or_default(),
        };
        self.open.iter().map(part).collect()
    }

    /// Notes a value that begins; `false` if it is a key.
    fn value(&mut self, line: usize) -> Result<(), Error> {
        let key = match self.open.last_mut() {
            None => return Ok(()),
            Some(Open::List { next }) => {
                *next += 1;
                line
            }
            Some(Open::Map { key, is_value }) => {
                *is_value = false;
                key.as_ref().map_or(line, |(_, line)| *line)
            }
        };
        if self.found.len() > MAX_FIELDS {
            return Err(Error::Syntax { line: None, problem: "too many fields".to_owned() });
        }
        let path = self.path();
        self.found.push((path, Lines { key, value: line }));
        Ok(())
    }

    /// Whether a key is due; a collection as a key is noted as a nameless one.
    fn key(&mut self, name: &str, line: usize) -> bool {
        if let Some(Open::Map { key, is_value: is_value @ false }) = self.open.last_mut() {
            *key = Some((name.to_owned(), line));
            *is_value = true;
            return true;
        }
        false
    }
}

impl<'a> Sink<'a> for Walk {
    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<(), Error> {
        if self.key(name, mark.line + 1) { Ok(()) } else { self.value(mark.line + 1) }
    }

    fn scalar(&mut self, _: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error> {
        if self.key(&scalar.text, mark.line + 1) { Ok(()) } else { self.value(mark.line + 1) }
    }

    fn begin_sequence(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
        if !self.key("", mark.line + 1) {
            self.value(mark.line + 1)?;
        }
        self.open.push(Open::List { next: 0 });
        Ok(())
    }

    fn begin_mapping(&mut self, _: Properties<'a>, mark: Mark) -> Result<(), Error> {
        if !self.key("", mark.line + 1) {
            self.value(mark.line + 1)?;
        }
        self.open.push(Open::Map { key: None, is_value: false });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.open.pop();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_lines() {
        let positions = Positions::of("a: 1\nb:\n  c: [x, y]\n  d:\n  - e: 1\n    f: 2\n  - g\nh: |\n  text\n");
        let cases: [(&[&str], usize, usize); 7] = [
            (&["a"], 1, 1),
            (&["b"], 2, 3),
            (&["b", "c"], 3, 3),
            (&["b", "c", "1"], 3, 3),
            (&["b", "d", "0", "f"], 6, 6),
            (&["b", "d", "1"], 7, 7),
            (&["h"], 8, 8),
        ];
        for (path, key, value) in cases {
            let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            assert_eq!(positions.get(&path), Some(Lines { key, value }), "{path:?}");
        }
        assert_eq!(positions.get(&["z".to_owned()]), None);
    }
}
