//! What changes resources. Each transformer is a value that is applied to the whole set.

mod images;
mod labels;
mod namespace;
mod patch;
mod replicas;
mod value_add;

pub(crate) use images::{ImageTransformer, split_image};
pub(crate) use labels::TextTransformer;
pub(crate) use namespace::{NamespaceTransformer, SubjectMode};
pub(crate) use patch::{JsonPatchTransformer, PatchTransformer, StrategicTransformer};
pub(crate) use replicas::ReplicaTransformer;
pub(crate) use value_add::{ValueAdd, ValueAddTransformer};

use crate::affix::AffixTransformer;
use crate::build::Session;
use crate::error::Result;
use crate::kustomization::SortOptions;
use crate::replacement::ReplacementTransformer;
use crate::set::ResourceSet;

/// A transformer, configured.
#[derive(Debug)]
pub(crate) enum Transformer {
    Strategic(StrategicTransformer),
    Patch(Box<PatchTransformer>),
    Namespace(NamespaceTransformer),
    Affixes(Vec<AffixTransformer>),
    Labels(TextTransformer),
    Annotations(TextTransformer),
    JsonPatch(JsonPatchTransformer),
    Replicas(ReplicaTransformer),
    Images(ImageTransformer),
    Replacements(ReplacementTransformer),
    ValueAdd(ValueAddTransformer),
    Hash,
    Sort(SortOptions),
}

impl Transformer {
    /// Changes the resources.
    pub(crate) fn apply(&self, set: &mut ResourceSet, session: &Session<'_>) -> Result<()> {
        match self {
            Self::Strategic(transformer) => transformer.apply(set, session),
            Self::Patch(transformer) => transformer.apply(set, session),
            Self::Namespace(transformer) => transformer.apply(set),
            Self::Affixes(list) => list.iter().try_for_each(|transformer| transformer.apply(set)),
            Self::Labels(transformer) | Self::Annotations(transformer) => transformer.apply(set),
            Self::JsonPatch(transformer) => transformer.apply(set, session),
            Self::Replicas(transformer) => transformer.apply(set),
            Self::Images(transformer) => transformer.apply(set),
            Self::Replacements(transformer) => transformer.apply(set),
            Self::ValueAdd(transformer) => transformer.apply(set),
            Self::Hash => crate::generate::hash_names(set),
            Self::Sort(options) => crate::build::sort(set, Some(options)),
        }
    }

    /// What to call it where it is told what made a field.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Strategic(_) => "patchesStrategicMerge".to_owned(),
            Self::Patch(patch) => format!("patch {}", patch.source()),
            Self::Namespace(_) => "namespace".to_owned(),
            Self::Affixes(_) => "namePrefix, nameSuffix".to_owned(),
            Self::Labels(_) => "labels".to_owned(),
            Self::Annotations(_) => "commonAnnotations".to_owned(),
            Self::JsonPatch(patch) => format!("JSON patch {}", patch.source),
            Self::Replicas(_) => "replicas".to_owned(),
            Self::Images(_) => "images".to_owned(),
            Self::Replacements(_) => "replacements".to_owned(),
            Self::ValueAdd(_) => "a value that is added".to_owned(),
            Self::Hash => "the hash of its content".to_owned(),
            Self::Sort(_) => "sorting".to_owned(),
        }
    }
}
