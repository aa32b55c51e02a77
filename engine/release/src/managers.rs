//! Who manages which fields: entries of client-side writes become entries of server-side apply.

use serde_json::{Map, Value};

/// The `managedFields` in which our client-side writes are merged into our server-side entry;
/// `None` if there are none.
pub(crate) fn adopted(managed: &Value, manager: &str) -> Option<Vec<Value>> {
    let entries = managed.as_array()?;
    let ours = |it: &&Value| it["manager"] == manager && it.get("subresource").is_none();
    let is_update = |it: &&Value| ours(it) && it["operation"] == "Update";
    let updates: Vec<&Value> = entries.iter().filter(is_update).collect();
    let first = *updates.first()?;
    let applied = entries.iter().find(|it| ours(it) && it["operation"] == "Apply");
    let mut merged = applied.unwrap_or(first).clone();
    merged["operation"] = Value::from("Apply");
    let mut fields = Map::new();
    for entry in updates.into_iter().chain(applied) {
        unite(&mut fields, &entry["fieldsV1"]);
    }
    merged["fieldsV1"] = Value::Object(fields);
    let mut all = vec![merged];
    let others = entries.iter().filter(|it| !is_update(it) && Some(*it) != applied);
    all.extend(others.cloned());
    Some(all)
}

/// Under which name a live object's release was applied: who owns the mark of the release. Programs
/// that embed Helm use names of their own, and whoever goes on under another has conflicts.
pub(crate) fn manager_of(live: &Value) -> Option<&str> {
    let marks = |it: &Value| {
        let annotations = &it["fieldsV1"]["f:metadata"]["f:annotations"];
        annotations.get("f:meta.helm.sh/release-name").is_some()
    };
    let entries = live["metadata"]["managedFields"].as_array()?;
    entries.iter().find(|it| it["operation"] == "Apply" && marks(it))?["manager"].as_str()
}

fn unite(into: &mut Map<String, Value>, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        let slot = into.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
        if let Some(slot) = slot.as_object_mut() {
            unite(slot, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_applied_the_marks_is_the_manager() {
        let of = |manager: &str, key: &str| {
            json!({"manager": manager, "operation": "Apply",
                   "fieldsV1": {"f:metadata": {"f:annotations": {key: {}}}}})
        };
        let live =
            json!({"metadata": {"managedFields": [of("me", "f:x"), of("python", "f:meta.helm.sh/release-name")]}});
        assert_eq!(manager_of(&live), Some("python"));
        assert_eq!(manager_of(&json!({})), None);
    }

    #[test]
    fn updates_join_the_applied_fields() {
        let managed = json!([
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}},
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ]);
        let got = adopted(&managed, "helm").unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(got[0]["operation"], "Apply");
        assert_eq!(adopted(&json!([{"manager": "kubectl", "operation": "Update"}]), "helm"), None);
        assert_eq!(adopted(&Value::Null, "helm"), None);
    }
}
