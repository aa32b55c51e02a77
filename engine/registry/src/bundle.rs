//! Bundles: a chart, values for it and its images in one OCI layout, for machines without a network.
//!
//! A bundle is a tar archive of an OCI layout, which other programs read too: `index.json` names the images, and the
//! chart as a manifest like those of registries, with the values as one layer more.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::chart::{CHART_TYPE, CONFIG_TYPE, LONGEST_ARCHIVE, metadata_of};
use crate::oci::Reference;
use crate::oci::{Descriptor, INDEX, MANIFEST, Manifest, Registry, Source, digest_of, hex};
use crate::{Error, oci};

/// The type of the layer that holds values.
pub const VALUES_TYPE: &str = "application/vnd.kpkg.values.v1+yaml";
/// The type of a bundle in a registry.
pub const BUNDLE_TYPE: &str = "application/vnd.kpkg.bundle.v1+tar";
/// The type of its configuration there: the chart's `Chart.yaml` as JSON.
const BUNDLE_CONFIG_TYPE: &str = "application/vnd.kpkg.bundle.config.v1+json";
const LONGEST_DOCUMENT: u64 = 4 << 20;
/// Marks the chart among the manifests of the index.
const CHART_NOTE: &str = "dev.kpkg.bundle.chart";
const BLOBS: &str = "blobs/sha256/";

/// What a bundle holds besides images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The chart's archive.
    pub archive: Vec<u8>,
    /// Values, as YAML.
    pub values: String,
    /// The names of the images.
    pub images: Vec<String>,
}

/// Writes a bundle. `images` is an OCI layout with the images, as `kpkg image save` makes it; the same parts make
/// the same bytes.
pub fn write(path: &Path, archive: &[u8], values: &str, images: Option<&Path>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".kpkg-")
        .tempfile_in(folder)
        .map_err(oci::Error::file("write into", folder))?;
    let failed = || oci::Error::file("write", path);
    let mut out = tar::Builder::new(BufWriter::new(file));
    let metadata = metadata_of(archive, "the bundle's chart")?;
    let config = serde_json::to_vec(&metadata).unwrap_or_default();
    let parts = [(CONFIG_TYPE, &config[..]), (CHART_TYPE, archive), (VALUES_TYPE, values.as_bytes())];
    let mut descriptors: Vec<Descriptor> = parts.iter().map(|(kind, bytes)| Descriptor::of(kind, bytes)).collect();
    let manifest = Manifest::new(descriptors.remove(0), descriptors, BTreeMap::new()).to_bytes();
    let named = format!("{}:{}", metadata.name, metadata.version);
    let chart = Descriptor::of(MANIFEST, &manifest).annotated(CHART_NOTE, &named);
    append(&mut out, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).map_err(failed())?;
    for bytes in [&manifest[..]].into_iter().chain(parts.iter().map(|(_, bytes)| *bytes)) {
        append(&mut out, &blob_name(&digest_of(bytes)), bytes).map_err(failed())?;
    }
    let mut index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
    if let Some(images) = images {
        index = copy_layout(images, &mut out)?.unwrap_or(index);
    }
    let manifests = index["manifests"].as_array_mut();
    let wrong =
        || oci::Error::Document { what: "the images".to_owned(), problem: "their index lists no manifests".to_owned() };
    manifests.ok_or_else(wrong)?.insert(0, serde_json::to_value(chart).unwrap_or_default());
    append(&mut out, "index.json", index.to_string().as_bytes()).map_err(failed())?;
    let file = out.into_inner().and_then(|buffered| buffered.into_inner().map_err(io::IntoInnerError::into_error));
    let file = file.map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(failed())?;
    file.persist(path).map_err(|error| oci::Error::file("write", path)(error.error))?;
    Ok(())
}

/// Copies the blobs of a layout; answers its index.
fn copy_layout(images: &Path, out: &mut tar::Builder<impl Write>) -> Result<Option<Value>, Error> {
    let failed = || oci::Error::file("read", images);
    let mut input = tar::Archive::new(BufReader::new(File::open(images).map_err(failed())?));
    let mut index = None;
    for entry in input.entries().map_err(failed())? {
        let mut entry = entry.map_err(failed())?;
        let name = entry.path().map_err(failed())?.display().to_string();
        if name == "index.json" {
            let mut bytes = Vec::new();
            entry.by_ref().take(LONGEST_DOCUMENT).read_to_end(&mut bytes).map_err(failed())?;
            index = serde_json::from_slice(&bytes).ok();
        } else if name.starts_with(BLOBS) {
            let mut header = header(entry.size());
            out.append_data(&mut header, &name, &mut entry).map_err(failed())?;
        }
    }
    Ok(index)
}

fn blob_name(digest: &str) -> String {
    format!("{BLOBS}{}", digest.trim_start_matches("sha256:"))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(kpkg_chart::package::DEFAULT_TIME);
    header
}

fn append(out: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    out.append_data(&mut header(bytes.len() as u64), name, bytes)
}

/// Reads a bundle's chart and values; digests are checked, and nothing is unpacked.
pub fn read(path: &Path) -> Result<Bundle, Error> {
    let failed = || oci::Error::file("read", path);
    let wrong = |problem: &str| oci::Error::Document { what: path.display().to_string(), problem: problem.to_owned() };
    let mut input = tar::Archive::new(BufReader::new(File::open(path).map_err(failed())?));
    let mut blobs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut index: Option<Value> = None;
    let mut kept = 0;
    for entry in input.entries().map_err(|_| wrong("it is not a bundle"))? {
        let mut entry = entry.map_err(|_| wrong("it is not a bundle, or cut off"))?;
        let name = entry.path().map_err(failed())?.display().to_string();
        // The chart's parts come before the images', so the budget is theirs.
        let wanted = name == "index.json" || name.starts_with(BLOBS) && kept + entry.size() <= LONGEST_ARCHIVE;
        if !wanted || entry.size() > LONGEST_ARCHIVE {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|_| wrong("it is cut off"))?;
        if name == "index.json" {
            index = serde_json::from_slice(&bytes).ok();
        } else {
            kept += bytes.len() as u64;
            blobs.insert(name, bytes);
        }
    }
    let index = index.ok_or_else(|| wrong("it has no index.json: it is not a bundle, or cut off"))?;
    let blob = |descriptor: &Descriptor| -> Result<&[u8], Error> {
        let bytes = blobs.get(&blob_name(&descriptor.digest)).ok_or_else(|| wrong("a part of its chart is missing"))?;
        let found = digest_of(bytes);
        if found == descriptor.digest {
            Ok(bytes)
        } else {
            let what = format!("a part of {}", path.display());
            Err(oci::Error::Digest { what, found, expected: descriptor.digest.clone() }.into())
        }
    };
    let listed: Vec<Descriptor> =
        serde_json::from_value(index["manifests"].clone()).map_err(|_| wrong("its index is damaged"))?;
    let chart = listed.iter().find(|it| it.annotations.contains_key(CHART_NOTE));
    let chart = chart.ok_or_else(|| wrong("it holds no chart: it is not a bundle"))?;
    let manifest = Manifest::parse(&path.display().to_string(), blob(chart)?)?;
    let layer = manifest.layer(&[CHART_TYPE]).ok_or_else(|| wrong("it holds no chart: it is not a bundle"))?;
    let values = manifest.layer(&[VALUES_TYPE]).map(&blob).transpose()?.unwrap_or_default();
    let values = String::from_utf8(values.to_vec()).map_err(|_| wrong("its values are not UTF-8"))?;
    let name = |it: &Descriptor| it.annotations.get("io.containerd.image.name").cloned();
    Ok(Bundle { archive: blob(layer)?.to_vec(), values, images: listed.iter().filter_map(name).collect() })
}

/// Pushes a bundle under a tag; answers the digest of its manifest. Large ones go up in chunks.
pub async fn push(registry: &Registry, reference: &Reference, path: &Path) -> Result<String, Error> {
    let bundle = read(path)?;
    let metadata = metadata_of(&bundle.archive, "the bundle's chart")?;
    let file = File::open(path).map_err(oci::Error::file("open", path))?;
    let mut hash = Sha256::new();
    let size = io::copy(&mut BufReader::new(&file), &mut hash).map_err(oci::Error::file("read", path))?;
    let digest = format!("sha256:{}", hex(&hash.finalize()));
    let layer = Descriptor::new(BUNDLE_TYPE, digest, size);
    let config = serde_json::to_vec(&metadata).unwrap_or_default();
    let described = Descriptor::of(BUNDLE_CONFIG_TYPE, &config);
    let repository = &reference.repository;
    registry.put_blob(repository, &layer, &Source::File { file: &file, path, offset: 0 }).await?;
    registry.put_blob(repository, &described, &Source::Bytes(config.into())).await?;
    let manifest = Manifest::new(described, vec![layer], BTreeMap::new()).to_bytes();
    Ok(registry.put_manifest(repository, reference.wanted(), MANIFEST, manifest).await?)
}

/// Fetches a bundle into a file, whole or not at all; answers the digest of its manifest.
pub async fn pull(registry: &Registry, reference: &Reference, path: &Path) -> Result<String, Error> {
    let (bytes, digest) = registry.manifest(reference).await?;
    let manifest = Manifest::parse(&format!("the manifest of {reference}"), &bytes)?;
    let layer = manifest.layer(&[BUNDLE_TYPE]).ok_or_else(|| oci::Error::Document {
        what: reference.to_string(),
        problem: format!("it is not a bundle but of type {}", manifest.config.media_type),
    })?;
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".kpkg-").tempfile_in(folder);
    let file = file.map_err(oci::Error::file("write into", folder))?;
    let file = registry.blob(&reference.repository, layer, file, &|_| ()).await?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(oci::Error::file("write", path))?;
    file.persist(path).map_err(|error| oci::Error::file("write", path)(error.error))?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kpkg_chart::{load_files, package};

    #[test]
    fn what_is_written_is_read_and_damage_is_found() {
        let chart =
            load_files(vec![kpkg_chart::File::new("Chart.yaml", *b"apiVersion: v2\nname: a\nversion: 1.0.0\n")])
                .unwrap();
        let archive = package::package(&chart, &package::Settings::default()).unwrap().bytes;
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("a.kpkg"), dir.path().join("b.kpkg"));
        write(&one, &archive, "a: 1\n", None).unwrap();
        write(&two, &archive, "a: 1\n", None).unwrap();
        let bytes = std::fs::read(&one).unwrap();
        assert_eq!(bytes, std::fs::read(&two).unwrap());
        assert_eq!(read(&one).unwrap(), Bundle { archive, values: "a: 1\n".into(), images: Vec::new() });
        let at = bytes.windows(5).position(|window| window == b"a: 1\n").unwrap();
        let mut changed = bytes.clone();
        changed[at + 3] = b'2';
        for bad in [changed, bytes[..bytes.len() / 2].to_vec(), b"nonsense".to_vec(), Vec::new()] {
            std::fs::write(&two, bad).unwrap();
            assert!(read(&two).is_err());
        }
    }
}
