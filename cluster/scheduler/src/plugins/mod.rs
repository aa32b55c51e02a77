//! The plugins, one per file, and the list of them all.

mod balanced_allocation;
mod image_locality;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources;
mod node_unschedulable;
mod pod_affinity;
mod taints;
mod topology_spread;
mod volume_binding;

use crate::framework::{FilterPlugin, ScorePlugin};

/// All filters, the cheapest and most selective first.
pub fn filters() -> Vec<Box<dyn FilterPlugin>> {
    vec![
        Box::new(node_unschedulable::NodeUnschedulable),
        Box::new(node_name::NodeName),
        Box::new(taints::Taints),
        Box::new(node_affinity::NodeAffinity),
        Box::new(node_ports::NodePorts),
        Box::new(node_resources::NodeResources),
        Box::new(volume_binding::VolumeBinding),
        Box::new(topology_spread::TopologySpread),
        Box::new(pod_affinity::PodAffinity),
    ]
}

/// All scorers with their weights, which are Kubernetes' own.
pub fn scorers() -> Vec<(i64, Box<dyn ScorePlugin>)> {
    vec![
        (3, Box::new(taints::Taints)),
        (2, Box::new(node_affinity::NodeAffinity)),
        (1, Box::new(node_resources::NodeResources)),
        (1, Box::new(balanced_allocation::BalancedAllocation)),
        (2, Box::new(topology_spread::TopologySpread)),
        (2, Box::new(pod_affinity::PodAffinity)),
        (1, Box::new(image_locality::ImageLocality)),
    ]
}
