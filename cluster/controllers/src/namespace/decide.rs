//! What is left of a namespace, and whether it can go. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Namespace, NamespaceCondition},
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::{objects::owner, runtime::Resource};

/// What this controller stands for in `spec.finalizers`.
pub(super) const FINALIZER: &str = "kubernetes";

/// One object in the namespace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) uid: Option<String>,
    pub(super) deleting: bool,
    pub(super) finalizers: Vec<String>,
}

/// All that is in the namespace.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Objects by kind; kinds without any are left out.
    pub(super) kinds: Vec<(Resource, Vec<Item>)>,
    /// What could not be listed, and why.
    pub(super) failures: Vec<String>,
}

/// What to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// Objects to delete, by kind.
    pub(super) delete: Vec<(Resource, Vec<Item>)>,
    /// The conditions then.
    pub(super) conditions: Vec<NamespaceCondition>,
    /// Whether nothing is left, and it can go.
    pub(super) finalize: bool,
}

/// Whether a namespace is on its way out and waits for this controller.
pub(super) fn is_ending(namespace: &Namespace) -> bool {
    let finalizers = namespace.spec.iter().flat_map(|spec| spec.finalizers.iter().flatten());
    owner::is_deleting(&namespace.metadata) && finalizers.into_iter().any(|finalizer| finalizer == FINALIZER)
}

/// Decides.
pub(super) fn decide(namespace: &Namespace, content: &Content, discovery: Option<String>, now: Timestamp) -> Plan {
    let remains = !content.kinds.is_empty();
    let failed = discovery.is_some() || !content.failures.is_empty();
    // Pods first: what they still need (secrets, claims, service accounts) stays until they are gone.
    let pods = content.kinds.iter().any(|(kind, _)| is_pod(kind));
    let turn = content.kinds.iter().filter(|(kind, _)| !pods || is_pod(kind));
    let standing = |items: &[Item]| items.iter().filter(|item| !item.deleting).cloned().collect::<Vec<_>>();
    let delete = turn.map(|(kind, items)| (kind.clone(), standing(items))).filter(|(_, items)| !items.is_empty());
    let delete = delete.collect();
    Plan { delete, conditions: conditions(namespace, content, discovery, now), finalize: !remains && !failed }
}

fn is_pod(kind: &Resource) -> bool {
    kind.api.group.is_empty() && kind.api.kind == "Pod"
}

fn conditions(
    namespace: &Namespace,
    content: &Content,
    discovery: Option<String>,
    now: Timestamp,
) -> Vec<NamespaceCondition> {
    let old = namespace.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let failures = (!content.failures.is_empty()).then(|| content.failures.join("; "));
    let rows = [
        (
            "NamespaceDeletionDiscoveryFailure",
            discovery.map(|why| ("DiscoveryFailed", why)),
            ("ResourcesDiscovered", "All resources successfully discovered"),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ),
        (
            "NamespaceDeletionContentFailure",
            failures.map(|why| ("ContentDeletionFailed", why)),
            ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ),
        (
            "NamespaceContentRemaining",
            remaining(content).map(|what| ("SomeResourcesRemain", what)),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            finalizers(content).map(|what| ("SomeFinalizersRemain", what)),
            ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
        ),
    ];
    let condition = |(kind, bad, good): (&str, Option<(&str, String)>, (&str, &str))| {
        let status = if bad.is_some() { "True" } else { "False" };
        let (reason, message) = bad.unwrap_or((good.0, good.1.to_owned()));
        let known = old.iter().find(|known| known.type_ == kind && known.status == status);
        let since = known.and_then(|known| known.last_transition_time.clone()).unwrap_or(Time(now));
        NamespaceCondition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_transition_time: Some(since),
        }
    };
    rows.map(condition).into()
}

fn remaining(content: &Content) -> Option<String> {
    let count = |(kind, items): &(Resource, Vec<Item>)| {
        let group = &kind.api.group;
        let name =
            if group.is_empty() { format!("{}.", kind.api.plural) } else { format!("{}.{group}", kind.api.plural) };
        format!("{name} has {} resource instances", items.len())
    };
    let lines: Vec<_> = content.kinds.iter().map(count).collect();
    (!lines.is_empty()).then(|| format!("Some resources are remaining: {}", lines.join(", ")))
}

fn finalizers(content: &Content) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let items = content.kinds.iter().flat_map(|(_, items)| items);
    for finalizer in items.filter(|item| item.deleting).flat_map(|item| &item.finalizers) {
        *counts.entry(finalizer).or_default() += 1;
    }
    let lines: Vec<_> =
        counts.into_iter().map(|(finalizer, count)| format!("{finalizer} in {count} resource instances")).collect();
    (!lines.is_empty()).then(|| format!("Some content in the namespace has finalizers remaining: {}", lines.join(", ")))
}

#[cfg(test)]
mod tests {
    use kube::discovery::ApiResource;
    use serde_json::json;

    use super::*;

    fn resource(kind: &str, plural: &str, group: &str) -> Resource {
        let api = ApiResource {
            group: group.into(),
            version: "v1".into(),
            api_version: String::new(),
            kind: kind.into(),
            plural: plural.into(),
        };
        Resource { api, namespaced: true, watchable: true, sweepable: true }
    }

    fn item(name: &str, deleting: bool, finalizers: &[&str]) -> Item {
        let finalizers = finalizers.iter().map(|finalizer| (*finalizer).to_owned()).collect();
        Item { name: name.into(), uid: None, deleting, finalizers }
    }

    fn namespace() -> Namespace {
        serde_json::from_value(json!({
            "metadata": {"name": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"finalizers": [FINALIZER]}}))
        .unwrap()
    }

    fn plan(content: &Content, discovery: Option<&str>) -> Plan {
        let now = "2026-01-01T00:00:01Z".parse().unwrap();
        decide(&namespace(), content, discovery.map(str::to_owned), now)
    }

    fn message<'a>(plan: &'a Plan, kind: &str) -> &'a str {
        plan.conditions.iter().find(|condition| condition.type_ == kind).unwrap().message.as_deref().unwrap()
    }

    #[test]
    fn pods_go_first_then_the_rest_then_the_namespace() {
        let secrets = || (resource("Secret", "secrets", ""), vec![item("s", false, &[])]);
        let pods = vec![item("a", true, &["x/hold"]), item("b", false, &[])];
        let mut content = Content { kinds: vec![secrets(), (resource("Pod", "pods", ""), pods)], failures: vec![] };
        let first = plan(&content, None);
        let names: Vec<_> = first.delete.iter().flat_map(|(_, items)| items).map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["b"]);
        assert!(!first.finalize);
        assert_eq!(
            message(&first, "NamespaceContentRemaining"),
            "Some resources are remaining: secrets. has 1 resource instances, pods. has 2 resource instances"
        );
        assert_eq!(
            message(&first, "NamespaceFinalizersRemaining"),
            "Some content in the namespace has finalizers remaining: x/hold in 1 resource instances"
        );
        content.kinds.pop();
        assert_eq!(plan(&content, None).delete.len(), 1);
        let last = plan(&Content::default(), None);
        assert!(last.finalize && last.delete.is_empty());
        assert_eq!(message(&last, "NamespaceContentRemaining"), "All content successfully removed");
    }

    #[test]
    fn what_cannot_be_seen_holds_the_namespace() {
        assert!(!plan(&Content::default(), Some("down")).finalize);
        let content = Content { kinds: vec![], failures: vec!["cannot list x".into()] };
        let plan = plan(&content, None);
        assert!(!plan.finalize);
        assert_eq!(message(&plan, "NamespaceDeletionContentFailure"), "cannot list x");
    }
}
