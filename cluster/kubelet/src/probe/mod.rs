//! Probes: asking containers whether they started, live and are ready.
//!
//! [`state`] turns a row of outcomes into verdicts (pure), [`ask`] puts one question, [`runner`] asks in time and posts
//! verdicts on the pod's [`Board`], which the pod's worker reads.

mod ask;
mod grpc;
mod http;
mod runner;
mod state;

use std::{collections::HashMap, sync::Mutex};

use kpkg_runtime::ContainerId;

pub(crate) use ask::{Asker, Outcome, http_get, port, question, tcp_connect};

pub(crate) use runner::Runners;

/// Which question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ProbeKind {
    Startup,
    Liveness,
    Readiness,
}

impl ProbeKind {
    /// The word in messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
        }
    }

    /// The word at the beginning of an event.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// What the answers amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Failure,
}

/// Where verdicts are read.
pub(crate) trait Verdicts {
    fn get(&self, id: &ContainerId, kind: ProbeKind) -> Option<Verdict>;
}

/// The verdicts on one pod's containers.
#[derive(Debug, Default)]
pub(crate) struct Board {
    verdicts: Mutex<HashMap<(ContainerId, ProbeKind), Verdict>>,
}

impl Board {
    /// Posts a verdict; true if it is news.
    pub(crate) fn set(&self, id: &ContainerId, kind: ProbeKind, verdict: Verdict) -> bool {
        self.lock().insert((id.clone(), kind), verdict) != Some(verdict)
    }

    /// Forgets containers that are no more.
    pub(crate) fn retain(&self, keep: impl Fn(&ContainerId) -> bool) {
        self.lock().retain(|(id, _), _| keep(id));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(ContainerId, ProbeKind), Verdict>> {
        self.verdicts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Verdicts for Board {
    fn get(&self, id: &ContainerId, kind: ProbeKind) -> Option<Verdict> {
        self.lock().get(&(id.clone(), kind)).copied()
    }
}
