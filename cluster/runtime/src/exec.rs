//! Commands in running containers, and attaching to what already runs.

use std::fmt;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Result, RuntimeError};

/// What comes out of a process.
pub type StreamReader = Pin<Box<dyn AsyncRead + Send>>;

/// What goes into a process; shutting it down closes the process's standard input.
pub type StreamWriter = Pin<Box<dyn AsyncWrite + Send>>;

/// A command to run in a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub cmd: Vec<String>,
    /// Give it a terminal; standard error then goes to standard output.
    pub tty: bool,
    /// Give it a standard input.
    pub stdin: bool,
}

/// What a finished command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecResult {
    /// Its standard output, up to the bound.
    pub stdout: Vec<u8>,
    /// Its standard error, up to the bound.
    pub stderr: Vec<u8>,
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub exit_code: i32,
}

/// A running command.
pub struct ExecStreams {
    /// Its standard input, if asked for.
    pub stdin: Option<StreamWriter>,
    /// Its standard output, or the terminal's output.
    pub stdout: Option<StreamReader>,
    /// Its standard error; `None` with a terminal.
    pub stderr: Option<StreamReader>,
    /// Changes the terminal's size.
    pub resize: Resizer,
    /// Resolves to its exit code. Dropping it, before it resolved, kills the command.
    pub wait: BoxFuture<'static, Result<i32>>,
}

/// The streams of a container's first process.
pub struct AttachStreams {
    /// Its standard input, if the container has one.
    pub stdin: Option<StreamWriter>,
    /// Its standard output from now on, or the terminal's output.
    pub stdout: Option<StreamReader>,
    /// Its standard error from now on; `None` with a terminal.
    pub stderr: Option<StreamReader>,
    /// Changes the terminal's size.
    pub resize: Resizer,
    /// Resolves when the container has ended. Dropping it detaches.
    pub wait: BoxFuture<'static, Result<i32>>,
}

/// Changes a terminal's size; does nothing where there is no terminal.
#[derive(Clone, Default)]
pub struct Resizer {
    terminal: Option<Arc<OwnedFd>>,
}

impl Resizer {
    pub(crate) fn new(terminal: Arc<OwnedFd>) -> Self {
        Self { terminal: Some(terminal) }
    }

    /// Sets the size in characters.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(terminal, size).map_err(|error| RuntimeError::Resize { source: error.into() })
    }
}

impl fmt::Debug for Resizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resizer").field("terminal", &self.terminal.is_some()).finish()
    }
}

impl fmt::Debug for ExecStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecStreams").field("resize", &self.resize).finish_non_exhaustive()
    }
}

impl fmt::Debug for AttachStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachStreams").field("resize", &self.resize).finish_non_exhaustive()
    }
}
