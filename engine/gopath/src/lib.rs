//! Paths and patterns as Go's `path` and `path/filepath` take them: texts with slashes, no file system.
//!
//! Charts and kustomizations name files by such paths, and Helm and Kustomize print what these functions make
//! of them. `filepath` is that of Unix, where it agrees with `path`.
//!
//! - [`clean`], [`base`], [`dir`] and [`extension`] take paths apart;
//! - [`Pattern`] is what `Match` understands: `*`, `?`, `[a-z]`, `[^a-z]` and `\`.
//!
//! ```
//! assert_eq!(kpkg_gopath::clean("a/./b/../c"), "a/c");
//! assert_eq!(kpkg_gopath::matches("*.yaml", "web.yaml"), Ok(true));
//! ```

mod pattern;

use std::borrow::Cow;

pub use pattern::{BadPattern, Pattern, matches};

/// The shortest path that leads to the same place, by the text alone; `.` if nothing is left.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The last part; `.` of an empty path, `/` of one that is all slashes.
pub fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    match path.trim_end_matches('/').rsplit('/').next() {
        Some("") | None => "/",
        Some(last) => last,
    }
}

/// All but the last part, cleaned.
pub fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

/// The last part from its last dot on; nothing, if it has none.
pub fn extension(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.rfind('.').map_or("", |at| &last[at..])
}

/// Parts with slashes between them, cleaned; empty parts do not count.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let joined = parts.into_iter().filter(|part| !part.is_empty()).fold(Cow::Borrowed(""), |path, part| {
        if path.is_empty() { Cow::Borrowed(part) } else { Cow::Owned(format!("{path}/{part}")) }
    });
    if joined.is_empty() { String::new() } else { clean(&joined) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans() {
        let cases = [
            ("", "."),
            ("abc", "abc"),
            ("abc/def", "abc/def"),
            (".", "."),
            ("..", ".."),
            ("../../abc", "../../abc"),
            ("/", "/"),
            ("/abc", "/abc"),
            ("abc/", "abc"),
            ("../../", "../.."),
            ("abc//def//ghi", "abc/def/ghi"),
            ("///abc", "/abc"),
            ("abc/./def", "abc/def"),
            ("/./abc/def", "/abc/def"),
            ("abc/def/..", "abc"),
            ("abc/def/../..", "."),
            ("abc/def/../../..", ".."),
            ("/abc/def/../../..", "/"),
            ("abc/def/../../../ghi/jkl/../../../mno", "../../mno"),
            ("/../abc", "/abc"),
            ("abc/./../def", "def"),
            ("abc//./../def", "def"),
            ("abc/../../././../def", "../../def"),
            ("...", "..."),
        ];
        for (path, want) in cases {
            assert_eq!(clean(path), want, "{path}");
            assert_eq!(clean(want), want, "{want} is clean");
        }
    }

    #[test]
    fn takes_apart() {
        let cases = [
            ("", ".", ".", ""),
            (".", ".", ".", "."),
            ("/", "/", "/", ""),
            ("////", "/", "/", ""),
            ("x/", "x", "x", ""),
            ("abc", "abc", ".", ""),
            ("abc/def.go", "def.go", "abc", ".go"),
            ("a/b/.x", ".x", "a/b", ".x"),
            ("a/b/c.", "c.", "a/b", "."),
            ("a/b/c.x.y", "c.x.y", "a/b", ".y"),
            ("a.b/c", "c", "a.b", ""),
            ("/a", "a", "/", ""),
            ("a/../b", "b", ".", ""),
        ];
        for (path, last, before, after_dot) in cases {
            assert_eq!((base(path), dir(path).as_str(), extension(path)), (last, before, after_dot), "{path}");
        }
    }

    #[test]
    fn joins() {
        let cases: [(&[&str], &str); 6] = [
            (&[], ""),
            (&["", ""], ""),
            (&["a", "b"], "a/b"),
            (&["a/", "../b"], "b"),
            (&["/", "a"], "/a"),
            (&["", "a", ""], "a"),
        ];
        for (parts, want) in cases {
            assert_eq!(join(parts.iter().copied()), want, "{parts:?}");
        }
    }
}
