//! Security contexts of pods and containers.

use super::Whole;
use crate::{
    validate::{
        FieldError,
        checks::{self, Errors},
        path::Path,
    },
    value::Read as _,
};
use serde_json::Value;

const MAX_ID: i64 = i32::MAX as i64;
const MAX_SYSCTL: usize = 253;

/// Checks a pod's security context, and what of the host it shares.
pub(super) fn pod(spec: &Value, spec_path: &Path<'_>, errors: &mut Errors) {
    let (context, path) = (&spec["securityContext"], spec_path.child("securityContext"));
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        checks::range(&path.child(field), context.int(field), 0, MAX_ID, errors);
    }
    let groups = path.child("supplementalGroups");
    for (at, group) in context.items("supplementalGroups").iter().enumerate() {
        checks::range(&groups.index(at), group.as_i64(), 0, MAX_ID, errors);
    }
    if spec.flag("shareProcessNamespace") && spec.flag("hostPID") {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(FieldError::invalid(path.child("shareProcessNamespace"), true, why));
    }
    sysctls(spec, context.items("sysctls"), &path.child("sysctls"), errors);
    for (field, words) in [
        ("fsGroupChangePolicy", ["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", ["Merge", "Strict"]),
        ("seLinuxChangePolicy", ["MountOption", "Recursive"]),
    ] {
        checks::one_of_if_set(&path.child(field), context[field].as_str(), &words, errors);
    }
    profiles(context, &path, errors);
    if spec["hostUsers"] == false {
        for (field, name) in [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")] {
            if spec.flag(field) {
                errors.push(FieldError::forbidden(spec_path.child(name), "when `hostUsers` is false"));
            }
        }
    }
}

fn sysctls(spec: &Value, sysctls: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (at, sysctl) in sysctls.iter().enumerate() {
        let path = path.index(at);
        let path = path.child("name");
        let name = sysctl.text("name");
        if name.is_empty() {
            errors.push(FieldError::required(path, ""));
        } else if !is_sysctl(name) {
            let why = format!(
                "must have at most {MAX_SYSCTL} characters and match regex \
                 ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
            );
            errors.push(FieldError::invalid(path, name, why));
        } else if sysctls[..at].iter().any(|other| other.text("name") == name) {
            errors.push(FieldError::duplicate(path, name));
        }
        let dotted = name.replace('/', ".");
        let of_net = dotted.starts_with("net.");
        let of_ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."].iter().any(|prefix| dotted.starts_with(prefix))
            || dotted == "kernel.sem";
        for (matches, flag) in [(of_net, "hostNetwork"), (of_ipc, "hostIPC")] {
            if matches && spec.flag(flag) {
                errors.push(FieldError::invalid(path, name, format!("may not be specified when '{flag}' is true")));
            }
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    let segment = |part: &str| edge(part.bytes().next()) && edge(part.bytes().next_back()) && part.bytes().all(inner);
    name.len() <= MAX_SYSCTL && name.split(['.', '/']).all(segment)
}

/// Checks a container's security context.
pub(super) fn container(whole: &Whole<'_>, context: &Value, path: &Path<'_>, errors: &mut Errors) {
    if context.is_null() {
        return;
    }
    for field in ["runAsUser", "runAsGroup"] {
        checks::range(&path.child(field), context.int(field), 0, MAX_ID, errors);
    }
    let proc_mount = context["procMount"].as_str();
    checks::one_of_if_set(&path.child("procMount"), proc_mount, &["Default", "Unmasked"], errors);
    if proc_mount == Some("Unmasked") && whole.spec["hostUsers"] != false {
        let why = "`hostUsers` must be false to use `Unmasked`";
        errors.push(FieldError::invalid(path.child("procMount"), "Unmasked", why));
    }
    profiles(context, path, errors);
    if context["allowPrivilegeEscalation"] == false {
        let mut conflict = |with: &str| {
            let why = format!("cannot set `allowPrivilegeEscalation` to false and {with}");
            errors.push(FieldError::invalid(path, context.clone(), why));
        };
        if context.flag("privileged") {
            conflict("`privileged` to true");
        }
        if context["capabilities"].items("add").iter().any(|capability| capability == "CAP_SYS_ADMIN") {
            conflict("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
}

/// Seccomp and AppArmor.
fn profiles(context: &Value, path: &Path<'_>, errors: &mut Errors) {
    for (field, what) in [("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")] {
        let profile = &context[field];
        if profile.is_null() {
            continue;
        }
        let path = path.child(field);
        let file = path.child("localhostProfile");
        let kind = profile.text("type");
        if kind.is_empty() {
            let why = format!("type is required when {field} is set");
            errors.push(FieldError::required(path.child("type"), why));
        } else {
            let kinds = &["Localhost", "RuntimeDefault", "Unconfined"];
            checks::one_of_if_set(&path.child("type"), Some(kind), kinds, errors);
        }
        match (kind, profile["localhostProfile"].as_str()) {
            ("Localhost", None | Some("")) => {
                errors.push(FieldError::required(file, format!("must be set when {what} type is Localhost")));
            }
            ("Localhost", Some(name)) if what == "seccomp" => checks::descending_path(&file, name, errors),
            ("Localhost", Some(name)) if name.trim() != name => {
                errors.push(FieldError::invalid(file, name, "must not be padded with whitespace"));
            }
            ("Localhost", _) | (_, None) => {}
            (_, Some(_)) => {
                let why = format!("can only be set when {what} type is Localhost");
                let shown = if what == "seccomp" { profile.clone() } else { profile["localhostProfile"].clone() };
                errors.push(FieldError::invalid(file, shown, why));
            }
        }
    }
}
