//! `/portForward`: connections into a pod's network namespace.
//!
//! Two protocols: SPDY/3.1 tunnelled through a WebSocket (kubectl), and one WebSocket channel pair per port, fixed when the
//! connection is made (`v4.channel.k8s.io`: the client libraries).

use std::{collections::HashMap, io, path::PathBuf, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use super::{
    spdy::{Session, Stream, StreamEvent, StreamWriter},
    websocket::{Reader, Writer},
};

/// kubectl's subprotocol.
pub(super) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";
/// The client libraries' subprotocol.
pub(super) const CHANNELS: &str = "v4.channel.k8s.io";
const BUFFER: usize = 32 * 1024;

/// Where connections go: a pod.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Pod's name in Kubernetes' log form, `name_namespace`.
    pub(super) pod: String,
    pub(super) uid: String,
    /// Its network namespace; `None` for the host's.
    pub(super) netns: Option<PathBuf>,
}

impl Target {
    async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let netns = self.netns.clone();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A namespace belongs to a thread, so the connection is made on one of its own, which ends with it.
        std::thread::Builder::new().name("port-forward".to_owned()).spawn(move || {
            let _ = sender.send(connect_in(netns, port));
        })?;
        let stream = receiver.await.map_err(|_| io::Error::other("the connecting thread died"))??;
        TcpStream::from_std(stream)
    }

    fn failure(&self, port: u16, error: &io::Error) -> String {
        let Self { pod, uid, .. } = self;
        format!("error forwarding port {port} to pod {pod}, uid {uid}: failed to connect to localhost:{port}: {error}")
    }
}

fn connect_in(netns: Option<PathBuf>, port: u16) -> io::Result<std::net::TcpStream> {
    if let Some(path) = netns {
        let file = std::fs::File::open(path)?;
        rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&file),
            Some(rustix::thread::LinkNameSpaceType::Network),
        )?;
    }
    let v4 = std::net::TcpStream::connect(("127.0.0.1", port));
    let stream = match v4 {
        Ok(stream) => stream,
        Err(error) => std::net::TcpStream::connect(("::1", port)).map_err(|_| error)?,
    };
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

// === SPDY in a WebSocket ===

/// Serves kubectl's tunnel until either side ends.
pub(super) async fn serve_tunnel(target: Target, mut reader: Reader, mut writer: Writer) {
    let (mut session, mut outbox, streams) = Session::new();
    let pairs = tokio::spawn(pair_streams(Arc::new(target), streams));
    let sending = tokio::spawn(async move {
        while let Some(bytes) = outbox.next().await {
            if !writer.send(bytes).await {
                return;
            }
        }
        writer.close().await;
    });
    while let Some(bytes) = reader.next().await {
        match session.receive(&bytes).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::debug!(%error, "port forwarding ended");
                break;
            }
        }
    }
    drop(session);
    let _ = pairs.await;
    sending.abort();
}

/// Puts each request's `error` and `data` streams together and forwards them.
async fn pair_streams(target: Arc<Target>, mut streams: mpsc::Receiver<Stream>) {
    let mut waiting: HashMap<String, Stream> = HashMap::new();
    let mut forwards = tokio::task::JoinSet::new();
    loop {
        let stream = tokio::select! {
            stream = streams.recv() => match stream {
                Some(stream) => stream,
                None => return,
            },
            Some(_) = forwards.join_next() => continue,
        };
        let kind = stream.header("streamtype").unwrap_or_default().to_owned();
        let request = stream.header("requestid").unwrap_or_default().to_owned();
        let port = stream.header("port").and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
        let Some(port) = port.filter(|_| kind == "error" || kind == "data") else {
            stream.outgoing.refuse().await;
            continue;
        };
        stream.outgoing.reply().await;
        match waiting.remove(&request) {
            None => {
                waiting.insert(request, stream);
            }
            Some(other) => {
                let (error, data) = if kind == "data" { (other, stream) } else { (stream, other) };
                forwards.spawn(forward(target.clone(), port, error, data));
            }
        }
    }
}

async fn forward(target: Arc<Target>, port: u16, error: Stream, data: Stream) {
    let Stream { mut incoming, outgoing, .. } = data;
    match target.connect(port).await {
        Err(cause) => {
            error.outgoing.write(target.failure(port, &cause).into()).await;
        }
        Ok(connection) => {
            let (from_pod, to_pod) = connection.into_split();
            // The pod's answer ends the connection; the client's end of sending does not.
            tokio::select! {
                () = copy_to_stream(from_pod, &outgoing) => {}
                () = copy_from_stream(&mut incoming, to_pod) => {}
            }
        }
    }
    outgoing.close().await;
    error.outgoing.close().await;
}

async fn copy_to_stream(mut from_pod: OwnedReadHalf, stream: &StreamWriter) {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    while let Ok(1..) = from_pod.read_buf(&mut buffer).await {
        if !stream.write(buffer.split().freeze()).await {
            return;
        }
        buffer.reserve(BUFFER);
    }
}

/// Feeds the pod; returns only when the client gave up, so that a half-closed connection can still be answered.
async fn copy_from_stream(incoming: &mut mpsc::Receiver<StreamEvent>, mut to_pod: OwnedWriteHalf) {
    loop {
        match incoming.recv().await {
            Some(StreamEvent::Data(bytes)) => {
                if to_pod.write_all(&bytes).await.is_err() {
                    return std::future::pending().await;
                }
            }
            Some(StreamEvent::End) => {
                let _ = to_pod.shutdown().await;
                // Whatever comes now is the peer's reset, or the end of the connection.
                return match incoming.recv().await {
                    Some(StreamEvent::Reset) => (),
                    _ => std::future::pending().await,
                };
            }
            Some(StreamEvent::Reset) | None => return,
        }
    }
}

// === WebSocket channels ===

/// Serves the client libraries' protocol: port number `i` has the channels `2i` (data) and `2i + 1` (errors), and each
/// channel begins with its port, little endian.
pub(super) async fn serve_channels(target: Target, ports: Vec<u16>, mut reader: Reader, mut writer: Writer) {
    let (frames, mut outgoing) = mpsc::channel::<Bytes>(64);
    let mut inputs = Vec::new();
    let mut forwards = tokio::task::JoinSet::new();
    for (index, port) in ports.into_iter().enumerate() {
        let Ok(channel) = u8::try_from(index * 2) else { break };
        for number in [channel, channel + 1] {
            let [low, high] = port.to_le_bytes();
            let _ = writer.send(vec![number, low, high]).await;
        }
        let (input, incoming) = mpsc::channel(64);
        inputs.push(input);
        forwards.spawn(forward_channel(target.clone(), port, channel, incoming, frames.clone()));
    }
    drop(frames);
    loop {
        tokio::select! {
            message = reader.next() => match message {
                Some(mut message) if !message.is_empty() => {
                    let channel = usize::from(message.split_to(1)[0]);
                    if channel % 2 == 0 && let Some(input) = inputs.get(channel / 2) && !message.is_empty() {
                        let _ = input.send(message).await;
                    }
                }
                Some(_) => {}
                None => break,
            },
            bytes = outgoing.recv() => match bytes {
                Some(bytes) => if !writer.send(bytes).await { break },
                None => break,
            },
        }
    }
    writer.close().await;
}

async fn forward_channel(
    target: Target,
    port: u16,
    channel: u8,
    mut incoming: mpsc::Receiver<Bytes>,
    frames: mpsc::Sender<Bytes>,
) {
    let connection = match target.connect(port).await {
        Ok(connection) => connection,
        Err(cause) => {
            let _ = frames.send(framed(channel + 1, target.failure(port, &cause).as_bytes())).await;
            return;
        }
    };
    let (mut from_pod, mut to_pod) = connection.into_split();
    let feed = async {
        while let Some(bytes) = incoming.recv().await {
            if to_pod.write_all(&bytes).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let answer = async {
        let mut buffer = vec![0; BUFFER];
        while let Ok(count @ 1..) = from_pod.read(&mut buffer).await {
            if frames.send(framed(channel, &buffer[..count])).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = feed => {}, () = answer => {} }
}

fn framed(channel: u8, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes.len() + 1);
    out.extend_from_slice(&[channel]);
    out.extend_from_slice(bytes);
    out.freeze()
}
