//! Waiting for files to change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often files are looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// What tells a changed file: its time and its length.
type State = Option<(SystemTime, u64)>;

fn state(path: &Path) -> State {
    let found = path.metadata().ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Returns once one of the files has changed, come or gone. What changed since `start` counts: it may have been read
/// before.
pub(super) fn wait(files: &BTreeSet<PathBuf>, start: SystemTime) {
    let states = || files.iter().map(|file| state(file)).collect::<Vec<_>>();
    let before = states();
    // A time still to come says nothing.
    let recent = start..=SystemTime::now();
    if before.iter().flatten().any(|(modified, _)| recent.contains(modified)) {
        std::thread::sleep(PAUSE);
        return;
    }
    while states() == before {
        std::thread::sleep(PAUSE);
    }
}
