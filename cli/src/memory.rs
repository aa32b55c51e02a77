//! The memory of commands that render: where it comes from, and a bound on it while Jinja templates run.
//!
//! Go templates count what they build. minijinja counts instructions, but not the texts that `~` and `+` put
//! together: a few dozen instructions can double a text to any size. So the process itself is bounded
//! while a chart with such templates renders: what wants more ends with a failed allocation, not with a
//! machine out of memory.

use kpkg_chart::Chart;

/// Takes the memory of a command that renders and ends in large pieces.
pub(crate) fn take_in_large_pages() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    kpkg_runtime::heap::use_large_pages();
}

/// Bytes that rendering may take on top of what the process has.
#[cfg(target_os = "linux")]
const EXTRA: u64 = 2 << 30;

/// Holds the bound until it is dropped.
#[derive(Debug)]
pub(crate) struct Bound {
    #[cfg(target_os = "linux")]
    before: Option<rustix::process::Rlimit>,
}

impl Bound {
    /// Sets the bound if the chart, or a subchart, has Jinja templates.
    pub(crate) fn for_chart(chart: &Chart) -> Self {
        Self::set(has_jinja(chart))
    }

    /// Sets the bound for a chart that is not loaded yet.
    pub(crate) fn for_any() -> Self {
        Self::set(true)
    }

    #[cfg(target_os = "linux")]
    fn set(is_wanted: bool) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        if !is_wanted {
            return Self { before: None };
        }
        let before = getrlimit(Resource::As);
        let most = address_space().map(|now| now + EXTRA);
        let Some(most) = most.filter(|most| before.current.is_none_or(|current| *most < current)) else {
            return Self { before: None };
        };
        // Where it cannot be set, rendering goes on without it.
        let set = setrlimit(Resource::As, Rlimit { current: Some(most), maximum: before.maximum });
        Self { before: set.is_ok().then_some(before) }
    }

    #[cfg(not(target_os = "linux"))]
    fn set(_is_wanted: bool) -> Self {
        Self {}
    }
}

#[cfg(target_os = "linux")]
impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            // The soft limit may always go back up to what it was.
            let _ = rustix::process::setrlimit(rustix::process::Resource::As, before);
        }
    }
}

/// Bytes of address space that the process has now.
#[cfg(target_os = "linux")]
fn address_space() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

fn has_jinja(chart: &Chart) -> bool {
    chart.templates.iter().any(|file| file.name.ends_with(".j2")) || chart.dependencies.iter().any(has_jinja)
}
