//! A world that is as it should be is left alone.

use std::collections::BTreeMap;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{ControllerRevision, Deployment, ReplicaSet, StatefulSet},
        core::v1::{ConfigMap, Endpoints, PersistentVolumeClaim, Pod, Service, ServiceAccount},
        discovery::v1::EndpointSlice,
    },
};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::kit::{Cluster, container, is_ready};

type Versions = BTreeMap<String, Option<String>>;

async fn note<K>(cluster: &Cluster, versions: &mut Versions)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    for object in cluster.list::<K>().await {
        versions.insert(format!("{} {}", K::kind(&()), object.name_any()), object.resource_version());
    }
}

async fn versions(cluster: &Cluster) -> Versions {
    let mut versions = Versions::new();
    note::<Deployment>(cluster, &mut versions).await;
    note::<ReplicaSet>(cluster, &mut versions).await;
    note::<StatefulSet>(cluster, &mut versions).await;
    note::<ControllerRevision>(cluster, &mut versions).await;
    note::<Pod>(cluster, &mut versions).await;
    note::<PersistentVolumeClaim>(cluster, &mut versions).await;
    note::<Service>(cluster, &mut versions).await;
    note::<Endpoints>(cluster, &mut versions).await;
    note::<EndpointSlice>(cluster, &mut versions).await;
    note::<ConfigMap>(cluster, &mut versions).await;
    note::<ServiceAccount>(cluster, &mut versions).await;
    versions
}

#[tokio::test]
async fn nothing_is_written_once_all_is_settled() {
    let cluster = Cluster::new().await;
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container("v1")]}});
    let selector = json!({"matchLabels": {"app": "web"}});
    let web = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "selector": selector, "template": template}});
    cluster.create::<Deployment>(web).await;
    let template = json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [container("v1")]}});
    let db = json!({"metadata": {"name": "db"}, "spec": {"replicas": 2, "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}}, "template": template,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}});
    cluster.create::<StatefulSet>(db).await;
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    cluster.create::<Service>(service).await;
    let ready = async || cluster.pods().await.iter().filter(|pod| is_ready(pod)).count() == 5;
    cluster.eventually("five pods", ready).await;
    let mut last = versions(&cluster).await;
    let mut quiet = 0;
    let settles = async || {
        let now = versions(&cluster).await;
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        quiet > 20
    };
    cluster.eventually("no version changes any more", settles).await;
}
