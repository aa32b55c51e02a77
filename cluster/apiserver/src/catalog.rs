//! Which kinds are served: Kubernetes' own, and those that definitions add.

use crate::{custom::Custom, review};
use kpkg_api::schema::{self, Kind};
use std::{
    cmp::Reverse,
    ptr,
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::{Mutex, MutexGuard, Notify};

/// All kinds that are served at a moment.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    customs: Vec<Arc<Custom>>,
}

/// The newest [`Catalog`].
#[derive(Debug, Default)]
pub(crate) struct Catalogs {
    newest: RwLock<Arc<Catalog>>,
    turns: Mutex<()>,
    news: Arc<Notify>,
}

impl Catalogs {
    pub(crate) fn current(&self) -> Arc<Catalog> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves these custom kinds from now on.
    pub(crate) fn replace(&self, customs: Vec<Arc<Custom>>) {
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Catalog { customs });
        self.news.notify_one();
    }

    /// Waits until nobody else is about to replace it.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.lock().await
    }

    /// Notified whenever it was replaced.
    pub(crate) fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }
}

impl Catalog {
    /// All kinds.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static Kind> + '_ {
        schema::kinds().iter().chain(self.customs.iter().map(|custom| custom.kind))
    }

    /// The custom kinds.
    pub(crate) fn customs(&self) -> &[Arc<Custom>] {
        &self.customs
    }

    /// A kind by group, version and plural.
    pub(crate) fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        schema::resource(group, version, plural).or_else(|| {
            let fits = |kind: &&'static Kind| kind.plural == plural && kind.group == group && kind.version == version;
            self.customs.iter().map(|custom| custom.kind).find(fits)
        })
    }

    /// What is known of a custom kind; also of one whose names have changed since.
    pub(crate) fn custom(&self, kind: &'static Kind) -> Option<&Arc<Custom>> {
        self.customs.iter().find(|custom| ptr::eq(custom.kind, kind)).or_else(|| {
            let same = |custom: &&Arc<Custom>| {
                let own = custom.kind;
                (own.group, own.version, own.plural) == (kind.group, kind.version, kind.plural)
            };
            self.customs.iter().find(same)
        })
    }

    /// The groups beside the core, in the order in which clients should prefer them.
    pub(crate) fn groups(&self) -> Vec<&'static str> {
        let kinds = self.kinds().map(|kind| kind.group);
        let mut names: Vec<&str> =
            kinds.chain(review::all().iter().map(|review| review.group)).filter(|group| !group.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        // Of a word that two groups share, clients take the first: `apps` before all, `events` from the core, and what
        // is Kubernetes' own before what is not.
        names.sort_by_key(|name| {
            let own = schema::kinds().iter().any(|kind| kind.group == *name)
                || review::all().iter().any(|it| it.group == *name);
            (!own, *name != "apps", name.starts_with("events"))
        });
        names
    }

    /// The versions of a group, best first; none if there is no such group.
    pub(crate) fn versions(&self, group: &str) -> Vec<&'static str> {
        let mut versions: Vec<&str> =
            self.kinds().filter(|kind| kind.group == group).map(|kind| kind.version).collect();
        if review::all().iter().any(|review| review.group == group) {
            versions.push(review::VERSION);
        }
        versions.sort_unstable();
        versions.dedup();
        versions.sort_by_key(|version| Reverse(priority(version)));
        versions
    }
}

/// How a version ranks: `v2` over `v1` over `v1beta2` over `v1alpha1` over anything else, which goes by the alphabet.
fn priority(version: &str) -> (u8, u32, u32, Reverse<String>) {
    let other = (0, 0, 0, Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else { return other };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse() else { return other };
    let (stage, minor) = match &rest[digits..] {
        "" => return (3, major, 0, Reverse(String::new())),
        rest => match (rest.strip_prefix("beta"), rest.strip_prefix("alpha")) {
            (Some(minor), _) => (2, minor),
            (_, Some(minor)) => (1, minor),
            _ => return other,
        },
    };
    minor.parse().map_or(other, |minor| (stage, major, minor, Reverse(String::new())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rank_as_in_kubernetes() {
        let mut versions = ["foo10", "v1alpha1", "v10", "v1beta1", "v2", "foo1", "v11beta2", "v1"];
        versions.sort_by_key(|version| Reverse(priority(version)));
        assert_eq!(versions, ["v10", "v2", "v1", "v11beta2", "v1beta1", "v1alpha1", "foo1", "foo10"]);
    }
}
