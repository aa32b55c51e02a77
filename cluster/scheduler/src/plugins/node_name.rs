//! A pod that names its node goes there or nowhere.
//!
//! Such a pod is usually never scheduled, for it is bound already; the filter is for copies of one.

use crate::{
    framework::{Changes, FilterPlugin, NodeFilter, PluginError, Prepared, Reason, Verdict},
    model::{NodeInfo, PodInfo},
    snapshot::Snapshot,
};

const OTHER_NODE: Reason = Reason::new("node(s) didn't match the requested node name");

/// The plugin.
pub(super) struct NodeName;

impl FilterPlugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn wakes_on(&self) -> Changes {
        Changes::NODE_ADDED
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, _: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        Ok(match pod.node.as_deref() {
            Some(name) => Prepared::Ready(Box::new(Wanted(name))),
            None => Prepared::Skip,
        })
    }
}

struct Wanted<'a>(&'a str);

impl NodeFilter for Wanted<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        if &*node.facts.name == self.0 { Verdict::Fits } else { Verdict::never(&OTHER_NODE) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn only_the_named_node_fits() {
        let snapshot = testing::cluster([testing::node("a", json!({})), testing::node("b", json!({}))]);
        assert_eq!(testing::fitting(&NodeName, &testing::pending(json!({"nodeName": "b"})), &snapshot), ["b"]);
        assert_eq!(testing::fitting(&NodeName, &testing::pending(json!({})), &snapshot), ["a", "b"]);
    }
}
