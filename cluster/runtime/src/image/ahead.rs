//! Reads on a thread of its own, ahead of whoever needs the bytes: inflating goes on while files are written.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

const BUFFER: usize = 512 << 10;
/// How many buffers may wait to be read.
const AHEAD: usize = 4;

/// The bytes of a reader that another thread reads. Dropping it ends that thread at its next buffer.
pub(super) struct Ahead {
    full: Receiver<io::Result<Vec<u8>>>,
    empty: Sender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
}

impl Ahead {
    /// Starts reading.
    pub(super) fn new(reader: impl Read + Send + 'static) -> io::Result<Self> {
        let (filled, full) = sync_channel(AHEAD);
        let (empty, emptied) = channel();
        std::thread::Builder::new().name("read-ahead".to_owned()).spawn(move || pump(reader, &filled, &emptied))?;
        Ok(Self { full, empty, current: Vec::new(), at: 0 })
    }
}

fn pump(mut reader: impl Read, filled: &SyncSender<io::Result<Vec<u8>>>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let mut buffer = emptied.try_recv().unwrap_or_default();
        buffer.resize(BUFFER, 0);
        let outcome = fill(&mut reader, &mut buffer);
        let is_last = !matches!(outcome, Ok(BUFFER));
        let sent = filled.send(outcome.map(|length| {
            buffer.truncate(length);
            buffer
        }));
        if is_last || sent.is_err() {
            return;
        }
    }
}

/// Reads until the buffer is full or nothing more comes; an error loses what came before it.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            let Ok(next) = self.full.recv() else { return Ok(0) };
            let _ = self.empty.send(std::mem::replace(&mut self.current, next?)); // no more is read at the end
            self.at = 0;
        }
        let count = buffer.len().min(self.current.len() - self.at);
        buffer[..count].copy_from_slice(&self.current[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_come() {
        for length in [0, 1, BUFFER, BUFFER + 1, BUFFER * 9] {
            let bytes: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut found = Vec::new();
            Ahead::new(io::Cursor::new(bytes.clone())).unwrap().read_to_end(&mut found).unwrap();
            assert!(found == bytes, "{length}");
        }
    }

    #[test]
    fn errors_come_and_whoever_stops_reading_stops_the_thread() {
        struct Breaks(usize);
        impl Read for Breaks {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
                Ok(buffer.len())
            }
        }
        let error = io::copy(&mut Ahead::new(Breaks(3)).unwrap(), &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let (held, seen) = channel();
        struct Endless(#[expect(dead_code, reason = "dropped with the thread")] Sender<()>);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Ok(buffer.len())
            }
        }
        drop(Ahead::new(Endless(held)).unwrap());
        assert!(seen.recv().is_err(), "the thread is gone, and what it read with it");
    }
}
