//! Prefixes and suffixes of names.

use kpkg_yaml::node::Scalar;

use crate::error::Result;
use crate::fieldspec::{Create, FieldSpec};
use crate::id::Id;
use crate::set::ResourceSet;
use crate::tree::set_scalar;

/// Which end of a name is lengthened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The beginning.
    Prefix,
    /// The end.
    Suffix,
}

/// Lengthens names.
#[derive(Debug)]
pub(crate) struct AffixTransformer {
    pub(crate) end: End,
    pub(crate) text: String,
    pub(crate) specs: Vec<FieldSpec>,
}

impl AffixTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        for resource in set.list_mut() {
            if keeps_name(&resource.original_id()) {
                continue;
            }
            for spec in &self.specs {
                if !spec.gvk.selects(&resource.original_id()) {
                    continue;
                }
                if spec.path == "metadata/name" && !self.text.is_empty() {
                    let memory = &mut resource.memory;
                    let list = if self.end == End::Prefix { &mut memory.prefixes } else { &mut memory.suffixes };
                    list.push(self.text.clone());
                    resource.remember_id();
                }
                spec.apply(&mut resource.node, Create::Scalar, &mut |place| {
                    let old = place.text();
                    let new = if self.end == End::Prefix {
                        format!("{}{old}", self.text)
                    } else {
                        format!("{old}{}", self.text)
                    };
                    set_scalar(place, Scalar::bare(new))
                })?;
            }
        }
        Ok(())
    }
}

/// Kinds whose names mean more than a name.
fn keeps_name(id: &Id<'_>) -> bool {
    matches!(id.kind, "CustomResourceDefinition" | "Namespace")
        || id.kind == "APIService" && id.group == "apiregistration.k8s.io"
}
