//! What can be added to a kustomization.

use serde_json::{Map, Value, json};

use super::file::{KustomizationFile, map_in};
use super::pairs::{self, Sources};
use super::{Context, PatchArgs, build_metadata, texts_of};
use crate::error::{Error, Result};

/// Something that is added to a kustomization.
#[derive(Debug, Clone)]
pub enum Addition {
    /// Files or folders of resources.
    Resources {
        /// Patterns or addresses.
        paths: Vec<String>,
        /// Whether they must exist.
        verify: bool,
    },
    /// Components.
    Components(Vec<String>),
    /// Folders, as one argument with commas.
    Bases(Vec<String>),
    /// Files that configure generators.
    Generators(Vec<String>),
    /// Files that configure transformers.
    Transformers(Vec<String>),
    /// Options of `buildMetadata`, as one argument with commas.
    BuildMetadata(Vec<String>),
    /// Labels, `key:value` each.
    Labels {
        /// The labels.
        pairs: Vec<String>,
        /// Whether labels that are there may change.
        force: bool,
        /// Whether selectors are left alone.
        without_selector: bool,
        /// Whether templates get them too.
        include_templates: bool,
    },
    /// Annotations, `key:value` each.
    Annotations {
        /// The annotations.
        pairs: Vec<String>,
        /// Whether annotations that are there may change.
        force: bool,
    },
    /// A generated ConfigMap or Secret.
    Data(Sources),
    /// A patch.
    Patch(PatchArgs),
}

pub(super) fn add(addition: &Addition, context: &mut Context<'_>) -> Result<()> {
    match addition {
        Addition::Resources { paths, verify } => {
            require(paths, "must specify a resource file")?;
            let mut found = Vec::new();
            for path in paths {
                found.extend(if *verify { context.glob_or_remote(path)? } else { vec![path.clone()] });
            }
            add_paths(context, "resources", "resource", found)
        }
        Addition::Components(paths) => {
            require(paths, "must specify a component file")?;
            let mut found = Vec::new();
            for path in paths {
                found.extend(context.glob_or_remote(path)?);
            }
            add_paths(context, "components", "component", found)
        }
        Addition::Generators(paths) => {
            require(paths, "must specify a yaml file which contains a generator plugin resource")?;
            let found = globbed(paths, context)?;
            add_paths(context, "generators", "generator", found)
        }
        Addition::Transformers(paths) => {
            require(paths, "must specify a yaml file which contains a transformer plugin resource")?;
            let found = globbed(paths, context)?;
            add_paths(context, "transformers", "transformer", found)
        }
        Addition::Bases(args) => add_bases(args, context),
        Addition::BuildMetadata(args) => {
            let options = build_metadata(args)?;
            let mut file = context.open()?;
            for option in options {
                if file.has("buildMetadata", &option) {
                    return Err(Error::rule(format!("buildMetadata option {option} already in kustomization file")));
                }
                file.list_mut("buildMetadata").push(option.into());
            }
            file.write()
        }
        Addition::Labels { pairs, force, without_selector, include_templates } => {
            require(pairs, "must specify label")?;
            if *include_templates && !without_selector {
                return Err(Error::rule("--without-selector flag must be specified for --include-templates to work"));
            }
            let texts = texts_of(pairs, "label")?;
            let mut file = context.open()?;
            if *without_selector {
                add_labels(&mut file, &texts, *include_templates, *force)?;
            } else {
                add_texts(file.map_mut("commonLabels"), &texts, "label", *force)?;
            }
            file.write()
        }
        Addition::Annotations { pairs, force } => {
            require(pairs, "must specify annotation")?;
            let texts = texts_of(pairs, "annotation")?;
            let mut file = context.open()?;
            add_texts(file.map_mut("commonAnnotations"), &texts, "annotation", *force)?;
            file.write()
        }
        Addition::Data(sources) => pairs::add(sources, context),
        Addition::Patch(patch) => add_patch(patch, context),
    }
}

pub(super) fn require(args: &[String], problem: &str) -> Result<()> {
    if args.is_empty() { Err(Error::rule(problem)) } else { Ok(()) }
}

fn globbed(patterns: &[String], context: &mut Context<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for pattern in patterns {
        found.extend(context.glob(pattern)?);
    }
    Ok(found)
}

fn add_paths(context: &mut Context<'_>, field: &str, noun: &str, paths: Vec<String>) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut file = context.open()?;
    let may_be_itself = matches!(field, "generators" | "transformers");
    for path in paths {
        if path == file.name() && !may_be_itself {
            continue;
        }
        if file.has(field, &path) {
            context.note(format!("{noun} {path} already in kustomization file"));
            continue;
        }
        file.list_mut(field).push(path.into());
    }
    file.write()
}

fn add_bases(args: &[String], context: &Context<'_>) -> Result<()> {
    let [list] = args else { return Err(Error::rule("must specify a base directory")) };
    let mut file = context.open()?;
    for path in list.split(',') {
        if !context.folder.join(path).exists() {
            return Err(Error::rule(format!("{path} does not exist")));
        }
        if file.has("resources", path) {
            return Err(Error::rule(format!("base {path} already in kustomization file")));
        }
        file.list_mut("resources").push(path.into());
    }
    file.write()
}

fn add_texts(map: &mut Map<String, Value>, texts: &[(String, String)], noun: &str, force: bool) -> Result<()> {
    for (key, value) in texts {
        if map.contains_key(key) && !force {
            return Err(Error::rule(format!("{noun} {key} already in kustomization file. Use --force to override.")));
        }
        map.insert(key.clone(), value.as_str().into());
    }
    Ok(())
}

/// Labels that leave selectors alone join the entry of the same settings, if there is one.
fn add_labels(file: &mut KustomizationFile, texts: &[(String, String)], templates: bool, force: bool) -> Result<()> {
    let is_on = |item: &Value, name: &str| item.get(name).and_then(Value::as_bool).unwrap_or_default();
    let fits = |item: &Value| !is_on(item, "includeSelectors") && is_on(item, "includeTemplates") == templates;
    let list = file.list_mut("labels");
    if !list.iter().any(fits) {
        list.push(if templates { json!({"includeTemplates": true}) } else { json!({}) });
    }
    match list.iter_mut().find(|item| fits(item)).and_then(Value::as_object_mut) {
        Some(entry) => add_texts(map_in(entry, "pairs"), texts, "label", force),
        None => Ok(()),
    }
}

fn add_patch(patch: &PatchArgs, context: &mut Context<'_>) -> Result<()> {
    patch.refuse_both()?;
    if patch.path.is_empty() && patch.patch.is_empty() {
        return Err(Error::rule("must provide either patch or path"));
    }
    let mut file = context.open()?;
    let json = patch.to_json();
    if file.patch_places(&json).next().is_some() {
        let what = if patch.path.is_empty() { &patch.patch } else { &patch.path };
        context.note(format!("patch {what} already in kustomization file"));
        return Ok(());
    }
    file.list_mut("patches").push(json);
    file.write()
}

impl KustomizationFile {
    /// Places of the patches that are the same as one.
    pub(super) fn patch_places(&self, patch: &Value) -> impl Iterator<Item = usize> {
        let same = move |item: &Value| super::lean::lean_patch(item).as_ref() == Some(patch);
        self.list("patches").iter().enumerate().filter(move |(_, item)| same(item)).map(|(at, _)| at)
    }
}
