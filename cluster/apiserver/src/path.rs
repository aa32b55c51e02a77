//! What a URL's path means.

use crate::catalog::Catalog;
use kpkg_api::{
    names,
    schema::{Kind, Subresource},
};
use percent_encoding::percent_decode_str;

/// What a path leads to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// `/healthz`, `/livez`, `/readyz`, and one check below them.
    Health(String),
    /// `/version`.
    Version,
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/apps`.
    Group(String),
    /// `/api/v1`, `/apis/apps/v1`.
    GroupVersion(String, String),
    /// `/openid/v1/jwks`: the key that signs service-account tokens.
    TokenKeys,
    /// `/.well-known/openid-configuration`: where that key is.
    TokenIssuer,
    /// `/openapi/v3`, `/openapi/v3/apis/apps/v1`.
    OpenApi,
    /// An object, a collection or part of an object.
    Resource(ResourcePath),
    /// A question about the one who asks, or about somebody: `/apis/authorization.k8s.io/v1/...`.
    Review(ReviewPath),
    /// A name that cannot be one.
    BadName(String),
    /// Nothing.
    Nothing,
}

/// The path of an object, a collection or part of an object.
#[derive(Debug, Clone)]
pub(crate) struct ResourcePath {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: Option<String>,
    /// None for the collection.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<&'static Subresource>,
}

/// The path of a virtual resource that only answers questions.
#[derive(Debug, Clone)]
pub(crate) struct ReviewPath {
    pub(crate) review: &'static crate::review::Review,
    pub(crate) namespace: Option<String>,
}

/// Reads a path.
pub(crate) fn parse(catalog: &Catalog, path: &str) -> Target {
    let mut segments = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match percent_decode_str(segment).decode_utf8() {
            Ok(segment) => segments.push(segment.into_owned()),
            Err(_) => return Target::Nothing,
        }
    }
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["healthz" | "livez" | "readyz"] => Target::Health(String::new()),
        ["healthz" | "livez" | "readyz", check] => Target::Health((*check).to_owned()),
        ["version"] => Target::Version,
        ["api"] => Target::CoreVersions,
        ["apis"] => Target::Groups,
        ["apis", group] => Target::Group((*group).to_owned()),
        ["api", version] => Target::GroupVersion(String::new(), (*version).to_owned()),
        ["apis", group, version] => Target::GroupVersion((*group).to_owned(), (*version).to_owned()),
        ["openid", "v1", "jwks"] => Target::TokenKeys,
        [".well-known", "openid-configuration"] => Target::TokenIssuer,
        ["openapi", "v3", ..] => Target::OpenApi,
        ["api", version, rest @ ..] => resource(catalog, "", version, rest),
        ["apis", group, version, rest @ ..] => resource(catalog, group, version, rest),
        _ => Target::Nothing,
    }
}

fn resource(catalog: &Catalog, group: &str, version: &str, rest: &[&str]) -> Target {
    let (namespace, rest) = match rest {
        // A namespace itself, or part of one.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        rest => (None, rest),
    };
    let Some((plural, rest)) = rest.split_first() else { return Target::Nothing };
    if let Some(review) = crate::review::find(group, version, plural) {
        let path = ReviewPath { review, namespace };
        return if rest.is_empty() { Target::Review(path) } else { Target::Nothing };
    }
    let Some(kind) = catalog.resource(group, version, plural) else { return Target::Nothing };
    if namespace.is_some() && !kind.namespaced {
        return Target::Nothing;
    }
    let (name, subresource) = match rest {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, part] => match kind.subresource(part) {
            Some(part) => (Some(*name), Some(part)),
            None => return Target::Nothing,
        },
        _ => return Target::Nothing,
    };
    if name.is_some() && kind.namespaced && namespace.is_none() {
        return Target::Nothing;
    }
    for segment in namespace.as_deref().into_iter().chain(name) {
        let faults = names::path_segment(segment);
        if !faults.is_empty() {
            return Target::BadName(format!("invalid resource name {segment:?}: [{}]", faults.join(", ")));
        }
    }
    Target::Resource(ResourcePath { kind, namespace, name: name.map(str::to_owned), subresource })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(path: &str) -> String {
        match parse(&Catalog::default(), path) {
            Target::Resource(path) => format!(
                "{} {} {} {}",
                path.kind.kind,
                path.namespace.as_deref().unwrap_or("-"),
                path.name.as_deref().unwrap_or("-"),
                path.subresource.map_or("-", |part| part.name)
            ),
            Target::Review(path) => format!("review {}", path.review.kind),
            Target::BadName(message) => message,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn reads_paths() {
        let cases = [
            ("/api/v1/pods", "Pod - - -"),
            ("/api/v1/namespaces/a/pods", "Pod a - -"),
            ("/api/v1/namespaces/a/pods/b", "Pod a b -"),
            ("/api/v1/namespaces/a/pods/b/log", "Pod a b log"),
            ("/api/v1/namespaces/a/pods/b/nothing", "Nothing"),
            ("/api/v1/namespaces", "Namespace - - -"),
            ("/api/v1/namespaces/a", "Namespace - a -"),
            ("/api/v1/namespaces/a/finalize", "Namespace - a finalize"),
            ("/api/v1/nodes/n/status", "Node - n status"),
            ("/apis/apps/v1/namespaces/a/deployments/d/scale", "Deployment a d scale"),
            ("/apis/apps/v1/namespaces/a/nodes", "Nothing"),
            ("/apis/apps/v1/deployments/d", "Nothing"),
            ("/apis/apps/v2/deployments", "Nothing"),
            ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "review SelfSubjectAccessReview"),
            ("/api/v1", r#"GroupVersion("", "v1")"#),
            ("/apis/apps/v1/", r#"GroupVersion("apps", "v1")"#),
            ("/openapi/v3/apis/apps/v1", "OpenApi"),
            ("/", "Nothing"),
        ];
        for (path, want) in cases {
            assert_eq!(show(path), want, "{path}");
        }
    }

    // CVE-2022-3162, CVE-2015-5305: names that would lead to other keys.
    #[test]
    fn refuses_names_that_are_paths() {
        for path in
            ["/api/v1/namespaces/a/pods/..", "/api/v1/namespaces/a/pods/b%2Fc", "/api/v1/namespaces/%2e%2e/pods"]
        {
            assert!(show(path).starts_with("invalid resource name"), "{path}: {}", show(path));
        }
    }
}
