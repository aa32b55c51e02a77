//! Jobs and CronJobs.

use super::{Columns, NAMED, age, containers, count, items, number, selector, text, text_or_none, wide};
use jiff::Timestamp;
use serde_json::Value;

/// How Jobs are shown.
pub(super) const JOB: Columns = Columns {
    columns: &[
        text("Status"),
        text("Completions"),
        text("Duration"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object| {
        let (names, images) = containers(object);
        vec![status(object).into(), completions(object), duration(object), age(object), names, images, selector(object)]
    },
    ..NAMED
};

/// How CronJobs are shown.
pub(super) const CRON_JOB: Columns = Columns {
    columns: &[
        text("Schedule"),
        text("Timezone"),
        text("Suspend"),
        number("Active"),
        text("Last Schedule"),
        text("Age"),
        wide("Containers"),
        wide("Images"),
        wide("Selector"),
    ],
    cells: |object| {
        let last = &object["status"]["lastScheduleTime"];
        let (names, images) = containers(&object["spec"]["jobTemplate"]);
        vec![
            object["spec"]["schedule"].clone(),
            text_or_none(object, "/spec/timeZone"),
            (if object["spec"]["suspend"] == true { "True" } else { "False" }).into(),
            items(object, "/status/active").count().into(),
            if last.is_string() { super::age::since(last).into() } else { "<none>".into() },
            age(object),
            names,
            images,
            selector(&object["spec"]["jobTemplate"]),
        ]
    },
    ..NAMED
};

fn status(job: &Value) -> &'static str {
    let has = |wanted: &str| {
        items(job, "/status/conditions").any(|condition| condition["type"] == wanted && condition["status"] == "True")
    };
    let terminating = !job["metadata"]["deletionTimestamp"].is_null();
    let words = [
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ];
    match words.into_iter().find(|(condition, _)| has(condition)) {
        Some((_, word)) => word,
        None if terminating => "Terminating",
        None => "Running",
    }
}

fn completions(job: &Value) -> Value {
    let succeeded = count(job, "/status/succeeded");
    let text = match job["spec"]["completions"].as_i64() {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None => match count(job, "/spec/parallelism") {
            several @ 2.. => format!("{succeeded}/1 of {several}"),
            _ => format!("{succeeded}/1"),
        },
    };
    text.into()
}

fn duration(job: &Value) -> Value {
    let time = |key: &str| job["status"][key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(start) = time("startTime") else { return "".into() };
    let end = time("completionTime").unwrap_or_else(Timestamp::now);
    super::age::human(end.duration_since(start)).into()
}
