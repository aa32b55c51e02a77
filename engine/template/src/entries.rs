//! The entries of a map, in the order in which Go prints and ranges over them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};

use crate::text::{Text, head};
use crate::value::Value;

/// Entries up to which they stand in a row; beyond, to insert one would move too many.
const FEW: usize = 256;

/// Entries that are looked at one after the other: lengths and bytes that stand in the row itself are compared quickly.
const GLANCE: usize = 32;

/// Values by their keys, which are in order.
#[derive(Clone)]
pub struct Entries(Store);

/// Nearly all maps are small, are built once and read often: a row is built, searched, copied and dropped faster than a
/// tree, and takes less memory.
#[derive(Clone)]
enum Store {
    Row(Vec<(Text, Value)>),
    Tree(BTreeMap<Text, Value>),
}

impl Entries {
    /// No entries.
    pub const fn new() -> Self {
        Self(Store::Row(Vec::new()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match &self.0 {
            Store::Row(row) => row.len(),
            Store::Tree(tree) => tree.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value under a key.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        match &self.0 {
            Store::Row(row) if row.len() <= GLANCE => {
                let key = Text::probe(key);
                row.iter().find(|(known, _)| key.is(known)).map(|(_, value)| value)
            }
            Store::Row(row) => place(row, key).ok().map(|at| &row[at].1),
            Store::Tree(tree) => tree.get(key),
        }
    }

    /// Whether a key is there.
    pub fn contains_key(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key.
    pub fn insert(&mut self, key: Text, value: Value) {
        match &mut self.0 {
            Store::Row(row) => match place(row, key.as_bytes()) {
                Ok(at) => row[at].1 = value,
                Err(at) if row.len() < FEW => row.insert(at, (key, value)),
                Err(_) => {
                    let mut tree: BTreeMap<_, _> = std::mem::take(row).into_iter().collect();
                    tree.insert(key, value);
                    self.0 = Store::Tree(tree);
                }
            },
            Store::Tree(tree) => {
                tree.insert(key, value);
            }
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) {
        match &mut self.0 {
            Store::Row(row) => {
                if let Ok(at) = place(row, key) {
                    row.remove(at);
                }
            }
            Store::Tree(tree) => {
                tree.remove(key);
            }
        }
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> + Clone {
        match &self.0 {
            Store::Row(row) => Either::Row(row.iter().map(|(key, value)| (key, value))),
            Store::Tree(tree) => Either::Tree(tree.iter()),
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &Value> + Clone {
        self.iter().map(|(_, value)| value)
    }
}

/// Where a key is, or where it would be.
fn place(row: &[(Text, Value)], key: &[u8]) -> Result<usize, usize> {
    // Most keys differ early, where one number decides.
    let wanted = head(key);
    let (mut from, mut to) = (0, row.len());
    while from < to {
        let middle = usize::midpoint(from, to);
        let known = &row[middle].0;
        match known.head().cmp(&wanted).then_with(|| known.as_bytes().cmp(key)) {
            Ordering::Less => from = middle + 1,
            Ordering::Greater => to = middle,
            Ordering::Equal => return Ok(middle),
        }
    }
    Err(from)
}

impl Default for Entries {
    fn default() -> Self {
        Self::new()
    }
}

/// Of several values of one key, the last counts.
impl FromIterator<(Text, Value)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        let mut row: Vec<_> = entries.into_iter().collect();
        if !row.is_sorted_by(|(left, _), (right, _)| left < right) {
            row.sort_by(|(left, _), (right, _)| left.cmp(right));
            // Of two that are equal, the one that is kept stands first.
            row.dedup_by(|later, kept| {
                let is_same = later.0 == kept.0;
                if is_same {
                    std::mem::swap(later, kept);
                }
                is_same
            });
        }
        Self(if row.len() <= FEW { Store::Row(row) } else { Store::Tree(row.into_iter().collect()) })
    }
}

impl<const N: usize> From<[(Text, Value); N]> for Entries {
    fn from(entries: [(Text, Value); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl IntoIterator for Entries {
    type Item = (Text, Value);
    type IntoIter = Either<std::vec::IntoIter<Self::Item>, btree_map::IntoIter<Text, Value>>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0 {
            Store::Row(row) => Either::Row(row.into_iter()),
            Store::Tree(tree) => Either::Tree(tree.into_iter()),
        }
    }
}

/// An iterator over one store or the other.
#[derive(Debug, Clone)]
pub enum Either<R, T> {
    /// Over a row.
    Row(R),
    /// Over a tree.
    Tree(T),
}

impl<I, R: Iterator<Item = I>, T: Iterator<Item = I>> Iterator for Either<R, T> {
    type Item = I;

    fn next(&mut self) -> Option<I> {
        match self {
            Self::Row(row) => row.next(),
            Self::Tree(tree) => tree.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Row(row) => row.size_hint(),
            Self::Tree(tree) => tree.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and trees behave as one map, also where one becomes the other.
    #[test]
    fn behaves_as_a_tree() {
        let (mut entries, mut tree) = (Entries::new(), BTreeMap::new());
        let mut state = 7_u64;
        for round in 0..4000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let key = Text::from(format!(
                "{}{}",
                "a-long-beginning-of-a-key".repeat((state >> 40) as usize % 2),
                (state >> 33) % 500
            ));
            if round % 3 == 0 {
                entries.remove(key.as_bytes());
                tree.remove(&key);
            } else {
                entries.insert(key.clone(), Value::int(round));
                tree.insert(key.clone(), round);
            }
            let found = entries.get(key.as_bytes()).map(|value| value.truth() || round == 0);
            assert_eq!(found.is_some(), tree.contains_key(&key));
            assert_eq!(entries.len(), tree.len());
        }
        assert!(entries.keys().eq(tree.keys()));
        assert!(entries.into_iter().map(|(key, _)| key).eq(tree.into_keys()));
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let pairs = ["b", "a", "b", "c", "a"].into_iter().enumerate();
        let entries: Entries = pairs.map(|(index, key)| (key.into(), Value::count(index))).collect();
        let shown: Vec<_> = entries.iter().map(|(key, value)| format!("{key}{}", crate::print(value))).collect();
        assert_eq!(shown, ["a4", "b2", "c3"]);
    }
}
