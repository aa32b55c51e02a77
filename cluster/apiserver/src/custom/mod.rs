//! Kinds that `CustomResourceDefinition` objects define.

use kpkg_api::schema::Kind;

/// A custom kind in one version.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) kind: &'static Kind,
}
