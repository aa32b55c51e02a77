//! From a container's pipes and terminal to its log and to those attached.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::log::{Log, Stream};
use crate::id::ContainerId;

const CHUNK: usize = 64 << 10;

/// How long somebody attached may take to read anything at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a container's output goes.
#[derive(Debug, Default)]
pub(super) struct Tap {
    pub(super) log: Option<Log>,
    pub(super) sinks: Vec<Sink>,
}

/// Somebody who is attached to a stream. While they do not read, nothing more is taken from the
/// stream; who does not read for long is let go, so that nobody holds a container up for ever.
#[derive(Debug)]
pub(super) struct Sink {
    /// The connection by which they are.
    pub(super) connection: u64,
    pub(super) stream: Stream,
    pub(super) file: OwnedFd,
    /// What they have not taken; at most what was in the stream at its end, or a chunk.
    pending: Vec<u8>,
    /// Since when they have not taken anything.
    since: Option<Instant>,
}

impl Sink {
    /// A sink whose file does not block.
    pub(super) fn new(connection: u64, stream: Stream, file: OwnedFd) -> Self {
        Self { connection, stream, file, pending: Vec::new(), since: None }
    }

    /// Whether it waits for its reader.
    pub(super) fn is_blocked(&self) -> bool {
        !self.pending.is_empty()
    }

    /// When its reader's time is over.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + PATIENCE)
    }

    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        self.flush()
    }

    /// Passes on what can be passed on now; an error if the reader is gone or too slow.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut passed = 0;
        while passed < self.pending.len() {
            match rustix::io::write(&self.file, &self.pending[passed..]) {
                Ok(count) => passed += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.pending.drain(..passed);
        if self.pending.is_empty() {
            self.since = None;
        } else if passed > 0 || self.since.is_none() {
            self.since = Some(Instant::now());
        } else if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// One stream that comes out of a container.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) container: ContainerId,
    pub(super) stream: Stream,
    pub(super) file: Rc<OwnedFd>,
    pub(super) tap: Rc<RefCell<Tap>>,
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pumped {
    Some,
    Nothing,
    End,
}

impl Output {
    /// Moves what is there now, at most a chunk. The file does not block.
    pub(super) fn pump(&self) -> Pumped {
        let mut buffer = vec![0; CHUNK];
        match rustix::io::read(&*self.file, &mut buffer[..]) {
            Ok(0) => self.end(),
            Ok(count) => {
                self.tap.borrow_mut().take(self.stream, &buffer[..count]);
                Pumped::Some
            }
            Err(Errno::AGAIN | Errno::INTR) => Pumped::Nothing,
            // A terminal that nobody holds open any more says so.
            Err(_) => self.end(),
        }
    }

    /// Moves everything that is there now.
    pub(super) fn drain(&self) -> Pumped {
        loop {
            match self.pump() {
                Pumped::Some => {}
                other => return other,
            }
        }
    }

    fn end(&self) -> Pumped {
        let mut tap = self.tap.borrow_mut();
        if let Some(log) = &mut tap.log {
            log.finish(self.stream);
        }
        tap.sinks.retain(|sink| sink.stream != self.stream || sink.is_blocked());
        Pumped::End
    }
}

impl Tap {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write(stream, bytes);
        }
        self.sinks.retain_mut(|sink| sink.stream != stream || sink.push(bytes).is_ok());
    }

    /// Passes on what waits.
    pub(super) fn flush(&mut self) {
        self.sinks.retain_mut(|sink| sink.flush().is_ok());
    }

    /// Whether somebody must read before more of this stream is taken.
    pub(super) fn is_blocked(&self, stream: Stream) -> bool {
        self.sinks.iter().any(|sink| sink.stream == stream && sink.is_blocked())
    }

    /// Takes out the sinks of a stream that has ended, those that still wait.
    pub(super) fn blocked_sinks(&mut self) -> impl Iterator<Item = Sink> {
        self.sinks.drain(..).filter(Sink::is_blocked)
    }
}
