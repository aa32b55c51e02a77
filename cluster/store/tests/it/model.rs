//! Random operations on the embedded store, on its twin and on a model too simple to be wrong.

use std::collections::BTreeMap;

use bytes::Bytes;
use kpkg_store::{Embedded, Error, Memory, Options, Precondition, Range, Store};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Put { key: u8, size: usize, guard: Guard },
    Delete { key: u8, guard: Guard },
    Compact { back: i64 },
    ReadAt { back: i64 },
    Reopen,
}

#[derive(Debug, Clone, Copy)]
enum Guard {
    None,
    Absent,
    Current,
    Stale,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let guard = prop_oneof![
        3 => Just(Guard::None),
        1 => Just(Guard::Absent),
        2 => Just(Guard::Current),
        1 => Just(Guard::Stale),
    ];
    let step = prop_oneof![
        10 => (0..8u8, 0..300usize, guard.clone())
            .prop_map(|(key, size, guard)| Step::Put { key, size, guard }),
        4 => (0..8u8, guard).prop_map(|(key, guard)| Step::Delete { key, guard }),
        1 => (0..10i64).prop_map(|back| Step::Compact { back }),
        3 => (0..15i64).prop_map(|back| Step::ReadAt { back }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..120)
}

/// The whole state at every revision.
#[derive(Default)]
struct Model {
    states: Vec<BTreeMap<Bytes, Item>>,
    compacted: i64,
}

#[derive(Debug, Clone, PartialEq)]
struct Item {
    value: Bytes,
    create_revision: i64,
    mod_revision: i64,
    version: i64,
}

impl Model {
    fn now(&self) -> BTreeMap<Bytes, Item> {
        self.states.last().cloned().unwrap_or_default()
    }

    fn revision(&self) -> i64 {
        self.states.len() as i64
    }

    fn write(&mut self, key: &Bytes, value: Option<Bytes>, precondition: Precondition) -> bool {
        let mut state = self.now();
        let old = state.get(key).cloned();
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Absent => old.is_none(),
            Precondition::ModRevision(at) => old.as_ref().is_some_and(|old| old.mod_revision == at),
        };
        if !holds || (value.is_none() && old.is_none()) {
            return false;
        }
        let revision = self.revision() + 1;
        match value {
            None => drop(state.remove(key)),
            Some(value) => {
                let item = Item {
                    value,
                    create_revision: old.as_ref().map_or(revision, |old| old.create_revision),
                    mod_revision: revision,
                    version: old.map_or(1, |old| old.version + 1),
                };
                state.insert(key.clone(), item);
            }
        }
        self.states.push(state);
        true
    }
}

async fn read(store: &dyn Store, revision: Option<i64>) -> Result<BTreeMap<Bytes, Item>, Error> {
    let page = store.range(Range { revision, ..Range::default() }).await?;
    let items = page.items.into_iter().map(|kv| {
        let item = Item {
            value: kv.value,
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
        };
        (kv.key, item)
    });
    Ok(items.collect())
}

/// Tiny files, so that rotation and snapshots happen all the time.
fn options() -> Options {
    Options { segment_bytes: 700, garbage_bytes: 500, ..Options::default() }
}

async fn run(steps: Vec<Step>) {
    let dir = tempfile::tempdir().unwrap();
    let mut embedded = Embedded::open(dir.path(), options()).unwrap();
    let memory = Memory::default();
    // An empty store is at revision 1.
    let mut model = Model { states: vec![BTreeMap::new()], compacted: 1 };
    for step in steps {
        match step {
            Step::Put { key, size, guard } => {
                let value = Bytes::from(vec![b'x'; size]);
                check_write(&mut model, [&embedded, &memory], key, Some(value), guard).await;
            }
            Step::Delete { key, guard } => {
                check_write(&mut model, [&embedded, &memory], key, None, guard).await;
            }
            Step::Compact { back } => {
                let revision = (model.revision() - back).max(1);
                embedded.compact(revision).await.unwrap();
                memory.compact(revision).await.unwrap();
                model.compacted = model.compacted.max(revision);
            }
            Step::ReadAt { back } => {
                let revision = (model.revision() - back).max(1);
                for store in [&embedded as &dyn Store, &memory] {
                    match read(store, Some(revision)).await {
                        Ok(state) => assert_eq!(state, model.states[revision as usize - 1]),
                        Err(Error::Compacted { .. }) => assert!(revision < model.compacted),
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            Step::Reopen => {
                drop(embedded);
                embedded = Embedded::open(dir.path(), options()).unwrap();
            }
        }
        for store in [&embedded as &dyn Store, &memory] {
            assert_eq!(store.current_revision().await.unwrap(), model.revision());
            assert_eq!(read(store, None).await.unwrap(), model.now());
        }
    }
}

async fn check_write(model: &mut Model, stores: [&dyn Store; 2], key: u8, value: Option<Bytes>, guard: Guard) {
    let key = Bytes::from(format!("key/{key}"));
    let current = model.now().get(&key).map_or(-1, |item| item.mod_revision);
    let precondition = match guard {
        Guard::None => Precondition::None,
        Guard::Absent => Precondition::Absent,
        Guard::Current => Precondition::ModRevision(current),
        Guard::Stale => Precondition::ModRevision(current - 1),
    };
    let expected = model.write(&key, value.clone(), precondition);
    for store in stores {
        let written = match value.clone() {
            Some(value) => store.put(key.clone(), value, precondition).await,
            None => store.delete(key.clone(), precondition).await.map(|(revision, _)| revision),
        };
        match written {
            Ok(revision) => assert!(expected && revision == model.revision()),
            Err(Error::Conflict { .. } | Error::NotFound) => assert!(!expected),
            Err(error) => panic!("{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stores_agree_with_the_model(steps in steps()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(steps));
    }
}
