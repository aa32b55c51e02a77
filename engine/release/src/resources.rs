//! The objects of a release as the server shows them in tables, with the pods that they made.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::ObjectId;
use crate::plan::Desired;
use crate::record::Release;

/// Requests under way at once.
const PARALLEL: usize = 8;

/// The objects of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Such as `apps/v1/Deployment`, or `v1/Pod(related)` for pods that others made.
    pub title: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A line for each object.
    pub rows: Vec<Vec<String>>,
}

/// The live objects of a release, kind by kind; those that are gone are left out.
pub async fn tables(cluster: &Cluster, release: &Release) -> Result<Vec<Table>> {
    let desired = Desired::from_record(release, cluster)?;
    let mut asked: Vec<(String, ObjectId, String)> = Vec::new();
    for object in &desired.objects {
        let id = &object.id;
        asked.push((format!("{}/{}", id.api_version, id.kind), id.clone(), String::new()));
        if let Some(selector) = selector(&object.value) {
            let pods = ObjectId {
                api_version: "v1".to_owned(),
                kind: "Pod".to_owned(),
                namespace: id.namespace.clone(),
                name: String::new(),
            };
            asked.push(("v1/Pod(related)".to_owned(), pods, selector));
        }
    }
    let answers = stream::iter(asked.into_iter().map(|(title, id, selector)| async move {
        Ok::<_, crate::ReleaseError>((title, cluster.table(&id, &selector).await?))
    }));
    let answers: Vec<(String, Option<Value>)> = answers.buffered(PARALLEL).try_collect().await?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (title, answer) in answers.into_iter().filter_map(|(title, answer)| Some((title, answer?))) {
        let (columns, rows) = read(&answer);
        if !rows.is_empty() {
            let table = tables.entry(title.clone()).or_insert_with(|| Table { title, columns, rows: Vec::new() });
            table.rows.extend(rows);
        }
    }
    Ok(tables.into_values().collect())
}

/// What chooses the pods of a workload.
fn selector(object: &Value) -> Option<String> {
    let labels = object["spec"]["selector"]["matchLabels"].as_object()?;
    object["spec"].get("template")?;
    let pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    Some(pairs.join(","))
}

/// The columns that are not for wide terminals only, and the cells.
fn read(table: &Value) -> (Vec<String>, Vec<Vec<String>>) {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let columns = list(&table["columnDefinitions"]);
    let shown: Vec<usize> =
        (0..columns.len()).filter(|&at| columns[at]["priority"].as_i64().unwrap_or_default() == 0).collect();
    let names = shown.iter().map(|&at| columns[at]["name"].as_str().unwrap_or_default().to_uppercase()).collect();
    let text = |cell: &Value| match cell {
        Value::String(text) => text.clone(),
        Value::Null => "<none>".to_owned(),
        other => other.to_string(),
    };
    let rows = list(&table["rows"]);
    (names, rows.iter().map(|row| shown.iter().map(|&at| text(&row["cells"][at])).collect()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wide_columns_are_left_out() {
        let table = json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Images", "priority": 1}, {"name": "Ready"}],
            "rows": [{"cells": ["web", "x:1", 2]}, {"cells": ["db", "y", null]}],
        });
        let (columns, rows) = read(&table);
        assert_eq!(columns, ["NAME", "READY"]);
        assert_eq!(rows, [["web", "2"], ["db", "<none>"]]);
    }

    #[test]
    fn workloads_choose_pods() {
        let of = |spec: Value| selector(&json!({"spec": spec}));
        assert_eq!(of(json!({"selector": {"matchLabels": {"a": "b"}}, "template": {}})).as_deref(), Some("a=b"));
        assert_eq!(of(json!({"selector": {"matchLabels": {"a": "b"}}})), None);
        assert_eq!(of(json!({"selector": {"a": "b"}})), None);
    }
}
