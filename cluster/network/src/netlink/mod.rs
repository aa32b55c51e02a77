//! Talking to the kernel over netlink, synchronously.
//!
//! Everything here blocks for as long as the kernel works on a request, so callers on an async
//! runtime go through a blocking thread. A [`Socket`] belongs to the network namespace of the
//! thread that opened it, wherever it is used later.

pub(crate) mod route;
pub(crate) mod wire;

use std::io;
use std::time::Duration;

use rtnetlink::sys::{self, SocketAddr};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{RecvFlags, SendFlags};

use wire::Header;

/// Message types every netlink family shares.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// Header flags.
pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const REPLACE: u16 = 0x100;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;

/// Dumps interrupted by a change are repeated this often.
const DUMP_TRIES: usize = 20;
/// The kernel answers while it handles the request; anything longer means a lost answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What a fresh socket may send in one piece.
const DEFAULT_SEND_BUFFER: usize = 128 * 1024;

/// A netlink socket of one family.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
    send_limit: usize,
}

impl Socket {
    /// Opens a socket of `family` (a `NETLINK_*` number) in the calling thread's namespace.
    pub(crate) fn open(family: isize) -> io::Result<Self> {
        let mut socket = sys::Socket::new(family)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(ANSWER_TIMEOUT))?;
        sockopt::set_socket_send_buffer_size(&socket, DEFAULT_SEND_BUFFER)?;
        let buffer = vec![0; 64 * 1024];
        Ok(Self { socket, sequence: 0, buffer, send_limit: DEFAULT_SEND_BUFFER })
    }

    /// A number for the next message, unlike those in flight.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends one datagram, however large: the kernel takes a transaction only as a whole.
    pub(crate) fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        // The kernel counts its own bookkeeping too, and doubles what it is given.
        if datagram.len() + 1024 > self.send_limit {
            let wanted = datagram.len() + 64 * 1024;
            sockopt::set_socket_send_buffer_size_force(&self.socket, wanted)?;
            self.send_limit = wanted;
        }
        rustix::net::send(&self.socket, datagram, SendFlags::empty())?;
        Ok(())
    }

    /// Sends a request and hands every message of its answer to `each`, until the kernel
    /// acknowledges, refuses, or says that the dump is over. A request that is not a dump must
    /// carry [`ACK`]. A dump that a change made inconsistent is asked for again.
    pub(crate) fn request<T: Default>(
        &mut self,
        build: impl Fn(u32) -> Vec<u8>,
        each: impl Fn(&mut T, u16, &[u8]),
    ) -> io::Result<T> {
        for _ in 0..DUMP_TRIES {
            let sequence = self.next_sequence();
            self.send(&build(sequence))?;
            let mut found = T::default();
            if self.answers(sequence, |kind, body| each(&mut found, kind, body))? {
                return Ok(found);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// Reads answers up to the one that ends `last`. False: the dump was inconsistent.
    pub(crate) fn answers(&mut self, last: u32, mut each: impl FnMut(u16, &[u8])) -> io::Result<bool> {
        let mut consistent = true;
        loop {
            let length = self.receive()?;
            let mut rest = &self.buffer[..length];
            while let Some((header, body, next)) = Header::split(rest) {
                rest = next;
                if header.flags & DUMP_INTERRUPTED != 0 {
                    consistent = false;
                }
                match header.kind {
                    NLMSG_ERROR => {
                        let error = wire::error_number(body);
                        if error != 0 {
                            let refusal = wire::refusal(body, header.flags);
                            self.drain();
                            return Err(refusal);
                        }
                        if header.sequence == last {
                            return Ok(consistent);
                        }
                    }
                    NLMSG_DONE if header.sequence == last => {
                        return match wire::error_number(body) {
                            0 => Ok(consistent),
                            _ => Err(wire::refusal(body, 0)),
                        };
                    }
                    kind if header.sequence == last => each(kind, body),
                    _ => {} // left over from a request that failed half-way
                }
            }
        }
    }

    fn receive(&mut self) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                Ok((length, whole)) if length == whole => return Ok(length),
                Ok(_) => return Err(io::Error::other("netlink answer longer than the buffer")),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Throws away answers that a failed transaction still left in the queue.
    fn drain(&mut self) {
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        while rustix::net::recv(&self.socket, &mut self.buffer[..], flags).is_ok() {}
    }
}
