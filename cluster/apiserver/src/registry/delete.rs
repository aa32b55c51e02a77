//! Delete: at once, or marked and finished by whoever holds the object back.

use super::{Context, ListOptions, Modified, Selection, Step, metadata, modify};
use crate::{ApiServer, failure::Result, query::Query, shelf::Object, strategy};
use jiff::SignedDuration;
use kpkg_api::{
    meta,
    schema::Kind,
    status::{self, Status},
    time,
    validate::FieldError,
};
use serde_json::{Value, json};
use std::sync::Arc;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

/// What a client wants of a deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) grace: Option<i64>,
    pub(crate) propagation: Option<Propagation>,
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) dry_run: bool,
}

/// How a deletion ended.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone.
    Gone(Arc<Object>),
    /// The object is marked; somebody will finish it.
    Marked(Arc<Object>),
}

impl DeleteOptions {
    /// Reads a decoded `DeleteOptions`, or null, and what the query adds.
    pub(crate) fn parse(body: &Value, query: &Query) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let grace = match body["gracePeriodSeconds"].as_i64() {
            Some(grace) => Some(grace),
            None => query.integer("gracePeriodSeconds")?,
        };
        let policy = match body["propagationPolicy"].as_str() {
            Some(policy) => policy.to_owned(),
            None => query.text("propagationPolicy").to_owned(),
        };
        let orphan = body["orphanDependents"]
            .as_bool()
            .or_else(|| query.has("orphanDependents").then(|| query.flag("orphanDependents")));
        let from_body = body["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            grace,
            propagation: propagation(&policy, orphan)?,
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: super::is_dry_run(from_body.chain(query.all("dryRun")))?,
        })
    }
}

fn propagation(policy: &str, orphan: Option<bool>) -> Result<Option<Propagation>> {
    let invalid = |fault| Err(Status::invalid_kind("meta.k8s.io", "DeleteOptions", "", &[fault]));
    match (policy, orphan) {
        ("", None) => Ok(None),
        ("", Some(true)) | ("Orphan", None) => Ok(Some(Propagation::Orphan)),
        ("", Some(false)) | ("Background", None) => Ok(Some(Propagation::Background)),
        ("Foreground", None) => Ok(Some(Propagation::Foreground)),
        (_, Some(_)) => invalid(FieldError::invalid(
            "propagationPolicy",
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        )),
        (other, None) => {
            invalid(FieldError::not_supported("propagationPolicy", other, &["Background", "Foreground", "Orphan"]))
        }
    }
}

impl Deleted {
    /// The answer's body.
    pub(crate) fn into_value(self, kind: &Kind) -> Value {
        match self {
            Self::Gone(object) if !strategy::of(kind).returns_deleted => {
                status::success(kind.group, kind.plural, meta::name(&object.value), meta::uid(&object.value))
            }
            Self::Gone(object) | Self::Marked(object) => super::shown(kind, &object.value).into_owned(),
        }
    }
}

impl ApiServer {
    /// Deletes an object, or marks it for those who must let go of it first.
    pub(crate) async fn delete(
        &self,
        context: &Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted> {
        let mut decide = |object: &Object| {
            let old = &object.value;
            modify::check_preconditions(kind, old, &options.uid, &options.resource_version)?;
            Ok(step(context, kind, old, options))
        };
        Ok(match self.modify(context, kind, namespace, name, &mut decide).await? {
            Modified::Removed(object) => Deleted::Gone(object),
            Modified::Written(object) | Modified::Kept(object) => Deleted::Marked(object),
        })
    }

    /// Deletes what is selected; answers what was.
    pub(crate) async fn delete_collection(
        &self,
        context: &Context,
        kind: &'static Kind,
        namespace: Option<&str>,
        selection: &Selection,
        options: &DeleteOptions,
    ) -> Result<Vec<Arc<Object>>> {
        let listed = self.list(kind, namespace, selection, &ListOptions::default()).await?;
        for object in &listed.objects {
            let (namespace, name) = (meta::namespace(&object.value), meta::name(&object.value));
            let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
            let options = DeleteOptions { uid: meta::uid(&object.value).to_owned(), ..options.clone() };
            match self.delete(context, kind, namespace, name, &options).await {
                Err(status) if !matches!(status.code(), 404 | 409) => return Err(status),
                _ => {}
            }
        }
        Ok(listed.objects)
    }
}

/// What a deletion does to the object as it is.
fn step(context: &Context, kind: &Kind, old: &Value, options: &DeleteOptions) -> Step {
    let mut new = old.clone();
    set_finalizers(&mut new, options.propagation);
    let grace = grace(kind, old, options.grace);
    if let Some(at) = meta::deletion_timestamp(old) {
        shorten(old, &mut new, at, grace, options.grace);
    } else {
        let at = context.now + SignedDuration::from_secs(grace);
        metadata::mark_deleted(&mut new, time::seconds(at), grace);
        if kind.is("", "Namespace") {
            new["status"]["phase"] = json!("Terminating");
        }
    }
    if metadata::is_finished(&new) { Step::Remove } else { Step::Write(new) }
}

/// An object that is being deleted can only be deleted sooner.
fn shorten(old: &Value, new: &mut Value, at: &str, grace: i64, asked: Option<i64>) {
    let left = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default();
    if asked.is_none() || grace >= left {
        return;
    }
    let sooner = time::parse(at).map(|at| at - SignedDuration::from_secs(left - grace));
    let at = sooner.map_or_else(|| at.to_owned(), time::seconds);
    metadata::mark_deleted(new, at, grace);
}

/// How long a pod may take to end. Nothing else has a grace.
fn grace(kind: &Kind, object: &Value, asked: Option<i64>) -> i64 {
    if !kind.is("", "Pod") {
        return 0;
    }
    let spec = &object["spec"];
    let unscheduled = spec["nodeName"].as_str().unwrap_or_default().is_empty();
    let over = matches!(object["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if unscheduled || over {
        return 0;
    }
    match asked.or_else(|| spec["terminationGracePeriodSeconds"].as_i64()).unwrap_or(30) {
        negative if negative < 0 => 1,
        grace => grace,
    }
}

/// The garbage collector works by finalizers.
fn set_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let wanted = match propagation {
        None => return,
        Some(Propagation::Background) => None,
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Orphan) => Some(ORPHAN),
    };
    let mut finalizers: Vec<Value> = meta::finalizers(object)
        .filter(|finalizer| ![ORPHAN, FOREGROUND].contains(finalizer))
        .map(Value::from)
        .collect();
    finalizers.extend(wanted.map(Value::from));
    let metadata = meta::metadata_mut(object);
    if finalizers.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".to_owned(), finalizers.into());
    }
}
