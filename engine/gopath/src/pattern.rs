//! Patterns for names of files.

/// A pattern that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// A pattern, ready to be matched.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
    /// The letters at its beginning, and those at its end: most names are found wanting by these alone.
    head: String,
    tail: String,
}

#[derive(Debug, Clone)]
enum Part {
    /// Any number of letters other than `/`.
    Star,
    /// One letter other than `/`.
    Any,
    /// This letter.
    One(char),
    /// One of these letters, or none of them; `/` is one like all others.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Whether a pattern matches the whole of a name.
pub fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    Ok(Pattern::parse(pattern)?.matches(name))
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(pattern: &str) -> Result<Self, BadPattern> {
        let mut letters = pattern.chars();
        let mut parts = Vec::new();
        while let Some(letter) = letters.next() {
            parts.push(match letter {
                '*' => Part::Star,
                '?' => Part::Any,
                '[' => class(&mut letters)?,
                '\\' => Part::One(letters.next().ok_or(BadPattern)?),
                other => Part::One(other),
            });
        }
        let letter = |part: &Part| if let Part::One(letter) = part { Some(*letter) } else { None };
        let head = parts.iter().map_while(letter).collect();
        let tail: Vec<char> = parts.iter().rev().map_while(letter).collect();
        Ok(Self { parts, head, tail: tail.into_iter().rev().collect() })
    }

    /// Whether it matches the whole of a name. A star takes as little as it can, and only the last one is ever
    /// asked to take more: time is at most in proportion to both lengths.
    pub fn matches(&self, name: &str) -> bool {
        if !name.starts_with(&self.head) || !name.ends_with(&self.tail) {
            return false;
        }
        let parts = self.parts.as_slice();
        let mut part = 0;
        let mut rest = name;
        let mut back: Option<(usize, &str)> = None;
        loop {
            let mut letters = rest.chars();
            match (parts.get(part), letters.next()) {
                (None, None) => return true,
                (Some(Part::Star), _) => {
                    back = Some((part, rest));
                    part += 1;
                    continue;
                }
                (Some(wanted), Some(letter)) if wanted.fits(letter) => {
                    part += 1;
                    rest = letters.as_str();
                    continue;
                }
                _ => {}
            }
            let Some((star, from)) = back else { return false };
            let mut letters = from.chars();
            match letters.next() {
                None | Some('/') => return false,
                Some(_) => {
                    back = Some((star, letters.as_str()));
                    (part, rest) = (star + 1, letters.as_str());
                }
            }
        }
    }
}

impl Part {
    fn fits(&self, letter: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => letter != '/',
            Self::One(wanted) => *wanted == letter,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *negated
            }
        }
    }
}

/// What stands between brackets; the first one has been read.
fn class(letters: &mut std::str::Chars<'_>) -> Result<Part, BadPattern> {
    let negated = taken(letters, '^');
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && taken(letters, ']') {
            return Ok(Part::Class { negated, ranges });
        }
        let low = bound(letters)?;
        let high = if taken(letters, '-') { bound(letters)? } else { low };
        ranges.push((low, high));
    }
}

/// Takes a letter if it comes next.
fn taken(letters: &mut std::str::Chars<'_>, wanted: char) -> bool {
    match letters.as_str().strip_prefix(wanted) {
        Some(rest) => {
            *letters = rest.chars();
            true
        }
        None => false,
    }
}

/// One end of a range.
fn bound(letters: &mut std::str::Chars<'_>) -> Result<char, BadPattern> {
    match letters.next() {
        None | Some('-' | ']') => Err(BadPattern),
        Some('\\') => letters.next().ok_or(BadPattern),
        Some(letter) => Ok(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("abc", "abc", Ok(true)),
            ("", "", Ok(true)),
            ("*", "", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "ab/c", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*/b", "a/c/b", Ok(false)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Ok(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Ok(false)),
            ("ab[c]", "abc", Ok(true)),
            ("ab[b-d]", "abc", Ok(true)),
            ("ab[e-g]", "abc", Ok(false)),
            ("ab[^c]", "abc", Ok(false)),
            ("ab[^e-g]", "abc", Ok(true)),
            ("a\\*b", "a*b", Ok(true)),
            ("a\\*b", "ab", Ok(false)),
            ("a?b", "a☺b", Ok(true)),
            ("a[^a]b", "a☺b", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("*[a-ζ]", "A", Ok(false)),
            ("a?b", "a/b", Ok(false)),
            ("a*b", "a/b", Ok(false)),
            ("a[^x]b", "a/b", Ok(true)),
            ("[\\]a]", "]", Ok(true)),
            ("[\\-]", "-", Ok(true)),
            ("[x\\-]", "z", Ok(false)),
            ("[\\-x]", "a", Ok(false)),
            ("*.txt", "a.txt", Ok(true)),
            (".?*", ".git", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[-x]", "x", Err(BadPattern)),
            ("[a-b-c]", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("[^", "a", Err(BadPattern)),
            ("[^bc", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("\\", "a", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(matches(pattern, name), want, "{pattern} on {name}");
        }
    }

    #[test]
    fn many_stars_end() {
        let pattern = Pattern::parse(&"*a".repeat(100)).expect("valid");
        assert!(!pattern.matches(&("a".repeat(20_000) + "b")));
    }
}
