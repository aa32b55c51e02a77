//! An instance against a schema, keyword by keyword, in the order in which complaints are expected.

use std::collections::{BTreeMap, BTreeSet};

use kpkg_yaml::{Map, Value};

use super::document::{Document, Draft, Target};
use super::fault::{Fault, quote, quote_all};
use super::format;
use super::instance::{Instance, Item};
use super::json::{Json, Object};
use super::number::{english, is_multiple};

/// How deep schemas may lead into each other on one value.
const MAX_DEPTH: usize = 500;

pub(super) struct Validator<'d, 's> {
    document: &'d Document<'s>,
    patterns: BTreeMap<String, Option<regex::bytes::Regex>>,
    /// The schemas being applied, and to what: meeting a pair again is a cycle.
    open: Vec<(*const (), *const ())>,
}

/// Which parts of an instance some keyword looked at.
#[derive(Debug, Default)]
struct Seen {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.properties.extend(other.properties);
        self.items.extend(other.items);
    }
}

/// Where in an instance a value stands; written out only for complaints.
#[derive(Clone, Copy)]
enum Path<'p> {
    Root,
    Name(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Name(parent, name) => write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Index(parent, index) => write!(f, "{parent}/{index}"),
        }
    }
}

/// The groups of keywords that a schema has.
#[derive(Clone, Copy, Default)]
struct Groups(u8);

impl Groups {
    const SCALARS: u8 = 1;
    const OBJECTS: u8 = 2;
    const ARRAYS: u8 = 4;
    const REFERENCES: u8 = 8;
    const COMBINED: u8 = 16;
    const UNEVALUATED: u8 = 32;

    fn of(schema: &Object<'_>) -> Self {
        Self(schema.keys().fold(0, |groups, keyword| groups | Self::of_keyword(keyword)))
    }

    fn of_keyword(keyword: &str) -> u8 {
        match keyword {
            "minLength" | "maxLength" | "pattern" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
            | "multipleOf" => Self::SCALARS,
            "minProperties"
            | "maxProperties"
            | "required"
            | "properties"
            | "patternProperties"
            | "additionalProperties"
            | "propertyNames"
            | "dependentSchemas"
            | "dependentRequired"
            | "dependencies" => Self::OBJECTS,
            "minItems" | "maxItems" | "uniqueItems" | "prefixItems" | "items" | "additionalItems" | "contains"
            | "minContains" | "maxContains" => Self::ARRAYS,
            "$ref" | "$dynamicRef" | "$recursiveRef" => Self::REFERENCES,
            "not" | "allOf" | "anyOf" | "oneOf" | "if" | "then" | "else" => Self::COMBINED,
            "unevaluatedProperties" | "unevaluatedItems" => Self::UNEVALUATED,
            _ => 0,
        }
    }

    fn has(self, group: u8) -> bool {
        self.0 & group != 0
    }
}

/// The outcome of a schema on a value.
type Outcome = (Vec<Fault>, Seen);

impl<'d, 's> Validator<'d, 's> {
    pub(super) fn new(document: &'d Document<'s>) -> Self {
        Self { document, patterns: BTreeMap::new(), open: Vec::new() }
    }

    /// All that is wrong with an instance.
    pub(super) fn run(&mut self, instance: Instance<'_>) -> Vec<Fault> {
        self.apply(self.document.root, instance, &Path::Root).0
    }

    fn apply(&mut self, schema: &Json<'_>, value: Instance<'_>, path: &Path<'_>) -> Outcome {
        let map = match schema {
            Json::Bool(false) => return (vec![Fault::new(path, "false schema")], Seen::default()),
            Json::Object(map) => map,
            _ => return (Vec::new(), Seen::default()),
        };
        let pair = (std::ptr::from_ref(schema).cast(), value.address);
        if self.open.contains(&pair) {
            let message = "both /$ref and  resolve to \"file:///values.schema.json#\" causing reference cycle";
            return (vec![Fault::new(path, message)], Seen::default());
        }
        if self.open.len() > MAX_DEPTH {
            return (vec![Fault::new(path, "schemas are nested too deeply")], Seen::default());
        }
        self.open.push(pair);
        let mut run = Run { validator: self, schema: map, value, path, faults: Vec::new(), seen: Seen::default() };
        run.all();
        let outcome = (run.faults, run.seen);
        self.open.pop();
        outcome
    }

    fn matches(&mut self, pattern: &str, text: &str) -> bool {
        let compiled = self.patterns.entry(pattern.to_owned()).or_insert_with(|| kpkg_template::go_regex(pattern).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text.as_bytes()))
    }
}

/// One schema on one value.
struct Run<'r, 'd, 's, 'v> {
    validator: &'r mut Validator<'d, 's>,
    schema: &'v Object<'v>,
    value: Instance<'v>,
    path: &'v Path<'v>,
    faults: Vec<Fault>,
    seen: Seen,
}

impl<'v> Run<'_, '_, '_, 'v> {
    /// What a keyword says, if the schema's draft knows it.
    fn get(&self, keyword: &str) -> Option<&'v Json<'v>> {
        self.schema.get(keyword).filter(|_| self.draft().knows(keyword))
    }

    fn number(&self, keyword: &str) -> Option<f64> {
        self.get(keyword).and_then(Json::as_f64)
    }

    fn fail(&mut self, message: impl Into<String>) {
        self.faults.push(Fault::new(self.path, message));
    }

    fn draft(&self) -> Draft {
        self.validator.document.draft
    }

    /// Applies a subschema to this value or a part of it.
    fn sub(&mut self, schema: &Json<'_>, value: Instance<'_>, path: &Path<'_>) -> Outcome {
        self.validator.apply(schema, value, path)
    }

    /// Applies a subschema to the same value; its complaints become ours.
    fn also(&mut self, schema: &Json<'_>) {
        let (faults, seen) = self.sub(schema, self.value, self.path);
        self.faults.extend(faults);
        self.seen.add(seen);
    }

    fn all(&mut self) {
        if self.draft() <= Draft::Seven
            && let Some(reference) = self.get("$ref").and_then(Json::as_str)
        {
            self.reference(reference);
            return;
        }
        if !self.types() || !self.constants() {
            return;
        }
        self.formats();
        let groups = Groups::of(self.schema);
        match self.value.item {
            Item::Object(map) if groups.has(Groups::OBJECTS) => self.object(map),
            Item::Array(items) if groups.has(Groups::ARRAYS) => self.array(items),
            Item::String(text) if groups.has(Groups::SCALARS) => self.string(text),
            Item::Number(number) if groups.has(Groups::SCALARS) => self.numbers(number),
            _ => {}
        }
        if groups.has(Groups::REFERENCES) {
            self.references();
        }
        if groups.has(Groups::COMBINED) {
            self.combined();
        }
        if groups.has(Groups::UNEVALUATED) {
            self.unevaluated();
        }
    }

    fn references(&mut self) {
        // Complaints from references come before those of the schema's own keywords.
        let own = std::mem::take(&mut self.faults);
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = self.get(keyword).and_then(Json::as_str) {
                self.reference(reference);
            }
        }
        self.faults.extend(own);
    }

    fn reference(&mut self, reference: &str) {
        match self.validator.document.resolve(reference) {
            Ok(Target::Schema(schema)) => self.also(schema),
            Ok(Target::Anything) => {}
            Err(problem) => self.fail(problem),
        }
    }

    fn types(&mut self) -> bool {
        let found = self.value.item.type_name();
        let is_whole = matches!(self.value.item, Item::Number(number) if number.fract() == 0.0);
        let fits = |kind: &str| kind == found || kind == "integer" && is_whole;
        let mut wanted: Vec<&str> = match self.get("type") {
            Some(Json::String(kind)) if fits(kind) => return true,
            Some(Json::String(kind)) => vec![kind],
            Some(Json::Array(kinds)) => kinds.iter().filter_map(Json::as_str).collect(),
            _ => return true,
        };
        if wanted.iter().any(|kind| fits(kind)) {
            return true;
        }
        // The library keeps types in an order of its own.
        const ORDER: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];
        wanted.sort_by_key(|kind| ORDER.iter().position(|known| known == kind));
        self.fail(format!("got {found}, want {}", wanted.join(" or ")));
        false
    }

    fn constants(&mut self) -> bool {
        if let Some(constant) = self.get("const")
            && !self.value.item.equals(constant)
        {
            let message =
                display(constant).map_or_else(|| "'const' failed".to_owned(), |text| format!("value must be {text}"));
            self.fail(message);
            return false;
        }
        let Some(Json::Array(options)) = self.get("enum") else { return true };
        if options.iter().any(|option| self.value.item.equals(option)) {
            return true;
        }
        let shown: Option<Vec<String>> = options.iter().map(display).collect();
        let message = match shown.as_deref() {
            None => "'enum' failed".to_owned(),
            Some([only]) => format!("value must be {only}"),
            Some(all) => format!("value must be one of {}", all.join(", ")),
        };
        self.fail(message);
        false
    }

    fn formats(&mut self) {
        if self.draft() > Draft::Seven && !self.is_metaschema() {
            return;
        }
        if let (Some(name), Item::String(text)) = (self.get("format").and_then(Json::as_str), self.value.item)
            && let Err(problem) = format::check(name, text)
        {
            self.fail(format!("{} is not valid {name}: {problem}", quote(text)));
        }
    }

    /// The schema of schemas alone asserts formats in newer drafts.
    fn is_metaschema(&self) -> bool {
        self.validator.document.root.get("$defs").is_some_and(|defs| defs.get("schema").is_some())
            && self.validator.document.root.get("$ref").and_then(Json::as_str) == Some("#/$defs/schema")
    }

    fn bounds(&mut self, least: &str, most: &str, count: usize) {
        let count = count as f64;
        for (keyword, wrong) in [(least, true), (most, false)] {
            if let Some(limit) = self.number(keyword)
                && (if wrong { count < limit } else { count > limit })
            {
                self.fail(format!("{keyword}: got {}, want {}", english(count), english(limit)));
            }
        }
    }

    // === objects ===

    fn object(&mut self, map: &'v Map) {
        self.bounds("minProperties", "maxProperties", map.len());
        if let Some(Json::Array(required)) = self.get("required") {
            let missing: Vec<&str> =
                required.iter().filter_map(Json::as_str).filter(|name| !map.contains_key(*name)).collect();
            match missing.as_slice() {
                [] => {}
                [one] => self.fail(format!("missing property {}", quote(one))),
                many => self.fail(format!("missing properties {}", quote_all(many.iter().copied()))),
            }
        }
        self.properties(map);
        if let Some(names) = self.get("propertyNames") {
            for name in map.keys() {
                let (faults, _) = self.sub(names, Instance::of_name(name), self.path);
                if !faults.is_empty() {
                    let mut fault = Fault::new(self.path, format!("invalid propertyName {}", quote(name)));
                    fault.causes = vec![Fault::group(self.path, faults)];
                    self.faults.push(fault);
                }
            }
        }
        self.dependencies(map);
    }

    fn properties(&mut self, map: &'v Map) {
        // What no other keyword matched matters to this one only.
        let additional = self.get("additionalProperties");
        let mut matched: BTreeSet<&str> = BTreeSet::new();
        if let Some(Json::Object(properties)) = self.get("properties") {
            for (name, value) in map {
                if let Some(schema) = properties.get(name) {
                    matched.extend(additional.map(|_| name.as_str()));
                    self.property(schema, name, value);
                }
            }
        }
        if let Some(Json::Object(patterns)) = self.get("patternProperties") {
            for (name, value) in map {
                for (pattern, schema) in patterns.iter() {
                    if self.validator.matches(pattern, name) {
                        matched.insert(name);
                        self.property(schema, name, value);
                    }
                }
            }
        }
        let Some(schema) = additional else { return };
        let rest: Vec<(&String, &Value)> = map.iter().filter(|(name, _)| !matched.contains(name.as_str())).collect();
        if *schema == Json::Bool(false) && !rest.is_empty() {
            let names = quote_all(rest.iter().map(|(name, _)| name.as_str()));
            self.fail(format!("additional properties {names} not allowed"));
        } else {
            rest.into_iter().for_each(|(name, value)| self.property(schema, name, value));
        }
    }

    fn property(&mut self, schema: &Json<'_>, name: &str, value: &Value) {
        if self.validator.document.tracks {
            self.seen.properties.insert(name.to_owned());
        }
        let (faults, _) = self.sub(schema, Instance::of(value), &Path::Name(self.path, name));
        self.faults.extend(faults);
    }

    fn dependencies(&mut self, map: &'v Map) {
        let named = |keyword: &str| match self.get(keyword) {
            Some(Json::Object(inner)) => inner.iter().filter(|(name, _)| map.contains_key(*name)).collect(),
            _ => Vec::new(),
        };
        let schemas: Vec<_> = named("dependentSchemas")
            .into_iter()
            .chain(named("dependencies"))
            .filter(|(_, value)| value.as_array().is_none())
            .collect();
        let lists: Vec<_> = named("dependentRequired")
            .into_iter()
            .chain(named("dependencies"))
            .filter(|(_, value)| value.as_array().is_some())
            .collect();
        schemas.into_iter().for_each(|(_, schema)| self.also(schema));
        for (name, list) in lists {
            let missing: Vec<&str> = list
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .filter(|wanted| !map.contains_key(*wanted))
                .collect();
            if !missing.is_empty() {
                self.fail(format!("properties {} required, if {} exists", quote_all(missing), quote(name)));
            }
        }
    }

    // === arrays ===

    fn array(&mut self, items: &'v [Value]) {
        self.bounds("minItems", "maxItems", items.len());
        if self.get("uniqueItems") == Some(&Json::Bool(true))
            && let Some((first, second)) = duplicate(items)
        {
            self.fail(format!("items at {first} and {second} are equal"));
        }
        self.items(items);
        self.contains(items);
    }

    fn items(&mut self, items: &'v [Value]) {
        let tuple = match (self.get("prefixItems"), self.get("items")) {
            (Some(Json::Array(tuple)), _) | (_, Some(Json::Array(tuple))) => tuple.as_slice(),
            _ => &[],
        };
        for (index, (schema, item)) in tuple.iter().zip(items).enumerate() {
            self.item(schema, index, index, item);
        }
        let old_tuple = matches!(self.get("items"), Some(Json::Array(_)));
        let rest = items.iter().enumerate().skip(tuple.len());
        match if old_tuple { self.get("additionalItems") } else { self.get("items") } {
            None => {}
            Some(Json::Bool(false)) if old_tuple => {
                let extra = items.len().saturating_sub(tuple.len());
                if extra > 0 {
                    self.fail(format!("last {extra} additionalItem(s) not allowed"));
                }
            }
            // The library counts the items after a prefix from zero.
            Some(schema) => rest.for_each(|(index, item)| self.item(schema, index, index - tuple.len(), item)),
        }
    }

    fn item(&mut self, schema: &Json<'_>, index: usize, shown: usize, item: &Value) {
        if self.validator.document.tracks {
            self.seen.items.insert(index);
        }
        let (faults, _) = self.sub(schema, Instance::of(item), &Path::Index(self.path, shown));
        self.faults.extend(faults);
    }

    fn contains(&mut self, items: &'v [Value]) {
        let Some(schema) = self.get("contains") else { return };
        let (mut matched, mut faults) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let path = Path::Index(self.path, index);
            let (problems, _) = self.sub(schema, Instance::of(item), &path);
            if problems.is_empty() {
                matched.push(index);
                self.seen.items.insert(index);
            } else {
                faults.push(Fault::group(path, problems));
            }
        }
        let shown: Vec<String> = matched.iter().map(ToString::to_string).collect();
        let least = self.number("minContains").unwrap_or(1.0);
        let at = format!("matched {} items at {}", matched.len(), shown.join(" "));
        if (matched.len() as f64) < least {
            if self.get("minContains").is_some() {
                self.fail(format!("min {least} items required to match contains schema, but {at}"));
            } else {
                let mut fault = Fault::new(self.path, "no items match contains schema");
                fault.causes = faults;
                self.faults.push(fault);
            }
        }
        if let Some(most) = self.number("maxContains")
            && matched.len() as f64 > most
        {
            self.fail(format!("max {most} items required to match contains schema, but {at}"));
        }
    }

    // === scalars ===

    fn string(&mut self, text: &str) {
        self.bounds("minLength", "maxLength", text.chars().count());
        if let Some(pattern) = self.get("pattern").and_then(Json::as_str)
            && !self.validator.matches(pattern, text)
        {
            self.fail(format!("{} does not match pattern {}", quote(text), quote(pattern)));
        }
    }

    fn numbers(&mut self, number: f64) {
        let strict = |keyword: &str| self.get(keyword) == Some(&Json::Bool(true));
        let (open_low, open_high) = (strict("exclusiveMinimum"), strict("exclusiveMaximum"));
        let limits = [
            ("minimum", if open_low { "exclusiveMinimum" } else { "minimum" }),
            ("maximum", if open_high { "exclusiveMaximum" } else { "maximum" }),
            ("exclusiveMinimum", "exclusiveMinimum"),
            ("exclusiveMaximum", "exclusiveMaximum"),
        ];
        for (keyword, name) in limits {
            let Some(limit) = self.number(keyword) else { continue };
            let fits = match name {
                "minimum" => number >= limit,
                "maximum" => number <= limit,
                "exclusiveMinimum" => number > limit,
                _ => number < limit,
            };
            if !fits {
                self.fail(format!("{name}: got {}, want {}", english(number), english(limit)));
            }
        }
        if let Some(step) = self.number("multipleOf")
            && !is_multiple(number, step)
        {
            self.fail(format!("multipleOf: got {}, want {}", english(number), english(step)));
        }
    }

    // === combinations ===

    fn combined(&mut self) {
        if let Some(not) = self.get("not") {
            let (faults, _) = self.sub(not, self.value, self.path);
            if faults.is_empty() {
                self.fail("'not' failed");
            }
        }
        if let Some(Json::Array(schemas)) = self.get("allOf") {
            let mut causes = Vec::new();
            for schema in schemas {
                let (faults, seen) = self.sub(schema, self.value, self.path);
                self.seen.add(seen);
                if !faults.is_empty() {
                    causes.push(Fault::group(self.path, faults));
                }
            }
            if !causes.is_empty() {
                self.faults.push(Fault { causes, ..Fault::new(self.path, "'allOf' failed") });
            }
        }
        self.any_of();
        self.one_of();
        self.condition();
    }

    fn any_of(&mut self) {
        let Some(Json::Array(schemas)) = self.get("anyOf") else { return };
        let (mut causes, mut matched) = (Vec::new(), false);
        for schema in schemas {
            let (faults, seen) = self.sub(schema, self.value, self.path);
            if faults.is_empty() {
                matched = true;
                self.seen.add(seen);
            } else {
                causes.push(Fault::group(self.path, faults));
            }
        }
        if !matched {
            self.faults.push(Fault { causes, ..Fault::new(self.path, "'anyOf' failed") });
        }
    }

    fn one_of(&mut self) {
        let Some(Json::Array(schemas)) = self.get("oneOf") else { return };
        let (mut causes, mut matched) = (Vec::new(), Vec::new());
        for (index, schema) in schemas.iter().enumerate() {
            let (faults, seen) = self.sub(schema, self.value, self.path);
            if faults.is_empty() {
                matched.push(index.to_string());
                self.seen.add(seen);
            } else {
                causes.push(Fault::group(self.path, faults));
            }
        }
        match matched.len() {
            0 => self.faults.push(Fault { causes, ..Fault::new(self.path, "'oneOf' failed, none matched") }),
            1 => {}
            _ => {
                matched.truncate(2);
                self.fail(format!("'oneOf' failed, subschemas {} matched", matched.join(", ")));
            }
        }
    }

    fn condition(&mut self) {
        let Some(condition) = self.get("if") else { return };
        let (faults, seen) = self.sub(condition, self.value, self.path);
        let branch = if faults.is_empty() {
            self.seen.add(seen);
            "then"
        } else {
            "else"
        };
        if let Some(schema) = self.get(branch) {
            self.also(schema);
        }
    }

    fn unevaluated(&mut self) {
        if let (Some(schema), Item::Object(map)) = (self.get("unevaluatedProperties"), self.value.item) {
            for (name, value) in map {
                if !self.seen.properties.contains(name) {
                    self.property(schema, name, value);
                }
            }
        }
        if let (Some(schema), Item::Array(items)) = (self.get("unevaluatedItems"), self.value.item) {
            for (index, item) in items.iter().enumerate() {
                if !self.seen.items.contains(&index) {
                    self.item(schema, index, index, item);
                }
            }
        }
    }
}

/// A scalar as complaints show it; `None` for collections.
fn display(json: &Json<'_>) -> Option<String> {
    match json {
        Json::Null => Some("<nil>".to_owned()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(quote(text)),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// The first pair of equal items.
fn duplicate(items: &[Value]) -> Option<(usize, usize)> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(first) = seen.insert(item.to_json().to_string(), index) {
            return Some((first, index));
        }
    }
    None
}
