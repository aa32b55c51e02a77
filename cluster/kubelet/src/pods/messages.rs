//! What containers say when they end: the termination message file, or the end of the log.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use kpkg_runtime::{ContainerState, ContainerStatus};

use super::observed::annotation;

/// Most bytes of a termination message.
const MESSAGE: u64 = 4096;
/// Most bytes and lines of the log that stand in for one.
const LOG: usize = 2048;
const LOG_LINES: usize = 80;

/// Puts the container's own last words into its status.
pub(super) fn add(container: &mut ContainerStatus) {
    if container.state != ContainerState::Exited {
        return;
    }
    let text = container
        .annotations
        .get(annotation::MESSAGE_FILE)
        .and_then(|path| read_start(Path::new(path)))
        .unwrap_or_default();
    if !text.is_empty() {
        container.message = text;
        return;
    }
    let from_logs =
        container.annotations.get(annotation::MESSAGE_POLICY).is_some_and(|policy| policy == "FallbackToLogsOnError");
    if from_logs
        && container.exit_code != Some(0)
        && let Some(tail) = container.log_path.as_deref().and_then(log_tail)
    {
        container.message = tail;
    }
}

fn read_start(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MESSAGE).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last lines of a log in CRI's format, without their stamps.
fn log_tail(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    // Stamps and stream names take a good part of short lines.
    file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter_map(|line| line.splitn(4, ' ').nth(3)).collect();
    let mut tail =
        lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| format!("{line}\n")).collect::<String>();
    if tail.len() > LOG {
        let mut cut = tail.len() - LOG;
        while !tail.is_char_boundary(cut) {
            cut += 1;
        }
        tail.drain(..cut);
    }
    Some(tail)
}
