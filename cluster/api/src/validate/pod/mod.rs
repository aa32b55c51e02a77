//! Pods and pod templates.

mod container;
mod env;
mod mount;
mod probe;
mod resources;
mod scheduling;
mod security;
mod spec;
mod update;
mod volume;

pub(super) use scheduling::node_selector;
pub(super) use update::{update, update_status};
pub(super) use volume::{host_path, nfs};

use super::{FieldError, checks::Errors, meta, path::Path};
use crate::value::Read as _;
use serde_json::Value;

/// What a taint does.
pub(super) const TAINT_EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// What the checks of one pod's parts need to know of the whole.
struct Whole<'a> {
    /// The pod's spec.
    spec: &'a Value,
    /// The volumes that mounts may name.
    volumes: Vec<Volume<'a>>,
}

/// A volume that mounts may name.
struct Volume<'a> {
    name: &'a str,
    /// Whether it can be used as a block device.
    is_claim: bool,
}

impl Whole<'_> {
    fn volume(&self, name: &str) -> Option<&Volume<'_>> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// How long the pod's containers are given to stop.
    fn grace(&self) -> i64 {
        self.spec.int("terminationGracePeriodSeconds").unwrap_or_default()
    }
}

/// Checks a pod, new or changed.
pub(super) fn pod(object: &Value, errors: &mut Errors) {
    spec::pod_spec(&object["spec"], &[], &Path::root("spec"), errors);
    for list in ["containers", "initContainers"] {
        for (at, container) in object["spec"].items(list).iter().enumerate() {
            let image = container.text("image");
            if image.trim() != image {
                let path = format!("spec.{list}[{at}].image");
                errors.push(FieldError::invalid(path, image, "must not have leading or trailing whitespace"));
            }
        }
    }
}

/// Checks what only a new pod must keep to.
pub(super) fn create(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    if !spec.items("ephemeralContainers").is_empty() {
        errors.push(FieldError::forbidden("spec.ephemeralContainers", "cannot be set on create"));
    }
    if !spec.text("nodeName").is_empty() && !spec.items("schedulingGates").is_empty() {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", why));
    }
}

/// Checks the template of a workload's pods.
pub(super) fn template(template: &Value, path: &Path<'_>, errors: &mut Errors) {
    template_with_claims(template, &[], path, errors);
}

/// As [`template`], where each pod also gets volumes by claims of its own.
pub(super) fn template_with_claims(template: &Value, claims: &[Value], path: &Path<'_>, errors: &mut Errors) {
    meta::template(&template["metadata"], path, errors);
    let spec_path = path.child("spec");
    spec::pod_spec(&template["spec"], claims, &spec_path, errors);
    if !template["spec"].items("ephemeralContainers").is_empty() {
        let why = "ephemeral containers not allowed in pod template";
        errors.push(FieldError::forbidden(spec_path.child("ephemeralContainers"), why));
    }
}
