//! Work that changes this process for good is done in a fork, which reports and ends.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::protocol::{Inbox, line, send};
use super::start::Started;
use super::system;

/// A fork at work.
#[derive(Debug)]
pub(super) struct Launch {
    pid: Pid,
    channel: UnixStream,
    inbox: Inbox,
}

#[derive(Debug, Serialize, Deserialize)]
enum Report {
    Started { pid: i32 },
    Failed { message: String },
}

impl Launch {
    /// Forks, and does `work` there. What `work` holds is dropped here at once.
    pub(super) fn new(work: impl FnOnce() -> io::Result<Started>) -> io::Result<Self> {
        let (channel, theirs) = UnixStream::pair()?;
        if let Some(pid) = system::fork()? {
            drop(work);
            channel.set_nonblocking(true)?;
            return Ok(Self { pid, channel, inbox: Inbox::default() });
        }
        drop(channel);
        let outcome = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(io::Error::other("the program has a defect; see the sandbox's shim.log")));
        let sent = match outcome {
            Ok(started) => line(&Report::Started { pid: started.pid })
                .and_then(|line| send(&theirs, &line, &started.terminal.iter().map(AsFd::as_fd).collect::<Vec<_>>())),
            Err(error) => line(&Report::Failed { message: error.to_string() })
                .and_then(|line| (&theirs).write_all(&line).map(|()| line.len())),
        };
        system::exit_now(i32::from(sent.is_err()))
    }

    /// Where the report comes from.
    pub(super) fn channel(&self) -> &UnixStream {
        &self.channel
    }

    /// Ends the fork; the report is then that it was killed.
    pub(super) fn kill(&self) {
        let _ = kill_process(self.pid, Signal::KILL); // it may have ended
    }

    /// The report, once it is there.
    pub(super) fn poll(&mut self) -> Option<io::Result<Started>> {
        let open = match self.inbox.receive(&self.channel) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) => return Some(Err(error)),
            Ok(open) => open,
        };
        match self.inbox.next::<Report>() {
            Err(error) => Some(Err(error)),
            Ok(Some(Report::Started { pid })) => Some(Ok(Started { pid, terminal: self.inbox.file() })),
            Ok(Some(Report::Failed { message })) => Some(Err(io::Error::other(message))),
            Ok(None) if open => None,
            Ok(None) => Some(Err(io::Error::other("the process that starts it was killed"))),
        }
    }
}
