//! `index.yaml` for a folder of archives, the same for the same archives.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::chart::{metadata_of, time_of};
use crate::oci::digest_of;
use crate::{Error, oci};
use kpkg_template::semver::Version;

/// How deep below the folder archives are looked for, as Helm does.
const DEPTH: usize = 1;

/// An index of all archives in a folder and in the folders in it; `base` goes before their names.
pub fn generate(folder: &Path, base: &str) -> Result<Value, Error> {
    let mut entries: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut newest = String::new();
    for relative in archives(folder, "", DEPTH)? {
        let path = folder.join(&relative);
        let bytes = std::fs::read(&path).map_err(oci::Error::file("read", &path))?;
        let metadata = match metadata_of(&bytes, &relative) {
            Ok(metadata) => metadata,
            Err(error) => {
                tracing::warn!(archive = relative, error = oci::transport::chain(&error), "left out of the index");
                continue;
            }
        };
        let created = time_of(&bytes).unwrap_or_else(|| "1980-01-01T00:00:00Z".to_owned());
        if created > newest {
            newest.clone_from(&created);
        }
        let place = if base.is_empty() { relative } else { format!("{}/{relative}", base.trim_end_matches('/')) };
        let name = metadata.name.clone();
        let mut entry = serde_json::to_value(&metadata).unwrap_or_default();
        entry["created"] = created.into();
        entry["digest"] = digest_of(&bytes).trim_start_matches("sha256:").into();
        entry["urls"] = json!([place]);
        entries.entry(name).or_default().push(entry);
    }
    if newest.is_empty() {
        "1980-01-01T00:00:00Z".clone_into(&mut newest);
    }
    let mut index = json!({ "apiVersion": "v1", "entries": entries, "generated": newest });
    sort(&mut index);
    Ok(index)
}

/// Adds what another index holds and this one does not.
pub fn merge(index: &mut Value, other: &Path) -> Result<(), Error> {
    let bytes = match std::fs::read(other) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(oci::Error::file("read", other)(error).into()),
    };
    let wrong = |problem: String| oci::Error::Document { what: other.display().to_string(), problem };
    let old = kpkg_yaml::read_bytes(&bytes).map_err(|error| wrong(error.to_string()))?.to_json();
    for (name, versions) in old["entries"].as_object().into_iter().flatten() {
        for version in versions.as_array().into_iter().flatten() {
            let known = index["entries"][name].as_array();
            if known.is_none_or(|known| known.iter().all(|entry| entry["version"] != version["version"])) {
                let list = &mut index["entries"][name];
                match list.as_array_mut() {
                    Some(list) => list.push(version.clone()),
                    None => *list = json!([version]),
                }
            }
        }
    }
    sort(index);
    Ok(())
}

fn sort(index: &mut Value) {
    let lists = index["entries"].as_object_mut().into_iter().flatten();
    for list in lists.filter_map(|(_, list)| list.as_array_mut()) {
        let version = |entry: &Value| Version::parse(entry["version"].as_str().unwrap_or_default()).ok();
        list.sort_by(|one, other| match (version(one), version(other)) {
            (Some(one), Some(other)) => other.compare(&one),
            (one, other) => other.is_some().cmp(&one.is_some()),
        });
    }
}

fn archives(folder: &Path, prefix: &str, depth: usize) -> Result<Vec<String>, Error> {
    let here = folder.join(prefix);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&here).map_err(oci::Error::file("list", &here))? {
        let entry = entry.map_err(oci::Error::file("list", &here))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        if entry.path().is_dir() && depth > 0 {
            found.extend(archives(folder, &relative, depth - 1)?);
        } else if relative.ends_with(".tgz") {
            found.push(relative);
        }
    }
    found.sort_unstable();
    Ok(found)
}
