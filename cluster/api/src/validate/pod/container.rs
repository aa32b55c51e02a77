//! Containers: the three lists, and what every container must keep to.

use super::{Whole, env, mount, probe, resources, security};
use crate::{
    names,
    validate::{
        FieldError,
        checks::{self, Errors},
        network::PROTOCOLS,
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const RESTART_POLICIES: &[&str] = &["Always", "Never", "OnFailure"];

/// The containers that make up the pod.
pub(super) fn containers(whole: &Whole<'_>, spec_path: &Path<'_>, errors: &mut Errors) {
    let list = spec_path.child("containers");
    let containers = whole.spec.items("containers");
    if containers.is_empty() {
        errors.push(FieldError::required(list, ""));
        return;
    }
    for (at, container) in containers.iter().enumerate() {
        let path = list.index(at);
        common(whole, container, &path, errors);
        if containers[..at].iter().any(|other| other["name"] == container["name"]) {
            errors.push(FieldError::duplicate(path.child("name"), container["name"].clone()));
        }
        probe::all(whole, container, &path, errors);
        restart_policy(container, &path, errors);
    }
    host_ports(containers, &list, errors);
}

/// Containers that run before the others, in order; with `restartPolicy: Always` they stay beside them.
pub(super) fn init_containers(whole: &Whole<'_>, spec_path: &Path<'_>, errors: &mut Errors) {
    let list = spec_path.child("initContainers");
    let containers = whole.spec.items("initContainers");
    for (at, container) in containers.iter().enumerate() {
        let path = list.index(at);
        common(whole, container, &path, errors);
        let name = container.text("name");
        let mut others = whole.spec.items("containers").iter().chain(&containers[..at]);
        if !name.is_empty() && others.any(|other| other.text("name") == name) {
            errors.push(FieldError::duplicate(path.child("name"), name));
        }
        let stays = container.text("restartPolicy") == "Always";
        host_ports(std::slice::from_ref(container), &list, errors);
        if stays {
            probe::all(whole, container, &path, errors);
            if !container.items("restartPolicyRules").is_empty() {
                let why = "restartPolicyRules are not allowed for init containers with restart policy Always";
                errors.push(FieldError::forbidden(path.child("restartPolicyRules"), why));
            }
        } else {
            restart_policy(container, &path, errors);
            for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.has(field) {
                    let why = "may not be set for init containers without restartPolicy=Always";
                    errors.push(FieldError::forbidden(path.child(field), why));
                }
            }
        }
    }
}

/// Containers that are added for debugging.
pub(super) fn ephemeral_containers(whole: &Whole<'_>, spec_path: &Path<'_>, errors: &mut Errors) {
    const WHY: &str = "cannot be set for an Ephemeral Container";
    const FORBIDDEN: &[&str] =
        &["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy", "restartPolicy"];
    let list = spec_path.child("ephemeralContainers");
    let containers = whole.spec.items("ephemeralContainers");
    let others = || whole.spec.items("containers").iter().chain(whole.spec.items("initContainers"));
    for (at, container) in containers.iter().enumerate() {
        let path = list.index(at);
        common(whole, container, &path, errors);
        let name = container.text("name");
        if others().chain(&containers[..at]).any(|other| other.text("name") == name) {
            errors.push(FieldError::duplicate(path.child("name"), name));
        }
        let target = container.text("targetContainerName");
        if !target.is_empty() && !others().any(|other| other.text("name") == target) {
            errors.push(FieldError::not_found(path.child("targetContainerName"), target));
        }
        for field in FORBIDDEN.iter().filter(|field| container.has(field)) {
            errors.push(FieldError::forbidden(path.child(field), WHY));
        }
        let mounts = path.child("volumeMounts");
        for (at, mount) in container.items("volumeMounts").iter().enumerate() {
            for field in ["subPath", "subPathExpr"].into_iter().filter(|field| mount.has(field)) {
                errors.push(FieldError::forbidden(mounts.index(at).child(field), WHY));
            }
        }
    }
}

fn common(whole: &Whole<'_>, container: &Value, path: &Path<'_>, errors: &mut Errors) {
    match container.text("name") {
        "" => errors.push(FieldError::required(path.child("name"), "")),
        name => checks::label(&path.child("name"), name, errors),
    }
    checks::required(&path.child("image"), container.text("image"), errors);
    let policy = container.text("terminationMessagePolicy");
    checks::one_of(&path.child("terminationMessagePolicy"), policy, &["File", "FallbackToLogsOnError"], errors);
    ports(container.items("ports"), &path.child("ports"), errors);
    env::env(container, path, errors);
    mount::mounts(whole, container, path, errors);
    checks::one_of(&path.child("imagePullPolicy"), container.text("imagePullPolicy"), PULL_POLICIES, errors);
    resources::requirements(&container["resources"], &path.child("resources"), errors);
    resize_policy(whole, container, &path.child("resizePolicy"), errors);
    security::container(whole, &container["securityContext"], &path.child("securityContext"), errors);
}

fn ports(ports: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = port.text("name");
        if !name.is_empty() {
            let wrong = names::port_name(name);
            if wrong.is_empty() && ports[..at].iter().any(|other| other.text("name") == name) {
                errors.push(FieldError::duplicate(path.child("name"), name));
            }
            checks::text(&path.child("name"), name, wrong, errors);
        }
        match port.int("containerPort").unwrap_or_default() {
            0 => errors.push(FieldError::required(path.child("containerPort"), "")),
            number => checks::port(&path.child("containerPort"), number, errors),
        }
        match port.int("hostPort").unwrap_or_default() {
            0 => {}
            number => checks::port(&path.child("hostPort"), number, errors),
        }
        checks::one_of(&path.child("protocol"), port.text("protocol"), PROTOCOLS, errors);
    }
}

/// No two ports of these containers may be the same port of the host.
fn host_ports(containers: &[Value], list: &Path<'_>, errors: &mut Errors) {
    let mut taken: Vec<String> = Vec::new();
    for (at, container) in containers.iter().enumerate() {
        for (port_at, port) in container.items("ports").iter().enumerate() {
            let number = port.int("hostPort").unwrap_or_default();
            if number == 0 {
                continue;
            }
            let key = format!("{}/{}/{number}", port.text("protocol"), port.text("hostIP"));
            if taken.contains(&key) {
                let container = list.index(at);
                let ports = container.child("ports");
                errors.push(FieldError::duplicate(ports.index(port_at).child("hostPort"), key));
            } else {
                taken.push(key);
            }
        }
    }
}

fn restart_policy(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let policy = container["restartPolicy"].as_str();
    let rules = container.items("restartPolicyRules");
    checks::one_of_if_set(&path.child("restartPolicy"), policy, RESTART_POLICIES, errors);
    if policy.is_none() && !rules.is_empty() {
        let why = "must specify restartPolicy when restart rules are used";
        errors.push(FieldError::required(path.child("restartPolicy"), why));
    }
    let list = path.child("restartPolicyRules");
    if rules.len() > 20 {
        errors.push(FieldError::too_long(list, 20));
    }
    for (at, rule) in rules.iter().enumerate() {
        let path = list.index(at);
        checks::one_of_if_set(&path.child("action"), Some(rule.text("action")), &["Restart"], errors);
        let codes = path.child("exitCodes");
        if rule.has("exitCodes") {
            let operator = rule["exitCodes"].text("operator");
            checks::one_of_if_set(&codes.child("operator"), Some(operator), &["In", "NotIn"], errors);
        } else {
            errors.push(FieldError::required(codes, "must be specified"));
        }
    }
}

fn resize_policy(whole: &Whole<'_>, container: &Value, path: &Path<'_>, errors: &mut Errors) {
    let policies = container.items("resizePolicy");
    for (at, policy) in policies.iter().enumerate() {
        if policies[..at].iter().any(|other| other["resourceName"] == policy["resourceName"]) {
            errors.push(FieldError::duplicate(path.index(at), policy["resourceName"].clone()));
        }
        checks::one_of(path, policy.text("resourceName"), &["cpu", "memory"], errors);
        let restart = policy.text("restartPolicy");
        checks::one_of(path, restart, &["NotRequired", "RestartContainer"], errors);
        if whole.spec.text("restartPolicy") == "Never" && restart != "NotRequired" {
            let why = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(path, restart, why));
        }
    }
}
