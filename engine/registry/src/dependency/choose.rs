//! Choosing a version for each dependency: one look at each repository, all of them side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::future::try_join_all;
use kpkg_chart::package::{Settings, package};
use kpkg_chart::{Chart, Dependency};
use kpkg_template::semver::{Range, Version};

use super::Archive;
use crate::chart::{Fetched, metadata_of, tag_of, version_of};
use crate::client::Client;
use crate::oci::Reference;
use crate::oci::digest_of;
use crate::repository::{Entry, Index, Repository, index, list};
use crate::{Error, oci, version};

/// A dependency with the version that was chosen for it.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Where `Chart.yaml` says it is.
    repository: String,
    place: Place,
    /// What the archive must be, where the lock says so.
    digest: Option<String>,
}

#[derive(Debug, Clone)]
enum Place {
    /// In `charts/` already.
    Here,
    Folder(PathBuf),
    Registry(Reference),
    Repository(Box<Repository>, Box<Entry>),
    /// Only the lock's digest is known; the place is looked up if the cache lacks it.
    Cached(Vec<u8>),
}

/// Who asks, for errors.
fn asked(chart: &Chart, dependency: &Dependency) -> String {
    format!("chart `{}`, which `{}` needs from {}", dependency.name, chart.name(), shown(&dependency.repository))
}

fn shown(repository: &str) -> String {
    match url::Url::parse(repository) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => oci::transport::shown(&url),
        _ if repository.is_empty() => "charts/".to_owned(),
        _ => repository.to_owned(),
    }
}

/// Chooses for all.
pub(super) async fn all(
    client: &Client,
    chart: &Chart,
    folder: &Path,
    wanted: &[Dependency],
    refresh: bool,
) -> Result<Vec<Choice>, Error> {
    check_conflicts(chart, wanted)?;
    let indexes = indexes(client, wanted, refresh).await?;
    try_join_all(wanted.iter().map(|dependency| one(client, chart, folder, dependency, &indexes))).await
}

/// Two dependencies of one name and different versions would overwrite each other's archives only if the versions
/// are the same; but one archive cannot be two charts from two places.
fn check_conflicts(chart: &Chart, wanted: &[Dependency]) -> Result<(), Error> {
    for (at, one) in wanted.iter().enumerate() {
        for other in &wanted[at + 1..] {
            if one.name == other.name && one.version == other.version && one.repository != other.repository {
                return Err(oci::Error::Setting(format!(
                    "`{}` asks for chart `{}` {} from both {} and {}",
                    chart.name(),
                    one.name,
                    one.version,
                    shown(&one.repository),
                    shown(&other.repository)
                ))
                .into());
            }
        }
    }
    Ok(())
}

type Indexes = BTreeMap<String, (Repository, Index)>;

/// Each repository's index, fetched once however many charts come from it.
async fn indexes(client: &Client, wanted: &[Dependency], refresh: bool) -> Result<Indexes, Error> {
    let mut urls: Vec<&str> =
        wanted.iter().map(|it| it.repository.as_str()).filter(|it| it.starts_with("http")).collect();
    urls.sort_unstable();
    urls.dedup();
    let known = list(&client.repositories)?;
    let fetched = urls.into_iter().map(|url| {
        let known = known.iter().find(|it| it.url.trim_end_matches('/') == url.trim_end_matches('/')).cloned();
        async move {
            let repository = match known {
                Some(known) => known,
                None => Repository::unnamed(url, client.login.as_ref())?,
            };
            let index = index(client, &repository, refresh).await?;
            Ok::<_, Error>((url.to_owned(), (repository, index)))
        }
    });
    Ok(try_join_all(fetched).await?.into_iter().collect())
}

async fn one(
    client: &Client,
    chart: &Chart,
    folder: &Path,
    dependency: &Dependency,
    indexes: &Indexes,
) -> Result<Choice, Error> {
    let who = asked(chart, dependency);
    Range::parse(&dependency.version).map_err(|_| {
        oci::Error::Setting(format!(
            "dependency {:?} has an invalid version/constraint format: {:?}",
            dependency.name, dependency.version
        ))
    })?;
    kpkg_chart::package::check_name(&dependency.name)
        .map_err(|source| Error::Chart { reference: who.clone(), source })?;
    let (version, place) = if dependency.repository.is_empty() {
        let known: Vec<&Chart> = chart.dependencies.iter().filter(|it| it.metadata.name == dependency.name).collect();
        let versions = known.iter().map(|it| it.metadata.version.as_str());
        (version::choose(&who, &dependency.version, false, versions)?.to_owned(), Place::Here)
    } else if let Some(path) = dependency.repository.strip_prefix("file://") {
        let path = folder.join(path);
        let found = super::load(&path)?;
        let version = found.metadata.version.clone();
        version::choose(&who, &dependency.version, false, [version.as_str()])?;
        if found.metadata.name != dependency.name {
            let problem = format!("{} is `{}`", path.display(), found.metadata.name);
            return Err(oci::Error::Document { what: who, problem }.into());
        }
        (version, Place::Folder(path))
    } else if Reference::is_one(&dependency.repository) {
        let text = format!("{}/{}", dependency.repository.trim_end_matches('/'), dependency.name);
        let place: Reference = text.parse()?;
        let version = if version::is_exact(&dependency.version) {
            dependency.version.clone()
        } else {
            let tags = client.registry(&place.host).await?.tags(&place.repository).await?;
            let versions: Vec<String> = tags.iter().map(|tag| version_of(tag)).collect();
            version::choose(&who, &dependency.version, false, versions.iter().map(String::as_str))?.to_owned()
        };
        (version.clone(), Place::Registry(place.with_tag(&tag_of(&version))))
    } else if let Some((repository, index)) = indexes.get(&dependency.repository) {
        let entries = index.of(&dependency.name);
        let versions = entries.iter().map(|entry| entry.version.as_str());
        let chosen = choose_entry(&who, &dependency.version, versions)?;
        let entry =
            entries.into_iter().find(|entry| entry.version == chosen).ok_or(oci::Error::NotFound { what: who })?;
        (chosen, Place::Repository(Box::new(repository.clone()), Box::new(entry)))
    } else {
        return Err(
            oci::Error::Setting(format!("{who}: no repository definition for {}", dependency.repository)).into()
        );
    };
    let (name, repository) = (dependency.name.clone(), dependency.repository.clone());
    Ok(Choice { name, version, repository, place, digest: None })
}

fn choose_entry<'a>(who: &str, wanted: &str, versions: impl Iterator<Item = &'a str>) -> Result<String, Error> {
    version::choose(who, wanted, false, versions).map(str::to_owned)
}

/// What the lock names, found again. What the cache holds under the lock's digest is not looked for elsewhere.
pub(super) async fn locked(
    client: &Client,
    chart: &Chart,
    folder: &Path,
    locked: &[Dependency],
    digests: &BTreeMap<(String, String), String>,
) -> Result<Vec<Choice>, Error> {
    let mut choices = Vec::new();
    let mut missing = Vec::new();
    for dependency in locked {
        let digest = digests.get(&(dependency.name.clone(), dependency.version.clone())).cloned();
        let cached = digest.as_ref().and_then(|digest| client.cache.get(digest));
        match cached {
            Some(bytes) if !dependency.repository.starts_with("file://") => {
                let (name, version) = (dependency.name.clone(), dependency.version.clone());
                let repository = dependency.repository.clone();
                choices.push(Choice { name, version, repository, place: Place::Cached(bytes), digest });
            }
            _ => missing.push((dependency.clone(), digest)),
        }
    }
    let wanted: Vec<Dependency> = missing.iter().map(|(dependency, _)| dependency.clone()).collect();
    let found = all(client, chart, folder, &wanted, false).await?;
    for (mut choice, (_, digest)) in found.into_iter().zip(missing) {
        choice.digest = digest;
        choices.push(choice);
    }
    Ok(choices)
}

impl Choice {
    /// As the lock notes it.
    pub(super) fn locked(&self) -> Dependency {
        Dependency {
            name: self.name.clone(),
            version: self.version.clone(),
            repository: self.repository.clone(),
            ..Dependency::default()
        }
    }

    pub(super) async fn fetch(&self, client: &Client) -> Result<Archive, Error> {
        let found = match &self.place {
            Place::Here => None,
            // The cache has checked it.
            Place::Cached(bytes) => self.digest.clone().map(|digest| (bytes.clone(), digest)),
            Place::Folder(path) => {
                let chart = super::load(path)?;
                let wrong = |source| Error::Chart { reference: path.display().to_string(), source };
                let bytes = package(&chart, &Settings::default()).map_err(wrong)?.bytes;
                let digest = digest_of(&bytes);
                Some((bytes, digest))
            }
            Place::Registry(reference) => {
                let registry = client.registry(&reference.host).await?;
                Some(self.checked(crate::chart::pull(&registry, &client.cache, reference, false).await?)?)
            }
            Place::Repository(repository, entry) => Some(self.checked(repository.fetch(client, entry, false).await?)?),
        };
        if let (Some(expected), Some((_, found))) = (&self.digest, &found)
            && expected != found
        {
            let what = format!("chart `{}` {} from {}", self.name, self.version, shown(&self.repository));
            return Err(oci::Error::Digest { what, found: found.clone(), expected: expected.clone() }.into());
        }
        let (bytes, digest) = found.unzip();
        Ok(Archive { name: self.name.clone(), version: self.version.clone(), bytes, digest })
    }

    /// What came is a whole chart, and the one that was chosen; its archive and digest.
    fn checked(&self, fetched: Fetched) -> Result<(Vec<u8>, String), Error> {
        let same = |one: &str, other: &str| match (Version::parse(one), Version::parse(other)) {
            (Ok(one), Ok(other)) => one.compare(&other).is_eq(),
            _ => one == other,
        };
        if fetched.name == self.name && same(&fetched.version, &self.version) {
            let bytes = fetched.archive.into_bytes()?;
            metadata_of(&bytes, &fetched.source)?;
            return Ok((bytes, fetched.archive_digest));
        }
        let what = format!("chart `{}` {} from {}", self.name, self.version, shown(&self.repository));
        Err(oci::Error::Document { what, problem: format!("the archive is of `{}` {}", fetched.name, fetched.version) }
            .into())
    }
}
