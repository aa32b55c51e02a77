//! A node that has the pod's images already starts it sooner. An image that is on few nodes counts
//! less, lest all pods of a kind go where the first one went.

use crate::{
    framework::{MAX_SCORE, NodeScore, PluginError, ScorePlugin},
    model::{NodeInfo, PodInfo},
    snapshot::Snapshot,
};

const MEGABYTE: i64 = 1 << 20;
/// Less than this is not worth a detour.
const SMALLEST: i64 = 23 * MEGABYTE;
/// More than this per container changes nothing.
const LARGEST: i64 = 1000 * MEGABYTE;

/// The plugin.
pub(super) struct ImageLocality;

impl ScorePlugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn prepare<'a>(
        &self,
        pod: &'a PodInfo,
        snapshot: &'a Snapshot,
        _: &[&'a NodeInfo],
    ) -> Result<Option<Box<dyn NodeScore + 'a>>, PluginError> {
        let total = snapshot.nodes.len().max(1);
        let images: Vec<_> = pod
            .images
            .iter()
            .filter_map(|image| {
                let name = full_name(image);
                snapshot.images.get(&name).map(|on| (name, *on))
            })
            .collect();
        if images.is_empty() {
            return Ok(None);
        }
        let containers = i64::try_from(pod.images.len()).unwrap_or(1).max(1);
        Ok(Some(Box::new(Local { images, total, containers })))
    }
}

/// The name under which a node lists an image: with a tag.
fn full_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

struct Local {
    /// Name, and on how many nodes it is.
    images: Vec<(String, usize)>,
    total: usize,
    containers: i64,
}

impl NodeScore for Local {
    fn score(&self, node: &NodeInfo) -> i64 {
        let here = self.images.iter().filter_map(|(name, on)| {
            let size = *node.facts.images.get(name)?;
            let (on, total) = (i64::try_from(*on).ok()?, i64::try_from(self.total).ok()?);
            Some(size.saturating_mul(on) / total)
        });
        let sum: i64 = here.sum();
        let most = LARGEST * self.containers;
        MAX_SCORE * (sum.clamp(SMALLEST, most) - SMALLEST) / (most - SMALLEST)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    #[test]
    fn the_node_with_the_image_scores_more() {
        let images = json!({"images": [{"names": ["web:latest"], "sizeBytes": 1046 * MEGABYTE}]});
        let snapshot =
            testing::cluster([testing::node_with("a", json!({}), json!({}), images), testing::node("b", json!({}))]);
        let pod = testing::pending(json!({"containers": [{"name": "c", "image": "web"}]}));
        let scores = testing::scored(&ImageLocality, &pod, &snapshot);
        assert_eq!(scores, [("a".into(), 51), ("b".into(), 0)]);
        let other = testing::pending(json!({"containers": [{"name": "c", "image": "db:1"}]}));
        assert!(testing::scored(&ImageLocality, &other, &snapshot).is_empty());
    }
}
