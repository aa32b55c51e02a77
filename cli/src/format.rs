//! How data is printed: for people, or as JSON or YAML for programs.

use anyhow::Result;
use kpkg_release::Release;
use serde_json::Value;

/// The formats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

impl Format {
    /// A release.
    pub(crate) fn one(self, release: &Release, table: impl FnOnce() -> String) -> Result<String> {
        self.value(&serde_json::to_value(release)?, table)
    }

    /// A list.
    pub(crate) fn many(self, items: &[Value], table: impl FnOnce() -> String) -> Result<String> {
        self.value(&Value::from(items.to_vec()), table)
    }

    /// Any value.
    pub(crate) fn value(self, value: &Value, table: impl FnOnce() -> String) -> Result<String> {
        Ok(match self {
            Self::Table => table(),
            Self::Json => format!("{}\n", serde_json::to_string(value)?),
            Self::Yaml => yaml(value),
        })
    }
}

/// A value as YAML that ends its last line.
pub(crate) fn yaml(value: &Value) -> String {
    let text = kpkg_yaml::write_json(value);
    if text.ends_with('\n') { text } else { format!("{text}\n") }
}
