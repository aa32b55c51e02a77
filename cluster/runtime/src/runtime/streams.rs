//! Pipes and terminals as async streams.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An open pipe or terminal.
#[derive(Debug, Clone)]
pub(super) struct FileStream {
    file: Arc<AsyncFd<Arc<OwnedFd>>>,
}

fn read(file: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(file, buffer) {
        // A terminal's way of saying that its other side was closed.
        Err(rustix::io::Errno::IO) => Ok(0),
        outcome => Ok(outcome?),
    }
}

impl FileStream {
    pub(super) fn new(file: Arc<OwnedFd>) -> io::Result<Self> {
        fcntl_setfl(&*file, fcntl_getfl(&*file)? | OFlags::NONBLOCK)?;
        // SAFETY: an `Arc` of an open file names the same open file for as long as it lives.
        #[allow(unsafe_code, reason = "tokio cannot know what the type does")]
        let file = unsafe { AsyncFd::register(file)? };
        Ok(Self { file: Arc::new(file) })
    }
}

impl AsyncRead for FileStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.file.poll_read_ready(cx))?;
            let unfilled = buffer.initialize_unfilled();
            match guard.try_io(|file| read(file.get_ref(), unfilled)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(outcome) => {
                    buffer.advance(outcome?);
                    return Poll::Ready(Ok(()));
                }
                Err(_not_ready) => {}
            }
        }
    }
}

/// The writing side of a pipe or terminal. Shutting it down closes a pipe.
#[derive(Debug)]
pub(super) struct FileSink {
    file: Option<FileStream>,
}

impl FileSink {
    pub(super) fn new(stream: FileStream) -> Self {
        Self { file: Some(stream) }
    }
}

impl AsyncWrite for FileSink {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stream) = &self.file else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        loop {
            let mut guard = ready!(stream.file.poll_write_ready(cx))?;
            match guard.try_io(|file| Ok(rustix::io::write(file.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(outcome) => return Poll::Ready(outcome),
                Err(_not_ready) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.file = None;
        Poll::Ready(Ok(()))
    }
}
