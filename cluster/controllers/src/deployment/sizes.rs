//! How many pods each set of a deployment should have; pure arithmetic.

use std::sync::Arc;

use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::ResourceExt;

use super::revision;
use crate::objects::percent::{self, Round};

/// What the deployment's spec says about numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods wanted.
    pub(super) replicas: i32,
    /// Pods allowed beyond that during a rollout.
    pub(super) surge: i32,
    /// Pods that may be missing during a rollout.
    pub(super) unavailable: i32,
    /// Whether old and new pods may run side by side.
    pub(super) rolling: bool,
}

impl Bounds {
    /// Reads them off.
    pub(super) fn of(deployment: &Deployment) -> Self {
        let replicas = deployment.spec.replicas.unwrap_or(1);
        let strategy = deployment.spec.strategy.as_ref();
        if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("Recreate") {
            return Self { replicas, surge: 0, unavailable: 0, rolling: false };
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let part =
            |value: Option<&IntOrString>, round| value.map_or(0, |value| percent::resolve(value, replicas, round));
        let surge = part(rolling.and_then(|rolling| rolling.max_surge.as_ref()), Round::Up);
        let unavailable = part(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()), Round::Down);
        // Both may come out as zero by rounding, and then nothing could ever move.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Self { replicas, surge, unavailable: unavailable.min(replicas), rolling: true }
    }

    /// Pods that must be available at any time.
    pub(super) fn min_available(&self) -> i32 {
        if self.rolling { self.replicas - self.unavailable } else { 0 }
    }

    /// Pods allowed at any time.
    pub(super) fn most(&self) -> i32 {
        self.replicas + self.surge
    }
}

/// A set with the size it is about to have.
#[derive(Clone, Debug)]
pub(super) struct Sized {
    /// The set as observed.
    pub(super) set: Arc<ReplicaSet>,
    /// Its size.
    pub(super) size: i32,
}

impl Sized {
    /// A set with the size that its spec has.
    pub(super) fn new(set: Arc<ReplicaSet>) -> Self {
        Self { size: spec_size(&set), set }
    }

    fn available(&self) -> i32 {
        available(&self.set)
    }
}

/// The size that a set's spec asks for.
pub(super) fn spec_size(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// Pods that a set reports as available.
pub(super) fn available(set: &ReplicaSet) -> i32 {
    set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or(0)
}

/// The size of the new set, given that of all: it grows as far as the bounds allow.
pub(super) fn new_set(bounds: &Bounds, size: i32, total: i32) -> i32 {
    if size >= bounds.replicas || !bounds.rolling {
        return bounds.replicas;
    }
    let room = bounds.most() - total;
    if room <= 0 { size } else { size + room.min(bounds.replicas - size) }
}

/// Shrinks the old sets as far as the bounds allow, first by pods that are not available anyway.
/// `old` is ordered by age.
pub(super) fn shrink_old(bounds: &Bounds, old: &mut [Sized], new: Option<&Sized>) {
    let total: i32 = old.iter().chain(new).map(|set| set.size).sum();
    let new_unavailable = new.map_or(0, |set| set.size - set.available());
    let room = total - bounds.min_available() - new_unavailable;
    if room <= 0 {
        return;
    }
    shrink_unhealthy(old, room);
    let available: i32 = old.iter().chain(new).map(Sized::available).sum();
    let mut spare = available - bounds.min_available();
    for set in old.iter_mut() {
        let step = set.size.min(spare.max(0));
        set.size -= step;
        spare -= step;
    }
}

fn shrink_unhealthy(old: &mut [Sized], mut room: i32) {
    for set in old.iter_mut() {
        let step = room.min(set.size - set.available()).max(0);
        set.size -= step;
        room -= step;
    }
}

/// Sizes after the deployment itself was scaled in the middle of a rollout, or while paused: the
/// change is spread over the sets in proportion to their sizes.
pub(super) fn rescale(bounds: &Bounds, sets: &mut [Sized], deployed: i32) {
    let total: i32 = sets.iter().map(|set| set.size).sum();
    let allowed = if bounds.replicas > 0 { bounds.most() } else { 0 };
    let to_add = allowed - total;
    if to_add == 0 {
        return;
    }
    // The largest first; among equals the newest when growing, the oldest when shrinking.
    sets.sort_by(|a, b| {
        let age = a.set.creation_timestamp().cmp(&b.set.creation_timestamp());
        b.size.cmp(&a.size).then(if to_add > 0 { age.reverse() } else { age })
    });
    let mut added = 0;
    for set in sets.iter_mut() {
        let step = proportion(bounds, set, deployed, to_add, added);
        set.size += step;
        added += step;
    }
    if let Some(largest) = sets.first_mut() {
        largest.size = (largest.size + to_add - added).max(0);
    }
}

fn proportion(bounds: &Bounds, set: &Sized, deployed: i32, to_add: i32, added: i32) -> i32 {
    if set.size == 0 || to_add == added {
        return 0;
    }
    let (share, left) = (fraction(bounds, set, deployed), to_add - added);
    if to_add > 0 { share.min(left) } else { share.max(left) }
}

fn fraction(bounds: &Bounds, set: &Sized, deployed: i32) -> i32 {
    if bounds.replicas == 0 {
        return -set.size;
    }
    // The deployment's full size when this set was last scaled; its actual size if unknown.
    let before = revision::annotated_number(&set.set, revision::MAX_REPLICAS).unwrap_or(deployed);
    if before <= 0 {
        return 0;
    }
    let product = i64::from(set.size) * i64::from(bounds.most());
    // Rounded to the nearest, halves up: all operands are positive.
    let rounded = (2 * product + i64::from(before)) / (2 * i64::from(before));
    i32::try_from(rounded).unwrap_or(i32::MAX) - set.size
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bounds(replicas: i32, surge: i32, unavailable: i32) -> Bounds {
        Bounds { replicas, surge, unavailable, rolling: true }
    }

    fn set(name: &str, size: i32, available: i32, most: Option<i32>, age: u32) -> Sized {
        let annotations = most.map(|most| json!({revision::MAX_REPLICAS: most.to_string()}));
        Sized::new(Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "annotations": annotations,
                    "creationTimestamp": format!("2026-01-{:02}T00:00:00Z", 28 - age)},
                "spec": {"replicas": size, "selector": {}},
                "status": {"replicas": size, "availableReplicas": available},
            }))
            .unwrap(),
        ))
    }

    fn sizes(sets: &[Sized]) -> Vec<(String, i32)> {
        let mut sizes: Vec<_> = sets.iter().map(|set| (set.set.name_any(), set.size)).collect();
        sizes.sort();
        sizes
    }

    #[test]
    fn bounds_are_rounded_apart() {
        let cases = [
            (10, json!("25%"), json!("25%"), (3, 2)),
            (1, json!("25%"), json!("25%"), (1, 0)),
            (3, json!(0), json!("1%"), (0, 1)),
            (2, json!(5), json!(5), (5, 2)),
        ];
        for (replicas, surge, unavailable, want) in cases {
            let deployment = serde_json::from_value(json!({"metadata": {}, "spec": {
                "replicas": replicas, "selector": {}, "template": {},
                "strategy": {"type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}))
            .unwrap();
            let bounds = Bounds::of(&deployment);
            assert_eq!((bounds.surge, bounds.unavailable), want, "{replicas} {surge} {unavailable}");
        }
    }

    #[test]
    fn the_new_set_grows_within_the_surge() {
        for (size, total, want) in [(0, 10, 3), (3, 13, 3), (3, 11, 5), (9, 9, 10), (12, 12, 10)] {
            assert_eq!(new_set(&bounds(10, 3, 2), size, total), want, "{size} of {total}");
        }
    }

    #[test]
    fn old_sets_shrink_within_what_may_be_missing() {
        struct Case {
            name: &'static str,
            old: Vec<Sized>,
            new: Sized,
            want: &'static [i32],
        }
        let cases = [
            Case {
                name: "at the start two may go",
                old: vec![set("a", 10, 10, None, 1)],
                new: set("n", 3, 0, None, 0),
                want: &[8],
            },
            Case {
                name: "none while the new are not available",
                old: vec![set("a", 8, 8, None, 1)],
                new: set("n", 5, 0, None, 0),
                want: &[8],
            },
            Case {
                name: "as many as became available",
                old: vec![set("a", 8, 8, None, 1)],
                new: set("n", 5, 3, None, 0),
                want: &[5],
            },
            Case {
                name: "the unhealthy go first, the oldest before the rest",
                old: vec![set("a", 4, 4, None, 2), set("b", 6, 3, None, 1)],
                new: set("n", 3, 2, None, 0),
                want: &[3, 3],
            },
        ];
        for mut case in cases {
            shrink_old(&bounds(10, 3, 2), &mut case.old, Some(&case.new));
            let got: Vec<_> = case.old.iter().map(|set| set.size).collect();
            assert_eq!(got, case.want, "{}", case.name);
        }
    }

    #[test]
    fn a_scaled_rollout_is_spread_in_proportion() {
        // 10 replicas with a surge of 3 grow to 15 (surge 5) while two sets share them.
        let mut sets = [set("old", 8, 8, Some(13), 1), set("new", 5, 0, Some(13), 0)];
        rescale(&bounds(15, 5, 3), &mut sets, 13);
        assert_eq!(sizes(&sets), [("new".into(), 8), ("old".into(), 12)]);
        let mut sets = [set("old", 8, 8, Some(13), 1), set("new", 5, 0, Some(13), 0)];
        rescale(&bounds(5, 2, 1), &mut sets, 13);
        assert_eq!(sizes(&sets), [("new".into(), 3), ("old".into(), 4)]);
        let mut sets = [set("old", 8, 8, Some(13), 1), set("new", 5, 0, Some(13), 0)];
        rescale(&bounds(0, 0, 0), &mut sets, 13);
        assert_eq!(sizes(&sets), [("new".into(), 0), ("old".into(), 0)]);
    }

    #[test]
    fn leftovers_go_to_the_largest() {
        let mut sets = [set("a", 1, 1, Some(3), 2), set("b", 1, 1, Some(3), 1), set("c", 1, 1, Some(3), 0)];
        rescale(&bounds(5, 0, 1), &mut sets, 3);
        let total: i32 = sets.iter().map(|set| set.size).sum();
        assert_eq!(total, 5);
    }
}
