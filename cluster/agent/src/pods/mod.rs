//! Pods: one worker each, and the manager that feeds them.
//!
//! - [`manager`]: watches the pods bound to this node, starts and wakes workers, cleans up what nobody asks for
//! - [`worker`]: the life of one pod; start here
//! - [`decide`]: the next steps, pure
//! - [`start`]: from a container's spec to a running container
//! - [`stop`]: grace, hooks, signals, and the end
//! - [`images`]: pulls, shared by all workers

pub(crate) mod backoff;
pub(crate) mod decide;
pub(crate) mod images;
pub(crate) mod manager;
pub(crate) mod observed;
mod hooks;
mod start;
mod stop;
pub(crate) mod worker;
