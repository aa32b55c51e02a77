//! The templates that a running template can call: the chart's, and those that `tpl` defines on top.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{Tree, is_empty};
use crate::error::Error;
use crate::parse::parse;

/// Parsed templates by name; shared by all threads that render them.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    trees: Arc<BTreeMap<Arc<str>, Arc<Tree>>>,
}

impl Templates {
    /// Parses files in order; a later definition of a name replaces an earlier one. On failure, says
    /// which file is wrong.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, (String, Error)> {
        let mut trees: BTreeMap<Arc<str>, Arc<Tree>> = BTreeMap::new();
        for (name, text) in files {
            let parsed = parse(name.into(), text.into()).map_err(|error| (name.to_owned(), error))?;
            for tree in parsed {
                add(&mut trees, tree);
            }
        }
        Ok(Self { trees: Arc::new(trees) })
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name)
    }

    /// The names of all templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.trees.keys().map(AsRef::as_ref)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Tree>> {
        self.trees.get(name).cloned()
    }
}

/// A definition of nothing but blanks does not replace another.
fn add(trees: &mut BTreeMap<Arc<str>, Arc<Tree>>, tree: Arc<Tree>) {
    if is_empty(&tree.root) && trees.contains_key(&tree.name) {
        return;
    }
    trees.insert(tree.name.clone(), tree);
}

/// What is in scope: a layer of definitions over others.
#[derive(Debug)]
pub(crate) struct Set {
    base: Templates,
    parent: Option<Rc<Set>>,
    own: RefCell<BTreeMap<Arc<str>, Arc<Tree>>>,
}

impl Set {
    pub(crate) fn new(base: Templates) -> Self {
        Self { base, parent: None, own: RefCell::default() }
    }

    /// A layer on top, for the text of a `tpl`.
    pub(crate) fn layer(parent: Rc<Set>, trees: &[Arc<Tree>]) -> Self {
        let mut own = BTreeMap::new();
        for tree in trees {
            if is_empty(&tree.root) && parent.get(&tree.name).is_some() {
                continue;
            }
            add(&mut own, tree.clone());
        }
        Self { base: parent.base.clone(), parent: Some(parent), own: RefCell::new(own) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Tree>> {
        if let Some(tree) = self.own.borrow().get(name) {
            return Some(tree.clone());
        }
        match &self.parent {
            Some(parent) => parent.get(name),
            None => self.base.get(name),
        }
    }
}
