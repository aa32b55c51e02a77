//! Thresholds: how many equal outcomes in a row make a verdict.

use k8s_openapi::api::core::v1::Probe;

use super::{ProbeKind, Verdict};

/// Outcomes of one probe of one container so far.
#[derive(Debug)]
pub(super) struct Tally {
    success_threshold: u32,
    failure_threshold: u32,
    last: Option<bool>,
    run: u32,
}

impl Tally {
    pub(super) fn new(probe: &Probe) -> Self {
        let threshold = |value: Option<i32>, default: u32| {
            value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(default)
        };
        Self {
            success_threshold: threshold(probe.success_threshold, 1),
            failure_threshold: threshold(probe.failure_threshold, 3),
            last: None,
            run: 0,
        }
    }

    /// Counts an outcome; a verdict once the threshold is reached.
    pub(super) fn record(&mut self, success: bool) -> Option<Verdict> {
        if self.last == Some(success) {
            self.run = self.run.saturating_add(1);
        } else {
            self.last = Some(success);
            self.run = 1;
        }
        match success {
            true if self.run >= self.success_threshold => Some(Verdict::Success),
            false if self.run >= self.failure_threshold => Some(Verdict::Failure),
            _ => None,
        }
    }
}

/// The verdict before the first answer.
pub(super) fn initial(kind: ProbeKind) -> Option<Verdict> {
    match kind {
        ProbeKind::Liveness => Some(Verdict::Success),
        ProbeKind::Readiness => Some(Verdict::Failure),
        ProbeKind::Startup => None,
    }
}

/// Whether nothing more is asked of this container after a verdict.
pub(super) fn is_final(kind: ProbeKind, verdict: Verdict) -> bool {
    matches!((kind, verdict), (ProbeKind::Startup, _) | (ProbeKind::Liveness, Verdict::Failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_thresholds() {
        use Verdict::{Failure, Success};
        struct Case {
            name: &'static str,
            success: i32,
            failure: i32,
            outcomes: &'static str,
            want: &'static [Option<Verdict>],
        }
        let cases = [
            Case {
                name: "defaults",
                success: 1,
                failure: 3,
                outcomes: "+---+",
                want: &[Some(Success), None, None, Some(Failure), Some(Success)],
            },
            Case {
                name: "two successes",
                success: 2,
                failure: 1,
                outcomes: "-+-++",
                want: &[Some(Failure), None, Some(Failure), None, Some(Success)],
            },
            Case {
                name: "a success breaks the run",
                success: 1,
                failure: 2,
                outcomes: "-+--",
                want: &[None, Some(Success), None, Some(Failure)],
            },
        ];
        for case in cases {
            let probe = Probe {
                success_threshold: Some(case.success),
                failure_threshold: Some(case.failure),
                ..Probe::default()
            };
            let mut tally = Tally::new(&probe);
            let got: Vec<_> = case.outcomes.chars().map(|outcome| tally.record(outcome == '+')).collect();
            assert_eq!(got, case.want, "{}", case.name);
        }
    }
}
