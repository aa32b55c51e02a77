//! Keeps the kernel's table in step with what the services ask for. Blocks.

use crate::error::as_dyn;
use crate::nft::{Desired, Frontend, Kernel, Protocol, Refused, Replaced, difference};
use crate::services::ServiceKey;
use crate::{Error, conntrack};

use super::stale::{self, Ours};

/// The table and what it should be.
#[derive(Debug)]
pub(crate) struct Table {
    kernel: Kernel,
    desired: Desired<ServiceKey>,
    ours: Ours,
    /// Whether the kernel had all of `desired` after our last look or change.
    in_step: bool,
}

/// How the table was brought in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Synced {
    /// It was, or the changes alone were enough.
    Changed,
    /// It was read, and what differed was mended.
    Mended,
    /// It was gone or spoiled, and made anew.
    Recreated,
}

impl Table {
    pub(crate) fn new(kernel: Kernel, ours: Ours) -> Self {
        Self { kernel, desired: Desired::new(ours.pods), ours, in_step: false }
    }

    pub(crate) fn desired(&mut self) -> &mut Desired<ServiceKey> {
        &mut self.desired
    }

    /// Brings the kernel in step, in one transaction. After an error it can be called again.
    pub(crate) fn sync(&mut self) -> Result<Synced, Error> {
        let changes = self.desired.changes();
        if self.in_step {
            match self.kernel.apply(&changes) {
                Ok(()) => return Ok(Synced::Changed),
                Err(Refused::Moved) => {}
                Err(Refused::Failed(error)) => {
                    tracing::warn!(error = as_dyn(&error), "the kernel refused a change; reading its rules anew");
                }
            }
            self.in_step = false;
        }
        self.resync()
    }

    /// Looks whether somebody else changed rules, and mends ours if so.
    pub(crate) fn audit(&mut self) -> Result<Synced, Error> {
        if self.in_step && self.kernel.is_untouched()? {
            return Ok(Synced::Changed);
        }
        self.in_step = false;
        self.resync()
    }

    /// Reads everything and mends what differs, as after somebody else's change.
    pub(crate) fn resync(&mut self) -> Result<Synced, Error> {
        /// Others may be changing rules at the same time.
        const TRIES: usize = 10;
        let wanted = self.desired.all();
        for _ in 0..TRIES {
            let Some(found) = self.kernel.read()? else {
                self.kernel.recreate(&wanted)?;
                // Its generation is only known after a look, which comes with the next change.
                return Ok(Synced::Recreated);
            };
            let repair = difference(&found, &wanted);
            match self.kernel.apply(&repair) {
                Ok(()) => {
                    self.in_step = true;
                    let mended = !repair.is_empty();
                    return Ok(if mended { Synced::Mended } else { Synced::Changed });
                }
                Err(Refused::Moved) => {}
                Err(Refused::Failed(error)) => {
                    tracing::warn!(error = as_dyn(&error), "mending the packet rules failed; making them anew");
                    self.kernel.recreate(&wanted)?;
                    return Ok(Synced::Recreated);
                }
            }
        }
        self.kernel.recreate(&wanted)?;
        Ok(Synced::Recreated)
    }

    /// Makes the kernel forget what it remembers of endpoints that are gone. To be called after
    /// the table is in step, so that nothing wrong is remembered anew.
    pub(crate) fn forget(&mut self, replaced: &[Replaced]) -> Result<(), Error> {
        let udp = replaced.iter().any(|one| one.frontend.protocol == Protocol::Udp);
        let now_sticky = |one: &Replaced| self.desired.backend(one.frontend).is_some_and(|b| b.sticky.is_some());
        let was_sticky = |one: &Replaced| one.before.as_ref().is_some_and(|b| b.sticky.is_some());
        let sticky = replaced.iter().any(|one| now_sticky(one) || was_sticky(one));
        self.forget_kinds(udp, sticky)
    }

    /// The same for everything, after a start: nobody knows what changed in between.
    pub(crate) fn forget_all(&mut self) -> Result<(), Error> {
        self.forget_kinds(true, true)
    }

    fn forget_kinds(&mut self, udp: bool, sticky: bool) -> Result<(), Error> {
        if sticky {
            let (desired, services) = (&self.desired, self.ours.services);
            self.kernel.forget_clients(|frontend, endpoint| {
                // Clients of node ports are noted with the address they came to.
                let frontend = if services.contains(&frontend.address) {
                    frontend
                } else {
                    Frontend::node_port(frontend.protocol, frontend.port)
                };
                let backend = desired.backend(frontend).filter(|b| b.sticky.is_some());
                backend.is_none_or(|backend| !backend.endpoints.contains(&endpoint))
            })?;
        }
        if udp {
            let (desired, ours) = (&self.desired, &self.ours);
            let count = conntrack::forget(|c| stale::is_stale(c, desired, ours))?;
            if count > 0 {
                tracing::debug!(count, "forgot UDP connections to endpoints that are gone");
            }
        }
        Ok(())
    }
}
