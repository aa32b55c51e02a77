//! The order in which resources are written.

use std::cmp::Ordering;

use crate::id::Id;

/// What comes first and what comes last unless a kustomization says otherwise; all else lies between.
const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Where kinds stand: below zero first, above zero last.
pub(crate) fn kind_rank(kind: &str) -> isize {
    rank(kind, FIRST, LAST)
}

fn rank<T: AsRef<str>>(kind: &str, first: &[T], last: &[T]) -> isize {
    let place = |list: &[T]| list.iter().position(|known| known.as_ref() == kind).map(usize::cast_signed);
    match (place(last), place(first)) {
        (Some(at), _) => 1 + at,
        (None, Some(at)) => at - first.len().cast_signed(),
        (None, None) => 0,
    }
}

/// An order of kinds.
#[derive(Debug, Clone)]
pub(crate) struct KindOrder {
    first: Vec<String>,
    last: Vec<String>,
}

impl KindOrder {
    /// The usual one.
    pub(crate) fn usual() -> Self {
        let owned = |list: &[&str]| list.iter().map(|&kind| kind.to_owned()).collect();
        Self::new(owned(FIRST), owned(LAST))
    }

    /// One of the user's.
    pub(crate) fn new(first: Vec<String>, last: Vec<String>) -> Self {
        Self { first, last }
    }

    /// What resources are sorted by.
    pub(crate) fn key(&self, id: &Id<'_>) -> SortKey {
        let or = |value: &str, none: &str| if value.is_empty() { none.to_owned() } else { value.to_owned() };
        SortKey {
            rank: rank(id.kind, &self.first, &self.last),
            core_namespace: id.kind == "Namespace",
            gvk: format!("{}_{}_{}", or(id.group, "~G"), or(id.version, "~V"), or(id.kind, "~K")),
            is_core: id.group.is_empty(),
            rest: format!("{}|{}", or(id.namespace, "~X"), or(id.name, "~N")),
        }
    }
}

/// The place of one resource.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    rank: isize,
    core_namespace: bool,
    is_core: bool,
    gvk: String,
    rest: String,
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank).then_with(|| {
            let gvk = self.gvk.cmp(&other.gvk);
            // Namespaces of the core group come before those of other groups.
            let swapped = self.core_namespace && other.core_namespace && (self.is_core || other.is_core);
            (if swapped { gvk.reverse() } else { gvk }).then_with(|| self.rest.cmp(&other.rest))
        })
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_first_webhooks_last() {
        let id = |group, kind, name| Id { group, version: "v1", kind, name, namespace: "" };
        let order = KindOrder::usual();
        let mut ids = [
            id("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "w"),
            id("apps", "Deployment", "b"),
            id("x.io", "Thing", "t"),
            id("", "Pod", "p"),
            id("apps", "Deployment", "a"),
            id("x.io", "Namespace", "n"),
            id("", "Namespace", "n"),
        ];
        ids.sort_by_key(|id| order.key(id));
        let names: Vec<String> = ids.iter().map(|id| format!("{}{}/{}", id.group, id.kind, id.name)).collect();
        assert_eq!(
            names,
            [
                "Namespace/n",
                "x.ioNamespace/n",
                "appsDeployment/a",
                "appsDeployment/b",
                "x.ioThing/t",
                "Pod/p",
                "admissionregistration.k8s.ioValidatingWebhookConfiguration/w"
            ]
        );
    }
}
