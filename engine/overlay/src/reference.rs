//! Names that refer to resources, brought up to date after names have changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kpkg_yaml::node::{Node, Scalar};

use crate::config::Config;
use crate::error::{Error, Result, Within};
use crate::fieldspec::{Create, FieldSpec};
use crate::id::{CLUSTER, Gvk, Id};
use crate::resource::Resource;
use crate::set::ResourceSet;
use crate::tree::{kind_name, set_field, set_scalar};

/// A rule: a field of the referrer, and the kind it names.
#[derive(Clone, Copy)]
struct Rule<'a> {
    spec: &'a FieldSpec,
    target: &'a Gvk,
}

/// Updates all references.
pub(crate) fn update(set: &mut ResourceSet, config: &Config) -> Result<()> {
    let world = World::new(set);
    let mut by_kind: BTreeMap<&str, Vec<(usize, Rule<'_>)>> = BTreeMap::new();
    let references = config.name_references.iter();
    let rules = references
        .flat_map(|reference| reference.referrers.iter().map(|spec| Rule { spec, target: &reference.target }));
    for (at, rule) in rules.enumerate() {
        by_kind.entry(&rule.spec.gvk.kind).or_default().push((at, rule));
    }
    for at in 0..set.len() {
        let resource = set.content_mut(at);
        let original = resource.original_id();
        let rules_of = |kind: &str| by_kind.get(kind).into_iter().flatten().copied();
        let mut rules: Vec<(usize, Rule<'_>)> =
            rules_of(original.kind).chain(rules_of("")).filter(|(_, rule)| rule.spec.gvk.selects(&original)).collect();
        rules.sort_by_key(|(at, _)| *at);
        if !rules.is_empty() {
            let referrer = Referrer::new(&world, at, resource)?;
            for (_, rule) in rules {
                referrer.update(resource, rule)?;
            }
        }
    }
    Ok(())
}

/// What references need to know of a resource; names do not change while references are updated.
struct Candidate {
    kind: String,
    name: String,
    namespace: String,
    effective_namespace: String,
    original_namespace: String,
    group: String,
    version: String,
    /// Former kinds and names.
    formers: Vec<(String, String)>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    id: String,
}

/// All resources, and where each former name is found.
struct World {
    candidates: Vec<Candidate>,
    by_former_name: HashMap<String, Vec<usize>>,
}

impl World {
    fn new(set: &ResourceSet) -> Self {
        let candidates: Vec<Candidate> = set.iter().map(Candidate::new).collect();
        let mut by_former_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, candidate) in candidates.iter().enumerate() {
            for (_, name) in &candidate.formers {
                let places = by_former_name.entry(name.clone()).or_default();
                if places.last() != Some(&at) {
                    places.push(at);
                }
            }
        }
        Self { candidates, by_former_name }
    }
}

impl Candidate {
    fn new(resource: &Resource) -> Self {
        let id = resource.id();
        let memory = &resource.memory;
        Self {
            kind: id.kind.to_owned(),
            name: id.name.to_owned(),
            namespace: id.namespace.to_owned(),
            effective_namespace: id.effective_namespace().to_owned(),
            original_namespace: resource.original_id().effective_namespace().to_owned(),
            group: id.group.to_owned(),
            version: id.version.to_owned(),
            formers: memory.formers.iter().map(|former| (former.kind.clone(), former.name.clone())).collect(),
            prefixes: memory.prefixes.clone(),
            suffixes: memory.suffixes.clone(),
            id: if memory.formers.is_empty() { String::new() } else { id.to_string() },
        }
    }

    fn is_cluster_scoped(&self) -> bool {
        self.effective_namespace == CLUSTER
    }

    fn was_selected_by(&self, gvk: &Gvk) -> bool {
        self.formers.iter().any(|(kind, name)| {
            gvk.selects(&Id { group: &self.group, version: &self.version, kind, name, namespace: "" })
        })
    }

    /// Whether both were given the same prefixes and suffixes, as far as both were given any.
    fn has_affixes_of(&self, other: &Candidate, empty_fits: bool) -> bool {
        let fits = |ours: &[String], theirs: &[String]| {
            empty_fits && (ours.is_empty() || theirs.is_empty()) || same_ending(ours, theirs)
        };
        fits(&self.prefixes, &other.prefixes) && fits(&self.suffixes, &other.suffixes)
    }
}

fn same_ending(left: &[String], right: &[String]) -> bool {
    let shorter = left.len().min(right.len());
    if shorter == 0 {
        return left.len() == right.len();
    }
    left[left.len() - shorter..] == right[right.len() - shorter..]
}

/// A resource whose references are updated.
struct Referrer<'a> {
    world: &'a World,
    this: &'a Candidate,
    /// Namespaces of the service accounts that a role binding names.
    bound_namespaces: BTreeSet<String>,
    role: Option<Gvk>,
}

impl<'a> Referrer<'a> {
    fn new(world: &'a World, at: usize, resource: &Resource) -> Result<Self> {
        let this = &world.candidates[at];
        let bound_namespaces = bound_namespaces(resource)?;
        Ok(Self { world, this, bound_namespaces, role: role_of(&resource.node) })
    }

    fn update(&self, resource: &mut Resource, rule: Rule<'_>) -> Result<()> {
        rule.spec
            .apply_to_any(&mut resource.node, Create::Nothing, &mut |place| self.update_place(place, rule))
            .within(|| format!("updating name reference in '{}' field of '{}'", rule.spec.path, self.this.name))
    }

    fn update_place(&self, place: &mut Node, rule: Rule<'_>) -> Result<()> {
        match place {
            Node::Scalar(scalar) if scalar.is_null() => Ok(()),
            Node::Scalar(_) => self.update_scalar(place, rule),
            Node::Map(_) => self.update_map(place, rule),
            Node::List(items) => items.iter_mut().try_for_each(|item| match item {
                Node::Scalar(_) => self.update_scalar(item, rule),
                Node::Map(_) => self.update_map(item, rule),
                Node::List(_) => Err(Error::rule("node must be either a scalar or a map")),
            }),
        }
    }

    fn update_scalar(&self, place: &mut Node, rule: Rule<'_>) -> Result<()> {
        let same = |left: &Candidate, right: &Candidate| left.name == right.name;
        match self.select(place.text(), None, rule, same)? {
            Some(referral) if referral.name != place.text() => set_scalar(place, Scalar::bare(referral.name.as_str())),
            _ => Ok(()),
        }
    }

    fn update_map(&self, place: &mut Node, rule: Rule<'_>) -> Result<()> {
        let found = kind_name(place);
        let fields = place.as_map_mut().ok_or(Error::Shape { expected: "MappingNode", found })?;
        let name = fields.get("name").ok_or_else(|| Error::rule("path config error; no 'name' field in node"))?;
        let namespace = fields.get("namespace").map(Node::text);
        let same = |left: &Candidate, right: &Candidate| left.name == right.name && left.namespace == right.namespace;
        let Some(referral) = self.select(name.text(), namespace, rule, same)? else { return Ok(()) };
        if referral.name == name.text() && referral.namespace.is_empty() {
            return Ok(());
        }
        set_field(fields, "name", Node::bare(referral.name.as_str()));
        if !referral.namespace.is_empty() {
            set_field(fields, "namespace", Node::bare(referral.namespace.as_str()));
        }
        Ok(())
    }

    /// The one resource that was called so and can be meant.
    fn select(
        &self,
        old_name: &str,
        namespace: Option<&str>,
        rule: Rule<'_>,
        same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Result<Option<&'a Candidate>> {
        let places = self.world.by_former_name.get(old_name).map_or(&[][..], Vec::as_slice);
        let role = self.role.as_ref().filter(|_| rule.spec.path.ends_with("roleRef/name"));
        let mut candidates: Vec<&Candidate> = places
            .iter()
            .map(|at| &self.world.candidates[*at])
            .filter(|candidate| self.can_see(candidate))
            .filter(|candidate| candidate.was_selected_by(rule.target))
            .filter(|candidate| role.is_none_or(|role| candidate.was_selected_by(role)))
            .filter(|candidate| self.is_in_reach(candidate))
            .collect();
        if let Some(namespace) = namespace {
            candidates = self.in_namespace(candidates, namespace);
        }
        for empty_fits in [true, false] {
            if candidates.len() > 1 {
                candidates.retain(|candidate| candidate.has_affixes_of(self.this, empty_fits));
            }
        }
        match candidates.as_slice() {
            [] => Ok(None),
            [first, rest @ ..] if rest.iter().all(|other| same(first, other)) => Ok(Some(first)),
            many => {
                let ids: Vec<&str> = many.iter().map(|candidate| candidate.id.as_str()).collect();
                Err(Error::rule(format!("found multiple possible referrals: {}", ids.join(", "))))
            }
        }
    }

    /// Whether a resource may refer to another at all.
    fn can_see(&self, candidate: &Candidate) -> bool {
        self.this.is_cluster_scoped()
            || candidate.is_cluster_scoped()
            || candidate.effective_namespace == self.this.effective_namespace
            || self.bound_namespaces.contains(&candidate.namespace)
    }

    fn is_in_reach(&self, candidate: &Candidate) -> bool {
        self.this.is_cluster_scoped()
            || candidate.is_cluster_scoped()
            || candidate.kind == "ServiceAccount"
            || candidate.effective_namespace == self.this.effective_namespace
    }

    /// Those that were in a namespace first, or else are in it now.
    fn in_namespace(&self, candidates: Vec<&'a Candidate>, namespace: &str) -> Vec<&'a Candidate> {
        if namespace == CLUSTER {
            return Vec::new();
        }
        let any_original = self
            .world
            .candidates
            .iter()
            .any(|candidate| candidate.original_namespace == namespace && self.can_see(candidate));
        let fits = |candidate: &&Candidate| {
            let of = if any_original { &candidate.original_namespace } else { &candidate.effective_namespace };
            of == namespace
        };
        candidates.into_iter().filter(fits).collect()
    }
}

/// The kind of role that a binding binds.
fn role_of(node: &Node) -> Option<Gvk> {
    let role = node.get("roleRef")?;
    let (group, kind) = (role.get("apiGroup")?.text(), role.get("kind")?.text());
    Some(Gvk { group: group.to_owned(), version: String::new(), kind: kind.to_owned() })
}

fn bound_namespaces(resource: &Resource) -> Result<BTreeSet<String>> {
    let mut namespaces = BTreeSet::new();
    if resource.kind() != "RoleBinding" {
        return Ok(namespaces);
    }
    let Some(subjects) = resource.node.get("subjects").and_then(Node::as_list) else { return Ok(namespaces) };
    for subject in subjects {
        let (Some(namespace), Some(kind)) = (subject.get("namespace"), subject.get("kind")) else { continue };
        if kind.text() == "ServiceAccount" {
            if namespace.is_null() || namespace.as_scalar().is_none() {
                return Err(Error::rule(format!(
                    "Invalid Input: namespace is blank for resource {:?}",
                    resource.id().to_string()
                )));
            }
            namespaces.insert(namespace.text().to_owned());
        }
    }
    Ok(namespaces)
}
