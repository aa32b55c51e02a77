//! A folder made independent of other places: a copy in which remote files and folders lie beside the rest.
//!
//! Only what kustomizations name is copied. What came from elsewhere lies in `localized-files`, by host and path.

mod copy;
mod fields;
mod place;
mod plugins;

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::remote::{Address, Remote, is_repository};
use copy::Copier;
pub(crate) use place::relative;

/// A copy that names nothing remote.
#[derive(Debug, Clone)]
pub struct Localized {
    /// The new folder.
    pub root: PathBuf,
    /// The folder in it that stands for what was copied.
    pub target: PathBuf,
}

/// Copies a folder, or one of a repository, and what its kustomization names. Local files must lie within `scope`, the
/// folder itself unless given; the copy goes into a new folder `destination`, named after the source unless given.
pub fn localize(target: &str, scope: &str, destination: &str, remote: Option<&dyn Remote>) -> Result<Localized> {
    let address = Address::parse(target).filter(|_| is_repository(target));
    if address.as_ref().is_some_and(|address| address.reference.is_empty()) {
        return Err(missing_reference(target));
    }
    let folder = match &address {
        Some(_) => Folder::first_remote(target, remote),
        None => Folder::first(Path::new(target), true),
    };
    let folder = folder.within(|| format!("unable to establish localize target {target:?}"))?;
    let scope = scope_of(scope, target, &folder).within(|| format!("invalid localize scope {scope:?}"))?;
    let root = new_folder(destination, &folder, address.as_ref())
        .within(|| format!("invalid localize destination {destination:?}"))?;
    let copy = root.join(relative(&scope, &folder.root));
    let copier =
        Copier { remote, scope, destination: root.clone(), folder, copy: copy.clone(), is_local: address.is_none() };
    if let Err(error) = copier.copy() {
        // What was copied so far is of no use; the first problem is the one to tell.
        drop(fs::remove_dir_all(&root));
        return Err(error).within(|| format!("unable to localize target {target:?}"));
    }
    Ok(Localized { root, target: copy })
}

fn missing_reference(target: &str) -> Error {
    Error::rule(format!("localize remote root {target:?} missing ref query string parameter"))
}

fn scope_of(scope: &str, target: &str, folder: &Folder) -> Result<PathBuf> {
    if let Some(clone) = folder.own_clone() {
        if !scope.is_empty() {
            return Err(Error::rule(format!("scope {scope:?} specified for remote localize target {target:?}")));
        }
        return Ok(clone.to_owned());
    }
    if scope.is_empty() {
        return Ok(folder.root.clone());
    }
    let root = Folder::first(Path::new(scope), true).within(|| "unable to establish localize scope".to_owned())?;
    if !folder.root.starts_with(&root.root) {
        return Err(Error::rule(format!(
            "localize scope {scope:?} does not contain target {target:?} at \"{}\"",
            folder.root.display()
        )));
    }
    Ok(root.root.clone())
}

fn new_folder(destination: &str, folder: &Folder, address: Option<&Address>) -> Result<PathBuf> {
    let path = if destination.is_empty() { default_name(folder, address) } else { destination.to_owned() };
    let given = &path;
    let path = Path::new(given);
    if path.symlink_metadata().is_ok() {
        return Err(Error::rule(format!("localize destination {given:?} already exists")));
    }
    let failed = |source| Error::Write { path: path.to_owned(), source };
    fs::create_dir(path).map_err(failed).within(|| "unable to create localize destination directory".to_owned())?;
    fs::canonicalize(path).map_err(failed)
}

fn default_name(folder: &Folder, address: Option<&Address>) -> String {
    let own = folder.root.file_name().map(|name| name.to_string_lossy().into_owned());
    match address {
        None => own.map_or_else(|| "localized".to_owned(), |name| format!("localized-{name}")),
        Some(address) => {
            let is_top = folder.own_clone() == Some(folder.root.as_path());
            let base = address.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned();
            let name = own.filter(|_| !is_top).unwrap_or(base);
            format!("localized-{name}-{}", address.reference.replace('/', "-"))
        }
    }
}
