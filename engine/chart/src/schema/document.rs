//! A schema's text: which draft it follows, and what its references lead to.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};

use super::fault::report;
use super::instance::Instance;
use super::json::Json;
use super::meta;
use super::validate::Validator;

/// The edition of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Draft2019,
    Draft2020,
}

impl Draft {
    fn of(id: &str) -> Option<Self> {
        let bare = id.trim_end_matches('#').trim_start_matches("https://").trim_start_matches("http://");
        match bare {
            "json-schema.org/draft-04/schema" => Some(Self::Four),
            "json-schema.org/draft-06/schema" => Some(Self::Six),
            "json-schema.org/draft-07/schema" => Some(Self::Seven),
            "json-schema.org/draft/2019-09/schema" => Some(Self::Draft2019),
            "json-schema.org/draft/2020-12/schema" | "json-schema.org/schema" => Some(Self::Draft2020),
            _ => None,
        }
    }

    /// Whether a keyword says anything in this edition; what is unknown is skipped.
    pub(super) fn knows(self, keyword: &str) -> bool {
        match keyword {
            "const" | "contains" | "propertyNames" => self >= Self::Six,
            "if" | "then" | "else" => self >= Self::Seven,
            "dependentSchemas"
            | "dependentRequired"
            | "minContains"
            | "maxContains"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "$recursiveRef" => self >= Self::Draft2019,
            "$dynamicRef" | "prefixItems" => self == Self::Draft2020,
            "additionalItems" => self < Self::Draft2020,
            _ => true,
        }
    }

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Four => "http://json-schema.org/draft-04/schema#",
            Self::Six => "http://json-schema.org/draft-06/schema#",
            Self::Seven => "http://json-schema.org/draft-07/schema#",
            Self::Draft2019 => "https://json-schema.org/draft/2019-09/schema#",
            Self::Draft2020 => "https://json-schema.org/draft/2020-12/schema#",
        }
    }
}

/// Where a reference leads.
pub(super) enum Target<'s> {
    Schema(&'s Json<'s>),
    /// Somewhere that accepts everything: an unknown `urn:`, or the schema of schemas.
    Anything,
}

/// Subschemas by the names that they have of their own.
type Names<'s> = BTreeMap<String, &'s Json<'s>>;

/// A schema with its references.
pub(super) struct Document<'s> {
    pub(super) root: &'s Json<'s>,
    pub(super) draft: Draft,
    /// Found when first asked for: few references are by name.
    named: OnceCell<Names<'s>>,
    /// Whether some schema may ask what others have looked at.
    pub(super) tracks: bool,
    /// Whether some schema may refer to another.
    refers: bool,
}

/// How deep a schema may nest.
const MAX_DEPTH: usize = 200;

impl<'s> Document<'s> {
    /// A document, and the text that it was read from.
    pub(super) fn new(root: &'s Json<'s>, text: &str) -> Result<Self, String> {
        let draft = match root.get("$schema").and_then(Json::as_str) {
            None => Draft::Draft2020,
            Some(id) => Draft::of(id).ok_or_else(|| failing(id))?,
        };
        // A look at the text is cheaper than one at the tree. Keys may be written with escapes.
        let has = |part: &str| memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some();
        let is_escaped = has("\\u");
        let tracks = is_escaped || has("unevaluated");
        // `$ref`, `$dynamicRef` and `$recursiveRef`
        let refers = is_escaped || has("ef\"");
        Ok(Self { root, draft, named: OnceCell::new(), tracks, refers })
    }

    /// A document known to be right: the schema of schemas.
    pub(super) fn trusted(root: &'s Json<'s>) -> Self {
        Self { root, draft: Draft::Draft2020, named: OnceCell::new(), tracks: false, refers: true }
    }

    fn named(&self) -> &Names<'s> {
        self.named.get_or_init(|| {
            let mut names = Names::new();
            index(self.root, 0, &mut names);
            names
        })
    }

    /// Resolves a reference.
    pub(super) fn resolve(&self, reference: &str) -> Result<Target<'s>, String> {
        let (base, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let start = match base {
            "" => self.root,
            base if Draft::of(base).is_some() || base.starts_with("urn:") && !self.named().contains_key(base) => {
                return Ok(Target::Anything);
            }
            base => match self.by_name(base) {
                Some(schema) => schema,
                None => return Err(failing(base)),
            },
        };
        if fragment.is_empty() {
            return Ok(Target::Schema(start));
        }
        if !fragment.starts_with('/') {
            let found = self.named().get(&format!("#{fragment}"));
            return found.map(|schema| Target::Schema(schema)).ok_or_else(|| {
                format!("anchor in \"file:///values.schema.json#{fragment}\" not found in schema \"file:///values.schema.json\"")
            });
        }
        let found = start.pointer(&percent_decoded(fragment));
        found
            .map(Target::Schema)
            .ok_or_else(|| format!("json-pointer in \"file:///values.schema.json#{fragment}\" not found"))
    }

    fn by_name(&self, base: &str) -> Option<&'s Json<'s>> {
        let last = |text: &str| text.trim_end_matches('#').rsplit('/').next().map(str::to_owned);
        let same = |(name, _): &(&String, &&Json<'_>)| {
            name.trim_end_matches('#') == base || !base.contains("://") && last(name) == last(base)
        };
        self.named().iter().filter(|(name, _)| !name.starts_with('#')).find(same).map(|(_, schema)| *schema)
    }

    /// Checks the schema itself: its form, its references and patterns.
    pub(super) fn check(&self) -> Result<(), String> {
        if !meta::is_plain(self.root, 0) {
            let rules = Document::trusted(meta::of(self.draft));
            let faults = Validator::new(&rules).run(Instance::of(&self.root.to_value()));
            if !faults.is_empty() {
                return Err(format!(
                    "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with '{}'\n{}",
                    self.draft.id(),
                    report(&faults)
                ));
            }
        }
        if self.refers { self.check_references(self.root, &mut HashSet::new(), 0) } else { Ok(()) }
    }

    fn check_references(
        &self,
        schema: &'s Json<'s>,
        seen: &mut HashSet<*const Json<'s>>,
        depth: usize,
    ) -> Result<(), String> {
        let Json::Object(map) = schema else { return Ok(()) };
        if depth > MAX_DEPTH || !seen.insert(std::ptr::from_ref(schema)) {
            return Ok(());
        }
        for keyword in ["$ref", "$recursiveRef", "$dynamicRef"] {
            let Some(reference) = map.get(keyword).filter(|_| self.draft.knows(keyword)).and_then(Json::as_str) else {
                continue;
            };
            if let Target::Schema(target) = self.resolve(reference)? {
                self.check_references(target, seen, depth + 1)?;
            }
            if self.draft <= Draft::Seven {
                return Ok(());
            }
        }
        for (keyword, value) in map.iter().filter(|(keyword, _)| self.draft.knows(keyword)) {
            match (keyword, value) {
                ("properties" | "patternProperties" | "dependentSchemas" | "dependencies", Json::Object(inner)) => {
                    inner.values().try_for_each(|schema| self.check_references(schema, seen, depth + 1))?;
                }
                ("definitions", Json::Object(inner)) if self.draft <= Draft::Seven => {
                    inner.values().try_for_each(|schema| self.check_references(schema, seen, depth + 1))?;
                }
                ("$defs", Json::Object(inner)) if self.draft > Draft::Seven => {
                    inner.values().try_for_each(|schema| self.check_references(schema, seen, depth + 1))?;
                }
                ("allOf" | "anyOf" | "oneOf" | "items" | "prefixItems", Json::Array(inner)) => {
                    inner.iter().try_for_each(|schema| self.check_references(schema, seen, depth + 1))?;
                }
                (
                    "items"
                    | "additionalItems"
                    | "additionalProperties"
                    | "contains"
                    | "propertyNames"
                    | "not"
                    | "if"
                    | "then"
                    | "else"
                    | "unevaluatedItems"
                    | "unevaluatedProperties",
                    inner,
                ) => self.check_references(inner, seen, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Finds the subschemas with names.
fn index<'s>(schema: &'s Json<'s>, depth: usize, names: &mut Names<'s>) {
    if depth > MAX_DEPTH {
        return;
    }
    match schema {
        Json::Object(map) => {
            for key in ["$id", "id", "$anchor", "$dynamicAnchor"] {
                if let Some(name) = map.get(key).and_then(Json::as_str) {
                    let name = if key.ends_with("nchor") { format!("#{name}") } else { name.to_owned() };
                    names.entry(name).or_insert(schema);
                }
            }
            map.values().for_each(|value| index(value, depth + 1, names));
        }
        Json::Array(items) => items.iter().for_each(|item| index(item, depth + 1, names)),
        _ => {}
    }
}

/// Nothing outside is ever read.
fn failing(url: &str) -> String {
    format!("failing loading \"{url}\": references outside the schema are not followed")
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = code.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
