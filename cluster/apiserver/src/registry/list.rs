//! List.

use super::{stored_kind, view};
use crate::{
    ApiServer,
    failure::{self, Result},
    query::Query,
    shelf::Object,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use kpkg_api::{
    schema::Kind,
    selector::{FieldSelector, LabelSelector},
    status::{Reason, Status},
    validate::FieldError,
};
use kpkg_store::Range;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which objects are meant.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    kind: &'static Kind,
    labels: LabelSelector,
    fields: FieldSelector,
}

/// Which page of a list is meant, and as of when.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListOptions {
    limit: usize,
    token: Option<Token>,
    revision: AsOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum AsOf {
    #[default]
    Newest,
    /// Any state that is not older.
    NotOlderThan(i64),
    Exact(i64),
}

/// Where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    /// None: whatever is newest, after the page before has expired.
    revision: Option<i64>,
    /// The last key of the page before, without the kind's prefix.
    after: String,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) revision: i64,
    /// The token for the next page.
    pub(crate) next: Option<String>,
    pub(crate) remaining: Option<usize>,
}

// === impl Selection ===

impl Selection {
    pub(crate) fn parse(kind: &'static Kind, query: &Query) -> Result<Self> {
        let bad = |error: kpkg_api::selector::SelectorError| Status::bad_request(error.to_string());
        Ok(Self {
            kind,
            labels: query.text("labelSelector").parse().map_err(bad)?,
            fields: FieldSelector::parse(kind, query.text("fieldSelector")).map_err(bad)?,
        })
    }

    /// Only the object of that name.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether a stored object is meant.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.is_everything() || (self.labels.matches(object) && self.fields.matches(&view::shown(self.kind, object)))
    }

    /// The one name that is meant, if only one can be.
    fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }
}

// === impl ListOptions ===

impl ListOptions {
    pub(crate) fn parse(query: &Query) -> Result<Self> {
        let limit = usize::try_from(query.integer("limit")?.unwrap_or_default()).unwrap_or_default();
        let token = match query.text("continue") {
            "" => None,
            text => Some(Token::decode(text)?),
        };
        if query.has("sendInitialEvents") {
            return Err(invalid("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        let revision = as_of(query, limit, token.is_some())?;
        Ok(Self { limit, token, revision })
    }
}

fn as_of(query: &Query, limit: usize, continues: bool) -> Result<AsOf> {
    let revision = revision(query)?;
    let matching = query.text("resourceVersionMatch");
    if continues {
        if !matching.is_empty() {
            return Err(invalid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
        }
        return match revision {
            None | Some(0) => Ok(AsOf::Newest),
            Some(_) => Err(Status::bad_request("specifying resource version is not allowed when using continue")),
        };
    }
    match (matching, revision) {
        ("", None) | ("" | "NotOlderThan", Some(0)) => Ok(AsOf::Newest),
        (_, None) => {
            Err(invalid("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        }
        ("Exact", Some(0)) => Err(invalid(
            "resourceVersionMatch",
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        )),
        ("Exact", Some(revision)) => Ok(AsOf::Exact(revision)),
        ("", Some(revision)) if limit > 0 => Ok(AsOf::Exact(revision)),
        ("" | "NotOlderThan", Some(revision)) => Ok(AsOf::NotOlderThan(revision)),
        (other, Some(_)) => {
            let fault = FieldError::not_supported("resourceVersionMatch", other, &["Exact", "NotOlderThan", ""]);
            Err(Status::invalid_kind("meta.k8s.io", "ListOptions", "", &[fault]))
        }
    }
}

/// `resourceVersion` of a query.
pub(super) fn revision(query: &Query) -> Result<Option<i64>> {
    match query.text("resourceVersion") {
        "" => Ok(None),
        text => text.parse().ok().filter(|revision| *revision >= 0).map(Some).ok_or_else(|| {
            let fault = FieldError::invalid(
                "resourceVersion",
                text,
                format!("strconv.ParseUint: parsing {text:?}: invalid syntax"),
            );
            Status::invalid_kind("meta.k8s.io", "ListOptions", "", &[fault])
        }),
    }
}

pub(super) fn invalid(field: &str, why: &str) -> Status {
    Status::invalid_kind("meta.k8s.io", "ListOptions", "", &[FieldError::forbidden(field, why)])
}

// === impl Token ===

impl Token {
    fn decode(text: &str) -> Result<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let value = bytes.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let parts = value.as_ref().and_then(|value| Some((value["rv"].as_i64()?, value["start"].as_str()?)));
        let (revision, after) = parts.ok_or_else(|| Status::bad_request("continue key is not valid"))?;
        Ok(Self { revision: (revision > 0).then_some(revision), after: after.to_owned() })
    }

    fn encode(&self) -> String {
        let value = json!({"v": "meta.k8s.io/v1", "rv": self.revision.unwrap_or(-1), "start": self.after});
        BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
    }
}

// === impl ApiServer ===

impl ApiServer {
    /// The objects of a kind that are meant, in key order.
    pub(crate) async fn list(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        selection: &Selection,
        options: &ListOptions,
    ) -> Result<Listed> {
        let shelf = self.shelf(kind);
        let prefix = shelf.prefix(namespace);
        if let AsOf::NotOlderThan(revision) = options.revision {
            let current = shelf.current_revision().await?;
            if revision > current {
                return Err(failure::too_large_revision(revision, current));
            }
        }
        if let (Some(name), 0, AsOf::Newest | AsOf::NotOlderThan(_), None) =
            (selection.name(), options.limit, options.revision, &options.token)
            && (namespace.is_some() || !kind.namespaced)
        {
            return self.list_one(kind, namespace, name, selection).await;
        }
        let base = shelf.prefix(None);
        let mut range = Range { prefix, ..Range::default() };
        match (&options.token, options.revision) {
            (Some(token), _) => {
                range.revision = token.revision;
                range.start_after = Some([&base[..], token.after.as_bytes()].concat().into());
            }
            (None, AsOf::Exact(revision)) => range.revision = Some(revision),
            (None, _) => {}
        }
        let pages = Pages { selection, limit: options.limit, base: &base };
        match pages.read(&shelf, range).await {
            Err(status) if status.reason() == Reason::Expired => Err(expired(options.token.as_ref())),
            result => result,
        }
    }

    /// A list of at most one object, without reading the others.
    async fn list_one(
        &self,
        kind: &'static Kind,
        namespace: Option<&str>,
        name: &str,
        selection: &Selection,
    ) -> Result<Listed> {
        // The revision is read first: the object may be newer than the list says, never older.
        let revision = self.shelf(stored_kind(kind)).current_revision().await?;
        let found = self.find(kind, namespace, name).await?;
        let objects: Vec<_> = found.into_iter().filter(|object| selection.matches(&object.value)).collect();
        let revision = objects.iter().map(|object| object.revision).fold(revision, i64::max);
        Ok(Listed { objects, revision, next: None, remaining: None })
    }
}

fn expired(token: Option<&Token>) -> Status {
    match token {
        Some(token) => {
            let fresh = Token { revision: None, after: token.after.clone() }.encode();
            Status::continue_expired(Some(&fresh))
        }
        None => Status::expired("The resourceVersion for the provided list is too old."),
    }
}

/// Reads on until the page is full.
struct Pages<'a> {
    selection: &'a Selection,
    limit: usize,
    /// What tokens leave out of keys.
    base: &'a Bytes,
}

impl Pages<'_> {
    async fn read(&self, shelf: &crate::shelf::Shelf, mut range: Range) -> Result<Listed> {
        let mut objects = Vec::new();
        loop {
            range.limit = self.limit.saturating_sub(objects.len());
            let page = shelf.range(range.clone()).await?;
            let last = page.objects.last().map(|(key, _)| key.clone());
            let found = page.objects.into_iter().map(|(_, object)| object);
            objects.extend(found.filter(|object| self.selection.matches(&object.value)));
            let full = self.limit > 0 && objects.len() >= self.limit;
            if page.remaining == 0 || full {
                let next = last.filter(|_| page.remaining > 0).map(|key| self.token(page.revision, &key));
                let remaining = (next.is_some() && self.selection.is_everything()).then_some(page.remaining);
                return Ok(Listed { objects, revision: page.revision, next, remaining });
            }
            range.revision = Some(page.revision);
            range.start_after = last;
        }
    }

    fn token(&self, revision: i64, key: &[u8]) -> String {
        let after = String::from_utf8_lossy(&key[self.base.len()..]).into_owned();
        Token { revision: Some(revision), after }.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_there_and_back() {
        for revision in [Some(7), None] {
            let token = Token { revision, after: "default/a".to_owned() };
            assert_eq!(Token::decode(&token.encode()), Ok(token));
        }
        assert!(Token::decode("!").is_err());
        assert!(Token::decode("e30").is_err());
    }

    #[test]
    fn resource_versions_mean_what_kubernetes_says() {
        let cases = [
            ("", Ok(AsOf::Newest)),
            ("resourceVersion=0", Ok(AsOf::Newest)),
            ("resourceVersion=5", Ok(AsOf::NotOlderThan(5))),
            ("resourceVersion=5&limit=1", Ok(AsOf::Exact(5))),
            ("resourceVersion=5&resourceVersionMatch=Exact", Ok(AsOf::Exact(5))),
            ("resourceVersion=5&limit=1&resourceVersionMatch=NotOlderThan", Ok(AsOf::NotOlderThan(5))),
            ("resourceVersionMatch=Exact", Err(422)),
            ("resourceVersion=0&resourceVersionMatch=Exact", Err(422)),
            ("resourceVersion=x", Err(422)),
            ("resourceVersion=5&resourceVersionMatch=Sometimes", Err(422)),
        ];
        for (text, want) in cases {
            let options = ListOptions::parse(&Query::parse(Some(text)));
            assert_eq!(options.map(|options| options.revision).map_err(|status| status.code()), want, "{text}");
        }
    }
}
