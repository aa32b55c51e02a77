//! Which API versions are on their way out: group and version, kind, the minor versions of Kubernetes 1
//! that deprecate and remove them, and what replaces them.

use std::sync::LazyLock;

use crate::rendered::KubeVersion;

struct Row {
    api_version: &'static str,
    kind: &'static str,
    deprecated: u64,
    removed: Option<u64>,
    replacement: &'static str,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let mut parts = line.splitn(5, ' ');
        let mut next = || parts.next().unwrap_or_default();
        Some(Row {
            api_version: next(),
            kind: next(),
            deprecated: next().parse().ok()?,
            removed: next().parse().ok(),
            replacement: next(),
        })
    };
    include_str!("deprecations.txt").lines().filter_map(row).collect()
});

/// Refuses what a version of Kubernetes calls deprecated, in its words.
pub(super) fn check(api_version: &str, kind: &str, kube: &KubeVersion) -> Result<(), String> {
    let found = ROWS.iter().find(|row| row.api_version == api_version && row.kind == kind);
    let Some(row) = found else { return Ok(()) };
    let major: u64 = kube.major.parse().unwrap_or(1);
    let minor: u64 = kube.minor.parse().unwrap_or_default();
    if (major, minor) < (1, row.deprecated) {
        return Ok(());
    }
    let mut text = format!("{api_version} {kind} is deprecated in v1.{}+", row.deprecated);
    if let Some(removed) = row.removed {
        text.push_str(&format!(", unavailable in v1.{removed}+"));
    }
    if !row.replacement.is_empty() {
        text.push_str(&format!("; use {}", row.replacement));
    }
    Err(text)
}
