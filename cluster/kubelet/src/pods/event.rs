//! Events about one pod and its containers.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kpkg_events::{Recorder, Severity};
use kube::Resource;

use super::observed::Role;

/// Records events about one pod; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct PodEvents {
    recorder: Recorder,
    subject: Arc<ObjectReference>,
}

impl PodEvents {
    pub(crate) fn new(recorder: Recorder, pod: &Pod) -> Self {
        Self { recorder, subject: Arc::new(pod.object_ref(&())) }
    }

    /// The pod did as it should.
    pub(crate) fn normal(&self, reason: &str, message: impl Into<String>) {
        self.recorder.record((*self.subject).clone(), Severity::Normal, reason, message);
    }

    /// Something about the pod needs a look.
    pub(crate) fn warning(&self, reason: &str, message: impl Into<String>) {
        self.recorder.record((*self.subject).clone(), Severity::Warning, reason, message);
    }

    /// A container did as it should.
    pub(crate) fn container_normal(&self, role: Role, name: &str, reason: &str, message: impl Into<String>) {
        self.recorder.record(self.container(role, name), Severity::Normal, reason, message);
    }

    /// Something about a container needs a look.
    pub(crate) fn container_warning(&self, role: Role, name: &str, reason: &str, message: impl Into<String>) {
        self.recorder.record(self.container(role, name), Severity::Warning, reason, message);
    }

    fn container(&self, role: Role, name: &str) -> ObjectReference {
        let mut reference = (*self.subject).clone();
        reference.field_path = Some(format!("spec.{}{{{name}}}", role.list()));
        reference
    }
}
