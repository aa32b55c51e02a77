//! Jobs: a selector of their own.

use kpkg_api::meta;
use serde_json::{Map, Value, json};

/// The labels by which a job's pods are known.
const UID: &str = "batch.kubernetes.io/controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
const OLD_UID: &str = "controller-uid";
const OLD_NAME: &str = "job-name";

/// Unless told otherwise, a job selects the pods that carry its uid.
pub(super) fn create(job: &mut Value) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let (uid, name) = (meta::uid(job).to_owned(), meta::name(job).to_owned());
    let template = meta::child_mut(job, "spec").entry("template").or_insert_with(|| json!({}));
    let labels = meta::metadata_mut(template).entry("labels").or_insert_with(|| json!({}));
    if let Value::Object(labels) = labels {
        for (key, value) in [(NAME, &name), (OLD_NAME, &name), (UID, &uid), (OLD_UID, &uid)] {
            labels.insert(key.to_owned(), value.as_str().into());
        }
    }
    let selector = meta::child_mut(job, "spec").entry("selector").or_insert_with(|| json!({}));
    let chosen =
        selector.as_object_mut().map(|selector| selector.entry("matchLabels").or_insert_with(|| Map::new().into()));
    if let Some(Value::Object(chosen)) = chosen {
        chosen.insert(UID.to_owned(), uid.into());
    }
}
