//! The form of a kustomization file: which fields there are, in whatever case, and of what type.

use serde_json::{Map, Value};

/// The form of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Text.
    Text,
    /// A boolean.
    Bool,
    /// An integer.
    Int,
    /// Anything.
    Any,
    /// A mapping of free names to texts.
    Texts,
    /// A list.
    List(&'static Shape),
    /// A mapping of known names.
    Fields(Known),
    /// A mapping of known names that several forms share.
    Joined(&'static [Known]),
}

/// Names that a mapping may have, and the forms of their values.
pub(crate) type Known = &'static [(&'static str, Shape)];

use Shape::{Any, Bool, Fields, Int, Joined, List, Text, Texts};

const TEXT_LIST: Shape = List(&Text);

const FIELD_SPEC: Shape =
    Fields(&[("group", Text), ("version", Text), ("kind", Text), ("path", Text), ("create", Bool)]);

pub(crate) const SELECTOR: Shape = Fields(&[
    ("group", Text),
    ("version", Text),
    ("kind", Text),
    ("name", Text),
    ("namespace", Text),
    ("labelSelector", Text),
    ("annotationSelector", Text),
]);

const PATCH: Shape = Fields(&[
    ("path", Text),
    ("patch", Text),
    ("target", SELECTOR),
    ("options", Fields(&[("allowNameChange", Bool), ("allowKindChange", Bool)])),
]);

const IMAGE: Shape =
    Fields(&[("name", Text), ("newName", Text), ("tagSuffix", Text), ("newTag", Text), ("digest", Text)]);

const FIELD_OPTIONS: Shape = Fields(&[("delimiter", Text), ("index", Int), ("encoding", Text), ("create", Bool)]);

pub(crate) const REPLACEMENT: Shape = Fields(&[
    ("path", Text),
    (
        "source",
        Fields(&[
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
            ("fieldPath", Text),
            ("options", FIELD_OPTIONS),
        ]),
    ),
    ("sourceValue", Text),
    (
        "targets",
        List(&Fields(&[
            ("select", SELECTOR),
            ("reject", List(&SELECTOR)),
            ("fieldPaths", TEXT_LIST),
            ("options", FIELD_OPTIONS),
        ])),
    ),
]);

const GENERATOR_OPTIONS: Shape =
    Fields(&[("labels", Texts), ("annotations", Texts), ("disableNameSuffixHash", Bool), ("immutable", Bool)]);

const GENERATOR: Known = &[
    ("namespace", Text),
    ("name", Text),
    ("behavior", Text),
    ("literals", TEXT_LIST),
    ("files", TEXT_LIST),
    ("envs", TEXT_LIST),
    ("env", Text),
];

const CONFIG_MAP: Shape = Joined(&[GENERATOR, &[("options", GENERATOR_OPTIONS)]]);

const SECRET: Shape = Joined(&[GENERATOR, &[("options", GENERATOR_OPTIONS), ("type", Text)]]);

const LABEL: Shape =
    Fields(&[("pairs", Texts), ("includeSelectors", Bool), ("includeTemplates", Bool), ("fields", List(&FIELD_SPEC))]);

const VAR: Shape = Fields(&[
    ("name", Text),
    (
        "objref",
        Fields(&[
            ("apiVersion", Text),
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
        ]),
    ),
    ("fieldref", Fields(&[("fieldPath", Text)])),
]);

const SORT_OPTIONS: Shape =
    Fields(&[("order", Text), ("legacySortOptions", Fields(&[("orderFirst", TEXT_LIST), ("orderLast", TEXT_LIST)]))]);

const CHART: Known = &[
    ("version", Text),
    ("repo", Text),
    ("releaseName", Text),
    ("additionalValuesFiles", TEXT_LIST),
    ("valuesFile", Text),
    ("valuesInline", Any),
    ("valuesMerge", Text),
    ("includeCRDs", Bool),
    ("skipHooks", Bool),
    ("apiVersions", TEXT_LIST),
    ("kubeVersion", Text),
    ("nameTemplate", Text),
    ("skipTests", Bool),
    ("debug", Bool),
    ("devel", Bool),
];

const HELM_CHART: Shape = Joined(&[&[("name", Text), ("namespace", Text)], CHART]);

const HELM_GLOBALS: Known = &[("chartHome", Text), ("configHome", Text)];

const HELM_CHART_ARGS: Shape = Fields(&[
    ("chartName", Text),
    ("chartVersion", Text),
    ("chartRepoUrl", Text),
    ("chartHome", Text),
    ("chartRepoName", Text),
    ("helmBin", Text),
    ("helmHome", Text),
    ("values", Text),
    ("valuesLocal", Any),
    ("valuesMerge", Text),
    ("releaseName", Text),
    ("releaseNamespace", Text),
    ("extraArgs", TEXT_LIST),
]);

const METADATA: Shape = Fields(&[("name", Text), ("namespace", Text), ("labels", Texts), ("annotations", Texts)]);

/// A kustomization file.
pub(crate) const KUSTOMIZATION: Shape = Fields(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", METADATA),
    ("openapi", Texts),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", Texts),
    ("labels", List(&LABEL)),
    ("commonAnnotations", Texts),
    ("patchesStrategicMerge", TEXT_LIST),
    ("patchesJson6902", List(&PATCH)),
    ("patches", List(&PATCH)),
    ("images", List(&IMAGE)),
    ("imageTags", List(&IMAGE)),
    ("replacements", List(&REPLACEMENT)),
    ("replicas", List(&Fields(&[("name", Text), ("count", Int)]))),
    ("vars", List(&VAR)),
    ("sortOptions", SORT_OPTIONS),
    ("resources", TEXT_LIST),
    ("components", TEXT_LIST),
    ("crds", TEXT_LIST),
    ("bases", TEXT_LIST),
    ("configMapGenerator", List(&CONFIG_MAP)),
    ("secretGenerator", List(&SECRET)),
    ("helmGlobals", Fields(HELM_GLOBALS)),
    ("helmCharts", List(&HELM_CHART)),
    ("helmChartInflationGenerator", List(&HELM_CHART_ARGS)),
    ("generatorOptions", GENERATOR_OPTIONS),
    ("configurations", TEXT_LIST),
    ("generators", TEXT_LIST),
    ("transformers", TEXT_LIST),
    ("validators", TEXT_LIST),
    ("buildMetadata", TEXT_LIST),
]);

const SPEC_LIST: Shape = List(&FIELD_SPEC);

/// A file of rules (`configurations`).
pub(crate) const CONFIGURATION: Shape = Fields(&[
    ("namePrefix", SPEC_LIST),
    ("nameSuffix", SPEC_LIST),
    ("namespace", SPEC_LIST),
    ("commonLabels", SPEC_LIST),
    ("labels", SPEC_LIST),
    ("templateLabels", SPEC_LIST),
    ("commonAnnotations", SPEC_LIST),
    ("nameReference", List(&Fields(&[("group", Text), ("version", Text), ("kind", Text), ("fieldSpecs", SPEC_LIST)]))),
    ("varReference", SPEC_LIST),
    ("images", SPEC_LIST),
    ("replicas", SPEC_LIST),
]);

const PLUGIN_FIELDS: Known = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", METADATA),
    ("options", Any),
    ("type", Text),
    ("labels", Texts),
    ("annotations", Texts),
    ("fieldSpecs", SPEC_LIST),
    ("imageTag", IMAGE),
    ("unsetOnly", Bool),
    ("setRoleBindingSubjects", Text),
    ("target", SELECTOR),
    ("path", Text),
    ("jsonOp", Text),
    ("paths", TEXT_LIST),
    ("patches", Text),
    ("patch", Text),
    ("prefix", Text),
    ("suffix", Text),
    ("replacements", List(&REPLACEMENT)),
    ("replica", Fields(&[("name", Text), ("count", Int)])),
    ("value", Text),
    ("targets", List(&Fields(&[("selector", SELECTOR), ("fieldPath", Text), ("filePathPosition", Int)]))),
    ("targetFilePath", Text),
    ("sortOptions", SORT_OPTIONS),
    ("cloud", Text),
    ("kubernetesService", Fields(&[("name", Text), ("namespace", Text)])),
    ("serviceAccount", Fields(&[("name", Text), ("projectId", Text)])),
];

/// A built-in generator or transformer as an object of its own; all of their fields together.
pub(crate) const PLUGIN: Shape = Joined(&[PLUGIN_FIELDS, GENERATOR, CHART, HELM_GLOBALS]);

impl Shape {
    /// The names that a mapping of this form may have.
    pub(crate) fn known(&self) -> impl Iterator<Item = &'static (&'static str, Shape)> + Clone + use<> {
        let (one, several): (Known, &'static [Known]) = match self {
            Fields(known) => (known, &[]),
            Joined(groups) => (&[], groups),
            _ => (&[], &[]),
        };
        one.iter().chain(several.iter().copied().flatten())
    }
}

/// How strictly a form is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Unknown names fail, and texts must be texts.
    Full,
    /// Unknown names fail; numbers and booleans count as texts.
    Names,
    /// Unknown names are passed over; numbers and booleans count as texts.
    None,
}

/// Brings a value into a form: names get their case, nulls become nothing.
pub(crate) fn conform(value: &Value, shape: &Shape, strict: Strictness) -> Result<Value, String> {
    conform_at(value, shape, strict, "")
}

fn conform_at(value: &Value, shape: &Shape, strict: Strictness, path: &str) -> Result<Value, String> {
    let wrong = |wanted: &str| format!("field {path:?} must be {wanted}, not {}", kind(value));
    Ok(match (shape, value) {
        (Any, value) => value.clone(),
        (Text, Value::String(_)) | (Bool, Value::Bool(_)) => value.clone(),
        (Int, Value::Number(number)) if number.is_i64() => value.clone(),
        (Text, Value::Bool(value)) if strict != Strictness::Full => value.to_string().into(),
        (Text, Value::Number(number)) if strict != Strictness::Full => match number.as_f64() {
            Some(float) if number.is_f64() => kpkg_yaml::number::format_general(float).into(),
            _ => number.to_string().into(),
        },
        (Text, Value::Null) => "".into(),
        (Bool, Value::Null) => false.into(),
        (Int, Value::Null) => 0.into(),
        (Texts, Value::Object(map)) => {
            let texts =
                map.iter().map(|(key, value)| Ok((key.clone(), conform_at(value, &Text, strict, &join(path, key))?)));
            Value::Object(texts.collect::<Result<_, String>>()?)
        }
        (List(inner), Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(at, item)| conform_at(item, inner, strict, &format!("{path}[{at}]")))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        (Fields(_) | Joined(_), Value::Object(map)) => fields(map, shape, strict, path)?,
        (Fields(_) | Joined(_) | Texts, Value::Null) => Value::Object(Map::new()),
        (List(_), Value::Null) => Value::Array(Vec::new()),
        (Text, _) => return Err(wrong("a string")),
        (Bool, _) => return Err(wrong("a boolean")),
        (Int, _) => return Err(wrong("an integer")),
        (Texts, _) => return Err(wrong("a mapping of strings")),
        (List(_), _) => return Err(wrong("a list")),
        (Fields(_) | Joined(_), _) => return Err(wrong("a mapping")),
    })
}

fn fields(map: &Map<String, Value>, shape: &Shape, strict: Strictness, path: &str) -> Result<Value, String> {
    let mut result = Map::new();
    for (name, value) in map {
        let exact = shape.known().find(|(known, _)| known == name);
        let found = exact.or_else(|| shape.known().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        match found {
            Some(_) if value.is_null() => {}
            Some((known, shape)) => {
                result.insert((*known).to_owned(), conform_at(value, shape, strict, &join(path, known))?);
            }
            None if strict != Strictness::None => return Err(unknown(path, name, shape)),
            None => {}
        }
    }
    Ok(Value::Object(result))
}

fn unknown(path: &str, name: &str, shape: &Shape) -> String {
    let place = if path.is_empty() { String::new() } else { format!(" in {path:?}") };
    let nearest = shape.known().map(|(known, _)| (distance(known, name), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 3 => {
            format!("json: unknown field {name:?}{place}, did you mean {known:?}?")
        }
        _ => format!("json: unknown field {name:?}{place}"),
    }
}

/// How many letters must change to make one word the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
