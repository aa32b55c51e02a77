//! A cordoned node takes only pods that tolerate the taint which stands for it.

use crate::{
    framework::{Changes, FilterPlugin, NodeFilter, PluginError, Prepared, Reason, Verdict},
    model::{NodeInfo, PodInfo, Taint},
    snapshot::Snapshot,
};

const CORDONED: Reason = Reason::new("node(s) were unschedulable");

/// The plugin.
pub(super) struct NodeUnschedulable;

impl FilterPlugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED.and(Changes::NODE_TAINTS)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        let taint = Taint {
            key: "node.kubernetes.io/unschedulable".to_owned(),
            value: String::new(),
            effect: "NoSchedule".to_owned(),
        };
        Ok(if pod.tolerates(&taint) { Prepared::Skip } else { Prepared::Ready(Box::new(NotCordoned)) })
    }
}

struct NotCordoned;

impl NodeFilter for NotCordoned {
    fn check(&self, node: &NodeInfo) -> Verdict {
        if node.facts.unschedulable { Verdict::never(&CORDONED) } else { Verdict::Fits }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn cordoned_nodes_need_a_toleration() {
        let cordoned = testing::node_with("b", json!({}), json!({"unschedulable": true}), json!({}));
        let snapshot = testing::cluster([testing::node("a", json!({})), cordoned]);
        let fitting = |spec| testing::fitting(&NodeUnschedulable, &testing::pending(spec), &snapshot);
        assert_eq!(fitting(json!({})), ["a"]);
        assert_eq!(fitting(json!({"tolerations": [{"operator": "Exists"}]})), ["a", "b"]);
    }
}
