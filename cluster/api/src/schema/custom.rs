//! Kinds that `CustomResourceDefinition` objects add.

use super::{
    Kind,
    kinds::{ALL_VERBS, SCALE, part},
    table,
};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

/// What a definition says of a custom kind in one version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CustomKind {
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The version in which objects are stored.
    pub storage_version: String,
    /// The kind.
    pub kind: String,
    /// The resource.
    pub plural: String,
    /// The resource's singular.
    pub singular: String,
    /// What kubectl also takes for it.
    pub short_names: Vec<String>,
    /// Groups of resources it belongs to.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether it has a `status` subresource.
    pub status: bool,
    /// Whether it has a `scale` subresource.
    pub scale: bool,
    /// The fields by which objects can be selected.
    pub selectable: Vec<String>,
}

static CUSTOM: LazyLock<Mutex<HashMap<CustomKind, &'static Kind>>> = LazyLock::new(Mutex::default);

impl CustomKind {
    /// The kind, the same one whenever the same is asked for.
    ///
    /// Kinds are never freed, so that requests and watches may hold them however long: a process keeps a few hundred bytes
    /// for every distinct version of every definition that it has seen.
    pub fn intern(&self) -> &'static Kind {
        let mut known = CUSTOM.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known.get(self) {
            return kind;
        }
        let kind: &'static Kind = Box::leak(Box::new(self.make()));
        known.insert(self.clone(), kind);
        kind
    }

    fn make(&self) -> Kind {
        let kept = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let all = |texts: &[String]| -> &'static [&'static str] {
            Box::leak(texts.iter().map(|text| kept(text)).collect::<Vec<_>>().into_boxed_slice())
        };
        let name = kept(&self.kind);
        let mut subresources = Vec::new();
        if self.scale {
            subresources.push(SCALE);
        }
        if self.status {
            subresources.push(part(name));
        }
        Kind {
            group: kept(&self.group),
            version: kept(&self.version),
            kind: name,
            plural: kept(&self.plural),
            singular: kept(&self.singular),
            short_names: all(&self.short_names),
            categories: all(&self.categories),
            namespaced: self.namespaced,
            subresources: Box::leak(subresources.into_boxed_slice()),
            verbs: ALL_VERBS,
            type_id: table().id("apimachinery.pkg.apis.meta.v1.ObjectMeta").expect("the table has ObjectMeta"),
            custom: true,
            storage_version: kept(&self.storage_version),
            selectable: all(&self.selectable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_kind_is_the_same() {
        let tab = CustomKind { group: "example.com".to_owned(), kind: "Tab".to_owned(), ..CustomKind::default() };
        assert!(std::ptr::eq(tab.intern(), tab.clone().intern()));
        assert!(!std::ptr::eq(tab.intern(), CustomKind { status: true, ..tab.clone() }.intern()));
        assert!(tab.intern().custom && !tab.intern().has_status());
    }
}
