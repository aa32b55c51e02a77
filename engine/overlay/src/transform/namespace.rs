//! One namespace for all.

use std::collections::HashMap;

use kpkg_yaml::node::{Node, Scalar, Tag};

use crate::error::{Error, Result, Within};
use crate::fieldspec::{Create, FieldSpec};
use crate::resource::Resource;
use crate::set::ResourceSet;
use crate::tree::{kind_name, set_scalar};

/// Which subjects of role bindings get the namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SubjectMode {
    /// Those named `default`.
    #[default]
    DefaultOnly,
    /// All service accounts.
    AllServiceAccounts,
    /// None.
    None,
}

/// Sets the namespace of everything that has one.
#[derive(Debug)]
pub(crate) struct NamespaceTransformer {
    pub(crate) namespace: String,
    pub(crate) specs: Vec<FieldSpec>,
    pub(crate) unset_only: bool,
    pub(crate) subjects: SubjectMode,
}

type Key = (String, String, String, String, String);

fn key(resource: &Resource) -> Key {
    let id = resource.id();
    let namespace = id.effective_namespace();
    (id.kind.into(), id.group.into(), id.version.into(), id.name.into(), namespace.into())
}

impl NamespaceTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        let mut present: HashMap<Key, usize> = HashMap::new();
        for resource in set.iter() {
            *present.entry(key(resource)).or_default() += 1;
        }
        for resource in set.list_mut() {
            if resource.memory.from_chart {
                continue;
            }
            if let Some(count) = present.get_mut(&key(resource)) {
                *count -= 1;
            }
            resource.remember_id();
            self.apply_to(&mut resource.node)?;
            let count = present.entry(key(resource)).or_default();
            *count += 1;
            if *count != 1 {
                return Err(Error::rule(format!("namespace transformation produces ID conflict: {}", resource.id())));
            }
        }
        Ok(())
    }

    /// Sets the namespace in one object.
    pub(crate) fn apply_to(&self, node: &mut Node) -> Result<()> {
        let id = crate::id::Id::of(node);
        let is_binding = matches!(id.kind, "RoleBinding" | "ClusterRoleBinding");
        let is_core_v1 = id.group.is_empty() && id.version == "v1";
        let mut set = |place: &mut Node| self.set(place);
        if !id.is_cluster_scoped() {
            FieldSpec::everywhere("metadata/namespace", true).apply(node, Create::Scalar, &mut set)?;
        }
        if is_binding {
            self.set_subjects(node).within(|| "setting namespace on (cluster)role binding subjects".to_owned())?;
        }
        for spec in &self.specs {
            let is_subject = is_binding
                && spec.path == "subjects/namespace"
                && matches!(spec.gvk.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
            let unneeded = spec.path == "metadata/namespace" || spec.path == "metadata/name" && !is_core_v1;
            if !is_subject && !unneeded {
                spec.apply(node, Create::Scalar, &mut set).within(|| "namespace transformation failed".to_owned())?;
            }
        }
        Ok(())
    }

    fn set(&self, place: &mut Node) -> Result<()> {
        if self.unset_only && !place.is_null() && !place.text().is_empty() {
            return Ok(());
        }
        set_scalar(place, Scalar::tagged(self.namespace.as_str(), Tag::String))
    }

    fn set_subjects(&self, node: &mut Node) -> Result<()> {
        let (field, wanted) = match self.subjects {
            SubjectMode::None => return Ok(()),
            SubjectMode::DefaultOnly => ("name", "default"),
            SubjectMode::AllServiceAccounts => ("kind", "ServiceAccount"),
        };
        let items = match node.get_mut("subjects") {
            None => return Ok(()),
            Some(node) if node.is_null() => return Ok(()),
            Some(Node::List(items)) => items,
            Some(other) => return Err(Error::Shape { expected: "SequenceNode", found: kind_name(other) }),
        };
        for subject in items {
            if subject.get(field).is_some_and(|value| !value.is_null() && value.text() == wanted)
                && let Some(fields) = subject.as_map_mut()
            {
                self.set(fields.get_or_insert_with("namespace", || Node::bare("")))?;
            }
        }
        Ok(())
    }
}
