//! Affinity, tolerations, spreading and gates.

use super::TAINT_EFFECTS;
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

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks a pod's affinities.
pub(super) fn affinity(affinity: &Value, path: &Path<'_>, errors: &mut Errors) {
    let node = &affinity["nodeAffinity"];
    let node_path = path.child("nodeAffinity");
    if node.has(REQUIRED) {
        node_selector(&node[REQUIRED], &node_path.child(REQUIRED), errors);
    }
    let list = node_path.child(PREFERRED);
    for (at, term) in node.items(PREFERRED).iter().enumerate() {
        let path = list.index(at);
        weight(term, &path, errors);
        node_term(&term["preference"], &path.child("preference"), errors);
    }
    for name in ["podAffinity", "podAntiAffinity"] {
        let path = path.child(name);
        let list = path.child(REQUIRED);
        for (at, term) in affinity[name].items(REQUIRED).iter().enumerate() {
            pod_term(term, &list.index(at), errors);
        }
        let list = path.child(PREFERRED);
        for (at, term) in affinity[name].items(PREFERRED).iter().enumerate() {
            let path = list.index(at);
            weight(term, &path, errors);
            pod_term(&term["podAffinityTerm"], &path.child("podAffinityTerm"), errors);
        }
    }
}

fn weight(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let weight = term.int("weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        errors.push(FieldError::invalid(path.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// Checks a selector of nodes.
pub(in crate::validate) fn node_selector(selector: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("nodeSelectorTerms");
    let terms = selector.items("nodeSelectorTerms");
    if terms.is_empty() {
        errors.push(FieldError::required(list, "must have at least one node selector term"));
    }
    for (at, term) in terms.iter().enumerate() {
        node_term(term, &list.index(at), errors);
    }
}

fn node_term(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("matchExpressions");
    for (at, expression) in term.items("matchExpressions").iter().enumerate() {
        let path = list.index(at);
        let values = expression.items("values");
        let why = match expression.text("operator") {
            "In" | "NotIn" if values.is_empty() => "must be specified when `operator` is 'In' or 'NotIn'",
            "Gt" | "Lt" if values.len() != 1 => "must be specified single value when `operator` is 'Lt' or 'Gt'",
            "In" | "NotIn" | "Gt" | "Lt" => "",
            "Exists" | "DoesNotExist" => {
                if !values.is_empty() {
                    let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.push(FieldError::forbidden(path.child("values"), why));
                }
                ""
            }
            other => {
                errors.push(FieldError::invalid(path.child("operator"), other, "not a valid selector operator"));
                ""
            }
        };
        if !why.is_empty() {
            errors.push(FieldError::required(path.child("values"), why));
        }
        checks::qualified(&path.child("key"), expression.text("key"), errors);
        checks::values_of(values, &path, errors);
    }
    let list = path.child("matchFields");
    for (at, expression) in term.items("matchFields").iter().enumerate() {
        let path = list.index(at);
        match expression.text("operator") {
            "In" | "NotIn" if expression.items("values").len() != 1 => {
                let why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                errors.push(FieldError::required(path.child("values"), why));
            }
            "In" | "NotIn" => {}
            other => errors.push(FieldError::invalid(path.child("operator"), other, "not a valid selector operator")),
        }
        if expression.text("key") != "metadata.name" {
            let key = expression.text("key");
            errors.push(FieldError::invalid(path.child("key"), key, "not a valid field selector key"));
        }
    }
}

fn pod_term(term: &Value, path: &Path<'_>, errors: &mut Errors) {
    for selector in ["labelSelector", "namespaceSelector"] {
        checks::label_selector(&term[selector], &path.child(selector), errors);
    }
    for namespace in term.items("namespaces").iter().filter_map(Value::as_str) {
        checks::label(&path.child("namespace"), namespace, errors);
    }
    match term.text("topologyKey") {
        "" => errors.push(FieldError::required(path.child("topologyKey"), "can not be empty")),
        key => checks::qualified(&path.child("topologyKey"), key, errors),
    }
}

/// Checks a pod's tolerations.
pub(super) fn tolerations(tolerations: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, toleration) in tolerations.iter().enumerate() {
        let path = path.index(at);
        let (key, operator, value) = (toleration.text("key"), toleration.text("operator"), toleration.text("value"));
        let effect = toleration.text("effect");
        if !key.is_empty() {
            checks::qualified(&path.child("key"), key, errors);
        } else if operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(path.child("operator"), operator, why));
        }
        if toleration.has("tolerationSeconds") && effect != "NoExecute" {
            let why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(path.child("effect"), effect, why));
        }
        match operator {
            "" | "Equal" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.push(FieldError::invalid(path.child("operator"), value, wrong.join(";")));
                }
            }
            "Exists" if !value.is_empty() => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(path.child("operator"), value, why));
            }
            other => checks::one_of_if_set(&path.child("operator"), Some(other), &["Equal", "Exists"], errors),
        }
        if !effect.is_empty() {
            checks::one_of_if_set(&path.child("effect"), Some(effect), TAINT_EFFECTS, errors);
        }
    }
}

/// Checks a pod's gates.
pub(super) fn gates(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("readinessGates");
    for (at, gate) in spec.items("readinessGates").iter().enumerate() {
        checks::qualified(&list.index(at).child("conditionType"), gate.text("conditionType"), errors);
    }
    let list = path.child("schedulingGates");
    let gates = spec.items("schedulingGates");
    for (at, gate) in gates.iter().enumerate() {
        let name = gate.text("name");
        checks::qualified(&list.index(at), name, errors);
        if gates[..at].iter().any(|other| other.text("name") == name) {
            errors.push(FieldError::duplicate(list.index(at), name));
        }
    }
}

/// Checks how a pod's copies are to be spread.
pub(super) fn spreading(constraints: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, constraint) in constraints.iter().enumerate() {
        let path = path.index(at);
        let (key, action) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        let skew = constraint.int("maxSkew").unwrap_or_default();
        if skew <= 0 {
            errors.push(FieldError::invalid(path.child("maxSkew"), skew, "must be greater than zero"));
        }
        if key.is_empty() {
            errors.push(FieldError::required(path.child("topologyKey"), "can not be empty"));
        }
        let actions = &["DoNotSchedule", "ScheduleAnyway"];
        checks::one_of_if_set(&path.child("whenUnsatisfiable"), Some(action), actions, errors);
        let same = |other: &Value| other.text("topologyKey") == key && other.text("whenUnsatisfiable") == action;
        if constraints[at + 1..].iter().any(same) {
            let path = path.child("{topologyKey, whenUnsatisfiable}");
            errors.push(FieldError::duplicate(path, format!("{{{key}, {action}}}")));
        }
        if let Some(domains) = constraint.int("minDomains") {
            let path = path.child("minDomains");
            if domains <= 0 {
                errors.push(FieldError::invalid(path, domains, "must be greater than zero"));
            }
            if action != "DoNotSchedule" {
                let why = format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.push(FieldError::invalid(path, domains, why));
            }
        }
        for field in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            checks::one_of_if_set(&path.child(field), constraint[field].as_str(), &["Honor", "Ignore"], errors);
        }
        checks::label_selector(&constraint["labelSelector"], &path.child("labelSelector"), errors);
    }
}
