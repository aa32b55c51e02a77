//! Kinds that are another view of the objects of a kind: Events exist in two groups.

use kpkg_api::schema::Kind;
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
    if !is_view(kind) {
        return Cow::Borrowed(object);
    }
    Cow::Owned(renamed(kind, object.clone(), |(view, stored)| (stored, view)))
}

/// An object of a kind as it is stored.
pub(super) fn stored(kind: &'static Kind, object: Value) -> Value {
    if is_view(kind) { renamed(stored_kind(kind), object, |pair| pair) } else { object }
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
