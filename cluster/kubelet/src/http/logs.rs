//! `/containerLogs`: a container's log file, filtered and followed.

use std::{
    io::{self, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kpkg_runtime::{ContainerId, ContainerState, SandboxId};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader},
    sync::mpsc,
};

use super::query::Query;
use crate::doors::Cri;

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(100);
/// A chunk of a file read backwards.
const CHUNK: u64 = 64 * 1024;

/// Which lines, and how.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    follow: bool,
    timestamps: bool,
    tail: Option<u64>,
    since: Option<Timestamp>,
    limit: Option<u64>,
    stream: Option<String>,
}

impl Options {
    pub(super) fn parse(query: &Query) -> Result<Self, String> {
        let number = |name: &str| {
            let text = query.get(name).filter(|text| !text.is_empty());
            text.map(|text| text.parse::<u64>().map_err(|_| format!("invalid {name}: {text:?}"))).transpose()
        };
        let since = match (number("sinceSeconds")?, query.get("sinceTime").filter(|text| !text.is_empty())) {
            (Some(seconds), _) => {
                Some(Timestamp::now() - SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 4)))
            }
            (None, Some(text)) => Some(text.parse().map_err(|_| format!("invalid sinceTime: {text:?}"))?),
            (None, None) => None,
        };
        let stream = query.get("stream").filter(|stream| *stream == "Stdout" || *stream == "Stderr");
        Ok(Self {
            follow: query.is_set("follow"),
            timestamps: query.is_set("timestamps"),
            tail: number("tailLines")?,
            since,
            limit: number("limitBytes")?,
            stream: stream.map(str::to_lowercase),
        })
    }

    /// A line of the file as the reader gets it; `None` if it is filtered out.
    fn render(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (stamp, stream, tag, text) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        if self.stream.as_deref().is_some_and(|wanted| wanted.as_bytes() != stream) {
            return None;
        }
        if let Some(since) = self.since
            && std::str::from_utf8(stamp)
                .ok()
                .and_then(|stamp| stamp.parse::<Timestamp>().ok())
                .is_some_and(|at| at < since)
        {
            return None;
        }
        let mut out = Vec::with_capacity(line.len() + 1);
        if self.timestamps {
            out.extend_from_slice(stamp);
            out.push(b' ');
        }
        out.extend_from_slice(text);
        if tag != b"P" {
            out.push(b'\n');
        }
        Some(out)
    }
}

/// Removes the files of a log, rotated ones included.
pub(crate) fn remove(path: &Path) {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return;
    };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let belongs = found
            .to_str()
            .and_then(|found| found.strip_prefix(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if belongs {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The log as a response's body.
pub(super) fn stream(
    runtime: Arc<dyn Cri>,
    sandbox: SandboxId,
    id: ContainerId,
    path: PathBuf,
    options: Options,
) -> Body {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(16);
    let running = move || {
        let containers = runtime.containers(&sandbox);
        containers.iter().any(|container| container.id == id && container.state == ContainerState::Running)
    };
    tokio::spawn(async move {
        let mut out = Out { sender, left: options.limit, buffer: Vec::new() };
        if let Err(error) = copy(&path, &options, &running, &mut out).await
            && error.kind() != io::ErrorKind::NotFound
        {
            let _ = out.sender.send(Err(error)).await;
        }
    });
    Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

/// What is sent, cut at the limit.
struct Out {
    sender: mpsc::Sender<io::Result<Bytes>>,
    left: Option<u64>,
    buffer: Vec<u8>,
}

impl Out {
    /// Adds a line; false when no more is wanted.
    async fn push(&mut self, mut line: Vec<u8>) -> bool {
        if let Some(left) = &mut self.left {
            line.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= line.len() as u64;
        }
        self.buffer.extend_from_slice(&line);
        let full = self.left == Some(0);
        if full || self.buffer.len() > 16 * 1024 {
            return self.flush().await && !full;
        }
        true
    }

    async fn flush(&mut self) -> bool {
        if self.buffer.is_empty() {
            return !self.sender.is_closed();
        }
        let bytes = std::mem::take(&mut self.buffer);
        self.sender.send(Ok(bytes.into())).await.is_ok()
    }
}

async fn copy(path: &Path, options: &Options, running: &(impl Fn() -> bool + Sync), out: &mut Out) -> io::Result<()> {
    let mut file = File::open(path).await?;
    if let Some(tail) = options.tail {
        let start = tail_start(&mut file, tail).await?;
        file.seek(SeekFrom::Start(start)).await?;
    }
    let mut inode = file.metadata().await?.ino();
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        let count = reader.read_until(b'\n', &mut line).await?;
        if line.last() == Some(&b'\n') {
            line.pop();
            if let Some(rendered) = options.render(&line)
                && !out.push(rendered).await
            {
                return Ok(());
            }
            line.clear();
            continue;
        }
        if count > 0 {
            continue; // a line that is being written
        }
        if !out.flush().await || !options.follow {
            return Ok(());
        }
        // Asked before the file is looked at once more: what it wrote last is then not missed.
        let alive = running();
        if let Some(next) = rotated(path, inode).await {
            if reader.fill_buf().await?.is_empty() {
                inode = next.metadata().await?.ino();
                reader = BufReader::new(next);
                line.clear();
            }
            continue;
        }
        if !alive && reader.fill_buf().await?.is_empty() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = out.sender.closed() => return Ok(()),
        }
    }
}

/// The file that took the path over.
async fn rotated(path: &Path, inode: u64) -> Option<File> {
    let file = File::open(path).await.ok()?;
    (file.metadata().await.ok()?.ino() != inode).then_some(file)
}

/// Where the last `lines` lines begin.
async fn tail_start(file: &mut File, lines: u64) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0)).await?;
    if lines == 0 {
        return Ok(end);
    }
    let mut found = 0;
    let mut at = end;
    let mut buffer = Vec::new();
    while at > 0 {
        let size = at.min(CHUNK);
        at -= size;
        file.seek(SeekFrom::Start(at)).await?;
        buffer.resize(usize::try_from(size).expect("a chunk is small"), 0);
        file.read_exact(&mut buffer).await?;
        for (index, byte) in buffer.iter().enumerate().rev() {
            let position = at + index as u64;
            // The newline that ends the file ends the last line; it does not begin one.
            if *byte == b'\n' && position + 1 != end {
                found += 1;
                if found == lines {
                    return Ok(position + 1);
                }
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    const LOG: &str = "2024-01-01T00:00:00.000000001Z stdout F one\n2024-01-01T00:00:01Z stderr P tw\n2024-01-01T00:00:01Z stderr F o\n2024-01-01T00:00:02Z stdout F three\n";

    async fn read(log: &str, query: Options) -> String {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("0.log");
        std::fs::write(&path, log).unwrap();
        let (sender, receiver) = mpsc::channel(16);
        let mut out = Out { sender, left: query.limit, buffer: Vec::new() };
        copy(&path, &query, &|| false, &mut out).await.unwrap();
        drop(out);
        let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn lines_are_chosen_and_stripped() {
        let cases = [
            ("all", Options::default(), "one\ntwo\nthree\n"),
            ("tail", Options { tail: Some(1), ..Options::default() }, "three\n"),
            ("tail none", Options { tail: Some(0), ..Options::default() }, ""),
            ("tail more", Options { tail: Some(99), ..Options::default() }, "one\ntwo\nthree\n"),
            ("since", Options { since: "2024-01-01T00:00:01Z".parse().ok(), ..Options::default() }, "two\nthree\n"),
            ("limit", Options { limit: Some(5), ..Options::default() }, "one\nt"),
            ("stream", Options { stream: Some("stderr".to_owned()), ..Options::default() }, "two\n"),
            (
                "stamps",
                Options { timestamps: true, tail: Some(1), ..Options::default() },
                "2024-01-01T00:00:02Z three\n",
            ),
        ];
        for (name, options, want) in cases {
            assert_eq!(read(LOG, options).await, want, "{name}");
        }
    }

    #[tokio::test]
    async fn following_survives_rotation() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("0.log");
        std::fs::write(&path, "t stdout F a\n").unwrap();
        let (sender, mut receiver) = mpsc::channel(16);
        let alive = Arc::new(AtomicBool::new(true));
        let (task_path, task_alive) = (path.clone(), alive.clone());
        let task = tokio::spawn(async move {
            let options = Options { follow: true, ..Options::default() };
            let mut out = Out { sender, left: None, buffer: Vec::new() };
            copy(&task_path, &options, &|| task_alive.load(Ordering::Relaxed), &mut out).await
        });
        assert_eq!(receiver.recv().await.unwrap().unwrap(), "a\n");
        std::fs::rename(&path, home.path().join("0.log.old")).unwrap();
        std::fs::write(&path, "t stdout F b\n").unwrap();
        assert_eq!(receiver.recv().await.unwrap().unwrap(), "b\n");
        alive.store(false, Ordering::Relaxed);
        assert!(receiver.recv().await.is_none());
        task.await.unwrap().unwrap();
    }
}
