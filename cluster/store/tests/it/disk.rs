//! The directory: reopening, rotation, snapshots, the lock.

use std::fs;

use bytes::Bytes;
use futures::StreamExt;
use kpkg_store::{Embedded, Error, OpenError, Options, Precondition, Store};

use crate::{delete, everything, open, put};

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let (before, first) = {
        let store = open(dir.path());
        let first = put(&store, "a", "1").await;
        put(&store, "a", "2").await;
        put(&store, "b", "1").await;
        delete(&store, "b").await;
        (everything(&store).await, first)
    };
    let store = open(dir.path());
    assert_eq!(everything(&store).await, before);
    let mut watch = store.watch(Bytes::new(), first).await.unwrap();
    let batch = watch.next().await.unwrap().unwrap();
    assert_eq!(batch.events.len(), 4, "watches begin where history does");
    assert_eq!(put(&store, "c", "1").await, first + 4);
}

#[tokio::test]
async fn compaction_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let first = {
        let store = open(dir.path());
        let first = put(&store, "a", "1").await;
        let second = put(&store, "a", "2").await;
        store.compact(second).await.unwrap();
        first
    };
    let store = open(dir.path());
    assert!(matches!(store.watch(Bytes::new(), first).await, Err(Error::Compacted { .. })));
}

#[tokio::test]
async fn a_snapshot_replaces_old_files() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options { segment_bytes: 4096, garbage_bytes: 8192, ..Options::default() };
    let store = Embedded::open(dir.path(), options()).unwrap();
    let value = "x".repeat(1000);
    for round in 0..50 {
        put(&store, &format!("key/{}", round % 5), &value).await;
    }
    assert!(names(dir.path()).len() > 10, "the log rotates");
    let now = store.current_revision().await.unwrap();
    store.compact(now).await.unwrap();
    let before = everything(&store).await;
    drop(store);
    let left = names(dir.path());
    assert!(left.len() <= 4 && left.iter().any(|name| name.starts_with("snapshot-")), "{left:?}");
    let store = Embedded::open(dir.path(), options()).unwrap();
    assert_eq!(everything(&store).await, before);
    assert_eq!(put(&store, "more", "1").await, now + 1);
    drop(store);
    let store = Embedded::open(dir.path(), options()).unwrap();
    assert_eq!(everything(&store).await.len(), 6);
}

#[tokio::test]
async fn history_is_bounded_without_anyone_compacting() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { history_bytes: 100_000, ..Options::default() };
    let store = Embedded::open(dir.path(), options).unwrap();
    let first = put(&store, "a", "1").await;
    let value = "x".repeat(10_000);
    for _ in 0..30 {
        put(&store, "a", &value).await;
    }
    assert!(matches!(store.watch(Bytes::new(), first).await, Err(Error::Compacted { .. })));
}

#[tokio::test]
async fn leftovers_of_a_crash_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    put(&open(dir.path()), "a", "1").await;
    fs::write(dir.path().join("snapshot-00000000000000000009.tmp"), "half").unwrap();
    assert_eq!(everything(&open(dir.path())).await.len(), 1);
    assert!(!names(dir.path()).iter().any(|name| name.contains(".tmp")));
}

#[tokio::test]
async fn two_stores_cannot_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let second = Embedded::open(dir.path(), Options::default());
    assert!(matches!(second, Err(OpenError::Locked { .. })), "{second:?}");
    store.close();
    open(dir.path());
    let closed = store.put("a".into(), "1".into(), Precondition::None).await;
    assert!(matches!(closed, Err(Error::Closed)));
}

#[tokio::test]
async fn closing_ends_watches() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut watch = store.watch(Bytes::new(), 0).await.unwrap();
    watch.next().await.unwrap().unwrap();
    store.close();
    assert!(matches!(watch.next().await, Some(Err(Error::Closed))));
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let huge = Bytes::from(vec![0; 33 << 20]);
    let refused = store.put("a".into(), huge, Precondition::None).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    put(&store, "a", "1").await;
}
