//! Facts about typed objects that several controllers need; all pure.

pub(crate) mod claim;
pub(crate) mod endpoint;
pub(crate) mod owner;
pub(crate) mod percent;
pub(crate) mod pod;
pub(crate) mod template;
