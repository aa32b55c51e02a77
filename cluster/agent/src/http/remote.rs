//! `/exec` and `/attach`: a process's streams over the channels of a WebSocket.
//!
//! Channel 0 is standard input, 1 and 2 are output and errors, 3 ends with a Status, 4 carries sizes of
//! the terminal; in version 5, 255 closes the channel that it names.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Request, Response, StatusCode};
use bytes::{BufMut, Bytes, BytesMut};
use futures::future::BoxFuture;
use kpkg_runtime::{ExecRequest, Resizer, StreamReader, StreamWriter};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::websocket::{self, Reader, Writer};
use super::{Query, refuse, running};
use crate::doors::chain;
use crate::kubelet::Shared;

const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];
const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
const BUFFER: usize = 32 << 10;
/// Output that waits for a slow client; the process waits behind it.
const QUEUE: usize = 16;
/// What the process has written is still sent this long after its end.
const DRAIN: Duration = Duration::from_secs(5);

/// A process's streams, of either origin.
struct Streams {
    stdin: Option<StreamWriter>,
    stdout: Option<StreamReader>,
    stderr: Option<StreamReader>,
    resize: Resizer,
    wait: BoxFuture<'static, Result<i32, String>>,
}

/// Runs a command in a container.
pub(super) async fn exec(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    mut request: Request<Body>,
) -> Response<Body> {
    let query = Query::parse(query.as_deref());
    let live = match running(&shared, &namespace, &pod, &container) {
        Ok(live) => live,
        Err(response) => return response,
    };
    let wanted = ExecRequest { cmd: query.all("command").to_vec(), tty: query.flag("tty"), stdin: query.flag("input") };
    if wanted.cmd.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "you must specify at least 1 of stdin, stdout, stderr and a command".to_owned());
    }
    let upgrade = match websocket::negotiate(&mut request, &PROTOCOLS) {
        Ok(upgrade) => upgrade,
        Err(response) => return response,
    };
    upgrade.accept(move |reader, writer| async move {
        match shared.cri.exec(&live.id, wanted).await {
            Ok(streams) => {
                let wait = streams.wait;
                let wait = Box::pin(async move { wait.await.map_err(|error| chain(&error)) });
                let all = Streams { stdin: streams.stdin, stdout: streams.stdout, stderr: streams.stderr, resize: streams.resize, wait };
                serve(all, reader, writer, true).await;
            }
            Err(error) => fail(writer, &chain(&error)).await,
        }
    })
}

/// Attaches to a container's first process.
pub(super) async fn attach(
    State(shared): State<Arc<Shared>>,
    Path((namespace, pod, container)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    mut request: Request<Body>,
) -> Response<Body> {
    let query = Query::parse(query.as_deref());
    let live = match running(&shared, &namespace, &pod, &container) {
        Ok(live) => live,
        Err(response) => return response,
    };
    let input = query.flag("input");
    let upgrade = match websocket::negotiate(&mut request, &PROTOCOLS) {
        Ok(upgrade) => upgrade,
        Err(response) => return response,
    };
    upgrade.accept(move |reader, writer| async move {
        match shared.cri.attach(&live.id).await {
            Ok(streams) => {
                let wait = streams.wait;
                let wait = Box::pin(async move { wait.await.map_err(|error| chain(&error)) });
                let stdin = streams.stdin.filter(|_| input);
                let all = Streams { stdin, stdout: streams.stdout, stderr: streams.stderr, resize: streams.resize, wait };
                serve(all, reader, writer, false).await;
            }
            Err(error) => fail(writer, &chain(&error)).await,
        }
    })
}

async fn fail(mut writer: Writer, error: &str) {
    writer.send(frame(STATUS, failure("InternalError", error, Value::Null).to_string().as_bytes())).await;
    writer.close().await;
}

/// Passes everything on until the process ends or the client leaves.
async fn serve(streams: Streams, reader: Reader, mut writer: Writer, told_exit: bool) {
    let Streams { stdin, stdout, stderr, resize, mut wait } = streams;
    let (queue, mut outgoing) = mpsc::channel::<Bytes>(QUEUE);
    let mut copies = tokio::task::JoinSet::new();
    for (channel, stream) in [(STDOUT, stdout), (STDERR, stderr)] {
        if let Some(stream) = stream {
            copies.spawn(copy_out(channel, stream, queue.clone()));
        }
    }
    drop(queue);
    let mut input = tokio::spawn(copy_in(reader, stdin, resize));
    let sending = tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            if !writer.send(bytes).await {
                return None;
            }
        }
        Some(writer)
    });
    let ended = tokio::select! {
        ended = &mut wait => ended,
        // The client left: dropping the process's streams ends or detaches it.
        _ = &mut input => return,
    };
    let _ = tokio::time::timeout(DRAIN, async { while copies.join_next().await.is_some() {} }).await;
    copies.abort_all();
    if let Ok(Ok(Some(mut writer))) = tokio::time::timeout(DRAIN, sending).await {
        let status = match ended {
            Ok(code) if code != 0 && told_exit => {
                let causes = json!({"causes": [{"reason": "ExitCode", "message": code.to_string()}]});
                failure("NonZeroExitCode", &format!("command terminated with non-zero exit code: exit status {code}"), causes)
            }
            Ok(_) => json!({"metadata": {}, "status": "Success"}),
            Err(error) => failure("InternalError", &error, Value::Null),
        };
        writer.send(frame(STATUS, status.to_string().as_bytes())).await;
        writer.close().await;
    }
    input.abort();
}

fn failure(reason: &str, message: &str, details: Value) -> Value {
    let mut status = json!({"metadata": {}, "status": "Failure", "reason": reason, "message": message, "code": 500});
    if reason == "NonZeroExitCode" {
        status.as_object_mut().map(|it| it.remove("code"));
    }
    if !details.is_null() {
        status["details"] = details;
    }
    status
}

fn frame(channel: u8, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(bytes.len() + 1);
    frame.put_u8(channel);
    frame.put_slice(bytes);
    frame.freeze()
}

async fn copy_out(channel: u8, mut stream: StreamReader, queue: mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if queue.send(frame(channel, &buffer[..count])).await.is_err() {
            return;
        }
    }
}

async fn copy_in(mut reader: Reader, mut stdin: Option<StreamWriter>, resize: Resizer) {
    while let Some(message) = reader.next().await {
        let Some((channel, bytes)) = message.split_first() else { continue };
        match *channel {
            STDIN => {
                if let Some(input) = &mut stdin {
                    let written = async {
                        input.write_all(bytes).await?;
                        input.flush().await
                    };
                    if written.await.is_err() {
                        stdin = None;
                    }
                }
            }
            RESIZE => {
                let size: Value = serde_json::from_slice(bytes).unwrap_or_default();
                let number = |key: &str| size[key].as_u64().and_then(|it| u16::try_from(it).ok());
                if let (Some(width), Some(height)) = (number("Width"), number("Height")) {
                    let _ = resize.resize(width, height);
                }
            }
            CLOSE if bytes == [STDIN] => {
                if let Some(mut input) = stdin.take() {
                    let _ = input.shutdown().await;
                }
            }
            _ => {}
        }
    }
}
