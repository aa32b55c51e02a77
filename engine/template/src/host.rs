//! What templates may ask of the outside.

use crate::value::Value;

/// What `lookup` asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupRequest {
    /// Group and version.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for all, or for kinds without.
    pub namespace: String,
    /// The name; empty asks for the list.
    pub name: String,
}

/// Answers for templates. Every method has an answer for a host that knows nothing.
pub trait Host {
    /// An object of a cluster, or a list of objects; an empty map where there is none.
    fn lookup(&self, _request: &LookupRequest) -> Value {
        Value::map(crate::value::Entries::new())
    }

    /// The address of a host name; empty unless the user allowed it.
    fn host_by_name(&self, _name: &str) -> String {
        String::new()
    }
}

/// A host that knows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}
