//! Where things go in a copy.

use std::path::{Component, Path, PathBuf};

use crate::remote::Address;
use kpkg_gopath::clean;

/// The folder for what came from elsewhere.
pub(super) const LOCALIZED: &str = "localized-files";

/// The way from one folder to another; both are absolute and real.
pub(crate) fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(left, right)| left == right).count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(to.components().skip(common)).collect();
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

/// The place of a file at an HTTP address: by host and path, without user and port.
pub(super) fn of_file(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    clean(&format!("{LOCALIZED}/{}{}", host_name(host), clean(&format!("/{path}"))))
}

/// The place of a folder in a repository: by host, path and reference.
pub(super) fn of_folder(address: &Address, in_repository: &Path) -> String {
    let host = match address.host.as_str() {
        "file://" => "file-schemed".to_owned(),
        host => {
            let host = host.split_once("://").map_or(host, |(_, rest)| rest);
            host_name(host.trim_end_matches(['/', ':'])).to_owned()
        }
    };
    let path = clean(&format!("/{}", address.path.strip_suffix(".git").unwrap_or(&address.path)));
    clean(&format!("{LOCALIZED}/{host}{path}/{}/{}", address.reference, in_repository.display()))
}

/// A host without user and port.
fn host_name(host: &str) -> &str {
    let host = host.rsplit('@').next().unwrap_or(host);
    host.split(':').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        assert_eq!(of_file("https://me@h.example:80/a/../b%20c/x.yaml?y=z"), "localized-files/h.example/b%20c/x.yaml");
        let cases = [
            ("https://github.com/a/b.git//c?ref=x/y", "localized-files/github.com/a/b/x/y/c"),
            ("git@h.example:a/b?ref=v", "localized-files/h.example/a/b/v/c"),
            ("file:///tmp/r?ref=v", "localized-files/file-schemed/tmp/r/v/c"),
        ];
        for (url, want) in cases {
            let address = Address::parse(url).expect("an address");
            assert_eq!(of_folder(&address, Path::new("c")), want, "{url}");
        }
        assert_eq!(relative(Path::new("/a/b"), Path::new("/a/c/d")), Path::new("../c/d"));
        assert_eq!(relative(Path::new("/a"), Path::new("/a")), Path::new("."));
    }
}
