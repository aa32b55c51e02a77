//! Reads field numbers out of prost-generated sources. Not a Rust parser: prost writes one shape only, an
//! attribute with the tag followed by a `pub` field, and that is what is looked for.

use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A protobuf message: its fields in the order of the source.
pub(super) type Message = Vec<Field>;

/// Messages by module path (`api/core/v1`) and by [`fold`]ed name.
pub(super) type Messages = BTreeMap<(String, String), Message>;

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// The [`fold`]ed name.
    pub(super) name: String,
    /// The field number.
    pub(super) number: u32,
    /// What the attribute says of the type: `string, optional`, `message, repeated`, `btree_map = "string, bytes"`.
    pub(super) kind: String,
    /// The folded name of the message type, if it is one.
    pub(super) message: String,
}

/// A name as protobuf, Rust and JSON agree on it: `podIPs`, `pod_i_ps` and `pod_ips` are all `podips`.
pub(super) fn fold(name: &str) -> String {
    name.trim_start_matches("r#").chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Reads all messages below the crate's source folder.
pub(super) fn read(source: &Path) -> Result<Messages> {
    let mut messages = Messages::new();
    let mut folders = vec![source.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("mod.rs") {
                read_module(&module_of(source, &path), &fs::read_to_string(&path)?, &mut messages);
            }
        }
    }
    Ok(messages)
}

fn module_of(source: &Path, file: &Path) -> String {
    let folder: PathBuf =
        file.parent().and_then(|f| f.strip_prefix(source).ok()).map(Path::to_path_buf).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

fn read_module(module: &str, text: &str, messages: &mut Messages) {
    let mut current: Option<String> = None;
    let mut attribute: Option<(u32, String)> = None;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = fold(rest.split([' ', '{']).next().unwrap_or_default());
            messages.insert((module.to_owned(), name.clone()), Message::new());
            current = Some(name);
        } else if line.starts_with("#[prost(") {
            attribute = parse_attribute(line);
        } else if let (Some(rest), Some((number, kind))) = (line.strip_prefix("pub "), attribute.take()) {
            let (name, first) = rest.split_once(':').unwrap_or((rest, ""));
            let mut rust_type = first.trim().to_owned();
            while !complete(&rust_type) {
                match lines.next() {
                    Some(more) => rust_type.push_str(more),
                    None => break,
                }
            }
            let field = Field { name: fold(name), number, kind, message: message_of(&rust_type) };
            if let Some(fields) = current.as_ref().and_then(|name| messages.get_mut(&(module.to_owned(), name.clone())))
            {
                fields.push(field);
            }
        }
    }
}

/// `#[prost(string, optional, tag = "1")]` as (1, "string, optional").
fn parse_attribute(line: &str) -> Option<(u32, String)> {
    let inside = line.strip_prefix("#[prost(")?;
    let (kind, rest) = inside.split_once("tag = \"")?;
    let number = rest.split('"').next()?.parse().ok()?;
    Some((number, kind.trim_end_matches([' ', ',']).to_owned()))
}

/// Whether a field's type is whole: it ends in a comma outside all angle brackets.
fn complete(rust_type: &str) -> bool {
    rust_type.ends_with(',') && rust_type.matches('<').count() == rust_type.matches('>').count()
}

fn message_of(rust_type: &str) -> String {
    let last = rust_type.rsplit(['<', ':']).next().unwrap_or_default();
    fold(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prost_sources() {
        let mut messages = Messages::new();
        let text = "
            #[derive(Clone, PartialEq, ::prost::Message)]
            pub struct PodSpec {
                /// Volumes.
                #[prost(message, repeated, tag = \"1\")]
                pub volumes: ::prost::alloc::vec::Vec<Volume>,
                #[prost(btree_map = \"string, string\", tag = \"7\")]
                pub node_selector: ::prost::alloc::collections::BTreeMap<
                    ::prost::alloc::string::String,
                    ::prost::alloc::string::String,
                >,
                #[prost(string, optional, tag = \"3\")]
                pub r#type: ::core::option::Option<::prost::alloc::string::String>,
            }";
        read_module("api/core/v1", text, &mut messages);
        let fields = &messages[&("api/core/v1".to_owned(), "podspec".to_owned())];
        let found: Vec<_> = fields.iter().map(|f| (f.name.as_str(), f.number, f.kind.as_str())).collect();
        assert_eq!(
            found,
            [
                ("volumes", 1, "message, repeated"),
                ("nodeselector", 7, "btree_map = \"string, string\""),
                ("type", 3, "string, optional"),
            ]
        );
        assert_eq!(fields[0].message, "volume");
    }
}
