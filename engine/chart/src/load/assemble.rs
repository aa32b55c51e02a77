//! Sorts a chart's files by what they are, and builds the chart and its subcharts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use kpkg_template::in_parallel;
use kpkg_yaml::{Map, Value};

use super::archive::unpack;
use super::typed;
use crate::chart::{Chart, File};
use crate::error::LoadError;
use crate::metadata::{Lock, Metadata};

/// How deep charts may contain charts.
const MAX_DEPTH: usize = 32;

/// Builds a chart of its files.
pub(super) fn assemble(files: Vec<File>, depth: usize) -> Result<Chart, LoadError> {
    if depth > MAX_DEPTH {
        return Err(LoadError::Refused("charts are nested too deeply".to_owned()));
    }
    let mut chart = Chart { raw: files.clone(), ..Chart::default() };
    let mut metadata: Option<Metadata> = None;
    for file in files.iter().filter(|file| file.name == "Chart.yaml") {
        let mut read = metadata.take().unwrap_or_default();
        typed::metadata(file.data(), &mut read).map_err(|problem| invalid("cannot load Chart.yaml", &problem))?;
        if read.api_version.is_empty() {
            "v1".clone_into(&mut read.api_version);
        }
        metadata = Some(read);
    }
    let mut subcharts: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        place(file, &mut chart, &mut metadata, &mut subcharts)?;
    }
    let Some(metadata) = metadata else {
        return Err(LoadError::Invalid("Chart.yaml file is missing".to_owned()));
    };
    chart.metadata = metadata;
    chart.metadata.check().map_err(|problem| LoadError::Invalid(format!("validation: {problem}")))?;
    let subcharts: Vec<_> = subcharts.into_iter().filter(|(name, _)| !name.starts_with(['_', '.'])).collect();
    // Archives are unpacked; of folders, values are nearly all that is parsed here.
    let is_work = |file: &&File| file.name.ends_with(".tgz") || file.name.ends_with("values.yaml");
    let size = |(_, files): &(String, Vec<File>)| files.iter().filter(is_work).map(File::size).sum();
    let loaded = in_parallel(&subcharts, size, |(name, files)| load_subchart(name, files, depth));
    for ((name, _), subchart) in subcharts.iter().zip(loaded) {
        let wrap = |error: LoadError| {
            invalid(&format!("error unpacking subchart {name} in {}", chart.metadata.name), &chain(&error))
        };
        chart.dependencies.push(subchart.map_err(wrap)?);
    }
    Ok(chart)
}

fn invalid(context: &str, problem: &str) -> LoadError {
    LoadError::Invalid(format!("{context}: {problem}"))
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn place(
    file: File,
    chart: &mut Chart,
    metadata: &mut Option<Metadata>,
    subcharts: &mut BTreeMap<String, Vec<File>>,
) -> Result<(), LoadError> {
    match &*file.name {
        "Chart.yaml" => {}
        "Chart.lock" => chart.lock = Some(read_lock(&file)?),
        "values.yaml" => {
            let values = read_values(file.data()).map_err(|problem| invalid("cannot load values.yaml", &problem))?;
            chart.values = Arc::new(values);
        }
        "values.schema.json" => chart.schema = Some(file),
        "requirements.yaml" => {
            let metadata = metadata.get_or_insert_default();
            typed::metadata(file.data(), metadata)
                .map_err(|problem| invalid("cannot load requirements.yaml", &problem))?;
            if metadata.api_version == "v1" {
                chart.files.push(file);
            }
        }
        "requirements.lock" => {
            chart.lock = Some(read_lock(&file)?);
            if metadata.get_or_insert_default().api_version == "v1" {
                chart.files.push(file);
            }
        }
        name if name.starts_with("templates/") => chart.templates.push(file),
        name if name.starts_with("charts/") && !name.ends_with(".prov") => {
            const FOLDER: &str = "charts/";
            let inner = &name[FOLDER.len()..];
            let owner = inner.split('/').next().unwrap_or(inner).to_owned();
            subcharts.entry(owner).or_default().push(file.below(FOLDER.len()));
        }
        _ => chart.files.push(file),
    }
    Ok(())
}

fn read_lock(file: &File) -> Result<Lock, LoadError> {
    typed::lock(file.data()).map_err(|problem| invalid(&format!("cannot load {}", file.name), &problem))
}

fn load_subchart(name: &str, files: &[File], depth: usize) -> Result<Chart, LoadError> {
    if name.ends_with(".tgz") {
        let file = &files[0];
        if file.name != name {
            return Err(LoadError::Invalid(format!(
                "error unpacking subchart tar: expected {name}, got {}",
                file.name
            )));
        }
        return assemble(unpack(file.data())?, depth + 1);
    }
    let inner = files.iter().filter_map(|file| Some(file.below(file.name.find('/')? + 1)));
    assemble(inner.collect(), depth + 1)
}

/// Reads values: every document of the text, later ones merged over earlier ones.
pub fn read_values(bytes: &[u8]) -> Result<Map, String> {
    let is_text = std::str::from_utf8(bytes);
    // Documents are cut before it is seen whether they are text.
    let text = is_text.map_or_else(|_| bytes.iter().map(|byte| char::from(*byte)).collect(), Cow::Borrowed);
    let mut values = Map::new();
    for document in split_documents(&text) {
        let document = document.map_err(|problem| format!("error reading yaml document: {problem}"))?;
        let read = match is_text {
            Ok(_) => kpkg_yaml::read(document),
            Err(_) => kpkg_yaml::read_bytes(&latin_1(document)),
        };
        match read {
            Ok(Value::Null) => {}
            Ok(Value::Map(map)) if values.is_empty() => values = map,
            Ok(Value::Map(map)) => merge_maps(&mut values, map),
            Ok(other) => {
                return Err(format!(
                    "cannot unmarshal yaml document: error unmarshaling JSON: while decoding JSON: json: cannot \
                     unmarshal {} into Go value of type map[string]interface {{}}",
                    other.json_type()
                ));
            }
            Err(error) => {
                return Err(format!("cannot unmarshal yaml document: error converting YAML to JSON: {error}"));
            }
        }
    }
    Ok(values)
}

/// The bytes that were taken for characters.
pub(crate) fn latin_1(text: &str) -> Vec<u8> {
    text.chars().filter_map(|character| u8::try_from(character).ok()).collect()
}

/// Cuts a text at lines that begin with `---`, as Kubernetes' reader does: only a comment may follow on such a line.
/// Nothing comes after a line that is wrong.
pub(crate) fn split_documents(text: &str) -> Vec<Result<&str, String>> {
    let mut documents = Vec::new();
    let mut start = 0;
    let line_starts = memchr::memmem::find_iter(text.as_bytes(), "\n---").map(|at| at + 1);
    for at in text.starts_with("---").then_some(0).into_iter().chain(line_starts) {
        let end = memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |length| at + length + 1);
        let rest = text[at + "---".len()..end].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            documents.push(Err(format!("invalid Yaml document separator: {rest}")));
            return documents;
        }
        if text[start..at].trim_end() != "" {
            documents.push(Ok(&text[start..at]));
        }
        start = end;
    }
    documents.push(Ok(&text[start..]));
    documents
}

/// Puts one map over another; maps inside are merged, anything else is replaced.
pub(crate) fn merge_maps(base: &mut Map, over: Map) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Map(base)), Value::Map(over)) => merge_maps(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_several_documents() {
        let read = |text: &str| read_values(text.as_bytes()).map(|map| Value::Map(map).to_json().to_string());
        let all = Ok(r#"{"a":1,"b":2}"#.to_owned());
        for separator in ["---", "--- # x", "---# x", "--- \t", "---\r"] {
            assert_eq!(read(&format!("a: 1\n{separator}\nb: 2\n")), all, "{separator:?}");
        }
        for (separator, rest) in [("----", "-"), ("---b: 2", "b: 2"), ("--- |", "|")] {
            let problem = format!("error reading yaml document: invalid Yaml document separator: {rest}");
            assert_eq!(read(&format!("a: 1\n{separator}\nb: 2\n")), Err(problem));
        }
        assert_eq!(read("a: 1\n...\nb: 2\n"), Ok(r#"{"a":1}"#.to_owned()));
    }
}
