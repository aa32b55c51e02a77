//! `/containerLogs`: a container's log, in whole, its end, or as it grows.

use std::io::{self, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use kpkg_runtime::{ContainerState, ContainerStatus};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncSeekExt, BufReader};
use tokio::sync::mpsc;

use super::{Query, find, refuse};
use crate::kubelet::Shared;

/// How often a followed log is looked at for more.
const POLL: Duration = Duration::from_millis(100);
/// The longest line that is read whole.
const QUEUE: usize = 64;

/// What of a log is wanted.
struct Wanted {
    follow: bool,
    timestamps: bool,
    tail: Option<usize>,
    since: Option<Timestamp>,
    limit: Option<usize>,
    stream: Option<&'static str>,
}

/// Serves a log.
pub(super) async fn serve(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Response<Body> {
    let query = Query::parse(query.as_deref());
    let observed = find(&shared, &namespace, &pod);
    let mut all = observed.iter().flat_map(|it| it.containers.iter()).filter(|it| it.name == container && it.state != ContainerState::Created);
    let latest = all.next();
    let chosen = if query.flag("previous") {
        // The run before the present one; while nothing runs, the last one that ended is kept alone.
        all.next()
    } else {
        latest
    };
    let Some(status) = chosen.cloned() else {
        let text = match query.flag("previous") {
            true => format!("previous terminated container {container:?} in pod {pod:?} not found"),
            false => format!("container {container:?} in pod {pod:?} is waiting to start: ContainerCreating"),
        };
        return refuse(StatusCode::BAD_REQUEST, text);
    };
    let Some(path) = status.log_path.clone() else { return refuse(StatusCode::NOT_FOUND, "the container keeps no log".to_owned()) };
    let wanted = wanted(&query);
    let (sender, mut receiver) = mpsc::channel::<Bytes>(QUEUE);
    tokio::spawn(async move {
        if let Err(error) = send(&shared, &status, &path, &wanted, &sender).await {
            tracing::debug!(%error, "a log could not be read");
        }
    });
    let stream = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    Response::new(Body::from_stream(futures::StreamExt::map(stream, Ok::<_, std::convert::Infallible>)))
}

fn wanted(query: &Query) -> Wanted {
    let by_age = query.number("sinceSeconds").map(|it| Timestamp::now() - SignedDuration::from_secs(it));
    let number = |key: &str| query.number(key).and_then(|it| usize::try_from(it).ok());
    Wanted {
        follow: query.flag("follow"),
        timestamps: query.flag("timestamps"),
        tail: number("tailLines"),
        since: query.text("sinceTime").parse().ok().or(by_age),
        limit: number("limitBytes"),
        stream: match query.text("stream") {
            "Stdout" => Some("stdout"),
            "Stderr" => Some("stderr"),
            _ => None,
        },
    }
}

/// Sends the files of a log in order, then what comes, until the container ends or the client goes.
async fn send(shared: &Shared, status: &ContainerStatus, path: &FilePath, wanted: &Wanted, sender: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut left = wanted.limit.unwrap_or(usize::MAX);
    let mut skip = match wanted.tail {
        Some(tail) => count_lines(path, wanted).await?.saturating_sub(tail),
        None => 0,
    };
    for old in rotated(path) {
        let mut reader = BufReader::new(File::open(&old).await?);
        if !send_lines(&mut reader, wanted, &mut skip, &mut left, sender).await? {
            return Ok(());
        }
    }
    let mut reader = BufReader::new(File::open(path).await?);
    loop {
        // Asked before reading: whatever was written until its end is then read.
        let ended = has_ended(shared, status);
        if !send_lines(&mut reader, wanted, &mut skip, &mut left, sender).await? {
            return Ok(());
        }
        if !wanted.follow {
            return Ok(());
        }
        if let Some(next) = turned(&mut reader, path).await? {
            reader = next;
            continue;
        }
        if ended || sender.is_closed() {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

fn has_ended(shared: &Shared, status: &ContainerStatus) -> bool {
    let now = shared.cri.containers(&status.sandbox);
    now.iter().find(|it| it.id == status.id).is_none_or(|it| it.state != ContainerState::Running)
}

/// The rotated files before `path`, oldest first: `NAME.TIME`.
fn rotated(path: &FilePath) -> Vec<PathBuf> {
    let Some((folder, name)) = path.parent().zip(path.file_name()) else { return Vec::new() };
    let prefix = format!("{}.", name.to_string_lossy());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.map(|it| it.path()).filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().starts_with(&prefix))).collect();
    found.sort();
    found
}

async fn count_lines(path: &FilePath, wanted: &Wanted) -> io::Result<usize> {
    let mut count = 0;
    for file in rotated(path).iter().map(PathBuf::as_path).chain([path]) {
        let mut reader = BufReader::new(File::open(file).await?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).await? > 0 {
            count += usize::from(line.ends_with(b"\n") && parse(&line).is_some_and(|it| it.fits(wanted) && it.whole));
            line.clear();
        }
    }
    Ok(count)
}

/// The file that took the place of the one being read, if the log was rotated.
async fn turned(reader: &mut BufReader<File>, path: &FilePath) -> io::Result<Option<BufReader<File>>> {
    use std::os::unix::fs::MetadataExt;
    let (old, Ok(new)) = (reader.get_ref().metadata().await?, tokio::fs::metadata(path).await) else { return Ok(None) };
    if old.ino() == new.ino() { Ok(None) } else { Ok(Some(BufReader::new(File::open(path).await?))) }
}

/// Sends the lines that are there; `false` when there is nothing more to send.
async fn send_lines(reader: &mut BufReader<File>, wanted: &Wanted, skip: &mut usize, left: &mut usize, sender: &mpsc::Sender<Bytes>) -> io::Result<bool> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let count = reader.read_until(b'\n', &mut line).await?;
        if count == 0 {
            return Ok(true);
        }
        if !line.ends_with(b"\n") {
            // Half a line: it is read again when it is whole.
            reader.seek(SeekFrom::Current(-i64::try_from(count).unwrap_or(0))).await?;
            return Ok(true);
        }
        let Some(parsed) = parse(&line).filter(|it| it.fits(wanted)) else { continue };
        if *skip > 0 {
            *skip -= usize::from(parsed.whole);
            continue;
        }
        let mut out = parsed.text(wanted.timestamps);
        out.truncate(*left);
        *left -= out.len();
        if sender.send(out.into()).await.is_err() || *left == 0 {
            return Ok(false);
        }
    }
}

/// A line in CRI's format: `TIME STREAM F|P TEXT`.
struct Line<'a> {
    time: &'a str,
    stream: &'a str,
    whole: bool,
    text: &'a [u8],
}

fn parse(line: &[u8]) -> Option<Line<'_>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (time, stream, tag) = (text()?, text()?, text()?);
    Some(Line { time, stream, whole: tag != "P", text: parts.next().unwrap_or_default() })
}

impl Line<'_> {
    fn fits(&self, wanted: &Wanted) -> bool {
        let late = wanted.since.is_none_or(|since| self.time.parse::<Timestamp>().is_ok_and(|time| time >= since));
        late && wanted.stream.is_none_or(|stream| stream == self.stream)
    }

    fn text(&self, timestamps: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + 1);
        if timestamps {
            out.extend_from_slice(self.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(self.text);
        if self.whole {
            out.push(b'\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_parts() {
        let line = parse(b"2026-01-02T03:04:05.678Z stdout F a b c\n").unwrap();
        assert_eq!((line.stream, line.whole, line.text), ("stdout", true, &b"a b c"[..]));
        assert_eq!(line.text(false), b"a b c\n");
        let half = parse(b"2026-01-02T03:04:05.678Z stderr P abc\n").unwrap();
        assert_eq!(half.text(false), b"abc");
        assert!(parse(b"junk\n").is_none());
        let empty = parse(b"2026-01-02T03:04:05.678Z stdout F \n").unwrap();
        assert_eq!(empty.text(false), b"\n");
    }
}
