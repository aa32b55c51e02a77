//! The kinds that this server serves, as `kubectl api-resources` shows them.

use super::{Type, TypeId, table};
use std::sync::LazyLock;

/// A served kind: one row of discovery.
#[derive(Debug)]
pub struct Kind {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version of the group.
    pub version: &'static str,
    /// The kind: `Deployment`.
    pub kind: &'static str,
    /// The resource: `deployments`.
    pub plural: &'static str,
    /// The resource's singular: `deployment`.
    pub singular: &'static str,
    /// What kubectl also takes for it: `deploy`.
    pub short_names: &'static [&'static str],
    /// Groups of resources it belongs to: `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Parts with an address of their own.
    pub subresources: &'static [Subresource],
    /// What can be done to it.
    pub verbs: &'static [&'static str],
    /// Its type in the table; of custom kinds, whose schema is not there, that of their metadata.
    pub type_id: TypeId,
    /// Whether a `CustomResourceDefinition` defines it.
    pub custom: bool,
    /// The version in which its objects are stored.
    pub storage_version: &'static str,
    /// The fields of a custom kind by which objects can be selected.
    pub selectable: &'static [&'static str],
}

/// A subresource of a [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subresource {
    /// The last part of its path: `scale`.
    pub name: &'static str,
    /// The group of the kind it speaks, where discovery shows one that differs from the resource's.
    pub group: &'static str,
    /// The version of that kind, likewise.
    pub version: &'static str,
    /// The kind it speaks.
    pub kind: &'static str,
    /// What can be done to it.
    pub verbs: &'static [&'static str],
}

/// All served kinds, sorted by group, version and plural.
pub fn kinds() -> &'static [Kind] {
    &KINDS
}

/// A served kind by group, version and kind.
pub fn kind(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    kinds().iter().find(|row| row.kind == kind && row.group == group && row.version == version)
}

/// A served kind by group, version and plural.
pub fn resource(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    kinds().iter().find(|row| row.plural == plural && row.group == group && row.version == version)
}

impl Kind {
    /// `apps/v1`, or `v1` for the core.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The resource as messages name it: `deployments.apps`, or `pods` for the core.
    pub fn group_resource(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// The kind as messages name it: `Deployment.apps`, or `Pod` for the core.
    pub fn group_kind(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// Its type.
    pub fn type_(&self) -> &'static Type {
        table().get(self.type_id)
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// Whether the object's status is written through a subresource of its own.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }

    /// Whether this is that kind of that group, whatever the version.
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

pub(super) const ALL_VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CREATE: &[&str] = &["create"];
const GET: &[&str] = &["get"];
const STREAM: &[&str] = &["create", "get"];
const PART: &[&str] = &["get", "patch", "update"];

/// A subresource of the resource's own kind.
pub(super) const fn part(kind: &'static str) -> Subresource {
    Subresource { name: "status", group: "", version: "", kind, verbs: PART }
}

pub(super) const SCALE: Subresource =
    Subresource { name: "scale", group: "autoscaling", version: "v1", kind: "Scale", verbs: PART };

const fn sub(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource { name, group: "", version: "", kind, verbs }
}

/// A row before its type is looked up.
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    subresources: &'static [Subresource],
    verbs: &'static [&'static str],
}

const BASE: Row = Row {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short_names: &[],
    categories: &[],
    namespaced: true,
    subresources: &[],
    verbs: ALL_VERBS,
};
const CORE: Row = BASE;
const APPS: Row = Row { group: "apps", ..BASE };
const RBAC: Row = Row { group: "rbac.authorization.k8s.io", ..BASE };

static ROWS: &[Row] = &[
    Row { kind: "Binding", plural: "bindings", singular: "binding", verbs: CREATE, ..CORE },
    Row { kind: "ConfigMap", plural: "configmaps", singular: "configmap", short_names: &["cm"], ..CORE },
    Row { kind: "Endpoints", plural: "endpoints", singular: "endpoints", short_names: &["ep"], ..CORE },
    Row { kind: "Event", plural: "events", singular: "event", short_names: &["ev"], ..CORE },
    Row {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short_names: &["ns"],
        namespaced: false,
        subresources: &[part("Namespace"), sub("finalize", "Namespace", &["update"])],
        verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
        ..CORE
    },
    Row {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short_names: &["no"],
        namespaced: false,
        subresources: &[part("Node")],
        ..CORE
    },
    Row {
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        singular: "persistentvolumeclaim",
        short_names: &["pvc"],
        subresources: &[part("PersistentVolumeClaim")],
        ..CORE
    },
    Row {
        kind: "PersistentVolume",
        plural: "persistentvolumes",
        singular: "persistentvolume",
        short_names: &["pv"],
        namespaced: false,
        subresources: &[part("PersistentVolume")],
        ..CORE
    },
    Row {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short_names: &["po"],
        categories: &["all"],
        subresources: &[
            part("Pod"),
            sub("attach", "PodAttachOptions", STREAM),
            sub("binding", "Binding", CREATE),
            Subresource { name: "eviction", group: "policy", version: "v1", kind: "Eviction", verbs: CREATE },
            sub("exec", "PodExecOptions", STREAM),
            sub("log", "Pod", GET),
            sub("portforward", "PodPortForwardOptions", STREAM),
        ],
        ..CORE
    },
    Row { kind: "Secret", plural: "secrets", singular: "secret", ..CORE },
    Row {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short_names: &["sa"],
        subresources: &[Subresource {
            name: "token",
            group: "authentication.k8s.io",
            version: "v1",
            kind: "TokenRequest",
            verbs: CREATE,
        }],
        ..CORE
    },
    Row {
        kind: "Service",
        plural: "services",
        singular: "service",
        short_names: &["svc"],
        categories: &["all"],
        subresources: &[part("Service")],
        ..CORE
    },
    Row { kind: "LimitRange", plural: "limitranges", singular: "limitrange", short_names: &["limits"], ..CORE },
    Row { kind: "PodTemplate", plural: "podtemplates", singular: "podtemplate", ..CORE },
    Row {
        kind: "ReplicationController",
        plural: "replicationcontrollers",
        singular: "replicationcontroller",
        short_names: &["rc"],
        categories: &["all"],
        subresources: &[part("ReplicationController"), SCALE],
        ..CORE
    },
    Row {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        singular: "resourcequota",
        short_names: &["quota"],
        subresources: &[part("ResourceQuota")],
        ..CORE
    },
    Row {
        group: "admissionregistration.k8s.io",
        kind: "MutatingWebhookConfiguration",
        plural: "mutatingwebhookconfigurations",
        singular: "mutatingwebhookconfiguration",
        categories: &["api-extensions"],
        namespaced: false,
        ..BASE
    },
    Row {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicy",
        plural: "validatingadmissionpolicies",
        singular: "validatingadmissionpolicy",
        categories: &["api-extensions"],
        namespaced: false,
        subresources: &[part("ValidatingAdmissionPolicy")],
        ..BASE
    },
    Row {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingAdmissionPolicyBinding",
        plural: "validatingadmissionpolicybindings",
        singular: "validatingadmissionpolicybinding",
        categories: &["api-extensions"],
        namespaced: false,
        ..BASE
    },
    Row {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingWebhookConfiguration",
        plural: "validatingwebhookconfigurations",
        singular: "validatingwebhookconfiguration",
        categories: &["api-extensions"],
        namespaced: false,
        ..BASE
    },
    Row {
        group: "apiextensions.k8s.io",
        kind: "CustomResourceDefinition",
        plural: "customresourcedefinitions",
        singular: "customresourcedefinition",
        short_names: &["crd", "crds"],
        categories: &["api-extensions"],
        namespaced: false,
        subresources: &[part("CustomResourceDefinition")],
        ..BASE
    },
    Row {
        group: "apiregistration.k8s.io",
        kind: "APIService",
        plural: "apiservices",
        singular: "apiservice",
        categories: &["api-extensions"],
        namespaced: false,
        subresources: &[part("APIService")],
        ..BASE
    },
    Row { kind: "ControllerRevision", plural: "controllerrevisions", singular: "controllerrevision", ..APPS },
    Row {
        kind: "DaemonSet",
        plural: "daemonsets",
        singular: "daemonset",
        short_names: &["ds"],
        categories: &["all"],
        subresources: &[part("DaemonSet")],
        ..APPS
    },
    Row {
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short_names: &["deploy"],
        categories: &["all"],
        subresources: &[part("Deployment"), SCALE],
        ..APPS
    },
    Row {
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short_names: &["rs"],
        categories: &["all"],
        subresources: &[part("ReplicaSet"), SCALE],
        ..APPS
    },
    Row {
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short_names: &["sts"],
        categories: &["all"],
        subresources: &[part("StatefulSet"), SCALE],
        ..APPS
    },
    Row {
        group: "autoscaling",
        version: "v2",
        kind: "HorizontalPodAutoscaler",
        plural: "horizontalpodautoscalers",
        singular: "horizontalpodautoscaler",
        short_names: &["hpa"],
        categories: &["all"],
        subresources: &[part("HorizontalPodAutoscaler")],
        ..BASE
    },
    Row {
        group: "batch",
        kind: "CronJob",
        plural: "cronjobs",
        singular: "cronjob",
        short_names: &["cj"],
        categories: &["all"],
        subresources: &[part("CronJob")],
        ..BASE
    },
    Row {
        group: "batch",
        kind: "Job",
        plural: "jobs",
        singular: "job",
        categories: &["all"],
        subresources: &[part("Job")],
        ..BASE
    },
    Row { group: "coordination.k8s.io", kind: "Lease", plural: "leases", singular: "lease", ..BASE },
    Row {
        group: "discovery.k8s.io",
        kind: "EndpointSlice",
        plural: "endpointslices",
        singular: "endpointslice",
        ..BASE
    },
    Row { group: "events.k8s.io", kind: "Event", plural: "events", singular: "event", short_names: &["ev"], ..BASE },
    Row {
        group: "networking.k8s.io",
        kind: "Ingress",
        plural: "ingresses",
        singular: "ingress",
        short_names: &["ing"],
        subresources: &[part("Ingress")],
        ..BASE
    },
    Row {
        group: "networking.k8s.io",
        kind: "IngressClass",
        plural: "ingressclasses",
        singular: "ingressclass",
        namespaced: false,
        ..BASE
    },
    Row {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        plural: "networkpolicies",
        singular: "networkpolicy",
        short_names: &["netpol"],
        ..BASE
    },
    Row {
        group: "node.k8s.io",
        kind: "RuntimeClass",
        plural: "runtimeclasses",
        singular: "runtimeclass",
        namespaced: false,
        ..BASE
    },
    Row {
        group: "policy",
        kind: "PodDisruptionBudget",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        short_names: &["pdb"],
        subresources: &[part("PodDisruptionBudget")],
        ..BASE
    },
    Row { kind: "ClusterRole", plural: "clusterroles", singular: "clusterrole", namespaced: false, ..RBAC },
    Row {
        kind: "ClusterRoleBinding",
        plural: "clusterrolebindings",
        singular: "clusterrolebinding",
        namespaced: false,
        ..RBAC
    },
    Row { kind: "Role", plural: "roles", singular: "role", ..RBAC },
    Row { kind: "RoleBinding", plural: "rolebindings", singular: "rolebinding", ..RBAC },
    Row {
        group: "scheduling.k8s.io",
        kind: "PriorityClass",
        plural: "priorityclasses",
        singular: "priorityclass",
        short_names: &["pc"],
        namespaced: false,
        ..BASE
    },
    Row {
        group: "storage.k8s.io",
        kind: "CSIDriver",
        plural: "csidrivers",
        singular: "csidriver",
        namespaced: false,
        ..BASE
    },
    Row {
        group: "storage.k8s.io",
        kind: "StorageClass",
        plural: "storageclasses",
        singular: "storageclass",
        short_names: &["sc"],
        namespaced: false,
        ..BASE
    },
];

static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| ROWS.iter().map(Row::resolve).collect());

impl Row {
    fn resolve(&self) -> Kind {
        let type_id =
            table().id_by_kind(self.group, self.version, self.kind).expect("every row's kind is in the table");
        Kind {
            group: self.group,
            version: self.version,
            kind: self.kind,
            plural: self.plural,
            singular: self.singular,
            short_names: self.short_names,
            categories: self.categories,
            namespaced: self.namespaced,
            subresources: self.subresources,
            verbs: self.verbs,
            type_id,
            custom: false,
            storage_version: self.version,
            selectable: &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_both_ways() {
        for row in kinds() {
            assert!(std::ptr::eq(row, kind(row.group, row.version, row.kind).expect("by kind")));
            assert!(std::ptr::eq(row, resource(row.group, row.version, row.plural).expect("by plural")));
        }
    }

    #[test]
    fn messages_name_kinds_with_their_group() {
        let deployment = kind("apps", "v1", "Deployment").expect("Deployment");
        assert_eq!(deployment.group_resource(), "deployments.apps");
        assert_eq!(deployment.group_kind(), "Deployment.apps");
        assert_eq!(deployment.api_version(), "apps/v1");
        assert!(deployment.has_status());
        let pod = kind("", "v1", "Pod").expect("Pod");
        assert_eq!((pod.group_resource(), pod.api_version()), ("pods".to_owned(), "v1".to_owned()));
        assert!(pod.subresource("exec").is_some());
    }
}
