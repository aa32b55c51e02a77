//! What the API says about services, reduced to what name server and proxy look at.
//!
//! [`Feed`] watches, [`Model`] holds the facts. Both consumers work from keys: whatever happened
//! to a service, they look at it anew.

mod facts;
mod feed;

pub(crate) use facts::{EndpointFacts, PortFacts, ServiceFacts, ServiceType, SliceFacts};
pub(crate) use feed::Feed;

use std::fmt;

/// A service's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ServiceKey {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
