//! Checks that many kinds share.

use super::{FieldError, path::Path};
use crate::{meta, names, quantity::Quantity, value::Read as _};
use serde_json::Value;

pub(super) type Errors = Vec<FieldError>;

/// What Kubernetes says of numbers below zero.
pub(super) const NEGATIVE: &str = "must be greater than or equal to 0";
/// What Kubernetes says of what may not change.
pub(super) const IMMUTABLE: &str = "field is immutable";

/// One error for each thing that is wrong with a text.
pub(super) fn text(path: &Path<'_>, value: &str, wrong: Vec<String>, errors: &mut Errors) {
    errors.extend(wrong.into_iter().map(|why| FieldError::invalid(path, value, why)));
}

/// A DNS label.
pub(super) fn label(path: &Path<'_>, value: &str, errors: &mut Errors) {
    text(path, value, names::dns1123_label(value), errors);
}

/// A DNS subdomain.
pub(super) fn subdomain(path: &Path<'_>, value: &str, errors: &mut Errors) {
    text(path, value, names::dns1123_subdomain(value), errors);
}

/// A qualified name.
pub(super) fn qualified(path: &Path<'_>, value: &str, errors: &mut Errors) {
    text(path, value, names::qualified_name(value), errors);
}

/// A text that must be given.
pub(super) fn required(path: &Path<'_>, value: &str, errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
}

/// One of a few words; it must be given.
pub(super) fn one_of(path: &Path<'_>, value: &str, supported: &[&str], errors: &mut Errors) {
    if value.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else {
        one_of_if_set(path, Some(value), supported, errors);
    }
}

/// One of a few words, or absent.
pub(super) fn one_of_if_set(path: &Path<'_>, value: Option<&str>, supported: &[&str], errors: &mut Errors) {
    if let Some(value) = value
        && !supported.contains(&value)
    {
        errors.push(FieldError::not_supported(path, value, supported));
    }
}

/// The integer of that name below a path, which may not be negative.
pub(super) fn nonnegative(object: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    if let Some(value) = object.int(name)
        && value < 0
    {
        errors.push(FieldError::invalid(path.child(name), value, NEGATIVE));
    }
}

/// An integer within bounds, if given.
pub(super) fn range(path: &Path<'_>, value: Option<i64>, low: i64, high: i64, errors: &mut Errors) {
    if let Some(value) = value {
        errors.extend(names::in_range(value, low, high).into_iter().map(|why| FieldError::invalid(path, value, why)));
    }
}

/// The number of a port.
pub(super) fn port(path: &Path<'_>, value: i64, errors: &mut Errors) {
    range(path, Some(value), 1, 65_535, errors);
}

/// The number or name of a port.
pub(super) fn port_or_name(path: &Path<'_>, value: &Value, errors: &mut Errors) {
    match value {
        Value::String(name) => text(path, name, names::port_name(name), errors),
        other => port(path, other.as_i64().unwrap_or_default(), errors),
    }
}

/// An IP address.
pub(super) fn ip(path: &Path<'_>, value: &str, errors: &mut Errors) {
    text(path, value, names::ip_address(value), errors);
}

/// A value that may not change.
pub(super) fn immutable(path: &Path<'_>, old: &Value, new: &Value, errors: &mut Errors) {
    if old != new {
        errors.push(FieldError::invalid(path, new.clone(), IMMUTABLE));
    }
}

/// A map of labels.
pub(super) fn labels(labels: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in meta::strings(labels) {
        qualified(path, key, errors);
        text(path, value, names::label_value(value), errors);
    }
}

/// A label selector in its JSON form.
pub(super) fn label_selector(selector: &Value, path: &Path<'_>, errors: &mut Errors) {
    labels(&selector["matchLabels"], &path.child("matchLabels"), errors);
    let list = path.child("matchExpressions");
    for (at, expression) in selector.items("matchExpressions").iter().enumerate() {
        let path = list.index(at);
        requirement(expression, &path, &["Exists", "DoesNotExist"], errors);
    }
}

/// One expression of a selector; `bare` operators take no values.
fn requirement(expression: &Value, path: &Path<'_>, bare: &[&str], errors: &mut Errors) {
    let (operator, values) = (expression.text("operator"), expression.items("values"));
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            let why = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(path.child("values"), why));
        }
        "In" | "NotIn" => {}
        operator if bare.contains(&operator) => {
            if !values.is_empty() {
                let why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(FieldError::forbidden(path.child("values"), why));
            }
        }
        other => errors.push(FieldError::invalid(path.child("operator"), other, "not a valid selector operator")),
    }
    qualified(&path.child("key"), expression.text("key"), errors);
    values_of(values, path, errors);
}

/// The values of an expression.
pub(super) fn values_of(values: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("values");
    for (at, value) in values.iter().enumerate() {
        let value = value.as_str().unwrap_or_default();
        text(&list.index(at), value, names::label_value(value), errors);
    }
}

/// A path below some root: relative, without steps back (CVE-2017-1002101 and its kin).
pub(super) fn descending_path(path: &Path<'_>, value: &str, errors: &mut Errors) {
    if value.starts_with('/') {
        errors.push(FieldError::invalid(path, value, "must be a relative path"));
    }
    no_backsteps(path, value, errors);
}

/// As [`descending_path`], and without the prefix that the kubelet keeps for itself.
pub(super) fn unreserved_path(path: &Path<'_>, value: &str, errors: &mut Errors) {
    descending_path(path, value, errors);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.push(FieldError::invalid(path, value, "must not start with '..'"));
    }
}

/// A path without steps back.
pub(super) fn no_backsteps(path: &Path<'_>, value: &str, errors: &mut Errors) {
    if value.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(path, value, "must not contain '..'"));
    }
}

/// A quantity; conforming objects have no malformed ones.
pub(super) fn quantity(value: &Value) -> Quantity {
    Quantity::from_json(value).unwrap_or_default()
}

/// A resource's amount: not negative, and whole where only whole things exist.
pub(super) fn amount(resource: &str, value: &Value, path: &Path<'_>, errors: &mut Errors) {
    let amount = quantity(value);
    if amount.sign() < 0 {
        errors.push(FieldError::invalid(path, amount.to_string(), NEGATIVE));
    }
    if (is_extended(resource) || COUNTED.contains(&resource)) && !amount.is_whole() {
        errors.push(FieldError::invalid(path, amount.to_string(), "must be an integer"));
    }
}

/// Native resources that come in whole numbers.
const COUNTED: &[&str] = &[
    "pods",
    "services",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

/// Whether a resource is Kubernetes' own.
pub(super) fn is_native(resource: &str) -> bool {
    !resource.contains('/') || resource.contains("kubernetes.io/")
}

/// Whether a resource is one that a device plugin or the like brought.
pub(super) fn is_extended(resource: &str) -> bool {
    !is_native(resource)
        && !resource.starts_with("requests.")
        && names::qualified_name(&format!("requests.{resource}")).is_empty()
}
