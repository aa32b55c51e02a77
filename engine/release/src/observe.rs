//! Reads live objects: many of a kind by one list, few by their names.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::ObjectId;
use crate::plan::Observed;

/// From how many objects of a kind in a namespace a list is cheaper than asking for each.
const LIST_FROM: usize = 8;
/// Requests under way at once.
const PARALLEL: usize = 16;

/// The live twins of `ids`; those that do not exist, or whose kinds do not, are left out.
pub async fn observe<'a>(cluster: &Cluster, ids: impl IntoIterator<Item = &'a ObjectId>) -> Result<Observed> {
    let mut groups: BTreeMap<(&str, &str, &str), BTreeSet<&ObjectId>> = BTreeMap::new();
    for id in ids {
        if cluster.is_namespaced(&id.api_version, &id.kind).is_some() {
            groups.entry((&id.api_version, &id.kind, &id.namespace)).or_default().insert(id);
        }
    }
    let mut reads = Vec::new();
    for (group, ids) in groups {
        if ids.len() >= LIST_FROM {
            reads.push(Read::List(group, ids));
        } else {
            reads.extend(ids.into_iter().map(Read::Get));
        }
    }
    let found: Vec<Observed> =
        stream::iter(reads.into_iter().map(|read| read.run(cluster))).buffer_unordered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

enum Read<'a> {
    Get(&'a ObjectId),
    List((&'a str, &'a str, &'a str), BTreeSet<&'a ObjectId>),
}

impl Read<'_> {
    async fn run(self, cluster: &Cluster) -> Result<Observed> {
        match self {
            Self::Get(id) => Ok(cluster.get(id).await?.into_iter().map(|live| (id.clone(), live)).collect()),
            Self::List((api_version, kind, namespace), ids) => {
                let items = cluster.list(api_version, kind, namespace, "").await?;
                let named = items.into_iter().filter_map(|live| {
                    let id = ObjectId {
                        api_version: api_version.to_owned(),
                        kind: kind.to_owned(),
                        namespace: namespace.to_owned(),
                        name: live["metadata"]["name"].as_str()?.to_owned(),
                    };
                    ids.contains(&id).then_some((id, live))
                });
                Ok(named.collect())
            }
        }
    }
}
