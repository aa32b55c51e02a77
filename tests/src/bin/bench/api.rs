//! Rates of the API over TLS: create, get, list, watch.

use std::time::Instant;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams, WatchEvent, WatchParams};

/// How many objects are made.
const OBJECTS: usize = 2000;
/// How many requests are under way at once.
const AT_ONCE: usize = 32;

/// Measures and prints.
pub(crate) async fn run(client: kube::Client) -> Result<()> {
    let api: Api<ConfigMap> = Api::namespaced(client, "default");
    let revision = api.list_metadata(&ListParams::default()).await?.metadata.resource_version.unwrap_or_default();
    let watched = tokio::spawn(count_events(api.clone(), revision));

    let begun = Instant::now();
    stream::iter(0..OBJECTS)
        .map(|number| {
            let api = api.clone();
            async move { api.create(&PostParams::default(), &object(number)).await.map(drop) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    println!("create: {} a second, {AT_ONCE} at once", rate(OBJECTS, begun));
    watched.await??;
    println!("watch: {} events a second, as they are made", rate(OBJECTS, begun));

    let begun = Instant::now();
    stream::iter(0..OBJECTS)
        .map(|number| {
            let api = api.clone();
            async move { api.get(&name(number)).await.map(drop) }
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    println!("get: {} a second, {AT_ONCE} at once", rate(OBJECTS, begun));

    let begun = Instant::now();
    for _ in 0..10 {
        api.list(&ListParams::default()).await?;
    }
    println!("list: {} objects a second", rate(OBJECTS * 10, begun));
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("bench=api")).await?;
    Ok(())
}

async fn count_events(api: Api<ConfigMap>, revision: String) -> Result<()> {
    let mut events = api.watch(&WatchParams::default().labels("bench=api"), &revision).await?.boxed();
    let mut seen = 0;
    while seen < OBJECTS {
        if let Some(WatchEvent::Added(_)) = events.try_next().await? {
            seen += 1;
        }
    }
    Ok(())
}

fn name(number: usize) -> String {
    format!("bench-{number}")
}

fn object(number: usize) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(number)),
            labels: Some([("bench".to_owned(), "api".to_owned())].into()),
            ..ObjectMeta::default()
        },
        data: Some([("text".to_owned(), "x".repeat(500))].into()),
        ..ConfigMap::default()
    }
}

fn rate(count: usize, begun: Instant) -> String {
    format!("{:.0}", count as f64 / begun.elapsed().as_secs_f64())
}
