//! Where a cluster keeps its things.
//!
//! | path in the data directory | what |
//! |---|---|
//! | `version` | version of this layout, a number |
//! | `settings.json` | what was chosen at the first start |
//! | `server.lock` | held by the server, whose process number is in it |
//! | `server.log` | what a detached server says |
//! | `kubeconfig` | access for the administrator, mode 0600 |
//! | `pki/` | the certificate authority and what it signed |
//! | `store/` | the objects |
//! | `runtime/` | images, sandboxes, containers |
//! | `kubelet/` | pods' volumes and logs |
//! | `network/` | leased pod addresses, pinned namespaces |
//! | `volumes/` | persistent volumes made for claims |

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Error, files};

/// The layout this program writes, and the newest it knows.
const VERSION: u32 = 1;

/// The data directory of clusters that name none, each in a directory of its name.
const HOME: &str = "/var/lib/kpkg";

/// The data directory of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the cluster `name`, in `data_dir` if that is given.
    pub fn new(name: &str, data_dir: Option<&Path>) -> Result<Self, Error> {
        let root = match data_dir {
            Some(dir) => std::path::absolute(dir).map_err(Error::file("find", dir))?,
            None => Path::new(HOME).join(name),
        };
        Ok(Self { root })
    }

    /// The data directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Access for the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// What a detached server says.
    pub fn log(&self) -> PathBuf {
        self.root.join("server.log")
    }

    /// Images, sandboxes and containers.
    pub fn runtime(&self) -> PathBuf {
        self.root.join("runtime")
    }

    pub(crate) fn version(&self) -> PathBuf {
        self.root.join("version")
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("settings.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("server.lock")
    }

    pub(crate) fn pki(&self) -> PathBuf {
        self.root.join("pki")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    pub(crate) fn runtime_state(&self) -> PathBuf {
        self.root.join("runtime/state")
    }

    pub(crate) fn kubelet(&self) -> PathBuf {
        self.root.join("kubelet")
    }

    pub(crate) fn network(&self) -> PathBuf {
        self.root.join("network")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// Whether a cluster of ours was made here, perhaps only half.
    pub(crate) fn exists(&self) -> bool {
        self.version().exists()
    }

    /// Refuses a directory of a newer version, and one that holds something else.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Some(text) = files::read(&self.version())? else {
            return if self.is_free()? { Ok(()) } else { Err(Error::ForeignDataDir { dir: self.root.clone() }) };
        };
        let found: u32 = text
            .trim()
            .parse()
            .map_err(|_| Error::BadFile { path: self.version(), detail: "it holds no number".to_owned() })?;
        if found > VERSION {
            return Err(Error::NewerDataDir { dir: self.root.clone(), found, supported: VERSION });
        }
        Ok(())
    }

    /// Makes the directory and marks it as ours.
    pub(crate) fn create(&self) -> Result<(), Error> {
        // Others may enter: pods that do not run as root reach their volumes through it.
        files::make_dir(&self.root, 0o711)?;
        if !self.exists() {
            files::write(&self.version(), format!("{VERSION}\n").as_bytes(), 0o644)?;
        }
        Ok(())
    }

    fn is_free(&self) -> Result<bool, Error> {
        match fs::read_dir(&self.root) {
            // Images may have been pulled before the first start.
            Ok(mut entries) => Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "runtime"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(Error::file("read", &self.root)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_or_free_directories_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new("x", Some(&dir.path().join("data"))).unwrap();
        layout.check().unwrap();
        layout.create().unwrap();
        layout.check().unwrap();
        fs::write(layout.version(), "999\n").unwrap();
        assert!(layout.check().unwrap_err().to_string().contains("newer"));
        fs::remove_file(layout.version()).unwrap();
        layout.check().unwrap();
        fs::write(layout.root().join("thesis.doc"), "").unwrap();
        assert!(matches!(layout.check(), Err(Error::ForeignDataDir { .. })));
    }
}
