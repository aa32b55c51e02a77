//! Records Kubernetes Events: what a component did to an object, or could not do.
//!
//! A component holds a [`Recorder`], which never blocks and never fails: an event is a courtesy to
//! the reader of `kubectl describe`, not a part of the work. A [`Publisher`] takes the
//! occurrences off a bounded queue and writes them, one at a time and in order. Between the two
//! stands [`Correlator`], the pure rule that keeps a busy controller from flooding the store:
//! equal occurrences raise a count, similar ones are combined, and one object gets a burst of 25.
//!
//! ```no_run
//! # async fn example(client: kube::Client, pod: k8s_openapi::api::core::v1::Pod) {
//! use tokio_util::sync::CancellationToken;
//! let (recorder, publisher) = kpkg_events::recorder("replicaset-controller");
//! tokio::spawn(publisher.run(client, CancellationToken::new()));
//! recorder.normal(&pod, "SuccessfulCreate", "Created pod: web-7c5ddbdf54-x8k2p");
//! # }
//! ```
//!
//! It does not expire events: the API server does, by their age.

mod correlator;
mod publisher;
mod recorder;

pub use correlator::{Correlator, Write};
pub use publisher::Publisher;
pub use recorder::{Occurrence, Recorder, Severity, recorder};
