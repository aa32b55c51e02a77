//! What lies elsewhere: addresses of files and of repositories.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Result;

/// A way to what lies elsewhere. Without one, a build stays on this machine.
pub trait Remote {
    /// The content at an HTTP address.
    fn get(&self, url: &str) -> Result<Vec<u8>>;
    /// A clone of the repository that an address names.
    fn clone_repository(&self, url: &str) -> Result<Clone>;
}

/// A repository on this machine.
#[derive(Debug, Clone)]
pub struct Clone {
    /// Where it begins.
    pub root: PathBuf,
    /// The folder in it that was asked for.
    pub folder: PathBuf,
}

/// Whether a path is the address of a file.
pub(crate) fn is_http(path: &str) -> bool {
    path.starts_with("http://") || path.starts_with("https://")
}

/// A text without the logins that HTTP addresses in it hold.
pub fn without_logins(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, tail) = rest.split_at(at + "://".len());
        let end = tail.find(|letter: char| matches!(letter, '/' | '?' | '#') || letter.is_whitespace());
        let (authority, after) = tail.split_at(end.unwrap_or(tail.len()));
        let is_http = scheme.ends_with("http://") || scheme.ends_with("https://");
        let host = authority.rsplit_once('@').filter(|_| is_http).map_or(authority, |(_, host)| host);
        shown.push_str(scheme);
        shown.push_str(host);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// Whether a path is the address of a repository, or of a folder in one. HTTP addresses could all be: those of files
/// are told by how they end.
pub(crate) fn is_repository(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_http_address = is_http(lower.strip_prefix("git::").unwrap_or(&lower));
    Address::parse(path).is_some() && (!is_http_address || is_http_repository(&lower))
}

/// Whether an HTTP address is a repository's, not a file's.
fn is_http_repository(url: &str) -> bool {
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let asks = query.split('&').any(|pair| pair.starts_with("ref=") || pair.starts_with("version="));
    let is_file = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
    let marked = path.contains("//") || path.contains(".git/") || path.contains("/_git/") || path.ends_with(".git");
    let on_github = path.starts_with("github.com/") && !path.contains("/raw/") && !path.contains("/releases/");
    asks || !is_file && (marked || on_github)
}

/// The address of a folder in a repository: `https://host/owner/name//folder?ref=main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The scheme, the user and the host: `https://github.com/`.
    pub host: String,
    /// The repository's path there.
    pub path: String,
    /// The folder in it, empty for its top.
    pub folder: String,
    /// The commit, branch or tag asked for.
    pub reference: String,
    /// How long git may take, if that is said.
    pub timeout: Option<Duration>,
    /// Whether submodules are wanted.
    pub submodules: bool,
}

impl Address {
    /// Reads an address as Kustomize does; `None` for what is no repository's.
    pub fn parse(url: &str) -> Option<Self> {
        if url.starts_with('/') {
            return None;
        }
        let (rest, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = without(rest, "git::").unwrap_or(rest);
        let (host, rest) = split_host(rest)?;
        let (path, folder) = split_path(rest, host == "file://")?;
        let first = folder.trim_start_matches('/').split('/').find(|part| !part.is_empty() && *part != ".");
        if path.is_empty() || first == Some("..") || kpkg_gopath::clean(&folder).starts_with("..") {
            return None;
        }
        let asked = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value.to_owned())
        };
        Some(Self {
            host,
            path: path.to_owned(),
            folder: folder.strip_prefix('/').unwrap_or(&folder).to_owned(),
            reference: asked("ref").or_else(|| asked("version")).unwrap_or_default(),
            timeout: asked("timeout").and_then(|text| seconds(&text)),
            submodules: !matches!(asked("submodules").as_deref(), Some("0" | "f" | "F" | "false" | "FALSE" | "False")),
        })
    }

    /// The repository, as git takes it.
    pub fn repository(&self) -> String {
        format!("{}{}", self.host, self.path)
    }
}

fn without<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.get(..start.len()).filter(|head| head.eq_ignore_ascii_case(start)).map(|_| &text[start.len()..])
}

/// A time limit: `61`, `61s`, `2m`.
fn seconds(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(number) => (number, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0)
        .map(|number| Duration::from_secs(number.saturating_mul(unit)))
}

/// The host with all before it, and what follows.
fn split_host(url: &str) -> Option<(String, &str)> {
    let mut known = ["ssh://", "https://", "http://", "file://"].into_iter();
    let (scheme, rest) = known.find_map(|it| Some((it, without(url, it)?))).unwrap_or(("", url));
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let is_user = |text: &str| {
        text.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (user, rest) = match rest.split_once('@') {
        Some((user, _)) if is_user(user) => rest.split_at(user.len() + 1),
        _ => ("", rest),
    };
    let on_github = without(rest, "github.com/").or_else(|| without(rest, "github.com:")).is_some();
    // As `scp` takes it: a colon ends the host.
    let with_colon = scheme.is_empty() && (!user.is_empty() || on_github);
    if scheme.is_empty() && !with_colon {
        return None;
    }
    let slash = rest.find('/');
    let colon = rest.find(':').filter(|at| with_colon && slash.is_none_or(|slash| *at > 0 && *at < slash));
    let (host, rest) = colon.or(slash).map_or((rest, ""), |at| rest.split_at(at + 1));
    let host = match on_github {
        true if scheme == "ssh://" || !user.is_empty() => format!("{user}github.com:"),
        true => "https://github.com/".to_owned(),
        false if host.is_empty() => return None,
        false => format!("{scheme}{user}{host}"),
    };
    Some((host, rest))
}

/// The path of the repository, and that of the folder in it.
fn split_path(rest: &str, is_file: bool) -> Option<(&str, String)> {
    if let Some(at) = rest.find("_git/") {
        let start = at + "_git/".len();
        let end = rest[start..].find('/').map_or(rest.len(), |length| start + length);
        return Some((&rest[..end], rest[end..].trim_start_matches('/').to_owned()));
    }
    if let Some((path, folder)) = rest.split_once("//") {
        return Some((path, folder.to_owned()));
    }
    if let Some(at) = rest.find(".git") {
        let (path, folder) = rest.split_at(at + ".git".len());
        return Some((path, folder.to_owned()));
    }
    if is_file {
        return Some((rest, String::new()));
    }
    // An owner and a name.
    let (owner, after) = rest.split_once('/')?;
    let end = after.find('/').map_or(rest.len(), |at| owner.len() + 1 + at);
    Some((&rest[..end], rest[end..].trim_start_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_files() {
        let cases = [
            ("https://github.com/a/b//c?ref=v1", true),
            ("https://github.com/a/b/c", true),
            ("https://example.com/a/b//c/x.yaml", false),
            ("gh:a/b", false),
            ("a/b?ref=x", false),
            ("https://github.com/a/b/releases/download/v1/x.yaml", false),
            ("https://example.com/x.yaml", false),
            ("https://example.com/a.git", true),
            ("github.com/a/b?ref=x", true),
            ("git@github.com:a/b", true),
            ("org-tools", false),
            ("../base", false),
        ];
        for (path, want) in cases {
            assert_eq!(is_repository(path), want, "{path}");
        }
    }

    #[test]
    fn logins_are_not_shown() {
        let cases = [
            ("cannot fetch https://me:s@cret@h.example:80/a?b: no", "cannot fetch https://h.example:80/a?b: no"),
            ("'http://token@h.example' and http://a:b@c", "'http://h.example' and http://c"),
            ("ssh://git@h.example/a, me@h.example", "ssh://git@h.example/a, me@h.example"),
            ("https://h.example/a@b", "https://h.example/a@b"),
        ];
        for (text, want) in cases {
            assert_eq!(without_logins(text), want);
        }
    }

    #[test]
    fn addresses() {
        let cases = [
            ("https://github.com/a/b//c/d?ref=v1", ("https://github.com/", "a/b", "c/d", "v1")),
            ("github.com/a/b/c?version=v1", ("https://github.com/", "a/b", "c", "v1")),
            ("ssh://git@github.com/a/b.git", ("git@github.com:", "a/b.git", "", "")),
            ("git@github.com:a/b.git/c", ("git@github.com:", "a/b.git", "c", "")),
            ("me@host.example:a/b/c/d", ("me@host.example:", "a/b", "c/d", "")),
            ("file:///tmp/r.git", ("file://", "/tmp/r.git", "", "")),
            ("file:///tmp/r//x", ("file://", "/tmp/r", "x", "")),
            ("HTTPS://h.example:80/p/_git/r/x/y", ("https://h.example:80/", "p/_git/r", "x/y", "")),
            ("git::https://h.example/a/b", ("https://h.example/", "a/b", "", "")),
        ];
        for (url, (host, path, folder, reference)) in cases {
            let got = Address::parse(url).unwrap_or_else(|| panic!("{url} is an address"));
            let got = (&*got.host, &*got.path, &*got.folder, &*got.reference);
            assert_eq!(got, (host, path, folder, reference), "{url}");
        }
        for url in ["https://h.example/a", "../x", "/tmp/x", "https://github.com/a/b//../c", "base"] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
        let asked = Address::parse("https://h.example/a/b?timeout=2m&submodules=false").expect("an address");
        assert_eq!((asked.timeout, asked.submodules), (Some(Duration::from_secs(120)), false));
    }
}
