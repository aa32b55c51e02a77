//! Counting pods that have ended, each once.
//!
//! A pod that ends is first noted in `status.uncountedTerminatedPods`; only when that is written does it lose its
//! finalizer, and only when it has lost it does it move from the note into the count. However the controller dies in
//! between, the next one finds either the finalizer or the note.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::{
    batch::v1::{Job, JobStatus, UncountedTerminatedPods},
    core::v1::Pod,
};
use kube::ResourceExt;

use super::{
    facts::{self, Verdict},
    indexes::{self, Indexes},
};
use crate::objects::pod;

/// What the pods of a job come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Ended well, counted or about to be.
    pub(super) succeeded: i32,
    /// Ended badly, counted or about to be.
    pub(super) failed: i32,
    /// The indexes that are done.
    pub(super) completed: Indexes,
    /// The indexes that are given up.
    pub(super) failed_indexes: Indexes,
    /// What of that is counted for good.
    counted: (i32, i32),
    notes: (BTreeSet<String>, BTreeSet<String>),
    /// Pods to let go of once the notes are written.
    pub(super) release: Vec<Arc<Pod>>,
    /// Why the failure policy ends the job, if it does.
    pub(super) fatal: Option<String>,
}

impl Tally {
    /// Counts. `tracked` says whether a pod still has its finalizer.
    pub(super) fn of(job: &Job, pods: &[Arc<Pod>], tracked: &dyn Fn(&Pod) -> bool) -> Self {
        let status = job.status.clone().unwrap_or_default();
        let completions = job.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(i32::MAX);
        let notes = status.uncounted_terminated_pods.unwrap_or_default();
        let mut tally = Self {
            completed: indexes::parse(status.completed_indexes.as_deref().unwrap_or_default(), completions),
            failed_indexes: indexes::parse(status.failed_indexes.as_deref().unwrap_or_default(), completions),
            counted: (status.succeeded.unwrap_or(0), status.failed.unwrap_or(0)),
            notes: (notes.succeeded.into_iter().flatten().collect(), notes.failed.into_iter().flatten().collect()),
            ..Self::default()
        };
        tally.flush(pods, tracked);
        for pod in pods {
            tally.add(job, pod, tracked(pod));
        }
        let count = |set: usize| i32::try_from(set).unwrap_or(i32::MAX);
        tally.succeeded = if facts::is_indexed(job) {
            count(tally.completed.len())
        } else {
            tally.counted.0.saturating_add(count(tally.notes.0.len()))
        };
        tally.failed = tally.counted.1.saturating_add(count(tally.notes.1.len()));
        tally
    }

    /// Notes of pods that have lost their finalizer become counts.
    fn flush(&mut self, pods: &[Arc<Pod>], tracked: &dyn Fn(&Pod) -> bool) {
        let held: BTreeSet<String> = pods.iter().filter(|pod| tracked(pod)).filter_map(|pod| pod.uid()).collect();
        for (notes, count) in [(&mut self.notes.0, &mut self.counted.0), (&mut self.notes.1, &mut self.counted.1)] {
            let before = notes.len();
            notes.retain(|uid| held.contains(uid));
            *count = count.saturating_add(i32::try_from(before - notes.len()).unwrap_or(i32::MAX));
        }
    }

    fn add(&mut self, job: &Job, subject: &Arc<Pod>, tracked: bool) {
        let ended = facts::has_succeeded(subject) || facts::has_failed(job, subject);
        if !tracked || !ended {
            return;
        }
        let uid = subject.uid().unwrap_or_default();
        // One that is still on its way out is counted, but held until it has ended.
        if pod::is_finished(subject) || crate::objects::owner::is_deleting(&subject.metadata) {
            self.release.push(subject.clone());
        }
        let known = self.notes.0.contains(&uid) || self.notes.1.contains(&uid);
        let index = facts::index_of(subject).filter(|_| facts::is_indexed(job));
        if facts::has_succeeded(subject) {
            let wanted = job.spec.as_ref().and_then(|spec| spec.completions);
            match index {
                Some(index) if wanted.is_none_or(|wanted| index < wanted) => {
                    self.completed.insert(index);
                    self.failed_indexes.remove(&index);
                }
                None if !known => {
                    self.notes.0.insert(uid);
                }
                _ => {}
            }
            return;
        }
        let verdict = facts::judge(job, subject);
        if let Verdict::FailJob(why) = &verdict {
            self.fatal.get_or_insert_with(|| why.clone());
        }
        if !known && verdict != Verdict::Ignore {
            self.notes.1.insert(uid);
        }
        self.fail_index(job, subject, index, &verdict);
    }

    fn fail_index(&mut self, job: &Job, pod: &Pod, index: Option<i32>, verdict: &Verdict) {
        let limit = job.spec.as_ref().and_then(|spec| spec.backoff_limit_per_index);
        let (Some(index), Some(limit)) = (index, limit) else { return };
        let over = *verdict == Verdict::Count && facts::failures_before(pod) >= limit;
        if (over || *verdict == Verdict::FailIndex) && !self.completed.contains(&index) {
            self.failed_indexes.insert(index);
        }
    }

    /// Puts the counts into a status.
    pub(super) fn write(&self, job: &Job, status: &mut JobStatus) {
        let some = |count: i32| (count != 0).then_some(count);
        let notes = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect::<Vec<_>>());
        status.failed = some(self.counted.1);
        status.uncounted_terminated_pods =
            Some(UncountedTerminatedPods { succeeded: notes(&self.notes.0), failed: notes(&self.notes.1) });
        if facts::is_indexed(job) {
            status.succeeded = some(self.succeeded);
            status.completed_indexes = (!self.completed.is_empty()).then(|| indexes::format(&self.completed));
            if job.spec.as_ref().is_some_and(|spec| spec.backoff_limit_per_index.is_some()) {
                status.failed_indexes = Some(indexes::format(&self.failed_indexes));
            }
        } else {
            status.succeeded = some(self.counted.0);
        }
    }

    /// Whether everything that has ended is counted for good.
    pub(super) fn is_settled(&self) -> bool {
        self.notes.0.is_empty() && self.notes.1.is_empty() && self.release.is_empty()
    }
}
