//! Events have two views: `v1` and `events.k8s.io/v1` show the same object under different field names.

use serde_json::Value;

/// Each pair of names: in `v1`, in `events.k8s.io/v1`. All other fields have one name.
const NAMES: &[(&str, &str)] = &[
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("involvedObject", "regarding"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
];

/// Turns an event into the view of an API group: empty for the core, or `events.k8s.io`.
pub fn convert(group: &str, event: &mut Value) {
    let to_core = group.is_empty();
    let Value::Object(map) = event else { return };
    for (core, new) in NAMES {
        let (from, to) = if to_core { (new, core) } else { (core, new) };
        if let Some(value) = map.remove(*from) {
            map.insert((*to).to_owned(), value);
        }
    }
    let api_version = if to_core { "v1" } else { "events.k8s.io/v1" };
    map.insert("apiVersion".to_owned(), api_version.into());
}

#[cfg(test)]
mod tests {
    use super::convert;
    use crate::schema;
    use serde_json::json;

    #[test]
    fn both_views_hold_the_same() {
        let core = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"},
            "involvedObject": {"kind": "Pod", "name": "p"}, "source": {"component": "kubelet"},
            "message": "m", "reason": "r", "count": 2, "type": "Normal",
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:01Z",
            "reportingComponent": "kubelet", "reportingInstance": "n",
        });
        let mut event = core.clone();
        convert("events.k8s.io", &mut event);
        assert_eq!(event["regarding"]["name"], "p");
        let new = schema::type_of("events.k8s.io", "v1", "Event").expect("Event");
        assert_eq!(schema::unknown_fields(new, &event), [""; 0]);
        convert("", &mut event);
        assert_eq!(event, core);
    }
}
