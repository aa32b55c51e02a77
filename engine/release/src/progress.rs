//! What a running operation tells whoever watches it.

use crate::object::ObjectId;

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An object was created.
    Created(&'a ObjectId),
    /// An object was changed.
    Changed(&'a ObjectId),
    /// An object was deleted.
    Deleted(&'a ObjectId),
    /// An object was left in place though its release goes.
    Kept(&'a ObjectId),
    /// A hook began to run.
    HookStarted(&'a ObjectId, &'a str),
    /// Objects are waited for: each with what it waits for. Told again when that changes.
    Waiting(&'a [(ObjectId, String)]),
    /// An object became ready.
    Ready(&'a ObjectId),
}

/// Hears what happens; the command line prints it.
pub trait Progress: Send + Sync {
    /// Called at each event, in order.
    fn event(&self, event: Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: Event<'_>) {}
}
