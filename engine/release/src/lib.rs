//! Releases: a rendered chart becomes objects in a cluster, with a record that Helm can read.
//!
//! A chart is [prepared](prepare::Prepared), becomes a [draft](draft::Draft) of the next revision,
//! and with what is observed a [plan](plan::Plan), which is data: it is [rehearsed](rehearse) on the
//! server, shown, stored, or [carried out](operation::execute). Each stage is one function from one
//! noun to the next.
//!
//! - [`operation`]: installations, upgrades and rollbacks as wholes; start here
//! - [`uninstall`] and [`testing`]: the other two that run hooks
//! - [`prepare`], [`draft`], [`history`], [`values`]: what a plan is made from
//! - [`plan`], [`merge`], [`order`], [`changes`], [`diff`]: what will be done, and how it reads
//! - [`definitions`]: whether custom resource definitions may change as wanted
//! - [`apply`], [`hooks`], [`wait`], [`readiness`]: doing it
//! - [`lease`]: who may
//! - [`record`] and [`store`]: Helm's release record and where it lives; [`sealed`]: records that hide values
//! - [`resources`]: what `status` shows of the objects
//! - [`cluster`] and [`observe`]: the one door to the Kubernetes API
//!
//! What it does not do: render charts (`kpkg-chart`, `kpkg-template`) or print ([`progress`] tells
//! whoever prints).

pub mod apply;
pub mod changes;
pub mod cluster;
pub mod definitions;
mod desired;
pub mod diff;
mod digest;
pub mod draft;
pub mod error;
mod explain;
pub mod history;
pub mod hooks;
pub mod lease;
mod managers;
pub mod merge;
pub mod object;
pub mod observe;
pub mod operation;
pub mod order;
pub mod plan;
pub mod prepare;
pub mod progress;
pub mod readiness;
pub mod record;
pub mod rehearse;
pub mod resources;
pub mod sealed;
pub mod store;
pub mod testing;
pub mod uninstall;
pub mod values;
pub mod wait;

pub use cluster::Cluster;
pub use desired::Scope;
pub use error::{ReleaseError, Result};
pub use history::History;
pub use object::{Object, ObjectId};
pub use operation::{Outcome, Planned, Settings};
pub use plan::{Desired, Plan};
pub use prepare::Prepared;
pub use record::Release;
