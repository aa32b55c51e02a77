//! The cluster as the scheduler knows it.
//!
//! One task owns the snapshot: it applies changes between cycles, and a cycle borrows it unchanged.
//! So there is no lock and no copy, and each change costs only what it touches. A pod for which a
//! node was chosen is placed at once (*assumed*), before the API knows; the watch confirms it, or
//! a failed binding takes it back.

mod nodes;
mod tally;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

pub use nodes::NodeTable;
use parking_lot::Mutex;
use tally::Tallies;
pub use tally::{Group, Tally};

use crate::{
    framework::Changes,
    model::{Claim, Key, Labels, NodeFacts, NodeId, NodeInfo, PodInfo, Selector, StorageClass, Volume},
};

/// The cluster.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The nodes.
    pub nodes: NodeTable,
    /// Labels of namespaces.
    pub namespaces: HashMap<String, Labels>,
    /// Claims.
    pub claims: HashMap<Key, Claim>,
    /// Volumes by name.
    pub volumes: HashMap<String, Volume>,
    /// Storage classes by name.
    pub classes: HashMap<String, StorageClass>,
    /// Selectors of services, by namespace and name.
    pub services: HashMap<Arc<str>, BTreeMap<Arc<str>, Selector>>,
    /// Selectors of what controls pods, by kind.
    pub controllers: HashMap<&'static str, HashMap<Key, Selector>>,
    /// Nodes with a pod that keeps others away.
    pub with_required_anti_affinity: BTreeSet<NodeId>,
    /// Nodes with a pod that has affinity terms.
    pub with_affinity: BTreeSet<NodeId>,
    /// On how many nodes an image is.
    pub images: HashMap<String, usize>,
    placed: HashMap<Key, Placed>,
    /// Pods on nodes that are not known, or no longer.
    parked: HashMap<Arc<str>, HashMap<Key, Arc<PodInfo>>>,
    topology: Mutex<HashMap<String, Arc<HashMap<String, usize>>>>,
    tallies: Mutex<Tallies>,
}

#[derive(Debug)]
struct Placed {
    node: Arc<str>,
    assumed: bool,
}

impl Snapshot {
    /// How many pods of a group stand where; follows the label `keys`.
    pub fn tally(&self, group: &Group, keys: &[&str]) -> Arc<Tally> {
        self.tallies.lock().get(group, keys, &self.nodes)
    }

    /// The values of a node label, with the number of nodes that have each.
    pub fn places(&self, key: &str) -> Arc<HashMap<String, usize>> {
        let mut topology = self.topology.lock();
        if let Some(known) = topology.get(key) {
            return known.clone();
        }
        let mut values: HashMap<String, usize> = HashMap::new();
        for value in self.nodes.iter().filter_map(|node| node.label(key)) {
            *values.entry(value.to_owned()).or_default() += 1;
        }
        topology.entry(key.to_owned()).or_insert_with(|| Arc::new(values)).clone()
    }

    /// Whether a pod is on a node, by the API's word or by assumption.
    pub fn is_placed(&self, pod: &Key) -> bool {
        self.placed.contains_key(pod)
    }

    /// Adds a node or takes in what it is now.
    pub fn set_node(&mut self, facts: NodeFacts) {
        match self.nodes.id(&facts.name) {
            Some(id) => self.change_node(id, facts),
            None => self.add_node(facts),
        }
        self.nodes.arrange();
    }

    fn add_node(&mut self, facts: NodeFacts) {
        let name = facts.name.clone();
        self.count_images(&facts, 1);
        self.topology.lock().clear();
        let id = self.nodes.insert(facts);
        for pod in self.parked.remove(&name).into_iter().flat_map(HashMap::into_values) {
            self.put(id, pod);
        }
    }

    fn change_node(&mut self, id: NodeId, facts: NodeFacts) {
        let Some(node) = self.nodes.get(id) else { return };
        if node.facts == facts {
            return;
        }
        let old_images = node.facts.images != facts.images;
        if old_images {
            let old = node.facts.clone();
            self.count_images(&old, -1);
            self.count_images(&facts, 1);
        }
        let Some(node) = self.nodes.get_mut(id) else { return };
        if node.facts.labels == facts.labels {
            node.facts = facts;
            return;
        }
        // Counts by place hang on labels: take the pods off, and put them back where they are now.
        let pods: Vec<_> = node.pods.values().cloned().collect();
        for pod in &pods {
            self.take(id, &pod.key);
        }
        if let Some(node) = self.nodes.get_mut(id) {
            node.facts = facts;
        }
        self.nodes.relabelled();
        self.topology.lock().clear();
        for pod in pods {
            self.put(id, pod);
        }
    }

    /// Removes a node. Its pods are kept in mind until they are gone too.
    pub fn remove_node(&mut self, name: &str) {
        let Some(id) = self.nodes.id(name) else { return };
        let pods: Vec<_> = self.nodes.get(id).into_iter().flat_map(|node| node.pods.values().cloned()).collect();
        for pod in &pods {
            self.take(id, &pod.key);
        }
        if let Some(node) = self.nodes.remove(id) {
            self.count_images(&node.facts, -1);
            let parked = self.parked.entry(node.facts.name).or_default();
            parked.extend(pods.into_iter().map(|pod| (pod.key.clone(), pod)));
        }
        self.topology.lock().clear();
        self.nodes.arrange();
    }

    fn count_images(&mut self, facts: &NodeFacts, by: isize) {
        for image in facts.images.keys() {
            let count = self.images.entry(image.clone()).or_default();
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                self.images.remove(image);
            }
        }
    }

    /// Puts a pod on a node before the API knows.
    pub fn assume(&mut self, pod: &Arc<PodInfo>, node: NodeId) {
        let Some(name) = self.nodes.get(node).map(|node| node.facts.name.clone()) else { return };
        self.forget(&pod.key);
        self.placed.insert(pod.key.clone(), Placed { node: name, assumed: true });
        self.put(node, pod.clone());
    }

    /// Takes in a pod that the API shows on a node, and says what that may make possible.
    pub fn place(&mut self, pod: Arc<PodInfo>) -> Changes {
        let Some(name) = pod.node.clone() else { return Changes::NONE };
        let changes = match self.known(&pod.key, &name) {
            // A new status, or the confirmation of what was assumed: the most frequent news of all.
            Some(known) if known.is_same_on_node(&pod) => {
                self.placed.insert(pod.key.clone(), Placed { node: name, assumed: false });
                return Changes::NONE;
            }
            Some(known) if known.requests == pod.requests => Changes::POD_LABELS,
            // It may ask for less than before.
            Some(_) => Changes::POD_LABELS.and(Changes::POD_LEFT),
            None => Changes::POD_PLACED,
        };
        self.forget(&pod.key);
        self.placed.insert(pod.key.clone(), Placed { node: name.clone(), assumed: false });
        match self.nodes.id(&name) {
            Some(id) => self.put(id, pod),
            None => drop(self.parked.entry(name).or_default().insert(pod.key.clone(), pod)),
        }
        changes
    }

    /// The pod as it stands on this node.
    fn known(&self, pod: &Key, node: &str) -> Option<&PodInfo> {
        let placed = self.placed.get(pod).filter(|placed| &*placed.node == node)?;
        let node = self.nodes.id(&placed.node).and_then(|id| self.nodes.get(id))?;
        node.pods.get(pod).map(|pod| &**pod)
    }

    /// Takes back an assumption, unless the API has confirmed it meanwhile.
    pub fn undo(&mut self, pod: &Key) {
        if self.placed.get(pod).is_some_and(|placed| placed.assumed) {
            self.forget(pod);
        }
    }

    /// Takes a pod off its node; true if it was on one.
    pub fn forget(&mut self, pod: &Key) -> bool {
        let Some(placed) = self.placed.remove(pod) else { return false };
        match self.nodes.id(&placed.node) {
            Some(id) => self.take(id, pod),
            None => {
                if let Some(parked) = self.parked.get_mut(&placed.node) {
                    parked.remove(pod);
                    if parked.is_empty() {
                        self.parked.remove(&placed.node);
                    }
                }
            }
        }
        true
    }

    fn put(&mut self, id: NodeId, pod: Arc<PodInfo>) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        node.add(pod.clone());
        self.tallies.get_mut().change(&pod, node, 1);
        self.note_affinity(id);
    }

    fn take(&mut self, id: NodeId, pod: &Key) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        let Some(pod) = node.remove(pod) else { return };
        self.tallies.get_mut().change(&pod, node, -1);
        self.note_affinity(id);
    }

    fn note_affinity(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(id) else { return };
        let note = |set: &mut BTreeSet<NodeId>, count: usize| {
            if count > 0 {
                set.insert(id);
            } else {
                set.remove(&id);
            }
        };
        note(&mut self.with_affinity, node.with_affinity);
        note(&mut self.with_required_anti_affinity, node.with_required_anti_affinity);
    }

    /// What the pod's own services and controller select: the group that it is one of.
    pub fn group_of(&self, pod: &PodInfo) -> Option<Group> {
        let mut selector = Selector::default();
        let services = self.services.get(&pod.key.namespace).into_iter().flat_map(BTreeMap::values);
        for service in services.filter(|service| !service.is_empty() && service.matches(&pod.labels)) {
            selector.extend(service);
        }
        let controller = pod.controller.as_ref().and_then(|(kind, name)| {
            self.controllers
                .get(kind.as_str())?
                .get(&Key { namespace: pod.key.namespace.clone(), name: name.as_str().into() })
        });
        if let Some(controller) = controller {
            selector.extend(controller);
        }
        let namespace = pod.key.namespace.clone();
        (!selector.is_empty()).then_some(Group { namespace, selector, with_deleting: false })
    }

    /// The nodes in an index, resolved.
    pub fn resolve<'a>(&'a self, ids: &'a BTreeSet<NodeId>) -> impl Iterator<Item = &'a NodeInfo> {
        ids.iter().filter_map(|id| self.nodes.get(*id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn group(namespace: &str, app: &str) -> Group {
        let selector = serde_json::from_value(json!({"matchLabels": {"app": app}})).unwrap();
        Group { namespace: namespace.into(), selector: Selector::of(Some(&selector)), with_deleting: false }
    }

    fn placed(name: &str, node: &str) -> Arc<PodInfo> {
        Arc::new(testing::pod(json!({
            "metadata": {"name": name, "namespace": "ns", "labels": {"app": "web"}},
            "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}})))
    }

    fn cpu(snapshot: &Snapshot, node: &str) -> i64 {
        snapshot.nodes.get(snapshot.nodes.id(node).unwrap()).unwrap().requested.milli_cpu
    }

    #[test]
    fn pods_are_counted_where_they_stand() {
        let mut snapshot = Snapshot::default();
        snapshot.set_node(testing::node("a", json!({"zone": "z1"})));
        snapshot.set_node(testing::node("b", json!({"zone": "z2"})));
        let by_zone = |snapshot: &Snapshot| {
            let tally = snapshot.tally(&group("ns", "web"), &["zone"]);
            let mut places: Vec<_> = tally.places("zone").unwrap().clone().into_iter().collect();
            places.sort();
            places
        };
        snapshot.place(placed("p1", "a"));
        assert_eq!(by_zone(&snapshot), [("z1".into(), 1)]);
        snapshot.place(placed("p2", "b"));
        snapshot.place(placed("p3", "b"));
        assert_eq!(by_zone(&snapshot), [("z1".into(), 1), ("z2".into(), 2)]);
        assert_eq!(cpu(&snapshot, "b"), 2000);
        snapshot.set_node(testing::node("b", json!({"zone": "z3"})));
        assert_eq!(by_zone(&snapshot), [("z1".into(), 1), ("z3".into(), 2)]);
        snapshot.forget(&Key::new("ns", "p2"));
        assert_eq!(by_zone(&snapshot), [("z1".into(), 1), ("z3".into(), 1)]);
        assert_eq!(cpu(&snapshot, "b"), 1000);
        assert!(snapshot.tally(&group("ns", "db"), &["zone"]).places("zone").unwrap().is_empty());
    }

    #[test]
    fn pods_of_unknown_nodes_wait_for_them() {
        let mut snapshot = Snapshot::default();
        snapshot.place(placed("p1", "a"));
        snapshot.place(placed("p2", "a"));
        snapshot.forget(&Key::new("ns", "p2"));
        snapshot.set_node(testing::node("a", json!({})));
        assert_eq!(cpu(&snapshot, "a"), 1000);
        snapshot.remove_node("a");
        assert!(snapshot.nodes.is_empty());
        snapshot.set_node(testing::node("a", json!({})));
        assert_eq!(cpu(&snapshot, "a"), 1000);
    }

    #[test]
    fn an_assumption_is_undone_unless_confirmed() {
        let mut snapshot = Snapshot::default();
        snapshot.set_node(testing::node("a", json!({})));
        let id = snapshot.nodes.id("a").unwrap();
        let pod = placed("p", "a");
        snapshot.assume(&pod, id);
        assert!(snapshot.is_placed(&pod.key));
        snapshot.undo(&pod.key);
        assert_eq!(cpu(&snapshot, "a"), 0);
        snapshot.assume(&pod, id);
        assert_eq!(snapshot.place(pod.clone()), Changes::NONE);
        snapshot.undo(&pod.key);
        assert_eq!(cpu(&snapshot, "a"), 1000, "confirmed, and counted once");
    }

    #[test]
    fn nodes_are_tried_zone_by_zone() {
        let mut snapshot = Snapshot::default();
        for (name, zone) in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("b2", "b")] {
            snapshot.set_node(testing::node(name, json!({"topology.kubernetes.io/zone": zone})));
        }
        let names: Vec<_> =
            snapshot.nodes.order().iter().map(|id| &*snapshot.nodes.get(*id).unwrap().facts.name).collect();
        assert_eq!(names, ["a1", "b1", "a2", "b2", "a3"]);
    }

    #[test]
    fn a_pod_belongs_to_its_services_and_controller() {
        let mut snapshot = Snapshot::default();
        let selector = |app: &str| group("ns", app).selector;
        snapshot.services.entry("ns".into()).or_default().insert("web".into(), selector("web"));
        snapshot.services.entry("ns".into()).or_default().insert("db".into(), selector("db"));
        let pod = placed("p", "a");
        assert_eq!(snapshot.group_of(&pod), Some(group("ns", "web")));
        snapshot.services.clear();
        assert_eq!(snapshot.group_of(&pod), None);
    }
}
