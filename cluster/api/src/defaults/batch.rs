//! Job and CronJob.

use super::{Object, at, each, make, pod, set, text};
use serde_json::json;

pub(super) fn job(object: &mut Object) {
    let labels = object
        .get("spec")
        .and_then(|spec| spec.pointer("/template/metadata/labels"))
        .filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty()))
        .cloned();
    if let Some(labels) = labels {
        let metadata = make(object, "metadata");
        if metadata.get("labels").and_then(|own| own.as_object()).is_none_or(serde_json::Map::is_empty) {
            metadata.insert("labels".to_owned(), labels);
        }
    }
    let spec = make(object, "spec");
    // Neither said: one pod. Only parallelism said: a queue of work.
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        set(spec, "completions", 1);
    }
    set(spec, "parallelism", 1);
    let unlimited = spec.contains_key("backoffLimitPerIndex");
    set(spec, "backoffLimit", if unlimited { i64::from(i32::MAX) } else { 6 });
    set(spec, "completionMode", "NonIndexed");
    set(spec, "suspend", false);
    set(spec, "manualSelector", false);
    let has_policy = spec.contains_key("podFailurePolicy");
    set(spec, "podReplacementPolicy", if has_policy { "Failed" } else { "TerminatingOrFailed" });
    if let Some(policy) = at(spec, "podFailurePolicy") {
        for rule in each(policy, "rules") {
            for pattern in each(rule, "onPodConditions") {
                set(pattern, "status", "True");
            }
        }
    }
    pod::template(spec);
}

pub(super) fn cron_job(object: &mut Object) {
    let spec = make(object, "spec");
    if text(spec, "concurrencyPolicy").is_empty() {
        spec.insert("concurrencyPolicy".to_owned(), json!("Allow"));
    }
    set(spec, "suspend", false);
    set(spec, "successfulJobsHistoryLimit", 3);
    set(spec, "failedJobsHistoryLimit", 1);
    let template = make(make(spec, "jobTemplate"), "spec");
    pod::template(template);
}
