//! The handle that components hold.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;
use tokio::sync::mpsc;

use crate::publisher::Publisher;

/// Occurrences that may wait for the publisher. More than this and the newest are dropped: whoever
/// floods has told the reader all there is to know.
const QUEUE: usize = 4096;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Something went as it should.
    Normal,
    /// Something needs a look.
    Warning,
}

impl Severity {
    /// The word that the event's `type` carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// One thing that happened to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    /// The object it happened to.
    pub subject: ObjectReference,
    /// How bad it is.
    pub severity: Severity,
    /// One word, as `SuccessfulCreate`.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// Takes occurrences from one component; cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<(Arc<str>, Occurrence)>,
    component: Arc<str>,
}

/// A recorder for `component` and the publisher that must be run for it.
pub fn recorder(component: &str) -> (Recorder, Publisher) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let recorder = Recorder { queue: sender, component: component.into() };
    (recorder, Publisher::new(receiver))
}

impl Recorder {
    /// The same publisher under another component's name.
    #[must_use]
    pub fn named(&self, component: &str) -> Self {
        Self { queue: self.queue.clone(), component: component.into() }
    }

    /// Something went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, message: impl Into<String>) {
        self.record(object.object_ref(&()), Severity::Normal, reason, message);
    }

    /// Something needs a look.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, object: &K, reason: &str, message: impl Into<String>) {
        self.record(object.object_ref(&()), Severity::Warning, reason, message);
    }

    /// Records for an object known by reference only.
    pub fn record(&self, subject: ObjectReference, severity: Severity, reason: &str, message: impl Into<String>) {
        let occurrence =
            Occurrence { subject, severity, reason: reason.to_owned(), message: message.into(), at: Timestamp::now() };
        if self.queue.try_send((self.component.clone(), occurrence)).is_err() {
            tracing::debug!(component = %self.component, reason, "event dropped: the queue is full or closed");
        }
    }
}
