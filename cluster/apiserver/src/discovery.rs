//! Discovery: which groups, versions and resources there are.
//!
//! In two forms: one document for all (`apidiscovery.k8s.io`, asked for by the `Accept` header), and one per group and
//! version.

use crate::{
    accept,
    catalog::Catalog,
    reply,
    review::{self, Review},
};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use kpkg_api::schema::{Kind, Subresource};
use serde_json::{Value, json};

/// `/api`.
pub(crate) fn core(catalog: &Catalog, headers: &HeaderMap) -> Response<Body> {
    if let Some(version) = aggregated(headers) {
        return aggregated_reply(catalog, version, &[""]);
    }
    reply::json(
        StatusCode::OK,
        &json!({
            "kind": "APIVersions",
            "versions": catalog.versions(""),
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
        }),
    )
}

/// `/apis`.
pub(crate) fn groups(catalog: &Catalog, headers: &HeaderMap) -> Response<Body> {
    let names = catalog.groups();
    if let Some(version) = aggregated(headers) {
        return aggregated_reply(catalog, version, &names);
    }
    let groups: Vec<Value> = names.iter().map(|name| group_value(catalog, name)).collect();
    reply::json(StatusCode::OK, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/GROUP`.
pub(crate) fn group(catalog: &Catalog, group: &str) -> Response<Body> {
    if group.is_empty() || catalog.versions(group).is_empty() {
        return reply::no_such_path();
    }
    let mut value = group_value(catalog, group);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    reply::json(StatusCode::OK, &value)
}

fn group_value(catalog: &Catalog, name: &str) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<Value> = catalog.versions(name).iter().map(version).collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub(crate) fn resources(catalog: &Catalog, group: &str, version: &str) -> Response<Body> {
    if !catalog.versions(group).contains(&version) {
        return reply::no_such_path();
    }
    let mut list = Vec::new();
    for kind in catalog.kinds().filter(|kind| kind.group == group && kind.version == version) {
        list.push(resource_value(kind));
        list.extend(kind.subresources.iter().map(|part| subresource_value(kind, part)));
    }
    list.extend(reviews(group, version).map(|review| {
        json!({
            "name": review.plural,
            "singularName": review.singular,
            "namespaced": review.namespaced,
            "kind": review.kind,
            "verbs": ["create"],
        })
    }));
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    reply::json(
        StatusCode::OK,
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}),
    )
}

/// The questions of a group and version.
fn reviews<'a>(group: &'a str, version: &'a str) -> impl Iterator<Item = &'static Review> + 'a {
    review::all().iter().filter(move |review| review.group == group && version == review::VERSION)
}

fn resource_value(kind: &Kind) -> Value {
    let mut value = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": kind.verbs,
    });
    if !kind.short_names.is_empty() {
        value["shortNames"] = json!(kind.short_names);
    }
    if !kind.categories.is_empty() {
        value["categories"] = json!(kind.categories);
    }
    value
}

fn subresource_value(kind: &Kind, part: &Subresource) -> Value {
    let mut value = json!({
        "name": format!("{}/{}", kind.plural, part.name),
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": part.kind,
        "verbs": part.verbs,
    });
    if !part.version.is_empty() {
        value["group"] = json!(part.group);
        value["version"] = json!(part.version);
    }
    value
}

/// The version of the aggregated form that the client asks for, if it asks for it first.
fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    for range in accept::ranges(headers) {
        if !matches!(range.name, "application/json" | "*/*" | "application/*") {
            continue;
        }
        if range.parameter("as").is_empty() {
            return None;
        }
        if range.parameter("as") == "APIGroupDiscoveryList" && range.parameter("g") == "apidiscovery.k8s.io" {
            match range.parameter("v") {
                "v2" => return Some("v2"),
                "v2beta1" => return Some("v2beta1"),
                _ => {}
            }
        }
    }
    None
}

fn aggregated_reply(catalog: &Catalog, version: &str, groups: &[&str]) -> Response<Body> {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let metadata = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            let versions = catalog.versions(group).into_iter().map(|version| {
                json!({
                    "version": version,
                    "resources": aggregated_resources(catalog, group, version),
                    "freshness": "Current",
                })
            });
            json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
        })
        .collect();
    let list = json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    });
    let mut response = reply::json(StatusCode::OK, &list);
    let media_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
    if let Ok(value) = HeaderValue::from_str(&media_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

fn aggregated_resources(catalog: &Catalog, group: &str, version: &str) -> Vec<Value> {
    let scope = |namespaced: bool| if namespaced { "Namespaced" } else { "Cluster" };
    let kinds = catalog.kinds().filter(|kind| kind.group == group && kind.version == version).map(|kind| {
        let mut value = json!({
            "resource": kind.plural,
            "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
            "scope": scope(kind.namespaced),
            "singularResource": kind.singular,
            "verbs": kind.verbs,
        });
        if !kind.short_names.is_empty() {
            value["shortNames"] = json!(kind.short_names);
        }
        if !kind.categories.is_empty() {
            value["categories"] = json!(kind.categories);
        }
        if !kind.subresources.is_empty() {
            value["subresources"] = kind.subresources.iter().map(|part| aggregated_part(kind, part)).collect();
        }
        value
    });
    let reviews = reviews(group, version).map(|review| {
        json!({
            "resource": review.plural,
            "responseKind": {"group": review.group, "version": version, "kind": review.kind},
            "scope": scope(review.namespaced),
            "singularResource": review.singular,
            "verbs": ["create"],
        })
    });
    kinds.chain(reviews).collect()
}

fn aggregated_part(kind: &Kind, part: &Subresource) -> Value {
    let (group, version) =
        if part.version.is_empty() { (kind.group, kind.version) } else { (part.group, part.version) };
    json!({
        "subresource": part.name,
        "responseKind": {"group": group, "version": version, "kind": part.kind},
        "verbs": part.verbs,
    })
}
