//! The store from outside: one suite for every implementation, then what only a disk can do.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "tests fail by panicking, and their numbers are small"
)]

mod crash;
mod damage;
mod disk;
mod full;
mod model;
mod suite;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use kpkg_store::{Embedded, KeyValue, Options, Precondition, Range, Store};

/// Opens the embedded store in `dir`.
fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Options::default()).expect("the store opens")
}

/// Everything in `store`, newest versions.
async fn everything(store: &dyn Store) -> Vec<KeyValue> {
    store.range(Range::default()).await.unwrap().items
}

async fn put(store: &dyn Store, key: &str, value: &str) -> i64 {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    store.put(key, value, Precondition::None).await.unwrap()
}

async fn delete(store: &dyn Store, key: &str) -> i64 {
    store.delete(Bytes::from(key.to_owned()), Precondition::None).await.unwrap().0
}

/// Runs this test binary again as a child that executes only the test `name`, which sees
/// `variable` set to `value`.
fn child(name: &str, variable: &str, value: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env(variable, value);
    command
}

/// A store in memory, as the suite takes it.
fn memory() -> Arc<dyn Store> {
    Arc::new(kpkg_store::Memory::default())
}
