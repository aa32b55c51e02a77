//! `.helmignore`: shell patterns, one a line.

use crate::error::LoadError;

/// Rules on which files are left out.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    glob: Vec<Part>,
    negated: bool,
    folders_only: bool,
    /// Matched against the whole path, or the last part of it.
    whole: bool,
}

impl Rules {
    /// Parses a file's text and adds the rules that always hold.
    pub(crate) fn parse(text: &str) -> Result<Self, LoadError> {
        let mut rules = Self::default();
        for line in text.strip_prefix('\u{FEFF}').unwrap_or(text).lines().chain(["templates/.?*"]) {
            rules.add(line)?;
        }
        Ok(rules)
    }

    fn add(&mut self, line: &str) -> Result<(), LoadError> {
        let rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(LoadError::Refused("double-star (**) syntax is not supported".to_owned()));
        }
        let (negated, rule) = rule.strip_prefix('!').map_or((false, rule), |rest| (true, rest));
        let (folders_only, rule) = rule.strip_suffix('/').map_or((false, rule), |rest| (true, rest));
        let whole = rule.contains('/');
        let Some(glob) = parse_glob(rule.strip_prefix('/').unwrap_or(rule)) else {
            return Err(LoadError::Refused("syntax error in pattern".to_owned()));
        };
        self.patterns.push(Pattern { glob, negated, folders_only, whole });
        Ok(())
    }

    /// Whether a path is left out.
    pub(crate) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        let path: Vec<char> = path.chars().collect();
        let base = path.rsplit(|character| *character == '/').next().unwrap_or(&path);
        for pattern in &self.patterns {
            let hit = || glob(&pattern.glob, if pattern.whole { &path } else { base });
            if pattern.negated {
                // A negated rule leaves out everything that it does not match.
                if pattern.folders_only && !is_folder || !hit() {
                    return true;
                }
            } else if (is_folder || !pattern.folders_only) && hit() {
                return true;
            }
        }
        false
    }
}

/// Go's `filepath.Match`; `None` if the pattern is malformed.
pub(crate) fn matches(pattern: &str, name: &str) -> Option<bool> {
    let name: Vec<char> = name.chars().collect();
    Some(glob(&parse_glob(pattern)?, &name))
}

#[derive(Debug)]
enum Part {
    Star,
    Any,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn parse_glob(pattern: &str) -> Option<Vec<Part>> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut parts = Vec::new();
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            '*' => parts.push(Part::Star),
            '?' => parts.push(Part::Any),
            '\\' => {
                at += 1;
                parts.push(Part::One(*pattern.get(at)?));
            }
            '[' => {
                let (class, end) = parse_class(&pattern, at + 1)?;
                parts.push(class);
                at = end;
            }
            other => parts.push(Part::One(other)),
        }
        at += 1;
    }
    Some(parts)
}

fn parse_class(pattern: &[char], mut at: usize) -> Option<(Part, usize)> {
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let mut ranges = Vec::new();
    let bound = |at: &mut usize| -> Option<char> {
        let mut character = *pattern.get(*at)?;
        if character == '-' || character == ']' {
            return None;
        }
        if character == '\\' {
            *at += 1;
            character = *pattern.get(*at)?;
        }
        *at += 1;
        Some(character)
    };
    loop {
        if pattern.get(at) == Some(&']') && !ranges.is_empty() {
            return Some((Part::Class { negated, ranges }, at));
        }
        let low = bound(&mut at)?;
        let mut high = low;
        if pattern.get(at) == Some(&'-') {
            at += 1;
            high = bound(&mut at)?;
        }
        ranges.push((low, high));
    }
}

/// Matches with one point to come back to: a star takes as little as it can.
fn glob(parts: &[Part], name: &[char]) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < name.len() {
        let fits = match parts.get(part) {
            Some(Part::Star) => {
                back = Some((part, at));
                part += 1;
                continue;
            }
            Some(Part::Any) => name[at] != '/',
            Some(Part::One(character)) => name[at] == *character,
            Some(Part::Class { negated, ranges }) => {
                name[at] != '/' && ranges.iter().any(|(low, high)| (*low..=*high).contains(&name[at])) != *negated
            }
            None => false,
        };
        if fits {
            part += 1;
            at += 1;
        } else if let Some((star, from)) = back.filter(|(_, from)| name[*from] != '/') {
            back = Some((star, from + 1));
            part = star + 1;
            at = from + 1;
        } else {
            return false;
        }
    }
    parts[part..].iter().all(|rest| matches!(rest, Part::Star))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let cases = [
            ("*.txt", "a.txt", Some(true)),
            ("*.txt", "a/b.txt", Some(false)),
            ("a/*", "a/b", Some(true)),
            ("[a-c]x", "bx", Some(true)),
            ("[^a]x", "ax", Some(false)),
            ("a?c", "abc", Some(true)),
            ("[", "a", None),
            ("a*b*c", "axxbyyc", Some(true)),
            (".?*", ".git", Some(true)),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(matches(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn rules() {
        let rules = Rules::parse("# comment\n*.bak\nci/\n/top.txt\ndocs/*.md\n").expect("valid");
        for (path, folder, want) in [
            ("x.bak", false, true),
            ("a/x.bak", false, true),
            ("ci", true, true),
            ("ci", false, false),
            ("top.txt", false, true),
            ("a/top.txt", false, false),
            ("docs/a.md", false, true),
            ("templates/.keep", false, true),
            ("values.yaml", false, false),
        ] {
            assert_eq!(rules.ignores(path, folder), want, "{path}");
        }
        assert!(Rules::parse("a/**\n").is_err());
    }
}
