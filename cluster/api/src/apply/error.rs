//! Why something cannot be applied.

use super::{FieldPath, Manager};
use std::collections::BTreeMap;
use std::fmt;

/// Why something cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Others own fields that are to be changed.
    #[error("{}", Conflicts(.0))]
    Conflicts(Vec<Conflict>),
    /// The object does not fit its schema.
    #[error("{}", together(.0))]
    Untyped(Vec<String>),
    /// The object comes with `managedFields`.
    #[error("metadata.managedFields must be nil")]
    ManagedFields,
}

/// A field that is to be changed, and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The owner.
    pub manager: Manager,
    /// The field.
    pub path: FieldPath,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conflict with {}", self.manager)
    }
}

struct Conflicts<'a>(&'a [Conflict]);

impl fmt::Display for Conflicts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0 {
            return write!(f, "Apply failed with 1 conflict: {one}: {}", one.path);
        }
        let mut by_manager: BTreeMap<String, Vec<&FieldPath>> = BTreeMap::new();
        for conflict in self.0 {
            by_manager.entry(conflict.manager.to_string()).or_default().push(&conflict.path);
        }
        let mut lines = Vec::new();
        for (manager, paths) in by_manager {
            lines.push(format!("conflicts with {manager}:"));
            lines.extend(paths.iter().map(|path| format!("- {path}")));
        }
        write!(f, "Apply failed with {} conflicts: {}", self.0.len(), lines.join("\n"))
    }
}

fn together(faults: &[String]) -> String {
    match faults {
        [one] => one.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    }
}
