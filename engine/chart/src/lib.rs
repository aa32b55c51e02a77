//! A chart: loaded, given values, rendered into manifests, hooks and notes.
//!
//! Three stages, one function each:
//!
//! ```text
//! load(&Path) -> Chart
//! values::merge(&Chart, &[values::Input]) -> Values
//! render(&Chart, &Values, &ReleaseInfo, &ClusterFacts, &Ambient) -> Rendered
//! ```
//!
//! - [`Chart`], [`Metadata`], [`File`]: what was loaded
//! - [`Values`]: what the user supplied, and all values once defaults are merged in
//! - [`ReleaseInfo`], [`ClusterFacts`]: what rendering takes besides; `lookup` is answered from facts
//! - [`Rendered`]: [`Manifest`]s in the order to apply them, [`Hook`]s, notes

mod chart;
mod metadata;
mod rendered;

pub use chart::{Chart, Crd, File};
pub use metadata::{Dependency, Lock, Maintainer, Metadata};
pub use rendered::{ClusterFacts, Hook, KubeVersion, LookupKey, Manifest, ReleaseInfo, Rendered, Values};
