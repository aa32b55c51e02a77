//! Functions: programs that make or change resources, behind a door of their own.
//!
//! An object with the annotation `config.kubernetes.io/function` configures one; only its `exec` form is known. The
//! program gets a `ResourceList` on its standard input and writes one. What is remembered of resources goes along as
//! annotations, so that a function may rename them and references still follow.

use std::path::Path;
use std::rc::Rc;

use kpkg_yaml::node::{Node, Scalar, node_text};

use crate::documents::read_resources;
use crate::error::{Error, Result};
use crate::resource::Resource;

/// Runs programs for kustomizations that configure them.
pub trait Functions {
    /// Runs a program in the kustomization's folder; what it writes is a `ResourceList`.
    fn run(&self, program: &str, folder: &Path, input: &str) -> Result<String>;
}

/// The program that an object names.
pub(crate) fn program(config: &Resource) -> Option<String> {
    let text =
        ["config.kubernetes.io/function", "config.k8s.io/function"].iter().find_map(|key| config.annotation(key))?;
    let read = kpkg_yaml::read(text).ok()?;
    read.at("exec.path")?.as_str().map(str::to_owned)
}

/// Sends resources through a function.
pub(crate) fn run(
    functions: &dyn Functions,
    program: &str,
    config: &Resource,
    folder: &Path,
    resources: &[Resource],
) -> Result<Vec<Resource>> {
    let mut items = Vec::with_capacity(resources.len());
    for resource in resources {
        let mut resource = resource.clone();
        resource.annotate_memory()?;
        items.push(resource.node);
    }
    let list = [
        ("apiVersion", Node::string("config.kubernetes.io/v1")),
        ("kind", Node::string("ResourceList")),
        ("items", Node::List(items)),
        ("functionConfig", config.node.clone()),
    ];
    let list = Node::Map(list.into_iter().map(|(key, value)| (Scalar::bare(key), value)).collect());
    let input = node_text(&list).map_err(|source| Error::Yaml { place: format!("the input of {program}"), source })?;
    let output = functions.run(program, folder, &input)?;
    let mut made = read_resources(&output, &format!("the output of {program}"))?;
    // Where resources come from, and variables, do not fit in annotations.
    for resource in &mut made {
        let same =
            |old: &&Resource| old.id().same(&resource.id()) || resource.former_ids().any(|id| old.id().same(&id));
        if let Some(old) = resources.iter().find(same) {
            resource.memory.origin.clone_from(&old.memory.origin);
            resource.memory.transformations.clone_from(&old.memory.transformations);
            resource.memory.vars.clone_from(&old.memory.vars);
            resource.memory.from_chart = old.memory.from_chart;
            resource.memory.source = Rc::clone(&old.memory.source);
            resource.memory.story.clone_from(&old.memory.story);
        }
    }
    Ok(made)
}
