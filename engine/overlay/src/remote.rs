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

/// Whether a path is the address of a repository.
pub(crate) fn is_repository(path: &str) -> bool {
    let path = path.strip_prefix("git::").unwrap_or(path);
    let lower = path.to_ascii_lowercase();
    let schemes = ["http://", "https://", "ssh://", "file://", "git://", "git@", "gh:", "org-"];
    schemes.iter().any(|scheme| lower.starts_with(scheme))
        || lower.starts_with("github.com/")
        || lower.starts_with("github.com:")
        || lower.contains("?ref=")
        || lower.contains(".git/")
        || lower.ends_with(".git")
}
