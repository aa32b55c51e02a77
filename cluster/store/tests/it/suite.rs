//! What every implementation of `Store` must do. Revisions are relative to where the store is, so
//! that the same cases can run on a store that is not empty, such as a shared etcd.

use std::sync::Arc;

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use kpkg_store::{Error, Event, EventKind, Precondition, Range, Store, WatchStream};

use crate::{delete, put};

/// Makes one test of each case for each implementation.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::memory()).await;
            })*
        }
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                let dir = tempfile::tempdir().unwrap();
                super::$case(std::sync::Arc::new(crate::open(dir.path()))).await;
            })*
        }
    };
}

suite![
    a_write_moves_the_revision_on,
    versions_count_from_creation,
    preconditions_guard_writes,
    a_failed_precondition_changes_nothing,
    only_one_of_many_racing_writers_wins,
    ranges_are_sorted_and_bounded,
    pages_continue_at_their_revision,
    the_past_can_be_read_until_compacted,
    compaction_keeps_what_is_current,
    a_watch_sees_past_and_live_events_once,
    a_watch_tells_previous_values,
    a_watch_below_the_compacted_revision_is_refused,
    a_watch_from_zero_begins_now,
    a_watch_may_begin_in_the_future,
    a_watch_tells_progress,
    concurrent_writes_are_watched_in_order,
    a_slow_watch_is_cut_off,
];

type Shared = Arc<dyn Store>;

async fn a_write_moves_the_revision_on(store: Shared) {
    let before = store.current_revision().await.unwrap();
    assert_eq!(put(&*store, "a", "1").await, before + 1);
    assert_eq!(put(&*store, "b", "1").await, before + 2);
    assert_eq!(delete(&*store, "a").await, before + 3);
    assert_eq!(store.current_revision().await.unwrap(), before + 3);
}

async fn versions_count_from_creation(store: Shared) {
    let created = put(&*store, "a", "1").await;
    let changed = put(&*store, "a", "2").await;
    let kv = store.get(b"a").await.unwrap().unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (created, changed, 2));
    assert_eq!(kv.value, "2");
    delete(&*store, "a").await;
    assert_eq!(store.get(b"a").await.unwrap(), None);
    let again = put(&*store, "a", "").await;
    let kv = store.get(b"a").await.unwrap().unwrap();
    assert_eq!((kv.create_revision, kv.mod_revision, kv.version), (again, again, 1));
    assert_eq!(kv.value, "", "an empty value is not a deleted key");
}

async fn preconditions_guard_writes(store: Shared) {
    let key = Bytes::from("a");
    let at = |revision| Precondition::ModRevision(revision);
    let missing = store.put(key.clone(), "1".into(), at(7)).await;
    assert!(matches!(missing, Err(Error::Conflict { current: None })));
    let first = store.put(key.clone(), "1".into(), Precondition::Absent).await.unwrap();
    let exists = store.put(key.clone(), "2".into(), Precondition::Absent).await;
    let Err(Error::Conflict { current: Some(current) }) = exists else { panic!("{exists:?}") };
    assert_eq!((current.mod_revision, &current.value[..]), (first, &b"1"[..]));
    let second = store.put(key.clone(), "2".into(), at(first)).await.unwrap();
    assert!(matches!(store.delete(key.clone(), at(first)).await, Err(Error::Conflict { .. })));
    let (_, deleted) = store.delete(key.clone(), at(second)).await.unwrap();
    assert_eq!((deleted.mod_revision, &deleted.value[..]), (second, &b"2"[..]));
    assert!(matches!(store.delete(key.clone(), Precondition::None).await, Err(Error::NotFound)));
    let gone = store.delete(key, at(second)).await;
    assert!(matches!(gone, Err(Error::Conflict { current: None })));
}

async fn a_failed_precondition_changes_nothing(store: Shared) {
    let before = put(&*store, "a", "1").await;
    let _ = store.put("a".into(), "2".into(), Precondition::Absent).await;
    let _ = store.delete("b".into(), Precondition::None).await;
    assert_eq!(store.current_revision().await.unwrap(), before);
    assert_eq!(store.get(b"a").await.unwrap().unwrap().value, "1");
}

async fn only_one_of_many_racing_writers_wins(store: Shared) {
    let base = put(&*store, "counter", "0").await;
    let mut race = Vec::new();
    for writer in 0..32 {
        let store = store.clone();
        race.push(tokio::spawn(async move {
            let value = Bytes::from(writer.to_string());
            store.put("counter".into(), value, Precondition::ModRevision(base)).await
        }));
    }
    let mut winners = 0;
    for racer in race {
        match racer.await.unwrap() {
            Ok(revision) => {
                winners += 1;
                assert_eq!(revision, base + 1);
            }
            Err(Error::Conflict { current: Some(current) }) => {
                assert_eq!(current.mod_revision, base + 1);
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners, 1);
}

async fn ranges_are_sorted_and_bounded(store: Shared) {
    for key in ["pods/b", "pods/a", "podsx", "po", "pods/c/d", "qods/a"] {
        put(&*store, key, "").await;
    }
    let keys = |page: kpkg_store::Page| -> Vec<String> {
        page.items.iter().map(|kv| String::from_utf8(kv.key.to_vec()).unwrap()).collect()
    };
    let all = store.range(Range::prefix("pods/")).await.unwrap();
    assert_eq!(all.remaining, 0);
    assert_eq!(keys(all), ["pods/a", "pods/b", "pods/c/d"]);
    let range = Range { start_after: Some("pods/a".into()), ..Range::prefix("pods/") };
    assert_eq!(keys(store.range(range).await.unwrap()), ["pods/b", "pods/c/d"]);
    let range = Range { start_after: Some("a".into()), limit: 1, ..Range::prefix("pods/") };
    let page = store.range(range).await.unwrap();
    assert_eq!(page.remaining, 2);
    assert_eq!(keys(page), ["pods/a"]);
    let range = Range { start_after: Some("z".into()), ..Range::prefix("pods/") };
    assert_eq!(keys(store.range(range).await.unwrap()), [""; 0]);
}

async fn pages_continue_at_their_revision(store: Shared) {
    for key in ["k/1", "k/2", "k/3", "k/4", "k/5"] {
        put(&*store, key, "old").await;
    }
    let mut range = Range { limit: 2, ..Range::prefix("k/") };
    let mut seen = Vec::new();
    loop {
        let page = store.range(range.clone()).await.unwrap();
        seen.extend(page.items.iter().map(|kv| (kv.key.clone(), kv.value.clone())));
        if page.remaining == 0 {
            break;
        }
        range.revision = Some(page.revision);
        range.start_after = page.items.last().map(|kv| kv.key.clone());
        // What happens between the pages is not seen by them.
        put(&*store, "k/5", "new").await;
        put(&*store, &format!("k/4{}", seen.len()), "new").await;
        if store.get(b"k/3").await.unwrap().is_some() {
            delete(&*store, "k/3").await;
        }
    }
    let keys: Vec<_> = seen.iter().map(|(key, _)| &key[..]).collect();
    assert_eq!(keys, [b"k/1", b"k/2", b"k/3", b"k/4", b"k/5"]);
    assert!(seen.iter().all(|(_, value)| value == "old"));
}

async fn the_past_can_be_read_until_compacted(store: Shared) {
    let first = put(&*store, "a", "1").await;
    let second = put(&*store, "a", "2").await;
    let third = delete(&*store, "a").await;
    let at = |revision| {
        let range = Range { revision: Some(revision), ..Range::prefix("a") };
        store.range(range)
    };
    assert_eq!(at(first).await.unwrap().items[0].value, "1");
    assert_eq!(at(second).await.unwrap().items[0].value, "2");
    assert_eq!(at(third).await.unwrap().items, []);
    assert!(matches!(at(third + 1).await, Err(Error::FutureRevision { .. })));
    store.compact(second).await.unwrap();
    assert!(matches!(at(first).await, Err(Error::Compacted { .. })));
    assert_eq!(at(second).await.unwrap().items[0].value, "2");
}

async fn compaction_keeps_what_is_current(store: Shared) {
    put(&*store, "stays", "1").await;
    put(&*store, "goes", "1").await;
    delete(&*store, "goes").await;
    let now = put(&*store, "stays", "2").await;
    assert!(matches!(store.compact(now + 1).await, Err(Error::FutureRevision { .. })));
    store.compact(now).await.unwrap();
    store.compact(now - 1).await.unwrap();
    assert_eq!(store.get(b"stays").await.unwrap().unwrap().version, 2);
    assert_eq!(store.get(b"goes").await.unwrap(), None);
    assert_eq!(put(&*store, "goes", "2").await, now + 1);
    assert_eq!(store.get(b"goes").await.unwrap().unwrap().version, 1);
}

/// The next `count` events of `watch`.
async fn next(watch: &mut WatchStream, count: usize) -> Vec<Arc<Event>> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(watch.next().await.expect("the watch goes on").unwrap().events);
    }
    events
}

async fn a_watch_sees_past_and_live_events_once(store: Shared) {
    let first = put(&*store, "w/a", "1").await;
    put(&*store, "other", "1").await;
    delete(&*store, "w/a").await;
    let mut watch = store.watch("w/".into(), first).await.unwrap();
    put(&*store, "w/b", "1").await;
    let events = next(&mut watch, 3).await;
    let seen: Vec<_> = events.iter().map(|event| (event.kind, event.revision())).collect();
    let (put, deleted) = (EventKind::Put, EventKind::Delete);
    assert_eq!(seen, [(put, first), (deleted, first + 2), (put, first + 3)]);
    let quiet = watch.next().now_or_never();
    assert!(quiet.is_none() || quiet.unwrap().unwrap().unwrap().events.is_empty());
}

async fn a_watch_tells_previous_values(store: Shared) {
    let first = put(&*store, "w", "1").await;
    put(&*store, "w", "2").await;
    delete(&*store, "w").await;
    let mut watch = store.watch("w".into(), first).await.unwrap();
    let events = next(&mut watch, 3).await;
    assert!(events[0].is_create());
    assert_eq!(events[0].prev_kv, None);
    assert_eq!(events[1].prev_kv.as_ref().unwrap().value, "1");
    assert_eq!(events[1].prev_kv.as_ref().unwrap().mod_revision, first);
    assert_eq!(events[2].prev_kv.as_ref().unwrap().value, "2");
    assert_eq!(events[2].kv.mod_revision, first + 2);
}

async fn a_watch_below_the_compacted_revision_is_refused(store: Shared) {
    let first = put(&*store, "w", "1").await;
    put(&*store, "w", "2").await;
    store.compact(first + 1).await.unwrap();
    for from in [first, first + 1] {
        let refused = store.watch("w".into(), from).await;
        assert!(matches!(refused, Err(Error::Compacted { .. })), "from {from}");
    }
    let mut watch = store.watch("w".into(), first + 2).await.unwrap();
    put(&*store, "w", "3").await;
    let events = next(&mut watch, 1).await;
    assert_eq!(events[0].prev_kv.as_ref().unwrap().value, "2");
}

async fn a_watch_from_zero_begins_now(store: Shared) {
    put(&*store, "w", "1").await;
    let mut watch = store.watch("w".into(), 0).await.unwrap();
    let now = put(&*store, "w", "2").await;
    assert_eq!(next(&mut watch, 1).await[0].revision(), now);
}

async fn a_watch_may_begin_in_the_future(store: Shared) {
    let now = put(&*store, "w", "1").await;
    let mut watch = store.watch("w".into(), now + 2).await.unwrap();
    put(&*store, "w", "2").await;
    put(&*store, "w", "3").await;
    assert_eq!(next(&mut watch, 1).await[0].kv.value, "3");
}

async fn a_watch_tells_progress(store: Shared) {
    let now = put(&*store, "w", "1").await;
    let mut watch = store.watch("w".into(), now).await.unwrap();
    let mut last = 0;
    for _ in 0..30 {
        let revision = put(&*store, "other", "1").await;
        while let Some(batch) = watch.next().now_or_never() {
            let batch = batch.unwrap().unwrap();
            assert!(batch.revision >= last, "progress never goes back");
            last = batch.revision;
        }
        if last > now {
            assert!(last <= revision);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no progress beyond {last}");
}

async fn concurrent_writes_are_watched_in_order(store: Shared) {
    let base = store.current_revision().await.unwrap();
    let mut watch = store.watch(Bytes::new(), base + 1).await.unwrap();
    let writers = (0..16).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0..25 {
                put(&*store, &format!("w/{writer}/{number}"), "x").await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let events = next(&mut watch, 400).await;
    let revisions: Vec<_> = events.iter().map(|event| event.revision()).collect();
    assert_eq!(revisions, (base + 1..=base + 400).collect::<Vec<_>>());
}

async fn a_slow_watch_is_cut_off(store: Shared) {
    let mut slow = store.watch("w".into(), 0).await.unwrap();
    let value = Bytes::from_static(b"x");
    // Many at once, so that an implementation that syncs does so a few times only.
    for _ in 0..21 {
        let writes = (0..1000).map(|n| store.put(format!("w{n}").into(), value.clone(), Precondition::None));
        futures::future::try_join_all(writes).await.unwrap();
    }
    let mut seen = 0;
    let end = loop {
        match slow.next().await.unwrap() {
            Ok(batch) => seen += batch.events.len(),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, Error::SlowWatcher { .. }), "{end}");
    assert!(seen <= 20_000);
    assert!(slow.next().await.is_none());
}
