//! Which clusters this machine has, so that a new one keeps clear of them.
//!
//! Each cluster notes itself in [`DIR`], which is empty after a boot; clusters in the usual place
//! are found there as well. A note outlives a data directory that somebody removed by hand, so that
//! what runs of such a cluster can still be found and deleted.

use std::{
    fs::{self, File},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Error, Layout, Settings, files};

/// Notes of started clusters: a file each, named as the cluster.
const DIR: &str = "/run/kpkg/clusters";

/// Held by who chooses what no other cluster has; there only while somebody does.
const LOCK: &str = "/run/kpkg-choosing.lock";

/// Data directories of clusters that name none.
const HOME: &str = "/var/lib/kpkg";

/// A cluster on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) data_dir: PathBuf,
    pub(crate) settings: Settings,
}

/// The right to choose what no other cluster has, until it is dropped.
#[derive(Debug)]
pub(crate) struct Choosing {
    /// Closing it lets the next one in.
    _file: File,
}

impl Choosing {
    /// Waits for the right: what one chooses is noted before another looks.
    pub(crate) fn begin() -> Result<Self, Error> {
        let path = Path::new(LOCK);
        loop {
            let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
            let file = file.map_err(Error::file("open", path))?;
            file.lock().map_err(Error::file("lock", path))?;
            // Who had it before took the file away: it counts only if it is still the one that others find.
            let mine = file.metadata().map_err(Error::file("read", path))?.ino();
            if fs::metadata(path).is_ok_and(|found| found.ino() == mine) {
                return Ok(Self { _file: file });
            }
        }
    }
}

impl Drop for Choosing {
    fn drop(&mut self) {
        let _ = fs::remove_file(LOCK);
    }
}

/// Every cluster that is known.
pub(crate) fn list() -> Result<Vec<Entry>, Error> {
    let noted = entries(Path::new(DIR))?.into_iter().filter_map(|path| note(&path));
    let homes = entries(Path::new(HOME))?.into_iter().filter_map(|dir| home(&dir));
    let mut entries: Vec<_> = noted.chain(homes).collect();
    entries.sort_by(|a, b| a.data_dir.cmp(&b.data_dir));
    entries.dedup_by(|a, b| a.data_dir == b.data_dir);
    Ok(entries)
}

/// The cluster of that name.
pub(crate) fn find(name: &str) -> Result<Option<Entry>, Error> {
    Ok(list()?.into_iter().find(|entry| entry.settings.name == name))
}

/// Notes a cluster.
pub(crate) fn add(layout: &Layout, settings: &Settings) -> Result<(), Error> {
    let entry = Entry { data_dir: layout.root().to_owned(), settings: settings.clone() };
    let text = serde_json::to_vec_pretty(&entry).expect("settings are plain data");
    files::make_dir(Path::new(DIR), 0o755)?;
    files::write(&Path::new(DIR).join(&settings.name), &text, 0o644)
}

/// Forgets the cluster `name` if it is the one in `layout`.
pub(crate) fn remove(layout: &Layout, name: &str) -> Result<(), Error> {
    let path = Path::new(DIR).join(name);
    if note(&path).is_some_and(|entry| entry.data_dir == layout.root()) {
        files::remove(&path)?;
    }
    // Only if these were the last ones.
    let _ = fs::remove_dir(DIR);
    let _ = fs::remove_dir("/run/kpkg");
    Ok(())
}

fn note(path: &Path) -> Option<Entry> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn home(data_dir: &Path) -> Option<Entry> {
    let settings = Settings::load(&Layout::new("", Some(data_dir)).ok()?).ok()??;
    Some(Entry { data_dir: data_dir.to_owned(), settings })
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    match fs::read_dir(dir) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::file("read", dir)(error)),
    }
}
