//! Who manages which fields: entries of client-side writes become entries of server-side apply.

use serde_json::{Map, Value};

use crate::cluster::FIELD_MANAGER;

/// The `managedFields` in which our client-side writes are merged into our server-side entry;
/// `None` if there are none.
pub(crate) fn adopted(managed: &Value) -> Option<Vec<Value>> {
    let entries = managed.as_array()?;
    let ours = |it: &&Value| it["manager"] == FIELD_MANAGER && it.get("subresource").is_none();
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
    fn updates_join_the_applied_fields() {
        let managed = json!([
            {"manager": "helm", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}},
            {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}},
            {"manager": "kubelet", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ]);
        let got = adopted(&managed).unwrap();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0]["fieldsV1"], json!({"f:data": {"f:a": {}, "f:b": {}}}));
        assert_eq!(got[0]["operation"], "Apply");
        assert_eq!(adopted(&json!([{"manager": "kubectl", "operation": "Update"}])), None);
        assert_eq!(adopted(&Value::Null), None);
    }
}
