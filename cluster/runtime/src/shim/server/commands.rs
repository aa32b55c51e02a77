//! Commands in running containers.

use std::collections::{HashMap, HashSet};
use std::io;

use rustix::process::{Pid, Signal, kill_process};

use super::connections::Role;
use super::{End, Pending, Purpose, Shim};
use crate::id::ContainerId;
use crate::shim::enter::{self, Enter};
use crate::shim::launch::Launch;
use crate::shim::protocol::Reply;
use crate::shim::start::{Started, Streams};

const KILL_ROUNDS: u32 = 20;

impl Shim {
    /// Runs a command; the first answer comes when it runs, the second when it has ended.
    pub(super) fn exec(&mut self, connection: u64, id: &ContainerId, cmd: &[String], tty: bool, stdin: bool) {
        let mut files = self.files(connection).into_iter();
        let mut streams = Streams::default();
        if !tty {
            streams.stdin = if stdin { files.next() } else { None };
            streams.stdout = files.next();
            streams.stderr = files.next();
        }
        let Some((target, cgroup)) = self.containers.get(id).and_then(|found| Some((found.pid?, &found.cgroup))) else {
            return self.fail(connection, "the container is not running");
        };
        let (spec, cgroups) = (self.dir.container(id).spec(), &self.cgroups);
        let launch = Launch::new(|| enter::enter(&Enter { target, spec: &spec, cgroups, cgroup, cmd, tty }, streams));
        match launch {
            Err(error) => self.fail(connection, &error.to_string()),
            Ok(launch) => {
                self.set_role(connection, Role::Command(None));
                self.pending.push(Pending { purpose: Purpose::Exec, connection, launch });
            }
        }
    }

    /// Hears that a command runs, or why it does not.
    pub(super) fn entered(&mut self, connection: u64, outcome: io::Result<Started>) {
        let started = match outcome {
            Ok(started) => started,
            Err(error) => return self.conclude(connection, &Reply::Failed { message: error.to_string() }),
        };
        if !self.connections.contains_key(&connection) {
            return kill_all_of(started.pid); // who asked has gone
        }
        self.reply(connection, &Reply::Started { pid: started.pid }, started.terminal);
        if let Some(end) = self.unclaimed.remove(&started.pid) {
            return self.command_ended(connection, end);
        }
        self.commands.insert(started.pid, connection);
        self.set_role(connection, Role::Command(Some(started.pid)));
    }

    pub(super) fn command_ended(&mut self, connection: u64, end: End) {
        self.conclude(connection, &Reply::Ended { exit_code: end.exit_code });
    }
}

/// Kills a command with all that it started: its session and all descendants, until no more appear.
pub(super) fn kill_all_of(leader: i32) {
    for _ in 0..KILL_ROUNDS {
        let family = family(leader);
        if family.is_empty() {
            return;
        }
        for pid in family {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL); // it may have ended meanwhile
            }
        }
    }
}

/// The living processes in the session of `leader` or descended from it.
fn family(leader: i32) -> HashSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let mut members: HashSet<i32> = HashSet::new();
    for process in processes() {
        children.entry(process.parent).or_default().push(process.pid);
        if process.session == leader {
            members.insert(process.pid);
        }
    }
    let mut pending = vec![leader];
    while let Some(pid) = pending.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            members.insert(child);
            pending.push(child);
        }
    }
    members
}

struct Process {
    pid: i32,
    parent: i32,
    session: i32,
}

fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| parse(&std::fs::read_to_string(entry.path().join("stat")).ok()?)).collect()
}

/// `pid (name) state parent group session ...`; zombies do not count.
fn parse(stat: &str) -> Option<Process> {
    let (pid, _) = stat.split_once(' ')?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let parent = fields.next()?.parse().ok()?;
    Some(Process { pid: pid.parse().ok()?, parent, session: fields.nth(1)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_confuse_the_fields() {
        let process = parse("12 (a) b) c) S 3 12 7 0 -1").unwrap();
        assert_eq!((process.pid, process.parent, process.session), (12, 3, 7));
        assert!(parse("12 (x) Z 1 12 12 0").is_none());
    }
}
