//! Requests and limits.

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

const CONTAINER: &[&str] = &["cpu", "memory", "ephemeral-storage"];
/// Further names that mean something elsewhere (quotas).
const STANDARD: &[&str] = &[
    "storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];

/// Checks what a container asks for and is limited to.
pub(super) fn requirements(resources: &Value, path: &Path<'_>, errors: &mut Errors) {
    let (limits, requests) = (&resources["limits"], &resources["requests"]);
    let lists = [(path.child("limits"), limits), (path.child("requests"), requests)];
    for (path, list) in &lists {
        for (resource, value) in list.as_object().into_iter().flatten() {
            let path = path.key(resource);
            name(resource, &path, errors);
            checks::amount(resource, value, &path, errors);
        }
    }
    let [(limits_path, _), (requests_path, _)] = &lists;
    for (resource, request) in requests.as_object().into_iter().flatten() {
        let overcommits = checks::is_native(resource) && !is_huge(resource);
        let request = checks::quantity(request);
        let Some(limit) = limits.get(resource) else {
            if !overcommits {
                let why = "Limit must be set for non overcommitable resources";
                errors.push(FieldError::required(limits_path, why));
            }
            continue;
        };
        let limit = checks::quantity(limit);
        let why = if request != limit && !overcommits {
            format!("must be equal to {resource} limit of {limit}")
        } else if request > limit {
            format!("must be less than or equal to {resource} limit of {limit}")
        } else {
            continue;
        };
        errors.push(FieldError::invalid(requests_path, request.to_string(), why));
    }
    let has = |matches: fn(&str) -> bool| {
        [limits, requests]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(|list| list.keys())
            .any(|name| matches(name))
    };
    if has(is_huge) && !has(|name| name == "cpu" || name == "memory") {
        errors.push(FieldError::forbidden(path, "HugePages require cpu or memory"));
    }
    for (at, claim) in resources.items("claims").iter().enumerate() {
        checks::required(&path.child("claims").index(at), claim.text("name"), errors);
    }
}

fn is_huge(resource: &str) -> bool {
    resource.starts_with("hugepages-")
}

fn name(resource: &str, path: &Path<'_>, errors: &mut Errors) {
    checks::text(path, resource, names::qualified_name(resource), errors);
    if resource.contains('/') {
        if !checks::is_native(resource) && !checks::is_extended(resource) {
            errors.push(FieldError::invalid(path, resource, "doesn't follow extended resource name standard"));
        }
    } else if !CONTAINER.contains(&resource) && !is_huge(resource) {
        if !STANDARD.contains(&resource) {
            let why = "must be a standard resource type or fully qualified";
            errors.push(FieldError::invalid(path, resource, why));
        }
        errors.push(FieldError::invalid(path, resource, "must be a standard resource for containers"));
    }
}
