//! Connections of the server: requests in, replies and events out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustix::process::{Pid, Signal};

use super::{Shim, note};
use crate::id::ContainerId;
use crate::shim::protocol::{Inbox, Operation, Reply, Request, VERSION, line, send};

/// How many bytes may wait for a server that does not read.
const LONGEST_BACKLOG: usize = 1 << 20;
const MOST_CONNECTIONS: usize = 1024;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// Its request has not come, or was answered.
    Idle,
    /// It hears of everything.
    Subscriber,
    /// It waits for a command, whose process it may know already.
    Command(Option<i32>),
    /// It is attached to a container.
    Attached(ContainerId),
}

/// One connection.
pub(super) struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    /// Bytes that wait to be sent, with the file that goes with the first of them.
    backlog: Vec<u8>,
    file: Option<OwnedFd>,
    pub(super) role: Role,
    /// It ends when the backlog is gone.
    closing: bool,
}

impl Connection {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn interest(&self) -> PollFlags {
        if self.backlog.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    /// Sends what can be sent now.
    fn flush(&mut self) -> io::Result<()> {
        while !self.backlog.is_empty() {
            let files: Vec<BorrowedFd<'_>> = self.file.iter().map(AsFd::as_fd).collect();
            match send(&self.stream, &self.backlog, &files) {
                Ok(count) => {
                    self.backlog.drain(..count);
                    self.file = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends the rest before this process ends.
    pub(super) fn flush_blocking(mut self) {
        let _ = self.stream.set_nonblocking(false).and_then(|()| self.flush()); // who left does not care
    }
}

impl Shim {
    pub(super) fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if self.connections.len() >= MOST_CONNECTIONS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let connection = Connection {
                stream,
                inbox: Inbox::default(),
                backlog: Vec::new(),
                file: None,
                role: Role::Idle,
                closing: false,
            };
            self.connections.insert(self.next_connection, connection);
            self.next_connection += 1;
        }
    }

    /// Reads requests and sends what waits.
    pub(super) fn serve_connection(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let received = match connection.inbox.receive(&connection.stream) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(true),
            other => other,
        };
        if connection.flush().is_err()
            || !matches!(received, Ok(true))
            || (connection.closing && connection.backlog.is_empty())
        {
            return self.disconnect(id);
        }
        loop {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            match connection.inbox.next::<Request>() {
                Ok(None) => return,
                Ok(Some(request)) if request.version == VERSION => self.serve_request(id, request.operation),
                Ok(Some(request)) => self.fail(id, &format!("this shim does not speak version {}", request.version)),
                Err(error) => {
                    note(&format!("bad request: {error}"));
                    return self.disconnect(id);
                }
            }
        }
    }

    fn serve_request(&mut self, id: u64, operation: Operation) {
        match operation {
            Operation::Start { container } => self.start(id, &container),
            Operation::Signal { container, signal, everyone } => self.signal(id, &container, signal, everyone),
            Operation::Exec { container, cmd, tty, stdin } => self.exec(id, &container, &cmd, tty, stdin),
            Operation::Attach { container } => self.attach(id, &container),
            Operation::Rotate { container } => self.rotate(id, &container),
            Operation::Subscribe => {
                self.set_role(id, Role::Subscriber);
                self.reply(id, &Reply::Done, None);
            }
            Operation::Shutdown => self.quit(Some(id)),
        }
    }

    pub(super) fn set_role(&mut self, id: u64, role: Role) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.role = role;
        }
    }

    /// The files that came with a connection's request.
    pub(super) fn files(&mut self, id: u64) -> Vec<OwnedFd> {
        let Some(connection) = self.connections.get_mut(&id) else { return Vec::new() };
        std::iter::from_fn(|| connection.inbox.file()).collect()
    }

    pub(super) fn reply(&mut self, id: u64, reply: &Reply, file: Option<OwnedFd>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.backlog.len() > LONGEST_BACKLOG {
            return self.disconnect(id);
        }
        let line = match line(reply) {
            Ok(line) => line,
            Err(error) => return note(&format!("reply: {error}")),
        };
        if file.is_some() && !connection.backlog.is_empty() {
            // A file must go with the first byte of its own line.
            let _ = connection.flush();
        }
        connection.backlog.extend(line);
        connection.file = file;
        if connection.flush().is_err() {
            self.disconnect(id);
        }
    }

    pub(super) fn fail(&mut self, id: u64, message: &str) {
        self.reply(id, &Reply::Failed { message: message.to_owned() }, None);
    }

    /// Sends a last reply.
    pub(super) fn conclude(&mut self, id: u64, reply: &Reply) {
        self.set_role(id, Role::Idle);
        self.reply(id, reply, None);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.closing = true;
        if connection.backlog.is_empty() {
            self.disconnect(id);
        }
    }

    /// Tells all subscribers.
    pub(super) fn announce(&mut self, container: &ContainerId, running: bool) {
        let is_subscriber = |connection: &Connection| connection.role == Role::Subscriber;
        let ids: Vec<u64> =
            self.connections.iter().filter(|(_, connection)| is_subscriber(connection)).map(|(id, _)| *id).collect();
        for id in ids {
            self.reply(id, &Reply::Changed { container: container.clone(), running }, None);
        }
    }

    /// Ends a connection and what it was for.
    pub(super) fn disconnect(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else { return };
        match connection.role {
            Role::Idle | Role::Subscriber | Role::Command(None) => {}
            Role::Command(Some(pid)) => {
                self.commands.remove(&pid);
                super::commands::kill_all_of(pid);
            }
            Role::Attached(container) => self.detach(id, &container),
        }
    }

    /// Sends a signal to a container.
    fn signal(&mut self, id: u64, container: &ContainerId, number: i32, everyone: bool) {
        let Some(found) = self.containers.get(container) else { return self.reply(id, &Reply::Done, None) };
        let Some(pid) = found.pid else {
            if number == libc::SIGKILL {
                self.abandon_start(container);
                return self.reply(id, &Reply::Done, None);
            }
            return self.fail(id, "the container is still starting");
        };
        match send_signal(pid, number) {
            Ok(()) => {}
            Err(error) => return self.fail(id, &format!("signal {number}: {error}")),
        }
        if everyone || (number == libc::SIGKILL && self.shares_processes()) {
            self.cgroups.kill_once(&found.cgroup);
        }
        self.reply(id, &Reply::Done, None);
    }

    /// Whether a container's processes can outlive its first one.
    pub(super) fn shares_processes(&self) -> bool {
        self.record.config.share_process_namespace || self.record.config.host_pid
    }
}

fn send_signal(pid: Pid, number: i32) -> io::Result<()> {
    match Signal::from_named_raw(number) {
        Some(signal) => match rustix::process::kill_process(pid, signal) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            outcome => Ok(outcome?),
        },
        // Real-time signals have no names.
        None => crate::shim::system::signal(pid, number),
    }
}
