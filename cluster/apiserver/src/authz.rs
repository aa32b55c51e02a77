//! Who may do what.

use crate::{Identity, MASTERS, identity};

/// What a request is about to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attributes<'a> {
    /// `get`, `list`, `create`, ...; of a path, the HTTP method in lower case.
    pub(crate) verb: &'a str,
    pub(crate) group: &'a str,
    /// The plural; empty for paths that are no resource.
    pub(crate) resource: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    /// The path, if it is no resource.
    pub(crate) path: &'a str,
}

/// Decides who may do what.
pub(crate) trait Authorizer: Send + Sync {
    /// Whether somebody may do something.
    fn allows(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool;

    /// What somebody may do, as rules for `kubectl auth can-i --list`: verbs, groups, resources.
    fn rules(&self, identity: &Identity) -> Vec<Rule>;
}

/// Verbs on resources, or on paths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) verbs: &'static [&'static str],
    pub(crate) groups: &'static [&'static str],
    pub(crate) resources: &'static [&'static str],
    pub(crate) paths: &'static [&'static str],
}

/// The rules of a cluster without roles: its own components and administrators may do everything; everybody known may
/// find out what there is, and ask about themselves; nobody else may do more than ask whether the server lives.
#[derive(Debug)]
pub(crate) struct BuiltIn;

/// The cluster's own components, by user name.
const COMPONENTS: [&str; 4] =
    ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"];
/// The group of the nodes.
const NODES: &str = "system:nodes";

const EVERYTHING: &[Rule] = &[
    Rule { verbs: &["*"], groups: &["*"], resources: &["*"], paths: &[] },
    Rule { verbs: &["*"], groups: &[], resources: &[], paths: &["*"] },
];
const OPEN_PATHS: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY_PATHS: &[&str] = &[
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/openapi",
    "/openapi/*",
    "/openid/v1/jwks",
    "/.well-known/openid-configuration",
];
const KNOWN: &[Rule] = &[
    Rule { verbs: &["get"], groups: &[], resources: &[], paths: OPEN_PATHS },
    Rule { verbs: &["get"], groups: &[], resources: &[], paths: DISCOVERY_PATHS },
    Rule {
        verbs: &["create"],
        groups: &["authorization.k8s.io"],
        resources: &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        paths: &[],
    },
    Rule { verbs: &["create"], groups: &["authentication.k8s.io"], resources: &["selfsubjectreviews"], paths: &[] },
];
const ANYBODY: &[Rule] = &[Rule { verbs: &["get"], groups: &[], resources: &[], paths: OPEN_PATHS }];

impl BuiltIn {
    fn own_rules(identity: &Identity) -> &'static [Rule] {
        let component = COMPONENTS.contains(&identity.user.as_str());
        if component || identity.is_in(MASTERS) || identity.is_in(NODES) {
            EVERYTHING
        } else if identity.is_in(identity::AUTHENTICATED) {
            KNOWN
        } else {
            ANYBODY
        }
    }
}

impl Authorizer for BuiltIn {
    fn allows(&self, identity: &Identity, attributes: &Attributes<'_>) -> bool {
        Self::own_rules(identity).iter().any(|rule| rule.covers(attributes))
    }

    fn rules(&self, identity: &Identity) -> Vec<Rule> {
        Self::own_rules(identity).to_vec()
    }
}

impl Rule {
    fn covers(&self, attributes: &Attributes<'_>) -> bool {
        let has = |list: &[&str], value: &str| list.iter().any(|own| *own == "*" || *own == value);
        if !has(self.verbs, attributes.verb) {
            return false;
        }
        if attributes.resource.is_empty() {
            return self.paths.iter().any(|own| match own.strip_suffix('*') {
                Some(prefix) => attributes.path.starts_with(prefix),
                // `/livez/ping` is as open as `/livez`.
                None => {
                    attributes.path == *own
                        || attributes.path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
                }
            });
        }
        has(self.groups, attributes.group) && has(self.resources, attributes.resource)
    }
}

/// The sentence of a refusal, as Kubernetes words it.
pub(crate) fn refusal(identity: &Identity, attributes: &Attributes<'_>) -> String {
    let Attributes { verb, group, resource, subresource, namespace, path, .. } = attributes;
    let user = &identity.user;
    if resource.is_empty() {
        return format!("User {user:?} cannot {verb} path {path:?}");
    }
    let resource = if subresource.is_empty() { (*resource).to_owned() } else { format!("{resource}/{subresource}") };
    let place = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {namespace:?}")
    };
    format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_administrators_and_components_do_everything() {
        let list = Attributes { verb: "list", resource: "pods", namespace: "default", ..Attributes::default() };
        let path = |path| Attributes { verb: "get", path, ..Attributes::default() };
        let account = Identity::service_account("default", "builder").known();
        let cases = [
            (Identity::master("me"), list, true),
            (Identity::new("system:kube-scheduler", ["x"]), list, true),
            (Identity::new("system:node:a", [NODES]), list, true),
            (account.clone(), list, false),
            (account.clone(), path("/apis/apps/v1"), true),
            (account, path("/metrics"), false),
            (Identity::anonymous(), path("/apis"), false),
            (Identity::anonymous(), path("/livez/ping"), true),
            (Identity::anonymous(), path("/versions"), false),
        ];
        for (identity, attributes, want) in cases {
            assert_eq!(BuiltIn.allows(&identity, &attributes), want, "{identity:?} {attributes:?}");
        }
    }

    #[test]
    fn refusals_read_as_kubernetes_writes_them() {
        let attributes =
            Attributes { verb: "get", resource: "pods", subresource: "log", namespace: "a", ..Attributes::default() };
        assert_eq!(
            refusal(&Identity::new("bob", ["x"]), &attributes),
            r#"User "bob" cannot get resource "pods/log" in API group "" in the namespace "a""#
        );
    }
}
