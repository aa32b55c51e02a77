//! Labels and annotations for all.

use kpkg_yaml::node::{Node, Scalar, Tag};

use crate::error::{Error, Result};
use crate::fieldspec::{Create, FieldSpec};
use crate::kustomization::Texts;
use crate::set::ResourceSet;
use crate::tree::{kind_name, set_field};

/// Sets texts in mappings.
#[derive(Debug)]
pub(crate) struct TextTransformer {
    pub(crate) texts: Texts,
    pub(crate) specs: Vec<FieldSpec>,
}

impl TextTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        if self.texts.is_empty() {
            return Ok(());
        }
        for at in 0..set.len() {
            let node = &mut set.content_mut(at).node;
            for (key, value) in &self.texts {
                let value = Node::Scalar(Scalar::tagged(value.as_str(), Tag::String));
                for spec in &self.specs {
                    spec.apply(node, Create::Map, &mut |place| {
                        let found = kind_name(place);
                        let fields = place.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
                        set_field(fields, key, value.clone());
                        Ok(())
                    })?;
                }
            }
        }
        Ok(())
    }
}
