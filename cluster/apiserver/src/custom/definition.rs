//! Definitions themselves: what must hold of them, and the status that follows.

use crate::catalog::Catalog;
use kpkg_api::{
    meta, names,
    schema::Kind,
    structural::{self, Structural},
    validate::FieldError,
};
use serde_json::{Value, json};

/// Who holds back a definition's deletion until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// Says that a group of Kubernetes' own name space may be extended.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// Whether a kind is that of definitions.
pub(crate) fn is_definition(kind: &Kind) -> bool {
    kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// What is wrong with a definition.
pub(crate) fn faults(definition: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    let spec = &definition["spec"];
    let (group, plural) = (text(spec, "group"), text(&spec["names"], "plural"));
    if meta::name(definition) != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        found.push(FieldError::invalid("metadata.name", meta::name(definition), why));
    }
    if group.is_empty() {
        found.push(FieldError::required("spec.group", ""));
    } else if !names::dns1123_subdomain(group).is_empty() {
        found.extend(
            names::dns1123_subdomain(group).into_iter().map(|why| FieldError::invalid("spec.group", group, why)),
        );
    } else if !group.contains('.') {
        found.push(FieldError::invalid("spec.group", group, "should be a domain with at least one dot"));
    }
    approval(definition, group, &mut found);
    match text(spec, "scope") {
        "" => found.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => found.push(FieldError::not_supported("spec.scope", other, &["Cluster", "Namespaced"])),
    }
    if spec["preserveUnknownFields"] == true {
        let why =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        found.push(FieldError::invalid("spec.preserveUnknownFields", true, why));
    }
    names_of(&spec["names"], &mut found);
    versions(spec, &mut found);
    found
}

fn approval(definition: &Value, group: &str, found: &mut Vec<FieldError>) {
    let protected = [".k8s.io", ".kubernetes.io"].iter().any(|suffix| group.ends_with(suffix))
        || matches!(group, "k8s.io" | "kubernetes.io");
    if protected && meta::annotation(definition, APPROVAL).is_none_or(str::is_empty) {
        let why = format!(
            "protected groups must have approval annotation \"{APPROVAL}\", see https://github.com/kubernetes/enhancements/pull/1111"
        );
        found.push(FieldError::required(format!("metadata.annotations[{APPROVAL}]"), why));
    }
}

fn names_of(names: &Value, found: &mut Vec<FieldError>) {
    for key in ["plural", "singular", "kind", "listKind"] {
        let path = format!("spec.names.{key}");
        match text(names, key) {
            "" => found.push(FieldError::required(path, "")),
            name => {
                let faults = names::dns1035_label(&name.to_lowercase());
                found.extend(faults.into_iter().map(|why| FieldError::invalid(path.clone(), name, why)));
            }
        }
    }
    for key in ["shortNames", "categories"] {
        for (at, name) in items(names, key).iter().filter_map(Value::as_str).enumerate() {
            let faults = names::dns1035_label(name);
            found.extend(
                faults.into_iter().map(|why| FieldError::invalid(format!("spec.names.{key}[{at}]"), name, why)),
            );
        }
    }
    if text(names, "kind") == text(names, "listKind") {
        let why = "kind and listKind may not be the same";
        found.push(FieldError::invalid("spec.names.listKind", text(names, "listKind"), why));
    }
}

fn versions(spec: &Value, found: &mut Vec<FieldError>) {
    let list = items(spec, "versions");
    if list.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        found.push(FieldError::invalid("spec.versions", spec["versions"].clone(), why));
    }
    for (at, version) in list.iter().enumerate() {
        let path = format!("spec.versions[{at}]");
        let name = text(version, "name");
        if list[..at].iter().any(|other| text(other, "name") == name) {
            found.push(FieldError::invalid(
                "spec.versions",
                spec["versions"].clone(),
                "must contain unique version names",
            ));
        }
        let faults = names::dns1035_label(name);
        found.extend(faults.into_iter().map(|why| FieldError::invalid(format!("{path}.name"), name, why)));
        let schema_path = format!("{path}.schema.openAPIV3Schema");
        let schema = &version["schema"]["openAPIV3Schema"];
        if schema.is_null() {
            found.push(FieldError::required(schema_path, "schemas are required"));
        } else {
            found.extend(structural::faults(schema, &schema_path));
        }
        columns(version, &path, found);
    }
}

fn columns(version: &Value, path: &str, found: &mut Vec<FieldError>) {
    for (at, column) in items(version, "additionalPrinterColumns").iter().enumerate() {
        let path = format!("{path}.additionalPrinterColumns[{at}]");
        if text(column, "name").is_empty() {
            found.push(FieldError::required(format!("{path}.name"), ""));
        }
        let kinds = ["boolean", "date", "integer", "number", "string"];
        if !kinds.contains(&text(column, "type")) {
            let why = "must be one of boolean,date,integer,number,string";
            found.push(FieldError::invalid(format!("{path}.type"), text(column, "type"), why));
        }
        let json_path = text(column, "jsonPath");
        if json_path.is_empty() {
            found.push(FieldError::required(format!("{path}.jsonPath"), ""));
        } else if super::json_path::JsonPath::parse(json_path).is_none() {
            found.push(FieldError::invalid(format!("{path}.jsonPath"), json_path, "is an invalid jsonpath"));
        }
    }
}

/// What is wrong with a change of a definition.
pub(crate) fn update_faults(old: &Value, new: &Value) -> Vec<FieldError> {
    let mut found = faults(new);
    let established = has_condition(old, "Established");
    for pointer in ["/spec/group", "/spec/scope", "/spec/names/kind", "/spec/names/plural"] {
        let free = !established && pointer != "/spec/group";
        if old.pointer(pointer) != new.pointer(pointer) && !free {
            let value = new.pointer(pointer).cloned().unwrap_or_default();
            found.push(FieldError::invalid(pointer[1..].replace('/', "."), value, "field is immutable"));
        }
    }
    let is_there = |name: &str| items(&new["spec"], "versions").iter().any(|version| text(version, "name") == name);
    for (at, name) in items(&new["status"], "storedVersions").iter().filter_map(Value::as_str).enumerate() {
        if !is_there(name) {
            let why = format!(
                "missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            );
            found.push(FieldError::invalid(format!("status.storedVersions[{at}]"), name, why));
        }
    }
    found
}

/// What the writer of a definition should know.
pub(crate) fn warnings(definition: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for version in items(&definition["spec"], "versions") {
        let rules = Structural::parse(&version["schema"]["openAPIV3Schema"]).unevaluated_rules();
        if rules > 0 {
            let name = text(version, "name");
            found.push(format!(
                "spec.versions[{name}]: {rules} rules of x-kubernetes-validations use what is not known here and are not evaluated"
            ));
        }
    }
    if text(&definition["spec"]["conversion"], "strategy") == "Webhook" {
        found
            .push("spec.conversion: webhooks are not called; objects are served unchanged in every version".to_owned());
    }
    found
}

fn has_condition(definition: &Value, name: &str) -> bool {
    items(&definition["status"], "conditions")
        .iter()
        .any(|condition| condition["type"] == name && condition["status"] == "True")
}

/// Sets the status that follows from a definition: names, conditions, versions in the store.
pub(crate) fn settle(catalog: &Catalog, definition: &mut Value, now: &str) {
    let fault = conflict(catalog, definition);
    let names = definition["spec"]["names"].clone();
    let accepted = fault.is_none();
    let (reason, message) = fault.unwrap_or(("NoConflicts", "no conflicts found".to_owned()));
    set_condition(definition, "NamesAccepted", accepted, reason, &message, now);
    if accepted {
        definition["status"]["acceptedNames"] = names;
        set_condition(
            definition,
            "Established",
            true,
            "InitialNamesAccepted",
            "the initial names have been accepted",
            now,
        );
    } else if !has_condition(definition, "Established") {
        set_condition(definition, "Established", false, "NotAccepted", "not all names are accepted", now);
    }
    let storage = items(&definition["spec"], "versions").iter().find(|version| version["storage"] == true);
    let Some(storage) = storage.map(|version| version["name"].clone()) else { return };
    let stored = &mut definition["status"]["storedVersions"];
    match stored.as_array_mut() {
        Some(versions) if versions.contains(&storage) => {}
        Some(versions) => versions.push(storage),
        None => *stored = json!([storage]),
    }
    if meta::deletion_timestamp(definition).is_none() && !meta::finalizers(definition).any(|own| own == FINALIZER) {
        let finalizers: Vec<Value> =
            meta::finalizers(definition).map(Value::from).chain([Value::from(FINALIZER)]).collect();
        meta::metadata_mut(definition).insert("finalizers".to_owned(), finalizers.into());
    }
}

/// A name that another kind of the group has.
fn conflict(catalog: &Catalog, definition: &Value) -> Option<(&'static str, String)> {
    let (spec, names) = (&definition["spec"], &definition["spec"]["names"]);
    let plural = text(names, "plural");
    let others: Vec<&Kind> = catalog
        .kinds()
        .filter(|kind| kind.group == text(spec, "group") && !(kind.custom && kind.plural == plural))
        .collect();
    let taken = |name: &str| {
        others.iter().any(|kind| kind.plural == name || kind.singular == name || kind.short_names.contains(&name))
    };
    let kind_taken = |name: &str| others.iter().any(|kind| kind.kind == name || format!("{}List", kind.kind) == name);
    let said = |name: &str| format!("{name:?} is already in use");
    let short = items(names, "shortNames").iter().filter_map(Value::as_str).find(|name| taken(name));
    if taken(plural) {
        return Some(("PluralConflict", said(plural)));
    }
    if taken(text(names, "singular")) {
        return Some(("SingularConflict", said(text(names, "singular"))));
    }
    if let Some(short) = short {
        return Some(("ShortNamesConflict", said(short)));
    }
    if kind_taken(text(names, "kind")) {
        return Some(("KindConflict", said(text(names, "kind"))));
    }
    kind_taken(text(names, "listKind")).then(|| ("ListKindConflict", said(text(names, "listKind"))))
}

/// Sets a condition; its time is that of the last change of its status.
pub(super) fn set_condition(definition: &mut Value, name: &str, holds: bool, reason: &str, message: &str, now: &str) {
    let status = if holds { "True" } else { "False" };
    if !definition["status"]["conditions"].is_array() {
        definition["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = definition["status"]["conditions"].as_array_mut() else { return };
    let known = conditions.iter().position(|condition| condition["type"] == name);
    let since = known
        .map(|at| &conditions[at])
        .filter(|condition| condition["status"] == status)
        .and_then(|condition| condition["lastTransitionTime"].as_str())
        .unwrap_or(now);
    let condition =
        json!({"type": name, "status": status, "reason": reason, "message": message, "lastTransitionTime": since});
    match known {
        Some(at) => conditions[at] = condition,
        None => conditions.push(condition),
    }
}
