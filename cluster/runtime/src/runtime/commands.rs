//! Commands in containers, and attaching.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Runtime;
use super::client::Conversation;
use super::state::Sandbox;
use super::streams::{FileSink, FileStream};
use crate::ContainerId;
use crate::error::{Result, RuntimeError};
use crate::exec::{AttachStreams, ExecRequest, ExecResult, ExecStreams, Resizer, StreamReader, StreamWriter};
use crate::shim::protocol::{Operation, Reply};

/// The output of `exec_sync` that is kept (CVE-2022-31030).
const LONGEST_OUTPUT: u64 = 16 << 20;
/// How long output may still come after a command has ended, from what it left running.
const DRAIN: Duration = Duration::from_millis(500);
impl Runtime {
    /// Runs a command and waits for it; a zero timeout means none. Output beyond 16 MiB is dropped.
    pub async fn exec_sync(&self, id: &ContainerId, cmd: &[String], timeout: Duration) -> Result<ExecResult> {
        let request = ExecRequest { cmd: cmd.to_vec(), tty: false, stdin: false };
        let streams = self.exec(id, request).await?;
        let run = collect(streams);
        if timeout.is_zero() {
            return run.await;
        }
        // Dropping what waits for the command kills all of it.
        tokio::time::timeout(timeout, run).await.unwrap_or(Err(RuntimeError::ExecTimeout { timeout }))
    }

    /// Runs a command with open streams.
    pub async fn exec(&self, id: &ContainerId, request: ExecRequest) -> Result<ExecStreams> {
        if request.cmd.is_empty() {
            return Err(RuntimeError::Invalid { field: "command", problem: "it is empty".to_owned() });
        }
        let container = self.running("run a command in", id)?;
        let sandbox = self.state.sandbox(&container.record.sandbox)?;
        let ExecRequest { cmd, tty, stdin } = request;
        let operation = Operation::Exec { container: id.clone(), cmd, tty, stdin };
        if tty {
            exec_in_terminal(&sandbox, operation, stdin).await
        } else {
            exec_with_pipes(&sandbox, operation, stdin).await
        }
    }

    /// Joins the streams of the container's first process.
    pub async fn attach(&self, id: &ContainerId) -> Result<AttachStreams> {
        let container = self.running("attach to", id)?;
        let sandbox = self.state.sandbox(&container.record.sandbox)?;
        let lost = lost(&sandbox);
        let stdout = pipe().map_err(&lost)?;
        let stderr = pipe().map_err(&lost)?;
        let tty = container.record.config.tty;
        let files = [stdout.1.as_fd(), stderr.1.as_fd()];
        let files = if tty { &files[..1] } else { &files[..] };
        let mut conversation = ask(&sandbox, Operation::Attach { container: id.clone() }, files).await?;
        let input = conversation.file().map(Arc::new);
        let resize = match &input {
            Some(terminal) if tty => Resizer::new(Arc::clone(terminal)),
            _ => Resizer::default(),
        };
        let stdin = input.filter(|_| container.record.config.stdin).map(writer).transpose().map_err(&lost)?;
        Ok(AttachStreams {
            stdin,
            stdout: Some(reader(stdout.0).map_err(&lost)?),
            stderr: if tty { None } else { Some(reader(stderr.0).map_err(&lost)?) },
            resize,
            wait: end(sandbox, conversation),
        })
    }
}

async fn exec_with_pipes(sandbox: &Arc<Sandbox>, operation: Operation, with_stdin: bool) -> Result<ExecStreams> {
    let lost = lost(sandbox);
    let stdout = pipe().map_err(&lost)?;
    let stderr = pipe().map_err(&lost)?;
    let stdin = if with_stdin { Some(pipe().map_err(&lost)?) } else { None };
    let mut files: Vec<BorrowedFd<'_>> = stdin.iter().map(|(reader, _)| reader.as_fd()).collect();
    files.extend([stdout.1.as_fd(), stderr.1.as_fd()]);
    let conversation = ask(sandbox, operation, &files).await?;
    Ok(ExecStreams {
        stdin: stdin.map(|(_, stdin)| writer(Arc::new(stdin))).transpose().map_err(&lost)?,
        stdout: Some(reader(stdout.0).map_err(&lost)?),
        stderr: Some(reader(stderr.0).map_err(&lost)?),
        resize: Resizer::default(),
        wait: end(Arc::clone(sandbox), conversation),
    })
}

async fn exec_in_terminal(sandbox: &Arc<Sandbox>, operation: Operation, with_stdin: bool) -> Result<ExecStreams> {
    let lost = lost(sandbox);
    let mut conversation = ask(sandbox, operation, &[]).await?;
    let missing = || io::Error::other("the shim sent no terminal");
    let terminal = Arc::new(conversation.file().ok_or_else(missing).map_err(&lost)?);
    let stream = FileStream::new(Arc::clone(&terminal)).map_err(&lost)?;
    let stdin: Option<StreamWriter> = if with_stdin { Some(Box::pin(FileSink::new(stream.clone()))) } else { None };
    Ok(ExecStreams {
        stdin,
        stdout: Some(Box::pin(stream)),
        stderr: None,
        resize: Resizer::new(terminal),
        wait: end(Arc::clone(sandbox), conversation),
    })
}

/// Asks, and waits for the answer that it runs.
async fn ask(sandbox: &Sandbox, operation: Operation, files: &[BorrowedFd<'_>]) -> Result<Conversation> {
    let lost = lost(sandbox);
    let mut conversation = Conversation::open(sandbox.dir.path(), operation, files).await.map_err(&lost)?;
    match conversation.next().await.map_err(&lost)? {
        Reply::Failed { message } => Err(RuntimeError::Shim { message }),
        _ => Ok(conversation),
    }
}

fn lost(sandbox: &Sandbox) -> impl Fn(io::Error) -> RuntimeError + use<> {
    let id = sandbox.id.to_string();
    move |source| RuntimeError::ShimLost { id: id.clone(), source }
}

fn end(sandbox: Arc<Sandbox>, mut conversation: Conversation) -> BoxFuture<'static, Result<i32>> {
    async move {
        match conversation.next().await.map_err(lost(&sandbox))? {
            Reply::Ended { exit_code } => Ok(exit_code),
            Reply::Failed { message } => Err(RuntimeError::Shim { message }),
            other => Err(RuntimeError::Shim { message: format!("the shim answered {other:?}") }),
        }
    }
    .boxed()
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

fn reader(file: OwnedFd) -> io::Result<StreamReader> {
    Ok(Box::pin(FileStream::new(Arc::new(file))?))
}

fn writer(file: Arc<OwnedFd>) -> io::Result<StreamWriter> {
    Ok(Box::pin(FileSink::new(FileStream::new(file)?)))
}

/// Reads all output, of a bounded size, and waits for the end.
async fn collect(streams: ExecStreams) -> Result<ExecResult> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut exit_code = None;
    {
        let read = async {
            tokio::join!(read_bounded(streams.stdout, &mut stdout), read_bounded(streams.stderr, &mut stderr))
        };
        tokio::pin!(read);
        let mut wait = streams.wait;
        tokio::select! {
            ended = &mut wait => {
                exit_code = Some(ended?);
                let _ = tokio::time::timeout(DRAIN, &mut read).await; // who still writes was not waited for
            }
            _ = &mut read => {}
        }
        if exit_code.is_none() {
            exit_code = Some(wait.await?);
        }
    }
    Ok(ExecResult { stdout, stderr, exit_code: exit_code.unwrap_or_default() })
}

async fn read_bounded(stream: Option<StreamReader>, into: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    let mut head = (&mut stream).take(LONGEST_OUTPUT);
    // An error of a pipe is its end.
    if head.read_to_end(into).await.is_ok() {
        discard(stream).await;
    }
}

async fn discard(mut stream: impl AsyncRead + Unpin) {
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await; // an error of a pipe is its end
}
