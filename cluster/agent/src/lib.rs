//! Runs the pods that are bound to one node.
//!
//! A [`Kubelet`] registers its Node and keeps its Lease fresh, watches the pods bound to it, and gives each pod a *worker*: one
//! task that compares what the spec asks for with what the container runtime has, decides the next steps (a pure function),
//! takes them, and reports the pod's status. Whatever changes the picture only wakes the worker: a new spec, a container that
//! ended, a probe's verdict, a timer. All that must survive a restart of the process is in the runtime's labels and
//! annotations or on disk, so a restarted kubelet goes on where the last one was killed, and restarts no container.
//!
//! Start at [`Kubelet`] and [`KubeletConfig`].

mod config;
mod doors;
mod env;
mod http;
mod kubelet;
mod node;
mod podfiles;
mod pods;
mod probe;
mod probe_tls;
mod references;
mod resources;
mod status;
mod volumes;

pub use config::KubeletConfig;
pub use kubelet::Kubelet;
