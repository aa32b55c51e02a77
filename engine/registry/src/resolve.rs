//! From a reference to a chart's archive, whichever way it has to come.

use url::Url;

use crate::chart::{self, Fetched, tag_of, version_of};
use crate::client::Client;
use crate::error::Error;
use crate::oci::Reference;
use crate::repository::{Repository, find, index};
use crate::{oci, version};

/// Which chart is wanted, beyond its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A version or a range; empty for the newest.
    pub version: String,
    /// Whether pre-releases count as newest.
    pub devel: bool,
    /// The URL of a repository that is not in the list.
    pub repository: Option<String>,
    /// Whether to bring the provenance file too.
    pub provenance: bool,
    /// Whether a repository's login goes to other hosts that its index names.
    pub pass_credentials: bool,
}

/// Fetches a chart: `oci://...`, `REPOSITORY/NAME`, `NAME` of [`Wanted::repository`], or the URL of an archive.
pub async fn resolve(client: &Client, reference: &str, wanted: &Wanted) -> Result<Fetched, Error> {
    if Reference::is_one(reference) {
        return from_registry(client, reference, wanted).await;
    }
    if let Some(url) = &wanted.repository {
        let repository = Repository::unnamed(url, client.login.as_ref())?;
        return from_repository(client, &repository, reference, wanted).await;
    }
    if reference.starts_with("http://") || reference.starts_with("https://") {
        return from_url(client, reference, wanted).await;
    }
    match reference.split_once('/') {
        Some((repository, name)) if !repository.is_empty() && !name.is_empty() => {
            let repository = find(&client.repositories, repository)?;
            from_repository(client, &repository, name, wanted).await
        }
        _ => Err(oci::Error::Reference {
            reference: reference.to_owned(),
            problem: "it is neither a chart here, nor `oci://...`, nor `REPOSITORY/NAME`",
        }
        .into()),
    }
}

async fn from_registry(client: &Client, text: &str, wanted: &Wanted) -> Result<Fetched, Error> {
    let mut reference: Reference = text.parse()?;
    let registry = client.registry(&reference.host).await?;
    let asked = reference.tag.is_some() || reference.digest.is_some();
    if asked && !wanted.version.is_empty() && reference.tag.as_deref() != Some(&tag_of(&wanted.version)) {
        return Err(oci::Error::Reference {
            reference: text.to_owned(),
            problem: "it names a version already; leave --version out",
        }
        .into());
    }
    if !asked {
        reference.tag = Some(if version::is_exact(&wanted.version) {
            tag_of(&wanted.version)
        } else {
            let tags = registry.tags(&reference.repository).await?;
            let versions: Vec<String> = tags.iter().map(|tag| version_of(tag)).collect();
            let known = versions.iter().map(String::as_str);
            tag_of(version::choose(&format!("oci://{reference}"), &wanted.version, wanted.devel, known)?)
        });
    }
    let fetched = chart::pull(&registry, &client.cache, &reference, wanted.provenance).await?;
    if fetched.name != reference.name() {
        tracing::warn!(name = fetched.name, %reference, "the chart has another name than its repository");
    }
    Ok(fetched)
}

async fn from_repository(
    client: &Client,
    repository: &Repository,
    name: &str,
    wanted: &Wanted,
) -> Result<Fetched, Error> {
    let repository =
        Repository { pass_credentials: repository.pass_credentials || wanted.pass_credentials, ..repository.clone() };
    let index = index(client, &repository, false).await?;
    let versions = index.of(name);
    if versions.is_empty() {
        return Err(oci::Error::NotFound { what: format!("chart `{name}` in {}", repository.shown()) }.into());
    }
    let what = format!("chart `{name}` in {}", repository.shown());
    let known = versions.iter().map(|entry| entry.version.as_str());
    let chosen = version::choose(&what, &wanted.version, wanted.devel, known)?.to_owned();
    let entry = versions.iter().find(|entry| entry.version == chosen).ok_or(oci::Error::NotFound { what })?;
    repository.fetch(client, entry, wanted.provenance).await
}

/// A document by its URL, such as a file of values, and where it came from without a login that the URL holds.
pub async fn document(client: &Client, text: &str, limit: u64) -> Result<(Vec<u8>, String), Error> {
    let url = parsed(text)?;
    let bytes = Repository::unnamed(text, client.login.as_ref())?.get(client, &url, limit).await?;
    Ok((bytes, oci::transport::shown(&url)))
}

fn parsed(text: &str) -> Result<Url, Error> {
    let problem = "it is not a URL";
    Ok(Url::parse(text).map_err(|_| oci::Error::Reference { reference: "the URL".to_owned(), problem })?)
}

async fn from_url(client: &Client, text: &str, wanted: &Wanted) -> Result<Fetched, Error> {
    let url = parsed(text)?;
    let repository = Repository::unnamed(text, client.login.as_ref())?;
    let (archive, digest) = repository.archive(client, &url, None).await?;
    let mut fetched = Fetched::of(archive, digest, oci::transport::shown(&url))?;
    if wanted.provenance {
        fetched.provenance = repository.provenance(client, &url).await?;
    }
    Ok(fetched)
}
