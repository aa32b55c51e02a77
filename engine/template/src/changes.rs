//! Whether templates changed what the templates of other files see, too.
//!
//! `set` and its kin change maps in place. A map knows which file's templates made it; where another file's change it, the
//! order in which files run shows in what they write.

use std::cell::Cell;

thread_local! {
    /// The file whose templates run on this thread, counted from 1; 0 while none do.
    static FILE: Cell<u32> = const { Cell::new(0) };
    static LAST: Cell<u32> = const { Cell::new(0) };
    static SEEN: Cell<bool> = const { Cell::new(false) };
}

/// Which file's templates run.
#[inline]
pub(crate) fn file() -> u32 {
    FILE.get()
}

/// Notes that a map changes which the templates of some file made.
#[inline]
pub(crate) fn note(maker: u32) {
    let file = FILE.get();
    if file != 0 && file != maker {
        SEEN.set(true);
    }
}

/// Forgets what was seen on this thread.
pub(crate) fn forget() {
    SEEN.set(false);
}

/// Whether templates changed maps that they had not made, on this thread and since [`forget`].
pub(crate) fn seen() -> bool {
    SEEN.get()
}

/// While it lives, the templates of one more file run.
pub(crate) struct Running(());

impl Running {
    pub(crate) fn begin() -> Self {
        LAST.set(LAST.get().wrapping_add(1).max(1));
        FILE.set(LAST.get());
        Self(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        FILE.set(0);
    }
}
