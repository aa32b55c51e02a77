//! A value put into fields of many resources, or into a part of a path that a field holds.

use kpkg_yaml::node::{Node, Scalar};

use crate::error::{Error, Result};
use crate::kustomization::Selector;
use crate::set::ResourceSet;
use crate::transform::{NamespaceTransformer, SubjectMode};
use crate::tree::{kind_name, map_at, set_scalar, split_path};

/// Where the value goes.
#[derive(Debug)]
pub(crate) struct ValueAdd {
    pub(crate) selector: Option<Selector>,
    pub(crate) field_path: String,
    /// Which part of a file path is replaced, counted from 1; 0 replaces the field.
    pub(crate) position: usize,
}

/// Sets one value in many places.
#[derive(Debug)]
pub(crate) struct ValueAddTransformer {
    pub(crate) value: String,
    pub(crate) targets: Vec<ValueAdd>,
}

impl ValueAddTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        for target in &self.targets {
            let places = match &target.selector {
                Some(selector) => set.select(selector)?,
                None => (0..set.len()).collect(),
            };
            let list = set.list_mut();
            for at in places {
                self.set(&mut list[at].node, target)?;
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, target: &ValueAdd) -> Result<()> {
        if target.field_path == "metadata/namespace" {
            let namespace = self.value.clone();
            let subjects = SubjectMode::default();
            return NamespaceTransformer { namespace, specs: Vec::new(), unset_only: false, subjects }.apply_to(node);
        }
        let parts = split_path(&target.field_path, '/');
        let Some((last, folders)) = parts.split_last() else { return Ok(()) };
        let mut at = node;
        for part in folders {
            map_at(at, part)?;
            at = at.get_mut(part).expect("just made");
        }
        let found = kind_name(at);
        let fields = at.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
        let place = fields.get_or_insert_with(last, || Node::bare(""));
        let value = match target.position {
            0 => self.value.clone(),
            position => insert_part(place.text(), position - 1, &self.value),
        };
        set_scalar(place, Scalar::bare(value))
    }
}

/// Puts a part into a path; beyond the end it is appended.
fn insert_part(path: &str, at: usize, part: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(at.min(parts.len()), part);
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}
