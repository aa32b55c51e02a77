//! ConfigMaps and Secrets made from files and literals.

mod hash;
mod pairs;

pub(crate) use hash::hash_names;
pub(crate) use pairs::file_source;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kpkg_yaml::Style;
use kpkg_yaml::node::{Node, Scalar, Tag};

use crate::error::{Error, Result};
use crate::files::Folder;
use crate::kustomization::{GeneratorArgs, GeneratorOptions};
use crate::remote::Remote;
use crate::resource::{Behavior, Resource};
use crate::tree::{map_at, set_field};

/// Which of the two is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl DataKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// Makes one object.
pub(crate) fn generate(
    kind: DataKind,
    args: &GeneratorArgs,
    options: Option<&GeneratorOptions>,
    folder: &Folder,
    remote: Option<&dyn Remote>,
) -> Result<Resource> {
    if args.name.is_empty() {
        return Err(Error::rule("a configmap must have a name"));
    }
    let mut node = Node::map();
    let fields = node.as_map_mut().expect("a mapping");
    set_field(fields, "apiVersion", Node::bare("v1"));
    set_field(fields, "kind", Node::bare(kind.name()));
    let metadata = map_at(&mut node, "metadata")?;
    set_field(metadata, "name", Node::bare(args.name.as_str()));
    if !args.namespace.is_empty() {
        set_field(metadata, "namespace", Node::bare(args.namespace.as_str()));
    }
    if kind == DataKind::Secret {
        let secret_type = if args.secret_type.is_empty() { "Opaque" } else { &args.secret_type };
        node.as_map_mut().expect("a mapping").insert("type", Node::string(secret_type));
        map_at(&mut node, "data")?;
    }
    for (key, value) in pairs::load(args, folder, remote)? {
        let (field, text) = match (kind, String::from_utf8(value)) {
            (DataKind::ConfigMap, Ok(text)) => ("data", text),
            (DataKind::ConfigMap, Err(error)) => ("binaryData", wrapped_base64(error.as_bytes())),
            (DataKind::Secret, Ok(text)) => ("data", wrapped_base64(text.as_bytes())),
            (DataKind::Secret, Err(error)) => ("data", wrapped_base64(error.as_bytes())),
        };
        let style = if text.contains('\n') { Style::Block } else { Style::Plain };
        set_field(map_at(&mut node, field)?, &key, Node::Scalar(Scalar { style, ..Scalar::string(text) }));
    }
    if let Some(options) = options {
        for (field, texts) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            for (key, value) in texts {
                map_at(&mut node, "metadata")?;
                let metadata = node.get_mut("metadata").expect("just made");
                set_field(map_at(metadata, field)?, key, Node::string(value.as_str()));
            }
        }
        if options.immutable {
            let immutable = Node::Scalar(Scalar::tagged("true", Tag::Bool));
            node.as_map_mut().expect("a mapping").insert("immutable", immutable);
        }
    }
    let mut resource = Resource::new(node);
    resource.memory.generated = true;
    resource.memory.needs_hash = !options.is_some_and(|options| options.disable_name_suffix_hash);
    resource.memory.behavior = Behavior::from(args.behavior.as_str());
    Ok(resource)
}

/// Base64 in lines of 70 letters, once it is that long.
fn wrapped_base64(bytes: &[u8]) -> String {
    const WIDTH: usize = 70;
    let encoded = STANDARD.encode(bytes);
    if encoded.len() < WIDTH {
        return encoded;
    }
    let mut text = String::with_capacity(encoded.len() + encoded.len() / WIDTH + 1);
    for line in encoded.as_bytes().chunks(WIDTH) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text
}
