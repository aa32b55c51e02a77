//! Where an object keeps its number of replicas.

use serde_json::{Value, json};

/// The paths of a kind's scale, each as field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScalePaths {
    spec: Vec<String>,
    status: Vec<String>,
    /// Where the status has the selector, as text; empty if nowhere.
    selector: Vec<String>,
}

impl ScalePaths {
    /// Where Kubernetes' own workloads have it. Their selector is no text, and is read elsewhere.
    pub(crate) fn built_in() -> Self {
        Self { spec: path(".spec.replicas"), status: path(".status.replicas"), selector: Vec::new() }
    }

    /// What a version's `subresources.scale` says, if it is there.
    pub(super) fn of(scale: &Value) -> Option<Self> {
        let text = |key: &str| scale[key].as_str().unwrap_or_default();
        scale.is_object().then(|| Self {
            spec: path(text("specReplicasPath")),
            status: path(text("statusReplicasPath")),
            selector: path(text("labelSelectorPath")),
        })
    }

    /// How many are wanted, and how many there are.
    pub(crate) fn counts(&self, object: &Value) -> (Option<i64>, i64) {
        (
            read(object, &self.spec).and_then(Value::as_i64),
            read(object, &self.status).and_then(Value::as_i64).unwrap_or_default(),
        )
    }

    /// The selector of the pods, as the status has it.
    pub(crate) fn selector<'a>(&self, object: &'a Value) -> &'a str {
        if self.selector.is_empty() {
            return "";
        }
        read(object, &self.selector).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets how many are wanted.
    pub(crate) fn set(&self, object: &mut Value, replicas: Value) {
        let mut at = object;
        for name in &self.spec {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[name.as_str()];
        }
        *at = replicas;
    }
}

fn path(text: &str) -> Vec<String> {
    text.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn read<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, name| value.get(name))
}
