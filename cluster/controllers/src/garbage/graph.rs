//! Who owns whom, kept from the metadata of every object; pure.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// Deletes dependents before their owner.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// Frees dependents before their owner goes.
pub(super) const ORPHAN: &str = "orphan";

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Group and kind.
    pub(super) group: String,
    pub(super) kind: String,
    /// Namespace; empty for cluster-wide kinds.
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) owners: Vec<OwnerReference>,
    pub(super) finalizers: Vec<String>,
    pub(super) deleting: bool,
}

impl Item {
    /// Reads an object's metadata.
    pub(super) fn of(group: &str, kind: &str, meta: &ObjectMeta) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            owners: meta.owner_references.clone().unwrap_or_default(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    /// Whether it waits for its dependents to be gone.
    pub(super) fn waits_for_dependents(&self) -> bool {
        self.deleting && self.has(FOREGROUND)
    }

    /// Whether it waits for its dependents to be freed.
    pub(super) fn frees_dependents(&self) -> bool {
        self.deleting && self.has(ORPHAN)
    }

    /// Whether it has a finalizer.
    pub(super) fn has(&self, finalizer: &str) -> bool {
        self.finalizers.iter().any(|known| known == finalizer)
    }

    /// Whether it holds up the deletion of an owner that waits.
    pub(super) fn blocks(&self, owner: &str) -> bool {
        self.owners.iter().any(|reference| reference.uid == owner && reference.block_owner_deletion == Some(true))
    }
}

/// All objects by uid.
#[derive(Debug, Default)]
pub(super) struct Graph {
    items: HashMap<String, Item>,
    dependents: HashMap<String, HashSet<String>>,
}

impl Graph {
    /// Takes in an object as it is now; returns the uids that must be looked at.
    pub(super) fn set(&mut self, uid: &str, item: Item) -> Vec<String> {
        let old = self.items.get(uid).cloned();
        if old.as_ref() == Some(&item) {
            return Vec::new();
        }
        let mut wake = vec![uid.to_owned()];
        let owners = |item: &Item| item.owners.iter().map(|owner| owner.uid.clone()).collect::<HashSet<_>>();
        let (before, after) = (old.as_ref().map(owners).unwrap_or_default(), owners(&item));
        for owner in before.difference(&after) {
            self.unlink(owner, uid);
        }
        for owner in after.difference(&before) {
            self.dependents.entry(owner.clone()).or_default().insert(uid.to_owned());
        }
        // An owner may wait for exactly this: a reference gone, or no more blocking.
        wake.extend(before.union(&after).filter(|owner| self.is_waiting(owner)).cloned());
        if item.waits_for_dependents() && !old.is_some_and(|old| old.waits_for_dependents()) {
            wake.extend(self.dependents_of(uid));
        }
        self.items.insert(uid.to_owned(), item);
        wake
    }

    /// An object is gone; returns the uids that must be looked at.
    pub(super) fn remove(&mut self, uid: &str) -> Vec<String> {
        let mut wake: Vec<String> = self.dependents_of(uid).collect();
        if let Some(item) = self.items.remove(uid) {
            for owner in &item.owners {
                self.unlink(&owner.uid, uid);
                if self.is_waiting(&owner.uid) {
                    wake.push(owner.uid.clone());
                }
            }
        }
        wake
    }

    fn unlink(&mut self, owner: &str, dependent: &str) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn is_waiting(&self, uid: &str) -> bool {
        self.items.get(uid).is_some_and(|item| item.waits_for_dependents() || item.frees_dependents())
    }

    /// One object.
    pub(super) fn get(&self, uid: &str) -> Option<&Item> {
        self.items.get(uid)
    }

    /// The uids of those that it owns.
    pub(super) fn dependents_of<'a>(&'a self, uid: &str) -> impl Iterator<Item = String> + use<'a> {
        self.dependents.get(uid).into_iter().flatten().cloned()
    }

    /// The uids of all objects of one kind.
    pub(super) fn of_kind(&self, group: &str, kind: &str) -> HashSet<String> {
        let same = |item: &Item| item.group == group && item.kind == kind;
        self.items.iter().filter(|(_, item)| same(item)).map(|(uid, _)| uid.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(owners: &[&str], deleting: Option<&str>) -> Item {
        let owner = |uid: &&str| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() };
        Item {
            group: String::new(),
            kind: "Pod".into(),
            namespace: "ns".into(),
            name: "p".into(),
            owners: owners.iter().map(owner).collect(),
            finalizers: deleting.map(str::to_owned).into_iter().collect(),
            deleting: deleting.is_some(),
        }
    }

    fn sorted(mut uids: Vec<String>) -> Vec<String> {
        uids.sort();
        uids
    }

    #[test]
    fn changes_wake_those_that_they_concern() {
        let mut graph = Graph::default();
        assert_eq!(graph.set("owner", item(&[], None)), ["owner"]);
        assert_eq!(graph.set("child", item(&["owner"], None)), ["child"]);
        assert_eq!(graph.set("child", item(&["owner"], None)), Vec::<String>::new());
        assert_eq!(sorted(graph.set("owner", item(&[], Some(FOREGROUND)))), ["child", "owner"]);
        assert_eq!(sorted(graph.set("child", item(&["owner"], Some("x")))), ["child", "owner"]);
        assert_eq!(graph.remove("child"), ["owner"]);
        assert_eq!(graph.dependents_of("owner").count(), 0);
        graph.set("late", item(&["owner"], None));
        assert_eq!(graph.remove("owner"), ["late"]);
    }
}
