//! A pod goes where its volumes are, or where volumes can be made for it.

use crate::{
    framework::{Changes, FilterPlugin, NodeFilter, PluginError, Prepared, Reason, Verdict},
    model::{Claim, Key, NodeInfo, PodInfo, Volume},
    snapshot::Snapshot,
};

const UNBOUND: Reason = Reason::new("pod has unbound immediate PersistentVolumeClaims");
const LOST: Reason = Reason::new("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
const ELSEWHERE: Reason = Reason::new("node(s) had volume node affinity conflict");
const NOTHING_TO_BIND: Reason = Reason::new("node(s) didn't find available persistent volumes to bind");

/// The plugin.
pub(super) struct VolumeBinding;

impl FilterPlugin for VolumeBinding {
    fn name(&self) -> &'static str {
        "VolumeBinding"
    }

    fn wakes_on(&self) -> Changes {
        let volumes = Changes::CLAIM.and(Changes::VOLUME).and(Changes::CLASS);
        volumes.and(Changes::NODE_ADDED).and(Changes::NODE_LABELS)
    }

    fn prepare<'a>(&self, pod: &'a PodInfo, snapshot: &'a Snapshot) -> Result<Prepared<'a>, PluginError> {
        if pod.claims.is_empty() {
            return Ok(Prepared::Skip);
        }
        let mut reach = Reach { snapshot, bound: Vec::new(), waiting: Vec::new() };
        for key in &pod.claims {
            if let Err(reason) = reach.add(key) {
                return Ok(Prepared::Reject(reason));
            }
        }
        Ok(Prepared::Ready(Box::new(reach)))
    }
}

struct Reach<'a> {
    snapshot: &'a Snapshot,
    /// Volumes that claims have; `None` for one that does not exist.
    bound: Vec<Option<&'a Volume>>,
    /// Claims that get a volume once the pod has a node.
    waiting: Vec<(&'a Key, &'a Claim)>,
}

impl<'a> Reach<'a> {
    fn add(&mut self, key: &'a Key) -> Result<(), Reason> {
        let Some(claim) = self.snapshot.claims.get(key) else {
            return Err(Reason::from(format!("persistentvolumeclaim \"{}\" not found", key.name)));
        };
        if claim.deleting {
            return Err(Reason::from(format!("persistentvolumeclaim \"{}\" is being deleted", key.name)));
        }
        if let Some(volume) = &claim.volume {
            self.bound.push(self.snapshot.volumes.get(volume));
        } else if self.snapshot.classes.get(&claim.class).is_some_and(|class| class.waits_for_consumer) {
            self.waiting.push((key, claim));
        } else {
            return Err(UNBOUND);
        }
        Ok(())
    }

    fn can_bind(&self, key: &Key, claim: &Claim, node: &NodeInfo) -> bool {
        if let Some(selected) = &claim.selected_node {
            // A volume is being made there; asking for a second one elsewhere would leave it behind.
            return **selected == *node.facts.name;
        }
        if self.snapshot.classes.get(&claim.class).is_some_and(|class| class.provisions) {
            return true;
        }
        let here = |volume: &&Volume| volume.is_reached_from(&node.facts.name, &node.facts.labels);
        self.snapshot.volumes.values().filter(here).any(|volume| volume.suits(key, claim))
    }
}

impl NodeFilter for Reach<'_> {
    fn check(&self, node: &NodeInfo) -> Verdict {
        for volume in &self.bound {
            match volume {
                None => return Verdict::never(&LOST),
                Some(volume) if !volume.is_reached_from(&node.facts.name, &node.facts.labels) => {
                    return Verdict::never(&ELSEWHERE);
                }
                Some(_) => {}
            }
        }
        if self.waiting.iter().all(|(key, claim)| self.can_bind(key, claim, node)) {
            Verdict::Fits
        } else {
            Verdict::never(&NOTHING_TO_BIND)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{model::StorageClass, testing};

    fn cluster(claim: Value, volumes: &[(&str, Value)], provisioner: &str, mode: &str) -> Snapshot {
        let mut snapshot = testing::cluster(["a", "b"].map(|name| testing::node(name, json!({"host": name}))));
        let class = json!({"metadata": {}, "provisioner": provisioner, "volumeBindingMode": mode});
        snapshot.classes.insert("c".into(), StorageClass::of(&serde_json::from_value(class).unwrap()));
        snapshot.claims.insert(Key::new("ns", "data"), Claim::of(&serde_json::from_value(claim).unwrap()));
        for (name, spec) in volumes {
            let volume = json!({"metadata": {"name": name}, "spec": spec, "status": {"phase": "Available"}});
            snapshot.volumes.insert((*name).into(), Volume::of(&serde_json::from_value(volume).unwrap()));
        }
        snapshot
    }

    fn on(host: &str) -> Value {
        json!({"storageClassName": "c", "capacity": {"storage": "1Gi"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "host", "operator": "In", "values": [host]}]}]}}})
    }

    fn claim(volume: Option<&str>, selected: Option<&str>) -> Value {
        let mut annotations = json!({});
        if volume.is_some() {
            annotations["pv.kubernetes.io/bind-completed"] = json!("yes");
        }
        if let Some(selected) = selected {
            annotations[crate::model::SELECTED_NODE] = json!(selected);
        }
        json!({"metadata": {"name": "data", "annotations": annotations},
            "spec": {"storageClassName": "c", "volumeName": volume, "resources": {"requests": {"storage": "1Gi"}}}})
    }

    fn filtered(snapshot: &Snapshot) -> Vec<(String, String)> {
        let pod = testing::pending(json!({"volumes": [
            {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}));
        testing::filtered(&VolumeBinding, &pod, snapshot)
    }

    fn fitting(snapshot: &Snapshot) -> Vec<String> {
        filtered(snapshot).into_iter().filter(|(_, why)| why.is_empty()).map(|(name, _)| name).collect()
    }

    #[test]
    fn a_pod_goes_where_its_volume_is() {
        let wait = "WaitForFirstConsumer";
        let bound = cluster(claim(Some("v"), None), &[("v", on("b"))], "p", wait);
        assert_eq!(fitting(&bound), ["b"]);
        assert_eq!(filtered(&bound)[0].1, "node(s) had volume node affinity conflict");
        let lost = cluster(claim(Some("v"), None), &[], "p", wait);
        assert!(fitting(&lost).is_empty());
        let missing = Snapshot::default();
        assert_eq!(filtered(&missing)[0].1, "persistentvolumeclaim \"data\" not found");
        let immediate = cluster(claim(None, None), &[], "p", "Immediate");
        assert_eq!(filtered(&immediate)[0].1, "pod has unbound immediate PersistentVolumeClaims");
    }

    #[test]
    fn a_volume_is_found_or_made_where_the_pod_goes() {
        let wait = "WaitForFirstConsumer";
        assert_eq!(fitting(&cluster(claim(None, None), &[], "p", wait)), ["a", "b"]);
        assert_eq!(fitting(&cluster(claim(None, Some("a")), &[], "p", wait)), ["a"]);
        let by_hand = "kubernetes.io/no-provisioner";
        assert_eq!(fitting(&cluster(claim(None, None), &[("v", on("b"))], by_hand, wait)), ["b"]);
        assert!(fitting(&cluster(claim(None, None), &[], by_hand, wait)).is_empty());
    }
}
