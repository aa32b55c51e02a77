//! The kit of the end-to-end tests: machines of their own, the real kpkg, the real kubectl.
//!
//! A [`Machine`] is a set of namespaces (network, mounts, processes) on this machine, with no route
//! out of it and with a state directory of its own. Everything that a test starts runs inside and
//! ends with it, also when the test fails. Images come in as archives, built once from the
//! distribution's packages by [`images`].
//!
//! - [`machine`]: start here
//! - [`cutter`]: a client that dies at a chosen request
//! - [`helm`]: the real Helm
//! - [`images`]: the images that tests run
//! - [`traces`]: what a machine left on the host

pub mod cutter;
pub mod helm;
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
    let program = std::env::current_exe().expect("a test knows its own path");
    // Tests live in target/PROFILE/deps, benchmarks beside kpkg.
    let mut beside = program.ancestors().skip(1).take(2).map(|folder| folder.join("kpkg"));
    let found = beside.find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no kpkg beside {}: run `cargo build --workspace --bins` first", program.display()))
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
