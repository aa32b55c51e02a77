//! The shim's loop: one thread, waiting for requests, output, reports and ends.

mod commands;
mod connections;
mod containers;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

use super::launch::Launch;
use super::output::{Output, Pumped, Sink, Tap};
use crate::cgroup::Cgroups;
use crate::id::ContainerId;
use crate::record::{SandboxDir, SandboxRecord, StatusRecord};
use connections::Connection;

/// A container that is starting or running.
struct Container {
    /// Its first process; `None` while it starts.
    pid: Option<Pid>,
    status: StatusRecord,
    cgroup: String,
    tap: Rc<RefCell<Tap>>,
    /// The terminal's other end.
    terminal: Option<Rc<OwnedFd>>,
    /// The other end of its standard input.
    stdin: Option<OwnedFd>,
    tty: bool,
    stdin_once: bool,
}

/// What a fork at work is for.
enum Purpose {
    Start(ContainerId),
    Exec,
}

/// A fork at work for a connection.
struct Pending {
    purpose: Purpose,
    connection: u64,
    launch: Launch,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
struct End {
    exit_code: i32,
    signal: Option<i32>,
}

impl From<WaitStatus> for End {
    fn from(status: WaitStatus) -> Self {
        match status.terminating_signal() {
            Some(signal) => Self { exit_code: 128 + signal, signal: Some(signal) },
            None => Self { exit_code: status.exit_status().unwrap_or(crate::record::KILLED_CODE), signal: None },
        }
    }
}

/// The shim of one sandbox.
pub(super) struct Shim {
    dir: SandboxDir,
    record: SandboxRecord,
    cgroups: Cgroups,
    listener: UnixListener,
    signals: OwnedFd,
    pause: Option<Pid>,
    containers: BTreeMap<ContainerId, Container>,
    outputs: Vec<Output>,
    /// Attached readers of streams that have ended, who have not read all yet.
    lingering: Vec<Sink>,
    pending: Vec<Pending>,
    /// Commands by their process, with the connection that waits for each.
    commands: HashMap<i32, u64>,
    /// Ends of processes that nobody has named yet: a container may end before its start is reported.
    unclaimed: HashMap<i32, End>,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// The connections that asked for the end of everything.
    quitting: Option<Vec<u64>>,
}

/// What there is to wait for.
#[derive(Clone, Copy)]
enum Source {
    Listener,
    Signals,
    Connection(u64),
    Pending(usize),
    Output(usize),
    /// A reader who was waited for.
    Sink,
}

impl Shim {
    pub(super) fn new(
        dir: SandboxDir,
        record: SandboxRecord,
        cgroups: Cgroups,
        listener: UnixListener,
        signals: OwnedFd,
        pause: Pid,
    ) -> Self {
        Self {
            dir,
            record,
            cgroups,
            listener,
            signals,
            pause: Some(pause),
            containers: BTreeMap::new(),
            outputs: Vec::new(),
            lingering: Vec::new(),
            pending: Vec::new(),
            commands: HashMap::new(),
            unclaimed: HashMap::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            quitting: None,
        }
    }

    /// Serves until everything was asked to end and has ended.
    pub(super) fn serve(mut self) {
        while !self.has_quit() {
            match self.wait() {
                Ok(ready) => self.handle(&ready),
                Err(error) => note(&format!("wait: {error}")),
            }
        }
        for connection in self.quitting.take().unwrap_or_default() {
            self.reply(connection, &super::protocol::Reply::Done, None);
        }
        let _ = std::fs::remove_file(crate::record::SOCKET); // the server sees the end of the connections
        for (_, connection) in std::mem::take(&mut self.connections) {
            connection.flush_blocking();
        }
    }

    fn has_quit(&self) -> bool {
        self.quitting.is_some() && self.pause.is_none() && self.containers.is_empty() && self.pending.is_empty()
    }

    fn wait(&self) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Listener, Source::Signals];
        let mut files = vec![PollFd::new(&self.listener, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        for (id, connection) in &self.connections {
            sources.push(Source::Connection(*id));
            files.push(PollFd::from_borrowed_fd(connection.as_fd(), connection.interest()));
        }
        for (at, pending) in self.pending.iter().enumerate() {
            sources.push(Source::Pending(at));
            files.push(PollFd::new(pending.launch.channel(), PollFlags::IN));
        }
        for (at, output) in self.outputs.iter().enumerate().filter(|(_, output)| !is_blocked(output)) {
            sources.push(Source::Output(at));
            files.push(PollFd::new(&*output.file, PollFlags::IN));
        }
        let taps: Vec<_> = self.containers.values().map(|container| container.tap.borrow()).collect();
        let blocked: Vec<&Sink> =
            taps.iter().flat_map(|tap| &tap.sinks).chain(&self.lingering).filter(|sink| sink.is_blocked()).collect();
        for sink in &blocked {
            sources.push(Source::Sink);
            files.push(PollFd::new(&sink.file, PollFlags::OUT));
        }
        let deadline = blocked.iter().filter_map(|sink| sink.deadline()).min();
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut files, timeout.as_ref()) {
            Ok(0) => return Ok(vec![Source::Sink]), // somebody's time is over
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = files.iter().zip(&sources).filter(|(file, _)| !file.revents().is_empty());
        Ok(ready.map(|(_, source)| *source).collect())
    }

    fn handle(&mut self, ready: &[Source]) {
        // Those by place in a list go from the back, so that removing one does not move the others.
        for source in ready.iter().rev() {
            match *source {
                Source::Output(at) => {
                    if self.outputs[at].pump() == Pumped::End {
                        self.outputs.swap_remove(at);
                    }
                }
                Source::Pending(at) => self.poll_pending(at),
                Source::Connection(id) => self.serve_connection(id),
                Source::Signals => self.reap(),
                Source::Listener => self.accept(),
                Source::Sink => self.flush_sinks(),
            }
        }
    }

    fn flush_sinks(&mut self) {
        for container in self.containers.values() {
            container.tap.borrow_mut().flush();
        }
        self.lingering.retain_mut(|sink| sink.flush().is_ok() && sink.is_blocked());
    }

    fn poll_pending(&mut self, at: usize) {
        let Some(outcome) = self.pending[at].launch.poll() else { return };
        let done = self.pending.swap_remove(at);
        match done.purpose {
            Purpose::Start(id) => self.started(&id, done.connection, outcome),
            Purpose::Exec => self.entered(done.connection, outcome),
        }
        if self.pending.is_empty() {
            self.unclaimed.clear();
        }
    }

    /// Takes in the ends of all processes that have ended.
    fn reap(&mut self) {
        let mut buffer = [0; 1024];
        while rustix::io::read(&self.signals, &mut buffer[..]).is_ok_and(|count| count > 0) {}
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let end = End::from(status);
            let number = pid.as_raw_nonzero().get();
            if self.pause == Some(pid) {
                self.pause = None;
                self.lost_pause();
            } else if let Some(id) = self.container_of(pid) {
                self.ended(&id, end);
            } else if let Some(connection) = self.commands.remove(&number) {
                self.command_ended(connection, end);
            } else if !self.pending.is_empty() {
                self.unclaimed.insert(number, end);
            }
        }
    }

    fn container_of(&self, pid: Pid) -> Option<ContainerId> {
        self.containers.iter().find(|(_, container)| container.pid == Some(pid)).map(|(id, _)| id.clone())
    }

    /// Without the process that holds its namespaces a pod cannot go on.
    fn lost_pause(&mut self) {
        if self.quitting.is_none() {
            note("the pod's first process has ended; killing the pod");
            self.quit(None);
        }
    }

    /// Kills everything; the loop ends when all have ended.
    fn quit(&mut self, connection: Option<u64>) {
        let quitting = self.quitting.get_or_insert_default();
        quitting.extend(connection);
        for container in self.containers.values() {
            if let Some(pid) = container.pid {
                let _ = kill_process(pid, Signal::KILL); // it may be a zombie already
            }
            self.cgroups.kill_once(&container.cgroup);
        }
        for pending in &self.pending {
            pending.launch.kill();
        }
        if let Some(pause) = self.pause {
            let _ = kill_process(pause, Signal::KILL);
        }
    }
}

fn is_blocked(output: &Output) -> bool {
    output.tap.borrow().is_blocked(output.stream)
}

/// Notes what went wrong without anybody to tell: standard error is the sandbox's own file.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{} {text}", jiff::Timestamp::now());
}
