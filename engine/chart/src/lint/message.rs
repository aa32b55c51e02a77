//! What a rule found.

use std::fmt::{self, Display, Formatter};

use super::rules::rules;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It could be better.
    Info,
    /// It works, but should not be so.
    Warning,
    /// It will not work.
    Error,
}

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How bad it is.
    pub severity: Severity,
    /// The file, or folder.
    pub path: String,
    /// What is wrong.
    pub text: String,
    /// The rule's name.
    pub rule: &'static str,
}

/// As Helm prints it; kpkg's own rules add their name, by which they are switched off.
impl Display for Message {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.path, self.text)?;
        let is_own = rules().iter().any(|rule| rule.name == self.rule && !rule.is_helms);
        if is_own { write!(f, " ({})", self.rule) } else { Ok(()) }
    }
}
