//! Whether a port of this machine is free.
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Whether nothing listens on a TCP port of `address`.
pub fn is_free(address: IpAddr, port: u16) -> io::Result<bool> {
    match TcpListener::bind(SocketAddr::new(address, port)) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
        Err(error) => Err(error),
    }
}
