//! Event, in both views. Paths are those of the core view, as Kubernetes prints them for either.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
};
use crate::{meta, value::Read as _};
use serde_json::Value;

const SHORT: usize = 128;
const NOTE: usize = 1024;

/// Checks an event in the view of a group.
pub(super) fn event(group: &str, object: &Value, errors: &mut Errors) {
    let is_core = group.is_empty();
    let name = |core: &'static str, new: &'static str| if is_core { core } else { new };
    let about = object[name("involvedObject", "regarding")].text("namespace");
    let namespace = meta::namespace(object);
    // Events about objects without a namespace live in `default`, or, of the system, in `kube-system`.
    let is_new = object.has("eventTime");
    let fits = match about {
        "" => namespace == "default" || (is_new && namespace == "kube-system"),
        about => is_new || about == namespace,
    };
    if !fits {
        errors.push(FieldError::invalid("involvedObject.namespace", about, "does not match event.namespace"));
    }
    if !is_new {
        return;
    }
    let controller = name("reportingComponent", "reportingController");
    let path = Path::root(controller);
    checks::required(&path, object.text(controller), errors);
    checks::qualified(&path, object.text(controller), errors);
    for field in ["reportingInstance", "action", "reason"] {
        checks::required(&Path::root(field), object.text(field), errors);
        at_most(field, object.text(field), SHORT, errors);
    }
    at_most("message", object.text(name("message", "note")), NOTE, errors);
}

fn at_most(field: &str, value: &str, limit: usize, errors: &mut Errors) {
    if value.len() > limit {
        errors.push(FieldError::invalid(field, "", format!("can have at most {limit} characters")));
    }
}

/// What the new view asks of a new event besides.
pub(super) fn create(object: &Value, errors: &mut Errors) {
    if !object.has("eventTime") {
        errors.push(FieldError::required("eventTime", ""));
    }
    let kind = object.text("type");
    if !["Normal", "Warning"].contains(&kind) {
        errors.push(FieldError::invalid("type", "", format!("has invalid value: {kind}")));
    }
    series(object, errors);
    let unset = [
        ("firstTimestamp", object.has("deprecatedFirstTimestamp")),
        ("lastTimestamp", object.has("deprecatedLastTimestamp")),
        ("count", object.int("deprecatedCount").unwrap_or_default() != 0),
        ("source", object["deprecatedSource"].as_object().is_some_and(|source| !source.is_empty())),
    ];
    for (field, _) in unset.iter().filter(|(_, is_set)| *is_set) {
        errors.push(FieldError::invalid(*field, "", "needs to be unset"));
    }
}

fn series(object: &Value, errors: &mut Errors) {
    let series = &object["series"];
    if series.is_null() {
        return;
    }
    if series.int("count").unwrap_or_default() < 2 {
        errors.push(FieldError::invalid("series.count", "", "should be at least 2"));
    }
    if !series.has("lastObservedTime") {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
}

/// In the new view, nothing but the series and the metadata may change.
pub(super) fn update(old: &Value, new: &Value, errors: &mut Errors) {
    const FIXED: &[(&str, &str)] = &[
        ("regarding", "involvedObject"),
        ("reason", "reason"),
        ("note", "message"),
        ("type", "type"),
        ("eventTime", "eventTime"),
        ("action", "action"),
        ("related", "related"),
        ("reportingController", "reportingController"),
        ("reportingInstance", "reportingInstance"),
    ];
    for (field, path) in FIXED {
        checks::immutable(&Path::root(path), &old[*field], &new[*field], errors);
    }
    if old["series"] != new["series"] {
        series(new, errors);
    }
}
