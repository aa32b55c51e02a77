//! Where the time of day comes from.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The wall clock, or one that follows tokio's clock and so stands still when a test pauses it.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's own.
    System,
    /// A fixed start plus what tokio says has passed since.
    Tokio {
        /// The time of day at `since`.
        start: Timestamp,
        /// The moment that `start` belongs to.
        since: Instant,
    },
}

impl Clock {
    /// A clock that starts now and follows tokio's.
    pub fn tokio() -> Self {
        Self::Tokio { start: Timestamp::now(), since: Instant::now() }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Tokio { start, since } => {
                let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
                start.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}
