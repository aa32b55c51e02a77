//! Keeping indexes fresh: asked for only if they changed, and replaced whole or not at all.

use std::path::PathBuf;
use std::time::Duration;

use http::header;
use serde::{Deserialize, Serialize};

use super::{Index, Repository};
use crate::client::Client;
use crate::oci::digest_of;
use crate::oci::transport::{read_bounded, refused, shown};
use crate::{Error, oci};

/// How long the index of a repository that is in no list counts as fresh.
const FRESH: Duration = Duration::from_secs(60);

/// What an update found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// A new index, with so many versions.
    New(usize),
    /// What was here is what is there.
    Unchanged,
}

/// The first line of a kept index.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Header {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// The digest of the `index.yaml` it was made of.
    digest: String,
}

/// The index of a repository: as it was kept, or fetched if there is none or `refresh` says so.
pub async fn index(client: &Client, repository: &Repository, refresh: bool) -> Result<Index, Error> {
    let path = path(client, repository)?;
    let old_enough = repository.name.is_empty() && !is_fresh(&path);
    if !refresh
        && !old_enough
        && let Some((_, index)) = read(&path)
    {
        return Ok(index);
    }
    fetch(client, repository).await.map(|(index, _)| index)
}

/// Asks a repository for its index.
pub async fn update(client: &Client, repository: &Repository) -> Result<Update, Error> {
    fetch(client, repository).await.map(|(_, update)| update)
}

async fn fetch(client: &Client, repository: &Repository) -> Result<(Index, Update), Error> {
    let path = path(client, repository)?;
    let mut url =
        repository.base()?.join("index.yaml").map_err(|_| oci::Error::NotFound { what: repository.shown() })?;
    url.set_query(repository.base()?.query());
    let kept = read(&path);
    let mut request = repository.request(&url)?;
    if let Some((header, _)) = &kept {
        if let Some(etag) = &header.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        } else if let Some(modified) = &header.last_modified {
            request = request.header(header::IF_MODIFIED_SINCE, modified);
        }
    }
    let answer = repository.transport(client)?.send(&request).await?;
    let noted = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (etag, last_modified) = (noted(header::ETAG), noted(header::LAST_MODIFIED));
    match (answer.status().as_u16(), kept) {
        (304, Some((_, index))) => {
            touch(&path);
            Ok((index, Update::Unchanged))
        }
        (200, kept) => {
            let bytes = read_bounded(answer, &shown(&url), super::index::LONGEST as u64).await?;
            let digest = digest_of(&bytes);
            let header = Header { url: repository.shown(), etag, last_modified, digest };
            if let Some((_, index)) = kept.filter(|(kept, _)| kept.digest == header.digest) {
                write(client, &path, &header, &index)?;
                return Ok((index, Update::Unchanged));
            }
            let index = Index::parse(&shown(&url), &bytes)?;
            write(client, &path, &header, &index)?;
            let count = index.len();
            Ok((index, Update::New(count)))
        }
        (404, _) => Err(oci::Error::NotFound { what: shown(&url) }.into()),
        _ => Err(refused(answer).await.into()),
    }
}

/// One file a repository, named by its URL: names may change.
fn path(client: &Client, repository: &Repository) -> Result<PathBuf, Error> {
    let base = repository.base()?;
    let digest = digest_of(base.as_str().as_bytes());
    let name = digest.trim_start_matches("sha256:");
    Ok(client.cache.root().join("indexes").join(&name[..32]))
}

fn read(path: &std::path::Path) -> Option<(Header, Index)> {
    let text = std::fs::read_to_string(path).ok()?;
    let (header, rest) = text.split_once('\n')?;
    // The last line tells a whole file from one that a full disk cut.
    let lines = rest.strip_suffix("end\n")?;
    Some((serde_json::from_str(header).ok()?, Index::of_lines(lines)))
}

fn write(client: &Client, path: &std::path::Path, header: &Header, index: &Index) -> Result<(), Error> {
    let header = serde_json::to_string(header).unwrap_or_default();
    let text = format!("{header}\n{}end\n", index.lines());
    match client.cache.write(path, text.as_bytes()) {
        Ok(()) => Ok(()),
        // Without a cache everything works, only slower.
        Err(error) => {
            tracing::warn!(error = oci::transport::chain(&error), "the index was not kept");
            Ok(())
        }
    }
}

fn is_fresh(path: &std::path::Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < FRESH))
}

fn touch(path: &std::path::Path) {
    if let Ok(file) = std::fs::File::options().append(true).open(path) {
        let _ = file.set_modified(std::time::SystemTime::now());
    }
}
