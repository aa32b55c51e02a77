//! The machine that all controllers share.
//!
//! ```text
//! list + watch -> Store -> handlers map a change to keys -> Queue -> runner -> reconcile(key)
//! ```
//!
//! A kind is watched once, however many controllers read it ([`Informers`]). Every store change
//! calls the handlers that controllers registered; a handler does nothing but put keys into a
//! [`Queue`], which holds each key once and can delay it. The runner takes keys, one at a time per
//! key and so many at once, only after every store has its first listing, and asks the controller
//! to [`reconcile`](Reconcile::reconcile) each: read the world anew, decide, act. What is wrong
//! with lost, merged or repeated events is therefore nothing.

mod clock;
mod context;
mod expectations;
mod informers;
mod key;
mod machine;
mod queue;
mod runner;
mod served;
mod store;

pub use clock::Clock;
pub use context::Context;
pub use expectations::Expectations;
pub use informers::Informers;
pub use key::Key;
pub use machine::Machine;
pub use queue::Queue;
pub use runner::{Next, Reconcile, all};
pub use served::{Resource, Served};
pub use store::{Change, Kind, Store};
