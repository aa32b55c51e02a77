//! A blob that is read while it comes.
//!
//! The reader follows the writer, and gets the end only when the digest of the whole was checked: who has read
//! everything has read what was wanted.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::ImageError;
use super::blobs::BlobFile;
use super::layout::Layout;

/// How far a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Coming,
    Whole,
    Failed,
}

struct State {
    written: u64,
    stage: Stage,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, stage: Stage) {
        let mut state = self.state();
        if state.stage == Stage::Coming {
            state.stage = stage;
        }
        self.changed.notify_all();
    }
}

/// The writer's end. Dropped without having been [checked](Self::checked), it fails the reader.
pub(super) struct Arriving {
    file: Option<BlobFile>,
    shared: Arc<Shared>,
}

impl Arriving {
    /// Starts a blob.
    pub(super) fn new(layout: &Layout) -> Result<Self, ImageError> {
        let state = Mutex::new(State { written: 0, stage: Stage::Coming });
        Ok(Self { file: Some(BlobFile::new(layout)?), shared: Arc::new(Shared { state, changed: Condvar::new() }) })
    }

    /// A reader of what comes.
    pub(super) fn reader(&self) -> io::Result<Arrival> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?.handle()?;
        Ok(Arrival { file, at: 0, shared: Arc::clone(&self.shared) })
    }

    /// Everything came, and it is what was wanted; the file may get its name.
    pub(super) fn checked(mut self) -> Option<BlobFile> {
        self.shared.end(Stage::Whole);
        self.file.take()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.shared.end(Stage::Failed);
    }
}

impl Write for Arriving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let count = file.write(bytes)?;
        self.shared.state().written = file.size();
        self.shared.changed.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reader's end: waits for what has not come yet.
pub(super) struct Arrival {
    file: File,
    at: u64,
    shared: Arc<Shared>,
}

impl Arrival {
    /// Whether it is the blob that failed, for who asks after an error.
    pub(super) fn failure(&self) -> impl Fn() -> bool + Send + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.state().stage == Stage::Failed
    }
}

impl Read for Arrival {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut state = self.shared.state();
        while state.written <= self.at && state.stage == Stage::Coming {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.stage {
            Stage::Failed => return Err(io::Error::other("the download ended early")),
            Stage::Whole if state.written <= self.at => return Ok(0),
            Stage::Whole | Stage::Coming => {}
        }
        let ready = usize::try_from(state.written - self.at).unwrap_or(usize::MAX).min(buffer.len());
        drop(state);
        let count = self.file.read_at(&mut buffer[..ready], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_comes_only_when_the_whole_was_checked() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        for is_good in [true, false] {
            let mut arriving = Arriving::new(&layout).unwrap();
            let mut reader = arriving.reader().unwrap();
            let failed = reader.failure();
            let reading = std::thread::spawn(move || {
                let mut found = Vec::new();
                reader.read_to_end(&mut found).map(|_| found)
            });
            for _ in 0..3 {
                arriving.write_all(b"abc").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            assert!(!reading.is_finished(), "it waits for the check");
            if is_good {
                assert_eq!(arriving.checked().unwrap().size(), 9);
            } else {
                drop(arriving);
            }
            assert_eq!(reading.join().unwrap().ok().as_deref(), is_good.then_some(&b"abcabcabc"[..]));
            assert_eq!(failed(), !is_good);
        }
    }
}
