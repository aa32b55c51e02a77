//! Why something cannot be opened.

/// The result of opening or sealing.
pub type Result<T, E = SecretError> = std::result::Result<T, E>;

/// Why something cannot be opened. No message holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A key is not one of age's.
    #[error("{what} is no age key: {problem}")]
    Key {
        /// Which text, without the secret itself.
        what: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file is not in age's format.
    #[error("the age file is damaged: {0}")]
    Age(&'static str),
    /// None of the identities is a recipient.
    #[error("none of the {} age keys at hand opens it", .0)]
    NoIdentity(usize),
    /// A file is not in sops' format.
    #[error("the sops file is damaged: {0}")]
    Sops(String),
    /// A value cannot be opened: it was changed, or moved from another place.
    #[error("the value at `{path}` was changed since sops sealed it: {problem}")]
    Value {
        /// Where it is.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The checksum is of other values.
    #[error("values were added, dropped or moved since sops sealed the file: its checksum differs")]
    Mac,
    /// The file is sealed by means that are not known here.
    #[error("the file is sealed by {0}, and only age keys are known here")]
    Unsupported(String),
    /// The values are no YAML.
    #[error(transparent)]
    Yaml(#[from] kpkg_yaml::Error),
}
