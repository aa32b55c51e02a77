//! Charts in registries, as Helm keeps them: one layer for the archive, one for its provenance.

use std::collections::BTreeMap;

use bytes::Bytes;
use kpkg_chart::{Chart, File, LoadError, Metadata, unpack};

use crate::archive::Archive;
use crate::cache::Cache;
use crate::oci::Reference;
use crate::oci::{Descriptor, MANIFEST, Manifest, Registry, Source};
use crate::{Error, oci};

/// The type of the configuration: `Chart.yaml` as JSON.
pub const CONFIG_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
/// The type of a chart's archive.
pub const CHART_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The type of the archive before Helm 3.7.
const OLD_CHART_TYPE: &str = "application/tar+gzip";
/// The type of a provenance file.
pub const PROVENANCE_TYPE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
/// The largest archive; what it unpacks to is bounded besides.
pub(crate) const LONGEST_ARCHIVE: u64 = 128 << 20;
pub(crate) const LONGEST_PROVENANCE: u64 = 4 << 20;

/// A chart that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Where it is.
    pub reference: Reference,
    /// The digest of its manifest.
    pub digest: String,
}

/// A chart's archive, and how it came here.
#[derive(Debug)]
pub struct Fetched {
    /// The chart's name.
    pub name: String,
    /// The chart's version.
    pub version: String,
    /// The archive. Its digest was checked; what is in it is looked at by who uses it.
    pub archive: Archive,
    /// The archive's digest.
    pub archive_digest: String,
    /// The provenance file, if it was asked for and there is one.
    pub provenance: Option<Vec<u8>>,
    /// Where it came from.
    pub source: String,
    /// The digest of the manifest, where it came from a registry.
    pub manifest_digest: Option<String>,
}

impl Fetched {
    /// `NAME-VERSION.tgz`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.tgz", self.name, self.version)
    }

    /// Makes one of an archive whose digest was checked; its own `Chart.yaml` says what it is.
    pub(crate) fn of(archive: Archive, archive_digest: String, source: String) -> Result<Self, Error> {
        let metadata = archive.read(|bytes| kpkg_chart::archived_metadata(bytes)).and_then(checked);
        let metadata = metadata.map_err(|error| Error::Chart { reference: source.clone(), source: error })?;
        let (name, version) = (metadata.name, metadata.version);
        Ok(Self { name, version, archive, archive_digest, provenance: None, source, manifest_digest: None })
    }

    /// The files of the chart.
    pub fn files(&self) -> Result<Vec<File>, Error> {
        unpack(&self.archive.bytes()?).map_err(|source| Error::Chart { reference: self.source.clone(), source })
    }

    /// The chart.
    pub fn load(&self) -> Result<Chart, Error> {
        kpkg_chart::load_files(self.files()?).map_err(|source| Error::Chart { reference: self.source.clone(), source })
    }
}

/// What an archive says of itself. The whole of it is unpacked, within bounds: a bad archive is found here.
pub fn metadata_of(archive: &[u8], source: &str) -> Result<Metadata, Error> {
    let read = || {
        let files = unpack(archive)?.into_iter().filter(|file| !file.name.starts_with("charts/"));
        checked(kpkg_chart::load_files(files.collect())?.metadata)
    };
    read().map_err(|error| Error::Chart { reference: source.to_owned(), source: error })
}

/// Name and version make the name of a file.
fn checked(metadata: Metadata) -> Result<Metadata, LoadError> {
    kpkg_chart::package::check_name(&metadata.name)?;
    if metadata.version.contains(['/', '\\']) {
        return Err(LoadError::Invalid("validation: chart.metadata.version is invalid".to_owned()));
    }
    Ok(metadata)
}

/// A version as a tag: registries know no `+`.
pub fn tag_of(version: &str) -> String {
    version.replace('+', "_")
}

/// A tag as a version.
pub fn version_of(tag: &str) -> String {
    tag.replace('_', "+")
}

/// Pushes an archive below `parent`, under its own name and version.
pub async fn push(
    registry: &Registry,
    parent: &Reference,
    archive: Vec<u8>,
    provenance: Option<Vec<u8>>,
) -> Result<Pushed, Error> {
    if parent.tag.is_some() || parent.digest.is_some() {
        return Err(oci::Error::Reference {
            reference: format!("oci://{parent}"),
            problem: "a chart is pushed under its own name and version; give the place alone",
        }
        .into());
    }
    let metadata = metadata_of(&archive, "the archive")?;
    let reference = parent.join(&metadata.name, &tag_of(&metadata.version))?;
    let annotations = annotations(&metadata, time_of(&archive));
    let config = serde_json::to_vec(&metadata).unwrap_or_default();
    let mut parts = vec![(CONFIG_TYPE, Bytes::from(config)), (CHART_TYPE, Bytes::from(archive))];
    parts.extend(provenance.map(|bytes| (PROVENANCE_TYPE, Bytes::from(bytes))));
    let mut descriptors = Vec::new();
    for (media_type, bytes) in parts {
        let descriptor = Descriptor::of(media_type, &bytes);
        registry.put_blob(&reference.repository, &descriptor, &Source::Bytes(bytes)).await?;
        descriptors.push(descriptor);
    }
    let config = descriptors.remove(0);
    let manifest = Manifest::new(config, descriptors, annotations).to_bytes();
    let digest = registry.put_manifest(&reference.repository, reference.wanted(), MANIFEST, manifest).await?;
    Ok(Pushed { reference, digest })
}

/// Fetches a chart; what the cache holds is not fetched again.
pub async fn pull(
    registry: &Registry,
    cache: &Cache,
    reference: &Reference,
    provenance: bool,
) -> Result<Fetched, Error> {
    let (bytes, digest) = registry.manifest(reference).await?;
    // From here on everything is named by digest: a tag that moves meanwhile changes nothing.
    let what = format!("the manifest of {reference}");
    let manifest = Manifest::parse(&what, &bytes)?;
    let Some(layer) =
        manifest.layer(&[CHART_TYPE, OLD_CHART_TYPE]).filter(|_| manifest.config.media_type == CONFIG_TYPE)
    else {
        let media_type = manifest.config.media_type;
        return Err(Error::NotAChart { reference: reference.to_string(), media_type });
    };
    let archive = blob(registry, cache, reference, layer, LONGEST_ARCHIVE).await?;
    let mut fetched = Fetched::of(archive, layer.digest.clone(), format!("oci://{reference}"))?;
    fetched.manifest_digest = Some(digest);
    if provenance && let Some(layer) = manifest.layer(&[PROVENANCE_TYPE]) {
        let provenance = blob(registry, cache, reference, layer, LONGEST_PROVENANCE).await?;
        fetched.provenance = Some(provenance.into_bytes()?);
    }
    Ok(fetched)
}

async fn blob(
    registry: &Registry,
    cache: &Cache,
    reference: &Reference,
    wanted: &Descriptor,
    limit: u64,
) -> Result<Archive, Error> {
    if let Some(archive) = cache.open(&wanted.digest) {
        return if archive.size() == wanted.size {
            Ok(archive)
        } else {
            let what = format!("a layer of {reference}");
            Err(oci::Error::Document { what, problem: format!("its size is {}, not {}", archive.size(), wanted.size) }
                .into())
        };
    }
    if wanted.size > limit {
        let what = format!("{}@{}", reference.place(), wanted.digest);
        return Err(oci::Error::TooLarge { what, limit }.into());
    }
    let through = async {
        let incoming = registry.blob(&reference.repository, wanted, cache.incoming()?, &|_| ()).await?;
        cache.keep(incoming, &wanted.digest)
    };
    match through.await {
        Err(error) if error.is_of_cache() => {
            unused(&error);
            Ok(registry.blob_bytes(&reference.repository, wanted, limit).await?.into())
        }
        outcome => outcome,
    }
}

/// A cache that is full or may not be written costs time, not the command.
pub(crate) fn unused(error: &Error) {
    tracing::warn!(error = oci::transport::chain(error), "the cache was not used");
}

/// The time of the archive's first file: pushing the same archive twice makes the same manifest.
pub(crate) fn time_of(archive: &[u8]) -> Option<String> {
    let unzipped = flate2::read::MultiGzDecoder::new(archive);
    let mut tar = tar::Archive::new(unzipped);
    let first = tar.entries().ok()?.next()?.ok()?;
    let time = i64::try_from(first.header().mtime().ok()?).ok()?;
    Some(jiff::Timestamp::from_second(time).ok()?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// What Helm notes on a chart's manifest.
fn annotations(metadata: &Metadata, created: Option<String>) -> BTreeMap<String, String> {
    let authors: Vec<String> = metadata
        .maintainers
        .iter()
        .map(|it| if it.email.is_empty() { it.name.clone() } else { format!("{} ({})", it.name, it.email) })
        .collect();
    let own = [
        ("description", metadata.description.clone()),
        ("title", metadata.name.clone()),
        ("version", metadata.version.clone()),
        ("url", metadata.home.clone()),
        ("created", created.unwrap_or_default()),
        ("source", metadata.sources.first().cloned().unwrap_or_default()),
        ("authors", authors.join(", ")),
    ];
    let mut all: BTreeMap<String, String> = own
        .into_iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(key, value)| (format!("org.opencontainers.image.{key}"), value))
        .collect();
    for (key, value) in &metadata.annotations {
        if !matches!(key.as_str(), "org.opencontainers.image.version" | "org.opencontainers.image.title") {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}
