use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::statefulset::revision::{Revision, Step};

/// A world in which the actions are carried out and pods become ready when the test says so.
struct World {
    set: Value,
    pods: BTreeMap<String, Value>,
    claims: BTreeMap<String, Value>,
    revisions: Vec<Arc<ControllerRevision>>,
}

impl World {
    fn new(replicas: i32, spec: Value) -> Self {
        let mut set = json!({
            "metadata": {"name": "db", "namespace": "ns", "uid": "set", "generation": 1},
            "spec": {"replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "updateStrategy": {"type": "RollingUpdate"}, "revisionHistoryLimit": 10,
                "template": template("v1"),
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]},
        });
        for (key, value) in spec.as_object().unwrap() {
            set["spec"][key] = value.clone();
        }
        Self { set, pods: BTreeMap::new(), claims: BTreeMap::new(), revisions: Vec::new() }
    }

    fn step(&mut self) -> Plan {
        let set: Arc<StatefulSet> = Arc::new(serde_json::from_value(self.set.clone()).unwrap());
        let update = match revision::step(&set, &self.revisions, 0) {
            Step::None(revision) | Step::Renumber(revision, _) => revision,
            Step::Create(revision) => {
                self.revisions.push(Arc::new(*revision));
                self.revisions.last().unwrap().clone()
            }
        };
        let wanted = set.status.as_ref().and_then(|status| status.current_revision.clone());
        let current = self.revisions.iter().find(|revision| revision.metadata.name == wanted).unwrap_or(&update);
        let named = |revision: &ControllerRevision| Revision {
            name: revision.name_any(),
            template: serde_json::from_value(revision.data.0["spec"]["template"].clone()).unwrap(),
        };
        let revisions =
            Revisions { current: named(current), update: named(&update), all: self.revisions.clone(), collisions: 0 };
        let pods: Vec<_> =
            self.pods.values().map(|pod| Arc::new(serde_json::from_value(pod.clone()).unwrap())).collect();
        let claims = self.claims.clone();
        let claim_of =
            move |name: &str| claims.get(name).map(|claim| Arc::new(serde_json::from_value(claim.clone()).unwrap()));
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let plan = decide(&Observed { set: &set, pods: &pods, revisions: &revisions, claim_of: &claim_of, now });
        for action in &plan.actions {
            match action {
                Action::CreateClaim(claim, _) => {
                    self.claims.insert(claim.name_any(), serde_json::to_value(claim).unwrap());
                }
                Action::CreatePod(pod) => {
                    let mut value = serde_json::to_value(pod).unwrap();
                    value["metadata"]["uid"] = json!(pod.name_any());
                    value["status"] = json!({"phase": "Pending"});
                    assert!(self.pods.insert(pod.name_any(), value).is_none());
                }
                Action::DeletePod(pod) => {
                    let pod = self.pods.get_mut(&pod.name_any()).unwrap();
                    pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                }
                Action::SetOwners(claim, owners) => {
                    self.claims.get_mut(&claim.name_any()).unwrap()["metadata"]["ownerReferences"] = json!(owners);
                }
                Action::Relabel(..) => {}
                Action::DeleteRevision(revision) => {
                    self.revisions.retain(|known| known.metadata.name != revision.metadata.name);
                }
            }
        }
        self.set["status"] = serde_json::to_value(&plan.status).unwrap();
        plan
    }

    fn ready(&mut self, name: &str) {
        self.pods.get_mut(name).unwrap()["status"] = json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}]});
    }

    /// Deleted pods vanish, all others become ready.
    fn kubelet(&mut self) {
        self.pods.retain(|_, pod| pod["metadata"]["deletionTimestamp"].is_null());
        for name in self.pods.keys().cloned().collect::<Vec<_>>() {
            self.ready(&name);
        }
    }

    fn settle(&mut self) {
        for _ in 0..60 {
            let before = (self.pods.clone(), self.set.clone());
            self.step();
            self.kubelet();
            if before == (self.pods.clone(), self.set.clone()) {
                return;
            }
        }
        panic!("the set does not settle");
    }

    fn names(&self) -> Vec<&str> {
        self.pods.keys().map(String::as_str).collect()
    }

    /// The image of each pod.
    fn images(&self) -> Vec<&str> {
        self.pods.values().map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap()).collect()
    }
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

fn summary(plan: &Plan) -> Vec<String> {
    let line = |action: &Action| match action {
        Action::CreateClaim(claim, _) => format!("claim {}", claim.name_any()),
        Action::CreatePod(pod) => format!("create {}", pod.name_any()),
        Action::DeletePod(pod) => format!("delete {}", pod.name_any()),
        Action::SetOwners(claim, owners) => format!("own {} {}", claim.name_any(), owners.len()),
        Action::Relabel(pod, _) => format!("relabel {}", pod.name_any()),
        Action::DeleteRevision(_) => "forget".to_owned(),
    };
    plan.actions.iter().map(line).collect()
}

#[test]
fn pods_are_made_in_order_each_after_the_one_before_is_ready() {
    let mut world = World::new(3, json!({}));
    assert_eq!(summary(&world.step()), ["claim data-db-0", "create db-0"]);
    assert!(world.step().actions.is_empty(), "db-0 is not ready");
    world.ready("db-0");
    assert_eq!(summary(&world.step()), ["claim data-db-1", "create db-1"]);
    world.ready("db-1");
    world.step();
    world.ready("db-2");
    let plan = world.step();
    assert!(plan.actions.is_empty());
    assert_eq!((plan.status.replicas, plan.status.ready_replicas), (3, Some(3)));
    assert_eq!(plan.status.current_revision, plan.status.update_revision);
}

#[test]
fn a_parallel_set_makes_all_at_once() {
    let mut world = World::new(3, json!({"podManagementPolicy": "Parallel"}));
    let plan = world.step();
    assert_eq!(plan.actions.len(), 6);
    world.settle();
    world.set["spec"]["replicas"] = json!(0);
    assert_eq!(summary(&world.step()), ["delete db-2", "delete db-1", "delete db-0"]);
}

#[test]
fn scaling_down_goes_from_the_highest_one_at_a_time_and_keeps_claims() {
    let mut world = World::new(3, json!({}));
    world.settle();
    world.set["spec"]["replicas"] = json!(1);
    assert_eq!(summary(&world.step()), ["delete db-2"]);
    assert!(world.step().actions.is_empty(), "db-2 is still there");
    world.kubelet();
    assert_eq!(summary(&world.step()), ["delete db-1"]);
    world.settle();
    assert_eq!(world.names(), ["db-0"]);
    assert_eq!(world.claims.len(), 3);
}

#[test]
fn claims_go_with_surplus_pods_if_the_policy_says_so() {
    let policy = json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Delete"}});
    let mut world = World::new(2, policy);
    world.settle();
    world.set["spec"]["replicas"] = json!(1);
    assert_eq!(summary(&world.step()), ["own data-db-1 1", "delete db-1"]);
    assert_eq!(world.claims["data-db-1"]["metadata"]["ownerReferences"][0]["kind"], "Pod");
}

#[test]
fn an_update_replaces_pods_from_the_highest() {
    let mut world = World::new(3, json!({}));
    world.settle();
    world.set["spec"]["template"] = template("v2");
    assert_eq!(summary(&world.step()), ["delete db-2"]);
    world.kubelet();
    assert_eq!(summary(&world.step()), ["create db-2"]);
    assert!(world.step().actions.is_empty(), "the new db-2 is not ready");
    world.kubelet();
    assert_eq!(summary(&world.step()), ["delete db-1"]);
    world.settle();
    assert_eq!(world.images(), ["v2", "v2", "v2"]);
    let status = world.step().status;
    assert_eq!(status.current_revision, status.update_revision);
}

#[test]
fn a_partition_keeps_lower_pods_back_even_when_they_are_lost() {
    let mut world = World::new(3, json!({}));
    world.settle();
    world.set["spec"]["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    world.set["spec"]["template"] = template("v2");
    world.settle();
    assert_eq!(world.images(), ["v1", "v1", "v2"]);
    world.pods.remove("db-0");
    world.settle();
    assert_eq!(world.images(), ["v1", "v1", "v2"]);
    assert_eq!(world.step().status.updated_replicas, Some(1));
}

#[test]
fn on_delete_waits_for_the_user() {
    let mut world = World::new(2, json!({"updateStrategy": {"type": "OnDelete"}}));
    world.settle();
    world.set["spec"]["template"] = template("v2");
    world.settle();
    assert_eq!(world.images(), ["v1", "v1"]);
    world.pods.remove("db-1");
    world.settle();
    assert_eq!(world.images(), ["v1", "v2"]);
}

#[test]
fn several_may_be_replaced_at_once_if_allowed() {
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 2}});
    let mut world = World::new(4, json!({"updateStrategy": rolling, "podManagementPolicy": "Parallel"}));
    world.settle();
    world.set["spec"]["template"] = template("v2");
    assert_eq!(summary(&world.step()), ["delete db-3", "delete db-2"]);
    assert!(world.step().actions.is_empty());
    world.settle();
    assert_eq!(world.images(), ["v2", "v2", "v2", "v2"]);
}

#[test]
fn a_failed_pod_is_made_anew() {
    let mut world = World::new(1, json!({}));
    world.settle();
    world.pods.get_mut("db-0").unwrap()["status"]["phase"] = json!("Failed");
    assert_eq!(summary(&world.step()), ["delete db-0"]);
    world.kubelet();
    assert_eq!(summary(&world.step()), ["create db-0"]);
}

#[test]
fn a_pod_waits_for_a_claim_on_its_way_out_and_a_lost_one_is_made_anew() {
    let mut world = World::new(1, json!({}));
    world.settle();
    world.pods.clear();
    world.claims.get_mut("data-db-0").unwrap()["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(world.step().actions.is_empty());
    world.claims.clear();
    assert_eq!(summary(&world.step()), ["claim data-db-0", "create db-0"]);
    world.claims.clear();
    assert_eq!(summary(&world.step()), ["claim data-db-0"], "of a pending pod");
}

#[test]
fn a_set_on_its_way_out_is_only_counted() {
    let mut world = World::new(2, json!({}));
    world.settle();
    world.set["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.pods.remove("db-1");
    let plan = world.step();
    assert!(plan.actions.is_empty());
    assert_eq!(plan.status.replicas, 1);
}
