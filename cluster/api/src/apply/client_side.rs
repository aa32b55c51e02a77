//! What `kubectl apply` without `--server-side` leaves on objects, and how it is taken over.

use super::{FieldSet, Node, fields, fields::Comparison};
use crate::meta;
use serde_json::Value;

/// The name under which kubectl applies on the server's side, too; only it takes over.
const KUBECTL: &str = "kubectl";
/// What was last applied from the client's side.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// More than annotations may hold is not kept.
const MAX_ANNOTATION: usize = 256 * 1024;

/// The fields that kubectl owns by having applied them from its side: they still have the value that it gave them.
pub(super) fn owned(node: Node<'_>, manager: &str, live: &Value) -> FieldSet {
    let last = meta::annotation(live, LAST_APPLIED).filter(|_| manager == KUBECTL);
    let Some(Ok(last)) = last.map(serde_json::from_str::<Value>) else { return FieldSet::default() };
    let since = Comparison::of(node, &last, live);
    fields::of(node, &last).difference(&since.changed).difference(&since.added).difference(&since.removed)
}

/// Keeps the annotation of an object that has it true, so that kubectl can apply from its side again.
pub(super) fn note(manager: &str, config: &Value, applied: &mut Value) {
    if manager != KUBECTL || meta::annotation(applied, LAST_APPLIED).is_none() {
        return;
    }
    let mut last = config.clone();
    if let Some(annotations) = last.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    let text = format!("{last}\n");
    let Some(annotations) = applied.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) else { return };
    if text.len() > MAX_ANNOTATION {
        annotations.remove(LAST_APPLIED);
    } else {
        annotations.insert(LAST_APPLIED.to_owned(), text.into());
    }
}
