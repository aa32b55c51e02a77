//! The server's end of a connection to a shim.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::record::SOCKET;
use crate::shim::protocol::{Inbox, Operation, Reply, Request, VERSION, line, send};

/// A connection with its one request sent.
#[derive(Debug)]
pub(super) struct Conversation {
    stream: UnixStream,
    inbox: Inbox,
}

impl Conversation {
    /// Connects to the shim of the sandbox in `directory` and asks, with `files` beside the request.
    pub(super) async fn open(directory: &Path, operation: Operation, files: &[BorrowedFd<'_>]) -> io::Result<Self> {
        // Paths of sockets are short; this one is, however long the directory's is.
        let directory = File::open(directory)?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
        let stream = UnixStream::connect(path).await?;
        let bytes = line(&Request { version: VERSION, operation })?;
        let mut sent = 0;
        while sent < bytes.len() {
            let files = if sent == 0 { files } else { &[] };
            sent += stream.async_io(Interest::WRITABLE, || send(&stream, &bytes[sent..], files)).await?;
        }
        Ok(Self { stream, inbox: Inbox::default() })
    }

    /// The next reply; an error at the end.
    pub(super) async fn next(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.inbox.next()? {
                return Ok(reply);
            }
            let (stream, inbox) = (&self.stream, &mut self.inbox);
            if !stream.async_io(Interest::READABLE, || inbox.receive(stream.as_fd())).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// A file that came beside the replies so far.
    pub(super) fn file(&mut self) -> Option<OwnedFd> {
        self.inbox.file()
    }
}
