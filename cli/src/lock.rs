//! Images pinned to digests: written by `kpkg lock`, honoured by whoever renders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use kpkg_chart::Rendered;
use serde_json::Value;

/// Names of images, and the same with digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Lock {
    /// By the name that the chart uses.
    pub(crate) images: BTreeMap<String, String>,
}

impl Lock {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let wrong = || format!("{} is not a lock of images", path.display());
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let value = kpkg_yaml::read_bytes(&bytes).with_context(wrong)?;
        serde_json::from_value(value.to_json()).with_context(wrong)
    }

    pub(crate) fn to_yaml(&self) -> String {
        kpkg_yaml::write_json(&serde_json::to_value(self).unwrap_or_default())
    }

    /// Puts digests into what was rendered; an image that is not locked is an error.
    pub(crate) fn apply(&self, rendered: &mut Rendered) -> Result<()> {
        let hooks = rendered.hooks.iter_mut().map(|hook| &mut hook.manifest);
        for manifest in rendered.manifests.iter_mut().chain(hooks) {
            for image in images_in(&manifest.text) {
                if image.contains("@sha256:") {
                    continue;
                }
                let missing = || format!("the lock does not name the image `{image}` of {}", manifest.source);
                let pinned = self.images.get(&image).with_context(missing)?;
                manifest.text = replace(&manifest.text, &image, pinned);
            }
        }
        Ok(())
    }
}

/// The images that the pods of rendered objects use.
pub(crate) fn images(rendered: &Rendered) -> BTreeSet<String> {
    let hooks = rendered.hooks.iter().map(|hook| &hook.manifest);
    rendered.manifests.iter().chain(hooks).flat_map(|manifest| images_in(&manifest.text)).collect()
}

fn images_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Ok(value) = kpkg_yaml::read(text) {
        collect(&value.to_json(), &mut found);
    }
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for list in ["initContainers", "containers", "ephemeralContainers"] {
                let containers = map.get(list).and_then(Value::as_array);
                found.extend(containers.into_iter().flatten().filter_map(|it| it["image"].as_str()).map(str::to_owned));
            }
            // Volumes may be images too.
            let volumes = map.get("volumes").and_then(Value::as_array);
            let references = volumes.into_iter().flatten().filter_map(|it| it["image"]["reference"].as_str());
            found.extend(references.map(str::to_owned));
            map.values().for_each(|inner| collect(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

/// Replaces the value of `image:` (and `reference:`) lines; everything else stays as the template wrote it.
fn replace(text: &str, image: &str, pinned: &str) -> String {
    let line = |line: &str| {
        let key = line.trim_start().trim_start_matches("- ").trim_start();
        let is_ours = ["image:", "reference:"].iter().any(|name| {
            key.strip_prefix(name).is_some_and(|value| {
                let value = value.split(" #").next().unwrap_or_default().trim();
                value.trim_matches(['"', '\'']) == image
            })
        });
        if is_ours { line.replacen(image, pinned, 1) } else { line.to_owned() }
    };
    text.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "kind: Pod\nspec:\n  containers:\n  - image: \"web:1\" # ours\n    name: web:1\n  - name: b\n    image: web:10\n";

    #[test]
    fn images_are_found_and_pinned_where_they_stand() {
        assert_eq!(images_in(POD).into_iter().collect::<Vec<_>>(), ["web:1", "web:10"]);
        let pinned = replace(POD, "web:1", "r/web@sha256:00");
        assert_eq!(pinned, POD.replace("\"web:1\"", "\"r/web@sha256:00\""));
    }

    #[test]
    fn an_image_that_is_not_locked_is_an_error() {
        let manifest = kpkg_chart::Manifest {
            source: "a".into(),
            text: POD.into(),
            api_version: "v1".into(),
            kind: "Pod".into(),
            name: "p".into(),
        };
        let mut rendered = Rendered { manifests: vec![manifest], ..Rendered::default() };
        let lock = Lock { images: [("web:1".to_owned(), "x@sha256:1".to_owned())].into() };
        assert!(lock.apply(&mut rendered).is_err());
    }
}
