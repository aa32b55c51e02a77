//! Why libcontainer failed.
//!
//! Its errors cross its processes as bare words ("failed syscall"); the causes are in what it traces.
//! So while a container starts, errors that are traced in any of the processes go into a pipe, and
//! become part of the message if the start fails.

use std::fmt::{self, Write};
use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const LONGEST: usize = 16 << 10;

/// The reading end.
#[derive(Debug)]
pub(super) struct Traces {
    reader: OwnedFd,
}

impl Traces {
    /// Traces errors of this process, and of those that it will fork, from now on.
    pub(super) fn listen() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        tracing::subscriber::set_global_default(Tracer { writer }).map_err(io::Error::other)?;
        Ok(Self { reader })
    }

    /// The error with what was traced before it: the first is nearest to the cause.
    pub(super) fn explain(&self, error: &io::Error) -> io::Error {
        let mut buffer = vec![0; LONGEST];
        let length = rustix::io::read(&self.reader, &mut buffer[..]).unwrap_or(0); // nothing was traced
        let text = String::from_utf8_lossy(&buffer[..length]);
        let said = error.to_string();
        // Messages of our own say everything.
        match text.lines().next().filter(|_| said.starts_with("failed")) {
            Some(cause) => io::Error::new(error.kind(), format!("{said}: {cause}")),
            None => io::Error::new(error.kind(), said),
        }
    }
}

struct Tracer {
    writer: OwnedFd,
}

impl Subscriber for Tracer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR && metadata.is_event()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!("{}{}\n", line.message, line.fields).replace('\n', " ") + "\n";
        let _ = rustix::io::write(&self.writer, text.as_bytes()); // a full pipe has the first causes
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        }; // writing to a String cannot fail
    }
}
