//! How fast the bare router answers, with everything in memory and one caller: `cargo run --release --example rate`.
//!
//! Prints microseconds a request. To be compared within one run, not between machines.

use axum::{Router, body::Body};
use http::{Method, Request};
use http_body_util::BodyExt;
use kpkg_apiserver::{ApiServer, Config, Identity, NoNodes};
use serde_json::{Value, json};
use std::{
    error::Error,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};
use tower::ServiceExt;

const PODS: &str = "/api/v1/namespaces/default/pods";
const COUNT: u32 = 2_000;
const WATCHES: usize = 100;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::new(Config::new_signing_key());
    let server = ApiServer::new(Arc::new(kpkg_store::Memory::default()), config, Arc::new(NoNodes));
    server.bootstrap().await?;
    let router = server.router();
    let account = json!({"metadata": {"name": "default"}});
    send(&router, Method::POST, "/api/v1/namespaces/default/serviceaccounts", account).await?;
    let mut out = std::io::stdout().lock();
    let mut report = |what: &str, took: Duration, times: u32| {
        writeln!(out, "{what:32} {:9.2} us", took.as_secs_f64() * 1e6 / f64::from(times))
    };

    let start = Instant::now();
    for number in 0..COUNT {
        let pod = json!({
            "metadata": {"name": format!("p{number}"), "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "nginx", "env": [{"name": "A", "value": "b"}]}]},
        });
        send(&router, Method::POST, PODS, pod).await?;
    }
    report("create", start.elapsed(), COUNT)?;

    let start = Instant::now();
    for number in 0..COUNT {
        send(&router, Method::GET, &format!("{PODS}/p{number}"), Value::Null).await?;
    }
    report("get", start.elapsed(), COUNT)?;

    for (what, query) in
        [("list all", ""), ("list 1 by label", "?labelSelector=app%3Dnone"), ("list a page of 100", "?limit=100")]
    {
        let start = Instant::now();
        for _ in 0..20 {
            send(&router, Method::GET, &format!("{PODS}{query}"), Value::Null).await?;
        }
        report(what, start.elapsed(), 20)?;
    }

    let start = Instant::now();
    for number in 0..COUNT {
        let patch = json!({"status": {"phase": "Running", "podIP": "10.0.0.1"}});
        send(&router, Method::PATCH, &format!("{PODS}/p{number}/status"), patch).await?;
    }
    report("patch of the status", start.elapsed(), COUNT)?;

    let mut watches = Vec::new();
    for _ in 0..WATCHES {
        let path = format!("{PODS}?watch=1&resourceVersion={}", version(&router).await?);
        watches.push(ask(&router, Method::GET, &path, Value::Null).await?.into_body());
    }
    let start = Instant::now();
    for number in 0..100 {
        let patch = json!({"metadata": {"annotations": {"a": number.to_string()}}});
        send(&router, Method::PATCH, &format!("{PODS}/p{number}"), patch).await?;
    }
    for watch in &mut watches {
        let mut lines = 0;
        while lines < 100 {
            let frame = watch.frame().await.ok_or("the watch ended")??;
            lines += frame.data_ref().map_or(0, |data| data.split(|byte| *byte == b'\n').count() - 1);
        }
    }
    report("patch seen by 100 watches", start.elapsed(), 100)?;
    Ok(())
}

async fn version(router: &Router) -> Result<String, Box<dyn Error>> {
    let list = send(router, Method::GET, &format!("{PODS}?limit=1"), Value::Null).await?;
    let list: Value = serde_json::from_slice(&list)?;
    Ok(list["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned())
}

async fn ask(router: &Router, method: Method, path: &str, body: Value) -> Result<http::Response<Body>, Box<dyn Error>> {
    let media_type = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let mut request = Request::builder().method(method).uri(path).header("content-type", media_type).body(body)?;
    request.extensions_mut().insert(Identity::master("rate"));
    Ok(router.clone().oneshot(request).await?)
}

async fn send(router: &Router, method: Method, path: &str, body: Value) -> Result<bytes::Bytes, Box<dyn Error>> {
    let response = ask(router, method, path, body).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    if status.is_success() { Ok(bytes) } else { Err(format!("{path}: {}", String::from_utf8_lossy(&bytes)).into()) }
}
