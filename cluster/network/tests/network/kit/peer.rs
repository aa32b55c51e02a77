//! Small servers and clients that live in a namespace.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::thread::LinkNameSpaceType;

const PATIENCE: Duration = Duration::from_secs(3);

/// Where a peer lives.
#[derive(Clone)]
pub(crate) enum Place {
    Host,
    Namespace(PathBuf),
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::Namespace(path.to_owned())
    }
}

impl From<&kpkg_network::Attachment> for Place {
    fn from(pod: &kpkg_network::Attachment) -> Self {
        Self::Namespace(pod.netns.clone())
    }
}

/// Runs `work` on a thread in `place`.
pub(crate) fn at<T: Send>(place: impl Into<Place>, work: impl FnOnce() -> T + Send) -> T {
    let place = place.into();
    thread::scope(|scope| {
        scope
            .spawn(|| {
                place.enter();
                work()
            })
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Place {
    fn enter(&self) {
        if let Self::Namespace(path) = self {
            let file = File::open(path).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(file.as_fd(), kind).unwrap();
        }
    }
}

/// A TCP and a UDP server on all addresses of `place` that tell each client their own name and
/// the client's address. They live until the test process ends.
pub(crate) fn serve(place: impl Into<Place>, port: u16, name: &str) {
    let (place, name) = (place.into(), name.to_owned());
    let (ready, wait) = mpsc::channel();
    thread::spawn(move || {
        place.enter();
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let udp_name = name.clone();
        thread::spawn(move || serve_udp(&udp, &udp_name));
        ready.send(()).unwrap();
        for stream in tcp.incoming().flatten() {
            serve_tcp(stream, &name);
        }
    });
    wait.recv().unwrap();
}

fn serve_tcp(mut stream: TcpStream, name: &str) {
    if let Ok(client) = stream.peer_addr() {
        let _ = write!(stream, "{name} {}", client.ip());
    }
}

fn serve_udp(socket: &UdpSocket, name: &str) {
    let mut buffer = [0; 64];
    while let Ok((_, client)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(format!("{name} {}", client.ip()).as_bytes(), client);
    }
}

/// Asks a server over TCP: its name and what it takes the client for.
pub(crate) fn ask(place: impl Into<Place>, address: impl Into<SocketAddr>) -> io::Result<String> {
    let address = address.into();
    at(place, || {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

/// The same over UDP.
pub(crate) fn ask_udp(place: impl Into<Place>, address: impl Into<SocketAddr>) -> io::Result<String> {
    let address = address.into();
    at(place, || {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(address)?;
        exchange(&socket)
    })
}

/// One question and one answer on a connected socket.
pub(crate) fn exchange(socket: &UdpSocket) -> io::Result<String> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(b"?")?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// An address of the tests, which are all version 4.
pub(crate) fn v4(ip: std::net::IpAddr, port: u16) -> SocketAddrV4 {
    match ip {
        std::net::IpAddr::V4(ip) => SocketAddrV4::new(ip, port),
        std::net::IpAddr::V6(ip) => panic!("{ip} is not version 4"),
    }
}
