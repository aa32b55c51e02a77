//! Which file, patch, generator or transformer made a field.

use kpkg_yaml::node::{Node, node_text};

use crate::resource::Resource;
use crate::set::ResourceSet;

/// A field whose making is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The object's kind.
    pub kind: String,
    /// The object's name, at the end or at any time before.
    pub name: String,
    /// Keys; elements of lists by number, by name, or `key=value`. None: the whole object.
    pub path: Vec<String>,
}

/// How a field came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The field's place among those asked for.
    pub field: usize,
    /// The object as it is called at the end.
    pub object: String,
    /// Every value it had, the first one first.
    pub steps: Vec<Step>,
}

/// A value that a field had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What gave it that value.
    pub by: String,
    /// The line of the file, if the value comes right from one.
    pub line: Option<u32>,
    /// The value; none: it was taken away.
    pub value: Option<String>,
}

/// What is remembered of a traced field.
#[derive(Debug, Clone)]
pub(crate) struct Chapter {
    field: usize,
    step: Step,
}

/// Notes what the fields have become.
pub(crate) fn observe(fields: &[Field], set: &mut ResourceSet, by: &dyn Fn() -> String) {
    for at in 0..set.len() {
        let resource = set.content_mut(at);
        let kind = resource.kind().to_owned();
        for (field, wanted) in fields.iter().enumerate().filter(|(_, wanted)| wanted.kind == kind) {
            let found = follow(&resource.node, &wanted.path);
            let value = found.map(text);
            let before = resource.memory.story.iter().rev().find(|chapter| chapter.field == field);
            if before.map_or(value.is_none(), |chapter| chapter.step.value == value) {
                continue;
            }
            let line = found.and_then(Node::line).filter(|_| before.is_none());
            resource.memory.story.push(Chapter { field, step: Step { by: by(), line, value } });
        }
    }
}

/// The stories of the fields, object by object.
pub(crate) fn stories(fields: &[Field], resources: &[Resource]) -> Vec<Story> {
    let mut stories = Vec::new();
    for (field, wanted) in fields.iter().enumerate() {
        let is_meant = |resource: &&Resource| {
            resource.kind() == wanted.kind
                && (resource.name() == wanted.name
                    || resource.memory.formers.iter().any(|former| former.name == wanted.name))
        };
        for resource in resources.iter().filter(is_meant) {
            let chapters = resource.memory.story.iter().filter(|chapter| chapter.field == field);
            let steps = chapters.map(|chapter| chapter.step.clone()).collect();
            let object = format!("{}/{}", resource.kind(), resource.name());
            stories.push(Story { field, object, steps });
        }
    }
    stories
}

/// A value on one line, or as the text that is written of it.
fn text(node: &Node) -> String {
    match node {
        Node::Scalar(scalar) => scalar.text.clone(),
        other => node_text(other).map_or_else(|error| error.to_string(), |text| text.trim_end().to_owned()),
    }
}

fn follow<'a>(node: &'a Node, path: &[String]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, part| match node {
        Node::Map(fields) => fields.get(part),
        Node::List(items) => {
            let (key, value) = part.split_once('=').unwrap_or(("name", part));
            let named = || items.iter().find(|item| item.get(key).is_some_and(|found| found.text() == value));
            part.parse::<usize>().ok().and_then(|at| items.get(at)).or_else(named)
        }
        Node::Scalar(_) => None,
    })
}
