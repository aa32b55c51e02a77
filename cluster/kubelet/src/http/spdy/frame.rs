//! SPDY/3.1 frames and their two codecs.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::dictionary;

const VERSION: u16 = 3;
const FLAG_FIN: u8 = 0x01;
/// Control frames of port forwarding are tiny; more than this is an attack or a bug.
const MAX_CONTROL: usize = 64 * 1024;
const MAX_DATA: usize = 16 * 1024 * 1024;

/// Header names (lower case) and values.
pub(crate) type Headers = Vec<(String, String)>;

/// One frame, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    /// A new stream, opened by the peer.
    SynStream { stream: u32, fin: bool, headers: Headers },
    /// The stream was accepted.
    SynReply { stream: u32, fin: bool, headers: Headers },
    /// The stream ended at once, in both directions.
    Reset { stream: u32, status: u32 },
    /// To be sent back.
    Ping { id: u32 },
    /// No more streams.
    GoAway { last_stream: u32, status: u32 },
    /// Bytes of a stream, `fin` if the last.
    Data { stream: u32, fin: bool, bytes: Bytes },
    /// SETTINGS, HEADERS, WINDOW_UPDATE: nothing for us to do.
    Ignored,
}

/// Why a byte stream is not SPDY/3.1.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FrameError {
    #[error("SPDY version {0} is not 3")]
    Version(u16),
    #[error("SPDY frame of {0} bytes is too large")]
    TooLarge(usize),
    #[error("SPDY frame of type {0} is too short")]
    Short(u16),
    #[error("SPDY header block cannot be decompressed")]
    Headers,
}

/// Bytes in, frames out.
pub(super) struct Decoder {
    buffer: BytesMut,
    inflate: Decompress,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::new(), inflate: Decompress::new(true) }
    }

    /// Adds bytes from the wire, cut anywhere.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, `None` until more bytes arrive.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<8>() else { return Ok(None) };
        let control = head[0] & 0x80 != 0;
        let length = usize::from(head[5]) << 16 | usize::from(head[6]) << 8 | usize::from(head[7]);
        if length > if control { MAX_CONTROL } else { MAX_DATA } {
            return Err(FrameError::TooLarge(length));
        }
        if self.buffer.len() < 8 + length {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(8 + length).freeze();
        let first = frame.get_u32();
        let flags = frame.get_u8();
        frame.advance(3);
        let fin = flags & FLAG_FIN != 0;
        if !control {
            return Ok(Some(Frame::Data { stream: first & 0x7fff_ffff, fin, bytes: frame }));
        }
        let version = u16::try_from((first >> 16) & 0x7fff).expect("fifteen bits");
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let kind = u16::try_from(first & 0xffff).expect("sixteen bits");
        self.control(kind, fin, frame).map(Some)
    }

    fn control(&mut self, kind: u16, fin: bool, mut body: Bytes) -> Result<Frame, FrameError> {
        let need = match kind {
            1 => 10,
            3 | 7 => 8,
            2 | 6 | 8 => 4,
            _ => 0,
        };
        if body.len() < need {
            return Err(FrameError::Short(kind));
        }
        Ok(match kind {
            1 => {
                let stream = body.get_u32() & 0x7fff_ffff;
                body.advance(6); // associated stream, priority, slot
                Frame::SynStream { stream, fin, headers: self.headers(&body)? }
            }
            2 => {
                let stream = body.get_u32() & 0x7fff_ffff;
                Frame::SynReply { stream, fin, headers: self.headers(&body)? }
            }
            3 => Frame::Reset { stream: body.get_u32() & 0x7fff_ffff, status: body.get_u32() },
            6 => Frame::Ping { id: body.get_u32() },
            7 => Frame::GoAway { last_stream: body.get_u32() & 0x7fff_ffff, status: body.get_u32() },
            8 => {
                body.advance(4);
                // The block must pass through the decompressor, whose state all header blocks share.
                self.headers(&body)?;
                Frame::Ignored
            }
            _ => Frame::Ignored,
        })
    }

    fn headers(&mut self, block: &[u8]) -> Result<Headers, FrameError> {
        let mut plain = self.decompress(block)?;
        parse_headers(&mut plain).ok_or(FrameError::Headers)
    }

    fn decompress(&mut self, block: &[u8]) -> Result<Bytes, FrameError> {
        let mut out: Vec<u8> = Vec::with_capacity(1024);
        let start = self.inflate.total_in();
        loop {
            let done = usize::try_from(self.inflate.total_in() - start).map_err(|_| FrameError::Headers)?;
            if done == block.len() && out.len() < out.capacity() {
                return Ok(out.into());
            }
            if out.len() >= MAX_CONTROL * 4 {
                return Err(FrameError::TooLarge(out.len()));
            }
            out.reserve(1024);
            match self.inflate.decompress_vec(&block[done..], &mut out, FlushDecompress::Sync) {
                Ok(Status::Ok) => {}
                Ok(Status::BufError | Status::StreamEnd) => {
                    let now = usize::try_from(self.inflate.total_in() - start).map_err(|_| FrameError::Headers)?;
                    return if now == block.len() { Ok(out.into()) } else { Err(FrameError::Headers) };
                }
                Err(error) if error.needs_dictionary().is_some() => {
                    self.inflate.set_dictionary(&dictionary::bytes()).map_err(|_| FrameError::Headers)?;
                }
                Err(_) => return Err(FrameError::Headers),
            }
        }
    }
}

fn parse_headers(plain: &mut Bytes) -> Option<Headers> {
    let count = plain.try_get_u32().ok()?;
    let mut text = || {
        let length = usize::try_from(plain.try_get_u32().ok()?).ok()?;
        (plain.len() >= length).then(|| String::from_utf8_lossy(&plain.split_to(length)).into_owned())
    };
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text()?.to_ascii_lowercase(), text()?));
    }
    Some(headers)
}

/// Frames in, bytes out.
pub(super) struct Encoder {
    deflate: Compress,
}

impl Encoder {
    pub(super) fn new() -> Self {
        let mut deflate = Compress::new(Compression::default(), true);
        deflate.set_dictionary(&dictionary::bytes()).expect("a fresh compressor takes a dictionary");
        Self { deflate }
    }

    pub(super) fn encode(&mut self, frame: &Frame) -> Bytes {
        let mut out = BytesMut::new();
        match frame {
            Frame::SynStream { stream, fin, headers } => {
                let block = self.compress(headers);
                control(&mut out, 1, *fin, 10 + block.len());
                out.put_u32(*stream);
                out.put_bytes(0, 6);
                out.put_slice(&block);
            }
            Frame::SynReply { stream, fin, headers } => {
                let block = self.compress(headers);
                control(&mut out, 2, *fin, 4 + block.len());
                out.put_u32(*stream);
                out.put_slice(&block);
            }
            Frame::Reset { stream, status } => {
                control(&mut out, 3, false, 8);
                out.put_u32(*stream);
                out.put_u32(*status);
            }
            Frame::Ping { id } => {
                control(&mut out, 6, false, 4);
                out.put_u32(*id);
            }
            Frame::GoAway { last_stream, status } => {
                control(&mut out, 7, false, 8);
                out.put_u32(*last_stream);
                out.put_u32(*status);
            }
            Frame::Data { stream, fin, bytes } => {
                out.reserve(8 + bytes.len());
                out.put_u32(*stream);
                length(&mut out, *fin, bytes.len());
                out.put_slice(bytes);
            }
            Frame::Ignored => {}
        }
        out.freeze()
    }

    fn compress(&mut self, headers: &Headers) -> Vec<u8> {
        let mut plain = BytesMut::new();
        let put_length = |plain: &mut BytesMut, value: usize| plain.put_u32(u32::try_from(value).unwrap_or(u32::MAX));
        put_length(&mut plain, headers.len());
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            put_length(&mut plain, text.len());
            plain.put_slice(text.as_bytes());
        }
        let mut out = Vec::with_capacity(plain.len() + 64);
        let start = self.deflate.total_in();
        loop {
            let done = usize::try_from(self.deflate.total_in() - start).expect("headers fit in memory");
            self.deflate
                .compress_vec(&plain[done..], &mut out, FlushCompress::Sync)
                .expect("a compressor with room makes progress");
            if out.len() < out.capacity() {
                return out;
            }
            out.reserve(256);
        }
    }
}

fn control(out: &mut BytesMut, kind: u16, fin: bool, size: usize) {
    out.put_u16(0x8000 | VERSION);
    out.put_u16(kind);
    length(out, fin, size);
}

fn length(out: &mut BytesMut, fin: bool, size: usize) {
    let size = u32::try_from(size).unwrap_or(u32::MAX) & 0x00ff_ffff;
    out.put_u32(u32::from(u8::from(fin) * FLAG_FIN) << 24 | size);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn frames() -> Vec<Frame> {
        vec![
            Frame::SynStream {
                stream: 1,
                fin: false,
                headers: headers(&[("streamtype", "error"), ("port", "80"), ("requestid", "0")]),
            },
            Frame::SynStream {
                stream: 3,
                fin: true,
                headers: headers(&[("streamtype", "data"), ("port", "80"), ("requestid", "0")]),
            },
            Frame::SynReply { stream: 1, fin: false, headers: vec![] },
            Frame::Data { stream: 3, fin: false, bytes: Bytes::from_static(b"GET / HTTP/1.0\r\n\r\n") },
            Frame::Data { stream: 3, fin: true, bytes: Bytes::new() },
            Frame::Ping { id: 7 },
            Frame::Reset { stream: 3, status: 5 },
            Frame::GoAway { last_stream: 3, status: 0 },
        ]
    }

    #[test]
    fn frames_survive_the_wire_cut_anywhere() {
        for step in [1, 2, 7, 1000] {
            let mut encoder = Encoder::new();
            let mut decoder = Decoder::new();
            let wire: Vec<u8> = frames().iter().flat_map(|frame| encoder.encode(frame)).collect();
            let mut seen = Vec::new();
            for piece in wire.chunks(step) {
                decoder.push(piece);
                while let Some(frame) = decoder.next().unwrap() {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames(), "pieces of {step}");
        }
    }

    #[test]
    fn many_header_blocks_share_one_compressor() {
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for stream in 0..500_u32 {
            let frame = Frame::SynStream {
                stream: stream * 2 + 1,
                fin: false,
                headers: headers(&[("requestid", &stream.to_string())]),
            };
            decoder.push(&encoder.encode(&frame));
            assert_eq!(decoder.next().unwrap(), Some(frame));
        }
    }

    #[test]
    fn bad_bytes_are_refused() {
        let cases: [(&str, &[u8], FrameError); 3] = [
            ("version", &[0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1], FrameError::Version(2)),
            ("short", &[0x80, 3, 0, 6, 0, 0, 0, 1, 0], FrameError::Short(6)),
            ("not zlib", &[0x80, 3, 0, 2, 0, 0, 0, 8, 0, 0, 0, 1, 9, 9, 9, 9], FrameError::Headers),
        ];
        for (name, bytes, want) in cases {
            let mut decoder = Decoder::new();
            decoder.push(bytes);
            assert_eq!(decoder.next(), Err(want), "{name}");
        }
    }
}
