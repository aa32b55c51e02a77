//! What one job needs: pods made, deleted and let go of, its status. Pure.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobCondition, JobSpec, JobStatus},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::ResourceExt;

use super::{
    facts,
    indexes::{self, Indexes},
    tally::Tally,
};
use crate::objects::{owner, pod};

/// Pods made or deleted in one go.
const BURST: usize = 500;
/// How long after a failure the next pod waits, doubled with every failure more.
const BACKOFF: SignedDuration = SignedDuration::from_secs(10);
const MAX_BACKOFF: SignedDuration = SignedDuration::from_secs(600);
/// A job that somebody else looks after says so.
const CONTROLLER: &str = "kubernetes.io/job-controller";

const COMPLETE: &str = "Complete";
const FAILED: &str = "Failed";
const SUSPENDED: &str = "Suspended";
const FAILURE_TARGET: &str = "FailureTarget";
const SUCCESS_MET: &str = "SuccessCriteriaMet";

/// All that the decision rests on.
pub(super) struct Observed<'a> {
    pub(super) job: &'a Job,
    /// Its pods, in every state.
    pub(super) pods: &'a [Arc<Pod>],
    /// Whether a pod still has its finalizer.
    pub(super) tracked: &'a dyn Fn(&Pod) -> bool,
    /// Whether pods may be made and deleted now.
    pub(super) may_manage: bool,
    pub(super) now: Timestamp,
}

/// A pod to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    /// The index that it works on, and how often that failed before.
    pub(super) index: Option<(i32, i32)>,
}

/// An event to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) message: String,
}

/// What to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) status: JobStatus,
    pub(super) create: Vec<Birth>,
    /// Pods to let go of and delete.
    pub(super) delete: Vec<Arc<Pod>>,
    /// Pods to let go of once the status is written.
    pub(super) release: Vec<Arc<Pod>>,
    pub(super) notes: Vec<Note>,
    /// Whether the job itself has outlived its use.
    pub(super) remove: bool,
    pub(super) look_again: Option<Duration>,
}

/// Why a job ends.
struct End {
    good: bool,
    reason: String,
    message: String,
}

/// The condition of that type that holds.
fn condition<'a>(job: &'a Job, kind: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True")
}

/// When the job ended, if it has.
pub(super) fn finished_at(job: &Job) -> Option<Timestamp> {
    let end = condition(job, COMPLETE).or_else(|| condition(job, FAILED))?;
    end.last_transition_time.as_ref().map(|time| time.0)
}

/// Whether this controller looks after the job.
pub(super) fn is_ours(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.managed_by.as_deref()).is_none_or(|manager| manager == CONTROLLER)
}

/// Decides.
pub(super) fn decide(observed: &Observed<'_>) -> Plan {
    let Observed { job, pods, now, .. } = observed;
    let status = job.status.clone().unwrap_or_default();
    if let Some(finished) = finished_at(job) {
        return after_end(observed, finished, status);
    }
    let Some(spec) = &job.spec else { return Plan { status, ..Plan::default() } };
    let tally = Tally::of(job, pods, observed.tracked);
    let mut plan = Plan { status, release: tally.release.clone(), ..Plan::default() };
    let active: Vec<&Arc<Pod>> = pods.iter().filter(|pod| pod::is_active(pod)).collect();
    begin(spec, &mut plan, *now);
    let end = target(job).or_else(|| end(observed, spec, &tally, &active));
    if let Some(end) = &end {
        finish(observed, end, &tally, &active, &mut plan);
    } else if spec.suspend == Some(true) {
        plan.delete = active.iter().map(|pod| (*pod).clone()).collect();
    } else {
        populate(observed, spec, &tally, &active, &mut plan);
        plan.look_again = sooner(plan.look_again, deadline(spec, &plan.status, *now));
    }
    if !observed.may_manage {
        plan.create.clear();
        plan.delete.clear();
    }
    count(observed, &tally, &active, &mut plan);
    plan
}

/// A job that has ended lets go of its pods, and is removed when its time is over.
fn after_end(observed: &Observed<'_>, finished: Timestamp, status: JobStatus) -> Plan {
    let release = observed.pods.iter().filter(|pod| (observed.tracked)(pod)).cloned().collect();
    let mut plan = Plan { status, release, ..Plan::default() };
    let ttl = observed.job.spec.as_ref().and_then(|spec| spec.ttl_seconds_after_finished);
    if let Some(ttl) = ttl {
        let left = finished + SignedDuration::from_secs(ttl.into());
        let left = left.duration_since(observed.now);
        match Duration::try_from(left) {
            Ok(left) if !left.is_zero() => plan.look_again = Some(left),
            _ => plan.remove = true,
        }
    }
    plan
}

/// Starts the job's clock, or stops it while the job is suspended.
fn begin(spec: &JobSpec, plan: &mut Plan, now: Timestamp) {
    let held = |status: &JobStatus, value: &str| {
        let all = status.conditions.iter().flatten();
        all.into_iter().any(|condition| condition.type_ == SUSPENDED && condition.status == value)
    };
    if spec.suspend == Some(true) {
        if !held(&plan.status, "True") {
            set(&mut plan.status, SUSPENDED, true, "JobSuspended", "Job suspended", now);
            plan.notes.push(note(false, "Suspended", "Job suspended"));
        }
        plan.status.start_time = None;
        return;
    }
    if held(&plan.status, "True") {
        set(&mut plan.status, SUSPENDED, false, "JobResumed", "Job resumed", now);
        plan.notes.push(note(false, "Resumed", "Job resumed"));
    }
    if plan.status.start_time.is_none() {
        plan.status.start_time = Some(Time(now));
    }
}

/// The end that was decided on before.
fn target(job: &Job) -> Option<End> {
    let of = |good: bool, condition: &JobCondition| End {
        good,
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
    };
    let failed = condition(job, FAILURE_TARGET).map(|condition| of(false, condition));
    failed.or_else(|| condition(job, SUCCESS_MET).map(|condition| of(true, condition)))
}

/// Whether the job is to end now.
fn end(observed: &Observed<'_>, spec: &JobSpec, tally: &Tally, active: &[&Arc<Pod>]) -> Option<End> {
    let bad =
        |reason: &str, message: &str| Some(End { good: false, reason: reason.to_owned(), message: message.to_owned() });
    let good = |reason: &str, message: String| Some(End { good: true, reason: reason.to_owned(), message });
    if let Some(why) = &tally.fatal {
        return bad("PodFailurePolicy", why);
    }
    let limit = spec.backoff_limit.unwrap_or(6);
    if tally.failed > limit || restarts_exceed(spec, active, limit) {
        return bad("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    }
    let start = observed.job.status.as_ref().and_then(|status| status.start_time.as_ref());
    if let (Some(start), Some(limit), false) = (start, spec.active_deadline_seconds, spec.suspend == Some(true))
        && observed.now.duration_since(start.0) >= SignedDuration::from_secs(limit)
    {
        return bad("DeadlineExceeded", "Job was active longer than specified deadline");
    }
    if facts::is_indexed(observed.job) {
        if let Some(at) = met_rule(spec, &tally.completed) {
            return good("SuccessPolicy", format!("Matched rules at index {at}"));
        }
        let given_up = i32::try_from(tally.failed_indexes.len()).unwrap_or(i32::MAX);
        if spec.max_failed_indexes.is_some_and(|most| given_up > most) {
            return bad("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
        }
        if given_up > 0 && tally.succeeded + given_up >= spec.completions.unwrap_or(i32::MAX) {
            return bad("FailedIndexes", "Job has failed indexes");
        }
    }
    let done = match spec.completions {
        Some(wanted) => tally.succeeded >= wanted,
        // A queue of work is done when one pod says so and the others have ended.
        None => tally.succeeded > 0 && active.is_empty(),
    };
    if done { good("CompletionsReached", "Reached expected number of succeeded pods".to_owned()) } else { None }
}

/// Whether containers were restarted in place more often than the job allows.
fn restarts_exceed(spec: &JobSpec, active: &[&Arc<Pod>], limit: i32) -> bool {
    let in_place = spec.template.spec.as_ref().and_then(|pod| pod.restart_policy.as_deref()) == Some("OnFailure");
    if !in_place || spec.backoff_limit_per_index.is_some() {
        return false;
    }
    let restarts: i32 = active.iter().map(|pod| pod::restarts(pod)).sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// The first rule of the success policy that is met.
fn met_rule(spec: &JobSpec, completed: &Indexes) -> Option<usize> {
    let rules = &spec.success_policy.as_ref()?.rules;
    rules.iter().position(|rule| {
        let chosen = rule.succeeded_indexes.as_deref().map(|text| indexes::parse(text, spec.completions.unwrap_or(0)));
        let done = chosen.as_ref().map_or(completed.len(), |chosen| chosen.intersection(completed).count());
        let wanted = match (rule.succeeded_count, &chosen) {
            (Some(count), _) => usize::try_from(count).unwrap_or(0),
            (None, Some(chosen)) => chosen.len(),
            (None, None) => return false,
        };
        done >= wanted
    })
}

/// Brings the job to its end: first what it will be, and when no pod is left, that it is.
fn finish(observed: &Observed<'_>, end: &End, tally: &Tally, active: &[&Arc<Pod>], plan: &mut Plan) {
    let now = observed.now;
    let kind = if end.good { SUCCESS_MET } else { FAILURE_TARGET };
    set(&mut plan.status, kind, true, &end.reason, &end.message, now);
    plan.delete = active.iter().map(|pod| (*pod).clone()).collect();
    let leaving = observed.pods.iter().any(|pod| owner::is_deleting(&pod.metadata) && !pod::is_finished(pod));
    // A pod that was made and is not seen yet must go first: nobody deletes it later.
    if !observed.may_manage || !active.is_empty() || leaving || !tally.is_settled() {
        return;
    }
    let kind = if end.good { COMPLETE } else { FAILED };
    set(&mut plan.status, kind, true, &end.reason, &end.message, now);
    if end.good {
        plan.status.completion_time = Some(Time(now));
        plan.notes.push(note(false, "Completed", "Job completed"));
    } else {
        plan.notes.push(note(true, &end.reason, &end.message));
    }
}

/// Makes and deletes pods up to what is wanted.
fn populate(observed: &Observed<'_>, spec: &JobSpec, tally: &Tally, active: &[&Arc<Pod>], plan: &mut Plan) {
    let parallelism = spec.parallelism.unwrap_or(1).max(0);
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let running = number(active.len());
    let given_up = number(tally.failed_indexes.len());
    let wanted = match spec.completions {
        Some(completions) => parallelism.min((completions - tally.succeeded - given_up).max(0)),
        None if tally.succeeded > 0 => running.min(parallelism),
        None => parallelism,
    };
    let (surplus, kept) = surplus(observed, spec, tally, active, wanted);
    plan.delete = surplus;
    let leaving = if facts::replaces_failed_only(observed.job) {
        number(observed.pods.iter().filter(|pod| owner::is_deleting(&pod.metadata) && !pod::is_finished(pod)).count())
    } else {
        0
    };
    let missing = usize::try_from(wanted - number(kept) - leaving).unwrap_or(0).min(BURST);
    if missing == 0 || !plan.delete.is_empty() {
        return;
    }
    if let Some(wait) = backoff(observed) {
        plan.look_again = Some(wait);
        return;
    }
    plan.create = if facts::is_indexed(observed.job) {
        free_indexes(observed, spec, tally).take(missing).map(|index| birth(observed, spec, index)).collect()
    } else {
        vec![Birth { index: None }; missing]
    };
}

/// Pods that are too many, or work on what needs no work; and how many stay.
fn surplus(
    observed: &Observed<'_>,
    spec: &JobSpec,
    tally: &Tally,
    active: &[&Arc<Pod>],
    wanted: i32,
) -> (Vec<Arc<Pod>>, usize) {
    let mut order: Vec<&Arc<Pod>> = active.to_vec();
    // The most useful first.
    order.sort_by_key(|pod| {
        (
            Reverse(pod::is_ready(pod)),
            Reverse(pod::node(pod).is_some()),
            pod.creation_timestamp().map(|time| time.0),
            pod.name_any(),
        )
    });
    let (mut taken, mut gone, mut kept) = (Indexes::new(), Vec::new(), 0);
    let room = usize::try_from(wanted).unwrap_or(0);
    for pod in order {
        let useful = match facts::index_of(pod).filter(|_| facts::is_indexed(observed.job)) {
            Some(index) => {
                index < spec.completions.unwrap_or(0)
                    && !tally.completed.contains(&index)
                    && !tally.failed_indexes.contains(&index)
                    && taken.insert(index)
            }
            None => !facts::is_indexed(observed.job),
        };
        if useful && kept < room {
            kept += 1;
        } else if gone.len() < BURST {
            gone.push(pod.clone());
        }
    }
    (gone, kept)
}

fn free_indexes<'a>(observed: &'a Observed<'_>, spec: &JobSpec, tally: &'a Tally) -> impl Iterator<Item = i32> + 'a {
    let occupied: Indexes = observed
        .pods
        .iter()
        .filter(|pod| {
            pod::is_active(pod)
                || (facts::replaces_failed_only(observed.job)
                    && owner::is_deleting(&pod.metadata)
                    && !pod::is_finished(pod))
        })
        .filter_map(|pod| facts::index_of(pod))
        .collect();
    (0..spec.completions.unwrap_or(0)).filter(move |index| {
        !tally.completed.contains(index) && !tally.failed_indexes.contains(index) && !occupied.contains(index)
    })
}

fn birth(observed: &Observed<'_>, spec: &JobSpec, index: i32) -> Birth {
    let mine = observed.pods.iter().filter(|pod| facts::index_of(pod) == Some(index));
    let failures = mine.map(|pod| {
        let counted = facts::has_failed(observed.job, pod) && facts::judge(observed.job, pod) != facts::Verdict::Ignore;
        facts::failures_before(pod) + i32::from(counted)
    });
    let failures = if spec.backoff_limit_per_index.is_some() { failures.max().unwrap_or(0) } else { 0 };
    Birth { index: Some((index, failures)) }
}

/// How long the next pod must wait because others have failed.
fn backoff(observed: &Observed<'_>) -> Option<Duration> {
    let ended = |pod: &&Arc<Pod>| facts::ended(pod);
    let last_success = observed.pods.iter().filter(|pod| facts::has_succeeded(pod)).filter_map(|pod| ended(&pod)).max();
    let failures: Vec<Timestamp> = observed
        .pods
        .iter()
        .filter(|pod| pod::phase(pod) == "Failed")
        .filter_map(|pod| ended(&pod))
        .filter(|at| last_success.is_none_or(|success| *at > success))
        .collect();
    let last = failures.iter().max()?;
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX).min(10);
    let wait = (BACKOFF * 2_i32.pow(doublings)).min(MAX_BACKOFF);
    let left = wait - observed.now.duration_since(*last);
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

fn deadline(spec: &JobSpec, status: &JobStatus, now: Timestamp) -> Option<Duration> {
    let limit = SignedDuration::from_secs(spec.active_deadline_seconds?);
    let left = limit - now.duration_since(status.start_time.as_ref()?.0);
    Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
}

fn sooner(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    a.into_iter().chain(b).min()
}

fn count(observed: &Observed<'_>, tally: &Tally, active: &[&Arc<Pod>], plan: &mut Plan) {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    tally.write(observed.job, &mut plan.status);
    plan.status.active = Some(number(active.len())).filter(|count| *count != 0);
    plan.status.ready = Some(number(active.iter().filter(|pod| pod::is_ready(pod)).count()));
    let leaving = observed.pods.iter().filter(|pod| owner::is_deleting(&pod.metadata) && !pod::is_finished(pod));
    plan.status.terminating = Some(number(leaving.count()));
}

fn note(warning: bool, reason: &str, message: &str) -> Note {
    Note { warning, reason: reason.to_owned(), message: message.to_owned() }
}

/// Sets a condition; its times are those of its last change.
fn set(status: &mut JobStatus, kind: &str, holds: bool, reason: &str, message: &str, now: Timestamp) {
    let word = if holds { "True" } else { "False" };
    let conditions = status.conditions.get_or_insert_default();
    let known = conditions.iter().position(|condition| condition.type_ == kind);
    if known.is_some_and(|at| conditions[at].status == word) {
        return;
    }
    let new = JobCondition {
        type_: kind.to_owned(),
        status: word.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    };
    match known {
        Some(at) => conditions[at] = new,
        None => conditions.push(new),
    }
}
