//! Sets of fields, as the trees that `fieldsV1` holds.

use super::Element;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, btree_map::Entry};

/// Which fields of an object are meant. A field and what is below it are separate members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeMap<Element, Branch>);

/// What a set has at and below one element. Never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Branch {
    /// Whether the element itself is in the set.
    member: bool,
    below: FieldSet,
}

/// The path of one field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<Element>);

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|element| write!(f, "{element}"))
    }
}

impl Branch {
    fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl FieldSet {
    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A set of the fields of these names, one path each: `["metadata", "name"]`.
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            set.insert(&path.iter().map(|name| Element::field(name)).collect::<Vec<_>>());
        }
        set
    }

    /// Adds the field at a path. The whole object is no field.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut set = self;
        for parent in parents {
            set = set.below_mut(parent);
        }
        set.insert_here(last.clone());
    }

    /// Adds a field of this level.
    pub(super) fn insert_here(&mut self, element: Element) {
        self.0.entry(element).or_default().member = true;
    }

    /// Adds a whole set below an element.
    pub(super) fn insert_below(&mut self, element: Element, below: Self) {
        if !below.is_empty() {
            let branch = self.0.entry(element).or_default();
            branch.below = branch.below.union(&below);
        }
    }

    /// Adds a field of this level with all that is below it, in place of what was there.
    pub(super) fn insert_branch(&mut self, element: Element, below: Self) {
        self.0.insert(element, Branch { member: true, below });
    }

    /// Adds the field at a path with all that is below it.
    pub(super) fn insert_tree(&mut self, path: &[Element], below: Self) {
        let Some((last, parents)) = path.split_last() else {
            self.absorb(below);
            return;
        };
        let mut set = self;
        for parent in parents {
            set = set.below_mut(parent);
        }
        set.insert_branch(last.clone(), below);
    }

    fn below_mut(&mut self, element: &Element) -> &mut Self {
        if !self.0.contains_key(element) {
            self.0.insert(element.clone(), Branch::default());
        }
        &mut self.0.get_mut(element).expect("just inserted").below
    }

    /// Whether the element itself is in the set.
    pub(super) fn has_here(&self, element: &Element) -> bool {
        self.0.get(element).is_some_and(|branch| branch.member)
    }

    /// What the set has below an element, if anything.
    pub(super) fn below(&self, element: &Element) -> Option<&Self> {
        self.0.get(element).map(|branch| &branch.below).filter(|below| !below.is_empty())
    }

    /// Whether the field at a path is in the set.
    pub fn has(&self, path: &FieldPath) -> bool {
        let Some((last, parents)) = path.0.split_last() else { return false };
        let level = parents.iter().try_fold(self, |set, element| set.below(element));
        level.is_some_and(|set| set.has_here(last))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        for (element, theirs) in &other.0 {
            match out.0.get_mut(element) {
                Some(ours) => {
                    ours.member |= theirs.member;
                    ours.below = ours.below.union(&theirs.below);
                }
                None => {
                    out.0.insert(element.clone(), theirs.clone());
                }
            }
        }
        out
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combined(|element, branch| {
            let theirs = other.0.get(element)?;
            Some(Branch { member: branch.member && theirs.member, below: branch.below.intersection(&theirs.below) })
        })
    }

    /// What is in this one only. A field is not what is below it.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combined(|element, branch| {
            let Some(theirs) = other.0.get(element) else { return Some(branch.clone()) };
            Some(Branch { member: branch.member && !theirs.member, below: branch.below.difference(&theirs.below) })
        })
    }

    /// Takes out what is in the other. A field is not what is below it.
    pub(super) fn subtract(&mut self, other: &Self) {
        if self.is_empty() {
            return;
        }
        for (element, theirs) in &other.0 {
            let Some(ours) = self.0.get_mut(element) else { continue };
            ours.member &= !theirs.member;
            ours.below.subtract(&theirs.below);
            if ours.is_empty() {
                self.0.remove(element);
            }
        }
    }

    /// Adds what is in the other.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for (element, theirs) in other.0 {
            match self.0.entry(element) {
                Entry::Vacant(place) => {
                    place.insert(theirs);
                }
                Entry::Occupied(mut ours) => {
                    let ours = ours.get_mut();
                    ours.member |= theirs.member;
                    ours.below.absorb(theirs.below);
                }
            }
        }
    }

    /// Takes out a field of this level and all below it.
    pub(super) fn remove_whole(&mut self, name: &str) {
        self.0.retain(|element, _| !matches!(element, Element::Field(own) if own == name));
    }

    /// Leaves only some fields of this level, and what is below them.
    pub(super) fn retain_whole(&mut self, names: &[&str]) {
        self.0.retain(|element, _| matches!(element, Element::Field(own) if names.contains(&own.as_str())));
    }

    /// What is below a field of this level.
    pub(super) fn at_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.0.get_mut(&Element::field(name)).map(|branch| &mut branch.below)
    }

    fn combined(&self, make: impl Fn(&Element, &Branch) -> Option<Branch>) -> Self {
        let made = self.0.iter().filter_map(|(element, branch)| Some((element.clone(), make(element, branch)?)));
        Self(made.filter(|(_, branch)| !branch.is_empty()).collect())
    }

    /// The same set with every element changed that `rule` names a member: it is told the element and what is below.
    pub(super) fn with_members(&self, rule: &mut dyn FnMut(&Element, &Self) -> (bool, Self)) -> Self {
        let made = self.0.iter().map(|(element, branch)| {
            let (member, below) = rule(element, &branch.below);
            let member = branch.member || (member && !branch.below.is_empty());
            (element.clone(), Branch { member, below })
        });
        Self(made.collect())
    }

    /// All paths: at each level first the members, then what is below.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut found = Vec::new();
        self.collect(&mut Vec::new(), &mut found);
        found
    }

    fn collect(&self, prefix: &mut Vec<Element>, found: &mut Vec<FieldPath>) {
        for (element, _) in self.0.iter().filter(|(_, branch)| branch.member) {
            let path = prefix.iter().chain([element]).cloned().collect();
            found.push(FieldPath(path));
        }
        for (element, branch) in &self.0 {
            prefix.push(element.clone());
            branch.below.collect(prefix, found);
            prefix.pop();
        }
    }

    /// Reads `fieldsV1`. Elements of kinds that are not known are left out; none if it is no object.
    pub fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let mut set = Self::default();
        for (key, value) in map.iter().filter(|(key, _)| *key != ".") {
            let Some(element) = Element::parse(key) else { continue };
            let below = Self::from_json(value)?;
            let member = below.is_empty() || value.get(".").is_some();
            set.0.insert(element, Branch { member, below });
        }
        Some(set)
    }

    /// Writes `fieldsV1`.
    pub fn to_json(&self) -> Value {
        Value::Object(self.to_map())
    }

    fn to_map(&self) -> Map<String, Value> {
        let entry = |(element, branch): (&Element, &Branch)| {
            let mut below = branch.below.to_map();
            if branch.member && !below.is_empty() {
                below.insert(".".to_owned(), Value::Object(Map::new()));
            }
            (element.wire(), Value::Object(below))
        };
        self.0.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(value: &Value) -> FieldSet {
        FieldSet::from_json(value).expect("a set")
    }

    #[test]
    fn the_wire_format_is_kept() {
        let wire = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}, "f:replicas": {}}});
        assert_eq!(set(&wire).to_json(), wire);
        let paths: Vec<String> = set(&wire).paths().iter().map(ToString::to_string).collect();
        assert_eq!(
            paths,
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.replicas",
                ".spec.containers[name=\"web\"]",
                ".spec.containers[name=\"web\"].image",
            ]
        );
    }

    #[test]
    fn set_operations_know_fields_from_what_is_below() {
        let a = set(&json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}}));
        let b = set(&json!({"f:a": {"f:b": {}}, "f:d": {}}));
        let parent = set(&json!({"f:a": {}}));
        assert_eq!(a.union(&b).to_json(), json!({"f:a": {".": {}, "f:b": {}, "f:c": {}}, "f:d": {}}));
        assert_eq!(a.intersection(&b).to_json(), json!({"f:a": {"f:b": {}}}));
        assert_eq!(a.difference(&b).to_json(), json!({"f:a": {".": {}, "f:c": {}}}));
        assert_eq!(a.difference(&parent).to_json(), json!({"f:a": {"f:b": {}, "f:c": {}}}));
        let mut left = a.clone();
        left.subtract(&b);
        assert_eq!(left, a.difference(&b));
        let mut both = a.clone();
        both.absorb(b.clone());
        assert_eq!(both, a.union(&b));
        left.remove_whole("a");
        assert_eq!(left, FieldSet::default());
        assert!(a.has(&FieldPath(vec![Element::field("a"), Element::field("c")])));
    }
}
