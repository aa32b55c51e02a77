//! Facts of the machine: its name, its address, its free ports.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::Error;

/// The machine's name as a node's name may be.
pub(crate) fn node_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let clean: String = clean.trim_matches(['-', '.']).chars().take(63).collect();
    let clean = clean.trim_matches(['-', '.']);
    if clean.is_empty() { "node".to_owned() } else { clean.to_owned() }
}

/// The address that the machine uses towards others; `None` if it has no way out.
pub(crate) fn address() -> Option<IpAddr> {
    // Connecting a datagram socket sends nothing; it only asks the routes. 192.0.2.0/24 is nobody's.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}

/// The first port from `first` on that is free now and not in `taken`.
pub(crate) fn free_port(first: u16, taken: &[u16]) -> u16 {
    (first..u16::MAX)
        .find(|port| !taken.contains(port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .unwrap_or(first)
}

/// Says who is in the way if `port` cannot be listened on.
pub(crate) fn check_port(port: u16) -> Result<(), Error> {
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    TcpListener::bind(address).map(drop).map_err(|source| Error::Listen { address, source })
}
