//! The history of a set's template, kept as ControllerRevisions; the choice is pure.

use std::sync::Arc;

use k8s_openapi::{
    api::{
        apps::v1::{ControllerRevision, StatefulSet},
        core::v1::PodTemplateSpec,
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, runtime::RawExtension},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::Controller;
use crate::{
    Error,
    objects::{owner, template},
    runtime::Key,
};

const HASH_LABEL: &str = "controller.kubernetes.io/hash";
const LONGEST_PREFIX: usize = 223;

/// One template and its name.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    /// The name that pods carry as a label.
    pub(super) name: String,
    /// The template.
    pub(super) template: PodTemplateSpec,
}

/// What the set's pods are made of.
#[derive(Debug)]
pub(super) struct Revisions {
    /// What pods were made of before the update under way.
    pub(super) current: Revision,
    /// What they are being brought to.
    pub(super) update: Revision,
    /// All revisions, ordered by number.
    pub(super) all: Vec<Arc<ControllerRevision>>,
    /// How often a name was found taken.
    pub(super) collisions: i32,
}

/// How the history must change for the set's present template to be its newest entry.
#[derive(Debug)]
pub(super) enum Step {
    /// It is already.
    None(Arc<ControllerRevision>),
    /// It is further down: a rollback.
    Renumber(Arc<ControllerRevision>, i64),
    /// It is not there.
    Create(Box<ControllerRevision>),
}

/// Chooses. `all` is ordered by number.
pub(super) fn step(set: &StatefulSet, all: &[Arc<ControllerRevision>], collisions: i32) -> Step {
    let data = data(&set.spec.template);
    let next = all.last().map_or(0, |last| number(last)) + 1;
    match all.iter().rposition(|revision| revision.data.0 == data) {
        Some(index) if index + 1 == all.len() => Step::None(all[index].clone()),
        Some(index) => Step::Renumber(all[index].clone(), next),
        None => Step::Create(Box::new(new(set, data, next, collisions))),
    }
}

fn new(set: &StatefulSet, data: Value, number: i64, collisions: i32) -> ControllerRevision {
    let mut bytes = data.to_string().into_bytes();
    if collisions > 0 {
        bytes.extend(collisions.to_le_bytes());
    }
    let hash = template::safe_hash(template::fnv1a(&bytes));
    let prefix: String = set.name_any().chars().take(LONGEST_PREFIX).collect();
    let mut labels = set.spec.template.metadata.as_ref().and_then(|meta| meta.labels.clone()).unwrap_or_default();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}-{hash}")),
            namespace: set.namespace(),
            labels: Some(labels),
            annotations: set.metadata.annotations.clone(),
            owner_references: Some(vec![owner::controller_ref(set)]),
            ..ObjectMeta::default()
        },
        data: RawExtension(data),
        revision: Some(number),
    }
}

/// The template as a strategic merge patch that puts it back whole.
fn data(template: &PodTemplateSpec) -> Value {
    let mut template = serde_json::to_value(template).unwrap_or_default();
    template["$patch"] = json!("replace");
    json!({"spec": {"template": template}})
}

fn template_of(revision: &ControllerRevision) -> PodTemplateSpec {
    let template = revision.data.0.pointer("/spec/template").cloned().unwrap_or_default();
    serde_json::from_value(template).unwrap_or_default()
}

fn number(revision: &ControllerRevision) -> i64 {
    revision.revision.unwrap_or(0)
}

fn named(revision: &ControllerRevision) -> Revision {
    Revision { name: revision.name_any(), template: template_of(revision) }
}

impl Controller {
    /// Brings the history up to date and says which revisions count.
    pub(super) async fn settle_revisions(
        &self,
        set: &StatefulSet,
        mut all: Vec<Arc<ControllerRevision>>,
    ) -> Result<Revisions, Error> {
        all.sort_by_key(|revision| (number(revision), revision.name_any()));
        let mut collisions = set.status.as_ref().and_then(|status| status.collision_count).unwrap_or(0);
        let update = loop {
            match step(set, &all, collisions) {
                Step::None(revision) => break revision,
                Step::Renumber(revision, number) => {
                    let patch = json!({"revision": number});
                    let renumbered = self.context.patch(&Key::of(&*revision), &patch).await?;
                    all.retain(|known| known.metadata.name != revision.metadata.name);
                    all.push(Arc::new(renumbered));
                }
                Step::Create(revision) => match self.context.create(&*revision).await {
                    Ok(made) => all.push(Arc::new(made)),
                    Err(error) if error.is_already_exists() => match self.find_same(set, &revision).await? {
                        Some(same) => all.push(Arc::new(same)),
                        None => collisions += 1,
                    },
                    Err(error) => return Err(error),
                },
            }
        };
        let wanted = set.status.as_ref().and_then(|status| status.current_revision.clone());
        let current = all.iter().find(|revision| revision.metadata.name == wanted).unwrap_or(&update);
        Ok(Revisions { current: named(current), update: named(&update), collisions, all })
    }

    /// The revision of that name, if it is our own of the same content, which the cache does not
    /// show yet.
    async fn find_same(
        &self,
        set: &StatefulSet,
        wanted: &ControllerRevision,
    ) -> Result<Option<ControllerRevision>, Error> {
        let found = self.context.get::<ControllerRevision>(&Key::of(wanted)).await?;
        let uid = set.metadata.uid.as_ref();
        let ours = |found: &ControllerRevision| owner::controller_of(&found.metadata).map(|owner| &owner.uid) == uid;
        Ok(found.filter(|found| ours(found) && found.data.0 == wanted.data.0))
    }
}

/// Revisions that nothing uses, beyond those kept for a rollback.
pub(super) fn surplus(
    revisions: &Revisions,
    limit: Option<i32>,
    used: impl Fn(&str) -> bool,
) -> impl Iterator<Item = &Arc<ControllerRevision>> {
    let live = |name: &str| name == revisions.current.name || name == revisions.update.name || used(name);
    let past: Vec<_> = revisions.all.iter().filter(|revision| !live(&revision.name_any())).collect();
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let surplus = past.len().saturating_sub(limit);
    past.into_iter().take(surplus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(image: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": "db", "namespace": "ns", "uid": "u"},
            "spec": {"selector": {}, "template": {"metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "c", "image": image}]}}},
        }))
        .unwrap()
    }

    fn created(set: &StatefulSet, all: &[Arc<ControllerRevision>]) -> Arc<ControllerRevision> {
        match step(set, all, 0) {
            Step::Create(revision) => Arc::new(*revision),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_template_is_kept_once_and_renumbered_on_rollback() {
        let first = created(&set("v1"), &[]);
        assert!(first.name_any().starts_with("db-"));
        assert_eq!(first.revision, Some(1));
        assert_eq!(template_of(&first), set("v1").spec.template);
        assert!(matches!(step(&set("v1"), std::slice::from_ref(&first), 0), Step::None(_)));
        let second = created(&set("v2"), std::slice::from_ref(&first));
        assert_eq!(second.revision, Some(2));
        let Step::Renumber(back, number) = step(&set("v1"), &[first.clone(), second], 0) else { panic!() };
        assert_eq!((back.name_any(), number), (first.name_any(), 3));
    }

    #[test]
    fn unused_revisions_go_oldest_first() {
        let mut all = Vec::new();
        for version in ["v1", "v2", "v3", "v4", "v5"] {
            all.push(created(&set(version), &all));
        }
        let names: Vec<_> = all.iter().map(|revision| revision.name_any()).collect();
        let (current, update) = (named(&all[3]), named(&all[4]));
        let revisions = Revisions { current, update, all, collisions: 0 };
        let gone: Vec<_> =
            surplus(&revisions, Some(1), |name| name == names[0]).map(|revision| revision.name_any()).collect();
        assert_eq!(gone, [names[1].clone()]);
    }
}
