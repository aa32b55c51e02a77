//! The templates that a running template can call: the chart's, and those that `tpl` defines on top.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{Source, Tree};
use crate::error::Error;
use crate::jinja::{Jinja, is_jinja};
use crate::parse::{Roots, parse_all};

/// Parsed templates by name; shared by all threads that render them.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    trees: Arc<BTreeMap<Arc<str>, Arc<Tree>>>,
    jinja: Option<Arc<Jinja>>,
}

impl Templates {
    /// Parses files in order, those named `*.j2` as Jinja; a later definition of a name replaces an earlier one. On failure, says
    /// which file is wrong.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, impl Into<Arc<String>>)>,
    ) -> Result<Self, (String, Error)> {
        let files = files.into_iter().map(|(name, text)| (name, text.into()));
        let (jinja, go): (Vec<_>, Vec<(&str, Arc<String>)>) = files.partition(|(name, _)| is_jinja(name));
        let trees = parse_go(&go)?;
        let jinja = if jinja.is_empty() { None } else { Some(Arc::new(Jinja::parse(&jinja)?)) };
        Ok(Self { trees: Arc::new(trees), jinja })
    }

    /// Whether there is a template of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.trees.contains_key(name) || self.jinja.as_ref().is_some_and(|jinja| jinja.find(name) == Some(name))
    }

    /// Whether some are Jinja.
    pub fn has_jinja(&self) -> bool {
        self.jinja.is_some()
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

/// The templates of files, by name.
fn parse_go(files: &[(&str, Arc<String>)]) -> Result<BTreeMap<Arc<str>, Arc<Tree>>, (String, Error)> {
    // Subcharts bring the same library again and again: a text is parsed once. Few texts have the same length.
    let mut known: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut texts: Vec<(&str, &str)> = Vec::new();
    let mut text_of = Vec::with_capacity(files.len());
    for (name, text) in files {
        let index = *known.entry((text.len(), text)).or_insert(texts.len());
        if index == texts.len() {
            texts.push((name, text));
        }
        text_of.push(index);
    }
    let (code, parsed) = parse_all(&texts);
    if let Some(Err(error)) = parsed.last() {
        return Err((texts[parsed.len() - 1].0.to_owned(), error.clone()));
    }
    let code = Arc::new(code);
    let roots: Vec<Roots<'_>> = parsed.into_iter().filter_map(Result::ok).collect();
    // From the last file to the first, so that what is replaced need not be made.
    let mut trees: BTreeMap<&str, Arc<Tree>> = BTreeMap::new();
    for ((file, text), index) in files.iter().zip(&text_of).rev() {
        let mut source = None;
        for (name, root) in &roots[*index] {
            // A file's own template bears the file's name, not that of the first file with this text.
            let name = if *name == texts[*index].0 { file } else { &**name };
            let entry = trees.entry(name);
            // A definition of nothing but blanks does not replace another.
            if matches!(&entry, Entry::Occupied(later) if !later.get().is_empty()) {
                continue;
            }
            let source = source.get_or_insert_with(|| Arc::new(Source { name: (*file).into(), text: text.clone() }));
            let name: Arc<str> = if name == *file { source.name.clone() } else { name.into() };
            let tree = Arc::new(Tree { name, source: source.clone(), code: code.clone(), root: *root });
            match entry {
                Entry::Occupied(mut later) => {
                    later.insert(tree);
                }
                Entry::Vacant(vacant) => {
                    vacant.insert(tree);
                }
            }
        }
    }
    Ok(trees.into_values().map(|tree| (tree.name.clone(), tree)).collect())
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
            if !tree.is_empty() || parent.get(&tree.name).is_none() {
                own.insert(tree.name.clone(), tree.clone());
            }
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
