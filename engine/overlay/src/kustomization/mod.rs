//! What a kustomization file says.

mod shape;

pub(crate) use shape::{CONFIGURATION, KUSTOMIZATION, PLUGIN, REPLACEMENT, Shape, Strictness, conform};

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::id::Gvk;

/// Texts by name.
pub(crate) type Texts = BTreeMap<String, String>;

/// A kustomization or a component.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Kustomization {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) openapi: Texts,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) namespace: String,
    pub(crate) common_labels: Option<Texts>,
    pub(crate) labels: Vec<Label>,
    pub(crate) common_annotations: Texts,
    pub(crate) patches_strategic_merge: Option<Vec<String>>,
    #[serde(rename = "patchesJson6902")]
    pub(crate) patches_json6902: Option<Vec<Patch>>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) images: Vec<Image>,
    pub(crate) image_tags: Option<Vec<Image>>,
    pub(crate) replacements: Vec<Replacement>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) vars: Option<Vec<Var>>,
    pub(crate) sort_options: Option<SortOptions>,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) bases: Option<Vec<String>>,
    pub(crate) config_map_generator: Vec<GeneratorArgs>,
    pub(crate) secret_generator: Vec<GeneratorArgs>,
    pub(crate) helm_globals: Option<HelmGlobals>,
    pub(crate) helm_charts: Vec<HelmChart>,
    pub(crate) helm_chart_inflation_generator: Vec<HelmChartArgs>,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) configurations: Vec<String>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) build_metadata: Vec<String>,
}

/// Labels and where they go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Label {
    pub(crate) pairs: Texts,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) fields: Vec<FieldSpecArgs>,
}

/// A rule's place, as configured.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldSpecArgs {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) create: bool,
}

/// A patch of either kind.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Patch {
    pub(crate) path: String,
    pub(crate) patch: String,
    pub(crate) target: Option<Selector>,
    pub(crate) options: Option<PatchOptions>,
}

/// What a patch may change beyond fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PatchOptions {
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
}

/// Chooses resources; every part is a pattern that must match as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Selector {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) label_selector: String,
    pub(crate) annotation_selector: String,
}

/// A new name, tag or digest for an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) new_name: String,
    pub(crate) tag_suffix: String,
    pub(crate) new_tag: String,
    pub(crate) digest: String,
}

/// A number of replicas.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: i64,
}

/// A value taken from one place and put into others, or a file of such.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Replacement {
    pub(crate) path: String,
    pub(crate) source: Option<Source>,
    pub(crate) source_value: Option<String>,
    pub(crate) targets: Option<Vec<Target>>,
}

/// Where a replacement's value comes from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Source {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) field_path: String,
    pub(crate) options: Option<FieldOptions>,
}

/// Where a replacement's value goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Target {
    pub(crate) select: Option<Selector>,
    pub(crate) reject: Vec<Selector>,
    pub(crate) field_paths: Vec<String>,
    pub(crate) options: Option<FieldOptions>,
}

/// A part of a field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldOptions {
    pub(crate) delimiter: String,
    pub(crate) index: i64,
    pub(crate) create: bool,
}

/// A variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Var {
    pub(crate) name: String,
    pub(crate) objref: ObjectReference,
    pub(crate) fieldref: FieldReference,
}

/// The object of a variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ObjectReference {
    pub(crate) api_version: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

/// The field of a variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldReference {
    #[serde(rename = "fieldPath")]
    pub(crate) field_path: String,
}

/// The order of the output.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SortOptions {
    pub(crate) order: String,
    pub(crate) legacy_sort_options: Option<LegacySortOptions>,
}

/// Kinds that come first and last.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct LegacySortOptions {
    pub(crate) order_first: Vec<String>,
    pub(crate) order_last: Vec<String>,
}

/// A ConfigMap or a Secret to generate.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GeneratorArgs {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) behavior: String,
    pub(crate) literals: Vec<String>,
    pub(crate) files: Vec<String>,
    pub(crate) envs: Vec<String>,
    pub(crate) env: String,
    pub(crate) options: Option<GeneratorOptions>,
    #[serde(rename = "type")]
    pub(crate) secret_type: String,
}

/// What generated objects have in common.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GeneratorOptions {
    pub(crate) labels: Texts,
    pub(crate) annotations: Texts,
    pub(crate) disable_name_suffix_hash: bool,
    pub(crate) immutable: bool,
}

/// Where charts lie.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmGlobals {
    /// The folder of charts, `charts` unless given.
    pub chart_home: String,
    /// Helm's own configuration; not used here.
    pub config_home: String,
}

/// A chart to render.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HelmChart {
    /// The chart's name, a folder below the chart home.
    pub name: String,
    /// The version wanted.
    pub version: String,
    /// The repository it comes from.
    pub repo: String,
    /// The release's name.
    pub release_name: String,
    /// The release's namespace.
    pub namespace: String,
    /// More files of values.
    pub additional_values_files: Vec<String>,
    /// The file of values.
    pub values_file: String,
    /// Values given here.
    pub values_inline: serde_json::Map<String, serde_json::Value>,
    /// How inline values and the file are merged: `override`, `replace` or `merge`.
    pub values_merge: String,
    /// Whether CRDs are rendered too.
    #[serde(rename = "includeCRDs")]
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// API versions the chart may ask for.
    pub api_versions: Vec<String>,
    /// The Kubernetes version the chart may ask for.
    pub kube_version: String,
    /// A template for the release's name.
    pub name_template: String,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// Helm's `--debug`.
    pub debug: bool,
    /// Helm's `--devel`.
    pub devel: bool,
}

/// A chart to render, in the words of an older version.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct HelmChartArgs {
    pub(crate) chart_name: String,
    pub(crate) chart_version: String,
    pub(crate) chart_repo_url: String,
    pub(crate) chart_home: String,
    pub(crate) helm_home: String,
    pub(crate) values: String,
    pub(crate) values_local: serde_json::Map<String, serde_json::Value>,
    pub(crate) values_merge: String,
    pub(crate) release_name: String,
}

/// What a kustomization file may be called.
pub(crate) const KUSTOMIZATION_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

pub(crate) const API_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
pub(crate) const COMPONENT_API_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

impl Kustomization {
    /// Reads a kustomization file: unknown fields are errors, old names are brought up to date.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let invalid = |problem: String| Error::invalid("Kustomization", problem);
        let value = kpkg_yaml::read(text).map_err(|error| invalid(error.to_string()))?;
        if value.is_null() {
            return Err(Error::rule("kustomization.yaml is empty"));
        }
        let value = conform(&value.to_json(), &KUSTOMIZATION, Strictness::Full).map_err(invalid)?;
        let empty = value
            .as_object()
            .is_none_or(|fields| fields.iter().all(|(name, value)| is_type(name) || *value == "" || value.is_null()));
        let mut read: Self = serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        if empty {
            return Err(Error::rule("kustomization.yaml is empty"));
        }
        read.fix();
        read.check()?;
        Ok(read)
    }

    /// Deprecated fields that are used, as warnings.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let used = [
            (self.bases.is_some(), "bases", "resources", ""),
            (self.common_labels.is_some(), "commonLabels", "labels", ""),
            (self.image_tags.is_some(), "imageTags", "images", ""),
            (self.patches_json6902.is_some(), "patchesJson6902", "patches", ""),
            (self.patches_strategic_merge.is_some(), "patchesStrategicMerge", "patches", ""),
            (self.vars.is_some(), "vars", "replacements", "[EXPERIMENTAL] "),
        ];
        let used = used.into_iter().filter(|(used, ..)| *used);
        used.map(|(_, old, new, how)| {
            format!(
                "# Warning: '{old}' is deprecated. Please use '{new}' instead. {how}Run 'kustomize edit fix' to update \
                 your Kustomization automatically."
            )
        })
        .collect()
    }

    /// Whether this is a component.
    pub(crate) fn is_component(&self) -> bool {
        self.kind == "Component"
    }

    fn fix(&mut self) {
        if self.kind.is_empty() {
            "Kustomization".clone_into(&mut self.kind);
        }
        if self.api_version.is_empty() {
            let version = if self.is_component() { COMPONENT_API_VERSION } else { API_VERSION };
            version.clone_into(&mut self.api_version);
        }
        self.resources.extend(self.bases.iter().flatten().cloned());
        self.images.extend(self.image_tags.iter().flatten().cloned());
        for args in self.config_map_generator.iter_mut().chain(&mut self.secret_generator) {
            if !args.env.is_empty() {
                args.envs.push(std::mem::take(&mut args.env));
            }
        }
        for old in std::mem::take(&mut self.helm_chart_inflation_generator) {
            let (home, config) = (old.chart_home.clone(), old.helm_home.clone());
            if self.helm_globals.is_none() && !(home.is_empty() && config.is_empty()) {
                self.helm_globals = Some(HelmGlobals { chart_home: home, config_home: config });
            }
            self.helm_charts.push(old.into());
        }
    }

    fn check(&self) -> Result<()> {
        if self.kind != "Kustomization" && !self.is_component() {
            return Err(Error::invalid("Kustomization", "kind should be Kustomization or Component"));
        }
        let wanted = if self.is_component() { COMPONENT_API_VERSION } else { API_VERSION };
        if self.api_version != wanted {
            let problem = format!("apiVersion for {} should be {wanted}", self.kind);
            return Err(Error::invalid("Kustomization", problem));
        }
        Ok(())
    }
}

fn is_type(name: &str) -> bool {
    matches!(name, "apiVersion" | "kind")
}

impl From<HelmChartArgs> for HelmChart {
    fn from(old: HelmChartArgs) -> Self {
        Self {
            name: old.chart_name,
            version: old.chart_version,
            repo: old.chart_repo_url,
            values_file: old.values,
            values_inline: old.values_local,
            values_merge: old.values_merge,
            release_name: old.release_name,
            ..Self::default()
        }
    }
}

impl Source {
    pub(crate) fn gvk(&self) -> Gvk {
        Gvk { group: self.group.clone(), version: self.version.clone(), kind: self.kind.clone() }
    }
}

impl GeneratorOptions {
    /// The options of one generator, completed by those for all.
    pub(crate) fn merged(local: Option<&Self>, global: Option<&Self>) -> Option<Self> {
        let Some(global) = global else { return local.cloned() };
        let mut merged = local.cloned().unwrap_or_default();
        for (key, value) in &global.labels {
            merged.labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (key, value) in &global.annotations {
            merged.annotations.entry(key.clone()).or_insert_with(|| value.clone());
        }
        merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        merged.immutable |= global.immutable;
        Some(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Kustomization::read(text).map_or_else(|error| error.chain(), |_| String::new())
    }

    #[test]
    fn field_names_ignore_case_and_unknown_ones_fail() {
        let read = Kustomization::read("NAMEPREFIX: a-\nresources: [x]\nbases: [w]\n").expect("reads");
        assert_eq!(
            (read.name_prefix.as_str(), read.resources.as_slice()),
            ("a-", ["x".to_owned(), "w".to_owned()].as_slice())
        );
        let cases = [
            (
                "namePrefx: a\n",
                "invalid Kustomization: json: unknown field \"namePrefx\", did you mean \"namePrefix\"?",
            ),
            (
                "patches: [{pth: x}]\n",
                "invalid Kustomization: json: unknown field \"pth\" in \"patches[0]\", did you mean \"path\"?",
            ),
            ("namespace: 5\n", "invalid Kustomization: field \"namespace\" must be a string, not a number"),
            ("kind: Kustomization\n", "kustomization.yaml is empty"),
            ("", "kustomization.yaml is empty"),
            ("kind: Other\nresources: [a]\n", "invalid Kustomization: kind should be Kustomization or Component"),
        ];
        for (text, want) in cases {
            assert_eq!(problem(text), want, "{text}");
        }
    }
}
