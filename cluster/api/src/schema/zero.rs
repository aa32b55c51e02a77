//! What OpenAPI does not say: where Kubernetes tells absence from the zero value, and which objects it always has.
//!
//! In Go a scalar field is a plain value or a pointer. A plain value is left out of JSON when zero, a pointer only when
//! nil; and protobuf carries plain zeros, so a reader must know which zeros to drop. Likewise a struct that is not a
//! pointer is printed even when nothing is set (`status: {}`). Both are listed here for the kinds that are served.

/// The scalars of a type whose zero is a value of its own, separated by spaces.
pub(super) fn kept(type_name: &str) -> &'static str {
    lookup(KEPT, type_name)
}

/// The objects that a type always has, separated by spaces.
pub(super) fn always(type_name: &str) -> &'static str {
    lookup(ALWAYS, type_name)
}

fn lookup(rows: &[(&str, &'static str)], type_name: &str) -> &'static str {
    let prefixes = ["api.", "apimachinery.pkg.apis.", "apiextensions-apiserver.pkg.apis.", "kube-aggregator.pkg.apis."];
    let key = prefixes.into_iter().find_map(|prefix| type_name.strip_prefix(prefix));
    let found = key.and_then(|key| rows.binary_search_by(|(name, _)| (*name).cmp(key)).ok());
    found.map_or("", |at| rows[at].1)
}

/// Sorted by type.
static KEPT: &[(&str, &str)] = &[
    (
        "admissionregistration.v1.MutatingWebhook",
        "failurePolicy matchPolicy reinvocationPolicy sideEffects timeoutSeconds",
    ),
    ("admissionregistration.v1.ServiceReference", "path port"),
    ("admissionregistration.v1.ValidatingWebhook", "failurePolicy matchPolicy sideEffects timeoutSeconds"),
    ("apiextensions.v1.CustomResourceDefinitionVersion", "deprecationWarning"),
    (
        "apiextensions.v1.JSONSchemaProps",
        "maxItems maxLength maxProperties maximum minItems minLength minProperties minimum multipleOf x-kubernetes-preserve-unknown-fields",
    ),
    ("apiextensions.v1.ServiceReference", "path port"),
    ("apiregistration.v1.ServiceReference", "port"),
    ("apps.v1.DaemonSetSpec", "revisionHistoryLimit"),
    ("apps.v1.DaemonSetStatus", "collisionCount"),
    ("apps.v1.DeploymentSpec", "progressDeadlineSeconds replicas revisionHistoryLimit"),
    ("apps.v1.DeploymentStatus", "collisionCount terminatingReplicas"),
    ("apps.v1.ReplicaSetSpec", "replicas"),
    ("apps.v1.ReplicaSetStatus", "terminatingReplicas"),
    ("apps.v1.RollingUpdateStatefulSetStrategy", "partition"),
    ("apps.v1.StatefulSetSpec", "replicas revisionHistoryLimit"),
    ("apps.v1.StatefulSetStatus", "availableReplicas collisionCount"),
    ("authentication.v1.TokenRequestSpec", "expirationSeconds"),
    ("autoscaling.v1.HorizontalPodAutoscalerSpec", "minReplicas targetCPUUtilizationPercentage"),
    ("autoscaling.v2.HPAScalingRules", "selectPolicy stabilizationWindowSeconds"),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", "minReplicas"),
    ("autoscaling.v2.HorizontalPodAutoscalerStatus", "observedGeneration"),
    ("autoscaling.v2.MetricTarget", "averageUtilization"),
    (
        "batch.v1.CronJobSpec",
        "failedJobsHistoryLimit startingDeadlineSeconds successfulJobsHistoryLimit suspend timeZone",
    ),
    (
        "batch.v1.JobSpec",
        "activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy manualSelector maxFailedIndexes parallelism podReplacementPolicy suspend ttlSecondsAfterFinished",
    ),
    ("batch.v1.JobStatus", "failedIndexes ready terminating"),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "containerName"),
    ("batch.v1.SuccessPolicyRule", "succeededCount succeededIndexes"),
    ("coordination.v1.LeaseSpec", "holderIdentity leaseDurationSeconds leaseTransitions preferredHolder strategy"),
    ("core.v1.AppArmorProfile", "localhostProfile"),
    ("core.v1.AzureDiskVolumeSource", "cachingMode fsType kind readOnly"),
    ("core.v1.AzureFilePersistentVolumeSource", "secretNamespace"),
    ("core.v1.CSIVolumeSource", "fsType readOnly"),
    ("core.v1.ClientIPConfig", "timeoutSeconds"),
    ("core.v1.ClusterTrustBundleProjection", "name optional signerName user"),
    ("core.v1.ConfigMap", "immutable"),
    ("core.v1.ConfigMapEnvSource", "optional"),
    ("core.v1.ConfigMapKeySelector", "optional"),
    ("core.v1.ConfigMapProjection", "optional"),
    ("core.v1.ConfigMapVolumeSource", "defaultMode defaultUser optional"),
    ("core.v1.Container", "restartPolicy"),
    ("core.v1.ContainerStatus", "started stopSignal"),
    ("core.v1.DownwardAPIVolumeFile", "mode user"),
    ("core.v1.DownwardAPIVolumeSource", "defaultMode defaultUser"),
    ("core.v1.EndpointAddress", "nodeName"),
    ("core.v1.EndpointPort", "appProtocol"),
    ("core.v1.EphemeralContainer", "restartPolicy"),
    ("core.v1.FCVolumeSource", "lun"),
    ("core.v1.FileKeySelector", "optional"),
    ("core.v1.GRPCAction", "mode service"),
    ("core.v1.GlusterfsPersistentVolumeSource", "endpointsNamespace"),
    ("core.v1.HTTPGetAction", "protocol"),
    ("core.v1.HostPathVolumeSource", "type"),
    ("core.v1.ISCSIPersistentVolumeSource", "initiatorName"),
    ("core.v1.ISCSIVolumeSource", "initiatorName"),
    ("core.v1.KeyToPath", "mode user"),
    ("core.v1.Lifecycle", "stopSignal"),
    ("core.v1.LoadBalancerIngress", "ipMode"),
    ("core.v1.LocalVolumeSource", "fsType"),
    ("core.v1.NodeFeatures", "supplementalGroupsPolicy"),
    ("core.v1.NodeRuntimeHandlerFeatures", "recursiveReadOnlyMounts userNamespaces"),
    ("core.v1.NodeSwapStatus", "capacity"),
    ("core.v1.PersistentVolumeClaimSpec", "storageClassName volumeAttributesClassName volumeMode"),
    ("core.v1.PersistentVolumeClaimStatus", "currentVolumeAttributesClassName"),
    ("core.v1.PersistentVolumeSpec", "volumeAttributesClassName volumeMode"),
    ("core.v1.PodDNSConfigOption", "value"),
    ("core.v1.PodResourceClaim", "resourceClaimName resourceClaimTemplateName"),
    ("core.v1.PodResourceClaimStatus", "resourceClaimName"),
    (
        "core.v1.PodSecurityContext",
        "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy supplementalGroupsPolicy",
    ),
    (
        "core.v1.PodSpec",
        "activeDeadlineSeconds automountServiceAccountToken enableServiceLinks hostUsers hostnameOverride preemptionPolicy priority runtimeClassName setHostnameAsFQDN shareProcessNamespace terminationGracePeriodSeconds",
    ),
    ("core.v1.PortStatus", "error"),
    ("core.v1.Probe", "terminationGracePeriodSeconds"),
    ("core.v1.ProjectedVolumeSource", "defaultMode defaultUser"),
    ("core.v1.ReplicationControllerSpec", "replicas"),
    ("core.v1.SeccompProfile", "localhostProfile"),
    ("core.v1.Secret", "immutable"),
    ("core.v1.SecretEnvSource", "optional"),
    ("core.v1.SecretKeySelector", "optional"),
    ("core.v1.SecretProjection", "optional"),
    ("core.v1.SecretVolumeSource", "defaultMode defaultUser optional"),
    (
        "core.v1.SecurityContext",
        "allowPrivilegeEscalation privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser",
    ),
    ("core.v1.ServiceAccount", "automountServiceAccountToken"),
    ("core.v1.ServiceAccountTokenProjection", "expirationSeconds user"),
    ("core.v1.ServicePort", "appProtocol"),
    (
        "core.v1.ServiceSpec",
        "allocateLoadBalancerNodePorts internalTrafficPolicy ipFamilyPolicy loadBalancerClass trafficDistribution",
    ),
    ("core.v1.Toleration", "tolerationSeconds"),
    ("core.v1.TopologySpreadConstraint", "minDomains nodeAffinityPolicy nodeTaintsPolicy"),
    ("core.v1.TypedLocalObjectReference", "apiGroup"),
    ("core.v1.TypedObjectReference", "apiGroup namespace"),
    ("core.v1.VolumeMount", "mountPropagation recursiveReadOnly"),
    ("core.v1.VolumeMountStatus", "recursiveReadOnly"),
    ("core.v1.WindowsSecurityContextOptions", "gmsaCredentialSpec gmsaCredentialSpecName hostProcess runAsUserName"),
    ("discovery.v1.Endpoint", "hostname nodeName zone"),
    ("discovery.v1.EndpointConditions", "ready serving terminating"),
    ("discovery.v1.EndpointPort", "appProtocol name port"),
    ("meta.v1.DeleteOptions", "gracePeriodSeconds orphanDependents propagationPolicy"),
    ("meta.v1.ListMeta", "remainingItemCount"),
    ("meta.v1.ObjectMeta", "deletionGracePeriodSeconds"),
    ("meta.v1.OwnerReference", "blockOwnerDeletion controller"),
    ("meta.v1.Preconditions", "resourceVersion uid"),
    ("networking.v1.HTTPIngressPath", "pathType"),
    ("networking.v1.IngressSpec", "ingressClassName"),
    ("networking.v1.NetworkPolicyPort", "endPort protocol"),
    ("policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"),
    ("scheduling.v1.PriorityClass", "preemptionPolicy"),
    (
        "storage.v1.CSIDriverSpec",
        "attachRequired fsGroupPolicy podInfoOnMount requiresRepublish seLinuxMount storageCapacity",
    ),
    ("storage.v1.StorageClass", "allowVolumeExpansion reclaimPolicy volumeBindingMode"),
];

/// Sorted by type.
static ALWAYS: &[(&str, &str)] = &[
    ("admissionregistration.v1.MutatingWebhook", "clientConfig"),
    ("admissionregistration.v1.ValidatingAdmissionPolicy", "spec status"),
    ("admissionregistration.v1.ValidatingAdmissionPolicyBinding", "spec"),
    ("admissionregistration.v1.ValidatingWebhook", "clientConfig"),
    ("apiextensions.v1.CustomResourceDefinition", "spec status"),
    ("apiextensions.v1.CustomResourceDefinitionSpec", "names"),
    ("apiextensions.v1.CustomResourceDefinitionStatus", "acceptedNames"),
    ("apiregistration.v1.APIService", "spec status"),
    ("apps.v1.DaemonSet", "spec status"),
    ("apps.v1.DaemonSetSpec", "template updateStrategy"),
    ("apps.v1.Deployment", "spec status"),
    ("apps.v1.DeploymentSpec", "strategy template"),
    ("apps.v1.ReplicaSet", "spec status"),
    ("apps.v1.StatefulSet", "spec status"),
    ("apps.v1.StatefulSetSpec", "template updateStrategy"),
    ("authentication.v1.TokenRequest", "spec status"),
    ("autoscaling.v1.Scale", "spec status"),
    ("autoscaling.v2.HorizontalPodAutoscaler", "spec status"),
    ("autoscaling.v2.HorizontalPodAutoscalerSpec", "scaleTargetRef"),
    ("batch.v1.CronJob", "spec status"),
    ("batch.v1.CronJobSpec", "jobTemplate"),
    ("batch.v1.Job", "spec status"),
    ("batch.v1.JobSpec", "template"),
    ("batch.v1.JobTemplateSpec", "spec"),
    ("coordination.v1.Lease", "spec"),
    ("core.v1.Binding", "target"),
    ("core.v1.Container", "resources"),
    ("core.v1.ContainerStatus", "lastState state"),
    ("core.v1.EphemeralContainer", "resources"),
    ("core.v1.Event", "involvedObject source"),
    ("core.v1.LimitRange", "spec"),
    ("core.v1.Namespace", "spec status"),
    ("core.v1.Node", "spec status"),
    ("core.v1.NodeDaemonEndpoints", "kubeletEndpoint"),
    ("core.v1.NodeStatus", "daemonEndpoints nodeInfo"),
    ("core.v1.PersistentVolume", "spec status"),
    ("core.v1.PersistentVolumeClaim", "spec status"),
    ("core.v1.PersistentVolumeClaimSpec", "resources"),
    ("core.v1.PersistentVolumeClaimTemplate", "spec"),
    ("core.v1.Pod", "spec status"),
    ("core.v1.PodTemplate", "template"),
    ("core.v1.PodTemplateSpec", "spec"),
    ("core.v1.PreferredSchedulingTerm", "preference"),
    ("core.v1.ReplicationController", "spec status"),
    ("core.v1.ResourceQuota", "spec status"),
    ("core.v1.Service", "spec status"),
    ("core.v1.ServiceStatus", "loadBalancer"),
    ("core.v1.WeightedPodAffinityTerm", "podAffinityTerm"),
    ("discovery.v1.Endpoint", "conditions"),
    ("networking.v1.Ingress", "spec status"),
    ("networking.v1.IngressClass", "spec"),
    ("networking.v1.IngressStatus", "loadBalancer"),
    ("networking.v1.NetworkPolicy", "spec"),
    ("policy.v1.PodDisruptionBudget", "spec status"),
    ("rbac.v1.ClusterRoleBinding", "roleRef"),
    ("rbac.v1.RoleBinding", "roleRef"),
    ("storage.v1.CSIDriver", "spec"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Element, table};

    #[test]
    fn both_lists_are_sorted_and_name_existing_fields() {
        for rows in [KEPT, ALWAYS] {
            assert!(rows.is_sorted_by_key(|(name, _)| *name));
            for (name, fields) in rows {
                let full =
                    ["api", "apimachinery.pkg.apis", "apiextensions-apiserver.pkg.apis", "kube-aggregator.pkg.apis"];
                let full = full.map(|prefix| format!("{prefix}.{name}"));
                let a_type = full.iter().find_map(|full| table().by_name(full)).unwrap_or_else(|| panic!("{name}"));
                for field in fields.split(' ') {
                    let field = a_type.field(field).unwrap_or_else(|| panic!("{name} has no {field}"));
                    assert_eq!(std::ptr::eq(rows, ALWAYS), matches!(field.element, Element::Message(_)));
                }
            }
        }
    }
}
