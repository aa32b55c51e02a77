//! Jobs, the schedules that make them, and daemons.

use k8s_openapi::api::{
    apps::v1::DaemonSet,
    batch::v1::{CronJob, Job},
    core::v1::Pod,
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

use crate::kit::{Cluster, ENDS, Options, container};

fn job(name: &str, end: &str, spec: &Value) -> Value {
    let annotations = if end.is_empty() { json!({}) } else { json!({ENDS: end}) };
    let mut job = json!({
        "metadata": {"name": name},
        "spec": {"template": {"metadata": {"annotations": annotations},
            "spec": {"restartPolicy": "Never", "containers": [container("busybox")]}}},
    });
    kpkg_api::patch::merge(&mut job["spec"], spec);
    job
}

/// Whether a condition of the job is true, and why.
async fn holds(cluster: &Cluster, name: &str, condition: &str) -> Option<String> {
    let job = cluster.get::<Job>(name).await;
    let all = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|it| it["type"] == condition && it["status"] == "True")?;
    found["reason"].as_str().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_to_its_end() {
    let cluster = Cluster::new().await;
    cluster.create::<Job>(job("j", "Succeeded", &json!({"completions": 4, "parallelism": 2}))).await;
    cluster.eventually("complete", async || holds(&cluster, "j", "Complete").await.is_some()).await;
    let done = cluster.get::<Job>("j").await;
    assert_eq!(holds(&cluster, "j", "Complete").await.as_deref(), Some("CompletionsReached"));
    assert_eq!((&done["status"]["succeeded"], &done["status"]["failed"]), (&json!(4), &Value::Null));
    assert!(done["status"]["completionTime"].is_string() && done["status"]["startTime"].is_string());
    let pods = cluster.list::<Pod>().await;
    assert_eq!(pods.len(), 4);
    assert!(pods.iter().all(|pod| pod.finalizers().is_empty()), "{pods:?}");
    assert_eq!(pods[0].labels().get("batch.kubernetes.io/job-name").map(String::as_str), Some("j"));
    cluster.eventually("an event", async || cluster.has_event("Completed", "Job completed").await).await;
    assert!(cluster.has_event("SuccessfulCreate", "Created pod: j-").await);
    cluster.steadily("no more pods", async || cluster.list::<Pod>().await.len() == 4).await;
    cluster.delete::<Job>("j", DeleteParams::background()).await;
    cluster.eventually("the pods are gone", async || cluster.list::<Pod>().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_too_often_has_failed() {
    let cluster = Cluster::new().await;
    cluster.create::<Job>(job("j", "Failed", &json!({"backoffLimit": 0}))).await;
    cluster.eventually("failed", async || holds(&cluster, "j", "Failed").await.is_some()).await;
    assert_eq!(holds(&cluster, "j", "Failed").await.as_deref(), Some("BackoffLimitExceeded"));
    assert_eq!(cluster.get::<Job>("j").await["status"]["failed"], 1);
    cluster
        .eventually("an event", async || cluster.has_event("BackoffLimitExceeded", "specified backoff limit").await)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_indexed_job_does_each_index() {
    let cluster = Cluster::new().await;
    let spec = json!({"completionMode": "Indexed", "completions": 5, "parallelism": 3, "ttlSecondsAfterFinished": 1});
    cluster.create::<Job>(job("j", "Succeeded", &spec)).await;
    cluster.eventually("complete", async || holds(&cluster, "j", "Complete").await.is_some()).await;
    assert_eq!(cluster.get::<Job>("j").await["status"]["completedIndexes"], "0-4");
    let pods = cluster.list::<Pod>().await;
    let mut hosts: Vec<_> = pods.iter().filter_map(|pod| pod.spec.as_ref()?.hostname.clone()).collect();
    hosts.sort();
    assert_eq!(hosts, ["j-0", "j-1", "j-2", "j-3", "j-4"]);
    let env = pods[0].spec.as_ref().and_then(|spec| spec.containers[0].env.clone()).unwrap_or_default();
    assert_eq!(env[0].name, "JOB_COMPLETION_INDEX");
    cluster.eventually("the job is gone", async || cluster.get::<Job>("j").await.is_null()).await;
    cluster.eventually("its pods are gone", async || cluster.list::<Pod>().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_suspended_and_resumed() {
    let cluster = Cluster::new().await;
    cluster.create::<Job>(job("j", "", &json!({"parallelism": 2, "completions": 2, "suspend": true}))).await;
    cluster.eventually("suspended", async || holds(&cluster, "j", "Suspended").await.is_some()).await;
    assert!(cluster.list::<Pod>().await.is_empty());
    cluster.patch::<Job>("j", json!({"spec": {"suspend": false}})).await;
    cluster.eventually("running", async || cluster.get::<Job>("j").await["status"]["active"] == 2).await;
    cluster.patch::<Job>("j", json!({"spec": {"suspend": true}})).await;
    cluster.eventually("no pods", async || cluster.list::<Pod>().await.is_empty()).await;
    assert_eq!(cluster.get::<Job>("j").await["status"]["failed"], Value::Null);
    cluster.patch::<Job>("j", json!({"spec": {"suspend": false, "parallelism": 1, "activeDeadlineSeconds": 1}})).await;
    cluster
        .eventually("too long", async || holds(&cluster, "j", "Failed").await.as_deref() == Some("DeadlineExceeded"))
        .await;
    cluster.eventually("no pods", async || cluster.pods().await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_makes_jobs() {
    let cluster = Cluster::new().await;
    let template = job("x", "Succeeded", &json!({}));
    let cron = json!({"metadata": {"name": "c"}, "spec": {"schedule": "@every 1s", "successfulJobsHistoryLimit": 1,
        "jobTemplate": {"spec": template["spec"]}}});
    cluster.create::<CronJob>(cron).await;
    let counted = async || cluster.get::<CronJob>("c").await["status"]["lastSuccessfulTime"].is_string();
    cluster.eventually("a job has run", counted).await;
    cluster.patch::<CronJob>("c", json!({"spec": {"suspend": true}})).await;
    cluster.eventually("an event", async || cluster.has_event("SuccessfulCreate", "Created job c-").await).await;
    cluster.delete::<CronJob>("c", DeleteParams::background()).await;
    cluster
        .eventually("all is gone", async || {
            cluster.list::<Job>().await.is_empty() && cluster.list::<Pod>().await.is_empty()
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_runs_on_every_node() {
    let cluster = Cluster::with(Options { nodes: &["n1", "n2"], ..Options::default() }).await;
    let set = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [container("a")]}}}});
    cluster.create::<DaemonSet>(set).await;
    let ready = async |count: i64| cluster.get::<DaemonSet>("d").await["status"]["numberAvailable"] == count;
    cluster.eventually("two", async || ready(2).await).await;
    cluster.join("n3").await;
    cluster.eventually("three", async || ready(3).await).await;
    let change = json!({"spec": {"template": {"spec": {"containers": [container("b")]}}}});
    cluster.patch::<DaemonSet>("d", change).await;
    let renewed = async || {
        let pods = cluster.pods().await;
        let new = |pod: &Pod| pod.spec.as_ref().is_some_and(|spec| spec.containers[0].image.as_deref() == Some("b"));
        pods.len() == 3 && pods.iter().all(new) && ready(3).await
    };
    cluster.eventually("all are renewed", renewed).await;
}
