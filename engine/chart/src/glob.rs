//! Patterns of `.Files.Glob`: `*` within a folder, `**` across, `?`, `[a-c]`, `{one,two}`.

/// A compiled pattern; one that cannot be read matches everything, as in Helm.
pub(crate) struct Glob(Vec<Vec<Part>>);

#[derive(Debug, Clone)]
enum Part {
    /// Any text without a slash.
    Star,
    /// Any text.
    Super,
    /// One character other than a slash.
    Any,
    One(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Alternatives multiply; more than this are not compiled.
const MAX_ALTERNATIVES: usize = 256;

impl Glob {
    pub(crate) fn parse(pattern: &str) -> Self {
        let characters: Vec<char> = pattern.chars().collect();
        let compiled = expand(&characters)
            .and_then(|alternatives| alternatives.iter().map(|text| compile(text)).collect::<Option<Vec<_>>>());
        Self(compiled.unwrap_or_else(|| vec![vec![Part::Super]]))
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|parts| matches(parts, &name))
    }
}

/// Writes `a{b,c}d` as `abd` and `acd`.
fn expand(pattern: &[char]) -> Option<Vec<Vec<char>>> {
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '[' => at = class_end(pattern, at)?,
            '}' => return None,
            '{' => {
                let (parts, end) = alternatives(pattern, at)?;
                let tails = expand(&pattern[end + 1..])?;
                let mut all = Vec::new();
                for part in &parts {
                    for inner in expand(part)? {
                        for tail in &tails {
                            all.push([&pattern[..at], &inner, tail].concat());
                        }
                    }
                }
                return (all.len() <= MAX_ALTERNATIVES).then_some(all);
            }
            _ => {}
        }
        at += 1;
    }
    Some(vec![pattern.to_vec()])
}

fn class_end(pattern: &[char], start: usize) -> Option<usize> {
    pattern[start..].iter().position(|character| *character == ']').map(|offset| start + offset)
}

/// The alternatives of a brace, and where it closes.
fn alternatives(pattern: &[char], open: usize) -> Option<(Vec<Vec<char>>, usize)> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0, open + 1);
    let mut at = open;
    while at < pattern.len() {
        match pattern[at] {
            '\\' => at += 1,
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(pattern[from..at].to_vec());
                    return Some((parts, at));
                }
            }
            ',' if depth == 1 => {
                parts.push(pattern[from..at].to_vec());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn compile(pattern: &[char]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '*' if pattern.get(at + 1) == Some(&'*') => {
                while pattern.get(at + 1) == Some(&'*') {
                    at += 1;
                }
                parts.push(Part::Super);
            }
            '*' => parts.push(Part::Star),
            '?' => parts.push(Part::Any),
            '\\' => {
                at += 1;
                parts.push(Part::One(*pattern.get(at)?));
            }
            '[' => {
                let end = class_end(pattern, at)?;
                parts.push(class(&pattern[at + 1..end])?);
                at = end;
            }
            other => parts.push(Part::One(other)),
        }
        at += 1;
    }
    Some(parts)
}

fn class(inner: &[char]) -> Option<Part> {
    let (negated, inner) = match inner {
        ['!', rest @ ..] => (true, rest),
        other => (false, other),
    };
    match inner {
        [] => None,
        [low, '-', high] => (low <= high).then(|| Part::Class { negated, ranges: vec![(*low, *high)] }),
        list => Some(Part::Class { negated, ranges: list.iter().map(|one| (*one, *one)).collect() }),
    }
}

/// Sets of positions instead of backtracking: time stays in proportion to the name's length.
fn matches(parts: &[Part], name: &[char]) -> bool {
    let mut states = vec![false; parts.len() + 1];
    states[0] = true;
    skip_stars(parts, &mut states);
    for character in name {
        let mut next = vec![false; parts.len() + 1];
        for (index, part) in parts.iter().enumerate().filter(|(index, _)| states[*index]) {
            match part {
                Part::Super => next[index] = true,
                Part::Star => next[index] |= *character != '/',
                Part::Any => next[index + 1] |= *character != '/',
                Part::One(one) => next[index + 1] |= one == character,
                Part::Class { negated, ranges } => {
                    let inside = ranges.iter().any(|(low, high)| (*low..=*high).contains(character));
                    next[index + 1] |= inside != *negated;
                }
            }
        }
        skip_stars(parts, &mut next);
        states = next;
    }
    states[parts.len()]
}

fn skip_stars(parts: &[Part], states: &mut [bool]) {
    for (index, part) in parts.iter().enumerate() {
        if states[index] && matches!(part, Part::Star | Part::Super) {
            states[index + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("foo/*", "foo/a.txt", true),
            ("foo/*", "foo/b/a.txt", false),
            ("foo/**", "foo/b/a.txt", true),
            ("**.yaml", "a/b.yaml", true),
            ("*.{json,yaml}", "a.yaml", true),
            ("*.{json,yaml}", "a.txt", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("a?c", "a/c", false),
            ("{a,b{c,d}}/x", "bd/x", true),
            ("[", "anything/at/all", true),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(Glob::parse(pattern).matches(name), want, "{pattern} {name}");
        }
        assert!(!Glob::parse(&"*a".repeat(50)).matches(&("a".repeat(5000) + "b")));
    }
}
