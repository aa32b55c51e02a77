//! Renders a chart for a release, against a cluster or for none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kpkg_chart::{Chart, ClusterFacts, KubeVersion, LookupKey, ReleaseInfo, Rendered, Values};

use crate::cluster::Cluster;
use crate::desired::{self, Document, Scope};
use crate::error::Result;
use crate::object::ObjectId;
use crate::order;
use crate::plan::Desired;
use crate::record::{Hook, HookRun};

/// A chart rendered for one release.
#[derive(Debug)]
pub struct Prepared {
    /// The release's name.
    pub name: String,
    /// The namespace it goes to.
    pub namespace: String,
    /// The revision that templates were told.
    pub revision: i64,
    /// The chart in the form in which records keep it.
    pub chart: serde_json::Value,
    /// The values that the user gave.
    pub config: serde_json::Value,
    /// The rendered objects as text, hooks apart.
    pub manifest: String,
    /// The rendered notes.
    pub notes: String,
    /// The same as objects.
    pub desired: Desired,
}

/// What templates may know of `cluster` before they run: versions, no objects yet.
pub fn facts(cluster: &Cluster) -> ClusterFacts {
    let mut parts = cluster.version.trim_start_matches('v').split('.');
    let mut next = || parts.next().unwrap_or_default().to_owned();
    ClusterFacts {
        kube_version: KubeVersion { version: cluster.version.clone(), major: next(), minor: next() },
        api_versions: cluster.api_versions(),
        objects: std::collections::BTreeMap::new(),
        resolver: None,
    }
}

/// Answers what templates asked by `lookup`; `false` if nothing new was learnt.
pub async fn learn(cluster: &Cluster, facts: &mut ClusterFacts, asked: &[LookupKey]) -> Result<bool> {
    let mut learnt = false;
    for key in asked {
        if facts.objects.contains_key(key) {
            continue;
        }
        let found = look(cluster, key).await?;
        facts.objects.insert(key.clone(), kpkg_yaml::Value::from_json(&found));
        learnt = true;
    }
    Ok(learnt)
}

/// As Helm's `lookup`: an object, a list, or an empty map for what does not exist.
async fn look(cluster: &Cluster, key: &LookupKey) -> Result<serde_json::Value> {
    let nothing = serde_json::json!({});
    if cluster.is_namespaced(&key.api_version, &key.kind).is_none() {
        return Ok(nothing);
    }
    if key.name.is_empty() {
        let items = cluster.list(&key.api_version, &key.kind, &key.namespace, "").await?;
        return Ok(serde_json::json!({
            "apiVersion": key.api_version, "kind": format!("{}List", key.kind), "items": items,
        }));
    }
    let id = ObjectId {
        api_version: key.api_version.clone(),
        kind: key.kind.clone(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    };
    Ok(cluster.get(&id).await?.unwrap_or(nothing))
}

/// What a rendered chart means for a cluster, of which only the scopes of its kinds matter here: its objects, and what the
/// record keeps of it.
pub fn prepare(
    chart: &Chart,
    values: &Values,
    rendered: &Rendered,
    release: &ReleaseInfo,
    scope: Scope<'_>,
    with_crds: bool,
) -> Result<Prepared> {
    let documents: Vec<Document> = rendered
        .manifests
        .iter()
        .map(|manifest| Document { source: manifest.source.clone(), text: manifest.text.clone() })
        .collect();
    let hooks: Vec<Hook> = rendered.hooks.iter().map(hook).collect();
    let crds = if with_crds { crds(chart) } else { Vec::new() };
    let mut desired = Desired::parse(&crds, &documents, &hooks, &release.namespace, scope)?;
    chart_orders(chart, chart.name(), &mut desired.charts);
    Ok(Prepared {
        name: release.name.clone(),
        namespace: release.namespace.clone(),
        revision: release.revision,
        chart: recorded_chart(chart),
        config: kpkg_yaml::Value::Map(values.supplied.clone()).to_json(),
        manifest: desired::join(&documents),
        notes: rendered.notes.clone(),
        desired,
    })
}

/// What the charts' own annotations say about the order of their subcharts.
fn chart_orders(chart: &Chart, path: &str, order: &mut order::ChartOrder) {
    if let Some(text) = chart.metadata.annotations.get(order::RESOURCES) {
        order::chart_order(path, text, order);
    }
    for subchart in &chart.dependencies {
        chart_orders(subchart, &format!("{path}/charts/{}", subchart.name()), order);
    }
}

fn hook(hook: &kpkg_chart::Hook) -> Hook {
    Hook {
        name: hook.manifest.name.clone(),
        kind: hook.manifest.kind.clone(),
        path: hook.manifest.source.clone(),
        manifest: hook.manifest.text.clone(),
        events: hook.events.clone(),
        last_run: HookRun::default(),
        weight: hook.weight,
        delete_policies: hook.delete_policies.clone(),
        output_log_policies: hook.output_log_policies.clone(),
    }
}

/// The definitions in the charts' `crds/` folders, document by document.
fn crds(chart: &Chart) -> Vec<Document> {
    let mut documents = Vec::new();
    for crd in chart.crds() {
        documents.extend(
            desired::split(&crd.file.text())
                .into_iter()
                .map(|document| Document { source: crd.source.clone(), text: document.text }),
        );
    }
    documents
}

/// The chart as Helm records it: metadata, templates and files, the latter two in base64.
fn recorded_chart(chart: &Chart) -> serde_json::Value {
    let files = |files: &[kpkg_chart::File]| -> serde_json::Value {
        files.iter().map(|file| serde_json::json!({"name": *file.name, "data": STANDARD.encode(file.data())})).collect()
    };
    serde_json::json!({
        "metadata": chart.metadata,
        "lock": chart.lock,
        "templates": files(&chart.templates),
        "values": kpkg_yaml::Value::Map((*chart.values).clone()).to_json(),
        "schema": chart.schema.as_ref().map(|schema| STANDARD.encode(schema.data())),
        "files": files(&chart.files),
    })
}
