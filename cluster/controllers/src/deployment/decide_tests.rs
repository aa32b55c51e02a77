use serde_json::{Value, json};

use super::*;

/// A world in which sets do what they are told and pods become available when the test says so.
struct World {
    deployment: Value,
    sets: BTreeMap<String, Value>,
    now: Timestamp,
    busy: bool,
    made: usize,
}

impl World {
    fn new(replicas: i32, strategy: Value) -> Self {
        let deployment = json!({
            "metadata": {"name": "web", "namespace": "ns", "uid": "u", "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                "progressDeadlineSeconds": 600, "revisionHistoryLimit": 2, "strategy": strategy,
                "template": template("v1")},
        });
        Self { deployment, sets: BTreeMap::new(), now: "2026-01-01T00:00:00Z".parse().unwrap(), busy: false, made: 0 }
    }

    fn rolling(replicas: i32) -> Self {
        let parts = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
        Self::new(replicas, json!({"type": "RollingUpdate", "rollingUpdate": parts}))
    }

    fn change(&mut self, pointer: &str, value: Value) {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.deployment.pointer_mut(parent).unwrap()[field] = value;
        let generation = self.deployment["metadata"]["generation"].as_i64().unwrap();
        self.deployment["metadata"]["generation"] = json!(generation + 1);
    }

    fn observed(&self) -> Observed {
        let sets: Vec<Arc<ReplicaSet>> =
            self.sets.values().map(|set| serde_json::from_value(set.clone()).unwrap()).collect();
        let busy = if self.busy { sets.iter().filter_map(|set| set.uid()).collect() } else { HashSet::new() };
        let deployment = serde_json::from_value(self.deployment.clone()).unwrap();
        Observed { deployment: Arc::new(deployment), sets, busy, now: self.now }
    }

    /// One reconcile, carried out on the world.
    fn step(&mut self) -> Plan {
        let plan = decide(&self.observed());
        for action in &plan.actions {
            match action {
                Action::Create(set) => {
                    let mut value = serde_json::to_value(set).unwrap();
                    let age = self.made;
                    self.made += 1;
                    value["metadata"]["creationTimestamp"] = json!(format!("2026-01-01T00:00:{age:02}Z"));
                    value["metadata"]["uid"] = json!(format!("set-{age}"));
                    value["status"] = json!({"replicas": 0});
                    self.sets.insert(set.name_any(), value);
                }
                Action::Update(update) => {
                    let value = self.sets.get_mut(&update.set.name_any()).unwrap();
                    if let Some(size) = update.size {
                        value["spec"]["replicas"] = json!(size);
                    }
                    for (key, annotation) in &update.annotations {
                        value["metadata"]["annotations"][key] = json!(annotation);
                    }
                }
                Action::Delete(set) => drop(self.sets.remove(&set.name_any())),
                Action::SetRevision(revision) => {
                    self.deployment["metadata"]["annotations"] = json!({revision::REVISION: revision});
                }
                Action::WarnSelectingAll => {}
            }
        }
        self.deployment["status"] = serde_json::to_value(&plan.status).unwrap();
        plan
    }

    /// Every set has the pods it wants, all of them available.
    fn pods_come_up(&mut self) {
        for set in self.sets.values_mut() {
            let size = set["spec"]["replicas"].clone();
            set["status"] = json!({"replicas": size, "readyReplicas": size, "availableReplicas": size});
        }
    }

    /// Every set has the pods it wants, those beyond the available ones not ready.
    fn pods_start(&mut self) {
        for set in self.sets.values_mut() {
            let size = set["spec"]["replicas"].as_i64().unwrap();
            let available = set["status"]["availableReplicas"].as_i64().unwrap_or(0).min(size);
            set["status"] = json!({"replicas": size, "readyReplicas": available, "availableReplicas": available});
        }
    }

    fn settle(&mut self) {
        for _ in 0..50 {
            let before = (self.sets.clone(), self.deployment.clone());
            self.step();
            self.pods_come_up();
            if before == (self.sets.clone(), self.deployment.clone()) {
                return;
            }
        }
        panic!("the rollout does not settle");
    }

    /// Sizes of all sets, the oldest first.
    fn sizes(&self) -> Vec<i64> {
        let mut sets: Vec<_> = self.sets.values().collect();
        sets.sort_by_key(|set| set["metadata"]["creationTimestamp"].as_str().unwrap().to_owned());
        sets.iter().map(|set| set["spec"]["replicas"].as_i64().unwrap()).collect()
    }
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}})
}

fn condition(plan: &Plan, kind: &str) -> (String, String, String) {
    let conditions = plan.status.conditions.as_ref().unwrap();
    let found = conditions.iter().find(|condition| condition.type_.as_deref() == Some(kind)).unwrap();
    (found.status.clone().unwrap(), found.reason.clone().unwrap(), found.message.clone().unwrap())
}

fn reason(plan: &Plan, kind: &str) -> String {
    condition(plan, kind).1
}

#[test]
fn a_new_deployment_makes_one_set_and_becomes_available() {
    let mut world = World::rolling(3);
    let plan = world.step();
    assert_eq!(world.sizes(), [3]);
    let name = world.sets.keys().next().unwrap().clone();
    assert_eq!(reason(&plan, "Progressing"), "NewReplicaSetCreated");
    assert_eq!(condition(&plan, "Progressing").2, format!("Created new replica set \"{name}\""));
    assert_eq!(reason(&plan, "Available"), "MinimumReplicasUnavailable");
    assert_eq!(plan.status.unavailable_replicas, Some(3));
    world.pods_start();
    let plan = world.step();
    assert_eq!(condition(&plan, "Progressing").2, format!("ReplicaSet \"{name}\" is progressing."));
    world.pods_come_up();
    let plan = world.step();
    let want = ("True", "NewReplicaSetAvailable", &*format!("ReplicaSet \"{name}\" has successfully progressed."));
    let got = condition(&plan, "Progressing");
    assert_eq!((&*got.0, &*got.1, &*got.2), want);
    assert_eq!(reason(&plan, "Available"), "MinimumReplicasAvailable");
    assert_eq!(plan.status.updated_replicas, Some(3));
    assert_eq!(plan.look_again, None);
    assert!(world.step().actions.is_empty(), "settled");
}

#[test]
fn a_rolling_update_keeps_within_its_bounds() {
    let mut world = World::rolling(4);
    world.settle();
    world.change("/spec/template", template("v2"));
    let mut seen = Vec::new();
    for _ in 0..20 {
        world.step();
        let sizes = world.sizes();
        let available: i64 =
            world.sets.values().map(|set| set["status"]["availableReplicas"].as_i64().unwrap_or(0)).sum();
        assert!(sizes.iter().sum::<i64>() <= 5, "surge: {sizes:?}");
        assert!(available >= 3, "available: {available}");
        if seen.last() != Some(&sizes) {
            seen.push(sizes);
        }
        world.pods_start();
        world.step();
        world.pods_come_up();
    }
    assert_eq!(seen.first(), Some(&vec![4, 1]));
    assert_eq!(seen.last(), Some(&vec![0, 4]));
    assert_eq!(world.deployment["metadata"]["annotations"][revision::REVISION], "2");
}

#[test]
fn nothing_more_goes_while_the_new_pods_do_not_come_up() {
    let mut world = World::rolling(4);
    world.settle();
    world.change("/spec/template", template("broken"));
    for _ in 0..10 {
        world.step();
        world.pods_start();
    }
    assert_eq!(world.sizes(), [3, 2], "one missing, one beyond");
    world.now += jiff::SignedDuration::from_secs(601);
    let plan = world.step();
    assert_eq!(reason(&plan, "Progressing"), "ProgressDeadlineExceeded");
    assert_eq!(condition(&plan, "Progressing").0, "False");
}

#[test]
fn the_deadline_is_looked_at_in_time() {
    let mut world = World::rolling(1);
    world.step();
    world.now += jiff::SignedDuration::from_secs(100);
    assert_eq!(world.step().look_again, Some(Duration::from_secs(501)));
}

#[test]
fn recreate_ends_the_old_before_it_makes_the_new() {
    let mut world = World::new(2, json!({"type": "Recreate"}));
    world.settle();
    world.change("/spec/template", template("v2"));
    world.busy = true;
    world.step();
    assert_eq!(world.sizes(), [0]);
    world.pods_come_up();
    world.step();
    assert_eq!(world.sizes(), [0], "old pods are still there");
    world.busy = false;
    world.step();
    assert_eq!(world.sizes(), [0, 2]);
}

#[test]
fn scaling_without_a_rollout_resizes_the_one_set() {
    let mut world = World::rolling(3);
    world.settle();
    world.change("/spec/replicas", json!(7));
    let plan = world.step();
    assert_eq!(world.sizes(), [7]);
    assert_eq!(plan.status.observed_generation, Some(2));
    world.settle();
    world.change("/spec/replicas", json!(0));
    world.settle();
    assert_eq!(world.sizes(), [0]);
    world.change("/spec/replicas", json!(2));
    world.settle();
    assert_eq!(world.sizes(), [2]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_is_spread() {
    let mut world = World::rolling(10);
    world.settle();
    world.change("/spec/template", template("v2"));
    for _ in 0..5 {
        world.step();
        world.pods_start();
    }
    assert_eq!(world.sizes(), [8, 5]);
    world.change("/spec/replicas", json!(20));
    world.step();
    assert_eq!(world.sizes(), [15, 10], "25 allowed, in proportion");
}

#[test]
fn a_paused_deployment_scales_and_does_not_roll() {
    let mut world = World::rolling(3);
    world.settle();
    world.change("/spec/paused", json!(true));
    world.change("/spec/template", template("v2"));
    let plan = world.step();
    assert_eq!(condition(&plan, "Progressing").2, "Deployment is paused");
    world.change("/spec/replicas", json!(5));
    world.step();
    assert_eq!(world.sizes(), [5]);
    world.change("/spec/paused", json!(false));
    let plan = world.step();
    assert_eq!(world.sizes().len(), 2);
    assert_eq!(reason(&plan, "Progressing"), "NewReplicaSetCreated");
}

#[test]
fn old_sets_are_kept_for_rollback_up_to_the_limit() {
    let mut world = World::rolling(1);
    for version in ["v1", "v2", "v3", "v4", "v5"] {
        world.change("/spec/template", template(version));
        world.settle();
    }
    assert_eq!(world.sizes(), [0, 0, 1]);
}

#[test]
fn a_rollback_reuses_the_old_set_under_a_new_revision() {
    let mut world = World::rolling(2);
    world.settle();
    world.change("/spec/template", template("v2"));
    world.settle();
    world.change("/spec/template", template("v1"));
    world.settle();
    assert_eq!(world.sizes(), [2, 0]);
    assert_eq!(world.deployment["metadata"]["annotations"][revision::REVISION], "3");
    let annotations =
        world.sets.values().find(|set| set["spec"]["replicas"] == 2).unwrap()["metadata"]["annotations"].clone();
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn an_empty_selector_is_refused() {
    let mut world = World::rolling(1);
    world.change("/spec/selector", json!({}));
    let plan = world.step();
    assert!(matches!(plan.actions[..], [Action::WarnSelectingAll]));
    assert!(world.sets.is_empty());
}

#[test]
fn a_failure_of_a_set_is_passed_on() {
    let mut world = World::rolling(1);
    world.step();
    for set in world.sets.values_mut() {
        set["status"]["conditions"] =
            json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]);
    }
    let plan = world.step();
    assert_eq!(condition(&plan, "ReplicaFailure"), ("True".into(), "FailedCreate".into(), "quota".into()));
}
