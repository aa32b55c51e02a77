//! Whether ports of this machine are free.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::ops::RangeInclusive;

/// A transport protocol whose ports can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Whether nothing listens on a port of `address`. What only just closed counts as free.
pub fn is_free(transport: Transport, address: IpAddr, port: u16) -> io::Result<bool> {
    let address = SocketAddr::new(address, port);
    let bound = match transport {
        Transport::Tcp => TcpListener::bind(address).map(drop),
        Transport::Udp => UdpSocket::bind(address).map(drop),
    };
    match bound {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(false),
        Err(error) => Err(error),
    }
}

/// The first free TCP port of a range.
pub fn first_free(address: IpAddr, range: RangeInclusive<u16>) -> io::Result<Option<u16>> {
    for port in range {
        if is_free(Transport::Tcp, address, port)? {
            return Ok(Some(port));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_seen() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let listener = TcpListener::bind((loopback, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(Transport::Tcp, loopback, port).unwrap());
        assert_eq!(first_free(loopback, port..=port).unwrap(), None);
        drop(listener);
        assert!(is_free(Transport::Tcp, loopback, port).unwrap());
        let socket = UdpSocket::bind((loopback, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert!(!is_free(Transport::Udp, loopback, port).unwrap());
    }
}
