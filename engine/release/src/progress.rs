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
    /// A hook ended, well or not.
    HookEnded(&'a ObjectId, bool),
    /// What a hook's container logged.
    HookLog {
        /// The pod.
        pod: &'a str,
        /// The container.
        container: &'a str,
        /// The log.
        text: &'a str,
    },
    /// An operation that was left half-way is carried on with: its revision and status.
    Interrupted {
        /// The revision.
        revision: i64,
        /// Its status.
        status: &'a str,
        /// The phase it had reached, if it is known.
        phase: &'a str,
    },
    /// A failed operation is being undone: the revision gone back to, 0 if there is none.
    RollingBack(i64),
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
