//! Thresholds: how many equal answers in a row make a verdict.

use k8s_openapi::api::core::v1::Probe;

use super::Verdict;

/// Counts answers in a row.
#[derive(Debug)]
pub(super) struct Counter {
    successes: i32,
    failures: i32,
    success_threshold: i32,
    failure_threshold: i32,
}

impl Counter {
    pub(super) fn new(probe: &Probe) -> Self {
        Self {
            successes: 0,
            failures: 0,
            success_threshold: probe.success_threshold.unwrap_or(1).max(1),
            failure_threshold: probe.failure_threshold.unwrap_or(3).max(1),
        }
    }

    /// Counts an answer; a verdict once there are enough in a row.
    pub(super) fn count(&mut self, success: bool) -> Option<Verdict> {
        if success {
            self.failures = 0;
            self.successes = self.successes.saturating_add(1);
            (self.successes >= self.success_threshold).then_some(Verdict::Success)
        } else {
            self.successes = 0;
            self.failures = self.failures.saturating_add(1);
            (self.failures >= self.failure_threshold).then_some(Verdict::Failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_enough_in_a_row_count() {
        let mut counter = Counter::new(&Probe { success_threshold: Some(2), failure_threshold: Some(3), ..Probe::default() });
        let verdicts: Vec<_> = [true, true, false, false, true, false, false, false].map(|it| counter.count(it)).into();
        let (s, f) = (Some(Verdict::Success), Some(Verdict::Failure));
        assert_eq!(verdicts, [None, s, None, None, None, None, None, f]);
    }
}
