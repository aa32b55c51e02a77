//! Field selectors: `spec.nodeName=a,status.phase!=Running`, for the few fields that each kind supports.

use super::SelectorError;
use crate::{schema::Kind, text::quote};
use serde_json::Value;
use std::borrow::Cow;

/// Terms that must all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<FieldTerm>,
}

/// What one field must be, or must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTerm {
    /// The path: `spec.nodeName`.
    pub field: String,
    /// The value.
    pub value: String,
    /// Whether it must equal it or must not.
    pub equal: bool,
}

/// The fields of a kind that can be selected by, beside its name and namespace.
pub fn supported_fields(kind: &Kind) -> &'static [&'static str] {
    if kind.custom {
        return kind.selectable;
    }
    match (kind.group, kind.kind) {
        ("batch", "Job") => &["status.successful"],
        ("", "Pod") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "Node") => &["spec.unschedulable"],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        _ => &[],
    }
}

impl FieldSelector {
    /// Reads a selector for objects of a kind.
    pub fn parse(kind: &Kind, text: &str) -> Result<Self, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let terms: Result<_, _> = parts.map(|part| parse_term(kind, text, part)).collect();
        Ok(Self { terms: terms? })
    }

    /// Whether it chooses everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The terms.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// The one value that a field must have, if there is one.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms.iter().find(|term| term.equal && term.field == field).map(|term| term.value.as_str())
    }

    /// Whether an object fits.
    pub fn matches(&self, object: &Value) -> bool {
        self.terms.iter().all(|term| (read(object, &term.field) == term.value.as_str()) == term.equal)
    }
}

/// Splits at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn parse_term(kind: &Kind, whole: &str, part: &str) -> Result<FieldTerm, SelectorError> {
    let not_understood = || SelectorError(format!("invalid selector: '{whole}'; can't understand '{part}'"));
    let at = part.find("!=").into_iter().chain(part.find('=')).min().ok_or_else(not_understood)?;
    let (field, rest) = part.split_at(at);
    let operator =
        ["!=", "==", "="].into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(not_understood)?;
    let value = unescape(&rest[operator.len()..])?;
    let field = if kind.is("", "Pod") && field == "spec.host" { "spec.nodeName" } else { field };
    check_supported(kind, field)?;
    Ok(FieldTerm { field: field.to_owned(), value, equal: operator != "!=" })
}

fn check_supported(kind: &Kind, field: &str) -> Result<(), SelectorError> {
    let supported = supported_fields(kind);
    if field == "metadata.name"
        || (field == "metadata.namespace" && (kind.namespaced || supported.is_empty()))
        || supported.contains(&field)
    {
        return Ok(());
    }
    Err(SelectorError(if supported.is_empty() {
        format!("{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"", quote(field))
    } else {
        format!("field label not supported: {field}")
    }))
}

fn unescape(text: &str) -> Result<String, SelectorError> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some(c @ ('\\' | ',' | '=')) => value.push(c),
                other => {
                    let sequence: String = ['\\'].into_iter().chain(other).collect();
                    return Err(SelectorError(format!("invalid field selector: invalid escape sequence: {sequence}")));
                }
            },
            ',' | '=' => {
                let why = format!("invalid field selector: unescaped character in value: {}", c as u32);
                return Err(SelectorError(why));
            }
            c => value.push(c),
        }
    }
    Ok(value)
}

/// A field's value as text; what is absent is empty, or `false` for the two booleans.
fn read<'a>(object: &'a Value, field: &str) -> Cow<'a, str> {
    let found = match field {
        "source" => return source(object).into(),
        "status.podIP" => object["status"].get("podIP"),
        "status.podIPs" => return ips(object).into(),
        "reportingComponent" => object.get("reportingComponent"),
        _ => field.split('.').try_fold(object, |value, key| value.get(key)),
    };
    match found {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string().into(),
        _ => match field {
            "spec.hostNetwork" | "spec.unschedulable" => "false".into(),
            _ => "".into(),
        },
    }
}

/// An event's source: the old field, or the new one in its place.
fn source(event: &Value) -> &str {
    let component = event["source"]["component"].as_str().unwrap_or_default();
    if component.is_empty() { event["reportingComponent"].as_str().unwrap_or_default() } else { component }
}

fn ips(pod: &Value) -> String {
    let ips = pod["status"]["podIPs"].as_array().into_iter().flatten().filter_map(|ip| ip["ip"].as_str());
    ips.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;
    use serde_json::json;

    fn kind(group: &str, kind: &str) -> &'static Kind {
        schema::kind(group, "v1", kind).expect("served")
    }

    #[test]
    fn matches_fields() {
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "a,b"}, "status": {"phase": "Running"}});
        let cases = [
            ("", true),
            ("metadata.name=p", true),
            ("metadata.name==p,metadata.namespace=n", true),
            ("metadata.name!=p", false),
            (r"spec.nodeName=a\,b", true),
            ("spec.host!=", true),
            ("spec.hostNetwork=false", true),
            ("status.phase!=Succeeded,status.phase!=Failed", true),
        ];
        for (text, want) in cases {
            assert_eq!(FieldSelector::parse(kind("", "Pod"), text).expect(text).matches(&pod), want, "{text}");
        }
    }

    #[test]
    fn explains_what_is_wrong() {
        let cases = [
            (kind("", "Pod"), "spec.foo=x", "field label not supported: spec.foo"),
            (
                kind("apps", "Deployment"),
                "spec.foo=x",
                "\"spec.foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
            (kind("", "Pod"), "nonsense", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
            (kind("", "Pod"), r"metadata.name=\x", r"invalid field selector: invalid escape sequence: \x"),
            (kind("", "Pod"), "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ];
        for (kind, text, want) in cases {
            assert_eq!(FieldSelector::parse(kind, text), Err(SelectorError(want.to_owned())), "{text}");
        }
    }
}
