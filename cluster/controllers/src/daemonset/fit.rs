//! Whether a node is fit for a set's pods.

use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration,
};
use kube::ResourceExt;

/// What a daemon endures wherever it runs: it is there for the node, whatever state that is in.
const ENDURED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const NO_NETWORK: &str = "node.kubernetes.io/network-unavailable";

/// How a pod stands to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fit {
    /// A pod is to be made there.
    pub(super) should_run: bool,
    /// One that is there may stay.
    pub(super) may_stay: bool,
}

/// Adds to a pod what every daemon endures.
pub(super) fn harden(pod: &mut PodSpec) {
    let host = pod.host_network == Some(true);
    let tolerations = pod.tolerations.get_or_insert_default();
    for (key, effect) in ENDURED.into_iter().chain(host.then_some((NO_NETWORK, "NoSchedule"))) {
        let toleration = Toleration {
            key: Some(key.to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        };
        if !tolerations.contains(&toleration) {
            tolerations.push(toleration);
        }
    }
}

/// Binds a pod to a node by an affinity, which the scheduler then follows.
pub(super) fn pin(pod: &mut PodSpec, node: &str) {
    let field = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let affinity = pod.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    let required = affinity.required_during_scheduling_ignored_during_execution.get_or_insert_default();
    if required.node_selector_terms.is_empty() {
        required.node_selector_terms.push(NodeSelectorTerm::default());
    }
    for term in &mut required.node_selector_terms {
        term.match_fields = Some(vec![field.clone()]);
    }
}

/// The node that a pod is pinned to.
pub(super) fn pinned(pod: &PodSpec) -> Option<&str> {
    let terms = &required(pod)?.node_selector_terms;
    let fields = terms.iter().flat_map(|term| term.match_fields.iter().flatten());
    fields
        .filter(|field| field.key == "metadata.name")
        .find_map(|field| field.values.as_ref()?.first())
        .map(String::as_str)
}

fn required(pod: &PodSpec) -> Option<&NodeSelector> {
    let Affinity {
        node_affinity: Some(NodeAffinity { required_during_scheduling_ignored_during_execution: required, .. }),
        ..
    } = pod.affinity.as_ref()?
    else {
        return None;
    };
    required.as_ref()
}

/// Whether a pod that endures what daemons do fits a node.
pub(super) fn fit(pod: &PodSpec, node: &Node) -> Fit {
    let wanted = pod.node_selector.iter().flatten().all(|(key, value)| node.labels().get(key) == Some(value));
    let chosen = required(pod).is_none_or(|terms| terms.node_selector_terms.iter().any(|term| chosen_by(term, node)));
    if !wanted || !chosen {
        return Fit { should_run: false, may_stay: false };
    }
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_ref());
    let open = taints.into_iter().flatten().filter(|taint| !tolerates(pod, taint)).map(|taint| taint.effect.as_str());
    let (bars, expels) = open.fold((false, false), |(bars, expels), effect| {
        (bars || matches!(effect, "NoSchedule" | "NoExecute"), expels || effect == "NoExecute")
    });
    Fit { should_run: !bars, may_stay: !expels }
}

fn chosen_by(term: &NodeSelectorTerm, node: &Node) -> bool {
    let by_label = term.match_expressions.iter().flatten().all(|wanted| holds(wanted, node.labels().get(&wanted.key)));
    let by_field = term.match_fields.iter().flatten().all(|wanted| holds(wanted, Some(&node.name_any())));
    by_label && by_field
}

fn holds(wanted: &NodeSelectorRequirement, value: Option<&String>) -> bool {
    let values = || wanted.values.iter().flatten();
    let compare = |test: fn(i64, i64) -> bool| {
        let number = |text: &String| text.parse::<i64>().ok();
        matches!((value.and_then(number), values().next().and_then(number)), (Some(own), Some(limit)) if test(own, limit))
    };
    match wanted.operator.as_str() {
        "In" => value.is_some_and(|value| values().any(|it| it == value)),
        "NotIn" => value.is_none_or(|value| values().all(|it| it != value)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(|own, limit| own > limit),
        "Lt" => compare(|own, limit| own < limit),
        _ => false,
    }
}

fn tolerates(pod: &PodSpec, taint: &Taint) -> bool {
    pod.tolerations.iter().flatten().any(|toleration| {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let key = toleration.key.as_deref().unwrap_or_default();
        let by_value = toleration.operator.as_deref() == Some("Exists")
            || toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default();
        (effect.is_empty() || effect == taint.effect) && (key.is_empty() || key == taint.key) && by_value
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(pod: Value, node: Value) -> (bool, bool) {
        let mut pod: PodSpec = serde_json::from_value(pod).unwrap();
        harden(&mut pod);
        let fit = fit(&pod, &serde_json::from_value(node).unwrap());
        (fit.should_run, fit.may_stay)
    }

    #[test]
    fn daemons_go_where_they_fit() {
        let node = |labels: Value, taints: Value| json!({"metadata": {"name": "n", "labels": labels}, "spec": {"taints": taints}});
        let pod = |extra: Value| {
            let mut pod = json!({"containers": []});
            kpkg_api::patch::merge(&mut pod, &extra);
            pod
        };
        let taint = |effect: &str| json!([{"key": "own", "effect": effect}]);
        let terms = |operator: &str, values: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "size", "operator": operator, "values": values}]}]}}}})
        };
        let cases = [
            (pod(json!({})), node(json!({}), json!([])), (true, true)),
            (pod(json!({})), node(json!({}), taint("NoSchedule")), (false, true)),
            (pod(json!({})), node(json!({}), taint("NoExecute")), (false, false)),
            (pod(json!({"tolerations": [{"operator": "Exists"}]})), node(json!({}), taint("NoExecute")), (true, true)),
            (
                pod(json!({})),
                node(json!({}), json!([{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])),
                (true, true),
            ),
            (pod(json!({"nodeSelector": {"disk": "ssd"}})), node(json!({}), json!([])), (false, false)),
            (pod(json!({"nodeSelector": {"disk": "ssd"}})), node(json!({"disk": "ssd"}), json!([])), (true, true)),
            (pod(terms("In", json!(["4"]))), node(json!({"size": "4"}), json!([])), (true, true)),
            (pod(terms("Gt", json!(["4"]))), node(json!({"size": "4"}), json!([])), (false, false)),
            (pod(terms("NotIn", json!(["5"]))), node(json!({}), json!([])), (true, true)),
        ];
        for (number, (pod, node, want)) in cases.into_iter().enumerate() {
            assert_eq!(check(pod, node), want, "case {number}");
        }
    }

    #[test]
    fn a_pod_is_pinned_to_one_node() {
        let mut pod = PodSpec::default();
        assert_eq!(pinned(&pod), None);
        pin(&mut pod, "n1");
        assert_eq!(pinned(&pod), Some("n1"));
    }
}
