//! What a write knows beside the object.

use super::Model;
use crate::{Identity, body::Decoded, failure::Result, query::Query};
use http::{HeaderMap, header};
use jiff::Timestamp;
use kpkg_api::{schema::Kind, status::Status, text::quote, validate::FieldError};
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
    /// To whom the fields that are written belong: `fieldManager`.
    pub(crate) manager: String,
    /// To be sent with the answer.
    pub(crate) warnings: Vec<String>,
}

impl Context {
    /// The context of a request by somebody.
    pub(crate) fn new(identity: Identity, query: &Query, headers: &HeaderMap) -> Result<Self> {
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
        let manager = manager(query.text("fieldManager"), headers, &identity)?;
        Ok(Self { identity, now: Timestamp::now(), dry_run, field_validation, manager, warnings: Vec::new() })
    }

    /// The context of what the server does by itself.
    pub(crate) fn own() -> Self {
        Self {
            identity: Identity::master("system:apiserver"),
            now: Timestamp::now(),
            dry_run: false,
            field_validation: FieldValidation::Ignore,
            manager: "kube-apiserver".to_owned(),
            warnings: Vec::new(),
        }
    }

    /// The same request, without the warnings.
    pub(super) fn again(&self) -> Self {
        Self { identity: self.identity.clone(), manager: self.manager.clone(), warnings: Vec::new(), ..*self }
    }

    /// The time of the request as objects have it.
    pub(crate) fn now_text(&self) -> String {
        kpkg_api::time::seconds(self.now)
    }

    /// Makes a decoded body an object of a kind: identity, unknown fields, types.
    pub(crate) fn conform(&mut self, model: &Model, decoded: Decoded) -> Result<Value> {
        let Decoded { mut value, duplicates } = decoded;
        let kind = model.kind();
        identify(kind, &mut value)?;
        let unknown = model.conform(&mut value).map_err(|why| Status::cannot_be_handled(kind, &why))?;
        self.judge(kind, duplicates.into_iter().chain(unknown).collect())?;
        if let Some(metadata) = value["metadata"].as_object_mut() {
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

/// The longest name of a field manager.
const MAX_MANAGER: usize = 128;

/// Who manages what is written: as the client says, else its program's name, else who it is.
fn manager(said: &str, headers: &HeaderMap, identity: &Identity) -> Result<String> {
    if !said.is_empty() {
        let fault = if said.len() > MAX_MANAGER {
            Some(FieldError::too_long("fieldManager", MAX_MANAGER))
        } else if said.chars().any(char::is_control) {
            Some(FieldError::invalid("fieldManager", said, "should only contain printable characters"))
        } else {
            None
        };
        return match fault {
            Some(fault) => Err(Status::invalid_kind("meta.k8s.io", "PatchOptions", "", &[fault])),
            None => Ok(said.to_owned()),
        };
    }
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match agent.split('/').next().unwrap_or_default() {
        // Components inside this process have no user agent, but a name.
        "" => identity.user.rsplit(':').next().unwrap_or_default(),
        name => name,
    };
    Ok(name.chars().filter(|c| !c.is_control()).take(MAX_MANAGER).collect())
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
