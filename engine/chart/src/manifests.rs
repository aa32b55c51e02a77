//! What templates wrote, cut into documents, told apart and put in order.

use std::collections::BTreeMap;

use kpkg_template::in_parallel;
use kpkg_yaml::{Map, Options, Value};

use crate::error::RenderError;
use crate::kinds::rank;
use crate::load::latin_1;
use crate::render::Files;
use crate::rendered::{Hook, Manifest, Rendered};

const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

const EVENTS: [&str; 9] = [
    "pre-install",
    "post-install",
    "pre-delete",
    "post-delete",
    "pre-upgrade",
    "post-upgrade",
    "pre-rollback",
    "post-rollback",
    "test",
];

/// A document with its source, and the lines before it there.
struct Part {
    source: String,
    text: String,
    line: usize,
    /// Why it is no text.
    problem: Option<kpkg_yaml::Error>,
}

/// Sorts rendered files, by path, into hooks and manifests.
pub(crate) fn sort(files: Files) -> Result<(Vec<Hook>, Vec<Manifest>), RenderError> {
    let mut parts = Vec::new();
    for (path, bytes) in files {
        let base = path.rsplit('/').next().unwrap_or(&path);
        if base.starts_with('_') || bytes.trim_ascii().is_empty() {
            continue;
        }
        match String::from_utf8(bytes) {
            Ok(text) => parts.extend(cut(text).into_iter().map(|(text, line)| Part {
                source: path.clone(),
                text,
                line,
                problem: None,
            })),
            Err(error) => parts.extend(cut_bytes(&path, error.as_bytes())),
        }
    }
    sorted(parts)
}

/// The documents of a file of which some are no text.
fn cut_bytes(path: &str, bytes: &[u8]) -> Vec<Part> {
    let characters = bytes.iter().map(|byte| char::from(*byte)).collect();
    let part = |(document, line): (String, usize)| {
        let bytes = latin_1(&document);
        let text = kpkg_gounicode::lossy(&bytes).into_owned();
        Part { source: path.to_owned(), text, line, problem: kpkg_yaml::decode(&bytes).err() }
    };
    cut(characters).into_iter().map(part).collect()
}

impl Rendered {
    /// The same with other documents in the place of its own: what was made of them, each with its source.
    pub fn with_documents<'a>(
        self,
        documents: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RenderError> {
        let parts = documents.into_iter().map(|(source, text)| Part {
            source: source.to_owned(),
            text: text.trim().to_owned(),
            line: 0,
            problem: None,
        });
        let (hooks, manifests) = sorted(parts.collect())?;
        Ok(Self { manifests, hooks, ..self })
    }
}

fn sorted(parts: Vec<Part>) -> Result<(Vec<Hook>, Vec<Manifest>), RenderError> {
    let (mut hooks, mut manifests) = (Vec::new(), Vec::new());
    let read = |part: &Part| match &part.problem {
        Some(problem) => Err(Fault::of(problem)),
        None => Head::read(&part.text),
    };
    let heads = in_parallel(&parts, |part| part.text.len(), read);
    for (Part { source, text, line, problem: _ }, head) in parts.into_iter().zip(heads) {
        let head = match head {
            Ok(head) => head,
            Err(fault) => {
                let line = fault.line.map(|number| number + line);
                return Err(RenderError::Manifest { source_file: source, problem: fault.problem, line, text });
            }
        };
        let manifest = Manifest { source, text, api_version: head.api_version, kind: head.kind, name: head.name };
        match head.annotations.get(HOOK) {
            None => manifests.push(manifest),
            Some(events) => hooks.extend(hook(manifest, events, &head.annotations)),
        }
    }
    hooks.sort_by_cached_key(|hook: &Hook| rank(&hook.manifest.kind));
    manifests.sort_by_cached_key(|manifest: &Manifest| rank(&manifest.kind));
    Ok((hooks, manifests))
}

/// A document, and how many bytes and lines stand before it.
struct Document<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

/// Cuts at every line that starts with `---`, even if more stands on that line; blanks around the cut go.
fn split(text: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    // Lines are counted on from the document before: there may be very many.
    let (mut counted, mut lines) = (0, 0);
    let mut add = |from: usize, to: usize| {
        let part = text[from..to].trim_start();
        if !part.is_empty() {
            let start = to - part.len();
            lines += memchr::memchr_iter(b'\n', &text.as_bytes()[counted..start]).count();
            counted = start;
            documents.push(Document { text: part, start, line: lines });
        }
    };
    let opening = text.len() - text.trim_start().len();
    let mut start = opening;
    let line_starts = memchr::memmem::find_iter(text.as_bytes(), "\n---").map(|at| at + 1);
    let at_opening = text[opening..].starts_with("---").then_some(opening);
    for at in at_opening.into_iter().chain(line_starts.filter(|at| *at > opening)) {
        // A cut takes the blanks after it along: what follows at once no longer begins a line.
        if at > start || at == opening {
            add(start, text[..at].trim_ascii_end().len().max(start));
            let after = at + "---".len();
            start = text.len() - text[after..].trim_ascii_start().len();
        }
    }
    add(start, text.len());
    documents
}

/// As [`split`], with texts of their own: the last one, mostly the only one, takes over the memory.
fn cut(mut text: String) -> Vec<(String, usize)> {
    let mut documents = split(&text);
    let Some(last) = documents.pop() else { return Vec::new() };
    let (start, end, line) = (last.start, last.start + last.text.len(), last.line);
    let mut cut: Vec<_> = documents.into_iter().map(|document| (document.text.to_owned(), document.line)).collect();
    text.truncate(end);
    text.drain(..start);
    cut.push((text, line));
    cut
}

/// Cuts a text of manifests into its documents.
pub fn split_manifests(text: &str) -> Vec<&str> {
    split(text).into_iter().map(|document| document.text).collect()
}

/// What of a document decides where it goes.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    annotations: BTreeMap<String, String>,
}

/// Why a document was refused.
pub(crate) struct Fault {
    pub(crate) problem: String,
    line: Option<usize>,
}

impl Fault {
    fn of(error: &kpkg_yaml::Error) -> Self {
        Self { problem: format!("error converting YAML to JSON: {error}"), line: error.line() }
    }
}

impl Head {
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let options = Options { integers: true, ..Options::default() };
        let value = kpkg_yaml::read_parts(text, options, is_of_head).map_err(|error| Fault::of(&error))?;
        let fail = |found: &Value, what: &str| Fault {
            problem: format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go {what}",
                found.json_type()
            ),
            line: None,
        };
        let map = match value {
            Value::Null => return Ok(Self::default()),
            Value::Map(map) => map,
            other => return Err(fail(&other, "value of type util.SimpleHead")),
        };
        let mut head = Self::default();
        for (name, slot, kind) in
            [("apiVersion", &mut head.api_version, "apiVersion"), ("kind", &mut head.kind, "kind")]
        {
            if let Some(value) = find(&map, name) {
                *slot = value
                    .scalar_text()
                    .ok_or_else(|| fail(value, &format!("struct field SimpleHead.{kind} of type string")))?;
            }
        }
        match find(&map, "metadata") {
            None => {}
            Some(Value::Map(metadata)) => {
                if let Some(value) = find(metadata, "name") {
                    head.name =
                        value.scalar_text().ok_or_else(|| fail(value, "struct field .metadata.name of type string"))?;
                }
                match find(metadata, "annotations") {
                    None => {}
                    Some(Value::Map(annotations)) => {
                        for (key, value) in annotations {
                            let text = value
                                .scalar_text()
                                .ok_or_else(|| fail(value, "struct field .metadata.annotations of type string"))?;
                            head.annotations.insert(key.clone(), text);
                        }
                    }
                    Some(other) => {
                        return Err(fail(other, "struct field .metadata.annotations of type map[string]string"));
                    }
                }
            }
            Some(other) => {
                let what = "struct field SimpleHead.metadata of type struct { Name string \"json:\\\"name\\\"\"; \
                            Annotations map[string]string \"json:\\\"annotations\\\"\" }";
                return Err(fail(other, what));
            }
        }
        Ok(head)
    }
}

/// Whether a key is among those that [`Head`] looks at.
fn is_of_head(depth: usize, key: &str) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|name| key.eq_ignore_ascii_case(name));
    match depth {
        0 => is_one_of(&["apiVersion", "kind", "metadata"]),
        1 => is_one_of(&["name", "annotations"]),
        _ => true,
    }
}

/// A field under its name or, as Go's decoder has it, the name in other case; null counts as absent.
fn find<'a>(map: &'a Map, name: &str) -> Option<&'a Value> {
    let found =
        map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// The hook of a manifest; `None` if it names a moment that does not exist.
fn hook(manifest: Manifest, events: &str, annotations: &BTreeMap<String, String>) -> Option<Hook> {
    let mut found = Vec::new();
    for event in words(events) {
        let event = if event == "test-success" { "test".to_owned() } else { event };
        if !EVENTS.contains(&event.as_str()) {
            tracing::info!(events, "skipping unknown hooks");
            return None;
        }
        found.push(event);
    }
    let policies = |annotation: &str| annotations.get(annotation).map(|text| words(text)).unwrap_or_default();
    Some(Hook {
        weight: annotations.get(WEIGHT).and_then(|weight| weight.parse().ok()).unwrap_or(0),
        delete_policies: policies(DELETE_POLICY),
        output_log_policies: policies(LOG_POLICY),
        events: found,
        manifest,
    })
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(|word| word.trim().to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_any_line_of_dashes() {
        let cases: &[(&str, &[&str])] = &[
            ("a: 1\n---\nb: 2\n", &["a: 1", "b: 2\n"]),
            ("a: 1\n  \n\n---\nb: 2\n  \n", &["a: 1", "b: 2\n  \n"]),
            ("---\na: 1\n---   \n\n", &["a: 1"]),
            ("a: 1\n---   \n\n---\n---\n", &["a: 1", "---"]),
            ("a: 1\n\u{a0}\n---\u{a0}\n---\nb: 2", &["a: 1\n\u{a0}", "b: 2"]),
            ("a: 1\n---b: 2\n", &["a: 1", "b: 2\n"]),
            ("a: |\n  ---\n", &["a: |\n  ---\n"]),
            ("\n\n  a: 1\n", &["a: 1\n"]),
            ("a\n--- # x\nb\n", &["a", "# x\nb\n"]),
            ("  ---\na\n", &["a\n"]),
            ("---\n---\na\n---\n---\nb\n", &["---\na", "---\nb\n"]),
        ];
        for (text, want) in cases {
            assert_eq!(split_manifests(text), *want, "{text:?}");
        }
    }

    #[test]
    fn cuts_as_it_splits() {
        for text in ["", "a", "---\na: 1\n---\nb: 2\n--- \n \n", "\n a: 1\n\n---\n b\n", "---\n"] {
            let cut: Vec<String> = cut(text.to_owned()).into_iter().map(|(text, _)| text).collect();
            assert_eq!(cut, split_manifests(text), "{text:?}");
        }
    }

    #[test]
    fn sorts_and_finds_hooks() {
        let files = BTreeMap::from([
            ("c/templates/a.yaml".to_owned(), "kind: Deployment\nmetadata: {name: d}\n---\nkind: Secret\n".into()),
            ("c/templates/b.yaml".to_owned(), "kind: Zed\n---\nkind: Alpha\n".into()),
            (
                "c/templates/h.yaml".to_owned(),
                "kind: Job\nmetadata:\n  name: h\n  annotations:\n    helm.sh/hook: pre-install, test-success\n    \
                 helm.sh/hook-weight: \"-5\"\n"
                    .into(),
            ),
            ("c/templates/_x.tpl".to_owned(), "not: [yaml".into()),
        ]);
        let (hooks, manifests) = sort(files).expect("valid");
        let kinds: Vec<_> = manifests.iter().map(|manifest| manifest.kind.as_str()).collect();
        assert_eq!(kinds, ["Secret", "Deployment", "Alpha", "Zed"]);
        assert_eq!(hooks[0].events, ["pre-install", "test"]);
        assert_eq!(hooks[0].weight, -5);
    }

    #[test]
    fn bad_documents_name_the_file() {
        let files = BTreeMap::from([("c/templates/a.yaml".to_owned(), "a: 1\n---\nx: 1\nb: c: d\n".into())]);
        let error = sort(files).expect_err("not YAML");
        assert_eq!(
            error.to_string(),
            "YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: line 2: mapping values are \
             not allowed in this context"
        );
    }
}
