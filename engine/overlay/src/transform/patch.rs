//! Patches: strategic merges and JSON patches.

use kpkg_yaml::node::Node;
use serde_json::Value;

use crate::build::Session;
use crate::documents::read_resources;
use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::kustomization::{Patch, PatchOptions, Selector};
use crate::merge::merge;
use crate::resource::Resource;
use crate::set::ResourceSet;

/// Strategic merges, each of which finds its object by name.
#[derive(Debug)]
pub(crate) struct StrategicTransformer {
    pub(crate) patches: Vec<Resource>,
}

/// A JSON patch on selected objects.
#[derive(Debug)]
pub(crate) struct JsonPatchTransformer {
    pub(crate) target: Selector,
    pub(crate) patch: Value,
    pub(crate) source: String,
}

/// A patch of either kind.
#[derive(Debug)]
pub(crate) struct PatchTransformer {
    patch: Kind,
    target: Option<Selector>,
    /// Where the patch stands, for messages.
    source: String,
}

#[derive(Debug)]
enum Kind {
    Strategic(Vec<Resource>),
    Json(Value),
}

impl StrategicTransformer {
    /// Reads patches from files, or from the list itself.
    pub(crate) fn read(paths: &[String], folder: &Folder, session: &Session<'_>) -> Result<Self> {
        let mut patches = Vec::new();
        for path in paths {
            let inline = read_resources(path, "patchesStrategicMerge");
            let read = match inline {
                Ok(read) => read,
                Err(_) => read_resources(&folder.read_text(path, session.remote())?, path)?,
            };
            patches.extend(read);
        }
        Ok(Self { patches })
    }

    pub(crate) fn apply(&self, set: &mut ResourceSet, session: &Session<'_>) -> Result<()> {
        for patch in &self.patches {
            let at = set.find_one(&patch.original_id())?;
            patch_many(set, &[at], patch, session)?;
        }
        Ok(())
    }
}

impl PatchTransformer {
    /// Where the patch stands.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Reads a patch and finds out of which kind it is.
    pub(crate) fn read(patch: &Patch, folder: &Folder, session: &Session<'_>) -> Result<Self> {
        let inline = patch.patch.trim();
        let (text, source) = match (inline.is_empty(), patch.path.as_str()) {
            (true, "") => return Err(Error::rule("must specify one of patch and path in a patch")),
            (true, path) => {
                let text = folder
                    .read_text(path, session.remote())
                    .within(|| format!("failed to get the patch file from path({path})"))?;
                (text, format!("[path: {path:?}]"))
            }
            (false, "") => (inline.to_owned(), format!("[patch: {inline:?}]")),
            (false, path) => {
                return Err(Error::rule(format!("patch and path can't be set at the same time (path {path})")));
            }
        };
        let options = patch.options.clone().unwrap_or_default();
        Ok(Self { patch: classify(&text, &source, &options)?, target: patch.target.clone(), source })
    }

    pub(crate) fn apply(&self, set: &mut ResourceSet, session: &Session<'_>) -> Result<()> {
        match (&self.patch, &self.target) {
            (Kind::Strategic(patches), None) => patches.iter().try_for_each(|patch| {
                let at = set.find_one(&patch.original_id()).within(|| {
                    format!("no resource matches strategic merge patch {:?}", patch.original_id().to_string())
                })?;
                patch_one(set, at, patch, session)
            }),
            (Kind::Strategic(patches), Some(target)) => match patches.as_slice() {
                [] => Ok(()),
                [patch] => {
                    let selected = set
                        .select(target)
                        .within(|| format!("unable to find patch target {:?} in `resources`", target.name))?;
                    session.note_selected(&self.source, selected.len());
                    patch_many(set, &selected, patch, session)
                }
                _ => Err(Error::rule(format!(
                    "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` \
                     field: {}",
                    self.source
                ))),
            },
            (Kind::Json(_), None) => Err(Error::rule(format!("must specify a target for JSON patch {}", self.source))),
            (Kind::Json(patch), Some(target)) => {
                let selected = set.select(target)?;
                session.note_selected(&self.source, selected.len());
                apply_json(set, &selected, patch, true).within(|| format!("applying JSON patch {}", self.source))
            }
        }
    }
}

impl JsonPatchTransformer {
    pub(crate) fn apply(&self, set: &mut ResourceSet, session: &Session<'_>) -> Result<()> {
        let selected = set.select(&self.target)?;
        session.note_selected(&self.source, selected.len());
        apply_json(set, &selected, &self.patch, false).within(|| format!("applying JSON patch {}", self.source))
    }

    /// Reads a JSON patch from a file or from the kustomization.
    pub(crate) fn read(patch: &Patch, folder: &Folder, session: &Session<'_>) -> Result<Self> {
        let target = patch.target.clone().unwrap_or_default();
        if target.name.is_empty() {
            return Err(Error::rule("must specify the target name"));
        }
        let text = match (patch.path.as_str(), patch.patch.as_str()) {
            ("", "") => return Err(Error::rule("empty file path and empty jsonOp")),
            ("", inline) => inline.to_owned(),
            (path, "") => folder.read_text(path, session.remote())?,
            _ => return Err(Error::rule("must specify a file path or jsonOp, not both")),
        };
        let source = if patch.path.is_empty() { format!("{:?}", patch.patch) } else { patch.path.clone() };
        let operations = json_patch(&text).within(|| format!("decoding {source}"))?;
        if operations.as_array().is_none_or(Vec::is_empty) {
            return Err(Error::rule(format!("patch appears to be empty; file={}", patch.path)));
        }
        Ok(Self { target, patch: operations, source })
    }
}

fn classify(text: &str, source: &str, options: &PatchOptions) -> Result<Kind> {
    let merges = read_resources(text, source);
    let operations = json_patch(text);
    let both = matches!((&merges, &operations), (Ok(merges), Ok(operations))
        if !merges.is_empty() && operations.as_array().is_some_and(|list| !list.is_empty()));
    if both {
        return Err(Error::rule(format!("illegally qualifies as both an SM and JSON patch: {source}")));
    }
    match (merges, operations) {
        (Ok(mut merges), _) => {
            for patch in &mut merges {
                patch.memory.allow_name_change |= options.allow_name_change;
                patch.memory.allow_kind_change |= options.allow_kind_change;
            }
            Ok(Kind::Strategic(merges))
        }
        (Err(_), Ok(operations)) => Ok(Kind::Json(operations)),
        (Err(error), Err(_)) => Err(error).within(|| format!("unable to parse SM or JSON patch from {source}")),
    }
}

/// Reads a JSON patch, which may be written in YAML.
fn json_patch(text: &str) -> Result<Value> {
    let value = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|error| Error::invalid("JSON patch", error.to_string()))?
    } else {
        let yaml = kpkg_yaml::read(text).map_err(|source| Error::Yaml { place: "a JSON patch".to_owned(), source })?;
        yaml.to_json()
    };
    match &value {
        Value::Null => Ok(value),
        Value::Array(items) if items.iter().all(|item| item.is_object() || item.is_null()) => Ok(value),
        _ => Err(Error::invalid("JSON patch", "it must be a list of operations")),
    }
}

fn apply_json(set: &mut ResourceSet, places: &[usize], patch: &Value, remember: bool) -> Result<()> {
    let list = set.list_mut();
    for at in places {
        let resource = &mut list[*at];
        if remember {
            resource.remember_id();
        }
        let invalid = |source| Error::Yaml { place: "a resource".to_owned(), source };
        let mut document = resource.node.to_json().map_err(invalid)?;
        if resource.memory.is_in_annotations()
            && let Some(Value::Object(metadata)) = document.get_mut("metadata")
            && metadata.get("annotations").is_none_or(Value::is_null)
        {
            // Operations may count on annotations that are only there while Kustomize builds.
            metadata.insert("annotations".to_owned(), Value::Object(serde_json::Map::new()));
        }
        kpkg_api::patch::json(&mut document, patch).within(|| format!("on {}", resource.id()))?;
        resource.node = Node::from_json(&document, true);
    }
    Ok(())
}

/// Patches objects that were chosen by a selector or by name.
fn patch_many(set: &mut ResourceSet, places: &[usize], patch: &Resource, session: &Session<'_>) -> Result<()> {
    for at in places {
        let mut copy = patch.clone();
        let memory = copy.memory.clone();
        copy.inherit(patch)?;
        copy.memory = memory;
        let id = set.as_slice()[*at].id();
        let api_version =
            if id.group.is_empty() { id.version.to_owned() } else { format!("{}/{}", id.group, id.version) };
        copy.set_root("apiVersion", &api_version);
        patch_one(set, *at, &copy, session)?;
    }
    set.drop_empty();
    // Names may only change where that is allowed, and then must not collide.
    if patch.memory.allow_name_change || patch.memory.allow_kind_change {
        let list = std::mem::take(set.list_mut());
        set.append_all(list)?;
    }
    Ok(())
}

/// Patches one object; its kind, name and namespace stay unless the patch may change them.
fn patch_one(set: &mut ResourceSet, at: usize, patch: &Resource, session: &Session<'_>) -> Result<()> {
    let changes_id = patch.memory.allow_name_change || patch.memory.allow_kind_change;
    let resource = if changes_id { &mut set.list_mut()[at] } else { set.content_mut(at) };
    let id = resource.id();
    let (kind, name, namespace) = (id.kind.to_owned(), id.name.to_owned(), id.namespace.to_owned());
    if changes_id {
        resource.remember_id();
    }
    let before = session.is_strict().then(|| resource.node.clone());
    let mut node = std::mem::replace(&mut resource.node, Node::map());
    let is_left = merge(&mut node, patch.node.clone(), &session.schemas())
        .within(|| format!("patching {kind}/{name} with {}", patch.id()))?;
    if !is_left || node.is_empty() {
        return Ok(());
    }
    resource.node = node;
    if !patch.memory.allow_kind_change {
        resource.set_root("kind", &kind);
    }
    if !patch.memory.allow_name_change {
        resource.set_name(&name)?;
    }
    resource.set_namespace(&namespace)?;
    if before.is_some_and(|before| before == resource.node) {
        session.note_unchanged(&patch.id().to_string());
    }
    Ok(())
}
