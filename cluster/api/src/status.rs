//! Errors as clients see them: `Status` objects with Kubernetes' reasons, codes and words.
//!
//! ```
//! use kpkg_api::{schema, status::Status};
//! let deployment = schema::kind("apps", "v1", "Deployment").expect("served");
//! let status = Status::not_found(deployment.group, deployment.plural, "web");
//! assert_eq!(status.message(), "deployments.apps \"web\" not found");
//! assert_eq!(status.code(), 404);
//! ```

use crate::{schema::Kind, text::quote, validate::FieldError};
use serde_json::{Map, Value, json};

/// Why a request failed, in one word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No reason is known.
    Unknown,
    /// Who asks is not known.
    Unauthorized,
    /// Who asks may not.
    Forbidden,
    /// There is no such object or resource.
    NotFound,
    /// There is such an object already.
    AlreadyExists,
    /// The object has changed in between, or its state forbids it.
    Conflict,
    /// It was there and is no more.
    Gone,
    /// The object breaks rules.
    Invalid,
    /// The server could not do it in time; ask again.
    ServerTimeout,
    /// The request took too long.
    Timeout,
    /// Too many requests at once.
    TooManyRequests,
    /// The request itself makes no sense.
    BadRequest,
    /// The resource does not know the method.
    MethodNotAllowed,
    /// None of the media types asked for can be given.
    NotAcceptable,
    /// The body is too large.
    RequestEntityTooLarge,
    /// The body's media type is unknown.
    UnsupportedMediaType,
    /// A bug or a broken dependency.
    InternalError,
    /// The revision asked for is too old.
    Expired,
    /// Not now.
    ServiceUnavailable,
}

impl Reason {
    /// The word in `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Invalid => "Invalid",
            Self::ServerTimeout => "ServerTimeout",
            Self::Timeout => "Timeout",
            Self::TooManyRequests => "TooManyRequests",
            Self::BadRequest => "BadRequest",
            Self::MethodNotAllowed => "MethodNotAllowed",
            Self::NotAcceptable => "NotAcceptable",
            Self::RequestEntityTooLarge => "RequestEntityTooLarge",
            Self::UnsupportedMediaType => "UnsupportedMediaType",
            Self::InternalError => "InternalError",
            Self::Expired => "Expired",
            Self::ServiceUnavailable => "ServiceUnavailable",
        }
    }

    /// The HTTP code that goes with it.
    pub fn code(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::NotAcceptable => 406,
            Self::AlreadyExists | Self::Conflict => 409,
            Self::Gone | Self::Expired => 410,
            Self::RequestEntityTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::Unknown | Self::ServerTimeout | Self::InternalError => 500,
            Self::ServiceUnavailable => 503,
            Self::Timeout => 504,
            Self::BadRequest => 400,
        }
    }
}

/// The one message of an update that lost a race.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// A failure, ready to be sent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    reason: Reason,
    code: u16,
    message: String,
    details: Map<String, Value>,
    /// `metadata.continue`: where an expired list goes on.
    next: Option<String>,
}

impl Status {
    /// A failure with a message only.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, code: reason.code(), message: message.into(), details: Map::new(), next: None }
    }

    /// There is no such object.
    pub fn not_found(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} {} not found", qualified(plural, group), quote(name));
        Self::new(Reason::NotFound, message).about(group, plural, name)
    }

    /// There is no such path.
    pub fn path_not_found() -> Self {
        let mut status = Self::new(Reason::NotFound, "the server could not find the requested resource");
        status.details.clear();
        status
    }

    /// The definition of the object's kind is being deleted.
    pub fn create_while_terminating() -> Self {
        Self::new(Reason::MethodNotAllowed, "create not allowed while custom resource definition is terminating")
    }

    /// There is such an object already.
    pub fn already_exists(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} {} already exists", qualified(plural, group), quote(name));
        Self::new(Reason::AlreadyExists, message).about(group, plural, name)
    }

    /// No free name could be made out of `generateName`.
    pub fn generate_name_conflict(group: &str, plural: &str, name: &str) -> Self {
        let message = format!(
            "{} {} already exists, the server was not able to generate a unique name for the object",
            qualified(plural, group),
            quote(name)
        );
        Self::new(Reason::AlreadyExists, message).about(group, plural, name).retry_after(1)
    }

    /// The update was made from an old version of the object.
    pub fn modified(group: &str, plural: &str, name: &str) -> Self {
        Self::conflict(group, plural, name, MODIFIED)
    }

    /// The object's state does not allow it.
    pub fn conflict(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {}: {why}", qualified(plural, group), quote(name));
        Self::new(Reason::Conflict, message).about(group, plural, name)
    }

    /// The object breaks rules.
    pub fn invalid(kind: &Kind, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_kind(kind.group, kind.kind, name, errors)
    }

    /// An object of a kind that is no resource (an options object) breaks rules.
    pub fn invalid_kind(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let subject = format!("{} {} is invalid", qualified(kind, group), quote(name));
        let message = if errors.is_empty() { subject } else { format!("{subject}: {}", aggregate(errors)) };
        let mut status = Self::new(Reason::Invalid, message).about(group, kind, name);
        if !errors.is_empty() {
            status.details.insert("causes".to_owned(), errors.iter().map(cause).collect());
        }
        status
    }

    /// The request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, message)
    }

    /// The body could not be decoded as an object of that kind.
    pub fn cannot_be_handled(kind: &Kind, why: &str) -> Self {
        Self::bad_request(format!(
            "{name} in version {version} cannot be handled as a {name}: {why}",
            name = kind.kind,
            version = quote(kind.version)
        ))
    }

    /// Who asks may not.
    pub fn forbidden(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = match (plural.is_empty() && group.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{} is forbidden: {why}", qualified(plural, group)),
            (false, false) => format!("{} {} is forbidden: {why}", qualified(plural, group), quote(name)),
        };
        Self::new(Reason::Forbidden, message).about(group, plural, name)
    }

    /// Who asks is not known.
    pub fn unauthorized() -> Self {
        Self::new(Reason::Unauthorized, "Unauthorized")
    }

    /// The revision asked for is too old.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(Reason::Expired, message)
    }

    /// The continue token is too old; `fresh` continues at the present.
    pub fn continue_expired(fresh: Option<&str>) -> Self {
        let mut status = Self::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of \
             the results. Continuing with the provided token results in an inconsistent list - objects that were \
             created, modified, or deleted between the time the first chunk was returned and now may show up in the \
             list.",
        );
        status.next = fresh.map(str::to_owned);
        status
    }

    /// A watch began at a revision that is gone.
    pub fn too_old(requested: i64, oldest: i64) -> Self {
        Self::expired(format!("too old resource version: {requested} ({oldest})"))
    }

    /// The resource does not know the method.
    pub fn method_not_supported(group: &str, plural: &str, action: &str) -> Self {
        let message = format!("{action} is not supported on resources of kind {}", quote(&qualified(plural, group)));
        Self::new(Reason::MethodNotAllowed, message).about(group, plural, "")
    }

    /// The path does not know the method.
    pub fn method_not_allowed() -> Self {
        Self::new(Reason::MethodNotAllowed, "the server does not allow this method on the requested resource")
    }

    /// None of the media types asked for can be given.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", accepted.join(", "));
        Self::new(Reason::NotAcceptable, message)
    }

    /// The body's media type is unknown.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(Reason::UnsupportedMediaType, message)
    }

    /// The body is too large.
    pub fn too_large(limit: usize) -> Self {
        Self::new(Reason::RequestEntityTooLarge, format!("Request entity too large: limit is {limit}"))
    }

    /// A bug or a broken dependency.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        let mut status = Self::new(Reason::InternalError, format!("Internal error occurred: {why}"));
        status.details.insert("causes".to_owned(), json!([{"message": why.to_string()}]));
        status
    }

    /// Too many requests at once.
    pub fn too_many_requests(message: impl Into<String>, seconds: u32) -> Self {
        Self::new(Reason::TooManyRequests, message).retry_after(seconds)
    }

    /// Not now.
    pub fn service_unavailable(why: impl Into<String>) -> Self {
        Self::new(Reason::ServiceUnavailable, why)
    }

    /// The request took too long.
    pub fn timeout(message: impl std::fmt::Display, seconds: u32) -> Self {
        Self::new(Reason::Timeout, format!("Timeout: {message}")).retry_after(seconds)
    }

    /// Adds what the failure is about to `details`.
    #[must_use]
    pub fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                self.details.insert(key.to_owned(), json!(value));
            }
        }
        self
    }

    /// Adds one cause to `details`.
    #[must_use]
    pub fn with_cause(mut self, reason: &str, message: &str, field: &str) -> Self {
        let causes = self.details.entry("causes").or_insert_with(|| json!([]));
        let mut cause = json!({"reason": reason, "message": message});
        if !field.is_empty() {
            cause["field"] = json!(field);
        }
        if let Value::Array(causes) = causes {
            causes.push(cause);
        }
        self
    }

    /// Says when to ask again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.details.insert("retryAfterSeconds".to_owned(), json!(seconds));
        self
    }

    /// The word for programs.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The words for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long a client should wait, if it is told so.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.details.get("retryAfterSeconds").and_then(Value::as_u64)
    }

    /// The object to send.
    pub fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        });
        if self.reason != Reason::Unknown {
            status["reason"] = json!(self.reason.as_str());
        }
        if !self.details.is_empty() || self.reason == Reason::NotFound {
            status["details"] = Value::Object(self.details.clone());
        }
        if let Some(next) = &self.next {
            status["metadata"]["continue"] = json!(next);
        }
        status["code"] = json!(self.code);
        status
    }
}

/// The answer to a deletion that took effect at once.
pub fn success(group: &str, plural: &str, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": plural, "uid": uid});
    if !group.is_empty() {
        details["group"] = json!(group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

fn cause(error: &FieldError) -> Value {
    json!({"reason": error.reason.cause(), "message": error.body(), "field": error.path})
}

/// Several errors as one text: alone as it is, else in brackets and each once.
pub fn aggregate(errors: &[FieldError]) -> String {
    let mut seen: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    if seen.len() == 1 { seen.remove(0) } else { format!("[{}]", seen.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_kubernetes() {
        let cases = [
            (Status::not_found("apps", "deployments", "x"), 404, r#"deployments.apps "x" not found"#),
            (Status::already_exists("", "pods", "x"), 409, r#"pods "x" already exists"#),
            (
                Status::modified("apps", "deployments", "x"),
                409,
                r#"Operation cannot be fulfilled on deployments.apps "x": the object has been modified; please apply your changes to the latest version and try again"#,
            ),
            (Status::forbidden("", "pods", "x", "no"), 403, r#"pods "x" is forbidden: no"#),
            (Status::too_old(3, 10), 410, "too old resource version: 3 (10)"),
            (Status::internal("boom"), 500, "Internal error occurred: boom"),
            (
                Status::method_not_supported("", "bindings", "list"),
                405,
                r#"list is not supported on resources of kind "bindings""#,
            ),
        ];
        for (status, code, message) in cases {
            assert_eq!((status.code(), status.message()), (code, message));
        }
    }

    #[test]
    fn invalid_lists_causes() {
        let kind = crate::schema::kind("apps", "v1", "Deployment").expect("Deployment");
        let one = [FieldError::required("spec.selector", "")];
        let status = Status::invalid(kind, "x", &one);
        assert_eq!(status.message(), r#"Deployment.apps "x" is invalid: spec.selector: Required value"#);
        let two = [one[0].clone(), FieldError::invalid("spec.replicas", -1, "must be greater than or equal to 0")];
        let status = Status::invalid(kind, "x", &two);
        assert_eq!(
            status.message(),
            r#"Deployment.apps "x" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: must be greater than or equal to 0]"#
        );
        let value = status.to_value();
        assert_eq!(value["code"], 422);
        assert_eq!(value["details"]["kind"], "Deployment");
        assert_eq!(value["details"]["causes"][1]["reason"], "FieldValueInvalid");
        assert_eq!(value["details"]["causes"][1]["field"], "spec.replicas");
    }
}
