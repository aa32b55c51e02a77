//! The cluster's packet rules: one nftables table, written and read without `nft`.
//!
//! How a packet to a service finds its endpoint:
//!
//! 1. a hook chain looks (address, protocol, port) up in `services`, which leads to the chain
//!    for so many endpoints. There are as many of these chains as there are different numbers,
//!    however many services;
//! 2. the chain draws an index, and `endpoints` maps (address, protocol, port, index) to the
//!    endpoint the packet is translated to;
//! 3. if the service is sticky, a chain after translation notes in `affinity` which endpoint the
//!    client got, and next time that is looked up first.
//!
//! What is not translated still carries a service address when it comes to the filter chains,
//! and is refused there: services without endpoints need no rules of their own.
//!
//! - [`Layout`]: tables, sets, chains and rules that do not depend on services.
//! - [`Desired`]: what elements the services ask for, and what changed since last time.
//! - [`Kernel`]: reads and writes the table; one transaction for each set of changes.

mod batch;
mod chain;
mod desired;
mod element;
mod expression;
mod kernel;
mod layout;

pub(crate) use desired::{Claims, Desired, Replaced, difference};
pub(crate) use element::{Backend, Frontend, Protocol};
pub(crate) use kernel::{Kernel, Refused};
pub(crate) use layout::Layout;
