//! How large the parts of a store may grow.

/// Bounds of a store. The defaults fit a cluster of one machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of history kept in memory for watches that begin in the past and for reads at an
    /// older revision; beyond it the store compacts by itself.
    pub history_bytes: usize,
    /// Unread events after which a watch is cut off.
    pub watch_events: usize,
    /// Bytes after which the log goes on in a new file.
    pub segment_bytes: u64,
    /// Bytes of whole log files that hold only forgotten history, after which a snapshot
    /// replaces them.
    pub garbage_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { history_bytes: 32 << 20, watch_events: 20_000, segment_bytes: 8 << 20, garbage_bytes: 8 << 20 }
    }
}
