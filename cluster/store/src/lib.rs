//! The cluster's memory: etcd's data model behind one trait, [`Store`].
//!
//! Keys and values are bytes. Every write makes the next *revision* of the whole store; a key
//! remembers the revision that created it and the one that wrote it last. One can read a range as of
//! a past revision, write on the condition that a key is still at a revision, and *watch* the
//! changes from a revision on. *Compaction* forgets the past up to a revision.
//!
//! - [`Store`]: the trait; start here.
//! - [`Embedded`]: an index in memory over an append-only, checksummed log with group commit.
//! - [`Memory`]: the same engine without the disk, for tests.
//!
//! ```
//! use kpkg_store::{Memory, Precondition, Range, Store};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = Memory::default();
//! let created = store.put("pods/a".into(), "1".into(), Precondition::Absent).await?;
//! store.put("pods/a".into(), "2".into(), Precondition::ModRevision(created)).await?;
//! let page = store.range(Range::prefix("pods/")).await?;
//! assert_eq!(page.items[0].value, "2");
//! # Ok::<(), kpkg_store::Error>(())
//! # }).unwrap();
//! ```
//!
//! It knows no objects, only bytes; it has no leases and no transactions over several keys, for the
//! API server needs neither.

mod embedded;
mod error;
mod memory;
mod mvcc;
mod options;
mod shared;
mod store;
mod watch;

pub use embedded::Embedded;
pub use error::{Error, OpenError};
pub use memory::Memory;
pub use options::Options;
pub use store::{Answer, Event, EventKind, KeyValue, Page, Precondition, Range, Store};
pub use watch::{WatchBatch, WatchStream};
