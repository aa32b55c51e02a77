//! The order in which kinds are applied, and removed in reverse.

/// Helm's order of installation; kinds that it does not name come last, by name.
pub const INSTALL_ORDER: [&str; 38] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Helm's order of removal; kinds that it does not name come last, by name.
pub const UNINSTALL_ORDER: [&str; 38] = [
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "Ingress",
    "IngressClass",
    "Service",
    "CronJob",
    "Job",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "Pod",
    "DaemonSet",
    "RoleBindingList",
    "RoleBinding",
    "RoleList",
    "Role",
    "ClusterRoleBindingList",
    "ClusterRoleBinding",
    "ClusterRoleList",
    "ClusterRole",
    "CustomResourceDefinition",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StorageClass",
    "ConfigMap",
    "SecretList",
    "Secret",
    "ServiceAccount",
    "PodDisruptionBudget",
    "PodSecurityPolicy",
    "LimitRange",
    "ResourceQuota",
    "NetworkPolicy",
    "Namespace",
    "PriorityClass",
];

/// What to sort a kind by.
pub(crate) fn rank(kind: &str) -> (usize, String) {
    match INSTALL_ORDER.iter().position(|known| *known == kind) {
        Some(position) => (position, String::new()),
        None => (INSTALL_ORDER.len(), kind.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_in_the_order_in_which_they_need_each_other() {
        let mut kinds = vec![
            "Zebra",
            "Service",
            "Deployment",
            "APIService",
            "Namespace",
            "ConfigMap",
            "Aardvark",
            "ClusterRole",
            "CustomResourceDefinition",
            "Ingress",
            "ServiceAccount",
            "Job",
            "StatefulSet",
            "RoleBinding",
            "Pod",
            "PriorityClass",
            "MutatingWebhookConfiguration",
            "PersistentVolumeClaim",
            "HorizontalPodAutoscaler",
        ];
        kinds.sort_by_key(|kind| rank(kind));
        let want = [
            "PriorityClass",
            "Namespace",
            "ServiceAccount",
            "ConfigMap",
            "PersistentVolumeClaim",
            "CustomResourceDefinition",
            "ClusterRole",
            "RoleBinding",
            "Service",
            "Pod",
            "Deployment",
            "HorizontalPodAutoscaler",
            "StatefulSet",
            "Job",
            "Ingress",
            "APIService",
            "MutatingWebhookConfiguration",
            "Aardvark",
            "Zebra",
        ];
        assert_eq!(kinds, want);
    }
}
