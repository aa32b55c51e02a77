//! Which lists a strategic merge pairs, and by which keys.
//!
//! The built-in types are those of the one type table (`kpkg_api::schema`). Kustomize carries the schema of an older
//! Kubernetes: kinds that have gone since are looked up under their present version, and lists that learnt to merge
//! later are replaced ([`LATER`]). A kustomization may bring a schema of its own (`openapi`).

use kpkg_api::patch::strategic::{self, Merging, Typed};
use kpkg_api::schema::{table, type_of};
use serde_json::Value;

use crate::id::Id;

/// Lists that the schema Kustomize carries does not merge yet: type and field.
const LATER: &[(&str, &str)] = &[
    ("EphemeralContainer", "ports"),
    ("JSONSchemaProps", "x-kubernetes-validations"),
    ("MutatingWebhook", "matchConditions"),
    ("PodSpec", "evictionResponders"),
    ("PodSpec", "resourceClaims"),
    ("PodSpec", "schedulingGates"),
    ("PodStatus", "hostIPs"),
    ("ValidatingWebhook", "matchConditions"),
];

/// Group and version of the kinds that Kustomize knows, and the version they are looked up under.
const VERSIONS: &[(&str, &str, &str)] = &[
    ("", "v1", "v1"),
    ("admissionregistration.k8s.io", "v1", "v1"),
    ("admissionregistration.k8s.io", "v1beta1", "v1"),
    ("apiextensions.k8s.io", "v1", "v1"),
    ("apiextensions.k8s.io", "v1beta1", "v1"),
    ("apiregistration.k8s.io", "v1", "v1"),
    ("apiregistration.k8s.io", "v1beta1", "v1"),
    ("apps", "v1", "v1"),
    ("authentication.k8s.io", "v1", "v1"),
    ("authorization.k8s.io", "v1", "v1"),
    ("autoscaling", "v1", "v1"),
    ("autoscaling", "v2beta1", "v1"),
    ("autoscaling", "v2beta2", "v1"),
    ("batch", "v1", "v1"),
    ("batch", "v1beta1", "v1"),
    ("certificates.k8s.io", "v1", "v1"),
    ("certificates.k8s.io", "v1beta1", "v1"),
    ("coordination.k8s.io", "v1", "v1"),
    ("coordination.k8s.io", "v1beta1", "v1"),
    ("discovery.k8s.io", "v1", "v1"),
    ("discovery.k8s.io", "v1beta1", "v1"),
    ("events.k8s.io", "v1", "v1"),
    ("events.k8s.io", "v1beta1", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1beta1", "v1"),
    ("networking.k8s.io", "v1", "v1"),
    ("networking.k8s.io", "v1beta1", "v1"),
    ("node.k8s.io", "v1", "v1"),
    ("node.k8s.io", "v1beta1", "v1"),
    ("policy", "v1", "v1"),
    ("policy", "v1beta1", "v1"),
    ("rbac.authorization.k8s.io", "v1", "v1"),
    ("rbac.authorization.k8s.io", "v1beta1", "v1"),
    ("scheduling.k8s.io", "v1", "v1"),
    ("scheduling.k8s.io", "v1beta1", "v1"),
    ("storage.k8s.io", "v1", "v1"),
    ("storage.k8s.io", "v1beta1", "v1"),
];

/// The schemas that apply to a build.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schemas {
    /// Definitions of the user's; the built-in ones then count only where they were needed before.
    custom: Option<Custom>,
    /// Whether the built-in schema was asked for, so that no other may come.
    built_in_wanted: bool,
    /// Whether a kind that is not built in was read while there was no schema of the user's.
    built_in_used: bool,
    /// The schemas of custom resources, if they count.
    custom_resources: Vec<CustomResource>,
}

/// A version of a custom resource, and its schema.
#[derive(Debug, Clone)]
struct CustomResource {
    group: String,
    version: String,
    kind: String,
    schema: Custom,
}

/// A schema of the user's.
#[derive(Debug, Clone)]
pub(crate) struct Custom {
    root: Value,
    /// Whether its references may lead to built-in types.
    with_built_in: bool,
    lists: Lists,
}

/// What in a schema of the user's says how lists merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    /// `x-kubernetes-patch-strategy`, as Kustomize has it.
    Strategies,
    /// `x-kubernetes-list-type`, as the API server has it for custom resources.
    Types,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A value of a built-in type.
    BuiltIn(Typed<'static>),
    /// A definition of the user's, and the name it has where it stands.
    Custom(&'a Value, &'a str, &'a Custom),
}

impl Schemas {
    /// Sets a schema of the user's, unless there is one.
    pub(crate) fn set_custom(&mut self, root: Value) {
        if self.custom.is_none() && !self.built_in_wanted {
            self.custom = Some(Custom { root, with_built_in: self.built_in_used, lists: Lists::Strategies });
        }
    }

    /// Keeps to the built-in schema, unless there is another.
    pub(crate) fn set_built_in(&mut self) {
        self.built_in_wanted = self.custom.is_none();
    }

    /// Notes that a resource was read.
    pub(crate) fn note_use(&mut self, id: &Id<'_>) {
        let is_known = || VERSIONS.iter().any(|(group, version, _)| (*group, *version) == (id.group, id.version));
        if self.custom.is_none() && !self.built_in_used && !is_known() {
            self.built_in_used = true;
        }
    }

    /// Takes over the schemas that a CustomResourceDefinition holds.
    pub(crate) fn add_definition(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for version in spec["versions"].as_array().into_iter().flatten() {
            let root = version["schema"]["openAPIV3Schema"].clone();
            self.custom_resources.push(CustomResource {
                group: text(&spec["group"]),
                version: text(&version["name"]),
                kind: text(&spec["names"]["kind"]),
                schema: Custom { root, with_built_in: false, lists: Lists::Types },
            });
        }
    }

    /// The schema of a kind.
    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<Place<'_>> {
        let (group, version) = crate::id::split_api_version(api_version);
        if let Some(custom) = &self.custom {
            let found = custom_kind(&custom.root, group, version, kind).map(|schema| Place::Custom(schema, "", custom));
            if found.is_some() || !custom.with_built_in {
                return found;
            }
        }
        let is_it = |it: &&CustomResource| (&*it.group, &*it.version, &*it.kind) == (group, version, kind);
        if let Some(CustomResource { schema, .. }) = self.custom_resources.iter().find(is_it) {
            return Some(Place::Custom(&schema.root, "", schema));
        }
        let (.., version) = VERSIONS.iter().find(|(known, old, _)| (*known, *old) == (group, version))?;
        type_of(group, version, kind).map(Place::of)
    }
}

fn custom_kind<'a>(root: &'a Value, group: &str, version: &str, kind: &str) -> Option<&'a Value> {
    let is_it = |gvk: &Value| {
        gvk["kind"] == kind && gvk["version"] == version && gvk["group"].as_str().unwrap_or_default() == group
    };
    let definitions = root.get("definitions")?.as_object()?;
    definitions.values().find(|definition| {
        definition["x-kubernetes-group-version-kind"].as_array().is_some_and(|kinds| kinds.iter().any(is_it))
    })
}

impl Place<'_> {
    fn of(type_: &'static kpkg_api::schema::Type) -> Self {
        Self::BuiltIn(Typed::Object(type_))
    }
}

impl<'a> strategic::Place<'a> for Place<'a> {
    fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::BuiltIn(typed) => typed.field(name).map(Self::BuiltIn),
            Self::Custom(schema, _, custom) => {
                let property =
                    schema.get("properties").and_then(Value::as_object).and_then(|all| all.get_key_value(name));
                match property {
                    Some((name, property)) => resolve(property, name, custom),
                    None => {
                        resolve(schema.get("additionalProperties").filter(|schema| schema.is_object())?, "", custom)
                    }
                }
            }
        }
    }

    fn elements(self) -> Option<Self> {
        match self {
            Self::BuiltIn(typed) => typed.elements().map(Self::BuiltIn),
            Self::Custom(schema, name, custom) if is_array(schema) => resolve(schema.get("items")?, name, custom),
            Self::Custom(..) => None,
        }
    }

    fn merging(self) -> Option<Merging<'a>> {
        match self {
            Self::BuiltIn(Typed::Field(owner, field)) if LATER.contains(&(owner.base_name(), field.name)) => None,
            Self::BuiltIn(typed) => typed.merging(),
            Self::Custom(schema, list, custom) => custom.lists.merging(schema, list),
        }
    }

    fn is_replaced(self) -> bool {
        matches!(self, Self::BuiltIn(typed) if typed.is_replaced())
    }
}

impl Lists {
    /// How a list of that schema merges.
    fn merging<'a>(self, schema: &'a Value, list: &'a str) -> Option<Merging<'a>> {
        let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let map_keys: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
        match self {
            Self::Types => match schema["x-kubernetes-list-type"].as_str()? {
                "map" if !map_keys.is_empty() => Some(Merging { list, merge_key: None, map_keys }),
                "set" => Some(Merging { list, merge_key: None, map_keys: Vec::new() }),
                _ => None,
            },
            Self::Strategies => {
                let strategy = schema.get("x-kubernetes-patch-strategy")?.as_str()?;
                let merge_key = schema.get("x-kubernetes-patch-merge-key").and_then(Value::as_str);
                let merge_key = merge_key.filter(|_| keys.is_none());
                strategy.split(',').any(|part| part == "merge").then_some(Merging { list, merge_key, map_keys })
            }
        }
    }
}

fn is_array(schema: &Value) -> bool {
    match &schema["type"] {
        Value::String(name) => name == "array",
        Value::Array(names) => names.len() == 1 && names[0] == "array",
        _ => false,
    }
}

/// Follows `$ref`s within the definitions, and from there to built-in types if they are at hand.
fn resolve<'a>(mut schema: &'a Value, name: &'a str, custom: &'a Custom) -> Option<Place<'a>> {
    for _ in 0..100 {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
            return Some(Place::Custom(schema, name, custom));
        };
        let definition = reference.strip_prefix("#/definitions/")?;
        let built_in = || table().by_name(definition.strip_prefix("io.k8s.")?).map(Place::of);
        if custom.with_built_in
            && let Some(type_) = built_in()
        {
            return Some(type_);
        }
        schema = custom.root.get("definitions")?.get(definition)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use kpkg_api::patch::strategic::Place as _;

    use super::*;

    #[test]
    fn old_kinds_have_the_lists_of_the_new() {
        let schemas = Schemas::default();
        let keys = |api_version: &str, kind: &str, path: &[&str]| {
            let place = schemas.of_kind(api_version, kind)?;
            let list =
                path.iter().try_fold(place, |at, name| if *name == "*" { at.elements() } else { at.field(name) })?;
            list.merging().map(|merging| merging.keys())
        };
        let pod = ["spec", "jobTemplate", "spec", "template", "spec"];
        let containers = [&pod[..], &["containers"]].concat();
        assert_eq!(keys("batch/v1beta1", "CronJob", &containers), Some(vec!["name"]));
        let ports = [&pod[..], &["containers", "*", "ports"]].concat();
        assert_eq!(keys("batch/v1", "CronJob", &ports), Some(vec!["containerPort", "protocol"]));
        assert_eq!(keys("batch/v1", "CronJob", &[&pod[..], &["schedulingGates"]].concat()), None);
        assert_eq!(keys("apps/v1", "Deployment", &["metadata", "finalizers"]), Some(Vec::new()));
        assert_eq!(keys("apps/v1", "Deployment", &["spec", "template", "spec", "tolerations"]), None);
        assert!(schemas.of_kind("example.com/v1", "Deployment").is_none());
    }
}
