//! The documents that a template wrote.

use crate::load::split_documents;
use crate::manifests::Head;

/// What each document says of itself; `None` for an empty one.
pub(super) fn heads(text: &str) -> Vec<Result<Option<Head>, String>> {
    split_documents(text).into_iter().map(|document| document.and_then(head)).collect()
}

fn head(document: &str) -> Result<Option<Head>, String> {
    if document.trim().is_empty() {
        return Ok(None);
    }
    let is_empty = matches!(kpkg_yaml::read(document), Ok(kpkg_yaml::Value::Null));
    match Head::read(document) {
        Ok(_) if is_empty => Ok(None),
        Ok(head) => Ok(Some(head)),
        Err(fault) => Err(fault.problem.replace("util.SimpleHead", "rules.k8sYamlStruct")),
    }
}

/// The same documents as values; those that are no mappings are left out.
pub(super) fn objects(text: &str) -> Vec<kpkg_yaml::Map> {
    let read = |document: Result<&str, String>| match kpkg_yaml::read(document.ok()?) {
        Ok(kpkg_yaml::Value::Map(map)) => Some(map),
        _ => None,
    };
    split_documents(text).into_iter().filter_map(read).collect()
}
