//! Kinds that are another view of the objects of a kind: Events exist in two groups.

use kpkg_api::{meta, schema::Kind};
use serde_json::Value;
use std::borrow::Cow;

use super::well_known;

/// The fields of an Event in `events.k8s.io`, and what they are called where it is stored.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reportingController", "reportingComponent"),
];

fn is_view(kind: &Kind) -> bool {
    kind.is("events.k8s.io", "Event")
}

/// The kind whose shelf keeps the objects.
pub(crate) fn stored_kind(kind: &'static Kind) -> &'static Kind {
    if is_view(kind) { well_known("", "Event") } else { kind }
}

/// A stored object as an object of a kind.
pub(crate) fn shown<'a>(kind: &Kind, object: &'a Value) -> Cow<'a, Value> {
    if kind.custom {
        return if is_own(kind, object) {
            Cow::Borrowed(object)
        } else {
            Cow::Owned(in_version(object.clone(), kind.api_version()))
        };
    }
    if !is_view(kind) {
        return Cow::Borrowed(object);
    }
    Cow::Owned(renamed(kind, object.clone(), |(view, stored)| (stored, view)))
}

/// An object of a kind as it is stored.
pub(super) fn stored(kind: &'static Kind, object: Value) -> Value {
    if kind.custom && kind.version != kind.storage_version {
        return in_version(object, format!("{}/{}", kind.group, kind.storage_version));
    }
    if is_view(kind) { renamed(stored_kind(kind), object, |pair| pair) } else { object }
}

/// Whether a stored object is one of a kind as it is.
pub(crate) fn is_own(kind: &Kind, object: &Value) -> bool {
    if kind.custom {
        let (group, version) = meta::api_version(object).split_once('/').unwrap_or_default();
        return group == kind.group && version == kind.version;
    }
    !is_view(kind)
}

/// The versions of a custom kind differ in nothing but their name.
fn in_version(mut object: Value, api_version: String) -> Value {
    object["apiVersion"] = api_version.into();
    object
}

fn renamed(
    kind: &Kind,
    mut object: Value,
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Value {
    if let Value::Object(map) = &mut object {
        for (from, to) in EVENT_FIELDS.into_iter().map(direction) {
            if let Some(value) = map.remove(from) {
                map.insert(to.to_owned(), value);
            }
        }
        map.insert("apiVersion".to_owned(), kind.api_version().into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_go_there_and_back() {
        let view = kpkg_api::schema::kind("events.k8s.io", "v1", "Event").expect("served");
        let event =
            json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "note": "hi", "regarding": {"name": "p"}});
        let kept = stored(view, event.clone());
        assert_eq!(
            kept,
            json!({"apiVersion": "v1", "kind": "Event", "message": "hi", "involvedObject": {"name": "p"}})
        );
        assert_eq!(*shown(view, &kept), event);
    }
}
