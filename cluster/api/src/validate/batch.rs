//! Job and CronJob.

use super::{
    FieldError,
    checks::{self, Errors},
    path::Path,
    pod,
};
use crate::{cron::Schedule, value::Read as _};
use serde_json::Value;

const SPEC: Path<'_> = Path::root("spec");
/// The most pods that an indexed job may have at once, and in all.
const MAX_PARALLELISM: i64 = 100_000;
/// What a CronJob adds to its name to name its jobs is eleven characters.
const MAX_CRON_NAME: usize = 52;

/// Checks a Job.
pub(super) fn job(object: &Value, errors: &mut Errors) {
    job_spec(&object["spec"], &SPEC, errors);
    if object["spec"]["selector"].is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    }
}

/// Checks what changed in a Job.
pub(super) fn job_update(old: &Value, new: &Value, errors: &mut Errors) {
    let (old, new) = (&old["spec"], &new["spec"]);
    let indexed = new.text("completionMode") == "Indexed";
    if !indexed || new["completions"] != new["parallelism"] {
        checks::immutable(&SPEC.child("completions"), &old["completions"], &new["completions"], errors);
    }
    for name in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
    {
        checks::immutable(&SPEC.child(name), &old[name], &new[name], errors);
    }
    let (mut before, mut after) = (old["template"].clone(), new["template"].clone());
    if old.flag("suspend") {
        // What decides where pods run may change until they do.
        for template in [&mut before, &mut after] {
            template["metadata"] = Value::Null;
            for name in ["nodeSelector", "tolerations", "schedulingGates", "affinity"] {
                template["spec"][name] = Value::Null;
            }
        }
    }
    checks::immutable(&SPEC.child("template"), &before, &after, errors);
}

/// Checks a CronJob.
pub(super) fn cron_job(object: &Value, errors: &mut Errors) {
    let name = object["metadata"].text("name");
    if name.len() > MAX_CRON_NAME {
        errors.push(FieldError::invalid("metadata.name", name, "must be no more than 52 characters"));
    }
    let spec = &object["spec"];
    let schedule = spec.text("schedule");
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if schedule.contains("TZ") {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.push(FieldError::invalid("spec.schedule", schedule, why));
    } else if let Err(error) = Schedule::parse(schedule) {
        errors.push(FieldError::invalid("spec.schedule", schedule, error.to_string()));
    }
    if let Some(zone) = spec["timeZone"].as_str()
        && (zone.is_empty() || jiff::tz::TimeZone::get(zone).is_err())
    {
        errors.push(FieldError::invalid("spec.timeZone", zone, format!("unknown time zone {zone}")));
    }
    let supported = ["Allow", "Forbid", "Replace"];
    checks::one_of(&SPEC.child("concurrencyPolicy"), spec.text("concurrencyPolicy"), &supported, errors);
    for name in ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"] {
        checks::nonnegative(spec, name, &SPEC, errors);
    }
    let template = SPEC.child("jobTemplate");
    let template_spec = template.child("spec");
    job_spec(&spec["jobTemplate"]["spec"], &template_spec, errors);
    if spec["jobTemplate"]["spec"].flag("manualSelector") {
        let path = template_spec.child("manualSelector");
        errors.push(FieldError::not_supported(path, true, &["nil", "false"]));
    }
}

fn job_spec(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    for name in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        checks::nonnegative(spec, name, path, errors);
    }
    indexes(spec, path, errors);
    if let Some(mode) = spec["completionMode"].as_str() {
        checks::one_of(&path.child("completionMode"), mode, &["Indexed", "NonIndexed"], errors);
    }
    let template = path.child("template");
    pod::template(&spec["template"], &template, errors);
    let policy = spec["template"]["spec"].text("restartPolicy");
    let policy_path = template.child("spec");
    let policy_path = policy_path.child("restartPolicy");
    if !matches!(policy, "OnFailure" | "Never") {
        errors.push(FieldError::required(policy_path, "valid values: \"OnFailure\", \"Never\""));
    } else if spec.has("podFailurePolicy") && policy != "Never" {
        let why = "only \"Never\" is supported when podFailurePolicy is specified";
        errors.push(FieldError::invalid(policy_path, policy, why));
    }
    failure_policy(&spec["podFailurePolicy"], &path.child("podFailurePolicy"), errors);
    success_policy(spec, &path.child("successPolicy"), errors);
}

fn indexes(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let indexed = spec.text("completionMode") == "Indexed";
    if indexed {
        if !spec.has("completions") {
            errors.push(FieldError::required(path.child("completions"), "when completion mode is Indexed"));
        }
        for name in ["completions", "parallelism"] {
            if let Some(count) = spec.int(name).filter(|count| *count > MAX_PARALLELISM && name == "parallelism") {
                let why = format!("must be less than or equal to {MAX_PARALLELISM} when completion mode is Indexed");
                errors.push(FieldError::invalid(path.child(name), count, why));
            }
        }
    } else {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(value) = spec.int(name) {
                let why = "requires indexed completion mode";
                errors.push(FieldError::invalid(path.child(name), value, why));
            }
        }
    }
    if spec.has("maxFailedIndexes") && !spec.has("backoffLimitPerIndex") {
        errors.push(FieldError::required(path.child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"));
    }
}

fn failure_policy(policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("rules");
    for (at, rule) in policy.items("rules").iter().enumerate() {
        let path = list.index(at);
        let actions = ["Count", "FailIndex", "FailJob", "Ignore"];
        checks::one_of(&path.child("action"), rule.text("action"), &actions, errors);
        let by_code = rule.has("onExitCodes");
        if by_code != rule.items("onPodConditions").is_empty() {
            let why = if by_code {
                "specifying both OnExitCodes and OnPodConditions is not supported"
            } else {
                "specifying one of OnExitCodes and OnPodConditions is required"
            };
            errors.push(FieldError::invalid(path, rule.clone(), why));
        }
        if by_code {
            let codes = path.child("onExitCodes");
            let requirement = &rule["onExitCodes"];
            checks::one_of(&codes.child("operator"), requirement.text("operator"), &["In", "NotIn"], errors);
            if requirement.items("values").is_empty() {
                errors.push(FieldError::invalid(
                    codes.child("values"),
                    Value::Array(Vec::new()),
                    "at least one value is required",
                ));
            }
            let zero = requirement.items("values").iter().any(|code| code == 0);
            if zero && requirement.text("operator") == "In" {
                errors.push(FieldError::invalid(codes.child("values"), 0, "must not be 0 for the In operator"));
            }
        }
    }
}

fn success_policy(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let policy = &spec["successPolicy"];
    if policy.is_null() {
        return;
    }
    if spec.text("completionMode") != "Indexed" {
        errors.push(FieldError::invalid(path, policy.clone(), "requires indexed completion mode"));
    }
    let list = path.child("rules");
    if policy.items("rules").is_empty() {
        errors.push(FieldError::required(
            list,
            "at least one rules must be specified when the successPolicy is specified",
        ));
    }
    for (at, rule) in policy.items("rules").iter().enumerate() {
        if !rule.has("succeededIndexes") && !rule.has("succeededCount") {
            let why = "at least one of succeededCount or succeededIndexes must be specified";
            errors.push(FieldError::required(list.index(at), why));
        }
    }
}
