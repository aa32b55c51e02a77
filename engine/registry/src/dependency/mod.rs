//! What a chart needs: chosen, locked, and brought into its `charts/`.
//!
//! [`update`] chooses versions and writes `Chart.lock`, [`build`] brings exactly what the lock names. The lock is
//! Helm's, with one block more that Helm ignores: the digest of every archive. `build` holds it against what it
//! fetches, and takes from the cache what has that digest without asking anybody.

mod choose;
mod install;
mod list;
mod lock;

pub use choose::Choice;
pub use list::{Listed, list};

use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use kpkg_chart::{Chart, Dependency};

use crate::client::Client;
use crate::{Error, oci};

/// How many charts are fetched at a time.
const PARALLEL: usize = 8;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// `NAME VERSION` of what is in `charts/` now.
    pub charts: Vec<String>,
}

/// Chooses versions for all dependencies of the chart in `folder`, fetches them and writes the lock.
pub async fn update(client: &Client, folder: &Path, refresh: bool, time: jiff::Timestamp) -> Result<Outcome, Error> {
    let chart = load(folder)?;
    let wanted = resolved_names(client, &chart)?;
    if wanted.is_empty() {
        return Ok(Outcome::default());
    }
    let choices = choose::all(client, &chart, folder, &wanted, refresh).await?;
    let locked: Vec<Dependency> = choices.iter().map(Choice::locked).collect();
    let archives = fetch(client, &choices).await?;
    let outcome = install::into_charts(folder, &chart, &archives)?;
    lock::write(folder, &chart, &wanted, &locked, &archives, time)?;
    Ok(outcome)
}

/// Brings what the lock names; without a lock, what [`update`] would choose.
pub async fn build(client: &Client, folder: &Path, refresh: bool, time: jiff::Timestamp) -> Result<Outcome, Error> {
    let chart = load(folder)?;
    let Some(lock) = &chart.lock else { return update(client, folder, refresh, time).await };
    let wanted = resolved_names(client, &chart)?;
    if !lock::fits(&wanted, lock) {
        return Err(oci::Error::Setting(
            "the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). Please update the dependencies"
                .to_owned(),
        ).into());
    }
    let digests = lock::digests(folder, &chart)?;
    let locked: Vec<Dependency> = lock.dependencies.clone();
    let choices = choose::locked(client, &chart, folder, &locked, &digests).await?;
    let archives = fetch(client, &choices).await?;
    install::into_charts(folder, &chart, &archives)
}

fn load(folder: &Path) -> Result<Chart, Error> {
    kpkg_chart::load(folder).map_err(|source| Error::Chart { reference: folder.display().to_string(), source })
}

/// The dependencies, with `@name` and `alias:name` replaced by what the list of repositories says.
fn resolved_names(client: &Client, chart: &Chart) -> Result<Vec<Dependency>, Error> {
    let resolve = |dependency: &Dependency| {
        let mut dependency = dependency.clone();
        let alias = dependency.repository.strip_prefix('@').or(dependency.repository.strip_prefix("alias:"));
        if let Some(name) = alias {
            dependency.repository = crate::repository::find(&client.repositories, name)?.url;
        }
        Ok(dependency)
    };
    chart.metadata.dependencies.iter().map(resolve).collect()
}

/// A dependency's archive; none for charts that are in `charts/` already, as folders.
struct Archive {
    name: String,
    version: String,
    bytes: Option<Vec<u8>>,
    digest: Option<String>,
}

async fn fetch(client: &Client, choices: &[Choice]) -> Result<Vec<Archive>, Error> {
    // Dependencies under several aliases are fetched once.
    let mut once: Vec<&Choice> = Vec::new();
    for choice in choices {
        if !once.iter().any(|it| it.name == choice.name && it.version == choice.version) {
            once.push(choice);
        }
    }
    let work: Vec<_> = once.into_iter().map(|choice| choice.fetch(client)).collect();
    futures::stream::iter(work).buffered(PARALLEL).try_collect().await
}
