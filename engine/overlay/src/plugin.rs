//! Generators, transformers and validators that are configured by objects of their own.

use kpkg_yaml::node::Node;
use serde::Deserialize;
use serde_json::Value;

use crate::affix::{AffixTransformer, End};
use crate::build::Session;
use crate::error::{Error, Result, Within};
use crate::fieldspec::FieldSpec;
use crate::files::Folder;
use crate::function::{self, Functions};
use crate::generate::{DataKind, generate};
use crate::kustomization::{
    FieldSpecArgs, GeneratorArgs, GeneratorOptions, Image, PLUGIN, Patch, PatchOptions, Replacement, Replica, Selector,
    SortOptions, Strictness, Texts, conform,
};
use crate::replacement::ReplacementTransformer;
use crate::resource::Resource;
use crate::transform::{
    ImageTransformer, JsonPatchTransformer, NamespaceTransformer, PatchTransformer, ReplicaTransformer,
    StrategicTransformer, SubjectMode, TextTransformer, Transformer, ValueAdd, ValueAddTransformer,
};

/// The fields of all built-in plugins together.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Settings {
    metadata: Metadata,
    labels: Texts,
    annotations: Texts,
    field_specs: Vec<FieldSpecArgs>,
    image_tag: Image,
    unset_only: bool,
    set_role_binding_subjects: String,
    target: Option<Selector>,
    path: String,
    json_op: String,
    paths: Vec<String>,
    patches: String,
    patch: String,
    prefix: String,
    suffix: String,
    replacements: Vec<Replacement>,
    replica: Replica,
    value: String,
    targets: Vec<TargetArgs>,
    target_file_path: String,
    sort_options: Option<SortOptions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TargetArgs {
    selector: Option<Selector>,
    field_path: String,
    file_path_position: i64,
}

/// What an `IAMPolicyGenerator` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Policy {
    cloud: String,
    kubernetes_service: Metadata,
    service_account: CloudAccount,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CloudAccount {
    name: String,
    project_id: String,
}

fn settings(resource: &Resource) -> Result<Value> {
    let what = || resource.id().to_string();
    let json = resource.node.to_json().map_err(|source| Error::Yaml { place: what(), source })?;
    conform(&json, &PLUGIN, Strictness::None).map_err(|problem| Error::invalid(what(), problem))
}

fn read<T: serde::de::DeserializeOwned>(resource: &Resource, value: &Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|error| Error::invalid(resource.id().to_string(), error.to_string()))
}

/// Whether an object configures a built-in plugin.
fn is_built_in(resource: &Resource) -> bool {
    let id = resource.id();
    id.group.is_empty() && id.version == "builtin"
}

fn refuse(resource: &Resource) -> Error {
    let kind = resource.kind();
    Error::rule(format!("external plugins disabled; unable to load external plugin '{kind}'"))
}

/// The function that an object configures, and what runs it.
pub(crate) fn function_of<'a>(config: &Resource, session: &Session<'a>) -> Result<(&'a dyn Functions, String)> {
    session.functions().zip(function::program(config)).ok_or_else(|| refuse(config))
}

/// Runs the generator that an object configures.
pub(crate) fn run_generator(config: &Resource, folder: &Folder, session: &Session<'_>) -> Result<Vec<Resource>> {
    if !is_built_in(config) {
        let (functions, program) = function_of(config, session)?;
        let mut made = function::run(functions, &program, config, &folder.root, &[])?;
        made.iter_mut().try_for_each(Resource::take_options)?;
        return Ok(made);
    }
    let value = settings(config)?;
    let kind = match config.kind() {
        "ConfigMapGenerator" => DataKind::ConfigMap,
        "SecretGenerator" => DataKind::Secret,
        "HelmChartInflationGenerator" => {
            return session.inflate(&read(config, &value)?, &read(config, &value)?, folder);
        }
        "IAMPolicyGenerator" => return Ok(vec![service_account(&read(config, &value)?)?]),
        other => return Err(Error::rule(format!("plugin {other} not a generator"))),
    };
    let metadata: Settings = read(config, &value)?;
    let mut args: GeneratorArgs = read(config, &value)?;
    if args.name.is_empty() {
        args.name = metadata.metadata.name;
    }
    if args.namespace.is_empty() {
        args.namespace = metadata.metadata.namespace;
    }
    args.envs.extend((!args.env.is_empty()).then(|| args.env.clone()));
    let options: Option<GeneratorOptions> = args.options.clone();
    generate(kind, &args, options.as_ref(), folder, session.remote())
        .within(|| format!("generating {}", args.name))
        .map(|resource| vec![resource])
}

/// A service account that stands for one of a cloud's.
fn service_account(policy: &Policy) -> Result<Resource> {
    if policy.cloud != "gke" {
        return Err(Error::rule(format!("cloud provider {} not supported yet", policy.cloud)));
    }
    let Policy { kubernetes_service: ours, service_account: theirs, .. } = policy;
    let mut metadata = serde_json::json!({
        "annotations": {
            "iam.gke.io/gcp-service-account": format!("{}@{}.iam.gserviceaccount.com", theirs.name, theirs.project_id),
        },
        "name": ours.name,
    });
    if !ours.namespace.is_empty() {
        metadata["namespace"] = ours.namespace.as_str().into();
    }
    let json = serde_json::json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    Ok(Resource::new(Node::from_json(&json, false)))
}

/// Makes the transformer that an object configures; `None` if it is a function.
pub(crate) fn transformer(config: &Resource, folder: &Folder, session: &Session<'_>) -> Result<Option<Transformer>> {
    if !is_built_in(config) {
        return function_of(config, session).map(|_| None);
    }
    let value = settings(config)?;
    let options: Option<PatchOptions> = match value.get("options") {
        Some(options) => serde_json::from_value(options.clone()).ok(),
        None => None,
    };
    let mut settings: Settings = read(config, &value)?;
    let has_specs = value.get("fieldSpecs").is_some();
    let specs: Vec<FieldSpec> = std::mem::take(&mut settings.field_specs).into_iter().map(FieldSpec::from).collect();
    let transformer = match config.kind() {
        "AnnotationsTransformer" => Transformer::Annotations(TextTransformer { texts: settings.annotations, specs }),
        "LabelTransformer" => Transformer::Labels(TextTransformer { texts: settings.labels, specs }),
        "HashTransformer" => Transformer::Hash,
        "ImageTagTransformer" => Transformer::Images(ImageTransformer::new(settings.image_tag, specs)?),
        "NamespaceTransformer" => Transformer::Namespace(NamespaceTransformer {
            namespace: settings.metadata.namespace,
            specs,
            unset_only: settings.unset_only,
            subjects: subject_mode(&settings.set_role_binding_subjects)?,
        }),
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
            if !has_specs {
                return Err(Error::rule("fieldSpecs is not expected to be nil"));
            }
            let ends = [(End::Prefix, "Prefix", settings.prefix), (End::Suffix, "Suffix", settings.suffix)];
            let ends = ends.into_iter().filter(|(_, name, _)| config.kind().contains(name));
            let affixes = ends.map(|(end, _, text)| AffixTransformer { end, text, specs: specs.clone() });
            Transformer::Affixes(affixes.collect())
        }
        "PatchStrategicMergeTransformer" => strategic(&settings, folder, session)?,
        "PatchJson6902Transformer" => {
            let patch = Patch { path: settings.path, patch: settings.json_op, target: settings.target, options };
            Transformer::JsonPatch(JsonPatchTransformer::read(&patch, folder, session)?)
        }
        "PatchTransformer" => {
            let patch = Patch { path: settings.path, patch: settings.patch, target: settings.target, options };
            Transformer::Patch(Box::new(PatchTransformer::read(&patch, folder, session)?))
        }
        "ReplacementTransformer" => {
            Transformer::Replacements(ReplacementTransformer::read(&settings.replacements, folder, session.remote())?)
        }
        "ReplicaCountTransformer" => Transformer::Replicas(ReplicaTransformer { replica: settings.replica, specs }),
        "ValueAddTransformer" => value_add(settings, folder, session)?,
        "SortOrderTransformer" => Transformer::Sort(settings.sort_options.unwrap_or_default()),
        other => return Err(Error::rule(format!("plugin {other} not a transformer"))),
    };
    Ok(Some(transformer))
}

/// Which subjects a name means.
fn subject_mode(text: &str) -> Result<SubjectMode> {
    match text {
        "" | "defaultOnly" => Ok(SubjectMode::DefaultOnly),
        "allServiceAccounts" => Ok(SubjectMode::AllServiceAccounts),
        "none" => Ok(SubjectMode::None),
        other => Err(Error::rule(format!(
            "invalid value {other:?} for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \
             \"allServiceAccounts\""
        ))),
    }
}

fn strategic(settings: &Settings, folder: &Folder, session: &Session<'_>) -> Result<Transformer> {
    if settings.paths.is_empty() && settings.patches.is_empty() {
        return Err(Error::rule("empty file path and empty patch content"));
    }
    let mut transformer = StrategicTransformer::read(&settings.paths, folder, session)?;
    if !settings.patches.is_empty() {
        transformer.patches.extend(crate::documents::read_resources(&settings.patches, "patches")?);
    }
    if transformer.patches.is_empty() {
        return Err(Error::rule("patch appears to be empty"));
    }
    Ok(Transformer::Strategic(transformer))
}

fn value_add(settings: Settings, folder: &Folder, session: &Session<'_>) -> Result<Transformer> {
    let mut value = settings.value.trim().to_owned();
    if value.is_empty() {
        value = folder.root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    }
    let mut targets = settings.targets;
    if !settings.target_file_path.is_empty() {
        let path = &settings.target_file_path;
        let text = folder.read_text(path, session.remote())?;
        let yaml = kpkg_yaml::read(&text).map_err(|source| Error::Yaml { place: path.clone(), source })?;
        let invalid = |problem: String| Error::invalid(path, problem);
        let read = conform(&yaml.to_json(), &PLUGIN, Strictness::None).map_err(invalid)?;
        let read: Settings = serde_json::from_value(read).map_err(|error| Error::invalid(path, error.to_string()))?;
        targets.extend(read.targets);
    }
    if targets.is_empty() {
        return Err(Error::rule("must specify at least one target"));
    }
    let targets = targets.into_iter().map(|target| {
        if target.field_path.is_empty() {
            return Err(Error::rule("fieldPath cannot be empty"));
        }
        let position = usize::try_from(target.file_path_position).map_err(|_| {
            Error::rule(format!("value of FilePathPosition ({}) cannot be negative", target.file_path_position))
        })?;
        Ok(ValueAdd { selector: target.selector, field_path: target.field_path, position })
    });
    Ok(Transformer::ValueAdd(ValueAddTransformer { value, targets: targets.collect::<Result<_>>()? }))
}
