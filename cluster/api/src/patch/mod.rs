//! The three patches of the Kubernetes API: JSON patch, JSON merge patch and strategic merge patch.
//!
//! All are pure: the old object and the patch in, the new object out. None looks at `metadata` or at versions.

mod json;
mod merge;
pub mod strategic;

pub use json::{JsonPatchError, apply as json};
pub use merge::apply as merge;
pub use strategic::{Mode, StrategicError, apply as strategic};
