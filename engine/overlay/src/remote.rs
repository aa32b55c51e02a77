//! What lies elsewhere: addresses of files and of repositories.

use std::path::PathBuf;

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

/// Whether a path is the address of a repository, or of a folder in one.
pub(crate) fn is_repository(path: &str) -> bool {
    let path = path.strip_prefix("git::").unwrap_or(path);
    let lower = path.to_ascii_lowercase();
    if is_http(&lower) {
        return is_http_repository(&lower);
    }
    ["ssh://", "file://", "git://", "git@", "gh:", "github.com/", "github.com:"]
        .iter()
        .any(|start| lower.starts_with(start))
        || lower.starts_with("org-") && lower.contains("@github.com:")
        || lower.contains("?ref=")
}

/// Whether an HTTP address is a repository's, not a file's.
fn is_http_repository(url: &str) -> bool {
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let asks = query.split('&').any(|pair| pair.starts_with("ref=") || pair.starts_with("version="));
    let is_file = [".yaml", ".yml", ".json"].iter().any(|end| path.ends_with(end));
    asks || path.contains("//")
        || path.contains(".git/")
        || path.ends_with(".git")
        || path.starts_with("github.com/") && !is_file && !path.contains("/raw/") && !path.contains("/releases/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_files() {
        let cases = [
            ("https://github.com/a/b//c?ref=v1", true),
            ("https://github.com/a/b/c", true),
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
}
