//! Selectors whose parts are patterns.

use std::cell::OnceCell;

use regex::Regex;

use crate::error::{Error, Result};
use crate::id::Id;
use crate::kustomization::Selector;
use crate::resource::Resource;

/// A selector, ready to be used.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    selector: &'a Selector,
    group: Pattern<'a>,
    version: Pattern<'a>,
    kind: Pattern<'a>,
    name: Pattern<'a>,
    namespace: Pattern<'a>,
}

/// A pattern that must match a whole text; plain words are compared as they are.
#[derive(Debug)]
struct Pattern<'a> {
    text: &'a str,
    plain: bool,
    regex: OnceCell<Regex>,
}

impl<'a> Pattern<'a> {
    fn new(text: &'a str) -> Result<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/'));
        let regex = OnceCell::new();
        if !plain {
            let compiled = compile(&format!("^(?:{text})$"))?;
            let _ = regex.set(compiled);
        }
        Ok(Self { text, plain, regex })
    }

    fn matches(&self, text: &str) -> bool {
        self.text.is_empty()
            || if self.plain { self.text == text } else { self.regex.get().is_some_and(|regex| regex.is_match(text)) }
    }
}

/// A pattern as Go's `regexp` takes it; bounded in size.
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| Error::rule(format!("error parsing regexp {pattern:?}: {error}")))
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(selector: &'a Selector) -> Result<Self> {
        Ok(Self {
            selector,
            group: Pattern::new(&selector.group)?,
            version: Pattern::new(&selector.version)?,
            kind: Pattern::new(&selector.kind)?,
            name: Pattern::new(&selector.name)?,
            namespace: Pattern::new(&selector.namespace)?,
        })
    }

    /// Whether group, version and kind fit.
    pub(crate) fn matches_gvk(&self, id: &Id<'_>) -> bool {
        self.kind.matches(id.kind) && self.group.matches(id.group) && self.version.matches(id.version)
    }

    /// Whether an identity fits; the namespace is compared as it is written.
    pub(crate) fn matches_id(&self, id: &Id<'_>) -> bool {
        self.matches_gvk(id) && self.name.matches(id.name) && self.namespace.matches(id.namespace)
    }

    /// Whether the selector names no part of an identity.
    pub(crate) fn is_anonymous(&self) -> bool {
        [&self.group, &self.version, &self.kind, &self.name, &self.namespace].iter().all(|part| part.text.is_empty())
    }

    /// Whether a resource fits by its present or its original name.
    pub(crate) fn matches(&self, resource: &Resource) -> Result<bool> {
        let (current, original) = (resource.id(), resource.original_id());
        let by_id = self.matches_gvk(&current)
            && (self.name.matches(original.name) || self.name.matches(current.name))
            && (self.namespace.matches(original.effective_namespace())
                || self.namespace.matches(current.effective_namespace()));
        Ok(by_id && self.matches_texts(resource)?)
    }

    /// Whether labels and annotations fit.
    pub(crate) fn matches_texts(&self, resource: &Resource) -> Result<bool> {
        Ok(resource.matches_labels(&self.selector.label_selector)?
            && resource.matches_annotations(&self.selector.annotation_selector)?)
    }
}
