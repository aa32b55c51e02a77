//! Pods: from created to running, one at a time, at a steady pace and all at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kpkg_tests::images::BUSYBOX;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};

use crate::{percentile, show};

/// Measures and prints.
pub(crate) async fn run(client: kube::Client) -> Result<()> {
    let api: Api<Pod> = Api::namespaced(client, "default");
    let mut alone = start(&api, "alone", 10, Some(Duration::from_millis(500))).await?;
    println!(
        "pod start alone: p50 {}, p99 {}",
        show(percentile(&mut alone.0, 0.5)),
        show(percentile(&mut alone.0, 0.99))
    );
    let mut paced = start(&api, "paced", 40, Some(Duration::from_millis(50))).await?;
    println!(
        "pod start at 20 a second: p50 {}, p99 {}",
        show(percentile(&mut paced.0, 0.5)),
        show(percentile(&mut paced.0, 0.99))
    );
    let all = start(&api, "all", 100, None).await?;
    println!("100 pods at once: {:.1} pods a second", 100.0 / all.1.as_secs_f64());
    Ok(())
}

/// Starts pods and waits until all run: the time of each, and of all. Deletes them again.
async fn start(api: &Api<Pod>, label: &str, count: usize, pace: Option<Duration>) -> Result<(Vec<Duration>, Duration)> {
    let selector = format!("bench={label}");
    let revision = api.list_metadata(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    let mut events = api.watch(&WatchParams::default().labels(&selector), &revision).await?.boxed();
    let begun = Instant::now();
    let maker = {
        let (api, label) = (api.clone(), label.to_owned());
        tokio::spawn(async move {
            let mut created = HashMap::new();
            for number in 0..count {
                let pod = pod(&label, number)?;
                created.insert(pod.name_any(), Instant::now());
                api.create(&PostParams::default(), &pod).await?;
                if let Some(pace) = pace {
                    tokio::time::sleep(pace).await;
                }
            }
            anyhow::Ok(created)
        })
    };
    let mut running: HashMap<String, Instant> = HashMap::new();
    while running.len() < count {
        if let Some(WatchEvent::Modified(pod)) = events.try_next().await?
            && pod.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running")
        {
            running.entry(pod.name_any()).or_insert_with(Instant::now);
        }
    }
    let total = begun.elapsed();
    let created = maker.await??;
    let times = running.iter().map(|(name, at)| at.duration_since(created[name])).collect();
    let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    api.delete_collection(&now, &ListParams::default().labels(&selector)).await?;
    while !api.list_metadata(&ListParams::default().labels(&selector)).await?.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok((times, total))
}

fn pod(label: &str, number: usize) -> Result<Pod> {
    Ok(serde_json::from_value(serde_json::json!({
        "metadata": {"name": format!("bench-{label}-{number}"), "labels": {"bench": label}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "containers": [{"name": "app", "image": BUSYBOX, "command": ["sleep", "1000"]}],
        },
    }))?)
}
