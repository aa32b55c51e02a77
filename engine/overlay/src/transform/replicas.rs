//! Numbers of replicas.

use kpkg_yaml::node::{Scalar, Tag};

use crate::error::{Error, Result};
use crate::fieldspec::{Create, FieldSpec};
use crate::kustomization::Replica;
use crate::set::ResourceSet;
use crate::tree::set_scalar;

/// Sets the number of replicas of the workloads of one name.
#[derive(Debug)]
pub(crate) struct ReplicaTransformer {
    pub(crate) replica: Replica,
    pub(crate) specs: Vec<FieldSpec>,
}

impl ReplicaTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        let mut found = false;
        for spec in &self.specs {
            for at in 0..set.len() {
                let resource = set.content_mut(at);
                let is_meant = resource
                    .former_ids()
                    .chain([resource.id()])
                    .any(|id| id.name == self.replica.name && spec.gvk.selects(&id));
                if is_meant {
                    found = true;
                    spec.apply(&mut resource.node, Create::Scalar, &mut |place| {
                        set_scalar(place, Scalar::tagged(self.replica.count.to_string(), Tag::Int))
                    })?;
                }
            }
        }
        if found {
            return Ok(());
        }
        let kinds: Vec<String> = self.specs.iter().map(|spec| spec.gvk.to_string()).collect();
        Err(Error::rule(format!(
            "resource with name {} does not match a config with the following GVK [{}]",
            self.replica.name,
            kinds.join(" ")
        )))
    }
}
