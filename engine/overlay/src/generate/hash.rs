//! The hash of its content that a generated object's name ends in.

use kpkg_yaml::node::Node;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::resource::Resource;
use crate::set::ResourceSet;

/// Gives every name its hash that is to have one.
pub(crate) fn hash_names(set: &mut ResourceSet) -> Result<()> {
    if !set.iter().any(|resource| resource.memory.needs_hash) {
        return Ok(());
    }
    for resource in set.list_mut() {
        if resource.memory.needs_hash {
            let name = format!("{}-{}", resource.name(), hash(resource)?);
            resource.remember_id();
            resource.set_name(&name)?;
        }
    }
    Ok(())
}

fn hash(resource: &Resource) -> Result<String> {
    let node = &resource.node;
    let json = |node: &Node| node.to_json().map_err(|source| Error::Yaml { place: resource.id().to_string(), source });
    let value = |field: &str| -> Result<Value> {
        match node.get(field) {
            None => Ok("".into()),
            Some(Node::Scalar(scalar)) => Ok(scalar.text.as_str().into()),
            Some(other) => json(other),
        }
    };
    let mut content = serde_json::Map::new();
    match resource.kind() {
        kind @ ("ConfigMap" | "Secret") => {
            content.insert("kind".to_owned(), kind.into());
            // The name is left out: the path it is looked up by has a slash in it.
            content.insert("name".to_owned(), "".into());
            content.insert("data".to_owned(), value("data")?);
            let more = if kind == "Secret" { "stringData" } else { "binaryData" };
            if kind == "Secret" {
                content.insert("type".to_owned(), value("type")?);
            }
            if matches!(node.get(more), Some(Node::Map(_))) {
                content.insert(more.to_owned(), value(more)?);
            }
        }
        _ => {
            content.insert("document".to_owned(), json(node)?);
        }
    }
    Ok(encode(&go_json(&Value::Object(content))))
}

/// Compact JSON as Go writes it: sorted, with `<`, `>` and `&` escaped.
fn go_json(value: &Value) -> String {
    let text = value.to_string();
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Ten digits of the SHA-256, with letters that make no words.
fn encode(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    hex.chars()
        .map(|digit| match digit {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::read_resources;

    #[test]
    fn known_hashes() {
        let resources = read_resources("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "x").expect("reads");
        assert_eq!(hash(&resources[0]).expect("hashes"), "6ct58987ht");
    }
}
