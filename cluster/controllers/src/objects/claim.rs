//! Which children belong to a controlling object, which it should take in and which let go.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::{
    Resource, ResourceExt,
    core::{Selector, SelectorExt},
};
use serde_json::{Value, json};

use super::owner;
use crate::{
    Error,
    runtime::{Context, Key, Kind},
};

/// The children of one object, sorted out.
#[derive(Debug)]
pub(crate) struct Claim<K> {
    /// Its own.
    pub(crate) mine: Vec<Arc<K>>,
    /// Nobody's, and selected: to be adopted.
    pub(crate) adopt: Vec<Arc<K>>,
    /// Its own, and selected no more: to be released.
    pub(crate) release: Vec<Arc<K>>,
}

/// Sorts `owned` (controlled by the parent) and `orphans` (of its namespace) by `selects`. A parent
/// on its way out neither adopts nor releases.
pub(crate) fn sort<K: Resource>(
    owned: Vec<Arc<K>>,
    orphans: Vec<Arc<K>>,
    selects: impl Fn(&K) -> bool,
    parent_deleting: bool,
) -> Claim<K> {
    let (mine, release): (Vec<_>, Vec<_>) = owned.into_iter().partition(|child| selects(child));
    if parent_deleting {
        return Claim { mine, adopt: Vec::new(), release: Vec::new() };
    }
    let fits = |child: &Arc<K>| selects(child) && !owner::is_deleting(child.meta());
    Claim { mine, adopt: orphans.into_iter().filter(fits).collect(), release }
}

/// A selector of an object that selects its children. One that says nothing selects nothing here,
/// for it would take in the whole namespace.
pub(crate) fn matcher(selector: &LabelSelector) -> impl Fn(&BTreeMap<String, String>) -> bool + use<> {
    let selector = Selector::try_from(selector.clone()).ok().filter(|selector| !selector.selects_all());
    move |labels| selector.as_ref().is_some_and(|selector| selector.matches(labels))
}

/// Carries out adoptions and releases, and returns the children as they are then. The parent is
/// read past the cache before the first adoption, lest one already deleted takes in children.
pub(crate) async fn settle<P: Kind, K: Kind>(
    context: &Context,
    parent: &P,
    claim: Claim<K>,
) -> Result<Vec<Arc<K>>, Error> {
    let mut mine = claim.mine;
    if !claim.adopt.is_empty() && may_adopt(context, parent).await? {
        for child in claim.adopt {
            mine.push(Arc::new(context.patch(&Key::of(&*child), &adoption(parent, &*child)).await?));
        }
    }
    for child in claim.release {
        let released = context.patch::<K>(&Key::of(&*child), &release(parent, &*child)).await;
        match released {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(mine)
}

async fn may_adopt<P: Kind>(context: &Context, parent: &P) -> Result<bool, Error> {
    let fresh = context.get::<P>(&Key::of(parent)).await?;
    Ok(fresh.is_some_and(|fresh| fresh.uid() == parent.uid() && !owner::is_deleting(fresh.meta())))
}

fn adoption<P: Kind, K: Kind>(parent: &P, child: &K) -> Value {
    let mut owners = child.owner_references().to_vec();
    owners.push(owner::controller_ref(parent));
    guarded(child, &owners)
}

fn release<P: Kind, K: Kind>(parent: &P, child: &K) -> Value {
    let parent = parent.uid().unwrap_or_default();
    let owners: Vec<_> = child.owner_references().iter().filter(|owner| owner.uid != parent).cloned().collect();
    guarded(child, &owners)
}

/// A merge patch replaces the whole list, so it must meet the very version that the list is from.
fn guarded<K: Kind>(child: &K, owners: &[OwnerReference]) -> Value {
    json!({"metadata": {
        "uid": child.meta().uid,
        "resourceVersion": child.meta().resource_version,
        "ownerReferences": owners,
    }})
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{
        api::core::v1::Pod,
        apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    };

    use super::*;

    fn pod(name: &str, app: &str, deleting: bool) -> Arc<Pod> {
        let deletion_timestamp = deleting.then_some(Time(jiff::Timestamp::UNIX_EPOCH));
        Arc::new(Pod {
            metadata: ObjectMeta {
                name: Some(name.into()),
                labels: Some([("app".to_owned(), app.to_owned())].into()),
                deletion_timestamp,
                ..ObjectMeta::default()
            },
            ..Pod::default()
        })
    }

    fn names(pods: &[Arc<Pod>]) -> Vec<String> {
        pods.iter().map(|pod| pod.name_any()).collect()
    }

    #[test]
    fn children_are_kept_adopted_and_released_by_the_selector() {
        let selector =
            LabelSelector { match_labels: Some([("app".into(), "web".into())].into()), match_expressions: None };
        let selects = matcher(&selector);
        let owned = || vec![pod("kept", "web", false), pod("going", "web", true), pod("changed", "db", false)];
        let orphans = || vec![pod("found", "web", false), pod("dying", "web", true), pod("other", "db", false)];
        let claim = sort(owned(), orphans(), |pod| selects(pod.labels()), false);
        assert_eq!(names(&claim.mine), ["kept", "going"]);
        assert_eq!(names(&claim.adopt), ["found"]);
        assert_eq!(names(&claim.release), ["changed"]);
        let claim = sort(owned(), orphans(), |pod| selects(pod.labels()), true);
        assert_eq!(names(&claim.mine), ["kept", "going"]);
        assert!(claim.adopt.is_empty() && claim.release.is_empty());
    }

    #[test]
    fn an_empty_selector_selects_nothing() {
        let selects = matcher(&LabelSelector::default());
        assert!(!selects(&[("app".into(), "web".into())].into()));
    }
}
