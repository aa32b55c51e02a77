//! Kubeconfigs: the one in the data directory, and our entries in the user's.

mod merge;

use std::{
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{Error, Layout, Settings, files, pki::Pki};

/// Our entries in a kubeconfig: a cluster, a user and a context of the same name.
#[derive(Debug, Clone)]
pub(crate) struct Entries {
    pub(crate) name: String,
    /// The administrator's address of the API server.
    server: String,
    /// All base64.
    authority: String,
    certificate: String,
    key: String,
}

impl Entries {
    pub(crate) fn new(settings: &Settings, pki: &Pki) -> Self {
        let encode = |text: &str| BASE64_STANDARD.encode(text);
        Self {
            name: settings.context(),
            server: format!("https://127.0.0.1:{}", settings.api_port),
            authority: encode(&pki.ca),
            certificate: encode(&pki.admin.certificate),
            key: encode(&pki.admin.key),
        }
    }
}

/// Writes the cluster's own kubeconfig.
pub(crate) fn write(layout: &Layout, entries: &Entries) -> Result<(), Error> {
    let text = merge::add("", entries).expect("an empty file can be added to");
    files::write(&layout.kubeconfig(), text.as_bytes(), 0o600)
}

/// Puts the cluster of `layout` into the kubeconfig `path` of the user.
///
/// Everything else in the file stays; the current context is set only if there is none. Answers
/// whether the file changed.
pub fn install(layout: &Layout, settings: &Settings, path: &Path) -> Result<bool, Error> {
    let own = files::read(&layout.kubeconfig())?.ok_or_else(|| Error::NoCluster { dir: layout.root().to_owned() })?;
    let entries = merge::find(&own, &settings.context()).map_err(bad_file(&layout.kubeconfig()))?;
    let entries = entries.ok_or_else(|| bad_file(&layout.kubeconfig())("our entries are not in it".to_owned()))?;
    let old = files::read(path)?.unwrap_or_default();
    replace(path, &old, &merge::add(&old, &entries).map_err(bad_file(path))?)
}

/// Takes the entries called `name` out of the kubeconfig `path` again.
pub fn uninstall(name: &str, path: &Path) -> Result<bool, Error> {
    let Some(old) = files::read(path)? else { return Ok(false) };
    replace(path, &old, &merge::remove(&old, name).map_err(bad_file(path))?)
}

/// The kubeconfig that the user's tools write: the first of `KUBECONFIG`, else `~/.kube/config`.
/// The environment is the caller's to read.
pub fn user_path(kubeconfig: Option<&std::ffi::OsStr>, home: Option<&Path>) -> Option<PathBuf> {
    let named = kubeconfig.and_then(|paths| std::env::split_paths(paths).find(|path| !path.as_os_str().is_empty()));
    named.or_else(|| home.map(|home| home.join(".kube/config")))
}

fn bad_file(path: &Path) -> impl FnOnce(String) -> Error {
    let path = path.to_owned();
    move |detail| Error::BadFile { path, detail }
}

fn replace(path: &Path, old: &str, new: &str) -> Result<bool, Error> {
    if old == new {
        return Ok(false);
    }
    // A link stays a link: what it points at is replaced.
    let path = &match std::fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(Error::file("find", path)(error)),
    };
    let parent = path.parent().unwrap_or(Path::new("/"));
    if !parent.exists() {
        files::make_dir(parent, 0o750)?;
    }
    let found = std::fs::metadata(path).ok();
    let mode = found.as_ref().map_or(0o600, |found| found.permissions().mode() & 0o777);
    files::write(path, new.as_bytes(), mode)?;
    if let Some(found) = found {
        // The mode that the file is made with passes through the umask; and under sudo the file may
        // be another user's.
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).map_err(Error::file("write", path))?;
        std::os::unix::fs::chown(path, Some(found.uid()), Some(found.gid())).map_err(Error::file("write", path))?;
    }
    Ok(true)
}
