//! Patterns for file names, as Go's `filepath` takes them.

use std::path::Path;

use crate::error::{Error, Result};

/// One part of a pattern.
#[derive(Debug)]
enum Part {
    /// Any number of letters other than `/`.
    Any,
    /// One letter other than `/`.
    One,
    /// One of these letters, or none of them.
    Class { ranges: Vec<(char, char)>, negated: bool },
    /// This letter.
    Letter(char),
}

fn bad_pattern() -> Error {
    Error::rule("syntax error in pattern")
}

fn parse(pattern: &str) -> Result<Vec<Part>> {
    let mut letters = pattern.chars().peekable();
    let mut parts = Vec::new();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => class(&mut letters)?,
            '\\' => Part::Letter(letters.next().ok_or_else(bad_pattern)?),
            other => Part::Letter(other),
        });
    }
    Ok(parts)
}

fn class(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Part> {
    let negated = letters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && letters.next_if_eq(&']').is_some() {
            return Ok(Part::Class { ranges, negated });
        }
        let low = class_letter(letters)?;
        let high = if letters.next_if_eq(&'-').is_some() { class_letter(letters)? } else { low };
        ranges.push((low, high));
    }
}

fn class_letter(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char> {
    match letters.next() {
        None | Some('-' | ']') => Err(bad_pattern()),
        Some('\\') => letters.next().ok_or_else(bad_pattern),
        Some(letter) => Ok(letter),
    }
}

fn fits(part: &Part, letter: char) -> bool {
    match part {
        Part::Any => false,
        Part::One => letter != '/',
        Part::Class { ranges, negated } => {
            ranges.iter().any(|(low, high)| (*low..=*high).contains(&letter)) != *negated
        }
        Part::Letter(wanted) => *wanted == letter,
    }
}

/// Whether a pattern matches the whole of a name.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool> {
    let parts = parse(pattern)?;
    let name: Vec<char> = name.chars().collect();
    let (mut part, mut at) = (0, 0);
    // Where to go on if what follows the last `*` does not fit: that `*` takes one letter more.
    let mut again: Option<(usize, usize)> = None;
    while part < parts.len() || at < name.len() {
        match (parts.get(part), name.get(at)) {
            (Some(Part::Any), _) => {
                again = Some((part, at));
                part += 1;
            }
            (Some(wanted), Some(letter)) if fits(wanted, *letter) => {
                part += 1;
                at += 1;
            }
            _ => match again {
                Some((star, from)) if name.get(from).is_some_and(|letter| *letter != '/') => {
                    again = Some((star, from + 1));
                    (part, at) = (star + 1, from + 1);
                }
                _ => return Ok(false),
            },
        }
    }
    Ok(true)
}

fn has_meta(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

/// The files that a pattern matches, seen from a folder; hidden ones only where the pattern names them.
pub(super) fn glob(folder: &Path, pattern: &str) -> Result<Vec<String>> {
    parse(pattern)?;
    let mut found = find(folder, pattern)?;
    if !is_hidden(pattern) {
        found.retain(|path| !is_hidden(path));
    }
    Ok(found)
}

fn is_hidden(path: &str) -> bool {
    path.trim_end_matches('/').rsplit('/').next().is_some_and(|name| name.starts_with('.'))
}

fn find(folder: &Path, pattern: &str) -> Result<Vec<String>> {
    if !has_meta(pattern) {
        let exists = !pattern.is_empty() && folder.join(pattern).symlink_metadata().is_ok();
        return Ok(if exists { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let (parent, name) = match pattern.rsplit_once('/') {
        None => (".", pattern),
        Some(("", name)) => ("/", name),
        Some((parent, name)) => (parent, name),
    };
    let parents = if has_meta(parent) { find(folder, parent)? } else { vec![parent.to_owned()] };
    let mut found = Vec::new();
    for parent in parents {
        let Ok(entries) = std::fs::read_dir(folder.join(&parent)) else { continue };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        for entry in names {
            if matches(name, &entry)? {
                found.push(clean(&format!("{parent}/{entry}")));
            }
        }
    }
    Ok(found)
}

/// A path without `.`, without `..` after a name, and without doubled slashes.
pub(crate) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        let cases = [
            ("*.yaml", "a.yaml", Some(true)),
            ("*.yaml", "a/b.yaml", Some(false)),
            ("a*b*c", "aXbYbZc", Some(true)),
            ("a*b*c/d", "aXbYc/d", Some(true)),
            ("?[a-c]", "xb", Some(true)),
            ("[^a-c]", "b", Some(false)),
            (r"\*", "*", Some(true)),
            ("", "", Some(true)),
            ("*", "", Some(true)),
            ("[a", "a", None),
            ("[]", "a", None),
            ("a\\", "a", None),
        ];
        for (pattern, name, want) in cases {
            assert_eq!(matches(pattern, name).ok(), want, "{pattern} {name}");
        }
    }

    #[test]
    fn clean_paths() {
        for (path, want) in [("./a//b/../c", "a/c"), ("../a", "../a"), ("a/..", "."), ("/../a", "/a"), ("", ".")] {
            assert_eq!(clean(path), want, "{path}");
        }
    }
}
