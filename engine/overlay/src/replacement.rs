//! Values copied from a field of one resource into fields of others.

mod comments;
mod place;

use kpkg_yaml::Style;
use kpkg_yaml::node::{Node, Scalar};

use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::id::Id;
use crate::kustomization::{FieldOptions, REPLACEMENT, Replacement, Source, Strictness, Target, conform};
use crate::remote::Remote;
use crate::resource::Resource;
use crate::selector::Matcher;
use crate::set::ResourceSet;
use crate::tree::{lookup, split_dotted};

use place::{Making, for_each_place};

/// The field that is meant where none is named.
const DEFAULT_PATH: &str = "metadata.name";

/// Carries replacements out, one after the other.
#[derive(Debug)]
pub(crate) struct ReplacementTransformer {
    replacements: Vec<Replacement>,
}

impl ReplacementTransformer {
    /// Replacements from a kustomization and from the files that it names.
    pub(crate) fn read(list: &[Replacement], folder: &Folder, remote: Option<&dyn Remote>) -> Result<Self> {
        let mut replacements = Vec::new();
        for replacement in list {
            let is_inline = replacement.source.is_some() || replacement.targets.as_ref().is_some_and(|t| !t.is_empty());
            match (replacement.path.as_str(), is_inline) {
                ("", _) => replacements.push(replacement.clone()),
                (_, true) => return Err(Error::rule("cannot specify both path and inline replacement")),
                (path, false) => replacements.extend(read_file(path, &folder.read_text(path, remote)?)?),
            }
        }
        Ok(Self { replacements })
    }

    pub(crate) fn apply(&self, set: &mut ResourceSet) -> Result<()> {
        for replacement in &self.replacements {
            let (Some(targets), true) =
                (&replacement.targets, replacement.source.is_some() || replacement.source_value.is_some())
            else {
                return Err(Error::rule("replacements must specify a source and at least one target"));
            };
            let value = source_value(set, replacement)?;
            for target in targets {
                apply_to(set, &value, target)?;
            }
        }
        Ok(())
    }
}

fn read_file(path: &str, text: &str) -> Result<Vec<Replacement>> {
    let yaml = kpkg_yaml::read(text).map_err(|source| Error::Yaml { place: path.to_owned(), source })?;
    let json = yaml.to_json();
    let list = match json {
        serde_json::Value::Array(items) => items,
        serde_json::Value::Object(_) => vec![json],
        _ => return Err(Error::invalid(path, "unsupported replacement type encountered within replacement path")),
    };
    let read = |item: &serde_json::Value| {
        let item = conform(item, &REPLACEMENT, Strictness::None).map_err(|problem| Error::invalid(path, problem))?;
        serde_json::from_value(item).map_err(|error| Error::invalid(path, error.to_string()))
    };
    list.iter().map(read).collect()
}

fn source_value(set: &ResourceSet, replacement: &Replacement) -> Result<Node> {
    match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => Err(Error::rule("value and resource selectors are mutually exclusive")),
        (None, value) => Ok(Node::bare(value.clone().unwrap_or_default())),
        (Some(source), None) => {
            let resource = select_source(set, source)?;
            let path = if source.field_path.is_empty() { DEFAULT_PATH } else { &source.field_path };
            let found = lookup(&resource.node, &split_dotted(path))
                .within(|| "error looking up replacement source".to_owned())?;
            let missing =
                || Error::rule(format!("fieldPath `{path}` is missing for replacement source {}", describe(source)));
            let found = found.filter(|node| !node.is_empty()).ok_or_else(missing)?;
            refined(found, source.options.as_ref())
        }
    }
}

fn describe(source: &Source) -> String {
    let gvk = source.gvk();
    let id = Id {
        group: &gvk.group,
        version: &gvk.version,
        kind: &gvk.kind,
        name: &source.name,
        namespace: &source.namespace,
    };
    id.to_string()
}

fn select_source<'a>(set: &'a ResourceSet, source: &Source) -> Result<&'a Resource> {
    let gvk = source.gvk();
    // The selector's own namespace counts as `default` if it is empty, but then it is not looked at.
    let wanted = Id { group: "", version: "", kind: "", name: "", namespace: &source.namespace };
    let is_meant = |id: &Id<'_>| {
        (source.name.is_empty() || source.name == id.name)
            && (source.namespace.is_empty() || wanted.effective_namespace() == written_namespace(id))
            && gvk.selects(id)
    };
    let mut matches =
        set.iter().filter(|resource| is_meant(&resource.id()) || resource.former_ids().any(|id| is_meant(&id)));
    let first = matches.next().ok_or_else(|| Error::rule(format!("nothing selected by {}", describe(source))))?;
    match matches.next() {
        None => Ok(first),
        Some(_) => Err(Error::rule(format!("multiple matches for selector {}", describe(source)))),
    }
}

/// The namespace an identity counts as being in, whether or not its kind has namespaces.
fn written_namespace<'a>(id: &Id<'a>) -> &'a str {
    if id.namespace.is_empty() { "default" } else { id.namespace }
}

/// The part of a value that is asked for.
fn refined(node: &Node, options: Option<&FieldOptions>) -> Result<Node> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else { return Ok(node.clone()) };
    let Node::Scalar(scalar) = node else {
        return Err(Error::rule("delimiter option can only be used with scalar nodes"));
    };
    let part = usize::try_from(options.index).ok().and_then(|at| scalar.text.split(&options.delimiter).nth(at));
    let part = part.ok_or_else(|| {
        Error::rule(format!("options.index {} is out of bounds for value {}", options.index, scalar.text))
    })?;
    Ok(Node::Scalar(Scalar { text: part.to_owned(), ..scalar.clone() }))
}

fn apply_to(set: &mut ResourceSet, value: &Node, target: &Target) -> Result<()> {
    let select = target.select.as_ref().ok_or_else(|| Error::rule("target must specify resources to select"))?;
    let select = Matcher::new(select).within(|| "error creating target selector".to_owned())?;
    let rejects = target.reject.iter().map(Matcher::new).collect::<Result<Vec<_>>>()?;
    let selected = {
        let mut selected = Vec::new();
        for (at, resource) in set.iter().enumerate() {
            if is_selected(resource, &select, &rejects, &target.reject)? {
                selected.push(at);
            }
        }
        selected
    };
    if selected.is_empty() {
        return Ok(());
    }
    let list = set.list_mut();
    for at in selected {
        copy_into(&mut list[at].node, value, target)?;
    }
    Ok(())
}

fn is_selected(
    resource: &Resource,
    select: &Matcher<'_>,
    rejects: &[Matcher<'_>],
    reject_selectors: &[crate::kustomization::Selector],
) -> Result<bool> {
    let ids: Vec<Id<'_>> = [resource.id()].into_iter().chain(resource.former_ids()).collect();
    if !ids.iter().any(|id| select.matches_id(id)) || !select.matches_texts(resource)? {
        return Ok(false);
    }
    for (matcher, selector) in rejects.iter().zip(reject_selectors) {
        let has_texts = !selector.label_selector.is_empty() || !selector.annotation_selector.is_empty();
        if has_texts && matcher.matches_texts(resource)? {
            return Ok(false);
        }
        if !matcher.is_anonymous() && ids.iter().any(|id| matcher.matches_id(id)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_into(node: &mut Node, value: &Node, target: &Target) -> Result<()> {
    let default = [DEFAULT_PATH.to_owned()];
    let paths: &[String] = if target.field_paths.is_empty() { &default } else { &target.field_paths };
    for path in paths {
        let create = target.options.as_ref().is_some_and(|options| options.create);
        let making = match (create, value) {
            (false, _) => Making::Nothing,
            (true, Node::Scalar(_)) => Making::Scalar,
            (true, Node::List(_)) => Making::List,
            (true, Node::Map(_)) => Making::Map,
        };
        let parts = split_dotted(path);
        if place::set_within_text(node, &parts, value, making)? {
            continue;
        }
        let mut found = 0;
        let how = if create { "find or create" } else { "find" };
        let problem = || format!("unable to {how} field {path:?} in replacement target");
        for_each_place(node, &parts, making, &mut |place| {
            found += 1;
            set_value(place, value, target.options.as_ref())
        })
        .within(problem)?;
        if found == 0 {
            return Err(Error::rule(problem()));
        }
    }
    Ok(())
}

/// Puts a value, or a part of one, in a place. A scalar keeps what it is said to be.
fn set_value(place: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let Node::Scalar(old) = &*place else {
            return Err(Error::rule("delimiter option can only be used with scalar nodes"));
        };
        let mut parts: Vec<&str> = old.text.split(&options.delimiter).collect();
        let new = if value.is_null() { "" } else { value.text() };
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, new),
            Ok(at) if at >= parts.len() => parts.push(new),
            Ok(at) => parts[at] = new,
        }
        let joined = parts.join(&options.delimiter);
        value = match value {
            Node::Scalar(scalar) => Node::Scalar(Scalar { text: joined, ..scalar }),
            _ => Node::Scalar(Scalar { style: Style::Plain, ..Scalar::bare(joined) }),
        };
    }
    match place {
        Node::Scalar(old) => value.text().clone_into(&mut old.text),
        other => *other = value,
    }
    Ok(())
}
