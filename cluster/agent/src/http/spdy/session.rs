//! Streams of one SPDY connection, kept apart.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::frame::{Decoder, Encoder, Frame, FrameError, Headers};

/// Frames that wait for one stream's reader; a slow reader then holds up the connection, as in Go's implementation.
const STREAM_QUEUE: usize = 64;
const RST_REFUSED: u32 = 3;

/// What a stream's reader gets; the end of the channel means that the connection is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    /// Bytes from the peer.
    Data(Bytes),
    /// The peer will send no more.
    End,
    /// The peer gave the stream up, in both directions.
    Reset,
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(crate) struct Stream {
    headers: Headers,
    /// What the peer sends.
    pub(crate) incoming: mpsc::Receiver<StreamEvent>,
    /// What we send.
    pub(crate) outgoing: StreamWriter,
}

/// Our half of a stream.
#[derive(Debug)]
pub(crate) struct StreamWriter {
    id: u32,
    frames: mpsc::Sender<Frame>,
}

impl Stream {
    /// A header of the SYN_STREAM that opened it; names are lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

impl StreamWriter {
    /// Accepts the stream.
    pub(crate) async fn reply(&self) {
        self.send(Frame::SynReply { stream: self.id, fin: false, headers: vec![] }).await;
    }

    /// Refuses the stream.
    pub(crate) async fn refuse(&self) {
        self.send(Frame::Reset { stream: self.id, status: RST_REFUSED }).await;
    }

    /// Sends bytes; false when the connection is gone.
    pub(crate) async fn write(&self, bytes: Bytes) -> bool {
        self.send(Frame::Data { stream: self.id, fin: false, bytes }).await
    }

    /// Says that we send no more.
    pub(crate) async fn close(&self) {
        self.send(Frame::Data { stream: self.id, fin: true, bytes: Bytes::new() }).await;
    }

    async fn send(&self, frame: Frame) -> bool {
        self.frames.send(frame).await.is_ok()
    }
}

/// One connection: bytes go in through [`Session::receive`], new streams and bytes to send come out of channels.
pub(crate) struct Session {
    decoder: Decoder,
    streams: HashMap<u32, mpsc::Sender<StreamEvent>>,
    frames: mpsc::Sender<Frame>,
    opened: mpsc::Sender<Stream>,
}

/// The sending half of a session.
pub(crate) struct Outbox {
    frames: mpsc::Receiver<Frame>,
    encoder: Encoder,
}

impl Outbox {
    /// The next bytes to send; `None` when the session and all its streams are gone.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let frame = self.frames.recv().await?;
        Some(self.encoder.encode(&frame))
    }
}

impl Session {
    /// A server's session: its reader, its writer, and the streams that the peer opens.
    pub(crate) fn new() -> (Self, Outbox, mpsc::Receiver<Stream>) {
        let (frames, outgoing) = mpsc::channel(STREAM_QUEUE);
        let (opened, streams) = mpsc::channel(STREAM_QUEUE);
        let session = Self { decoder: Decoder::new(), streams: HashMap::new(), frames, opened };
        (session, Outbox { frames: outgoing, encoder: Encoder::new() }, streams)
    }

    /// Takes bytes from the wire. False when the peer said goodbye.
    pub(crate) async fn receive(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        self.decoder.push(bytes);
        while let Some(frame) = self.decoder.next()? {
            if !self.dispatch(frame).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn dispatch(&mut self, frame: Frame) -> bool {
        match frame {
            Frame::SynStream { stream, fin, headers } => self.open(stream, fin, headers).await,
            Frame::Data { stream, fin, bytes } => {
                if !bytes.is_empty() {
                    self.deliver(stream, StreamEvent::Data(bytes)).await;
                }
                if fin {
                    self.deliver(stream, StreamEvent::End).await;
                    self.streams.remove(&stream);
                }
            }
            Frame::Reset { stream, .. } => {
                self.deliver(stream, StreamEvent::Reset).await;
                self.streams.remove(&stream);
            }
            Frame::Ping { id } => {
                // Even ids would be answers to pings of ours, and we send none.
                if id % 2 == 1 {
                    return self.frames.send(Frame::Ping { id }).await.is_ok();
                }
            }
            Frame::GoAway { .. } => return false,
            Frame::SynReply { .. } | Frame::Ignored => {}
        }
        true
    }

    async fn open(&mut self, id: u32, fin: bool, headers: Headers) {
        let (sender, incoming) = mpsc::channel(STREAM_QUEUE);
        let stream = Stream { headers, incoming, outgoing: StreamWriter { id, frames: self.frames.clone() } };
        if self.opened.send(stream).await.is_err() {
            let _ = self.frames.send(Frame::Reset { stream: id, status: RST_REFUSED }).await;
        } else if fin {
            let _ = sender.send(StreamEvent::End).await;
        } else {
            self.streams.insert(id, sender);
        }
    }

    async fn deliver(&mut self, id: u32, event: StreamEvent) {
        if let Some(sender) = self.streams.get(&id)
            && sender.send(event).await.is_err()
        {
            self.streams.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_opened_answered_fed_and_ended() {
        let (mut session, mut outbox, mut opened) = Session::new();
        let (mut peer_out, mut peer_in) = (Encoder::new(), Decoder::new());
        let mut wire = peer_out
            .encode(&Frame::SynStream { stream: 1, fin: false, headers: vec![("port".to_owned(), "80".to_owned())] })
            .to_vec();
        wire.extend(peer_out.encode(&Frame::Data { stream: 1, fin: true, bytes: Bytes::from_static(b"hi") }));
        wire.extend(peer_out.encode(&Frame::Ping { id: 1 }));
        assert!(session.receive(&wire).await.unwrap());

        let mut stream = opened.recv().await.unwrap();
        assert_eq!(stream.header("port"), Some("80"));
        assert_eq!(stream.incoming.recv().await, Some(StreamEvent::Data(Bytes::from_static(b"hi"))));
        assert_eq!(stream.incoming.recv().await, Some(StreamEvent::End));
        assert_eq!(stream.incoming.recv().await, None);
        stream.outgoing.reply().await;
        stream.outgoing.write(Bytes::from_static(b"ho")).await;
        stream.outgoing.close().await;

        let want = [
            Frame::Ping { id: 1 },
            Frame::SynReply { stream: 1, fin: false, headers: vec![] },
            Frame::Data { stream: 1, fin: false, bytes: Bytes::from_static(b"ho") },
            Frame::Data { stream: 1, fin: true, bytes: Bytes::new() },
        ];
        for frame in want {
            peer_in.push(&outbox.next().await.unwrap());
            assert_eq!(peer_in.next().unwrap(), Some(frame));
        }
        let goodbye = peer_out.encode(&Frame::GoAway { last_stream: 0, status: 0 });
        assert!(!session.receive(&goodbye).await.unwrap());
    }
}
