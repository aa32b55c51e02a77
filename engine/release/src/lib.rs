//! Releases: a rendered chart becomes objects in a cluster, with a record that Helm can read.
//!
//! A [`Prepared`] chart and what is [observed](plan::Observed) give a [`Plan`]; the plan is data
//! and is [rehearsed](apply::rehearse) on the server, then [applied](apply::apply), waited for and
//! [recorded](record::Release). Each stage is one function from one noun to the next.
//!
//! - [`install`](install::install) and [`uninstall`](uninstall::uninstall): the whole operations; start here
//! - [`prepare`]: from a chart to what a plan is made from
//! - [`plan`]: what will be done
//! - [`apply`]: doing it
//! - [`readiness`]: when an object counts as ready
//! - [`record`] and [`store`]: Helm's release record and where it lives
//! - [`cluster`]: the one door to the Kubernetes API
//!
//! What it does not do: render charts (`kpkg-chart`, `kpkg-template`) or print ([`progress`] tells
//! whoever prints).

pub mod apply;
pub mod cluster;
mod desired;
pub mod error;
mod explain;
pub mod install;
pub mod object;
pub mod plan;
pub mod prepare;
pub mod progress;
pub mod readiness;
pub mod record;
pub mod store;
pub mod uninstall;
pub mod wait;

pub use cluster::Cluster;
pub use error::{ReleaseError, Result};
pub use install::{InstallSettings, Installed, Prepared};
pub use object::{Object, ObjectId};
pub use plan::{Desired, Plan};
pub use record::Release;
pub use uninstall::{UninstallSettings, Uninstalled};
