//! The pod's shim.

use std::process::ExitCode;

/// Becomes a shim if this process was started as one; must come first in `main`, while the process
/// has a single thread.
pub fn run_if_requested() -> Option<ExitCode> {
    None
}
