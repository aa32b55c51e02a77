//! What may change in a pod: little.

use crate::{
    names,
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

const FIXED: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                     `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                     existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                     previously negative)";

/// Checks what changed in a pod.
pub(in crate::validate) fn update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    for list in ["containers", "initContainers"] {
        if old.items(list).len() != new.items(list).len() {
            let why = "pod updates may not add or remove containers";
            errors.push(FieldError::forbidden(format!("spec.{list}"), why));
            return;
        }
    }
    deadline(old, new, errors);
    added_tolerations(old, new, errors);
    removed_gates(old, new, errors);
    if old == new {
        return;
    }
    if without_free_fields(new, old) != *old {
        errors.push(FieldError::forbidden("spec", FIXED));
    }
}

/// The new spec with everything that may change set to what it was.
fn without_free_fields(new: &Value, old: &Value) -> Value {
    let mut same = new.clone();
    for list in ["containers", "initContainers"] {
        if let Some(containers) = same.get_mut(list).and_then(Value::as_array_mut) {
            for (container, old) in containers.iter_mut().zip(old.items(list)) {
                container["image"] = old["image"].clone();
            }
        }
    }
    let was_gated = !old.items("schedulingGates").is_empty();
    let mut free = vec!["activeDeadlineSeconds", "schedulingGates", "tolerations"];
    if was_gated {
        // Until its gates are gone, a pod may still be told where to go.
        free.extend(["affinity", "nodeSelector"]);
    }
    if old.int("terminationGracePeriodSeconds").is_some_and(|seconds| seconds < 0)
        && new.int("terminationGracePeriodSeconds") == Some(1)
    {
        free.push("terminationGracePeriodSeconds");
    }
    if let Value::Object(same) = &mut same {
        for field in free {
            match old.get(field) {
                Some(value) => same.insert(field.to_owned(), value.clone()),
                None => same.remove(field),
            };
        }
    }
    same
}

fn deadline(old: &Value, new: &Value, errors: &mut Errors) {
    const PATH: &str = "spec.activeDeadlineSeconds";
    let path = Path::root(PATH);
    match (old.int("activeDeadlineSeconds"), new.int("activeDeadlineSeconds")) {
        (Some(_), None) => {
            let why = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(path, Value::Null, why));
        }
        (old, Some(new)) => {
            checks::range(&path, Some(new), 0, i64::from(i32::MAX), errors);
            if old.is_some_and(|old| old < new) {
                errors.push(FieldError::invalid(path, new, "must be less than or equal to previous value"));
            }
        }
        (None, None) => {}
    }
}

/// Tolerations may be added; of old ones only the seconds may change.
fn added_tolerations(old: &Value, new: &Value, errors: &mut Errors) {
    let but_seconds = |toleration: &Value| {
        let mut toleration = toleration.clone();
        if let Value::Object(map) = &mut toleration {
            map.remove("tolerationSeconds");
        }
        toleration
    };
    let kept: Vec<Value> = new.items("tolerations").iter().map(but_seconds).collect();
    if old.items("tolerations").iter().any(|toleration| !kept.contains(&but_seconds(toleration))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden("spec.tolerations", why));
    }
}

fn removed_gates(old: &Value, new: &Value, errors: &mut Errors) {
    let known = old.items("schedulingGates");
    for (at, gate) in new.items("schedulingGates").iter().enumerate() {
        if !known.iter().any(|other| other["name"] == gate["name"]) {
            let why = format!("only deletion is allowed, but found new scheduling gate '{}'", gate.text("name"));
            errors.push(FieldError::forbidden(format!("spec.schedulingGates[{at}].name"), why));
        }
    }
}

/// Checks a pod's status.
pub(in crate::validate) fn update_status(old: &Value, new: &Value, errors: &mut Errors) {
    let path = Path::root("status");
    if old["spec"]["nodeName"] != new["spec"]["nodeName"] {
        errors.push(FieldError::forbidden("status.nodeName", "may not be changed directly"));
    }
    let (before, after) = (&old["status"], &new["status"]);
    let nominated = after.text("nominatedNodeName");
    if !nominated.is_empty() && nominated != before.text("nominatedNodeName") {
        checks::text(&path.child("nominatedNodeName"), nominated, names::dns1123_subdomain(nominated), errors);
    }
    if before.has("qosClass") {
        checks::immutable(&path.child("qosClass"), &before["qosClass"], &after["qosClass"], errors);
    }
    let ips = path.child("podIPs");
    for (at, ip) in after.items("podIPs").iter().enumerate() {
        checks::ip(&ips.index(at), ip.text("ip"), errors);
    }
}
