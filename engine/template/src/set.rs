//! The templates that a running template can call: the chart's, and those that `tpl` defines on top.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::Tree;
use crate::error::Error;
use crate::jinja::{Jinja, is_jinja};
use crate::parallel::in_parallel;
use crate::parse::parse;

/// Parsed templates by name; shared by all threads that render them.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    trees: Arc<BTreeMap<Arc<str>, Arc<Tree>>>,
    jinja: Option<Arc<Jinja>>,
}

impl Templates {
    /// Parses files in order, those named `*.j2` as Jinja; a later definition of a name replaces an earlier one. On failure, says
    /// which file is wrong.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, impl Into<Arc<str>>)>) -> Result<Self, (String, Error)> {
        let files = files.into_iter().map(|(name, text)| (name, text.into()));
        let (jinja, go): (Vec<_>, Vec<(&str, Arc<str>)>) = files.partition(|(name, _)| is_jinja(name));
        // Subcharts bring the same library again and again: a text is parsed once.
        let mut first: BTreeMap<&Arc<str>, &str> = BTreeMap::new();
        for (name, text) in &go {
            first.entry(text).or_insert(name);
        }
        let mut texts: Vec<_> = first.into_iter().collect();
        // Long ones first, so that the processors are done at about the same time.
        texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let parsed = in_parallel(&texts, |(text, _)| text.len(), |(text, name)| parse((*name).into(), (*text).clone()));
        let parsed: BTreeMap<&Arc<str>, _> = texts.iter().map(|(text, _)| *text).zip(parsed).collect();
        let mut trees: BTreeMap<Arc<str>, Arc<Tree>> = BTreeMap::new();
        for (name, text) in &go {
            match &parsed[text] {
                Ok(own) => own.iter().for_each(|tree| add(&mut trees, tree.under(name))),
                // The first file with a wrong text is the one that was parsed.
                Err(error) => return Err(((*name).to_owned(), error.clone())),
            }
        }
        let jinja = if jinja.is_empty() { None } else { Some(Arc::new(Jinja::parse(&jinja)?)) };
        Ok(Self { trees: Arc::new(trees), jinja })
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name) || self.jinja.as_ref().is_some_and(|jinja| jinja.find(name) == Some(name))
    }

    /// The names of all Go templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.trees.keys().map(AsRef::as_ref)
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Tree>> {
        self.trees.get(name).cloned()
    }

    pub(crate) fn jinja(&self) -> Option<&Arc<Jinja>> {
        self.jinja.as_ref()
    }
}

/// A definition of nothing but blanks does not replace another.
fn add(trees: &mut BTreeMap<Arc<str>, Arc<Tree>>, tree: Arc<Tree>) {
    if tree.is_empty() && trees.contains_key(&tree.name) {
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
            if tree.is_empty() && parent.get(&tree.name).is_some() {
                continue;
            }
            add(&mut own, tree.clone());
        }
        Self { base: parent.base.clone(), parent: Some(parent), own: RefCell::new(own) }
    }

    /// Whether it is one of those that `tpl` puts on top.
    pub(crate) fn is_layer(&self) -> bool {
        self.parent.is_some()
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

    /// A template of the charts, whatever stands before it.
    pub(crate) fn base(&self, name: &str) -> Option<Arc<Tree>> {
        self.base.get(name)
    }

    /// The Jinja templates.
    pub(crate) fn jinja(&self) -> Option<&Arc<Jinja>> {
        self.base.jinja()
    }

    /// The Jinja template that a Go template means by a name, and its path.
    pub(crate) fn jinja_of(&self, name: &str) -> Option<(Arc<Jinja>, String)> {
        let jinja = self.base.jinja()?;
        is_jinja(name).then(|| jinja.find(name)).flatten().map(|path| (jinja.clone(), path.to_owned()))
    }
}
