//! The revisions of a release, and what an operation may start from.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::object::Object;
use crate::plan::{Desired, Method};
use crate::record::{Release, Status};
use crate::store::RecordStore;

/// How long another program's operation is taken to run: Helm's default timeout, twice.
const FOREIGN_PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// The revisions of one release, oldest first.
#[derive(Debug, Clone)]
pub struct History {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revisions.
    pub releases: Vec<Release>,
}

/// What a plan rests on: the newest revision when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The newest revision; 0 if there was none.
    pub revision: i64,
    /// Its status.
    pub status: Status,
}

impl History {
    /// That of a release of which there is no revision yet.
    pub fn none(name: &str, namespace: &str) -> Self {
        Self { name: name.to_owned(), namespace: namespace.to_owned(), releases: Vec::new() }
    }

    /// Reads it.
    pub async fn read(store: &RecordStore, name: &str, namespace: &str) -> Result<Self> {
        let releases = store.history(name).await?;
        Ok(Self { name: name.to_owned(), namespace: namespace.to_owned(), releases })
    }

    /// The newest revision.
    pub fn newest(&self) -> Option<&Release> {
        self.releases.last()
    }

    /// The newest revision of a release that must exist.
    pub fn existing(&self) -> Result<&Release> {
        self.newest()
            .ok_or_else(|| ReleaseError::NotFound { name: self.name.clone(), namespace: self.namespace.clone() })
    }

    /// The revision that is deployed.
    pub fn deployed(&self) -> Option<&Release> {
        self.releases.iter().rev().find(|it| it.info.status == Status::Deployed)
    }

    /// A revision by number; 0 is the newest.
    pub fn revision(&self, revision: i64) -> Result<&Release> {
        let newest = self.existing()?;
        let found = self.releases.iter().find(|it| it.version == revision);
        let found = if revision == 0 { Some(newest) } else { found };
        found.ok_or_else(|| ReleaseError::NoRevision { name: self.name.clone(), revision })
    }

    /// The number of the revision that comes next.
    pub fn next_revision(&self) -> i64 {
        self.newest().map_or(1, |newest| newest.version + 1)
    }

    /// What a plan made now rests on.
    pub fn base(&self) -> Base {
        self.newest().map_or(Base { revision: 0, status: Status::Unknown }, |newest| Base {
            revision: newest.version,
            status: newest.info.status,
        })
    }

    /// Whether nothing of the release is there: it never was, or was uninstalled.
    pub fn is_gone(&self) -> bool {
        self.newest().is_none_or(|newest| newest.info.status == Status::Uninstalled)
    }

    /// Whether it was never deployed: only attempts are there.
    pub fn is_attempt(&self) -> bool {
        !self.releases.iter().any(|it| matches!(it.info.status, Status::Deployed | Status::Superseded))
    }

    /// The revision that an upgrade starts from (Helm's rule): the deployed one; without any, the
    /// newest, if it failed or was left half-way.
    pub fn upgrade_base(&self) -> Result<&Release> {
        let newest = self.newest().ok_or_else(|| ReleaseError::NotDeployed { name: self.name.clone() })?;
        match (self.deployed(), newest.info.status) {
            (_, Status::Uninstalled) => Err(ReleaseError::NotDeployed { name: self.name.clone() }),
            (Some(deployed), _) => Ok(deployed),
            (None, _) => Ok(newest),
        }
    }

    /// The newest revision that was deployed once, before `revision`.
    pub fn last_good(&self, revision: i64) -> Option<&Release> {
        let good =
            |it: &&Release| it.version < revision && matches!(it.info.status, Status::Deployed | Status::Superseded);
        self.releases.iter().rev().find(good)
    }

    /// Refuses to interfere with another program that may be at work. Our own operations hold a
    /// lease, so one that is pending without a lease was left half-way.
    pub fn check_idle(&self, now: Timestamp) -> Result<()> {
        let Some(newest) = self.newest().filter(|it| it.info.status.is_pending()) else { return Ok(()) };
        let recent = newest.info.last_deployed.is_some_and(|at| now.duration_since(at) < FOREIGN_PATIENCE);
        if newest.trace.is_none() && recent {
            return Err(ReleaseError::Pending {
                name: self.name.clone(),
                revision: newest.version,
                status: newest.info.status.to_string(),
            });
        }
        Ok(())
    }

    /// Who merges in the next revision: as asked, else as in the last one (Helm's rule); the server
    /// for new releases.
    pub fn method(&self, asked: Option<Method>) -> Method {
        asked.unwrap_or_else(|| match self.newest().filter(|_| !self.is_gone()) {
            None => Method::Server,
            Some(newest) if newest.apply_method == "ssa" => Method::Server,
            Some(_) => Method::Client,
        })
    }

    /// The objects that may be in the cluster: of the deployed revision, and of what was tried since.
    pub fn originals(&self, cluster: &Cluster) -> Result<Vec<Object>> {
        let from = self.deployed().map_or(0, |it| it.version);
        let mut all: Vec<Object> = Vec::new();
        let mut places = std::collections::HashMap::new();
        let alive = |it: &&Release| it.version >= from && it.info.status != Status::Uninstalled;
        for release in self.releases.iter().filter(alive) {
            for object in Desired::from_record(release, cluster)?.objects {
                match places.get(&object.id) {
                    None => {
                        places.insert(object.id.clone(), all.len());
                        all.push(object);
                    }
                    Some(&place) => {
                        let known: &mut Object = &mut all[place];
                        known.value = union(&object.value, &known.value);
                    }
                }
            }
        }
        Ok(all)
    }
}

/// What either of two attempts may have applied; the first wins where they differ.
fn union(first: &Value, second: &Value) -> Value {
    match (first, second) {
        (Value::Object(a), Value::Object(b)) => {
            let mut all = a.clone();
            for (key, value) in b {
                let merged = a.get(key).map_or_else(|| value.clone(), |first| union(first, value));
                all.insert(key.clone(), merged);
            }
            Value::Object(all)
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).all(Value::is_object) && a != b => {
            a.iter().chain(b.iter().filter(|it| !a.contains(it))).cloned().collect()
        }
        _ => first.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn history(statuses: &[Status]) -> History {
        let release = |(index, status): (usize, &Status)| {
            serde_json::from_value::<Release>(json!({
                "name": "web", "chart": null, "namespace": "default", "version": index + 1,
                "info": {"status": status, "last_deployed": "2026-01-01T00:00:00Z"},
            }))
            .unwrap()
        };
        let releases = statuses.iter().enumerate().map(release).collect();
        History { name: "web".into(), namespace: "default".into(), releases }
    }

    #[test]
    fn upgrades_start_from_what_is_deployed() {
        use Status::{Deployed, Failed, PendingUpgrade, Superseded, Uninstalled};
        let base = |statuses: &[Status]| history(statuses).upgrade_base().map(|it| it.version).ok();
        assert_eq!(base(&[Superseded, Deployed]), Some(2));
        assert_eq!(base(&[Deployed, Failed, PendingUpgrade]), Some(1));
        assert_eq!(base(&[Failed]), Some(1));
        assert_eq!(base(&[Superseded, Uninstalled]), None);
        assert_eq!(base(&[]), None);
        assert_eq!(history(&[Superseded, Deployed, Failed]).last_good(3).map(|it| it.version), Some(2));
    }

    #[test]
    fn other_programs_are_given_time() {
        let mut pending = history(&[Status::PendingUpgrade]);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(pending.check_idle(at("2026-01-01T00:05:00Z")).is_err());
        assert!(pending.check_idle(at("2026-01-01T01:00:00Z")).is_ok());
        pending.releases[0].trace = Some(crate::record::Trace { holder: "me".into(), phase: "main".into() });
        assert!(pending.check_idle(at("2026-01-01T00:00:01Z")).is_ok());
    }

    #[test]
    fn attempts_are_united() {
        let first = json!({"a": 1, "list": [{"name": "x"}], "map": {"k": "new"}});
        let second = json!({"b": 2, "list": [{"name": "y"}], "map": {"k": "old", "gone": "z"}});
        assert_eq!(
            union(&first, &second),
            json!({"a": 1, "b": 2, "list": [{"name": "x"}, {"name": "y"}], "map": {"k": "new", "gone": "z"}})
        );
    }
}
