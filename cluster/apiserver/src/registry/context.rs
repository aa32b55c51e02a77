//! What a write knows beside the object.

use crate::{Identity, body::Decoded, failure::Result, query::Query};
use jiff::Timestamp;
use kpkg_api::{
    schema::{self, Kind},
    status::Status,
    text::quote,
};
use serde_json::{Map, Value};

/// What becomes of fields that the schema does not have, or that are given twice: `fieldValidation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// What a request knows beside the object.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) identity: Identity,
    pub(crate) now: Timestamp,
    /// Go through everything, but write nothing.
    pub(crate) dry_run: bool,
    pub(crate) field_validation: FieldValidation,
    /// To be sent with the answer.
    pub(crate) warnings: Vec<String>,
}

impl Context {
    /// The context of a request by somebody.
    pub(crate) fn new(identity: Identity, query: &Query) -> Result<Self> {
        let field_validation = match query.text("fieldValidation") {
            "" | "Warn" => FieldValidation::Warn,
            "Ignore" => FieldValidation::Ignore,
            "Strict" => FieldValidation::Strict,
            other => {
                return Err(Status::bad_request(format!(
                    "invalid fieldValidation parameter {}: must be one of Ignore, Warn, Strict",
                    quote(other)
                )));
            }
        };
        let dry_run = is_dry_run(query.all("dryRun"))?;
        Ok(Self { identity, now: Timestamp::now(), dry_run, field_validation, warnings: Vec::new() })
    }

    /// The context of what the server does by itself.
    pub(crate) fn own() -> Self {
        Self {
            identity: Identity::master("system:apiserver"),
            now: Timestamp::now(),
            dry_run: false,
            field_validation: FieldValidation::Ignore,
            warnings: Vec::new(),
        }
    }

    /// The time of the request as objects have it.
    pub(crate) fn now_text(&self) -> String {
        kpkg_api::time::seconds(self.now)
    }

    /// Makes a decoded body an object of a kind: identity, unknown fields, types.
    pub(crate) fn conform(&mut self, kind: &Kind, decoded: Decoded) -> Result<Value> {
        let Decoded { mut value, duplicates } = decoded;
        identify(kind, &mut value)?;
        let findings = schema::conform(kind.type_(), &mut value)
            .map_err(|error| Status::cannot_be_handled(kind, &error.to_string()))?;
        self.judge(kind, duplicates.into_iter().chain(findings.unknown).collect())?;
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            metadata.remove("selfLink");
        }
        Ok(value)
    }

    fn judge(&mut self, kind: &Kind, faults: Vec<String>) -> Result<()> {
        match self.field_validation {
            FieldValidation::Strict if !faults.is_empty() => {
                let why = format!("strict decoding error: {}", faults.join(", "));
                return Err(Status::cannot_be_handled(kind, &why));
            }
            FieldValidation::Warn => self.warnings.extend(faults),
            _ => {}
        }
        Ok(())
    }
}

/// Whether `dryRun` asks for a dry run.
pub(crate) fn is_dry_run<'a>(mut values: impl Iterator<Item = &'a str>) -> Result<bool> {
    let Some(first) = values.next() else { return Ok(false) };
    match first {
        "All" => Ok(true),
        "" => Ok(false),
        other => Err(Status::bad_request(format!("invalid dry run value {}: must be one of All", quote(other)))),
    }
}

/// Sets apiVersion and kind where the body leaves them out; they must not be another's.
fn identify(kind: &Kind, value: &mut Value) -> Result<()> {
    let Value::Object(map) = value else {
        return Err(Status::cannot_be_handled(kind, "json: cannot unmarshal a value that is no object"));
    };
    let (own_version, own_kind) = (text(map, "apiVersion"), text(map, "kind"));
    let expected = kind.api_version();
    if !own_version.is_empty() && own_version != expected {
        return Err(Status::bad_request(format!(
            "the API version in the data ({own_version}) does not match the expected API version ({expected})"
        )));
    }
    if !own_kind.is_empty() && own_kind != kind.kind {
        return Err(Status::bad_request(format!(
            "{own_kind} in version {} cannot be handled as a {}: converting ({own_kind}) to ({}): unknown conversion",
            quote(kind.version),
            kind.kind,
            kind.kind
        )));
    }
    map.insert("apiVersion".to_owned(), expected.into());
    map.insert("kind".to_owned(), kind.kind.into());
    Ok(())
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}
