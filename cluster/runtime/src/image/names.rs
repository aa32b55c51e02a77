//! Which names stand for which manifests: one small file for each name.

use kpkg_oci::digest_of;
use serde::{Deserialize, Serialize};

use super::layout::{Layout, hex_of};
use super::{ImageError, ImageName};
use crate::durable::{self, Durability};

/// A name in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The normalised name.
    pub(super) name: String,
    /// The digest of the manifest for this machine.
    pub(super) manifest: String,
    /// `repository@digest` as the registry knows it, if it came from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
}

impl Layout {
    fn name_path(&self, name: &str) -> Result<std::path::PathBuf, ImageError> {
        let hash = digest_of(name.as_bytes());
        Ok(self.names().join(format!("{}.json", hex_of(&hash)?)))
    }

    /// Gives a name its meaning; answers whether it had another.
    pub(super) fn put_name(
        &self,
        name: &ImageName,
        manifest: &str,
        digest: Option<String>,
    ) -> Result<bool, ImageError> {
        let name = name.to_string();
        let path = self.name_path(&name)?;
        // A damaged record is no meaning; it is replaced, too.
        let before = durable::read_json::<Record>(&path).ok().flatten();
        let record = Record { name, manifest: manifest.to_owned(), digest };
        durable::write_json(&path, &record, Durability::Machine).map_err(ImageError::file("write", path))?;
        Ok(before.is_some_and(|before| before.manifest != record.manifest))
    }

    /// What a name means.
    pub(super) fn get_name(&self, name: &str) -> Result<Option<Record>, ImageError> {
        let path = self.name_path(name)?;
        durable::read_json(&path).map_err(ImageError::file("read", path))
    }

    /// Forgets a name.
    pub(super) fn remove_name(&self, name: &str) -> Result<(), ImageError> {
        let path = self.name_path(name)?;
        std::fs::remove_file(&path).map_err(ImageError::file("remove", path))
    }

    /// All names, in order. A damaged record is skipped with a warning: the other images still work.
    pub(super) fn all_names(&self) -> Result<Vec<Record>, ImageError> {
        let directory = self.names();
        let entries = std::fs::read_dir(&directory).map_err(ImageError::file("read", &directory))?;
        let mut records: Vec<Record> = Vec::new();
        for entry in entries {
            let path = entry.map_err(ImageError::file("read", &directory))?.path();
            if durable::is_temporary(&path) {
                continue;
            }
            match durable::read_json(&path) {
                Ok(record) => records.extend(record),
                Err(error) => tracing::warn!(path = %path.display(), %error, "cannot read the name of an image"),
            }
        }
        records.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(records)
    }
}
