//! The fields of `metadata` that are the server's to set.

use super::Context;
use crate::failure::Result;
use kpkg_api::{meta, schema::Kind, status::Status};
use serde_json::{Value, json};

/// How many characters a generated name adds.
const SUFFIX: usize = 5;
/// The longest part of `generateName` that is used.
const MAX_PREFIX: usize = 63 - SUFFIX;
/// Letters and digits that cannot form a bad word or be taken for each other.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// What only an existing object has.
const EARNED: [&str; 4] = ["deletionTimestamp", "deletionGracePeriodSeconds", "generation", "creationTimestamp"];

/// The namespace of a body must be that of the URL, or absent.
pub(crate) fn settle_namespace(kind: &Kind, namespace: Option<&str>, object: &mut Value) -> Result<()> {
    let metadata = meta::metadata_mut(object);
    let own = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) if own.is_empty() => {
            metadata.insert("namespace".to_owned(), namespace.into());
        }
        Some(namespace) if own != namespace => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        Some(_) => {}
        None if own.is_empty() => {
            metadata.remove("namespace");
        }
        None => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    Ok(())
}

/// The name of a body must be that of the URL, or absent.
pub(crate) fn settle_name(name: &str, object: &mut Value) -> Result<()> {
    let own = meta::name(object);
    if own.is_empty() {
        meta::metadata_mut(object).insert("name".to_owned(), name.into());
    } else if own != name {
        return Err(Status::bad_request(format!(
            "the name of the object ({own}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}

/// What every new object gets.
pub(crate) fn birth(context: &Context, object: &mut Value) -> Result<()> {
    if !meta::resource_version(object).is_empty() {
        return Err(Status::new(
            kpkg_api::status::Reason::Unknown,
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let metadata = meta::metadata_mut(object);
    for key in EARNED {
        metadata.remove(key);
    }
    metadata.remove("resourceVersion");
    metadata.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), context.now_text().into());
    Ok(())
}

/// Makes a name out of `generateName` if that is all there is; answers whether it did.
pub(crate) fn generate_name(object: &mut Value) -> bool {
    let prefix = meta::generate_name(object);
    if prefix.is_empty() {
        return false;
    }
    // Names are ASCII; validation refuses what is not.
    let prefix: String = prefix.chars().take(MAX_PREFIX).collect();
    let name = format!("{prefix}{}", suffix());
    meta::metadata_mut(object).insert("name".to_owned(), name.into());
    true
}

/// Random characters that make a name unique.
pub(crate) fn suffix() -> String {
    (0..SUFFIX).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect()
}

/// Carries over what an update cannot change.
pub(crate) fn carry_over(old: &Value, new: &mut Value) {
    for key in EARNED.into_iter().chain(["uid"]) {
        let value = old["metadata"].get(key).cloned();
        let metadata = meta::metadata_mut(new);
        match value {
            Some(value) => metadata.insert(key.to_owned(), value),
            None => metadata.remove(key),
        };
    }
}

/// Counts one more change of what the user wants.
pub(crate) fn bump_generation(object: &mut Value) {
    let next = meta::generation(object) + 1;
    meta::metadata_mut(object).insert("generation".to_owned(), json!(next));
}

/// Marks the object as being deleted.
pub(crate) fn mark_deleted(object: &mut Value, at: String, grace: i64) {
    if meta::generation(object) > 0 && meta::deletion_timestamp(object).is_none() {
        bump_generation(object);
    }
    let metadata = meta::metadata_mut(object);
    metadata.insert("deletionTimestamp".to_owned(), at.into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
}

/// Whether an update leaves nothing that holds back the deletion.
pub(crate) fn is_finished(object: &Value) -> bool {
    meta::deletion_timestamp(object).is_some()
        && meta::finalizers(object).next().is_none()
        && object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default() == 0
        && object["spec"]["finalizers"]
            .as_array()
            .is_none_or(|finalizers| meta::kind(object) != "Namespace" || finalizers.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_a_prefix_and_a_suffix() {
        let mut object = json!({"metadata": {"generateName": "web-"}});
        assert!(generate_name(&mut object));
        let name = meta::name(&object);
        assert!(name.starts_with("web-") && name.len() == 9, "{name}");
        let mut long = json!({"metadata": {"generateName": "x".repeat(100)}});
        generate_name(&mut long);
        assert_eq!(meta::name(&long).len(), 63);
    }

    #[test]
    fn a_deletion_waits_for_finalizers_and_grace() {
        let at = "2026-01-01T00:00:00Z";
        assert!(is_finished(&json!({"metadata": {"deletionTimestamp": at}})));
        assert!(!is_finished(&json!({"metadata": {}})));
        assert!(!is_finished(&json!({"metadata": {"deletionTimestamp": at, "finalizers": ["a"]}})));
        assert!(!is_finished(&json!({"metadata": {"deletionTimestamp": at, "deletionGracePeriodSeconds": 30}})));
        let namespace =
            json!({"kind": "Namespace", "metadata": {"deletionTimestamp": at}, "spec": {"finalizers": ["kubernetes"]}});
        assert!(!is_finished(&namespace));
    }
}
