//! Maps whose keys are in order, as Go prints and ranges over them.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::fmt::{self, Debug, Formatter};
use std::{slice, vec};

/// Entries up to which they stand in a row; beyond, to insert one would move too many.
const FEW: usize = 256;

/// Entries that are looked at one after the other.
const GLANCE: usize = 32;

/// What may be a key.
pub trait Key: Ord {
    /// How it is asked for.
    type Sought: Ord + ?Sized;
    /// The same, made ready to be compared with many keys.
    type Probe<'a>;

    /// Makes ready what is asked for.
    fn probe(sought: &Self::Sought) -> Self::Probe<'_>;
    /// Whether this is the key asked for.
    fn is(&self, probe: &Self::Probe<'_>) -> bool;
    /// Where this stands, seen from the key asked for.
    fn compare(&self, probe: &Self::Probe<'_>) -> Ordering;
}

impl Key for String {
    type Sought = str;
    type Probe<'a> = &'a str;

    fn probe(sought: &str) -> &str {
        sought
    }

    fn is(&self, probe: &&str) -> bool {
        self == probe
    }

    fn compare(&self, probe: &&str) -> Ordering {
        self.as_str().cmp(probe)
    }
}

/// Values by their keys, which are in order.
#[derive(Clone)]
pub struct Entries<K, V>(Store<K, V>);

/// Nearly all maps are small, are built once and read often: a row is built, searched, copied and dropped faster than a
/// tree, and takes less memory. What has grown into a tree stays one.
#[derive(Clone)]
enum Store<K, V> {
    Row(Vec<(K, V)>),
    Tree(BTreeMap<K, V>),
}

impl<K, V> Entries<K, V> {
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

    /// Keys and values.
    pub fn iter(&self) -> Iter<'_, K, V> {
        match &self.0 {
            Store::Row(row) => Either::Row(Pairs(row.iter())),
            Store::Tree(tree) => Either::Tree(tree.iter()),
        }
    }

    /// Keys and values, to change these.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        match &mut self.0 {
            Store::Row(row) => Either::Row(row.iter_mut().map(|(key, value)| (&*key, value))),
            Store::Tree(tree) => Either::Tree(tree.iter_mut()),
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }
}

impl<K: Key + Borrow<K::Sought>, V> Entries<K, V> {
    /// The value under a key.
    pub fn get(&self, key: &K::Sought) -> Option<&V> {
        match &self.0 {
            Store::Row(row) if row.len() <= GLANCE => {
                let probe = K::probe(key);
                row.iter().find(|(known, _)| known.is(&probe)).map(|(_, value)| value)
            }
            Store::Row(row) => place(row, key).ok().map(|at| &row[at].1),
            Store::Tree(tree) => tree.get(key),
        }
    }

    /// The value under a key, to change it.
    pub fn get_mut(&mut self, key: &K::Sought) -> Option<&mut V> {
        match &mut self.0 {
            Store::Row(row) => place(row, key).ok().map(|at| &mut row[at].1),
            Store::Tree(tree) => tree.get_mut(key),
        }
    }

    /// Whether a key is there.
    pub fn contains_key(&self, key: &K::Sought) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key, and gives back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match &mut self.0 {
            Store::Row(row) => match place(row, key.borrow()) {
                Ok(at) => Some(std::mem::replace(&mut row[at].1, value)),
                Err(at) if row.len() < FEW => {
                    row.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    let mut tree: BTreeMap<_, _> = std::mem::take(row).into_iter().collect();
                    tree.insert(key, value);
                    self.0 = Store::Tree(tree);
                    None
                }
            },
            Store::Tree(tree) => tree.insert(key, value),
        }
    }

    /// Removes a key, and gives back what was there.
    pub fn remove(&mut self, key: &K::Sought) -> Option<V> {
        match &mut self.0 {
            Store::Row(row) => place(row, key).ok().map(|at| row.remove(at).1),
            Store::Tree(tree) => tree.remove(key),
        }
    }
}

/// Where a key is, or where it would be.
fn place<K: Key, V>(row: &[(K, V)], key: &K::Sought) -> Result<usize, usize> {
    let probe = K::probe(key);
    row.binary_search_by(|(known, _)| known.compare(&probe))
}

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Entries<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl<K: Debug, V: Debug> Debug for Entries<K, V> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Of several values of one key, the last counts.
impl<K: Ord, V> FromIterator<(K, V)> for Entries<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        entries.into_iter().collect::<Vec<_>>().into()
    }
}

/// Of several values of one key, the last counts.
impl<K: Ord, V> From<Vec<(K, V)>> for Entries<K, V> {
    fn from(mut row: Vec<(K, V)>) -> Self {
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

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Entries<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Key + Borrow<K::Sought>, V> Extend<(K, V)> for Entries<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<K, V> IntoIterator for Entries<K, V> {
    type Item = (K, V);
    type IntoIter = Either<vec::IntoIter<(K, V)>, btree_map::IntoIter<K, V>>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0 {
            Store::Row(row) => Either::Row(row.into_iter()),
            Store::Tree(tree) => Either::Tree(tree.into_iter()),
        }
    }
}

impl<'a, K, V> IntoIterator for &'a Entries<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Keys and values.
type Iter<'a, K, V> = Either<Pairs<'a, K, V>, btree_map::Iter<'a, K, V>>;

/// Keys and values of a row.
#[derive(Debug)]
pub struct Pairs<'a, K, V>(slice::Iter<'a, (K, V)>);

impl<K, V> Clone for Pairs<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, K, V> Iterator for Pairs<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
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
            let key =
                "a-long-beginning-of-a-key".repeat((state >> 40) as usize % 2) + &((state >> 33) % 500).to_string();
            if round % 3 == 0 {
                assert_eq!(entries.remove(key.as_str()), tree.remove(&key));
            } else {
                assert_eq!(entries.insert(key.clone(), round), tree.insert(key.clone(), round));
            }
            assert_eq!(entries.get(key.as_str()), tree.get(&key));
            assert_eq!(entries.len(), tree.len());
        }
        assert!(entries.iter().eq(tree.iter()));
        assert!(entries.into_iter().eq(tree));
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        let pairs = ["b", "a", "b", "c", "a"].into_iter().zip(0..);
        let entries: Entries<String, i32> = pairs.map(|(key, index)| (key.to_owned(), index)).collect();
        assert_eq!(format!("{entries:?}"), r#"{"a": 4, "b": 2, "c": 3}"#);
    }
}
