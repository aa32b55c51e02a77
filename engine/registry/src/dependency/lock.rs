//! `Chart.lock`: Helm's document, with the digests of the archives in a block of our own.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use jiff::Timestamp;
use kpkg_chart::{Chart, Dependency, Lock};
use serde_json::{Value, json};

use super::Archive;
use crate::oci::digest_of;
use crate::{Error, oci};

/// The key of our block; Helm reads past it.
const BLOCK: &str = "kpkg";

/// Whether a lock was made for these dependencies.
pub(super) fn fits(wanted: &[Dependency], lock: &Lock) -> bool {
    lock.digest == digest(wanted, &lock.dependencies) || lock.digest == digest_of_helm_2(wanted)
}

/// What Helm calls a lock's digest: of what is asked for and what was chosen, as Go writes JSON.
fn digest(wanted: &[Dependency], locked: &[Dependency]) -> String {
    digest_of(go_json(&json!([wanted, locked].map(ordered))).as_bytes())
}

fn digest_of_helm_2(wanted: &[Dependency]) -> String {
    digest_of(format!("{{\"dependencies\":{}}}", go_json(&json!(ordered(wanted)))).as_bytes())
}

/// Texts of dependencies, with their fields in the order in which Go declares them.
fn ordered(dependencies: &[Dependency]) -> Vec<Value> {
    dependencies.iter().map(|it| Value::String(serde_json::to_string(it).unwrap_or_default())).collect()
}

/// Lists of the texts that [`ordered`] made, as Go's encoder writes them.
fn go_json(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => format!("[{}]", items.iter().map(go_json).collect::<Vec<_>>().join(",")),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // Go escapes what could end a script in a web page.
    text.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn file_name(chart: &Chart) -> &'static str {
    if chart.metadata.api_version == "v1" { "requirements.lock" } else { "Chart.lock" }
}

/// Writes the lock, unless the one that is there says the same.
pub(super) fn write(
    folder: &Path,
    chart: &Chart,
    wanted: &[Dependency],
    locked: &[Dependency],
    archives: &[Archive],
    time: Timestamp,
) -> Result<(), Error> {
    let digest = digest(wanted, locked);
    let pinned: Vec<Value> = archives
        .iter()
        .filter_map(|it| Some(json!({ "name": it.name, "version": it.version, "digest": it.digest.as_ref()? })))
        .collect();
    let known: Vec<Value> = digests(folder, chart)?
        .into_iter()
        .map(|((name, version), digest)| json!({ "name": name, "version": version, "digest": digest }))
        .collect();
    let mut sorted = pinned.clone();
    sorted.sort_by_key(|it| (it["name"].as_str().map(str::to_owned), it["version"].as_str().map(str::to_owned)));
    if chart.lock.as_ref().is_some_and(|lock| lock.digest == digest) && known == sorted {
        return Ok(());
    }
    let dependencies: Vec<Value> = locked
        .iter()
        .map(|it| json!({ "name": it.name, "repository": it.repository, "version": it.version }))
        .collect();
    let document = json!({
        "dependencies": dependencies,
        "digest": digest,
        "generated": time.to_string(),
        BLOCK: { "archives": sorted },
    });
    let path = folder.join(file_name(chart));
    let mut file = tempfile::Builder::new()
        .prefix(".kpkg-")
        .tempfile_in(folder)
        .map_err(oci::Error::file("write into", folder))?;
    file.write_all(kpkg_yaml::write_json(&document).as_bytes()).map_err(oci::Error::file("write", &path))?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(oci::Error::file("write", &path))?;
    // The rename replaces a link and does not follow it (CVE-2025-53547).
    file.persist(&path).map_err(|error| oci::Error::file("write", &path)(error.error))?;
    Ok(())
}

/// The digests that a lock pins, by name and version; none in a lock of Helm's.
pub(super) fn digests(folder: &Path, chart: &Chart) -> Result<BTreeMap<(String, String), String>, Error> {
    let path = folder.join(file_name(chart));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(oci::Error::file("read", path)(error).into()),
    };
    let wrong = |problem: String| oci::Error::Document { what: path.display().to_string(), problem };
    let document = kpkg_yaml::read_bytes(&bytes).map_err(|error| wrong(error.to_string()))?.to_json();
    let mut found = BTreeMap::new();
    for entry in document[BLOCK]["archives"].as_array().into_iter().flatten() {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let (Some(name), Some(version), Some(digest)) = (text("name"), text("version"), text("digest")) else {
            return Err(wrong("an archive lacks a name, version or digest".to_owned()).into());
        };
        oci::checked_digest(&digest).map_err(|problem| wrong(problem.to_owned()))?;
        found.insert((name, version), digest);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_helms() {
        let wanted = Dependency {
            name: "a".into(),
            version: ">=1.0.0 <2".into(),
            repository: "https://x/?a&b".into(),
            alias: "z".into(),
            ..Dependency::default()
        };
        let locked = Dependency {
            name: "a".into(),
            version: "1.2.0".into(),
            repository: "https://x/?a&b".into(),
            ..Dependency::default()
        };
        let text = go_json(&json!([ordered(&[wanted]), ordered(&[locked])]));
        assert_eq!(
            text,
            "[[{\"name\":\"a\",\"version\":\"\\u003e=1.0.0 \\u003c2\",\"repository\":\"https://x/?a\\u0026b\",\"alias\":\"z\"}],\
             [{\"name\":\"a\",\"version\":\"1.2.0\",\"repository\":\"https://x/?a\\u0026b\"}]]"
        );
    }
}
