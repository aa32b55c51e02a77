//! Exec and attach over a WebSocket: `v5.channel.k8s.io` and `v4.channel.k8s.io`.
//!
//! The first byte of each message is its channel. Version 5 adds that the client may close a channel by `255, channel`, which is
//! how a command learns the end of its standard input. The last message, on the error channel, is a Status with the exit code.

use bytes::{Bytes, BytesMut};
use kpkg_runtime::{AttachStreams, ExecStreams, Resizer, StreamReader, StreamWriter};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
};

use super::{
    query::Query,
    websocket::{Reader, Writer},
};
use crate::doors::chain;

/// Best first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
const BUFFER: usize = 32 * 1024;

/// Which streams the client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
}

impl Options {
    pub(super) fn parse(query: &Query) -> Result<Self, String> {
        let tty = query.is_set("tty");
        let options = Self {
            stdin: query.is_set("input"),
            stdout: query.is_set("output"),
            // A terminal has no standard error of its own.
            stderr: query.is_set("error") && !tty,
            tty,
        };
        if options.stdin || options.stdout || options.stderr {
            Ok(options)
        } else {
            Err("you must specify at least 1 of stdin, stdout, stderr".to_owned())
        }
    }
}

/// The process's side.
pub(super) struct Streams {
    stdin: Option<StreamWriter>,
    stdout: Option<StreamReader>,
    stderr: Option<StreamReader>,
    resize: Resizer,
    wait: futures::future::BoxFuture<'static, kpkg_runtime::Result<i32>>,
    /// The command; `None` when attached.
    command: Option<Vec<String>>,
}

impl Streams {
    pub(super) fn of_exec(streams: ExecStreams, command: Vec<String>) -> Self {
        let ExecStreams { stdin, stdout, stderr, resize, wait } = streams;
        Self { stdin, stdout, stderr, resize, wait, command: Some(command) }
    }

    pub(super) fn of_attach(streams: AttachStreams) -> Self {
        let AttachStreams { stdin, stdout, stderr, resize, wait } = streams;
        Self { stdin, stdout, stderr, resize, wait, command: None }
    }
}

/// Carries bytes both ways until the process ends or the client leaves.
pub(super) async fn serve(streams: Streams, options: Options, protocol: &str, reader: Reader, mut writer: Writer) {
    let Streams { stdin, stdout, stderr, resize, wait, command } = streams;
    // Clients take the first message as the sign that the command runs.
    let first = if options.stdout {
        STDOUT
    } else if options.stderr {
        STDERR
    } else {
        ERROR
    };
    writer.send(vec![first]).await;
    let (sender, mut messages) = mpsc::channel::<Bytes>(16);
    let outputs = async move {
        let out = pump(STDOUT, stdout.filter(|_| options.stdout), sender.clone());
        let err = pump(STDERR, stderr.filter(|_| options.stderr), sender.clone());
        // The last sender must be gone for the sending half to end.
        drop(sender);
        tokio::join!(out, err);
        wait.await
    };
    let sending = async move {
        while let Some(message) = messages.recv().await {
            if !writer.send(message).await {
                break;
            }
        }
        writer
    };
    let input = feed(reader, stdin.filter(|_| options.stdin), resize, protocol == PROTOCOLS[0]);
    tokio::select! {
        (result, writer) = async { tokio::join!(outputs, sending) } => finish(&verdict(result, command.as_deref()), writer).await,
        () = input => {}
    }
}

/// Tells the client that the command could not be run.
pub(super) async fn fail(message: &str, writer: Writer) {
    finish(&internal_error(message), writer).await;
}

async fn finish(status: &Value, mut writer: Writer) {
    let mut message = vec![ERROR];
    message.extend(status.to_string().into_bytes());
    writer.send(message).await;
    writer.close().await;
}

fn verdict(result: kpkg_runtime::Result<i32>, command: Option<&[String]>) -> Value {
    let success = || json!({"metadata": {}, "status": "Success"});
    match (result, command) {
        (Ok(0), _) | (Ok(_), None) => success(),
        (Ok(code), Some(command)) => json!({
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: error executing command [{}], exit code {code}", command.join(" ")),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        (Err(error), _) => internal_error(&format!("error executing command in container: {}", chain(&error))),
    }
}

fn internal_error(message: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "reason": "InternalError",
        "message": format!("Internal error occurred: {message}"),
        "details": {"causes": [{"message": message}]},
        "code": 500,
    })
}

/// Sends what a process writes.
async fn pump(channel: u8, from: Option<StreamReader>, to: mpsc::Sender<Bytes>) {
    let Some(mut from) = from else { return };
    loop {
        let mut message = BytesMut::with_capacity(BUFFER);
        message.extend_from_slice(&[channel]);
        match from.read_buf(&mut message).await {
            Ok(1..) => {
                if to.send(message.freeze()).await.is_err() {
                    return;
                }
            }
            Ok(0) | Err(_) => return,
        }
    }
}

/// Feeds a process until the client leaves.
async fn feed(mut reader: Reader, mut stdin: Option<StreamWriter>, resize: Resizer, can_close: bool) {
    while let Some(mut message) = reader.next().await {
        if message.is_empty() {
            continue;
        }
        let channel = message.split_to(1)[0];
        match channel {
            STDIN => {
                if let Some(pipe) = &mut stdin
                    && !message.is_empty()
                    && (pipe.write_all(&message).await.is_err() || pipe.flush().await.is_err())
                {
                    stdin = None;
                }
            }
            RESIZE => {
                if let Some((columns, rows)) = size(&message) {
                    // A terminal that is gone needs no size.
                    let _ = resize.resize(columns, rows);
                }
            }
            CLOSE if can_close && message.first() == Some(&STDIN) => {
                if let Some(mut pipe) = stdin.take() {
                    let _ = pipe.shutdown().await;
                }
            }
            _ => {}
        }
    }
}

fn size(message: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(message).ok()?;
    let number = |name: &str| size[name].as_u64().and_then(|number| u16::try_from(number).ok());
    Some((number("Width")?, number("Height")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_what_kubectl_reads() {
        let command = ["sh".to_owned(), "-c".to_owned(), "exit 3".to_owned()];
        assert_eq!(verdict(Ok(0), Some(&command)), json!({"metadata": {}, "status": "Success"}));
        let failed = verdict(Ok(3), Some(&command));
        assert_eq!(failed["reason"], "NonZeroExitCode");
        assert_eq!(failed["details"]["causes"][0], json!({"reason": "ExitCode", "message": "3"}));
        assert_eq!(verdict(Ok(3), None)["status"], "Success");
        assert_eq!(size(br#"{"Width":80,"Height":24}"#), Some((80, 24)));
    }
}
