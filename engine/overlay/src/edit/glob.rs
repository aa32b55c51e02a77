//! Files by patterns, as Go's `filepath` finds them.

use std::path::Path;

use kpkg_gopath::clean;

use crate::error::{Error, Result};

/// Whether a pattern matches the whole of a name.
pub(super) fn matches(pattern: &str, name: &str) -> Result<bool> {
    kpkg_gopath::matches(pattern, name).map_err(|problem| Error::rule(problem.to_string()))
}

fn has_meta(path: &str) -> bool {
    path.contains(['*', '?', '[', '\\'])
}

/// The files that a pattern matches, seen from a folder; hidden ones only where the pattern names them.
pub(super) fn glob(folder: &Path, pattern: &str) -> Result<Vec<String>> {
    matches(pattern, "")?;
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
