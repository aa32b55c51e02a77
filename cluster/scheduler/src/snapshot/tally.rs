//! Running counts of the pods that a selector selects, by node and by place.
//!
//! Spreading and affinity both ask, for every pod that is scheduled, how many pods like it stand
//! where. Counting anew costs a look at every pod of the cluster. A tally is counted once and then
//! follows the pods; the first use of a selector pays, the thousands of pods after it do not.

use std::{collections::HashMap, sync::Arc};

use super::NodeTable;
use crate::model::{NodeInfo, PodInfo, Selector};

/// Tallies kept. They are cheap to count anew, so there is no finer rule than to drop all.
const LIMIT: usize = 256;

/// Which pods are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// Their namespace.
    pub namespace: Arc<str>,
    /// What selects them.
    pub selector: Selector,
    /// Whether pods on their way out count.
    pub with_deleting: bool,
}

impl Group {
    fn holds(&self, pod: &PodInfo) -> bool {
        (self.with_deleting || !pod.deleting) && self.selector.matches(&pod.labels)
    }
}

/// The counts of one group.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    per_node: Vec<u32>,
    /// By label key, then by its value.
    places: HashMap<String, HashMap<String, u32>>,
}

impl Tally {
    /// Pods on a node.
    pub fn on(&self, node: &NodeInfo) -> u32 {
        self.per_node.get(node.id.index()).copied().unwrap_or(0)
    }

    /// Pods by the value of a label of their nodes; only values with a pod.
    pub fn places(&self, key: &str) -> Option<&HashMap<String, u32>> {
        self.places.get(key)
    }

    fn count(group: &Group, nodes: &NodeTable) -> Self {
        let mut tally = Self::default();
        for node in nodes.iter() {
            let here = node.pods.values().filter(|pod| pod.key.namespace == group.namespace && group.holds(pod));
            tally.change(node, i64::try_from(here.count()).unwrap_or(i64::MAX));
        }
        tally
    }

    fn follow_key(&mut self, key: &str, nodes: &NodeTable) {
        let mut values: HashMap<String, u32> = HashMap::new();
        for node in nodes.iter() {
            let here = self.on(node);
            if let Some(value) = node.label(key).filter(|_| here > 0) {
                *values.entry(value.to_owned()).or_default() += here;
            }
        }
        self.places.insert(key.to_owned(), values);
    }

    fn change(&mut self, node: &NodeInfo, by: i64) {
        let index = node.id.index();
        if self.per_node.len() <= index {
            self.per_node.resize(index + 1, 0);
        }
        self.per_node[index] = add(self.per_node[index], by);
        for (key, values) in &mut self.places {
            let Some(value) = node.label(key) else { continue };
            if let Some(count) = values.get_mut(value) {
                *count = add(*count, by);
                if *count == 0 {
                    values.remove(value);
                }
            } else if by > 0 {
                values.insert(value.to_owned(), add(0, by));
            }
        }
    }
}

fn add(count: u32, by: i64) -> u32 {
    u32::try_from((i64::from(count) + by).max(0)).unwrap_or(u32::MAX)
}

/// All tallies.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    by_namespace: HashMap<Arc<str>, HashMap<Group, Arc<Tally>>>,
    len: usize,
}

impl Tallies {
    /// The tally of a group, which follows these label keys.
    pub(super) fn get(&mut self, group: &Group, keys: &[&str], nodes: &NodeTable) -> Arc<Tally> {
        if self.len >= LIMIT {
            self.clear();
        }
        let groups = self.by_namespace.entry(group.namespace.clone()).or_default();
        if !groups.contains_key(group) {
            groups.insert(group.clone(), Arc::new(Tally::count(group, nodes)));
            self.len += 1;
        }
        // It is there: the line above saw to that.
        let Some(tally) = groups.get_mut(group) else { return Arc::default() };
        for key in keys {
            if !tally.places.contains_key(*key) {
                Arc::make_mut(tally).follow_key(key, nodes);
            }
        }
        tally.clone()
    }

    /// A pod came to a node, or left it.
    pub(super) fn change(&mut self, pod: &PodInfo, node: &NodeInfo, by: i64) {
        let Some(groups) = self.by_namespace.get_mut(&pod.key.namespace) else { return };
        for (group, tally) in groups {
            if group.holds(pod) {
                Arc::make_mut(tally).change(node, by);
            }
        }
    }

    fn clear(&mut self) {
        self.by_namespace.clear();
        self.len = 0;
    }
}
