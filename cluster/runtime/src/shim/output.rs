//! From a container's pipes and terminal to its log and to those attached.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;

use super::log::{Log, Stream};
use crate::id::ContainerId;

const CHUNK: usize = 64 << 10;

/// Where a container's output goes.
#[derive(Debug, Default)]
pub(super) struct Tap {
    pub(super) log: Option<Log>,
    pub(super) sinks: Vec<Sink>,
}

/// Somebody who is attached to a stream.
#[derive(Debug)]
pub(super) struct Sink {
    /// The connection by which they are.
    pub(super) connection: u64,
    pub(super) stream: Stream,
    pub(super) file: OwnedFd,
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
        tap.sinks.retain(|sink| sink.stream != self.stream);
        Pumped::End
    }
}

impl Tap {
    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.write(stream, bytes);
        }
        // Who does not read in time is let go: neither the container nor this process waits or
        // remembers for them.
        self.sinks.retain(|sink| sink.stream != stream || write_all(&sink.file, bytes).is_ok());
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
