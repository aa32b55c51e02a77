//! Bytes on their way from the network to where they are kept.
//!
//! They are hashed where they come in and written by a thread of its own, so that the network, the processor and the
//! disk work side by side. A few buffers go round between the two: what the network brings is copied into one and
//! forgotten, so no memory is asked for while a download runs, however fast or slow the disk is.

use std::io::{self, Write};
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::hex;

const BUFFER: usize = 256 << 10;
/// How many buffers may wait for the disk.
const AHEAD: usize = 8;

/// A sink with a digest.
pub(crate) struct Inflow<S> {
    hash: Sha256,
    size: u64,
    filling: Vec<u8>,
    /// To the writer, and the buffers that come back from it.
    full: Option<mpsc::Sender<Vec<u8>>>,
    empty: mpsc::Receiver<Vec<u8>>,
    writer: Option<JoinHandle<io::Result<S>>>,
}

impl<S: Write + Send + 'static> Inflow<S> {
    /// Starts the writer.
    pub(crate) fn new(mut sink: S) -> Self {
        let (full, mut filled) = mpsc::channel::<Vec<u8>>(AHEAD);
        let (emptied, empty) = mpsc::channel(AHEAD + 2);
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(mut buffer) = filled.blocking_recv() {
                sink.write_all(&buffer)?;
                buffer.clear();
                let _ = emptied.try_send(buffer); // nobody fills buffers any more at the end
            }
            sink.flush()?;
            Ok(sink)
        });
        Self { hash: Sha256::new(), size: 0, filling: Vec::new(), full: Some(full), empty, writer: Some(writer) }
    }

    /// How much has come in.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Takes bytes in; a break means that the writer gave up, and [`Self::stop`] says why.
    pub(crate) async fn take(&mut self, mut bytes: &[u8]) -> ControlFlow<()> {
        self.size += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = BUFFER - self.filling.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.filling.extend_from_slice(now);
            bytes = later;
            if self.filling.len() == BUFFER {
                self.pass_on().await?;
            }
        }
        ControlFlow::Continue(())
    }

    async fn pass_on(&mut self) -> ControlFlow<()> {
        let empty = self.empty.try_recv().unwrap_or_default();
        let buffer = std::mem::replace(&mut self.filling, empty);
        self.hash.update(&buffer);
        match &self.full {
            Some(full) if full.send(buffer).await.is_ok() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    /// Ends the writer before everything came, and says why it gave up, if it did. Its sink is gone afterwards.
    pub(crate) async fn stop(&mut self) -> Option<io::Error> {
        self.full = None;
        self.written().await.err()
    }

    /// Waits until everything is written; answers the sink and the digest of what came.
    pub(crate) async fn finish(mut self) -> io::Result<(S, String)> {
        // If the writer is gone, its outcome says why.
        let _ = self.pass_on().await;
        self.full = None;
        let sink = self.written().await?;
        Ok((sink, format!("sha256:{}", hex(&self.hash.finalize()))))
    }

    async fn written(&mut self) -> io::Result<S> {
        let Some(writer) = self.writer.take() else { return Err(io::Error::other("the writer has ended")) };
        match writer.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(io::Error::other("the program is shutting down")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest_of;

    #[tokio::test]
    async fn everything_arrives_in_order() {
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, BUFFER * 40 + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
            let mut inflow = Inflow::new(Vec::new());
            for chunk in bytes.chunks(70_001) {
                assert!(inflow.take(chunk).await.is_continue());
            }
            assert_eq!(inflow.size(), length as u64);
            let (sink, digest) = inflow.finish().await.unwrap();
            assert_eq!((sink == bytes, digest), (true, digest_of(&bytes)), "{length}");
        }
    }

    /// Takes a little and then nothing.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_writer_that_fails_ends_it() {
        let mut inflow = Inflow::new(Full(BUFFER));
        let (mut taken, bytes) = (0, vec![1; 100_000]);
        while inflow.take(&bytes).await.is_continue() {
            taken += 1;
            assert!(taken < 100, "it goes on for ever");
        }
        assert_eq!(inflow.stop().await.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
        let mut inflow = Inflow::new(Full(1));
        assert!(inflow.take(b"more than one").await.is_continue());
        assert_eq!(inflow.finish().await.map(|_| ()).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
