//! Probes and lifecycle hooks.

use super::Whole;
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

/// A container's hooks and its three probes.
pub(super) fn all(whole: &Whole<'_>, container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let lifecycle = path.child("lifecycle");
    for hook in ["postStart", "preStop"] {
        if container["lifecycle"].has(hook) {
            handler(whole, &container["lifecycle"][hook], &lifecycle.child(hook), errors);
        }
    }
    if container["lifecycle"].has("stopSignal") && !whole.spec.has("os") {
        let why = "may not be set for containers with empty `spec.os.name`";
        errors.push(FieldError::forbidden(lifecycle.child("stopSignal"), why));
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container.has(name) {
            probe(whole, &container[name], name, &path.child(name), errors);
        }
    }
}

fn probe(whole: &Whole<'_>, probe: &Value, name: &str, path: &Path<'_>, errors: &mut Errors) {
    handler(whole, probe, path, errors);
    for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"] {
        checks::nonnegative(probe, field, path, errors);
    }
    let grace = path.child("terminationGracePeriodSeconds");
    if let Some(seconds) = probe.int("terminationGracePeriodSeconds") {
        if seconds <= 0 {
            errors.push(FieldError::invalid(grace, seconds, "must be greater than 0"));
        }
        if name == "readinessProbe" {
            errors.push(FieldError::invalid(grace, seconds, "must not be set for readinessProbes"));
        }
    }
    let successes = probe.int("successThreshold").unwrap_or_default();
    if name != "readinessProbe" && successes != 1 {
        errors.push(FieldError::invalid(path.child("successThreshold"), successes, "must be 1"));
    }
}

/// What is done: exactly one thing.
fn handler(whole: &Whole<'_>, handler: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mut found = false;
    for name in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"].into_iter().filter(|name| handler.has(name)) {
        let (action, path) = (&handler[name], path.child(name));
        if found {
            errors.push(FieldError::forbidden(path, "may not specify more than 1 handler type"));
            continue;
        }
        found = true;
        match name {
            "exec" if action.items("command").is_empty() => {
                errors.push(FieldError::required(path.child("command"), ""));
            }
            "exec" => {}
            "httpGet" => http_get(action, &path, errors),
            "sleep" => {
                let (seconds, grace) = (action.int("seconds").unwrap_or_default(), whole.grace());
                if seconds < 0 || seconds > grace {
                    let why = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    errors.push(FieldError::invalid(path, seconds, why));
                }
            }
            _ => checks::port_or_name(&path.child("port"), &action["port"], errors),
        }
    }
    if !found {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
}

fn http_get(get: &Value, path: &Path<'_>, errors: &mut Errors) {
    checks::required(&path.child("path"), get.text("path"), errors);
    checks::port_or_name(&path.child("port"), &get["port"], errors);
    checks::one_of_if_set(&path.child("scheme"), Some(get.text("scheme")), &["HTTP", "HTTPS"], errors);
    for header in get.items("httpHeaders") {
        let name = header.text("name");
        checks::text(&path.child("httpHeaders"), name, names::http_header(name), errors);
    }
}
