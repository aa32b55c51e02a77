//! Conditions and taints of a node. Pure.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Node, NodeCondition, Pod, Taint},
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::objects::pod;

const READY: &str = "Ready";
/// What a kubelet reports besides readiness.
const PRESSURES: [&str; 3] = ["MemoryPressure", "DiskPressure", "PIDPressure"];
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Condition, the status that is bad, and the taint for it.
const BY_CONDITION: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", "node.kubernetes.io/network-unavailable"),
];

/// What changes as long as a node lives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Heartbeat {
    renewed: Option<Timestamp>,
    reported: Option<Timestamp>,
}

/// The node's last signs of life.
pub(super) fn heartbeat(node: &Node, lease: Option<&Lease>) -> Heartbeat {
    let renewed = lease.and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref()).map(|time| time.0);
    let reported = condition(node, READY).and_then(|ready| ready.last_heartbeat_time.as_ref()).map(|time| time.0);
    Heartbeat { renewed, reported }
}

fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

fn status_of<'a>(node: &'a Node, kind: &str) -> &'a str {
    condition(node, kind).map_or("", |condition| condition.status.as_str())
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    /// Conditions to write, if they change.
    pub(super) conditions: Option<Vec<NodeCondition>>,
    /// Taints to write, if they change.
    pub(super) taints: Option<Vec<Taint>>,
    /// Whether its pods must not count as ready.
    pub(super) unready_pods: bool,
}

/// Decides; `lost` says that the node has been silent for too long.
pub(super) fn decide(node: &Node, lost: bool, now: Timestamp) -> Plan {
    let conditions = if lost { give_up(node, now) } else { None };
    let ready = if lost { "Unknown" } else { status_of(node, READY) };
    let present = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
    let wanted = taints(node, ready, &present, now);
    Plan {
        conditions,
        taints: (!same_taints(&present, &wanted)).then_some(wanted),
        // A node that has not reported at all has no pods of its own yet.
        unready_pods: matches!(ready, "False" | "Unknown"),
    }
}

/// The conditions of a node that nobody hears of, unless they say so already.
fn give_up(node: &Node, now: Timestamp) -> Option<Vec<NodeCondition>> {
    let mut conditions = node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let mut changed = false;
    for kind in std::iter::once(READY).chain(PRESSURES) {
        match conditions.iter_mut().find(|condition| condition.type_ == kind) {
            Some(known) if known.status == "Unknown" => {}
            Some(known) => {
                known.status = "Unknown".to_owned();
                known.reason = Some("NodeStatusUnknown".to_owned());
                known.message = Some("Kubelet stopped posting node status.".to_owned());
                known.last_transition_time = Some(Time(now));
                changed = true;
            }
            None => {
                conditions.push(NodeCondition {
                    type_: kind.to_owned(),
                    status: "Unknown".to_owned(),
                    reason: Some("NodeStatusNeverUpdated".to_owned()),
                    message: Some("Kubelet never posted node status.".to_owned()),
                    last_heartbeat_time: node.metadata.creation_timestamp.clone(),
                    last_transition_time: Some(Time(now)),
                });
                changed = true;
            }
        }
    }
    changed.then_some(conditions)
}

/// The taints that the node should have: those of others as they are, ours by the conditions.
fn taints(node: &Node, ready: &str, present: &[Taint], now: Timestamp) -> Vec<Taint> {
    let by_condition = BY_CONDITION.iter().filter(|(kind, _)| status_of(node, kind) == "True");
    let mut wanted: Vec<(&str, &str)> = by_condition.map(|(_, taint)| (*taint, "NoSchedule")).collect();
    if node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false) {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    match ready {
        "False" => wanted.extend([(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]),
        "Unknown" => wanted.extend([(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]),
        // It has yet to say how it is, and takes no pods until then.
        "" => wanted.push((NOT_READY, "NoSchedule")),
        _ => {}
    }
    let mut taints: Vec<Taint> = present.iter().filter(|taint| !is_ours(taint)).cloned().collect();
    for (key, effect) in wanted {
        let known = present.iter().find(|taint| taint.key == key && taint.effect == effect);
        taints.push(known.cloned().unwrap_or_else(|| Taint {
            key: key.to_owned(),
            effect: effect.to_owned(),
            value: None,
            time_added: Some(Time(now)),
        }));
    }
    taints
}

fn is_ours(taint: &Taint) -> bool {
    let keys = BY_CONDITION.iter().map(|(_, key)| *key).chain([NOT_READY, UNREACHABLE, UNSCHEDULABLE]);
    keys.into_iter().any(|key| key == taint.key)
}

fn same_taints(a: &[Taint], b: &[Taint]) -> bool {
    a.len() == b.len()
        && a.iter().all(|taint| b.iter().any(|other| other.key == taint.key && other.effect == taint.effect))
}

/// The pods of a lost node that still count as ready.
pub(super) fn falsely_ready(pods: Vec<Arc<Pod>>) -> Vec<Arc<Pod>> {
    pods.into_iter().filter(|subject| pod::is_ready(subject)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(conditions: Value, spec: Value) -> Node {
        serde_json::from_value(json!({"metadata": {"name": "n"}, "spec": spec, "status": {"conditions": conditions}}))
            .unwrap()
    }

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn tainted(plan: &Plan) -> Option<Vec<(String, String)>> {
        let taints = plan.taints.as_ref()?;
        Some(taints.iter().map(|taint| (taint.key.rsplit('/').next().unwrap().into(), taint.effect.clone())).collect())
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(key, effect)| ((*key).to_owned(), (*effect).to_owned())).collect()
    }

    #[test]
    fn taints_follow_conditions() {
        let ready = |status: &str| json!([{"type": "Ready", "status": status}]);
        let foreign = json!({"taints": [{"key": "gpu", "effect": "NoSchedule"}]});
        let stale = json!({"taints": [{"key": NOT_READY, "effect": "NoSchedule"}]});
        let pressed = json!([{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "True"}]);
        let not_ready = [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")];
        let cases = [
            ("healthy", ready("True"), json!({}), None),
            ("new", json!([]), json!({}), Some(pairs(&[("not-ready", "NoSchedule")]))),
            ("not ready", ready("False"), json!({}), Some(pairs(&not_ready))),
            ("ready again", ready("True"), stale, Some(pairs(&[]))),
            (
                "cordoned",
                ready("True"),
                json!({"unschedulable": true}),
                Some(pairs(&[("unschedulable", "NoSchedule")])),
            ),
            ("out of disk", pressed, foreign, Some(pairs(&[("gpu", "NoSchedule"), ("disk-pressure", "NoSchedule")]))),
        ];
        for (name, conditions, spec, want) in cases {
            assert_eq!(tainted(&decide(&node(conditions, spec), false, now())), want, "{name}");
        }
    }

    #[test]
    fn a_silent_node_is_marked_once() {
        let plan = decide(&node(json!([{"type": "Ready", "status": "True"}]), json!({})), true, now());
        let conditions = plan.conditions.clone().unwrap();
        let reasons: Vec<_> = conditions.iter().map(|condition| condition.reason.as_deref().unwrap()).collect();
        let never = "NodeStatusNeverUpdated";
        assert_eq!(reasons, ["NodeStatusUnknown", never, never, never]);
        assert_eq!(tainted(&plan), Some(pairs(&[("unreachable", "NoSchedule"), ("unreachable", "NoExecute")])));
        assert!(plan.unready_pods);
        let marked = node(
            serde_json::to_value(conditions).unwrap(),
            json!({"taints": serde_json::to_value(plan.taints).unwrap()}),
        );
        let again = decide(&marked, true, now());
        assert_eq!((again.conditions, again.taints), (None, None));
    }

    #[test]
    fn either_sign_of_life_is_a_heartbeat() {
        let at = |second: u8| format!("2026-01-01T00:00:{second:02}Z");
        let node = |second| {
            let ready = json!([{"type": "Ready", "status": "True", "lastHeartbeatTime": at(second)}]);
            node(ready, json!({}))
        };
        let lease = |second: u8| -> Lease {
            let renewed = format!("2026-01-01T00:00:{second:02}.000000Z");
            serde_json::from_value(json!({"metadata": {}, "spec": {"renewTime": renewed}})).unwrap()
        };
        let base = heartbeat(&node(1), Some(&lease(1)));
        assert_eq!(base, heartbeat(&node(1), Some(&lease(1))));
        assert_ne!(base, heartbeat(&node(2), Some(&lease(1))));
        assert_ne!(base, heartbeat(&node(1), Some(&lease(2))));
    }
}
