//! Whether custom resource definitions may be upgraded: no object may be lost or become invalid.

use kpkg_api::structural::Structural;
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};
use crate::plan::Observed;

/// Refuses definitions that would lose objects, or by whose new schema objects that exist would be invalid.
pub async fn check(cluster: &Cluster, definitions: &[Object], observed: &Observed) -> Result<()> {
    for definition in definitions {
        let Some(live) = observed.get(&definition.id) else { continue };
        check_shape(definition, live)?;
        for (version, before, after) in changed_schemas(&live["spec"], &definition.value["spec"]) {
            let spec = &definition.value["spec"];
            let api_version = format!("{}/{version}", spec["group"].as_str().unwrap_or_default());
            let kind = spec["names"]["kind"].as_str().unwrap_or_default();
            let objects = cluster.list(&api_version, kind, "", "").await?;
            if let Some(problem) = narrowed(before, after, &objects) {
                return Err(refuse(&definition.id, problem));
            }
        }
    }
    Ok(())
}

/// A version that still stores objects cannot go, and the scope cannot change.
fn check_shape(definition: &Object, live: &Value) -> Result<()> {
    let versions = definition.value["spec"]["versions"].as_array();
    let has = |version: &str| versions.into_iter().flatten().any(|it| it["name"] == version);
    let mut stored = live["status"]["storedVersions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(version) = stored.find(|it| !has(it)) {
        let problem = format!("version {version} still stores objects and cannot be dropped");
        return Err(refuse(&definition.id, problem));
    }
    let scope = |value: &Value| value["spec"]["scope"].as_str().unwrap_or_default().to_owned();
    let (old, new) = (scope(live), scope(&definition.value));
    if old != new {
        return Err(refuse(&definition.id, format!("its scope {old} cannot become {new}")));
    }
    Ok(())
}

/// The versions served before and after whose schemas differ.
fn changed_schemas<'a>(before: &'a Value, after: &'a Value) -> Vec<(&'a str, &'a Value, &'a Value)> {
    let schema = |version: &'a Value| &version["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    for new in after["versions"].as_array().into_iter().flatten().filter(|it| it["served"] == true) {
        let same = |old: &&Value| old["name"] == new["name"] && old["served"] == true;
        let old = before["versions"].as_array().and_then(|list| list.iter().find(same));
        if let (Some(old), Some(name)) = (old, new["name"].as_str())
            && schema(old) != schema(new)
        {
            found.push((name, schema(old), schema(new)));
        }
    }
    found
}

/// What the new schema has against an object that the old one allows.
fn narrowed(before: &Value, after: &Value, objects: &[Value]) -> Option<String> {
    let (before, after) = (Structural::parse(before), Structural::parse(after));
    let fault = |schema: &Structural, object: &Value| {
        schema.validate(object).into_iter().next().or_else(|| schema.rule_faults(None, object).into_iter().next())
    };
    objects.iter().filter(|object| fault(&before, object).is_none()).find_map(|object| {
        let fault = fault(&after, object)?;
        let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
        let place = if text("namespace").is_empty() { String::new() } else { format!(" in {}", text("namespace")) };
        Some(format!("{}{place} exists and would be invalid: {fault}", text("name")))
    })
}

fn refuse(definition: &ObjectId, problem: String) -> ReleaseError {
    ReleaseError::Definition { definition: definition.clone(), problem }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(spec: Value) -> Value {
        json!({"type": "object", "properties": {"spec": spec}})
    }

    #[test]
    fn a_narrower_schema_is_checked_against_what_exists() {
        let before = schema(json!({"type": "object", "properties": {"size": {"type": "string"}}}));
        let after = schema(json!({"type": "object", "required": ["size"], "properties": {"size": {"type": "string"}}}));
        let object = |spec: Value| json!({"metadata": {"name": "w", "namespace": "n"}, "spec": spec});
        assert_eq!(narrowed(&before, &after, &[object(json!({"size": "x"}))]), None);
        let problem = narrowed(&before, &after, &[object(json!({}))]).unwrap();
        assert!(problem.starts_with("w in n exists and would be invalid: spec.size"), "{problem}");
        // What was invalid before is no reason to stay with the old schema.
        assert_eq!(narrowed(&before, &after, &[object(json!({"size": 1}))]), None);
    }

    #[test]
    fn only_schemas_that_changed_are_looked_at() {
        let of = |kind: &str| json!({"versions": [{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {"type": kind}}}]});
        assert!(changed_schemas(&of("object"), &of("object")).is_empty());
        assert_eq!(changed_schemas(&of("object"), &of("string")).len(), 1);
    }
}
