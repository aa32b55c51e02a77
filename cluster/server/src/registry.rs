//! Which clusters this machine has, so that a new one keeps clear of them.
//!
//! Each cluster notes itself in [`DIR`], which is empty after a boot; clusters in the usual place
//! are found there as well.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kpkg_network::IpNet;

use crate::{Error, Layout, Settings, files};

/// Notes of started clusters: a symbolic link to the data directory each, named as the cluster.
const DIR: &str = "/run/kpkg/clusters";

/// Data directories of clusters that name none.
const HOME: &str = "/var/lib/kpkg";

/// A cluster on this machine.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) pod_cidr: IpNet,
    pub(crate) service_cidr: IpNet,
    pub(crate) api_port: u16,
}

/// Every cluster that is known.
pub(crate) fn list() -> Result<Vec<Entry>, Error> {
    let noted = entries(Path::new(DIR))?.into_iter().filter_map(|path| fs::read_link(path).ok());
    let mut entries: Vec<_> = noted.chain(entries(Path::new(HOME))?).filter_map(|dir| entry(&dir)).collect();
    entries.sort_by(|a, b| a.data_dir.cmp(&b.data_dir));
    entries.dedup_by(|a, b| a.data_dir == b.data_dir);
    Ok(entries)
}

/// The cluster of that name.
pub(crate) fn find(name: &str) -> Result<Option<Entry>, Error> {
    Ok(list()?.into_iter().find(|entry| entry.name == name))
}

/// Notes a cluster.
pub(crate) fn add(layout: &Layout, settings: &Settings) -> Result<(), Error> {
    let path = Path::new(DIR).join(&settings.name);
    files::make_dir(Path::new(DIR), 0o755)?;
    files::remove(&path)?;
    std::os::unix::fs::symlink(layout.root(), &path).map_err(Error::file("create", &path))
}

/// Forgets the cluster `name` if it is the one in `layout`.
pub(crate) fn remove(layout: &Layout, name: &str) -> Result<(), Error> {
    let path = Path::new(DIR).join(name);
    if fs::read_link(&path).is_ok_and(|dir| dir == layout.root()) {
        files::remove(&path)?;
    }
    // Only if these were the last ones.
    let _ = fs::remove_dir(DIR);
    let _ = fs::remove_dir("/run/kpkg");
    Ok(())
}

fn entry(data_dir: &Path) -> Option<Entry> {
    let layout = Layout::new("", Some(data_dir)).ok()?;
    let settings = Settings::load(&layout).ok()??;
    Some(Entry {
        name: settings.name,
        data_dir: data_dir.to_owned(),
        pod_cidr: settings.pod_cidr,
        service_cidr: settings.service_cidr,
        api_port: settings.api_port,
    })
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::file("read", dir)(error)),
    }
}
