//! Deployment, ReplicaSet, StatefulSet and ControllerRevision.

use super::{
    FieldError,
    checks::{self, Errors, NEGATIVE},
    path::Path,
    pod, storage,
};
use crate::{intstr::IntOrString, names, selector::LabelSelector, value::Read as _};
use serde_json::Value;

const SPEC: Path<'_> = Path::root("spec");

/// Checks a workload of a kind.
pub(super) fn workload(kind: &str, object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    match kind {
        "Deployment" => deployment(spec, errors),
        "ReplicaSet" => replica_set(spec, errors),
        "StatefulSet" => stateful_set(spec, errors),
        "DaemonSet" => daemon_set(spec, errors),
        _ => revision(object, errors),
    }
}

/// Checks what changed in a workload of a kind.
pub(super) fn update(kind: &str, old: &Value, new: &Value, errors: &mut Errors) {
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => {
            checks::immutable(&SPEC.child("selector"), &old["spec"]["selector"], &new["spec"]["selector"], errors);
        }
        "StatefulSet" => stateful_set_update(&old["spec"], &new["spec"], errors),
        _ => checks::immutable(&Path::root("data"), &old["data"], &new["data"], errors),
    }
}

/// Checks a workload's status.
pub(super) fn status(kind: &str, old: &Value, new: &Value, errors: &mut Errors) {
    let (path, status) = (Path::root("status"), &new["status"]);
    let counts: &[&str] = match kind {
        "Deployment" => &["updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"],
        "ReplicaSet" => &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        _ => &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
    };
    let total = status.int("replicas").unwrap_or_default();
    for count in ["replicas", "observedGeneration", "collisionCount"].iter().chain(counts) {
        checks::nonnegative(status, count, &path, errors);
    }
    for count in counts.iter().filter(|count| **count != "unavailableReplicas") {
        if let Some(value) = status.int(count)
            && value > total
        {
            errors.push(FieldError::invalid(path.child(count), value, "cannot be greater than status.replicas"));
        }
    }
    let collisions = |object: &Value| object["status"].int("collisionCount").unwrap_or_default();
    if collisions(new) < collisions(old) {
        let why = "cannot be decremented";
        errors.push(FieldError::invalid("status.collisionCount", collisions(new), why));
    }
}

/// What Deployment and ReplicaSet share; `empty` is what is said of an empty selector.
fn selector_and_template(spec: &Value, empty: &str, errors: &mut Errors) {
    let path = SPEC.child("selector");
    let selector = &spec["selector"];
    if selector.is_null() {
        errors.push(FieldError::required(path, ""));
    } else {
        checks::label_selector(selector, &path, errors);
        if selector.items("matchExpressions").is_empty() && !has_labels(selector) {
            errors.push(FieldError::invalid(path, selector.clone(), empty));
        }
    }
    let template = &spec["template"];
    match LabelSelector::from_json(selector) {
        Err(_) if !selector.is_null() => {
            errors.push(FieldError::invalid(path, selector.clone(), "invalid label selector"));
        }
        Ok(matcher) if !selector.is_null() && !matcher.is_empty() => {
            let labels = &template["metadata"]["labels"];
            if !matcher.matches_labels(labels) {
                let why = "`selector` does not match template `labels`";
                errors.push(FieldError::invalid("spec.template.metadata.labels", labels.clone(), why));
            }
        }
        _ => {}
    }
}

fn has_labels(selector: &Value) -> bool {
    selector["matchLabels"].as_object().is_some_and(|labels| !labels.is_empty())
}

/// Pods of a workload run for ever.
fn lasting_template(spec: &Value, errors: &mut Errors) {
    let pod = &spec["template"]["spec"];
    if pod.text("restartPolicy") != "Always" {
        let path = "spec.template.spec.restartPolicy";
        errors.push(FieldError::not_supported(path, pod.text("restartPolicy"), &["Always"]));
    }
    if pod.has("activeDeadlineSeconds") {
        errors.push(FieldError::forbidden(
            "spec.template.spec.activeDeadlineSeconds",
            "activeDeadlineSeconds in ReplicaSet is not Supported",
        ));
    }
}

fn deployment(spec: &Value, errors: &mut Errors) {
    checks::nonnegative(spec, "replicas", &SPEC, errors);
    selector_and_template(spec, "empty selector is invalid for deployment", errors);
    pod::template(&spec["template"], &SPEC.child("template"), errors);
    lasting_template(spec, errors);
    strategy(&spec["strategy"], &SPEC.child("strategy"), errors);
    checks::nonnegative(spec, "minReadySeconds", &SPEC, errors);
    checks::nonnegative(spec, "revisionHistoryLimit", &SPEC, errors);
    if let Some(deadline) = spec.int("progressDeadlineSeconds") {
        checks::nonnegative(spec, "progressDeadlineSeconds", &SPEC, errors);
        if deadline <= spec.int("minReadySeconds").unwrap_or_default() {
            let path = SPEC.child("progressDeadlineSeconds");
            errors.push(FieldError::invalid(path, deadline, "must be greater than minReadySeconds"));
        }
    }
}

fn strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling = &strategy["rollingUpdate"];
    let rolling_path = path.child("rollingUpdate");
    match strategy.text("type") {
        "Recreate" => {
            if !rolling.is_null() {
                let why = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(FieldError::forbidden(rolling_path, why));
            }
        }
        "RollingUpdate" if rolling.is_null() => {
            errors.push(FieldError::required(rolling_path, "this should be defaulted and never be nil"));
        }
        "RollingUpdate" => rolling_update(rolling, &rolling_path, errors),
        other => {
            errors.push(FieldError::not_supported(path.child("type"), other, &["Recreate", "RollingUpdate"]));
        }
    }
}

fn rolling_update(rolling: &Value, path: &Path<'_>, errors: &mut Errors) {
    for name in ["maxUnavailable", "maxSurge"] {
        int_or_percent(&rolling[name], &path.child(name), errors);
    }
    let number = |name: &str| IntOrString::from_json(&rolling[name]).and_then(|value| value.scaled(100, true).ok());
    if number("maxUnavailable") == Some(0) && number("maxSurge") == Some(0) {
        let why = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid(path.child("maxUnavailable"), rolling["maxUnavailable"].clone(), why));
    }
    not_over_100_percent(&rolling["maxUnavailable"], &path.child("maxUnavailable"), errors);
}

fn int_or_percent(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    match IntOrString::from_json(value) {
        Some(IntOrString::String(text)) if !names::percent(text).is_empty() => {
            let why = "must be an integer or percentage (e.g '5%%')";
            errors.push(FieldError::invalid(path, text, why));
        }
        Some(IntOrString::Int(number)) if number < 0 => errors.push(FieldError::invalid(path, number, NEGATIVE)),
        _ => {}
    }
}

fn not_over_100_percent(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|digits| digits.parse::<i64>().ok());
    if percent.is_some_and(|percent| percent > 100) {
        errors.push(FieldError::invalid(path, value.clone(), "must not be greater than 100%"));
    }
}

fn replica_set(spec: &Value, errors: &mut Errors) {
    checks::nonnegative(spec, "replicas", &SPEC, errors);
    checks::nonnegative(spec, "minReadySeconds", &SPEC, errors);
    selector_and_template(spec, "empty selector is invalid for deployment", errors);
    pod::template(&spec["template"], &SPEC.child("template"), errors);
    lasting_template(spec, errors);
}

fn daemon_set(spec: &Value, errors: &mut Errors) {
    selector_and_template(spec, "empty selector is invalid for daemonset", errors);
    pod::template(&spec["template"], &SPEC.child("template"), errors);
    lasting_template(spec, errors);
    let path = SPEC.child("updateStrategy");
    let strategy = &spec["updateStrategy"];
    checks::one_of(&path.child("type"), strategy.text("type"), &["OnDelete", "RollingUpdate"], errors);
    let rolling_path = path.child("rollingUpdate");
    for name in ["maxUnavailable", "maxSurge"] {
        int_or_percent(&strategy["rollingUpdate"][name], &rolling_path.child(name), errors);
    }
    checks::nonnegative(spec, "minReadySeconds", &SPEC, errors);
    checks::nonnegative(spec, "revisionHistoryLimit", &SPEC, errors);
}

fn stateful_set(spec: &Value, errors: &mut Errors) {
    match spec.text("podManagementPolicy") {
        "" => errors.push(FieldError::required("spec.podManagementPolicy", "")),
        "OrderedReady" | "Parallel" => {}
        other => {
            let why = "must be 'OrderedReady' or 'Parallel'";
            errors.push(FieldError::invalid("spec.podManagementPolicy", other, why));
        }
    }
    stateful_set_strategy(&spec["updateStrategy"], &SPEC.child("updateStrategy"), errors);
    let retention = &spec["persistentVolumeClaimRetentionPolicy"];
    let retention_path = SPEC.child("persistentVolumeClaimRetentionPolicy");
    for name in ["whenDeleted", "whenScaled"] {
        checks::one_of(&retention_path.child(name), retention.text(name), &["Delete", "Retain"], errors);
    }
    for name in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
        checks::nonnegative(spec, name, &SPEC, errors);
    }
    let ordinals = SPEC.child("ordinals");
    checks::nonnegative(&spec["ordinals"], "start", &ordinals, errors);
    selector_and_template(spec, "empty selector is invalid for statefulset", errors);
    // Mounts of claimed volumes refer to volumes that each pod gets later.
    let template = &spec["template"];
    let claims = spec.items("volumeClaimTemplates");
    pod::template_with_claims(template, claims, &SPEC.child("template"), errors);
    let pod = &template["spec"];
    if pod.text("restartPolicy") != "Always" {
        let path = "spec.template.spec.restartPolicy";
        errors.push(FieldError::not_supported(path, pod.text("restartPolicy"), &["Always"]));
    }
    if pod.has("activeDeadlineSeconds") {
        let why = "activeDeadlineSeconds in StatefulSet is not Supported";
        errors.push(FieldError::forbidden("spec.template.spec.activeDeadlineSeconds", why));
    }
    let list = SPEC.child("volumeClaimTemplates");
    for (at, claim) in claims.iter().enumerate() {
        let path = list.index(at);
        storage::claim_spec(&claim["spec"], &path.child("spec"), errors);
    }
}

fn stateful_set_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling = &strategy["rollingUpdate"];
    let rolling_path = path.child("rollingUpdate");
    match strategy.text("type") {
        "" => errors.push(FieldError::required(path, "")),
        "OnDelete" => {
            if !rolling.is_null() {
                let why = "only allowed for updateStrategy 'RollingUpdate'";
                errors.push(FieldError::invalid(rolling_path, rolling.clone(), why));
            }
        }
        "RollingUpdate" => {
            checks::nonnegative(rolling, "partition", &rolling_path, errors);
            if rolling.has("maxUnavailable") {
                let path = rolling_path.child("maxUnavailable");
                let value = &rolling["maxUnavailable"];
                int_or_percent(value, &path, errors);
                if IntOrString::from_json(value).and_then(|value| value.scaled(100, true).ok()) == Some(0) {
                    errors.push(FieldError::invalid(path, value.clone(), "cannot be 0"));
                }
                not_over_100_percent(value, &path, errors);
            }
        }
        _ => {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid(path, strategy.clone(), why));
        }
    }
}

fn stateful_set_update(old: &Value, new: &Value, errors: &mut Errors) {
    const FREE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "minReadySeconds",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
    ];
    let names = [old, new].into_iter().filter_map(Value::as_object).flat_map(|spec| spec.keys());
    let changed = names.filter(|name| !FREE.contains(&name.as_str())).any(|name| old[name] != new[name]);
    if changed {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
                   'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
                   'minReadySeconds' are forbidden";
        errors.push(FieldError::forbidden(SPEC, why));
    }
}

fn revision(object: &Value, errors: &mut Errors) {
    if object["data"].is_null() {
        errors.push(FieldError::required("data", "data is mandatory"));
    }
    if object.int("revision").is_some_and(|revision| revision < 0) {
        errors.push(FieldError::invalid("revision", object["revision"].clone(), NEGATIVE));
    }
}
