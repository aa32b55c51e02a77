//! Variables (`$(NAME)`), the forerunners of replacements.

use std::collections::{BTreeMap, BTreeSet};

use kpkg_yaml::node::{Node, Scalar, Tag};
use kpkg_yaml::{Resolved, Style, number};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::fieldspec::Create;
use crate::id::{Id, split_api_version};
use crate::kustomization::Var;
use crate::set::ResourceSet;
use crate::tree::{lookup, split_dotted};

/// The variables of a set of resources.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    by_name: BTreeMap<String, Var>,
}

/// What a variable stands for.
#[derive(Debug, Clone)]
enum Substitute {
    Text(String),
    Other(Scalar),
    /// Lists and objects cannot stand in a text.
    Unfit,
}

impl Variables {
    /// Adds variables, and notes which resources they take their values from.
    pub(crate) fn add(&mut self, vars: &[Var], set: &mut ResourceSet) -> Result<()> {
        for var in vars {
            let object = &var.objref;
            let (group, version) = if object.api_version.is_empty() {
                (object.group.as_str(), object.version.as_str())
            } else {
                split_api_version(&object.api_version)
            };
            let id = Id { group, version, kind: &object.kind, name: &object.name, namespace: &object.namespace };
            let matched = if object.namespace.is_empty() { set.find_in_any_namespace(&id) } else { set.find(&id) };
            match *matched {
                [] => {}
                [at] => set.content_mut(at).memory.vars.push(var.name.clone()),
                _ => {
                    return Err(Error::rule(format!(
                        "found {} resId matches for var {} (unable to disambiguate)",
                        matched.len(),
                        var.name
                    )));
                }
            }
        }
        vars.iter().try_for_each(|var| self.insert(var.clone()))
    }

    /// Adds the variables of another set.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        other.by_name.into_values().try_for_each(|var| self.insert(var))
    }

    fn insert(&mut self, mut var: Var) -> Result<()> {
        if var.fieldref.field_path.is_empty() {
            "metadata.name".clone_into(&mut var.fieldref.field_path);
        }
        if self.by_name.contains_key(&var.name) {
            return Err(Error::rule(format!("var '{}' already encountered", var.name)));
        }
        self.by_name.insert(var.name.clone(), var);
        Ok(())
    }

    /// Puts the values in; returns the variables that are used nowhere.
    pub(crate) fn resolve(&self, set: &mut ResourceSet, config: &Config) -> Result<Vec<String>> {
        if self.by_name.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = BTreeMap::new();
        for var in self.by_name.values() {
            values.insert(var.name.as_str(), value_of(set, var)?);
        }
        let mut used = BTreeSet::new();
        for at in 0..set.len() {
            let node = &mut set.content_mut(at).node;
            for spec in &config.var_references {
                spec.apply(node, Create::Nothing, &mut |place| replace(place, &values, &mut used))?;
            }
        }
        Ok(self.by_name.keys().filter(|name| !used.contains(name.as_str())).cloned().collect())
    }
}

fn value_of(set: &ResourceSet, var: &Var) -> Result<Substitute> {
    let source = set.iter().find(|resource| resource.memory.vars.contains(&var.name));
    let missing =
        || Error::rule(format!("var '{}' cannot be mapped to a field in the set of known resources", var.name));
    let path = split_dotted(&indices_apart(&var.fieldref.field_path));
    let found = lookup(&source.ok_or_else(missing)?.node, &path);
    let absent = || Error::rule(format!("field specified in var '{}' not found in corresponding resource", var.name));
    let Node::Scalar(scalar) = found.ok().flatten().ok_or_else(absent)? else { return Ok(Substitute::Unfit) };
    let typed = |text: String| Ok(Substitute::Other(Scalar::tagged(text, scalar.tag.clone())));
    match (&scalar.tag, scalar.meaning()) {
        (Tag::Int, Resolved::Int(_)) => match scalar.text.parse::<i64>() {
            Ok(value) => typed(value.to_string()),
            Err(_) => Err(absent()),
        },
        (Tag::Float, Resolved::Float(value)) => typed(plain_float(value)),
        (Tag::Bool, Resolved::Bool(value)) => typed(value.to_string()),
        _ => Ok(Substitute::Text(scalar.text.clone())),
    }
}

/// `a[0].b` as `a.0.b`.
fn indices_apart(path: &str) -> String {
    let mut result = String::new();
    for part in split_dotted(path) {
        let index = part.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        let piece = match index {
            Some((name, index)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => {
                if name.is_empty() { index.to_owned() } else { format!("{}.{index}", name.replace('.', "\\.")) }
            }
            _ if part.starts_with('[') => part,
            _ => part.replace('.', "\\."),
        };
        if !result.is_empty() {
            result.push('.');
        }
        result.push_str(&piece);
    }
    result
}

/// A number without exponent, as Go's `%f` of the shortest digits.
fn plain_float(value: f64) -> String {
    format!("{value}")
}

fn replace<'a>(place: &mut Node, values: &BTreeMap<&'a str, Substitute>, used: &mut BTreeSet<&'a str>) -> Result<()> {
    match place {
        Node::Scalar(scalar) => replace_scalar(scalar, values, used),
        Node::Map(fields) => {
            for (key, value) in fields.iter_mut() {
                if !key.is_string() {
                    return Err(Error::rule(format!("invalid map key: value='{}'", key.text)));
                }
                if let Node::Scalar(scalar) = value {
                    replace_scalar(scalar, values, used);
                }
            }
        }
        Node::List(items) => {
            for item in items {
                match item {
                    Node::Scalar(scalar) if scalar.is_string() => replace_scalar(scalar, values, used),
                    _ => return Err(Error::rule("invalid value type expect a string")),
                }
            }
        }
    }
    Ok(())
}

fn replace_scalar<'a>(scalar: &mut Scalar, values: &BTreeMap<&'a str, Substitute>, used: &mut BTreeSet<&'a str>) {
    if !scalar.is_string() {
        return;
    }
    let (text, tag) = match expand(&scalar.text, values, used) {
        Expanded::Text(text) => (text, Tag::String),
        Expanded::Whole(other) => (other.text, other.tag),
    };
    let style = if text.contains('\n') { Style::Block } else { Style::Plain };
    *scalar = Scalar { style, ..Scalar::tagged(text, tag) };
}

enum Expanded {
    Text(String),
    /// The text was one variable that is no string.
    Whole(Scalar),
}

fn expand<'a>(text: &str, values: &BTreeMap<&'a str, Substitute>, used: &mut BTreeSet<&'a str>) -> Expanded {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        result.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.chars().next() {
            None => {
                result.push('$');
                rest = "";
            }
            Some('$') => {
                result.push('$');
                rest = &after[1..];
            }
            Some('(') => match after.find(')') {
                None => {
                    result.push_str("$(");
                    rest = &after[1..];
                }
                Some(end) => {
                    let name = &after[1..end];
                    rest = &after[end + 1..];
                    match values.get_key_value(name) {
                        Some((name, Substitute::Text(value))) => {
                            used.insert(name);
                            result.push_str(value);
                        }
                        Some((name, Substitute::Other(value))) => {
                            used.insert(name);
                            if text.len() == end + 2 && text.starts_with("$(") {
                                return Expanded::Whole(value.clone());
                            }
                            result.push_str(&printed(value));
                        }
                        Some((_, Substitute::Unfit)) | None => result.push_str(&format!("$({name})")),
                    }
                }
            },
            Some(other) => {
                result.push('$');
                result.push(other);
                rest = &after[other.len_utf8()..];
            }
        }
    }
    result.push_str(rest);
    Expanded::Text(result)
}

/// A value within a text, as Go's `%v` prints it.
fn printed(value: &Scalar) -> String {
    match value.meaning() {
        Resolved::Float(float) => number::format_general(float),
        _ => value.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands() {
        let values: BTreeMap<&str, Substitute> =
            [("A", Substitute::Text("x".to_owned())), ("N", Substitute::Other(Scalar::tagged("5", Tag::Int)))].into();
        let text = |text: &str| match expand(text, &values, &mut BTreeSet::new()) {
            Expanded::Text(text) => text,
            Expanded::Whole(scalar) => format!("{:?}", scalar.meaning()),
        };
        let cases = [("$(A)-$(N)", "x-5"), ("$(N)", "Int(5)"), ("$$(A) $(B) $", "$(A) $(B) $"), ("$x $(", "$x $(")];
        for (input, want) in cases {
            assert_eq!(text(input), want, "{input}");
        }
    }
}
