//! The kit of the end-to-end tests: machines of their own, the real kpkg, the real kubectl.
//!
//! A [`Machine`] is a set of namespaces (network, mounts, processes) on this machine, with no route
//! out of it and with a state directory of its own. Everything that a test starts runs inside and
//! ends with it, also when the test fails. Images come in as archives, built once from the
//! distribution's packages by [`images`].
//!
//! - [`machine`]: start here
//! - [`cutter`]: a client that dies at a chosen request
//! - [`images`]: the images that tests run
//! - [`traces`]: what a machine left on the host

pub mod cutter;
pub mod images;
pub mod machine;
pub mod traces;

use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use machine::Machine;

/// The kpkg that was built beside the running test.
///
/// # Panics
///
/// If it was not built: `cargo xtask test` builds it first.
pub fn kpkg() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let path = test.ancestors().nth(2).expect("tests live in target/PROFILE/deps").join("kpkg");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// Looks again and again until `look` answers something, or the time is up.
///
/// # Panics
///
/// When the time is up, with what was looked for.
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "not seen within {}s: {what}", limit.as_secs());
        std::thread::sleep(Duration::from_millis(200));
    }
}
