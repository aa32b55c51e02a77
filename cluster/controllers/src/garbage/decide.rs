//! What becomes of one object. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PropagationPolicy;

use super::graph::{FOREGROUND, Item, ORPHAN};

/// What is known of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// It is there.
    Present,
    /// It is there, and waits for its dependents to be gone.
    Waiting,
    /// It is not there, nor will it come back.
    Absent,
    /// It cannot be told, or the reference makes no sense.
    Unknown,
}

/// A dependent, as far as its owner cares.
#[derive(Clone, Debug)]
pub(super) struct Dependent {
    /// Its uid.
    pub(super) uid: String,
    /// Whether the owner must wait for it.
    pub(super) blocks: bool,
    /// Whether it is on its way out.
    pub(super) deleting: bool,
    /// Whether it waits for its own dependents.
    pub(super) waiting: bool,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// Free it from all owners but these.
    KeepOwners(Vec<OwnerReference>),
    /// Delete it. `unblock` says that its owners must not wait for it any more first.
    Delete {
        /// What becomes of its dependents.
        policy: PropagationPolicy,
        /// Owners and dependents wait for each other in a circle.
        unblock: bool,
    },
    /// Have these dependents looked at: it waits for them.
    Await(Vec<String>),
    /// Free these dependents, then take off the finalizer.
    Release(Vec<String>),
    /// Take off this finalizer.
    Unfinalize(&'static str),
}

/// Decides. `owners` are in the order of the item's references.
pub(super) fn decide(item: &Item, owners: &[Owner], dependents: &[Dependent]) -> Step {
    if item.frees_dependents() {
        return if dependents.is_empty() {
            Step::Unfinalize(ORPHAN)
        } else {
            Step::Release(dependents.iter().map(|dependent| dependent.uid.clone()).collect())
        };
    }
    if item.waits_for_dependents() {
        return await_dependents(dependents);
    }
    if item.deleting || item.owners.is_empty() {
        return Step::Rest;
    }
    judge_by_owners(item, owners, dependents)
}

fn await_dependents(dependents: &[Dependent]) -> Step {
    if dependents.iter().all(|dependent| !dependent.blocks) {
        return Step::Unfinalize(FOREGROUND);
    }
    let untouched = dependents.iter().filter(|dependent| !dependent.deleting);
    Step::Await(untouched.map(|dependent| dependent.uid.clone()).collect())
}

fn judge_by_owners(item: &Item, owners: &[Owner], dependents: &[Dependent]) -> Step {
    let solid = |owner: &Owner| matches!(owner, Owner::Present | Owner::Unknown);
    if owners.iter().any(solid) {
        if owners.iter().all(solid) {
            return Step::Rest;
        }
        let kept = item.owners.iter().zip(owners).filter(|(_, owner)| solid(owner));
        return Step::KeepOwners(kept.map(|(reference, _)| reference.clone()).collect());
    }
    if owners.contains(&Owner::Waiting) && !dependents.is_empty() {
        // Its own dependents go before it, as it goes before its owner.
        let unblock = dependents.iter().any(|dependent| dependent.waiting);
        return Step::Delete { policy: PropagationPolicy::Foreground, unblock };
    }
    let policy = if item.has(ORPHAN) {
        PropagationPolicy::Orphan
    } else if item.has(FOREGROUND) {
        PropagationPolicy::Foreground
    } else {
        PropagationPolicy::Background
    };
    Step::Delete { policy, unblock: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(owners: &[&str], deleting: bool, finalizers: &[&str]) -> Item {
        let owner = |uid: &&str| OwnerReference { uid: (*uid).to_owned(), ..OwnerReference::default() };
        Item {
            group: String::new(),
            kind: "Pod".into(),
            namespace: "ns".into(),
            name: "p".into(),
            owners: owners.iter().map(owner).collect(),
            finalizers: finalizers.iter().map(|finalizer| (*finalizer).to_owned()).collect(),
            deleting,
        }
    }

    fn dependent(uid: &str, blocks: bool, deleting: bool, waiting: bool) -> Dependent {
        Dependent { uid: uid.into(), blocks, deleting, waiting }
    }

    fn delete(policy: PropagationPolicy) -> Step {
        Step::Delete { policy, unblock: false }
    }

    #[test]
    fn owners_decide_over_life() {
        use Owner::{Absent, Present, Unknown, Waiting};
        let child = || vec![dependent("d", true, false, false)];
        let one = || item(&["a"], false, &[]);
        let two = || item(&["a", "b"], false, &[]);
        let keep = |uid: &str| Step::KeepOwners(item(&[uid], false, &[]).owners);
        let cases = [
            ("no owner", item(&[], false, &[]), vec![], vec![], Step::Rest),
            ("owner there", one(), vec![Present], vec![], Step::Rest),
            ("owner gone", one(), vec![Absent], vec![], delete(PropagationPolicy::Background)),
            (
                "owner gone, told to orphan",
                item(&["a"], false, &[ORPHAN]),
                vec![Absent],
                child(),
                delete(PropagationPolicy::Orphan),
            ),
            ("one of two gone", two(), vec![Absent, Present], vec![], keep("b")),
            ("one of two waits", two(), vec![Present, Waiting], vec![], keep("a")),
            ("both gone", two(), vec![Absent, Absent], vec![], delete(PropagationPolicy::Background)),
            ("owner cannot be told", one(), vec![Unknown], vec![], Step::Rest),
            ("owner waits", one(), vec![Waiting], vec![], delete(PropagationPolicy::Background)),
            ("owner waits, has children", one(), vec![Waiting], child(), delete(PropagationPolicy::Foreground)),
            (
                "in a circle",
                one(),
                vec![Waiting],
                vec![dependent("d", true, true, true)],
                Step::Delete { policy: PropagationPolicy::Foreground, unblock: true },
            ),
            ("on its way out", item(&["a"], true, &["x"]), vec![Absent], vec![], Step::Rest),
        ];
        for (name, item, owners, dependents, want) in cases {
            assert_eq!(decide(&item, &owners, &dependents), want, "{name}");
        }
    }

    #[test]
    fn an_owner_waits_for_those_that_block_it() {
        let owner = item(&[], true, &[FOREGROUND]);
        let blocking = [dependent("a", true, false, false), dependent("b", true, true, false)];
        assert_eq!(decide(&owner, &[], &blocking), Step::Await(vec!["a".into()]));
        let free = [dependent("a", false, false, false)];
        assert_eq!(decide(&owner, &[], &free), Step::Unfinalize(FOREGROUND));
        assert_eq!(decide(&owner, &[], &[]), Step::Unfinalize(FOREGROUND));
    }

    #[test]
    fn orphans_are_released_before_their_owner_goes() {
        let owner = item(&[], true, &[ORPHAN]);
        assert_eq!(decide(&owner, &[], &[dependent("a", true, false, false)]), Step::Release(vec!["a".into()]));
        assert_eq!(decide(&owner, &[], &[]), Step::Unfinalize(ORPHAN));
    }
}
