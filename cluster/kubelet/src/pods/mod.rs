//! A pod's life on the node.
//!
//! [`source`] hears of pods and gives each a [`worker`]. The worker reads what the runtime has ([`observed`]), decides
//! ([`decide`], pure), acts ([`act`], [`start`]), and in the end takes everything away ([`terminate`]).

mod act;
pub(crate) mod backoff;
pub(crate) mod decide;
pub(crate) mod event;
mod hooks;
pub(crate) mod images;
mod messages;
pub(crate) mod observed;
mod security;
pub(crate) mod source;
mod start;
mod terminate;
pub(crate) mod worker;

use k8s_openapi::api::core::v1::Pod;

/// A pod as Kubernetes' messages name it: `name_namespace(uid)`.
pub(crate) fn pod_name(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    format!("{}_{}({})", text(&meta.name), text(&meta.namespace), text(&meta.uid))
}
