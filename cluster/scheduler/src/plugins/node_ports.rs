//! A port of a node is taken once.

use crate::{
    framework::{Changes, FilterPlugin, NodeFilter, PluginError, Prepared, Reason, Verdict},
    model::{HostPort, NodeInfo, PodInfo},
    snapshot::Snapshot,
};

const TAKEN: Reason = Reason::new("node(s) didn't have free ports for the requested pod ports");

/// The plugin.
pub(super) struct NodePorts;

impl FilterPlugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED.and(Changes::POD_LEFT)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        Ok(if pod.ports.is_empty() { Prepared::Skip } else { Prepared::Ready(Box::new(Free(&pod.ports))) })
    }
}

struct Free<'a>(&'a [HostPort]);

impl NodeFilter for Free<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        if node.ports.collide(self.0) { Verdict::rejected(&TAKEN) } else { Verdict::Fits }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn a_taken_port_rejects() {
        let mut snapshot = testing::cluster([testing::node("a", json!({})), testing::node("b", json!({}))]);
        let spec = json!({"containers": [{"name": "c", "ports": [{"containerPort": 1, "hostPort": 80}]}]});
        testing::place(&mut snapshot, "a", testing::labelled("other", json!({}), spec.clone()));
        assert_eq!(testing::fitting(&NodePorts, &testing::pending(spec), &snapshot), ["b"]);
    }
}
