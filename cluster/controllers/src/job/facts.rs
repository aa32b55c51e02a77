//! What a job's pod says about the job.

use jiff::Timestamp;
use k8s_openapi::api::{
    batch::v1::{Job, PodFailurePolicyRule},
    core::v1::{ContainerStatus, Pod},
};
use kube::ResourceExt;

use crate::objects::{owner, pod};

/// Who holds back a pod until its end is counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// The index that a pod works on.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// How often the index had failed before this pod.
pub(super) const INDEX_FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

/// What a failed pod means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// One failure more.
    Count,
    /// None.
    Ignore,
    /// Its index has failed for good.
    FailIndex,
    /// The job has.
    FailJob(String),
}

/// Whether the pod's end is still to be counted.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

pub(super) fn is_indexed(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.completion_mode.as_deref()) == Some("Indexed")
}

/// Whether only pods that have ended are replaced, not those on their way out.
pub(super) fn replaces_failed_only(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.pod_replacement_policy.as_deref()) == Some("Failed")
}

pub(super) fn has_succeeded(pod: &Pod) -> bool {
    pod::phase(pod) == "Succeeded"
}

/// Whether the pod counts as failed: it did, or it was deleted under the job.
pub(super) fn has_failed(job: &Job, pod: &Pod) -> bool {
    pod::phase(pod) == "Failed"
        || (!replaces_failed_only(job) && owner::is_deleting(&pod.metadata) && !has_succeeded(pod))
}

/// The index that the pod works on.
pub(super) fn index_of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX).and_then(|index| index.parse().ok())
}

/// How often the pod's index had failed before it.
pub(super) fn failures_before(pod: &Pod) -> i32 {
    pod.annotations().get(INDEX_FAILURES).and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// When the pod's last container ended, else when the pod was made.
pub(super) fn ended(pod: &Pod) -> Option<Timestamp> {
    let finished = |status: &ContainerStatus| Some(status.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0);
    let last = containers(pod).filter_map(finished).max();
    let deleted = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
    last.or(deleted).or_else(|| pod.creation_timestamp().map(|time| time.0))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let main = status.and_then(|status| status.container_statuses.as_ref());
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    init.into_iter().flatten().chain(main.into_iter().flatten())
}

/// What the job's failure policy makes of a failed pod.
pub(super) fn judge(job: &Job, pod: &Pod) -> Verdict {
    let rules = job.spec.as_ref().and_then(|spec| spec.pod_failure_policy.as_ref());
    // A pod on its way out has no exit codes yet that could be judged.
    if rules.is_none() || pod::phase(pod) != "Failed" {
        return Verdict::Count;
    }
    for (at, rule) in rules.into_iter().flat_map(|policy| &policy.rules).enumerate() {
        let Some(why) = matches(rule, pod) else { continue };
        return match rule.action.as_str() {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(format!("{why} matching FailJob rule at index {at}")),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

/// Why a rule matches, if it does.
fn matches(rule: &PodFailurePolicyRule, subject: &Pod) -> Option<String> {
    let name = format!("{}/{}", subject.namespace().unwrap_or_default(), subject.name_any());
    if let Some(codes) = &rule.on_exit_codes {
        return containers(subject).find_map(|status| {
            if codes.container_name.as_ref().is_some_and(|wanted| *wanted != status.name) {
                return None;
            }
            let code = status.state.as_ref()?.terminated.as_ref()?.exit_code;
            let listed = codes.values.contains(&code);
            let fits = code != 0 && if codes.operator == "In" { listed } else { !listed };
            fits.then(|| format!("Container {} for pod {name} failed with exit code {code}", status.name))
        });
    }
    rule.on_pod_conditions.iter().flatten().find_map(|pattern| {
        let condition = pod::condition(subject, &pattern.type_)?;
        let wanted = pattern.status.as_deref().unwrap_or("True");
        (condition.status == wanted).then(|| format!("Pod {name} has condition {}", pattern.type_))
    })
}
