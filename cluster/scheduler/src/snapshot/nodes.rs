//! The table of nodes and the order in which they are tried.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::model::{NodeFacts, NodeId, NodeInfo};

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";

/// Nodes in slots; a slot is used again after its node is gone.
#[derive(Debug, Default)]
pub struct NodeTable {
    slots: Vec<Option<NodeInfo>>,
    free: Vec<NodeId>,
    by_name: HashMap<Arc<str>, NodeId>,
    order: Vec<NodeId>,
    order_is_stale: bool,
}

impl NodeTable {
    /// All nodes, by slot.
    pub fn iter(&self) -> impl Iterator<Item = &NodeInfo> {
        self.slots.iter().flatten()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The slot of a node.
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The node in a slot.
    pub fn get(&self, id: NodeId) -> Option<&NodeInfo> {
        self.slots.get(id.index())?.as_ref()
    }

    /// The order in which to try: zone by zone in turn, so that a sample of the first few is spread.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut NodeInfo> {
        self.slots.get_mut(id.index())?.as_mut()
    }

    pub(super) fn insert(&mut self, facts: NodeFacts) -> NodeId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            NodeId(u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX))
        });
        self.by_name.insert(facts.name.clone(), id);
        self.slots[id.index()] = Some(NodeInfo::new(id, facts));
        self.order_is_stale = true;
        id
    }

    pub(super) fn remove(&mut self, id: NodeId) -> Option<NodeInfo> {
        let node = self.slots.get_mut(id.index())?.take()?;
        self.by_name.remove(&node.facts.name);
        self.free.push(id);
        self.order_is_stale = true;
        Some(node)
    }

    /// The labels of a node changed.
    pub(super) fn relabelled(&mut self) {
        self.order_is_stale = true;
    }

    /// Brings the order up to date; called between cycles.
    pub(super) fn arrange(&mut self) {
        if !self.order_is_stale {
            return;
        }
        let mut zones: BTreeMap<(&str, &str), Vec<NodeId>> = BTreeMap::new();
        for node in self.slots.iter().flatten() {
            let zone = (node.label(REGION).unwrap_or(""), node.label(ZONE).unwrap_or(""));
            zones.entry(zone).or_default().push(node.id);
        }
        let longest = zones.values().map(Vec::len).max().unwrap_or(0);
        self.order =
            (0..longest).flat_map(|turn| zones.values().filter_map(move |zone| zone.get(turn).copied())).collect();
        self.order_is_stale = false;
    }
}
