//! What a controller has asked for and not yet seen in its cache.
//!
//! A cache lags behind the writes of its own process. A controller that counts pods would make a
//! second one while the first is still on its way. So it notes each pod it is about to make or
//! remove, the pod store's handler strikes what it sees off the list, and until the list is empty
//! the controller only watches. A watch may lose a deletion seen in between, so a list older than
//! five minutes is void.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Key;

const VOID_AFTER: Duration = Duration::from_secs(300);

/// The lists, one per controlled object.
#[derive(Debug, Default)]
pub struct Expectations {
    pending: Mutex<HashMap<Key, Pending>>,
}

#[derive(Debug)]
struct Pending {
    /// Names of children being created.
    births: HashSet<String>,
    /// Uids of children being deleted.
    deaths: HashSet<String>,
    since: Instant,
}

impl Expectations {
    /// A child called `name` is about to be created.
    pub fn expect_birth(&self, owner: &Key, name: &str) {
        self.note(owner, |pending| pending.births.insert(name.to_owned()));
    }

    /// The child with this uid is about to be deleted.
    pub fn expect_death(&self, owner: &Key, uid: &str) {
        self.note(owner, |pending| pending.deaths.insert(uid.to_owned()));
    }

    /// The child was seen, or could not be created.
    pub fn born(&self, owner: &Key, name: &str) {
        self.strike(owner, |pending| pending.births.remove(name));
    }

    /// The child was seen to be going, or could not be deleted.
    pub fn dead(&self, owner: &Key, uid: &str) {
        self.strike(owner, |pending| pending.deaths.remove(uid));
    }

    /// Whether the cache shows all that was asked for.
    pub fn met(&self, owner: &Key) -> bool {
        let mut all = self.pending.lock();
        let met = all.get(owner).is_none_or(|pending| pending.since.elapsed() > VOID_AFTER);
        if met {
            all.remove(owner);
        }
        met
    }

    /// The controlled object is gone.
    pub fn forget(&self, owner: &Key) {
        self.pending.lock().remove(owner);
    }

    fn note(&self, owner: &Key, insert: impl FnOnce(&mut Pending) -> bool) {
        let mut all = self.pending.lock();
        let now = Instant::now();
        let pending = all.entry(owner.clone()).or_insert_with(|| Pending {
            births: HashSet::new(),
            deaths: HashSet::new(),
            since: now,
        });
        pending.since = now;
        insert(pending);
    }

    fn strike(&self, owner: &Key, remove: impl FnOnce(&mut Pending) -> bool) {
        let mut all = self.pending.lock();
        let Some(pending) = all.get_mut(owner) else {
            return;
        };
        remove(pending);
        if pending.births.is_empty() && pending.deaths.is_empty() {
            all.remove(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn met_when_all_is_seen_or_long_past() {
        let (all, owner) = (Expectations::default(), Key::new("ns", "web"));
        assert!(all.met(&owner));
        all.expect_birth(&owner, "a");
        all.expect_death(&owner, "u");
        all.born(&owner, "a");
        assert!(!all.met(&owner));
        all.dead(&owner, "other");
        assert!(!all.met(&owner));
        all.dead(&owner, "u");
        assert!(all.met(&owner));
        all.expect_birth(&owner, "b");
        tokio::time::advance(VOID_AFTER).await;
        assert!(!all.met(&owner));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(all.met(&owner));
    }
}
