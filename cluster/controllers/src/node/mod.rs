//! Watches over nodes: one that falls silent is marked, and its pods are moved away.
//!
//! ```text
//! health    silence -> conditions Unknown -> taints
//! eviction  taints that a pod does not tolerate (any more) -> the pod is deleted
//! ```

mod eviction;
mod health;

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use crate::{objects::pod, runtime::Machine};

/// The index of pods by node.
pub(crate) const BY_NODE: &str = "node";

/// As the index's function.
pub(crate) fn node_of(subject: &Pod) -> Vec<String> {
    pod::node(subject).map(str::to_owned).into_iter().collect()
}

/// Adds both controllers to the machine.
pub(crate) fn start(machine: &mut Machine, grace: Duration) {
    health::start(machine, grace);
    eviction::start(machine);
}
