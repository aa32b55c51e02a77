//! The controllers and the scheduler against a real API server in memory, with a kubelet that only
//! pretends. What is asserted is the state of the world, never the calls that led to it.

#![expect(clippy::unwrap_used, reason = "a test that finds nothing where something must be has failed")]

mod deployments;
mod garbage;
mod jobs;
mod kit;
mod namespaces;
mod nodes;
mod scheduling;
mod services;
mod stateful_sets;
mod steadiness;
mod volumes;
