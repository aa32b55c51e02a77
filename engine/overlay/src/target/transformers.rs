//! The transformers that the fields of a kustomization stand for, in the order they are applied.

use super::Target;
use crate::affix::{AffixTransformer, End};
use crate::config::Config;
use crate::error::{Error, Result, Within};
use crate::fieldspec::{FieldSpec, merge_specs};
use crate::replacement::ReplacementTransformer;
use crate::transform::{
    ImageTransformer, JsonPatchTransformer, NamespaceTransformer, PatchTransformer, ReplicaTransformer,
    StrategicTransformer, SubjectMode, TextTransformer, Transformer,
};

/// Transformers, each with the name of the plugin that Kustomize has for it.
type Named = Vec<(Transformer, &'static str)>;

impl Target<'_> {
    /// The transformers of the kustomization's own fields, in the order they are applied.
    pub(super) fn transformers(&self, config: &Config) -> Result<Named> {
        let this = &self.kustomization;
        let mut list = Named::new();
        if let Some(paths) = this.patches_strategic_merge.as_ref().filter(|paths| !paths.is_empty()) {
            let patches = StrategicTransformer::read(paths, &self.folder, self.session)
                .within(|| "trouble configuring builtin PatchStrategicMergeTransformer".to_owned())?;
            if patches.patches.is_empty() {
                return Err(Error::rule(format!("patch appears to be empty; files=[{}]", paths.join(" "))));
            }
            list.push((Transformer::Strategic(patches), "PatchStrategicMergeTransformer"));
        }
        for patch in &this.patches {
            let patch = PatchTransformer::read(patch, &self.folder, self.session)
                .within(|| "trouble configuring builtin PatchTransformer".to_owned())?;
            list.push((Transformer::Patch(Box::new(patch)), "PatchTransformer"));
        }
        if !this.namespace.is_empty() {
            let namespace = NamespaceTransformer {
                namespace: this.namespace.clone(),
                specs: config.namespace.clone(),
                unset_only: false,
                subjects: SubjectMode::default(),
            };
            list.push((Transformer::Namespace(namespace), "NamespaceTransformer"));
        }
        let affixes = [
            (End::Prefix, &this.name_prefix, &config.name_prefix, "PrefixTransformer"),
            (End::Suffix, &this.name_suffix, &config.name_suffix, "SuffixTransformer"),
        ];
        for (end, text, specs, name) in affixes {
            if !text.is_empty() {
                let affix = AffixTransformer { end, text: text.clone(), specs: specs.clone() };
                list.push((Transformer::Affixes(vec![affix]), name));
            }
        }
        self.label_transformers(config, &mut list)?;
        if !this.common_annotations.is_empty() {
            let annotations =
                TextTransformer { texts: this.common_annotations.clone(), specs: config.common_annotations.clone() };
            list.push((Transformer::Annotations(annotations), "AnnotationsTransformer"));
        }
        for patch in this.patches_json6902.iter().flatten() {
            let patch = JsonPatchTransformer::read(patch, &self.folder, self.session)
                .within(|| "trouble configuring builtin PatchJson6902Transformer".to_owned())?;
            list.push((Transformer::JsonPatch(patch), "PatchJson6902Transformer"));
        }
        for replica in &this.replicas {
            let replicas = ReplicaTransformer { replica: replica.clone(), specs: config.replicas.clone() };
            list.push((Transformer::Replicas(replicas), "ReplicaCountTransformer"));
        }
        for image in &this.images {
            let images = ImageTransformer::new(image.clone(), config.images.clone())?;
            list.push((Transformer::Images(images), "ImageTagTransformer"));
        }
        if !this.replacements.is_empty() {
            let read = ReplacementTransformer::read(&this.replacements, &self.folder, self.session.remote())?;
            list.push((Transformer::Replacements(read), "ReplacementTransformer"));
        }
        Ok(list)
    }

    fn label_transformers(&self, config: &Config, list: &mut Named) -> Result<()> {
        const NAME: &str = "LabelTransformer";
        let this = &self.kustomization;
        for label in &this.labels {
            let mut specs: Vec<FieldSpec> = label.fields.iter().cloned().map(FieldSpec::from).collect();
            let mut add =
                |more: &[FieldSpec]| merge_specs(&mut specs, more).within(|| "failed to merge labels".to_owned());
            add(&config.labels)?;
            if label.include_selectors {
                add(&config.common_labels)?;
            } else {
                if label.include_templates {
                    add(&config.template_labels)?;
                }
                add(&[FieldSpec::everywhere("metadata/labels", true)])?;
            }
            list.push((Transformer::Labels(TextTransformer { texts: label.pairs.clone(), specs }), NAME));
        }
        let common = this.common_labels.clone().unwrap_or_default();
        if !(this.labels.is_empty() && common.is_empty()) {
            let labels = TextTransformer { texts: common, specs: config.common_labels.clone() };
            list.push((Transformer::Labels(labels), NAME));
        }
        Ok(())
    }
}
