//! A full disk: a small tmpfs in a mount namespace of the test's own. Needs root; elsewhere the
//! test says so and passes.

use std::{fs, path::Path, process::Command};

use bytes::Bytes;
use kpkg_store::{Error, Precondition, Store};

use crate::{everything, open, put};

const DIR: &str = "KPKG_STORE_FULL_DIR";

/// The child: `DIR` is the mount point of a tmpfs of one megabyte.
#[tokio::test]
async fn child_on_a_small_disk() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let store = open(&dir.join("store"));
    put(&store, "small", "1").await;
    fs::write(dir.join("ballast"), vec![0; 600_000]).unwrap();
    let value = Bytes::from(vec![b'x'; 10_000]);
    let mut written = 0;
    let error = loop {
        let key = Bytes::from(format!("key/{written}"));
        match store.put(key, value.clone(), Precondition::None).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    assert!(written > 10);
    // Reads go on, and small writes do not slip in half.
    assert_eq!(everything(&store).await.len(), written + 1);
    let revision = store.current_revision().await.unwrap();
    let again = store.put("another".into(), value.clone(), Precondition::None).await;
    assert!(matches!(again, Err(Error::DiskFull { .. })));
    assert_eq!(store.current_revision().await.unwrap(), revision);
    // Space comes back.
    fs::remove_file(dir.join("ballast")).unwrap();
    let next = store.put("another".into(), value, Precondition::None).await.unwrap();
    assert_eq!(next, revision + 1);
    let before = everything(&store).await;
    drop(store);
    assert_eq!(everything(&open(&dir.join("store"))).await, before);
    println!("small disk: done");
}

#[test]
fn a_full_disk_fails_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=1m none "$1" && shift && exec "$@""#;
    let probe = Command::new("unshare").args(["-m", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        println!("skipped: mount namespaces need root");
        return;
    }
    let child = crate::child("full::child_on_a_small_disk", DIR, dir.path());
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(dir.path())
        .arg(child.get_program())
        .args(child.get_args())
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("small disk: done"), "{text}\n{errors}");
}
