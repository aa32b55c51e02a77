//! What a rendering did, when asked to remember: which line of which template wrote what, and which keys of
//! which maps were read for it.

use std::ops::Range;
use std::sync::Arc;

use crate::ast::Source;
use crate::text::Text;
use crate::value::{Map, Value};

/// How much is remembered; what comes after is forgotten.
const MAX_NOTES: usize = 2_000_000;

/// How many bytes of inner texts are remembered.
const MAX_TEXT: usize = 256 << 20;

/// What a rendering did.
#[derive(Debug, Default)]
pub struct Trace {
    /// The texts that templates wrote, the innermost first: what an `include` gave comes before what it was
    /// put into.
    pub fragments: Vec<Fragment>,
    /// What was read, in order.
    pub reads: Vec<Read>,
    /// The spans of the fragments that are being written.
    open: Vec<Vec<Span>>,
    notes: usize,
    kept: usize,
}

/// A text that one run of a template wrote.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// The file of the template.
    pub file: Arc<str>,
    /// The template: the file, or a `define` in it.
    pub template: Arc<str>,
    /// The text.
    pub text: Vec<u8>,
    /// Which part of it came from where, in order.
    pub spans: Vec<Span>,
}

/// A part of a text, and what wrote it.
#[derive(Debug, Clone)]
pub struct Span {
    /// Which bytes of the text.
    pub bytes: Range<usize>,
    /// The file.
    pub file: Arc<str>,
    /// The line where what wrote it begins, from 1.
    pub line: usize,
    /// Whether the template's own text was copied: then line breaks in it are line breaks of the file.
    pub is_literal: bool,
    /// Which of the reads were made for it.
    pub reads: Range<usize>,
    /// Which of the fragments went into it.
    pub inner: Range<usize>,
}

/// A key of a map that was looked up.
#[derive(Debug, Clone)]
pub struct Read {
    /// Which map: see [`Map::identity`].
    pub map: usize,
    /// The key; all of them if absent.
    pub key: Option<Text>,
}

/// A moment of a trace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    fragments: usize,
    reads: usize,
    written: usize,
}

impl Trace {
    /// Takes room for one more note, if there is any.
    fn is_room(&mut self) -> bool {
        self.notes += 1;
        self.notes <= MAX_NOTES
    }

    pub(crate) fn moment(&self, written: usize) -> Moment {
        Moment { fragments: self.fragments.len(), reads: self.reads.len(), written }
    }

    pub(crate) fn begin(&mut self) {
        self.open.push(Vec::new());
    }

    pub(crate) fn end(&mut self, file: &Arc<str>, template: &Arc<str>, text: &[u8]) {
        let spans = self.open.pop().unwrap_or_default();
        self.kept = self.kept.saturating_add(text.len());
        if self.kept < MAX_TEXT && self.is_room() {
            let fragment = Fragment { file: file.clone(), template: template.clone(), text: text.to_vec(), spans };
            self.fragments.push(fragment);
        }
    }

    pub(crate) fn wrote(&mut self, since: Moment, until: usize, source: &Source, pos: u32, is_literal: bool) {
        if until <= since.written || !self.is_room() {
            return;
        }
        let span = Span {
            bytes: since.written..until,
            file: source.name.clone(),
            line: source.position(pos).0,
            is_literal,
            reads: since.reads..self.reads.len(),
            inner: since.fragments..self.fragments.len(),
        };
        if let Some(open) = self.open.last_mut() {
            open.push(span);
        }
    }

    pub(crate) fn read(&mut self, map: &Map, key: Option<&Text>) {
        if self.is_room() {
            self.reads.push(Read { map: map.identity(), key: key.cloned() });
        }
    }

    /// Everything inside a value was read.
    pub(crate) fn read_all(&mut self, value: &Value, depth: usize) {
        const MAX_DEPTH: usize = 100;
        match value {
            Value::Map(map) if depth < MAX_DEPTH => {
                self.read(map, None);
                map.entries().values().for_each(|value| self.read_all(value, depth + 1));
            }
            Value::List(list) if depth < MAX_DEPTH => {
                list.items().iter().for_each(|value| self.read_all(value, depth + 1));
            }
            _ => {}
        }
    }

    /// What a call of a function reads of its arguments.
    pub(crate) fn call(&mut self, name: &str, args: &[Value]) {
        let key = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        match name {
            // These hand on what they are given.
            "include" | "tpl" | "dict" | "list" | "tuple" | "set" | "unset" | "default" | "coalesce" | "ternary"
            | "not" | "empty" | "kindIs" | "kindOf" | "typeOf" | "typeIs" | "typeIsLike" | "len" | "required"
            | "fail" | "first" | "last" | "keys" | "append" | "prepend" | "concat" => {}
            "get" | "hasKey" => {
                if let [Value::Map(map), name, ..] = args {
                    self.read(map, key(name).as_ref());
                }
            }
            "index" => {
                let mut at = args.first().cloned();
                for part in args.iter().skip(1) {
                    at = match (&at, key(part)) {
                        (Some(Value::Map(map)), Some(name)) => {
                            self.read(map, Some(&name));
                            map.get(name.as_bytes())
                        }
                        (Some(Value::List(list)), None) => match part {
                            Value::Int(index, _) => {
                                usize::try_from(*index).ok().and_then(|index| list.items().get(index)).cloned()
                            }
                            _ => None,
                        },
                        _ => None,
                    };
                }
            }
            "dig" => {
                let Some((Value::Map(map), rest)) = args.split_last() else { return };
                let mut at = Some(map.clone());
                for part in rest.iter().take(rest.len().saturating_sub(1)) {
                    let (Some(map), Some(name)) = (at.take(), key(part)) else { return };
                    self.read(&map, Some(&name));
                    at = match map.get(name.as_bytes()) {
                        Some(Value::Map(inner)) => Some(inner),
                        _ => None,
                    };
                }
            }
            _ => args.iter().for_each(|arg| self.read_all(arg, 0)),
        }
    }
}
