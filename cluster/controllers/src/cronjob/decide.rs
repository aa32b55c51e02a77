//! What one schedule needs: a job made, old ones removed, its status. Pure.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use k8s_openapi::{
    api::{
        batch::v1::{CronJob, CronJobSpec, CronJobStatus, Job},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use kpkg_api::cron::Schedule;
use kube::{Resource, ResourceExt};

/// More missed times than this are not gone through one by one.
const MANY: usize = 100;

/// What to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The time for which a job is to be made.
    pub(super) create: Option<Timestamp>,
    /// Jobs that make way for it.
    pub(super) replace: Vec<Arc<Job>>,
    /// Jobs whose history is no longer kept.
    pub(super) forget: Vec<Arc<Job>>,
    pub(super) status: CronJobStatus,
    /// Events: a warning or not, reason, message.
    pub(super) notes: Vec<(bool, &'static str, String)>,
    pub(super) look_again: Option<Duration>,
}

/// The condition by which a job has ended, and when.
fn ended(job: &Job) -> Option<(&str, Timestamp)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let end = conditions.iter().find(|it| matches!(it.type_.as_str(), "Complete" | "Failed") && it.status == "True")?;
    Some((end.type_.as_str(), end.last_transition_time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)))
}

/// Decides.
pub(super) fn decide(cron: &CronJob, jobs: &[Arc<Job>], now: Timestamp) -> Plan {
    let spec = &cron.spec;
    let mut plan = Plan { status: cron.status.clone().unwrap_or_default(), ..Plan::default() };
    look(cron, jobs, &mut plan);
    history(spec, jobs, &mut plan);
    if spec.suspend == Some(true) {
        return plan;
    }
    let schedule = match Schedule::parse(&spec.schedule) {
        Ok(schedule) => schedule,
        Err(error) => {
            plan.notes.push((
                true,
                "UnparseableSchedule",
                format!("unparseable schedule {:?}: {error}", spec.schedule),
            ));
            return plan;
        }
    };
    let zone = spec.time_zone.as_deref().map_or(Ok(TimeZone::UTC), TimeZone::get);
    let Ok(zone) = zone else {
        let name = spec.time_zone.clone().unwrap_or_default();
        plan.notes.push((true, "UnknownTimeZone", format!("invalid timeZone: {name:?}")));
        return plan;
    };
    let (due, next) = times(cron, spec, &schedule, &zone, now);
    plan.look_again = next.map(|next| Duration::try_from(next.duration_since(now)).unwrap_or(Duration::ZERO));
    if let Some(due) = due {
        run(cron, spec, jobs, due, now, &mut plan);
    }
    plan
}

/// Brings the list of running jobs up to date.
fn look(cron: &CronJob, jobs: &[Arc<Job>], plan: &mut Plan) {
    let known: Vec<String> =
        plan.status.active.iter().flatten().filter_map(|reference| reference.uid.clone()).collect();
    for job in jobs {
        let uid = job.uid().unwrap_or_default();
        if let Some((how, at)) = ended(job) {
            if known.contains(&uid) {
                plan.notes.push((
                    false,
                    "SawCompletedJob",
                    format!("Saw completed job: {}, condition: {how}", job.name_any()),
                ));
            }
            let last = plan.status.last_successful_time.as_ref().map(|time| time.0);
            if how == "Complete" && last.is_none_or(|last| at > last) {
                plan.status.last_successful_time = Some(Time(at));
            }
        }
    }
    let mut active: Vec<ObjectReference> =
        jobs.iter().filter(|job| ended(job).is_none()).map(|job| reference(cron, job)).collect();
    active.sort_by(|a, b| a.name.cmp(&b.name));
    plan.status.active = (!active.is_empty()).then_some(active);
}

fn reference(cron: &CronJob, job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: Some(Job::api_version(&()).into_owned()),
        kind: Some(Job::kind(&()).into_owned()),
        name: Some(job.name_any()),
        namespace: cron.namespace(),
        uid: job.uid(),
        resource_version: job.resource_version(),
        ..ObjectReference::default()
    }
}

/// The oldest jobs go, the good and the bad each beyond their number.
fn history(spec: &CronJobSpec, jobs: &[Arc<Job>], plan: &mut Plan) {
    for (how, limit) in [("Complete", spec.successful_jobs_history_limit), ("Failed", spec.failed_jobs_history_limit)] {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
        let mut over: Vec<&Arc<Job>> =
            jobs.iter().filter(|job| ended(job).is_some_and(|(own, _)| own == how)).collect();
        over.sort_by_key(|job| Reverse((job.creation_timestamp().map(|time| time.0), job.name_any())));
        plan.forget.extend(over.into_iter().skip(limit).cloned());
    }
}

/// The last time that has come and was not served, and the next one.
fn times(
    cron: &CronJob,
    spec: &CronJobSpec,
    schedule: &Schedule,
    zone: &TimeZone,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let last = cron.status.as_ref().and_then(|status| status.last_schedule_time.as_ref()).map(|time| time.0);
    let mut after = last.or_else(|| cron.creation_timestamp().map(|time| time.0)).unwrap_or(now);
    if let Some(seconds) = spec.starting_deadline_seconds {
        after = after.max(now - SignedDuration::from_secs(seconds));
    }
    let mut due = None;
    for _ in 0..MANY {
        match schedule.next_after(after, zone) {
            Some(at) if at <= now => {
                due = Some(at);
                after = at;
            }
            next => return (due, next),
        }
    }
    // So many were missed that the last of them is looked for from shortly before the present.
    let next = schedule.next_after(now, zone);
    let gap = due.and_then(|due| Some(schedule.next_after(due, zone)?.duration_since(due)));
    let start = gap.map_or(now, |gap| now - gap - gap);
    let late = std::iter::successors(schedule.next_after(start, zone), |at| schedule.next_after(*at, zone));
    (late.take(MANY).take_while(|at| *at <= now).last().or(due), next)
}

fn run(cron: &CronJob, spec: &CronJobSpec, jobs: &[Arc<Job>], due: Timestamp, now: Timestamp, plan: &mut Plan) {
    if let Some(seconds) = spec.starting_deadline_seconds
        && now.duration_since(due) > SignedDuration::from_secs(seconds)
    {
        plan.notes.push((true, "MissSchedule", format!("Missed scheduled time to start a job: {due}")));
        return;
    }
    let running: Vec<&Arc<Job>> = jobs.iter().filter(|job| ended(job).is_none()).collect();
    match spec.concurrency_policy.as_deref() {
        Some("Forbid") if !running.is_empty() => {
            let why = "Not starting job because prior execution is running and concurrency policy is Forbid";
            plan.notes.push((false, "JobAlreadyActive", why.to_owned()));
            return;
        }
        Some("Replace") => plan.replace = running.into_iter().cloned().collect(),
        _ => {}
    }
    if !jobs.iter().any(|job| job.name_any() == name(cron, due)) {
        plan.create = Some(due);
    }
    plan.status.last_schedule_time = Some(Time(due));
}

/// The name of the job of a time: the same however often it is made.
pub(super) fn name(cron: &CronJob, due: Timestamp) -> String {
    format!("{}-{}", cron.name_any(), due.as_second() / 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cron(spec: Value, last: &str) -> CronJob {
        let mut cron = json!({
            "metadata": {"name": "c", "namespace": "default", "creationTimestamp": "2026-01-01T00:00:30Z"},
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {"template": {}}},
                "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 1},
            "status": {},
        });
        kpkg_api::patch::merge(&mut cron["spec"], &spec);
        if !last.is_empty() {
            cron["status"]["lastScheduleTime"] = json!(last);
        }
        serde_json::from_value(cron).unwrap()
    }

    fn job(name: &str, end: &str, minute: u8) -> Arc<Job> {
        let at = format!("2026-01-01T00:{minute:02}:00Z");
        let conditions =
            if end.is_empty() { json!([]) } else { json!([{"type": end, "status": "True", "lastTransitionTime": at}]) };
        Arc::new(
            serde_json::from_value(json!({
                "metadata": {"name": name, "uid": name, "creationTimestamp": at},
                "spec": {"template": {}}, "status": {"conditions": conditions},
            }))
            .unwrap(),
        )
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn jobs_are_made_when_due() {
        let running = [job("r", "", 1)];
        type Case<'a> = (&'a str, Value, &'a str, &'a [Arc<Job>], &'a str, Option<&'a str>, u64);
        let cases: [Case<'_>; 8] = [
            ("not yet", json!({}), "", &[], "2026-01-01T00:09:00Z", None, 60),
            ("now", json!({}), "", &[], "2026-01-01T00:10:00Z", Some("2026-01-01T00:10:00Z"), 600),
            ("served", json!({}), "2026-01-01T00:10:00Z", &[], "2026-01-01T00:10:05Z", None, 595),
            (
                "the last of several",
                json!({}),
                "2026-01-01T00:10:00Z",
                &[],
                "2026-01-01T01:05:00Z",
                Some("2026-01-01T01:00:00Z"),
                300,
            ),
            (
                "the last of many",
                json!({}),
                "2026-01-01T00:10:00Z",
                &[],
                "2026-02-01T01:05:00Z",
                Some("2026-02-01T01:00:00Z"),
                300,
            ),
            (
                "too late",
                json!({"startingDeadlineSeconds": 100}),
                "2026-01-01T00:10:00Z",
                &[],
                "2026-01-01T00:25:00Z",
                None,
                300,
            ),
            ("one at a time", json!({"concurrencyPolicy": "Forbid"}), "", &running, "2026-01-01T00:10:00Z", None, 600),
            (
                "in another zone",
                json!({"schedule": "0 9 * * *", "timeZone": "Europe/Berlin"}),
                "",
                &[],
                "2026-01-01T08:00:01Z",
                Some("2026-01-01T08:00:00Z"),
                86399,
            ),
        ];
        for (name, spec, last, jobs, now, want, wait) in cases {
            let plan = decide(&cron(spec, last), jobs, at(now));
            assert_eq!(plan.create, want.map(at), "{name}");
            assert_eq!(plan.look_again, Some(Duration::from_secs(wait)), "{name}");
        }
        let replaced = decide(&cron(json!({"concurrencyPolicy": "Replace"}), ""), &running, at("2026-01-01T00:10:00Z"));
        assert_eq!((replaced.replace.len(), replaced.create.is_some()), (1, true));
        let suspended = decide(&cron(json!({"suspend": true}), ""), &[], at("2026-01-01T00:10:00Z"));
        assert_eq!((suspended.create, suspended.look_again), (None, None));
    }

    #[test]
    fn history_is_kept_short() {
        let jobs = [job("a", "Complete", 1), job("b", "Complete", 2), job("c", "Failed", 3), job("d", "", 4)];
        let plan = decide(&cron(json!({}), ""), &jobs, at("2026-01-01T00:09:00Z"));
        let names: Vec<String> = plan.forget.iter().map(|job| job.name_any()).collect();
        assert_eq!(names, ["a"]);
        let active: Vec<_> = plan.status.active.iter().flatten().filter_map(|it| it.name.clone()).collect();
        assert_eq!(active, ["d"]);
        assert_eq!(plan.status.last_successful_time.map(|time| time.0), Some(at("2026-01-01T00:02:00Z")));
    }
}
