//! Tree to text, as Kustomize writes it, and to JSON and back.

use super::{Fields, Node, Scalar, Tag};
use crate::emitter::{Emitter, Flavour, is_ambiguous_v3};
use crate::error::Error;
use crate::keys::sort_by_keys;
use crate::number;
use crate::resolve::{Resolved, json_timestamp, resolve_core};
use crate::scanner::Style;
use crate::write::float_text;

/// Writes a tree as Kustomize does: keys sorted, scalars as what they mean.
pub fn node_text(node: &Node) -> Result<String, Error> {
    let mut emitter = Emitter::new(Flavour::Compact);
    emit(node, &mut emitter)?;
    Ok(emitter.finish())
}

fn not_json(problem: impl Into<String>) -> Error {
    Error::NotJson { problem: problem.into() }
}

fn emit(node: &Node, emitter: &mut Emitter) -> Result<(), Error> {
    match node {
        Node::Scalar(scalar) => return emit_scalar(scalar, emitter),
        Node::List(items) => {
            emitter.begin_list(items.is_empty());
            for item in items {
                emit(item, emitter)?;
            }
            if !items.is_empty() {
                emitter.end_list();
            }
        }
        Node::Map(fields) => {
            emitter.begin_map(fields.is_empty());
            for (key, value) in sorted(fields)? {
                emitter.key(&key.text);
                emit(value, emitter)?;
            }
            if !fields.is_empty() {
                emitter.end_map();
            }
        }
    }
    Ok(())
}

/// The fields in the order they are written; a key must be a string and stand once.
fn sorted(fields: &Fields) -> Result<Vec<(&Scalar, &Node)>, Error> {
    let mut entries: Vec<_> = fields.iter().collect();
    if entries.iter().any(|(key, _)| !key_is_string(key)) {
        return Err(not_json("json: unsupported type: map[interface {}]interface {}"));
    }
    sort_by_keys(&mut entries, |(key, _)| &key.text);
    match entries.windows(2).find(|pair| pair[0].0.text == pair[1].0.text) {
        Some(pair) => Err(not_json(format!("mapping key {:?} already defined", pair[0].0.text))),
        None => Ok(entries),
    }
}

fn key_is_string(key: &Scalar) -> bool {
    let first = key.text.as_bytes().first();
    if first.is_some_and(u8::is_ascii_alphabetic) && key.tag == Tag::String {
        return true;
    }
    match key.tag {
        Tag::Timestamp => key.style != Style::Plain,
        Tag::Unset if key.style == Style::Plain => resolve_core(&key.text) == Resolved::String,
        _ => key.meaning() == Resolved::String,
    }
}

fn emit_scalar(scalar: &Scalar, emitter: &mut Emitter) -> Result<(), Error> {
    let meaning = scalar.meaning();
    if meaning != Resolved::String {
        scalar.check()?;
    }
    match meaning {
        Resolved::Null => emitter.plain("null"),
        Resolved::Bool(value) => emitter.plain(if value { "true" } else { "false" }),
        Resolved::Int(value) => emitter.plain(&value.to_string()),
        Resolved::Uint(value) => emitter.plain(&value.to_string()),
        Resolved::Float(value) if !value.is_finite() => {
            return Err(not_json(format!("json: unsupported value: {}", number::format_general(value))));
        }
        Resolved::Float(value) => emitter.plain(&float_text(value)),
        Resolved::Timestamp | Resolved::Merge | Resolved::String => emitter.string(&string_of(scalar)?),
    }
    Ok(())
}

fn string_of(scalar: &Scalar) -> Result<std::borrow::Cow<'_, str>, Error> {
    use base64::Engine as _;
    scalar.check()?;
    if scalar.style == Style::Plain
        && matches!(scalar.tag, Tag::Timestamp | Tag::Unset)
        && let Some(time) = json_timestamp(&scalar.text)
    {
        return Ok(time.into());
    }
    if scalar.style == Style::Folded {
        return Ok(super::fold::written_and_read(&scalar.text));
    }
    if scalar.tag != Tag::Binary {
        return Ok(scalar.text.as_str().into());
    }
    let compact: String = scalar.text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(compact);
    let bytes = bytes.map_err(|_| Error::plain("!!binary value contains invalid base64 data"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned().into())
}

impl Scalar {
    /// Whether the text is what the tag says it is.
    pub fn check(&self) -> Result<(), Error> {
        if matches!(self.tag, Tag::Unset | Tag::String | Tag::Binary | Tag::Merge | Tag::Other(_)) {
            return Ok(());
        }
        let found = resolve_core(&self.text);
        let (found, said) = (Tag::from(found), &self.tag);
        if found == *said || *said == Tag::Float && found == Tag::Int {
            return Ok(());
        }
        let (found, said) = (found.name(), said.name());
        Err(Error::plain(format!("cannot decode {found} `{}` as a {said}", self.text)))
    }
}

impl Node {
    /// The tree as JSON.
    pub fn to_json(&self) -> Result<serde_json::Value, Error> {
        Ok(match self {
            Self::Scalar(scalar) => match scalar.meaning() {
                Resolved::Null => serde_json::Value::Null,
                Resolved::Bool(value) => value.into(),
                Resolved::Int(value) => value.into(),
                Resolved::Uint(value) => value.into(),
                Resolved::Float(value) => serde_json::Number::from_f64(value)
                    .map(Into::into)
                    .ok_or_else(|| not_json(format!("json: unsupported value: {}", number::format_general(value))))?,
                Resolved::Timestamp | Resolved::Merge | Resolved::String => string_of(scalar)?.into_owned().into(),
            },
            Self::List(items) => items.iter().map(Self::to_json).collect::<Result<Vec<_>, _>>()?.into(),
            Self::Map(fields) => {
                let entries = sorted(fields)?.into_iter();
                let entries = entries.map(|(key, value)| Ok((key.text.clone(), value.to_json()?)));
                serde_json::Value::Object(entries.collect::<Result<_, Error>>()?)
            }
        })
    }

    /// A tree from JSON. With `floats`, numbers lose what a double cannot hold, as when Go decodes JSON.
    pub fn from_json(json: &serde_json::Value, floats: bool) -> Self {
        match json {
            serde_json::Value::Null => Self::null(),
            serde_json::Value::Bool(value) => Self::Scalar(Scalar::tagged(value.to_string(), Tag::Bool)),
            serde_json::Value::Number(number) => {
                let text = match number.as_f64() {
                    Some(value) if floats || number.is_f64() => number::format_general(value),
                    _ => number.to_string(),
                };
                let tag = resolve_core(&text).into();
                Self::Scalar(Scalar::tagged(text, tag))
            }
            serde_json::Value::String(text) => Self::Scalar(Scalar { style: style_of(text), ..Scalar::string(text) }),
            serde_json::Value::Array(items) => {
                Self::List(items.iter().map(|item| Self::from_json(item, floats)).collect())
            }
            serde_json::Value::Object(map) => Self::Map(
                map.iter()
                    .map(|(key, value)| {
                        (Scalar { style: style_of(key), ..Scalar::string(key) }, Self::from_json(value, floats))
                    })
                    .collect(),
            ),
        }
    }

    /// How the node prints within a message or where a pattern is matched against it: without a line end.
    pub fn print(&self) -> String {
        match self {
            Self::Scalar(scalar) if scalar.style == Style::Quoted => format!("\"{}\"", scalar.text),
            Self::Scalar(scalar) if scalar.style == Style::Single => format!("'{}'", scalar.text),
            Self::Scalar(scalar) => scalar.text.clone(),
            other => node_text(other).unwrap_or_default().trim_end().to_owned(),
        }
    }
}

/// The style go-yaml v3 gives a string.
fn style_of(text: &str) -> Style {
    if text.contains('\n') {
        Style::Block
    } else if is_ambiguous_v3(text) {
        Style::Quoted
    } else {
        Style::Plain
    }
}

/// Writes a tree as it was read: the order of keys and the quotes stay, comments do not.
pub fn source_text(node: &Node) -> String {
    let mut emitter = Emitter::new(Flavour::Compact);
    emit_source(node, &mut emitter);
    emitter.finish()
}

fn emit_source(node: &Node, emitter: &mut Emitter) {
    match node {
        Node::Scalar(scalar) => emit_source_scalar(scalar, emitter),
        Node::List(items) => {
            emitter.begin_list(items.is_empty());
            items.iter().for_each(|item| emit_source(item, emitter));
            if !items.is_empty() {
                emitter.end_list();
            }
        }
        Node::Map(fields) => {
            emitter.begin_map(fields.is_empty());
            for (key, value) in fields.iter() {
                match key.style {
                    Style::Plain if key.text.is_empty() => emitter.key(""),
                    style => emitter.key_in(&key.text, style),
                }
                emit_source(value, emitter);
            }
            if !fields.is_empty() {
                emitter.end_map();
            }
        }
    }
}

fn emit_source_scalar(scalar: &Scalar, emitter: &mut Emitter) {
    let Scalar { text, tag, style, .. } = scalar;
    match style {
        Style::Quoted => emitter.quoted(text),
        Style::Single => emitter.single_quoted(text),
        Style::Plain if !text.contains('\n') => match (tag, Tag::from(resolve_core(text))) {
            (Tag::String, Tag::String) => emitter.plain(text),
            // A text that was set where there was another must stay a string.
            (Tag::String, _) => emitter.quoted(text),
            (Tag::Null | Tag::Bool | Tag::Int | Tag::Float, found) if found != *tag => {
                emitter.plain(&format!("{} {text}", tag.name()));
            }
            _ => emitter.plain(if text.is_empty() { "null" } else { text }),
        },
        _ => emitter.string(text),
    }
}
