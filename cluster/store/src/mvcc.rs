//! The multi-version index: every version since the compacted revision, and the events between.
//!
//! This is the state that both stores share. It knows no disk and no threads: a write is first
//! *decided* against the newest state ([`Mvcc::decide`], with the writes of the same batch that are
//! not applied yet laid over it), then, once it is durable, *applied* ([`Mvcc::apply`]).

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;

use crate::{Error, Event, EventKind, KeyValue, Page, Precondition, Range};

/// The revision of an empty store, as in etcd: the first write makes 2.
pub(crate) const FIRST_REVISION: i64 = 1;

/// A write as a caller wants it.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    /// The key.
    pub(crate) key: Bytes,
    /// The new value; `None` deletes.
    pub(crate) value: Option<Bytes>,
    /// What must hold.
    pub(crate) precondition: Precondition,
}

/// Versions that the writes of a batch will have made, not applied yet. `None` is a deleted key.
pub(crate) type Overlay = HashMap<Bytes, Option<KeyValue>>;

/// The index.
#[derive(Debug)]
pub(crate) struct Mvcc {
    keys: BTreeMap<Bytes, Vec<Version>>,
    /// One event for each revision in `compacted + 1 ..= revision`, oldest first.
    history: VecDeque<Arc<Event>>,
    /// Bytes that `history` keeps.
    history_bytes: usize,
    revision: i64,
    compacted: i64,
}

/// A version in the index; the key is the map's.
#[derive(Debug, Clone)]
struct Version {
    mod_revision: i64,
    create_revision: i64,
    version: i64,
    /// `None`: the key was deleted at `mod_revision`.
    value: Option<Bytes>,
}

impl Default for Mvcc {
    fn default() -> Self {
        Self::at(FIRST_REVISION)
    }
}

impl Mvcc {
    /// An empty index whose history begins after `revision`.
    pub(crate) fn at(revision: i64) -> Self {
        Self { keys: BTreeMap::new(), history: VecDeque::new(), history_bytes: 0, revision, compacted: revision }
    }

    /// The revision of the newest event.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    /// The revision up to which history is forgotten.
    pub(crate) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The newest version of `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<KeyValue> {
        let (key, versions) = self.keys.get_key_value(key)?;
        versions.last()?.key_value(key)
    }

    /// The keys of `range`.
    pub(crate) fn range(&self, range: &Range) -> Result<Page, Error> {
        let revision = range.revision.unwrap_or(self.revision);
        self.check_revision(revision)?;
        let mut items = Vec::new();
        let mut remaining = 0;
        let start = match &range.start_after {
            Some(key) if *key >= range.prefix => Bound::Excluded(key.clone()),
            _ => Bound::Included(range.prefix.clone()),
        };
        let keys = self.keys.range((start, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(&range.prefix));
        for (key, versions) in keys {
            let Some(version) = as_of(versions, revision).filter(|found| found.value.is_some()) else {
                continue;
            };
            if range.limit == 0 || items.len() < range.limit {
                items.extend(version.key_value(key));
            } else {
                remaining += 1;
            }
        }
        Ok(Page { items, revision, remaining })
    }

    /// Checks whether `write` may happen on top of `overlay`, and records in it what comes of it.
    /// Answers the version that the write replaces.
    pub(crate) fn decide(
        &self,
        write: &Write,
        overlay: &mut Overlay,
        revision: i64,
    ) -> Result<Option<KeyValue>, Error> {
        let current = match overlay.get(&write.key) {
            Some(pending) => pending.clone(),
            None => self.get(&write.key),
        };
        let holds = match write.precondition {
            Precondition::None => true,
            Precondition::Absent => current.is_none(),
            Precondition::ModRevision(expected) => current.as_ref().is_some_and(|kv| kv.mod_revision == expected),
        };
        if !holds {
            return Err(Error::Conflict { current: current.map(Box::new) });
        }
        if write.value.is_none() && current.is_none() {
            return Err(Error::NotFound);
        }
        let next = write.value.as_ref().map(|value| KeyValue {
            key: write.key.clone(),
            value: value.clone(),
            create_revision: current.as_ref().map_or(revision, |kv| kv.create_revision),
            mod_revision: revision,
            version: current.as_ref().map_or(1, |kv| kv.version + 1),
        });
        overlay.insert(write.key.clone(), next);
        Ok(current)
    }

    /// Makes the next revision: `key` gets `value`, or is deleted.
    pub(crate) fn apply(&mut self, key: Bytes, value: Option<Bytes>) -> Arc<Event> {
        self.revision += 1;
        let revision = self.revision;
        let versions = self.keys.entry(key.clone()).or_default();
        let prev = versions.last().filter(|version| version.value.is_some());
        let next = Version {
            mod_revision: revision,
            create_revision: match (&value, prev) {
                (None, _) => 0,
                (Some(_), Some(prev)) => prev.create_revision,
                (Some(_), None) => revision,
            },
            version: if value.is_some() { prev.map_or(1, |prev| prev.version + 1) } else { 0 },
            value,
        };
        let event = Arc::new(Event {
            kind: if next.value.is_some() { EventKind::Put } else { EventKind::Delete },
            prev_kv: prev.and_then(|prev| prev.key_value(&key)),
            kv: KeyValue {
                value: next.value.clone().unwrap_or_default(),
                create_revision: next.create_revision,
                mod_revision: revision,
                version: next.version,
                key,
            },
        });
        // Most objects have one or two versions: doubling from four would waste the index's memory.
        versions.reserve_exact(1);
        versions.push(next);
        self.history_bytes += cost(&event);
        self.history.push_back(event.clone());
        event
    }

    /// Puts a version that a snapshot holds. The index must be at or after its revision.
    pub(crate) fn restore(&mut self, kv: KeyValue) {
        let version = Version {
            mod_revision: kv.mod_revision,
            create_revision: kv.create_revision,
            version: kv.version,
            value: Some(kv.value),
        };
        self.keys.insert(kv.key, vec![version]);
    }

    /// Every key as of the compacted revision.
    pub(crate) fn compacted_state(&self) -> Vec<KeyValue> {
        self.keys.iter().filter_map(|(key, versions)| as_of(versions, self.compacted)?.key_value(key)).collect()
    }

    /// Events on keys under `prefix` from `from_revision` on.
    pub(crate) fn events(&self, prefix: &[u8], from_revision: i64) -> Result<Vec<Arc<Event>>, Error> {
        if from_revision <= self.compacted {
            return Err(Error::Compacted { requested: from_revision, compacted: self.compacted });
        }
        let skip = usize::try_from(from_revision - self.compacted - 1).unwrap_or(usize::MAX);
        let events = self.history.iter().skip(skip);
        Ok(events.filter(|event| event.kv.key.starts_with(prefix)).cloned().collect())
    }

    /// Forgets what was replaced at or before `revision`; `false` if it is forgotten already.
    pub(crate) fn compact(&mut self, revision: i64) -> Result<bool, Error> {
        if revision > self.revision {
            return Err(Error::FutureRevision { requested: revision, current: self.revision });
        }
        if revision <= self.compacted {
            return Ok(false);
        }
        self.compacted = revision;
        while self.history.front().is_some_and(|event| event.revision() <= revision) {
            let Some(event) = self.history.pop_front() else {
                break;
            };
            self.history_bytes -= cost(&event);
            self.prune(&event.kv.key);
        }
        if self.history.capacity() > 4 * self.history.len() {
            self.history.shrink_to_fit();
        }
        Ok(true)
    }

    /// The revision to compact to so that history keeps at most half of `limit` bytes; `None` if
    /// it is within the limit.
    pub(crate) fn overdue_compaction(&self, limit: usize) -> Option<i64> {
        if self.history_bytes <= limit {
            return None;
        }
        let mut left = self.history_bytes;
        let last = self.history.iter().find(|event| {
            left -= cost(event);
            left <= limit / 2
        })?;
        Some(last.revision())
    }

    /// Drops the versions of `key` that no readable revision can see.
    fn prune(&mut self, key: &[u8]) {
        let Some(versions) = self.keys.get_mut(key) else {
            return;
        };
        let visible = versions.iter().rposition(|version| version.mod_revision <= self.compacted);
        if let Some(first) = visible {
            versions.drain(..first);
        }
        let dead = |version: &Version| version.value.is_none() && version.mod_revision <= self.compacted;
        if versions.first().is_some_and(dead) {
            versions.remove(0);
        }
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }

    fn check_revision(&self, revision: i64) -> Result<(), Error> {
        if revision < self.compacted {
            return Err(Error::Compacted { requested: revision, compacted: self.compacted });
        }
        if revision > self.revision {
            return Err(Error::FutureRevision { requested: revision, current: self.revision });
        }
        Ok(())
    }
}

impl Version {
    fn key_value(&self, key: &Bytes) -> Option<KeyValue> {
        Some(KeyValue {
            key: key.clone(),
            value: self.value.clone()?,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
        })
    }
}

fn as_of(versions: &[Version], revision: i64) -> Option<&Version> {
    versions.iter().rev().find(|version| version.mod_revision <= revision)
}

/// What an event keeps alive: its replaced value, and itself.
fn cost(event: &Event) -> usize {
    const OVERHEAD: usize = 256;
    event.prev_kv.as_ref().map_or(0, |kv| kv.value.len()) + event.kv.key.len() + OVERHEAD
}
