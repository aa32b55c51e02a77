//! Files cut and bits flipped at every byte: a torn end is cut, anything else is refused, and
//! what opens is always a state the store was in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kpkg_store::{Embedded, KeyValue, OpenError, Options, Store};

use crate::{delete, everything, open, put};

/// The only log file in `dir`.
fn log(dir: &Path) -> PathBuf {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-"))
        .unwrap()
}

/// Fills a store and answers every state it was in, the empty one first.
async fn fill(dir: &Path) -> Vec<Vec<KeyValue>> {
    let store = open(dir);
    let mut states = vec![Vec::new()];
    put(&store, "a", "one").await;
    states.push(everything(&store).await);
    put(&store, "b", "two").await;
    states.push(everything(&store).await);
    put(&store, "a", "three").await;
    states.push(everything(&store).await);
    delete(&store, "b").await;
    states.push(everything(&store).await);
    states
}

/// Opens a directory whose log is `bytes`; answers the state and how long the log is afterwards.
async fn open_with(name: &str, bytes: &[u8]) -> Result<(Vec<KeyValue>, u64), OpenError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let opened = Embedded::open(dir.path(), Options::default());
    match opened {
        Ok(store) => {
            let state = everything(&store).await;
            let length = fs::metadata(&path).unwrap().len();
            // It must also go on from there.
            put(&store, "more", "1").await;
            drop(store);
            assert_eq!(everything(&open(dir.path())).await.len(), state.len() + 1);
            Ok((state, length))
        }
        Err(error) => {
            assert_eq!(fs::read(&path).unwrap(), bytes, "a refusal changes nothing");
            Err(error)
        }
    }
}

#[tokio::test]
async fn a_log_cut_anywhere_is_a_state_that_was() {
    let dir = tempfile::tempdir().unwrap();
    let states = fill(dir.path()).await;
    let path = log(dir.path());
    let (name, whole) = (path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
    let mut reached = 0;
    for length in 0..=whole.len() {
        match open_with(name, &whole[..length]).await {
            Ok((state, _)) => {
                let index = states.iter().position(|known| *known == state);
                let index = index.unwrap_or_else(|| panic!("unknown state at {length}"));
                assert!(index >= reached, "at {length}");
                reached = index;
            }
            Err(error) => assert!(length < 32, "cut at {length}: {error}"),
        }
    }
    assert_eq!(reached, states.len() - 1);
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_refused_or_the_torn_end() {
    let dir = tempfile::tempdir().unwrap();
    let states = fill(dir.path()).await;
    let path = log(dir.path());
    let (name, whole) = (path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
    // The closing mark is an empty frame: 24 bytes.
    let acknowledged = whole.len() - 24;
    for offset in 0..whole.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[offset] ^= bit;
            match open_with(name, &bytes).await {
                Ok((state, length)) => {
                    assert!(offset >= acknowledged, "damage at {offset} went unnoticed");
                    assert_eq!(&state, states.last().unwrap());
                    assert_eq!(length as usize, acknowledged);
                }
                Err(OpenError::Damaged { offset: told, .. }) => {
                    assert!(told as usize <= offset, "{told} told, {offset} damaged");
                }
                Err(OpenError::NewerFormat { .. }) => assert!((8..12).contains(&offset)),
                Err(error) => panic!("at {offset}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn zeros_after_a_crash_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let states = fill(dir.path()).await;
    let path = log(dir.path());
    let (name, mut bytes) = (path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
    let length = bytes.len();
    bytes.resize(length + 5000, 0);
    let (state, kept) = open_with(name, &bytes).await.unwrap();
    assert_eq!((&state, kept as usize), (states.last().unwrap(), length));
}

#[tokio::test]
async fn the_error_names_file_and_offset_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let path = log(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[32 + 24 + 8] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Embedded::open(dir.path(), Options::default()).unwrap_err();
    let expected = format!("{} is damaged at byte 32: the checksum of a record is wrong", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("restore"));
}

#[tokio::test]
async fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path()).await;
    let path = log(dir.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    fs::write(&path, bytes).unwrap();
    let error = Embedded::open(dir.path(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 2, supported: 1, .. }), "{error}");
}

#[tokio::test]
async fn missing_and_damaged_older_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options { segment_bytes: 300, ..Options::default() };
    let store = Embedded::open(dir.path(), options()).unwrap();
    for number in 0..20 {
        put(&store, &format!("key/{number}"), "a value of some length").await;
    }
    drop(store);
    let mut logs: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("log-"))
        .collect();
    logs.sort();
    assert!(logs.len() > 3);
    let second = fs::read(&logs[1]).unwrap();
    // The end of a file that is not the last one was acknowledged: it is no torn end.
    fs::write(&logs[1], &second[..second.len() - 1]).unwrap();
    let error = Embedded::open(dir.path(), options()).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    fs::remove_file(&logs[1]).unwrap();
    let error = Embedded::open(dir.path(), options()).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    fs::write(&logs[1], &second).unwrap();
    assert_eq!(everything(&Embedded::open(dir.path(), options()).unwrap()).await.len(), 20);
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options { segment_bytes: 300, garbage_bytes: 1, ..Options::default() };
    let store = Embedded::open(dir.path(), options()).unwrap();
    for number in 0..20 {
        put(&store, &format!("key/{number}"), "a value of some length").await;
    }
    let now = store.current_revision().await.unwrap();
    store.compact(now).await.unwrap();
    drop(store);
    let snapshot = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snapshot-"))
        .expect("a snapshot was written");
    let whole = fs::read(&snapshot).unwrap();
    for offset in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[offset] ^= 1;
        fs::write(&snapshot, &bytes).unwrap();
        let error = Embedded::open(dir.path(), options()).expect_err("damage is noticed");
        assert!(matches!(error, OpenError::Damaged { .. } | OpenError::NewerFormat { .. }), "at {offset}: {error}");
    }
    fs::write(&snapshot, &whole).unwrap();
    assert_eq!(everything(&Embedded::open(dir.path(), options()).unwrap()).await.len(), 20);
}
