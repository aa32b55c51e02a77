//! What a pod or container may use, and what it did use.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Limits of a control group; `None` leaves a limit alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The length of a CPU period in microseconds; 100 ms if absent.
    pub cpu_period: Option<u64>,
    /// Microseconds of CPU per period; -1 lifts the limit.
    pub cpu_quota: Option<i64>,
    /// CPU weight in Kubernetes' old unit: 1024 shares per core.
    pub cpu_shares: Option<u64>,
    /// The CPUs that may be used, as `0-3,8`.
    pub cpuset_cpus: Option<String>,
    /// Bytes of memory; -1 lifts the limit.
    pub memory_limit: Option<i64>,
    /// How ready the kernel is to kill this first, -1000 to 1000. Containers only, at start.
    pub oom_score_adj: Option<i32>,
    /// How many processes and threads there may be; -1 lifts the limit.
    pub pids_limit: Option<i64>,
}

/// What a control group has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Nanoseconds of CPU time since the start.
    pub cpu_nanos: u64,
    /// Bytes of memory now, page cache included.
    pub memory_bytes: u64,
    /// Bytes of memory now that cannot be reclaimed easily (Kubernetes' working set).
    pub memory_working_set_bytes: u64,
    /// Bytes of anonymous memory now.
    pub memory_rss_bytes: u64,
    /// Processes and threads now.
    pub pids: u64,
}

/// The usage of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStats {
    /// The container.
    pub id: crate::ContainerId,
    /// When it was measured.
    pub at: Timestamp,
    /// Its control group's counters.
    pub usage: Usage,
    /// Bytes on disk of the files it wrote.
    pub writable_layer_bytes: u64,
}
