//! Overlays as a user writes them, and the same asked of the real Kustomize.

mod cases;
mod comments;
mod edit;
mod generated;
mod parity;
mod refusals;
mod tree;
