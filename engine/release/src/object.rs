//! A Kubernetes object of a release and its identity.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What tells one object of a cluster from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectId {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// The namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// An object as rendered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Its identity.
    pub id: ObjectId,
    /// The whole of it.
    pub value: Value,
    /// The template that wrote it.
    pub source: String,
}

impl Object {
    /// The annotation `key`, if it is there.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.value["metadata"]["annotations"][key].as_str()
    }

    /// Whether uninstalling leaves it in place (Helm's resource policy).
    pub fn is_kept(&self) -> bool {
        self.annotation("helm.sh/resource-policy").is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"))
    }

    /// Writes Helm's marks of ownership into the metadata.
    pub fn mark_owned(&mut self, release: &str, namespace: &str) {
        let marks = [
            ("labels", "app.kubernetes.io/managed-by", "Helm"),
            ("annotations", "meta.helm.sh/release-name", release),
            ("annotations", "meta.helm.sh/release-namespace", namespace),
        ];
        for (field, key, text) in marks {
            let map = &mut self.value["metadata"][field];
            if map.is_null() {
                *map = Value::Object(serde_json::Map::new());
            }
            if let Some(map) = map.as_object_mut() {
                map.insert(key.to_owned(), Value::from(text));
            }
        }
    }
}

/// Whose a live object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The release in question.
    Ours,
    /// Somebody else, in words.
    Foreign(String),
}

/// Reads Helm's marks of ownership from a live object.
pub fn owner(live: &Value, release: &str, namespace: &str) -> Owner {
    let metadata = &live["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&metadata["annotations"]["meta.helm.sh/release-name"]);
    let space = text(&metadata["annotations"]["meta.helm.sh/release-namespace"]);
    let manager = text(&metadata["labels"]["app.kubernetes.io/managed-by"]);
    if (name.as_str(), space.as_str(), manager.as_str()) == (release, namespace, "Helm") {
        return Owner::Ours;
    }
    if name.is_empty() {
        return Owner::Foreign("it was not made by a release".to_owned());
    }
    Owner::Foreign(format!("it belongs to release `{name}` in namespace `{space}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_make_an_object_ours_and_nobody_elses() {
        let id =
            ObjectId { api_version: "v1".into(), kind: "ConfigMap".into(), namespace: "a".into(), name: "x".into() };
        let mut object =
            Object { id, value: json!({"metadata": {"name": "x", "labels": null}}), source: String::new() };
        assert_eq!(owner(&object.value, "web", "a"), Owner::Foreign("it was not made by a release".into()));
        object.mark_owned("web", "a");
        assert_eq!(owner(&object.value, "web", "a"), Owner::Ours);
        assert_eq!(
            owner(&object.value, "web", "b"),
            Owner::Foreign("it belongs to release `web` in namespace `a`".into())
        );
    }

    #[test]
    fn the_keep_policy_ignores_case_and_space() {
        for (policy, want) in [("keep", true), (" Keep ", true), ("delete", false)] {
            let id = ObjectId {
                api_version: "v1".into(),
                kind: "Secret".into(),
                namespace: String::new(),
                name: "x".into(),
            };
            let value = json!({"metadata": {"annotations": {"helm.sh/resource-policy": policy}}});
            assert_eq!(Object { id, value, source: String::new() }.is_kept(), want, "{policy}");
        }
    }
}
