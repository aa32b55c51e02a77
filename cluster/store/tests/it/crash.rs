//! `kill -9` at random moments under writes: what was acknowledged is there.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use kpkg_store::{Embedded, Options, Precondition, Store};

use crate::{child, everything};

const DIR: &str = "KPKG_STORE_CRASH_DIR";
const WRITERS: usize = 8;

/// Small files, so that the kills also hit rotations and snapshots.
fn options() -> Options {
    Options { segment_bytes: 20_000, garbage_bytes: 20_000, ..Options::default() }
}

/// The child: writes until it is killed, telling each acknowledged write on standard output.
#[test]
fn child_writer() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let store = Arc::new(Embedded::open(dir, options()).expect("the store opens after a kill"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        for writer in 0..WRITERS {
            tokio::spawn(write_forever(store.clone(), writer));
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
}

/// Each writer counts one key up and compacts now and then.
async fn write_forever(store: Arc<Embedded>, writer: usize) {
    let key = Bytes::from(format!("writer/{writer}"));
    let found = store.get(&key).await.unwrap();
    let mut number = found.map_or(0, |kv| number_of(&kv.value));
    loop {
        number += 1;
        let value = Bytes::from(format!("{number} {}", "x".repeat(number % 700)));
        let revision = store.put(key.clone(), value, Precondition::None).await.unwrap();
        let line = format!("ack {writer} {number} {revision}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        if number % 50 == 0 {
            store.compact(revision - 5).await.unwrap();
        }
    }
}

fn number_of(value: &[u8]) -> usize {
    std::str::from_utf8(value).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kills() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: HashMap<usize, usize> = HashMap::new();
    let mut newest = 0;
    for round in 0..25_u64 {
        // Anything from the first moments of opening to well into writing.
        let delay = Duration::from_millis(20 + round * 37 % 230);
        newest = newest.max(write_and_kill(dir.path(), delay, &mut acknowledged));
        let store = Embedded::open(dir.path(), options()).unwrap();
        assert!(store.current_revision().await.unwrap() >= newest, "the revision went back");
        let found: HashMap<_, _> = everything(&store)
            .await
            .iter()
            .map(|kv| {
                let number = number_of(&kv.value);
                let length = number.to_string().len() + 1 + number % 700;
                assert_eq!(kv.value.len(), length, "half a record");
                let writer = std::str::from_utf8(&kv.key[7..]).unwrap().parse().unwrap();
                (writer, number)
            })
            .collect();
        for (writer, number) in &acknowledged {
            let stored = found.get(writer).copied().unwrap_or_default();
            // One more may have been written and not told any more.
            assert!((*number..=number + 1).contains(&stored), "{writer}: {number} vs {stored}");
        }
        acknowledged = found;
    }
    assert!(acknowledged.values().sum::<usize>() > 1000, "too few writes to mean anything");
}

/// Lets a child write for `delay`, kills it, and answers the newest revision it told.
fn write_and_kill(dir: &Path, delay: Duration, acknowledged: &mut HashMap<usize, usize>) -> i64 {
    let mut child =
        child("crash::child_writer", DIR, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let lines = output.lines().map_while(Result::ok);
        lines.filter_map(|line| parse(&line)).collect::<Vec<_>>()
    });
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut newest = 0;
    for (writer, number, revision) in reader.join().unwrap() {
        acknowledged.insert(writer, number);
        newest = newest.max(revision);
    }
    newest
}

fn parse(line: &str) -> Option<(usize, usize, i64)> {
    let mut words = line.split(' ').skip_while(|word| !word.ends_with("ack")).skip(1);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
