//! What people read about types and fields: Kubernetes' own words, as the crate `k8s-openapi` has them.
//!
//! They are gathered when the first document is asked for, and only what went into documents is kept.

use k8s_openapi::{
    api::{
        admissionregistration::v1::{
            MutatingWebhookConfiguration, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
            ValidatingWebhookConfiguration,
        },
        apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::{CronJob, Job},
        coordination::v1::Lease,
        core::v1::{
            Binding, ConfigMap, Endpoints, Event as CoreEvent, LimitRange, Namespace, Node, PersistentVolume,
            PersistentVolumeClaim, Pod, PodTemplate, ReplicationController, ResourceQuota, Secret, Service,
            ServiceAccount,
        },
        discovery::v1::EndpointSlice,
        events::v1::Event,
        networking::v1::{Ingress, IngressClass, NetworkPolicy},
        node::v1::RuntimeClass,
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        scheduling::v1::PriorityClass,
        storage::v1::{CSIDriver, StorageClass},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    kube_aggregator::pkg::apis::apiregistration::v1::APIService,
    schemars::{JsonSchema, Schema, SchemaGenerator},
};
use serde_json::{Map, Value};

/// The texts of types, by their full names (`io.k8s.api.core.v1.Pod`).
pub(super) struct Texts(Map<String, Value>);

type Gather = fn(&mut SchemaGenerator) -> Schema;

fn gather<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Every served kind; the types that they are made of follow.
const KINDS: [Gather; 45] = [
    gather::<Binding>,
    gather::<ConfigMap>,
    gather::<ControllerRevision>,
    gather::<CoreEvent>,
    gather::<Deployment>,
    gather::<EndpointSlice>,
    gather::<Endpoints>,
    gather::<Event>,
    gather::<Lease>,
    gather::<Namespace>,
    gather::<Node>,
    gather::<PersistentVolume>,
    gather::<PersistentVolumeClaim>,
    gather::<Pod>,
    gather::<ReplicaSet>,
    gather::<Secret>,
    gather::<Service>,
    gather::<ServiceAccount>,
    gather::<StatefulSet>,
    gather::<StorageClass>,
    gather::<MutatingWebhookConfiguration>,
    gather::<ValidatingAdmissionPolicy>,
    gather::<ValidatingAdmissionPolicyBinding>,
    gather::<ValidatingWebhookConfiguration>,
    gather::<DaemonSet>,
    gather::<HorizontalPodAutoscaler>,
    gather::<CronJob>,
    gather::<Job>,
    gather::<LimitRange>,
    gather::<PodTemplate>,
    gather::<ReplicationController>,
    gather::<ResourceQuota>,
    gather::<Ingress>,
    gather::<IngressClass>,
    gather::<NetworkPolicy>,
    gather::<RuntimeClass>,
    gather::<PodDisruptionBudget>,
    gather::<ClusterRole>,
    gather::<ClusterRoleBinding>,
    gather::<Role>,
    gather::<RoleBinding>,
    gather::<PriorityClass>,
    gather::<CSIDriver>,
    gather::<CustomResourceDefinition>,
    gather::<APIService>,
];

impl Texts {
    /// No texts.
    pub(super) fn none() -> Self {
        Self(Map::new())
    }

    /// Gathers the texts of all served kinds.
    pub(super) fn gather() -> Self {
        let mut generator = SchemaGenerator::default();
        for gather in KINDS {
            gather(&mut generator);
        }
        Self(generator.take_definitions(false))
    }

    /// What a type is.
    pub(super) fn of_type(&self, name: &str) -> Option<&str> {
        self.0.get(name)?["description"].as_str()
    }

    /// What a field of a type is.
    pub(super) fn of_field(&self, name: &str, field: &str) -> Option<&str> {
        self.0.get(name)?["properties"][field]["description"].as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kpkg_api::schema;

    #[test]
    fn every_served_kind_has_words() {
        let texts = Texts::gather();
        for kind in schema::kinds() {
            let name = format!("io.k8s.{}", kind.type_().name);
            assert!(texts.of_type(&name).is_some(), "{name}");
        }
        let container = texts.of_field("io.k8s.api.core.v1.PodSpec", "containers").expect("a text");
        assert!(container.starts_with("List of containers belonging to the pod."), "{container}");
    }
}
