//! Why a pod fits nowhere, in the words that `kubectl describe` shows.

use std::{collections::BTreeMap, fmt};

use crate::framework::{Changes, Reason, Verdict};

/// What all nodes said.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    total: usize,
    /// How many nodes gave each reason.
    reasons: BTreeMap<Reason, usize>,
    /// The reason of the pod itself, if no node was asked.
    whole: Option<Reason>,
    /// Nodes that would not do whichever pods left.
    never: usize,
    /// Nodes that might do if pods left.
    perhaps: usize,
    /// Changes that could make it fit.
    pub wakes_on: Changes,
}

impl Diagnosis {
    /// Nothing said yet of `total` nodes.
    pub fn new(total: usize) -> Self {
        Self { total, reasons: BTreeMap::new(), whole: None, never: 0, perhaps: 0, wakes_on: Changes::NODE_ADDED }
    }

    /// The pod fits nowhere by itself.
    #[must_use]
    pub fn reject(mut self, reason: Reason, wakes_on: Changes) -> Self {
        self.whole = Some(reason);
        self.never = self.total;
        self.wakes_on = self.wakes_on.and(wakes_on);
        self
    }

    /// Takes in what a filter said of a node; true if the node fits.
    pub fn note(&mut self, verdict: Verdict, wakes_on: Changes) -> bool {
        let reasons = match verdict {
            Verdict::Fits => return true,
            Verdict::Rejected(reasons) => {
                self.perhaps += 1;
                reasons
            }
            Verdict::NeverFits(reasons) => {
                self.never += 1;
                reasons
            }
        };
        self.wakes_on = self.wakes_on.and(wakes_on);
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
        false
    }

    fn counted(lines: impl Iterator<Item = (String, usize)>) -> String {
        let mut lines: Vec<_> = lines.map(|(reason, count)| format!("{count} {reason}")).collect();
        lines.sort();
        lines.join(", ")
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total == 0 {
            return f.write_str("no nodes available to schedule pods");
        }
        let total = self.total;
        let why = match &self.whole {
            Some(reason) => reason.to_string(),
            None => Self::counted(self.reasons.iter().map(|(reason, count)| (reason.to_string(), *count))),
        };
        let preemption = [
            ("No preemption victims found for incoming pod.", self.perhaps),
            ("Preemption is not helpful for scheduling.", self.never),
        ];
        let said = preemption.into_iter().filter(|(_, count)| *count > 0);
        let preemption = Self::counted(said.map(|(reason, count)| (reason.trim_end_matches('.').to_owned(), count)));
        write!(f, "0/{total} nodes are available: {why}. preemption: 0/{total} nodes are available: {preemption}.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_kubernetes_own() {
        let lacks = |reason: &'static str| Verdict::Rejected(vec![Reason::new(reason)]);
        let mut diagnosis = Diagnosis::new(1);
        assert!(!diagnosis.note(lacks("Insufficient memory"), Changes::POD_LEFT));
        assert_eq!(
            diagnosis.to_string(),
            "0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: 1 No preemption \
             victims found for incoming pod."
        );
        let mut diagnosis = Diagnosis::new(3);
        diagnosis.note(
            Verdict::Rejected(vec![Reason::new("Insufficient memory"), Reason::new("Insufficient cpu")]),
            Changes::NONE,
        );
        diagnosis.note(lacks("Insufficient cpu"), Changes::NONE);
        diagnosis.note(Verdict::NeverFits(vec![Reason::new("node(s) were unschedulable")]), Changes::NODE_TAINTS);
        assert_eq!(
            diagnosis.to_string(),
            "0/3 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable, 2 Insufficient cpu. \
             preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims \
             found for incoming pod."
        );
        assert!(diagnosis.wakes_on.meet(Changes::NODE_TAINTS));
        assert_eq!(Diagnosis::new(0).to_string(), "no nodes available to schedule pods");
        let whole = Diagnosis::new(1).reject(Reason::new("persistentvolumeclaim \"c\" not found"), Changes::CLAIM);
        assert_eq!(
            whole.to_string(),
            "0/1 nodes are available: persistentvolumeclaim \"c\" not found. preemption: 0/1 nodes are available: 1 \
             Preemption is not helpful for scheduling."
        );
    }
}
