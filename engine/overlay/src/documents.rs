//! Texts to resources: documents are split, checked, and lists are taken apart.

use std::collections::VecDeque;

use kpkg_yaml::node::{Node, NodeOptions, read_node};

use crate::error::{Error, Result};
use crate::resource::Resource;

/// Reads the resources of a text.
pub(crate) fn read_resources(text: &str, place: &str) -> Result<Vec<Resource>> {
    let nodes = read_documents(text, place)?;
    let mut queue: VecDeque<Node> = checked(nodes)?.into();
    let mut resources = Vec::with_capacity(queue.len());
    while let Some(node) = queue.pop_front() {
        let is_list = node.get("kind").map_or("", Node::text).ends_with("List");
        match node.get("items").filter(|_| is_list) {
            None => resources.push(Resource::new(node)),
            Some(items) if items.is_null() => {}
            Some(Node::List(items)) => queue.extend(checked(reencoded(items, place)?)?),
            Some(_) => {
                let kind = node.get("kind").map_or("", Node::text);
                return Err(Error::NotAnObject {
                    problem: format!("expected array in {kind}/items"),
                    line: node.line(),
                });
            }
        }
    }
    Ok(resources)
}

/// Elements of a list as documents of their own.
fn reencoded(items: &[Node], place: &str) -> Result<Vec<Node>> {
    let invalid = |source| Error::Yaml { place: place.to_owned(), source };
    items.iter().map(|item| Ok(Node::from_json(&item.to_json().map_err(invalid)?, false))).collect()
}

/// Reads the documents of a text as they are; a lone list of objects is taken apart.
pub(crate) fn read_documents(text: &str, place: &str) -> Result<Vec<Node>> {
    let unified;
    let text = if text.contains("\r\n") {
        unified = text.replace("\r\n", "\n");
        &unified
    } else {
        text
    };
    let pieces = split(text)?;
    let is_alone = pieces.len() == 1;
    let mut nodes = Vec::with_capacity(pieces.len());
    for (piece, line_offset) in pieces {
        let options = NodeOptions { line_offset, ..NodeOptions::default() };
        let node =
            read_node(piece, options).map_err(|source| Error::Yaml { place: format!("File: {place}"), source })?;
        let Some(node) = node.filter(|node| !node.is_null()) else { continue };
        let kind = node.get("kind").map_or("", Node::text);
        let wraps = is_alone
            && matches!(kind, "List" | "ResourceList")
            && (node.get("items").is_some() || node.get("functionConfig").is_some());
        match node {
            Node::Map(mut fields) if wraps => {
                if let Some(Node::List(items)) = fields.remove("items") {
                    nodes.extend(items);
                }
            }
            node => nodes.push(node),
        }
    }
    Ok(nodes)
}

/// Splits a text at lines of `---`; each piece with the number of lines before it.
fn split(text: &str) -> Result<Vec<(&str, usize)>> {
    let mut pieces = Vec::new();
    let (mut start, mut lines, mut at) = (0, 0, 0);
    while let Some(found) = text[at..].find("\n---") {
        let newline = at + found;
        let Some(length) = text[newline + 1..].find('\n') else { break };
        let end = newline + 1 + length;
        let after = text[newline + 4..end].trim();
        if !after.is_empty() && !after.starts_with('#') {
            return Err(Error::rule(format!("invalid document separator: ---{after}")));
        }
        pieces.push((&text[start..=newline], lines));
        lines += text[start..=end].matches('\n').count();
        start = end + 1;
        at = start;
    }
    if start < text.len() || pieces.is_empty() {
        pieces.push((&text[start..], lines));
    }
    Ok(pieces)
}

/// Drops what is empty and refuses what is no Kubernetes object.
fn checked(nodes: Vec<Node>) -> Result<Vec<Node>> {
    let nodes: Vec<Node> = nodes.into_iter().filter(|node| !node.is_empty()).collect();
    nodes.iter().try_for_each(check)?;
    Ok(nodes)
}

/// Whether a document says what it is.
pub(crate) fn check(node: &Node) -> Result<()> {
    let refuse = |problem: String| Err(Error::NotAnObject { problem, line: node.line() });
    let text = |node: Option<&Node>| node.filter(|node| !node.is_empty()).map_or("", Node::text).to_owned();
    let metadata = node.get("metadata").filter(|metadata| !metadata.is_empty());
    let (api_version, kind) = (text(node.get("apiVersion")), text(node.get("kind")));
    let name = text(metadata.and_then(|metadata| metadata.get("name")));
    let has = |key: &str| metadata.and_then(|metadata| metadata.get(key)).is_some_and(|value| !value.is_empty());
    let says_nothing = node.get("apiVersion").is_none_or(Node::is_empty)
        && node.get("kind").is_none_or(Node::is_empty)
        && !["name", "namespace", "labels", "annotations"].iter().any(|key| has(key));
    if says_nothing {
        return refuse("missing Resource metadata".to_owned());
    }
    if kind.is_empty() {
        return refuse(format!("missing kind in object {{{api_version} {name}}}"));
    }
    if name.is_empty() && !kind.ends_with("List") {
        return refuse(format!("missing metadata.name in object {{{api_version} {kind}}}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        match read_resources(text, "x.yaml") {
            Ok(resources) => resources.iter().map(|resource| resource.name().to_owned()).collect::<Vec<_>>().join(" "),
            Err(error) => error.chain(),
        }
    }

    #[test]
    fn documents_and_lists() {
        let a = "kind: A\nmetadata: {name: a}\n";
        let b = "kind: B\nmetadata: {name: b}\n";
        assert_eq!(names(&format!("---\n{a}--- # c\n{b}---\n")), "a b");
        assert_eq!(names(&format!("# only\n---\n\n---\n{a}")), "a");
        assert_eq!(names("kind: List\nitems:\n- kind: A\n  metadata: {name: a}\n"), "a");
        assert_eq!(names("kind: AList\nitems:\n- kind: A\n  metadata: {name: a}\n"), "a");
        assert_eq!(names("kind: AList\nmetadata: {name: l}\n"), "l");
        assert!(names(&format!("{a}--- x\n{b}")).starts_with("invalid document separator"));
        assert!(names("a: b\n").starts_with("missing Resource metadata"));
        assert!(names(&format!("{a}---\nkind: B\n")).contains("line 4"));
        assert!(names("a: [\n").contains("MalformedYAMLError"));
    }
}
