//! The life of a container: start, end, and those attached in between.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;

use super::connections::Role;
use super::{Container, End, Pending, Purpose, Shim, note};
use crate::container::ContainerState;
use crate::id::ContainerId;
use crate::record::{ContainerRecord, StatusRecord};
use crate::shim::launch::Launch;
use crate::shim::log::{Log, Stream};
use crate::shim::output::{Output, Pumped, Sink, Tap};
use crate::shim::protocol::Reply;
use crate::shim::start::{self, Start, Started, Streams};

impl Shim {
    /// Starts a created container; the answer comes when its command runs.
    pub(super) fn start(&mut self, connection: u64, id: &ContainerId) {
        if let Err(error) = self.try_start(connection, id) {
            self.cannot_run(id, &error.to_string());
            self.fail(connection, &error.to_string());
        }
    }

    fn try_start(&mut self, connection: u64, id: &ContainerId) -> io::Result<()> {
        let dir = self.dir.container(id);
        let missing = || io::Error::new(io::ErrorKind::NotFound, "the container does not exist");
        let record = dir.read()?.ok_or_else(missing)?;
        let status = dir.read_status()?.ok_or_else(missing)?;
        let (Some(pause), None) = (self.pause, &self.quitting) else {
            return Err(io::Error::other("the pod is being stopped"));
        };
        if status.state != ContainerState::Created || self.containers.contains_key(id) {
            return Err(io::Error::other("the container was started before"));
        }
        let (container, theirs) = self.prepare(id, &record, status)?;
        let (sandbox, cgroups) = (&self.record, &self.cgroups);
        let pause = pause.as_raw_nonzero().get();
        let launch =
            Launch::new(|| start::start(&Start { sandbox, record: &record, dir: &dir, cgroups, pause }, theirs))?;
        self.containers.insert(id.clone(), container);
        self.pending.push(Pending { purpose: Purpose::Start(id.clone()), connection, launch });
        Ok(())
    }

    /// Makes log and pipes: our ends, and those for the container.
    fn prepare(
        &mut self,
        id: &ContainerId,
        record: &ContainerRecord,
        status: StatusRecord,
    ) -> io::Result<(Container, Streams)> {
        let config = &record.config;
        let log = config.log_path.as_ref().map(|path| Log::open(path, config.log_rotation)).transpose()?;
        let tap = Rc::new(RefCell::new(Tap { log, sinks: Vec::new() }));
        let mut streams = Streams::default();
        let mut stdin = None;
        if !config.tty {
            streams.stdout = Some(self.listen_to(id, Stream::Stdout, &tap)?);
            streams.stderr = Some(self.listen_to(id, Stream::Stderr, &tap)?);
            if config.stdin {
                let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
                stdin = Some(writer);
                streams.stdin = Some(reader);
            } else {
                streams.stdin = Some(File::open("/dev/null")?.into());
            }
        }
        let container = Container {
            pid: None,
            status,
            cgroup: record.cgroup.clone(),
            tap,
            terminal: None,
            stdin,
            tty: config.tty,
            stdin_once: config.stdin_once,
        };
        Ok((container, streams))
    }

    fn listen_to(&mut self, id: &ContainerId, stream: Stream, tap: &Rc<RefCell<Tap>>) -> io::Result<OwnedFd> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        self.add_output(id, stream, Rc::new(reader), tap)?;
        Ok(writer)
    }

    fn add_output(
        &mut self,
        id: &ContainerId,
        stream: Stream,
        file: Rc<OwnedFd>,
        tap: &Rc<RefCell<Tap>>,
    ) -> io::Result<()> {
        set_nonblocking(&file)?;
        self.outputs.push(Output { container: id.clone(), stream, file, tap: Rc::clone(tap) });
        Ok(())
    }

    /// Hears that a container runs, or why it does not.
    pub(super) fn started(&mut self, id: &ContainerId, connection: u64, outcome: io::Result<Started>) {
        let pid = outcome.as_ref().ok().map(|started| started.pid);
        match outcome.and_then(|started| self.note_start(id, started)) {
            Ok(()) => {
                self.announce(id, true);
                self.reply(connection, &Reply::Started { pid: pid.unwrap_or_default() }, None);
                if let Some(end) = pid.and_then(|pid| self.unclaimed.remove(&pid)) {
                    self.ended(id, end);
                } else if self.quitting.is_some() {
                    self.quit(None);
                }
            }
            Err(error) => {
                self.outputs.retain(|output| output.container != *id);
                if let Some(container) = self.containers.remove(id) {
                    // It may have come as far as a process that waits for its command.
                    if let Err(error) = self.cgroups.kill(&container.cgroup) {
                        note(&format!("container {id}: {error}"));
                    }
                    self.clear_cgroup(&container.cgroup);
                }
                self.cannot_run(id, &error.to_string());
                self.fail(connection, &error.to_string());
            }
        }
    }

    /// Gives up a start that takes too long for whoever asked.
    pub(super) fn abandon_start(&self, id: &ContainerId) {
        for pending in
            self.pending.iter().filter(|pending| matches!(&pending.purpose, Purpose::Start(own) if own == id))
        {
            pending.launch.kill();
        }
        if let Some(container) = self.containers.get(id) {
            self.cgroups.kill_once(&container.cgroup);
        }
    }

    fn note_start(&mut self, id: &ContainerId, started: Started) -> io::Result<()> {
        let gone = || io::Error::other("the container is gone");
        if let Some(terminal) = started.terminal {
            let terminal = Rc::new(terminal);
            let tap = Rc::clone(&self.containers.get(id).ok_or_else(gone)?.tap);
            self.add_output(id, Stream::Stdout, Rc::clone(&terminal), &tap)?;
            self.containers.get_mut(id).ok_or_else(gone)?.terminal = Some(terminal);
        }
        let container = self.containers.get_mut(id).ok_or_else(gone)?;
        container.pid = Pid::from_raw(started.pid);
        container.status = StatusRecord::running(started.pid);
        self.dir.container(id).write_status(&container.status)
    }

    fn cannot_run(&mut self, id: &ContainerId, message: &str) {
        let dir = self.dir.container(id);
        // A second start of the same container must not rewrite what became of the first.
        if matches!(dir.read_status(), Ok(Some(status)) if status.state == ContainerState::Created)
            && !self.containers.contains_key(id)
        {
            self.write_end(id, &StatusRecord::cannot_run(message));
            self.announce(id, false);
        }
    }

    /// Takes in a container's end: the last of its output, then its exit code on disk, then everybody
    /// is told.
    pub(super) fn ended(&mut self, id: &ContainerId, end: End) {
        let Some(container) = self.containers.remove(id) else { return };
        if self.shares_processes()
            && let Err(error) = self.cgroups.kill(&container.cgroup)
        {
            note(&format!("container {id}: {error}"));
        }
        // Without such sharing all its processes have ended, and this is all there ever was.
        let mut at = 0;
        while at < self.outputs.len() {
            if self.outputs[at].container == *id && self.outputs[at].drain() == Pumped::End {
                self.outputs.swap_remove(at);
            } else {
                at += 1;
            }
        }
        if !self.shares_processes() {
            self.finish_outputs(id);
        }
        self.lingering.extend(container.tap.borrow_mut().blocked_sinks());
        let oom_killed = self.cgroups.oom_kills(&container.cgroup) > 0;
        self.write_end(id, &container.status.ended(end.exit_code, end.signal, oom_killed));
        self.clear_cgroup(&container.cgroup);
        self.announce(id, false);
        self.conclude_attached(id, end.exit_code);
    }

    /// Lets go of streams that some process outside the container still holds open.
    fn finish_outputs(&mut self, id: &ContainerId) {
        for output in self.outputs.extract_if(.., |output| output.container == *id) {
            if let Some(log) = &mut output.tap.borrow_mut().log {
                log.finish(output.stream);
            }
        }
    }

    fn write_end(&self, id: &ContainerId, status: &StatusRecord) {
        if let Err(error) = self.dir.container(id).write_status(status) {
            note(&format!("cannot write the end of container {id} ({:?}): {error}", status.exit_code));
        }
    }

    fn clear_cgroup(&self, cgroup: &str) {
        if let Err(error) = self.cgroups.remove(cgroup) {
            note(&format!("cannot remove the control group {cgroup}: {error}"));
        }
    }

    /// Sends a container's output to the files that came with the request.
    pub(super) fn attach(&mut self, connection: u64, id: &ContainerId) {
        let files = self.files(connection);
        let Some(container) = self.containers.get(id) else {
            return self.fail(connection, "the container is not running");
        };
        let streams = if container.tty { &[Stream::Stdout][..] } else { &[Stream::Stdout, Stream::Stderr] };
        for (stream, file) in streams.iter().zip(files) {
            if let Err(error) = set_nonblocking(&file) {
                return self.fail(connection, &error.to_string());
            }
            container.tap.borrow_mut().sinks.push(Sink::new(connection, *stream, file));
        }
        let input = match (&container.terminal, &container.stdin) {
            (Some(terminal), _) => terminal.try_clone().map(Some),
            (None, Some(stdin)) => stdin.try_clone().map(Some),
            (None, None) => Ok(None),
        };
        let tty = container.tty;
        match input {
            Err(error) => self.fail(connection, &error.to_string()),
            Ok(input) => {
                self.set_role(connection, Role::Attached(id.clone()));
                self.reply(connection, &Reply::Attached { tty }, input);
            }
        }
    }

    /// Forgets somebody who was attached.
    pub(super) fn detach(&mut self, connection: u64, id: &ContainerId) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.tap.borrow_mut().sinks.retain(|sink| sink.connection != connection);
        if container.stdin_once {
            container.stdin = None;
        }
    }

    fn conclude_attached(&mut self, id: &ContainerId, exit_code: i32) {
        let role = Role::Attached(id.clone());
        let waiting: Vec<u64> =
            self.connections.iter().filter(|(_, connection)| connection.role == role).map(|(id, _)| *id).collect();
        for connection in waiting {
            self.conclude(connection, &Reply::Ended { exit_code });
        }
    }

    /// Starts a new log file.
    pub(super) fn rotate(&mut self, connection: u64, id: &ContainerId) {
        let rotated = self.containers.get(id).map(|container| container.tap.borrow_mut().log.as_mut().map(Log::rotate));
        match rotated {
            None => self.fail(connection, "the container is not running"),
            Some(Some(Err(error))) => self.fail(connection, &error.to_string()),
            Some(_) => self.reply(connection, &Reply::Done, None),
        }
    }
}

fn set_nonblocking(file: &OwnedFd) -> io::Result<()> {
    fcntl_setfl(file, fcntl_getfl(file)? | OFlags::NONBLOCK)?;
    Ok(())
}
