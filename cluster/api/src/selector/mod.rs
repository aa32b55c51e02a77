//! Choosing objects by label and by field.

mod field;
mod label;

pub use field::{FieldSelector, FieldTerm, supported_fields};
pub use label::{LabelSelector, Operator, Requirement};

/// Why a selector cannot be understood; the text is Kubernetes'.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(pub(crate) String);
