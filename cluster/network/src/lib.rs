//! The network of one cluster on one machine: pod addresses, service addresses, names.
//!
//! - A *pod network* ([`PodNetwork`]) is a bridge with a gateway address, and one pinned network
//!   namespace per pod, whose only way out is that gateway. `attach` and `detach` may be called
//!   again after a crash at any step.
//! - The *proxy* ([`proxy::run`]) turns Services and EndpointSlices into one nftables table: a
//!   map from (address, protocol, port) to a chain for that number of endpoints, and a map from
//!   (address, protocol, port, index) to the endpoint.
//! - The *name server* ([`dns::run`]) answers for the cluster's zone from memory and passes the
//!   rest on.
//!
//! Start at [`NetworkConfig`]: every kernel object's name follows from it, so clusters side by
//! side never touch each other's. What this crate does not do: network policies, ingress,
//! several nodes.

#[doc(hidden)]
pub mod bench;
mod config;
mod conntrack;
pub mod dns;
mod error;
mod host;
mod lease;
mod netlink;
mod netns;
mod nft;
mod pod;
pub mod ports;
pub mod proxy;
pub mod ranges;
mod services;
mod sysctl;
mod wiring;

pub use config::{BRIDGE_PREFIX, DEFAULT_NODE_PORTS, NetworkConfig, bridge_name, nth_address, overlaps};
pub use error::Error;
pub use ipnet::{IpNet, Ipv4Net};
pub use pod::{Attachment, MacAddress, PodNetwork};
