//! The cluster's memory: etcd's data model behind one trait, [`Store`].

mod error;
mod memory;
mod mvcc;
mod options;
mod shared;
mod store;
mod watch;

pub use error::{Error, OpenError};
pub use memory::Memory;
pub use options::Options;
pub use store::{Answer, Event, EventKind, KeyValue, Page, Precondition, Range, Store};
pub use watch::{WatchBatch, WatchStream};
