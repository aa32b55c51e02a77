//! What server and shim say to each other: lines of JSON, with open files beside them.
//!
//! A connection carries one request; its answers follow. `Subscribe` stays open and carries events;
//! `Exec` and `Attach` stay open for as long as they last, and closing one ends it.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::id::ContainerId;

/// The protocol's version; a shim answers requests of its own version only.
pub(crate) const VERSION: u32 = 1;

/// The most files that one message carries.
const MOST_FILES: usize = 4;
const LONGEST_LINE: usize = 4 << 20;

/// A request with its version.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) version: u32,
    pub(crate) operation: Operation,
}

/// What a shim can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    /// Start a created container.
    Start { container: ContainerId },
    /// Send a signal to a container's first process, or to all its processes.
    Signal { container: ContainerId, signal: i32, everyone: bool },
    /// Run a command. Without a terminal the standard streams travel beside it, as many as said.
    Exec { container: ContainerId, cmd: Vec<String>, tty: bool, stdin: bool },
    /// Send a container's output to the files beside it (one for a terminal, else two).
    Attach { container: ContainerId },
    /// Tell what happens to containers.
    Subscribe,
    /// Start a new log file.
    Rotate { container: ContainerId },
    /// Kill everything and end.
    Shutdown,
}

/// What a shim answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// It is done.
    Done,
    /// It could not be done.
    Failed { message: String },
    /// A container or command runs. A command's terminal travels beside it.
    Started { pid: i32 },
    /// Attached. The container's standard input or terminal travels beside it, if it has one.
    Attached { tty: bool },
    /// A command or container ended.
    Ended { exit_code: i32 },
    /// A container started or ended.
    Changed { container: ContainerId, running: bool },
}

/// Makes a line.
pub(crate) fn line<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// Sends bytes, and files with the first of them; answers how many bytes went.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], files: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many files in one message"));
    }
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// What has come over a socket and was not read yet.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

impl Inbox {
    /// Takes in what is there; `false` at the end.
    pub(crate) fn receive(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut buffer = vec![0; 16 << 10];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        self.bytes.extend_from_slice(&buffer[..received.bytes]);
        if self.bytes.len() > LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
        Ok(received.bytes > 0)
    }

    /// The next whole line.
    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// The next file that came beside a line.
    pub(crate) fn file(&mut self) -> Option<OwnedFd> {
        self.files.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_arrives_whole_and_its_files_with_it() {
        let (left, right) = std::os::unix::net::UnixStream::pair().unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let bytes = line(&Reply::Started { pid: 7 }).unwrap();
        send(&left, &bytes[..4], &[reader.as_fd()]).unwrap();
        let mut inbox = Inbox::default();
        assert!(inbox.receive(&right).unwrap());
        assert_eq!(inbox.next::<Reply>().unwrap(), None);
        send(&left, &bytes[4..], &[]).unwrap();
        inbox.receive(&right).unwrap();
        assert_eq!(inbox.next::<Reply>().unwrap(), Some(Reply::Started { pid: 7 }));
        assert!(inbox.file().is_some() && inbox.file().is_none());
        drop(left);
        assert!(!inbox.receive(&right).unwrap());
    }
}
