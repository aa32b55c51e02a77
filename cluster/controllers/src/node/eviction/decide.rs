//! How long a pod stays on a tainted node. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

use crate::objects::{owner, pod};

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    ForEver,
    For(Duration),
    NotAtAll,
}

/// The taints of a node that drive pods away.
pub(super) fn hard_taints(node: &Node) -> impl Iterator<Item = &Taint> {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.filter(|taint| taint.effect == "NoExecute")
}

/// Decides: the shortest of what the pod's tolerations grant for each taint, from when it came.
pub(super) fn decide(subject: &Pod, node: &Node, now: Timestamp) -> Stay {
    if owner::is_deleting(&subject.metadata) || pod::is_finished(subject) {
        return Stay::ForEver;
    }
    let tolerations = subject.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    let mut shortest = Stay::ForEver;
    for taint in hard_taints(node) {
        shortest = shorter(shortest, stay(taint, tolerations, now));
    }
    shortest
}

fn shorter(a: Stay, b: Stay) -> Stay {
    match (a, b) {
        (Stay::NotAtAll, _) | (_, Stay::NotAtAll) => Stay::NotAtAll,
        (Stay::For(a), Stay::For(b)) => Stay::For(a.min(b)),
        (Stay::For(time), Stay::ForEver) | (Stay::ForEver, Stay::For(time)) => Stay::For(time),
        (Stay::ForEver, Stay::ForEver) => Stay::ForEver,
    }
}

fn stay(taint: &Taint, tolerations: &[Toleration], now: Timestamp) -> Stay {
    let mut matching = tolerations.iter().filter(|toleration| tolerates(toleration, taint)).peekable();
    if matching.peek().is_none() {
        return Stay::NotAtAll;
    }
    // One that names no time grants for ever only if no other names one.
    let Some(seconds) = matching.filter_map(|toleration| toleration.toleration_seconds).min() else {
        return Stay::ForEver;
    };
    let since = taint.time_added.as_ref().map_or(now, |time| time.0);
    let left = SignedDuration::from_secs(seconds.max(0)) - now.duration_since(since);
    match Duration::try_from(left) {
        Ok(left) if !left.is_zero() => Stay::For(left),
        _ => Stay::NotAtAll,
    }
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let (key, effect) = (text(&toleration.key), text(&toleration.effect));
    let exists = toleration.operator.as_deref() == Some("Exists");
    (effect.is_empty() || effect == taint.effect)
        && (key.is_empty() || key == taint.key)
        && (exists || (!key.is_empty() && text(&toleration.value) == text(&taint.value)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_pod_stays_as_long_as_it_tolerates() {
        let node: Node = serde_json::from_value(json!({"metadata": {"name": "n"}, "spec": {"taints": [
            {"key": "lost", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"},
            {"key": "gpu", "effect": "NoSchedule"}]}}))
        .unwrap();
        let now: Timestamp = "2026-01-01T00:01:40Z".parse().unwrap();
        let decided = |tolerations: Value, status: Value| {
            let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [], "tolerations": tolerations},
                "status": status});
            decide(&serde_json::from_value(pod).unwrap(), &node, now)
        };
        let seconds = |seconds: i64| json!({"key": "lost", "operator": "Exists", "tolerationSeconds": seconds});
        let for_ever = json!({"key": "lost", "operator": "Exists"});
        let cases = [
            ("none", json!([]), Stay::NotAtAll),
            ("for ever", json!([for_ever]), Stay::ForEver),
            ("for a while", json!([seconds(300)]), Stay::For(Duration::from_secs(200))),
            ("for the shortest", json!([seconds(300), seconds(150), for_ever]), Stay::For(Duration::from_secs(50))),
            ("no more", json!([seconds(100)]), Stay::NotAtAll),
            ("another", json!([{"key": "x", "operator": "Exists"}]), Stay::NotAtAll),
        ];
        for (name, tolerations, want) in cases {
            assert_eq!(decided(tolerations, json!({})), want, "{name}");
        }
        assert_eq!(decided(json!([]), json!({"phase": "Succeeded"})), Stay::ForEver);
    }
}
