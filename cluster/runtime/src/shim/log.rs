//! The log of one container in CRI's form, with rotation.
//!
//! `<RFC 3339 with nanoseconds> stdout F <line>`; a line that is longer than the bound, or that the
//! process did not finish, is written in parts marked `P`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};

use crate::container::LogRotation;

/// The longest part of a line in one entry.
const LONGEST_PART: usize = 16 << 10;
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// Where output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output, or a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A container's log.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    rotation: LogRotation,
    file: Option<File>,
    size: u64,
    /// The beginning of each stream's unfinished line.
    unfinished: [Vec<u8>; 2],
    entries: Vec<u8>,
}

impl Log {
    /// Opens the log at `path`, going on where an earlier one ended.
    pub(super) fn open(path: &Path, rotation: LogRotation) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            rotation,
            file: Some(file),
            size,
            unfinished: [Vec::new(), Vec::new()],
            entries: Vec::new(),
        })
    }

    /// Writes what came out of a stream. A full disk loses lines, not containers.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let now = time(Timestamp::now());
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.take(stream, &rest[..end], &now);
            self.entry(stream, "F", &now);
            rest = &rest[end + 1..];
        }
        self.take(stream, rest, &now);
        self.flush();
    }

    /// Writes the beginning of a line whose end will never come.
    pub(super) fn finish(&mut self, stream: Stream) {
        if !self.unfinished[stream as usize].is_empty() {
            self.entry(stream, "P", &time(Timestamp::now()));
            self.flush();
        }
    }

    /// Adds to the stream's unfinished line, writing it in parts when it grows too long.
    fn take(&mut self, stream: Stream, mut bytes: &[u8], now: &str) {
        loop {
            let unfinished = &mut self.unfinished[stream as usize];
            let room = LONGEST_PART - unfinished.len();
            if bytes.len() <= room {
                unfinished.extend_from_slice(bytes);
                return;
            }
            unfinished.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            self.entry(stream, "P", now);
        }
    }

    fn entry(&mut self, stream: Stream, tag: &str, now: &str) {
        let line = &mut self.unfinished[stream as usize];
        for part in [now, " ", STREAMS[stream as usize], " ", tag, " "] {
            self.entries.extend_from_slice(part.as_bytes());
        }
        self.entries.append(line);
        self.entries.push(b'\n');
    }

    fn flush(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        if let Some(file) = &mut self.file {
            match file.write_all(&self.entries) {
                Ok(()) => self.size += self.entries.len() as u64,
                Err(_) => self.size = file.metadata().map_or(self.size, |metadata| metadata.len()),
            }
        }
        self.entries.clear();
        if self.size >= self.rotation.max_bytes.max(1) {
            let _ = self.rotate(); // the log goes on in the same file, and the next write tries again
        }
    }

    /// Starts a new file, and removes the oldest ones beyond the number kept.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.size > 0 {
            let stamp = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S%.9f").to_string();
            let mut rotated = self.path.clone().into_os_string();
            rotated.push(format!(".{}", stamp.replace('.', "-")));
            fs::rename(&self.path, rotated)?;
        }
        let file = open(&self.path)?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        self.remove_oldest()
    }

    fn remove_oldest(&self) -> io::Result<()> {
        let (Some(directory), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(()) };
        let prefix = format!("{}.", name.to_string_lossy());
        let mut old: Vec<PathBuf> = fs::read_dir(directory)?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path())
            .collect();
        old.sort();
        let keep = self.rotation.max_files.max(1) as usize - 1;
        let excess = old.len().saturating_sub(keep);
        old.into_iter().take(excess).try_for_each(fs::remove_file)
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Never through a link that somebody put in the way.
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    File::options().create(true).append(true).mode(0o640).custom_flags(flags).open(path)
}

fn time(now: Timestamp) -> String {
    format!("{now:.9}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn lines_are_whole_and_long_ones_are_parted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pods/0.log");
        let mut log = Log::open(&path, LogRotation::default()).unwrap();
        log.write(Stream::Stdout, b"one\ntw");
        log.write(Stream::Stderr, b"\n");
        log.write(Stream::Stdout, b"o\nthree");
        log.write(Stream::Stderr, &vec![b'x'; LONGEST_PART + 1]);
        log.finish(Stream::Stdout);
        log.finish(Stream::Stderr);
        let long = format!("stderr P {}", "x".repeat(LONGEST_PART));
        assert_eq!(
            entries(&path),
            ["stdout F one", "stderr F ", "stdout F two", &long, "stdout P three", "stderr P x"]
        );
        let first = fs::read_to_string(&path).unwrap();
        let stamp = first.split(' ').next().unwrap();
        assert!(stamp.len() == "2024-01-02T03:04:05.123456789Z".len() && stamp.ends_with('Z'), "{stamp}");
    }

    #[test]
    fn no_line_is_lost_in_rotation_and_old_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("0.log");
        let mut log = Log::open(&path, LogRotation { max_bytes: 200, max_files: 1000 }).unwrap();
        for number in 0..50 {
            log.write(Stream::Stdout, format!("line {number}\n").as_bytes());
        }
        let mut files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort_by_key(|file| (file == &path, file.clone()));
        let all: Vec<_> = files.iter().flat_map(|file| entries(file)).collect();
        let want: Vec<_> = (0..50).map(|number| format!("stdout F line {number}")).collect();
        assert_eq!(all, want);
        log.rotation.max_files = 3;
        log.rotate().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
