//! The doors to the world outside the API: containers and the pod network.
//!
//! Each is a small trait with an in-memory twin, so that the rules of a pod's life can be tested without root. Words and
//! types are the runtime's and the network's own.

mod containers;
mod network;

pub(crate) use containers::{Cri, ImageFacts};
pub(crate) use network::PodNet;

/// An error with all its causes in one line, as Go prints wrapped errors.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
