//! Generated ConfigMaps and Secrets: added, changed, taken out.

use serde_json::{Map, Value, json};

use super::Context;
use super::file::KustomizationFile;
use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::generate::generate;
use crate::kustomization::{GeneratorArgs, GeneratorOptions};

pub use crate::generate::DataKind;

/// A ConfigMap or Secret to generate.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Which of the two.
    pub kind: DataKind,
    /// Its name: exactly one.
    pub names: Vec<String>,
    /// Its namespace.
    pub namespace: String,
    /// Files, `path` or `key=path`; patterns are allowed.
    pub files: Vec<String>,
    /// Values, `key=value`.
    pub literals: Vec<String>,
    /// A file of `key=value` lines.
    pub env_file: String,
    /// Whether its name stays without a hash.
    pub disable_name_suffix_hash: bool,
    /// `create`, `merge` or `replace`.
    pub behavior: String,
    /// The type of a Secret.
    pub secret_type: String,
}

/// New values for a ConfigMap or Secret that is there.
#[derive(Debug, Clone)]
pub struct NewValues {
    /// Which of the two.
    pub kind: DataKind,
    /// Its name: exactly one.
    pub names: Vec<String>,
    /// Its namespace.
    pub namespace: String,
    /// Values, `key=value`; the keys must be there.
    pub literals: Vec<String>,
    /// The namespace it gets.
    pub new_namespace: String,
}

impl DataKind {
    fn field(self) -> &'static str {
        match self {
            Self::ConfigMap => "configMapGenerator",
            Self::Secret => "secretGenerator",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }
}

pub(super) fn add(sources: &Sources, context: &mut Context<'_>) -> Result<()> {
    let files = expand(&sources.files, context).within(|| "failed to expand file source".to_owned())?;
    let name = check(sources, &files).within(|| "failed to validate flags".to_owned())?;
    let mut file = open(context)?;
    let place = find(&file, sources.kind, name, &sources.namespace);
    let list = file.list_mut(sources.kind.field());
    let place = place.unwrap_or_else(|| {
        let mut args = json!({"name": name, "namespace": sources.namespace});
        if sources.kind == DataKind::Secret {
            args["type"] = sources.secret_type.as_str().into();
        }
        list.push(args);
        list.len() - 1
    });
    let args = &mut list[place];
    let env_file = (!sources.env_file.is_empty()).then(|| sources.env_file.clone());
    for (field, more) in
        [("literals", sources.literals.clone()), ("files", files), ("envs", env_file.into_iter().collect())]
    {
        if !more.is_empty() {
            let mut all = args.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
            all.extend(more.into_iter().map(Value::from));
            args[field] = all.into();
        }
    }
    if sources.disable_name_suffix_hash {
        args["options"] = json!({"disableNameSuffixHash": true});
    }
    if !sources.behavior.is_empty() {
        args["behavior"] = sources.behavior.as_str().into();
    }
    finish(sources.kind, &mut file, place, context)
}

fn open(context: &Context<'_>) -> Result<KustomizationFile> {
    context.open().map_err(|error| {
        let failed = if matches!(error, Error::Invalid { .. }) { "read" } else { "load" };
        Error::In { doing: format!("failed to {failed} kustomization file"), source: Box::new(error) }
    })
}

/// Files with patterns replaced by what they match.
fn expand(patterns: &[String], context: &mut Context<'_>) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for given in patterns {
        let keyed = given.split_once('=').filter(|(key, rest)| !key.is_empty() && !rest.contains('='));
        let Some((key, pattern)) = keyed else {
            all.extend(context.glob(given.split('=').next().unwrap_or_default())?);
            continue;
        };
        match &context.glob(pattern)?[..] {
            [file] => all.push(format!("{key}={file}")),
            found => {
                let found = found.join(" ");
                return Err(Error::rule(format!("'pattern '{given}' catches files [{found}], should catch only one")));
            }
        }
    }
    Ok(all)
}

fn only_name(names: &[String]) -> Result<&str> {
    match names {
        [name] => Ok(name),
        _ => Err(Error::rule("name must be specified once")),
    }
}

fn check<'a>(sources: &'a Sources, files: &[String]) -> Result<&'a str> {
    let name = only_name(&sources.names)?;
    let (env, files, literals) = (!sources.env_file.is_empty(), !files.is_empty(), !sources.literals.is_empty());
    if !(env || files || literals) {
        return Err(Error::rule("at least from-env-file, or from-file or from-literal must be set"));
    }
    if env && (files || literals) {
        return Err(Error::rule("from-env-file cannot be combined with from-file or from-literal"));
    }
    if !matches!(sources.behavior.as_str(), "" | "create" | "merge" | "replace") {
        return Err(Error::rule(r#"invalid behavior: must be one of "create", "merge", or "replace""#));
    }
    Ok(name)
}

fn same_namespace(left: &str, right: &str) -> bool {
    let or_default = |namespace: &str| if namespace.is_empty() { "default".to_owned() } else { namespace.to_owned() };
    or_default(left) == or_default(right)
}

fn text<'a>(args: &'a Value, field: &str) -> &'a str {
    args.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn find(file: &KustomizationFile, kind: DataKind, name: &str, namespace: &str) -> Option<usize> {
    let is_meant = |args: &Value| text(args, "name") == name && same_namespace(text(args, "namespace"), namespace);
    file.list(kind.field()).iter().position(is_meant)
}

/// Completes what is to be generated with the options for all, tries it, and writes the file.
fn finish(kind: DataKind, file: &mut KustomizationFile, place: usize, context: &Context<'_>) -> Result<()> {
    let failed = || format!("failed to create {}", kind.noun());
    merge_options(file, kind, place);
    let args = &file.list(kind.field())[place];
    let args: GeneratorArgs = serde_json::from_value(args.clone())
        .map_err(|error| Error::invalid(kind.field(), error.to_string()))
        .within(failed)?;
    let folder = Folder::first(context.folder, true)?;
    generate(kind, &args, args.options.as_ref(), &folder, context.remote).within(failed)?;
    file.write().within(|| "failed to write kustomization file".to_owned())
}

/// The options for all take part in those of one, as Kustomize writes them.
fn merge_options(file: &mut KustomizationFile, kind: DataKind, place: usize) {
    let read =
        |value: Option<&Value>| value.and_then(|value| serde_json::from_value::<GeneratorOptions>(value.clone()).ok());
    let Some(global) = read(file.get("generatorOptions")) else { return };
    let args = &mut file.list_mut(kind.field())[place];
    let Some(merged) = GeneratorOptions::merged(read(args.get("options")).as_ref(), Some(&global)) else { return };
    args["options"] = json!({
        "labels": merged.labels,
        "annotations": merged.annotations,
        "disableNameSuffixHash": merged.disable_name_suffix_hash,
        "immutable": merged.immutable,
    });
}

pub(super) fn set(values: &NewValues, context: &mut Context<'_>) -> Result<()> {
    let name = check_values(values).within(|| "failed to validate flags".to_owned())?;
    let mut file = open(context)?;
    let kind = values.kind;
    let failed = || format!("failed to create {}", kind.noun());
    let place = find(&file, kind, name, &values.namespace).ok_or_else(|| {
        Error::rule(format!("could not set new {0} value: unable to find {0} with name {name:?}", kind.name()))
    });
    let place = place.within(failed)?;
    let args = &mut file.list_mut(kind.field())[place];
    if !values.literals.is_empty() {
        let updated = updated_literals(args, &values.literals);
        let updated = updated.within(|| "failed to update literal sources".to_owned()).within(failed)?;
        args["literals"] = updated.into();
    }
    if !values.new_namespace.is_empty() {
        args["namespace"] = values.new_namespace.as_str().into();
    }
    finish(kind, &mut file, place, context)
}

fn check_values(values: &NewValues) -> Result<&str> {
    let name = only_name(&values.names)?;
    if values.literals.is_empty() && values.new_namespace.is_empty() {
        return Err(Error::rule("at least one of [--from-literal, --new-namespace] must be specified"));
    }
    Ok(name)
}

/// The literals of a generator with new values; they keep their order.
fn updated_literals(args: &Value, new: &[String]) -> Result<Vec<String>> {
    let pair = |literal: &str| match literal.split_once('=') {
        Some((key, value)) if !value.contains('=') => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Error::rule(
            "failed to update resource: invalid format: literal values must be specified in the key=value format",
        )),
    };
    let mut order = Vec::new();
    let mut known: Map<String, Value> = Map::new();
    for literal in args.get("literals").and_then(Value::as_array).into_iter().flatten() {
        let (key, value) = pair(literal.as_str().unwrap_or_default())?;
        if known.insert(key.clone(), value.into()).is_none() {
            order.push(key);
        }
    }
    for literal in new {
        let (key, value) = pair(literal)?;
        let Some(place) = known.get_mut(&key) else {
            return Err(Error::rule(format!("key '{key}' not found in resource")));
        };
        *place = value.into();
    }
    Ok(order.iter().map(|key| format!("{key}={}", known[key].as_str().unwrap_or_default())).collect())
}

pub(super) fn remove(kind: DataKind, names: &[String], namespace: &str, context: &mut Context<'_>) -> Result<()> {
    let noun = kind.noun();
    let [list] = names else {
        return Err(Error::rule(match names {
            [] => format!("at least one {noun} name must be specified"),
            several => format!(
                "too many arguments: [{}]; to provide multiple {noun}s to remove, please separate {noun} names by \
                 commas",
                several.join(" ")
            ),
        }));
    };
    let mut file = context.open().within(|| "could not read kustomization file".to_owned())?;
    let wanted: Vec<&str> = list.split(',').collect();
    let mut found: Vec<String> = Vec::new();
    file.list_mut(kind.field()).retain(|args| {
        let name = text(args, "name");
        let goes = wanted.contains(&name) && same_namespace(text(args, "namespace"), namespace);
        if goes {
            found.push(name.to_owned());
        }
        !goes
    });
    if found.is_empty() {
        return Err(Error::rule(format!("no specified {noun}(s) were found in the kustomization.yaml file")));
    }
    for name in wanted.iter().filter(|name| found.iter().all(|had| had != *name)) {
        context.note(format!("{noun} {name} doesn't exist in kustomization file"));
    }
    file.write().within(|| "failed to write kustomization file".to_owned())
}
