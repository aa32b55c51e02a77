//! Who owns an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

/// The reference by which `owner` controls a child.
pub(crate) fn controller_ref<K: Resource<DynamicType = ()>>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference to the controlling owner.
pub(crate) fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// The name of the controlling owner, if it is of kind `K`.
pub(crate) fn controller_name<K: Resource<DynamicType = ()>>(meta: &ObjectMeta) -> Option<&str> {
    let owner = controller_of(meta)?;
    let group_of = |api_version: &str| api_version.split_once('/').map(|(group, _)| group.to_owned());
    let same = owner.kind == K::kind(&()) && group_of(&owner.api_version) == group_of(&K::api_version(&()));
    same.then_some(owner.name.as_str())
}

/// Whether the object is on its way out.
pub(crate) fn is_deleting(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}
