//! Shows what an operation does: redrawn lines on a terminal, plain lines in a pipe.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kpkg_release::progress::{Event, Progress};

use crate::printer::Printer;

/// One line that says what is going on, below lines that say what happened.
pub(crate) struct Live {
    printer: Printer,
    bar: ProgressBar,
}

impl Live {
    /// A live line on this printer's terminal, if it has one.
    pub(crate) fn new(printer: &Printer) -> Self {
        let bar = if printer.is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { printer: printer.clone(), bar }
    }

    /// Something happened: a line that stays.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| self.printer.say(text));
    }

    /// Something goes on: the live line on a terminal, a line of its own in a pipe.
    pub(crate) fn now(&self, text: &str) {
        if self.printer.is_terminal() {
            self.bar.set_message(text.to_owned());
        } else {
            self.printer.say(text);
        }
    }

    /// Something goes on that is only worth a live line.
    pub(crate) fn tick(&self, text: &str) {
        self.bar.set_message(text.to_owned());
    }

    /// Takes the live line away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Progress for Live {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Created(id) => self.say(&format!("created {id}")),
            Event::Changed(id) => self.say(&format!("changed {id}")),
            Event::Deleted(id) => self.say(&format!("deleted {id}")),
            Event::Kept(id) => self.say(&format!("kept {id}")),
            Event::HookStarted(id, event) => self.say(&format!("running {event} hook {id}")),
            Event::HookEnded(id, true) => self.say(&format!("hook {id} succeeded")),
            Event::HookEnded(id, false) => self.say(&format!("hook {id} failed")),
            Event::HookLog { pod, container, text } => {
                for line in text.lines() {
                    self.say(&format!("{pod}/{container}: {line}"));
                }
            }
            Event::Interrupted { revision, status, phase } => {
                let phase = if phase.is_empty() { String::new() } else { format!(", phase {phase}") };
                self.say(&format!("carrying on after revision {revision}, which was left half-way ({status}{phase})"));
            }
            Event::RollingBack(0) => self.say("it failed: uninstalling what there is"),
            Event::RollingBack(revision) => self.say(&format!("it failed: rolling back to revision {revision}")),
            Event::Ready(id) if WORTH_A_LINE.contains(&id.kind.as_str()) => self.say(&format!("ready {id}")),
            Event::Waiting(objects) => {
                let all: Vec<String> = objects.iter().map(|(id, reason)| format!("{id} ({reason})")).collect();
                self.now(&format!("waiting for {}", all.join(", ")));
            }
            _ => {}
        }
    }
}

/// The kinds whose readiness takes time; the others are ready once they exist.
const WORTH_A_LINE: [&str; 7] =
    ["DaemonSet", "Deployment", "Job", "PersistentVolumeClaim", "Pod", "ReplicaSet", "StatefulSet"];
