//! What elements all services together ask for, kept up to date piece by piece.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::element::{Backend, Bytes, Element, Frontend, Set, elements};

/// What one service asks for.
pub(crate) type Claims = BTreeMap<Frontend, Arc<Backend>>;

/// The elements of all sets that services fill.
pub(crate) type Elements = BTreeMap<(Set, Bytes), Bytes>;

/// A frontend that has another backend now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) frontend: Frontend,
    pub(crate) before: Option<Arc<Backend>>,
}

/// What has to be done to a table; deletions come first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) delete: Vec<Element>,
    pub(crate) add: Vec<Element>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.add.is_empty()
    }
}

/// An element and how many frontends need it.
#[derive(Debug, Clone, Copy)]
struct Counted {
    data: Bytes,
    users: u32,
}

/// The wanted state. `S` names services.
#[derive(Debug)]
pub(crate) struct Desired<S> {
    pods: ipnet::Ipv4Net,
    by_service: BTreeMap<S, Claims>,
    /// Normally one claim each. Of several, the first in order wins: which one must not depend
    /// on the order of events.
    claims: BTreeMap<Frontend, BTreeMap<S, Arc<Backend>>>,
    elements: BTreeMap<(Set, Bytes), Counted>,
    /// What the kernel has of the elements changed since the last call of `changes`.
    before: BTreeMap<(Set, Bytes), Option<Bytes>>,
}

impl<S: Ord + Clone> Desired<S> {
    pub(crate) fn new(pods: ipnet::Ipv4Net) -> Self {
        Self {
            pods,
            by_service: BTreeMap::new(),
            claims: BTreeMap::new(),
            elements: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }

    /// Replaces what a service asks for; nothing removes it. Gives the frontends whose backend
    /// is another one now, with the one of before.
    pub(crate) fn set(&mut self, service: &S, claims: Claims) -> Vec<Replaced> {
        let old = self.by_service.get(service).cloned().unwrap_or_default();
        let gone = old.keys().filter(|f| !claims.contains_key(f)).map(|&f| (f, None));
        let now = claims.iter().map(|(&f, backend)| (f, Some(Arc::clone(backend))));
        let steps: Vec<_> = gone.chain(now).filter(|(f, new)| old.get(f) != new.as_ref()).collect();
        let mut changed = Vec::new();
        for (frontend, backend) in steps {
            let before = self.backend(frontend).cloned();
            if self.claim(service, frontend, backend) {
                changed.push(Replaced { frontend, before });
            }
        }
        if claims.is_empty() {
            self.by_service.remove(service);
        } else {
            self.by_service.insert(service.clone(), claims);
        }
        changed
    }

    /// Who serves a frontend.
    pub(crate) fn backend(&self, frontend: Frontend) -> Option<&Arc<Backend>> {
        self.claims.get(&frontend)?.values().next()
    }

    /// Everything that should be in the table.
    pub(crate) fn all(&self) -> Elements {
        self.elements.iter().map(|(&key, counted)| (key, counted.data)).collect()
    }

    /// What changed since the last call.
    pub(crate) fn changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for ((set, key), before) in std::mem::take(&mut self.before) {
            let now = self.elements.get(&(set, key)).map(|counted| counted.data);
            push(&mut changes, set, key, before, now);
        }
        changes
    }

    fn claim(&mut self, service: &S, frontend: Frontend, backend: Option<Arc<Backend>>) -> bool {
        let claims = self.claims.entry(frontend).or_default();
        let old = claims.values().next().cloned();
        match backend {
            Some(backend) => claims.insert(service.clone(), backend),
            None => claims.remove(service),
        };
        let new = claims.values().next().cloned();
        if claims.is_empty() {
            self.claims.remove(&frontend);
        }
        if old == new {
            return false;
        }
        let pods = self.pods;
        let is_pod = |address: Ipv4Addr| pods.contains(&address);
        for element in old.iter().flat_map(|backend| elements(frontend, backend, is_pod)) {
            self.drop_one(element);
        }
        for element in new.iter().flat_map(|backend| elements(frontend, backend, is_pod)) {
            self.add_one(element);
        }
        true
    }

    fn add_one(&mut self, Element { set, key, data }: Element) {
        let entry = self.elements.get(&(set, key)).copied();
        self.before.entry((set, key)).or_insert(entry.map(|counted| counted.data));
        let users = entry.map_or(0, |counted| counted.users) + 1;
        self.elements.insert((set, key), Counted { data, users });
    }

    fn drop_one(&mut self, Element { set, key, .. }: Element) {
        let Some(counted) = self.elements.get_mut(&(set, key)) else { return };
        self.before.entry((set, key)).or_insert(Some(counted.data));
        counted.users -= 1;
        if counted.users == 0 {
            self.elements.remove(&(set, key));
        }
    }
}

/// What leads from one state of a table to another.
pub(crate) fn difference(from: &Elements, to: &Elements) -> Changes {
    let mut changes = Changes::default();
    for (&(set, key), &data) in from {
        push(&mut changes, set, key, Some(data), to.get(&(set, key)).copied());
    }
    for (&(set, key), &data) in to {
        if !from.contains_key(&(set, key)) {
            push(&mut changes, set, key, None, Some(data));
        }
    }
    changes
}

fn push(changes: &mut Changes, set: Set, key: Bytes, before: Option<Bytes>, now: Option<Bytes>) {
    if before == now {
        return;
    }
    changes.delete.extend(before.map(|data| Element { set, key, data }));
    changes.add.extend(now.map(|data| Element { set, key, data }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nft::Protocol;

    fn frontend(port: u16) -> Frontend {
        Frontend { address: [10, 43, 0, 7].into(), protocol: Protocol::Tcp, port }
    }

    fn claims(port: u16, endpoints: &[&str]) -> Claims {
        let endpoints = endpoints.iter().map(|e| e.parse().unwrap()).collect();
        Claims::from([(frontend(port), Arc::new(Backend { endpoints, sticky: None }))])
    }

    fn frontends(replaced: Vec<Replaced>) -> Vec<Frontend> {
        replaced.into_iter().map(|one| one.frontend).collect()
    }

    fn desired() -> Desired<&'static str> {
        Desired::new("10.42.0.0/16".parse().unwrap())
    }

    fn count(changes: &Changes) -> (usize, usize) {
        (changes.delete.len(), changes.add.len())
    }

    #[test]
    fn only_the_difference_is_said() {
        let mut state = desired();
        assert_eq!(frontends(state.set(&"a", claims(80, &["10.42.0.2:80"]))), [frontend(80)]);
        // kind, service, endpoint, hairpin
        assert_eq!(count(&state.changes()), (0, 4));
        assert!(state.set(&"a", claims(80, &["10.42.0.2:80"])).is_empty());
        assert!(state.changes().is_empty());
        // Same number of endpoints: the old endpoint and hairpin go, the new ones come.
        state.set(&"a", claims(80, &["10.42.0.3:80"]));
        assert_eq!(count(&state.changes()), (2, 2));
        // A second user of pod and kind adds only its own.
        state.set(&"b", claims(81, &["10.42.0.3:80"]));
        assert_eq!(count(&state.changes()), (0, 2));
        state.set(&"b", Claims::new());
        assert_eq!(count(&state.changes()), (2, 0));
        // There and back again is nothing.
        state.set(&"a", Claims::new());
        state.set(&"a", claims(80, &["10.42.0.3:80"]));
        assert!(state.changes().is_empty());
    }

    #[test]
    fn of_two_claims_the_first_in_order_wins_and_the_other_inherits() {
        let mut state = desired();
        state.set(&"b", claims(80, &["10.42.0.2:80"]));
        state.set(&"a", claims(80, &["10.42.0.3:80"]));
        assert_eq!(state.backend(frontend(80)).unwrap().endpoints[0].to_string(), "10.42.0.3:80");
        assert!(state.set(&"b", claims(80, &["10.42.0.9:80"])).is_empty());
        assert_eq!(frontends(state.set(&"a", Claims::new())), [frontend(80)]);
        assert_eq!(state.backend(frontend(80)).unwrap().endpoints[0].to_string(), "10.42.0.9:80");
    }

    #[test]
    fn differences_repair_a_table() {
        let mut state = desired();
        state.set(&"a", claims(80, &["10.42.0.2:80", "10.42.0.3:80"]));
        let wanted = state.all();
        assert!(difference(&wanted, &wanted).is_empty());
        let mut found = wanted.clone();
        let lost = *found.keys().next().unwrap();
        found.remove(&lost);
        let changes = difference(&found, &wanted);
        assert_eq!(count(&changes), (0, 1));
        assert_eq!(count(&difference(&Elements::new(), &wanted)), (0, wanted.len()));
        assert_eq!(count(&difference(&wanted, &Elements::new())), (wanted.len(), 0));
    }
}
