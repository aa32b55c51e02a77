//! A DNS client and a DNS server as small as they can be.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};

use super::peer::{Place, at};

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 43, 0, 10);

/// A question, changed by `edit` before it is sent.
pub(crate) fn question(name: &str, kind: RecordType, edit: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.queries.push(Query::query(Name::from_ascii(name).unwrap(), kind));
    edit(&mut message);
    message.to_vec().unwrap()
}

pub(crate) fn with_edns(payload: u16) -> impl FnOnce(&mut Message) {
    move |message| {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        message.edns = Some(edns);
    }
}

/// Sends bytes to the cluster's name server over UDP; gives the answer's bytes.
pub(crate) fn udp(place: impl Into<Place>, bytes: &[u8]) -> io::Result<Vec<u8>> {
    at(place, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((SERVER, 53))?;
        socket.set_read_timeout(Some(Duration::from_secs(3)))?;
        socket.send(bytes)?;
        let mut buffer = vec![0; 65_535];
        let length = socket.recv(&mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    })
}

/// The same over TCP.
pub(crate) fn tcp(place: impl Into<Place>, bytes: &[u8]) -> io::Result<Vec<u8>> {
    at(place, || {
        let mut stream = TcpStream::connect((SERVER, 53))?;
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, bytes].concat())?;
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    })
}

pub(crate) fn read(bytes: &[u8]) -> Message {
    Message::from_vec(bytes).unwrap()
}

/// Asks over UDP and gives the answer in words: data of the answers, or the code.
pub(crate) fn lookup(place: impl Into<Place>, name: &str, kind: RecordType) -> String {
    match udp(place, &question(name, kind, |_| {})) {
        Ok(bytes) => words(&read(&bytes)),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn words(message: &Message) -> String {
    if message.answers.is_empty() {
        return format!("{:?}", message.metadata.response_code);
    }
    let mut all: Vec<_> = message.answers.iter().map(|record| record.data.to_string()).collect();
    all.sort();
    all.join(" ")
}

/// A name server on UDP at `address`; `answer` gives the records, or the code.
pub(crate) fn serve(
    place: impl Into<Place>,
    address: SocketAddr,
    answer: impl Fn(&Query) -> Result<Vec<Record>, ResponseCode> + Send + 'static,
) {
    let place = place.into();
    let (ready, wait) = mpsc::channel();
    thread::spawn(move || {
        at(place, move || {
            let socket = UdpSocket::bind(address).unwrap();
            ready.send(()).unwrap();
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let Ok(mut message) = Message::from_vec(&buffer[..length]) else { continue };
                message.metadata.message_type = MessageType::Response;
                match answer(&message.queries[0]) {
                    Ok(records) => message.answers = records,
                    Err(code) => message.metadata.response_code = code,
                }
                let _ = socket.send_to(&message.to_vec().unwrap(), client);
            }
        });
    });
    wait.recv().unwrap();
}
