//! Persistent volumes: claims find volumes, volumes are made for claims, and neither goes while it
//! is in use.
//!
//! ```text
//! claim     gives each claim a volume: an existing one, or it asks a provisioner for one
//! phase     tells of each volume whether it is available, bound or released
//! provision makes and removes the local volumes of `kpkg.dev/local-path`
//! protection holds claims that pods use and volumes that claims use
//! ```
//!
//! A claim of a class with `WaitForFirstConsumer` waits until the scheduler has chosen a node for
//! the pod that uses it and has noted the node on the claim.

mod claim;
mod facts;
mod matching;
mod phase;
mod protection;
mod provision;

use std::path::Path;

use crate::runtime::Machine;

/// Adds the four controllers to the machine.
pub(crate) fn start(machine: &mut Machine, volumes_dir: &Path, storage_class: Option<&str>) {
    claim::start(machine);
    phase::start(machine);
    protection::start(machine);
    provision::start(machine, volumes_dir, storage_class);
}
