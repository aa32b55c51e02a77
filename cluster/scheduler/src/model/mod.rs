//! Pods and nodes as the scheduler sees them: parsed once when they arrive, and only what it asks
//! about. The objects themselves are not kept.

mod affinity;
mod labels;
mod node;
mod pod;
mod ports;
mod resources;
mod volume;

pub use affinity::{NodeMatcher, PodTerm, Weighted};
pub use labels::{Labels, Requirement, Selector};
pub use node::{NodeFacts, NodeId, NodeInfo, Taint};
pub use pod::{Key, PodInfo, Spread, Toleration, WhenUnsatisfiable};
pub use ports::{HostPort, Ports};
pub use resources::Resources;
pub(crate) use volume::SELECTED_NODE;
pub use volume::{Claim, StorageClass, Volume};
