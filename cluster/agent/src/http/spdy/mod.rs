//! The little of SPDY/3.1 that port forwarding needs.
//!
//! kubectl opens a WebSocket and sends SPDY frames through its binary messages. Every forwarded connection is a pair of streams
//! (`error` and `data`) which the client opens; the server only ever answers. Neither side uses SPDY's flow control (Go's
//! implementation has none), so WINDOW_UPDATE is read and forgotten.
//!
//! [`frame`] turns bytes into frames and back, [`dictionary`] is the compression dictionary that the protocol fixes,
//! [`session`] keeps streams apart.

mod dictionary;
mod frame;
mod session;

pub(crate) use session::{Session, Stream, StreamEvent, StreamWriter};
