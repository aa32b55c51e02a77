//! A parsed template. Names of functions are resolved; variables and fields are found as it runs.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Arc;

use crate::funcs::Function;
use crate::text::Text;

/// A template as it runs, and the file it came from.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The name it is known by.
    pub(crate) name: Arc<str>,
    /// The file, or whatever else was parsed.
    pub(crate) source: Arc<Source>,
    pub(crate) root: Arc<[Node]>,
}

impl Tree {
    /// The same tree, read from a file of another name.
    pub(crate) fn under(self: &Arc<Self>, file: &str) -> Arc<Self> {
        if *self.source.name == *file {
            return self.clone();
        }
        let source = Arc::new(Source { name: file.into(), text: self.source.text.clone() });
        // The file's own tree bears the file's name.
        let name = if self.name == self.source.name { source.name.clone() } else { self.name.clone() };
        Arc::new(Self { name, source, root: self.root.clone() })
    }

    /// Whether it is only blanks: such a definition does not replace another.
    pub(crate) fn is_empty(&self) -> bool {
        is_empty(&self.root, &self.source.text)
    }
}

/// A text that was parsed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<str>,
}

impl Source {
    /// Line from 1 and column from 0, in bytes, as Go counts them.
    pub(crate) fn position(&self, pos: usize) -> (usize, usize) {
        let before = &self.text.as_bytes()[..pos.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        (line, column)
    }
}

#[derive(Debug)]
pub(crate) enum Node {
    /// A part of the source's text.
    Text(Range<usize>),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Call),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: Vec<Node>,
    pub(crate) otherwise: Option<Vec<Node>>,
}

/// `{{template "name" pipe}}`
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) pos: usize,
    pub(crate) name: Arc<str>,
    pub(crate) pipe: Option<Pipe>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) pos: usize,
    pub(crate) assign: bool,
    pub(crate) declared: Vec<Arc<str>>,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pos: usize,
    pub(crate) args: Vec<Arg>,
}

#[derive(Debug)]
pub(crate) struct Arg {
    pub(crate) pos: usize,
    pub(crate) kind: ArgKind,
}

#[derive(Debug)]
pub(crate) enum ArgKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// The literal as written, and what it says.
    String(Box<str>, Text),
    Field(Vec<Text>),
    Variable(Arc<str>, Vec<Text>),
    Chain(Box<Arg>, Vec<Text>),
    Identifier(&'static Function),
    Pipe(Box<Pipe>),
}

/// A number may be of several types at once; its use decides.
#[derive(Debug, Clone)]
pub(crate) struct Number {
    pub(crate) text: Box<str>,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: bool,
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.declared.is_empty() {
            f.write_str(&self.declared.join(", "))?;
            f.write_str(if self.assign { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match &arg.kind {
                ArgKind::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

fn write_fields(f: &mut Formatter<'_>, fields: &[Text]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{}", field.to_str()))
}

impl Display for Arg {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ArgKind::Dot => f.write_str("."),
            ArgKind::Nil => f.write_str("nil"),
            ArgKind::Bool(value) => write!(f, "{value}"),
            ArgKind::Number(number) => f.write_str(&number.text),
            ArgKind::String(literal, _) => f.write_str(literal),
            ArgKind::Field(fields) => write_fields(f, fields),
            ArgKind::Variable(name, fields) => {
                f.write_str(name)?;
                write_fields(f, fields)
            }
            ArgKind::Chain(arg, fields) => {
                match &arg.kind {
                    ArgKind::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => write!(f, "{arg}")?,
                }
                write_fields(f, fields)
            }
            ArgKind::Identifier(function) => f.write_str(function.name),
            ArgKind::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", crate::quote::quote(self.name.as_bytes()))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

fn is_empty(nodes: &[Node], text: &str) -> bool {
    let is_blank = |range: &Range<usize>| text.as_bytes()[range.clone()].iter().all(u8::is_ascii_whitespace);
    nodes.iter().all(|node| matches!(node, Node::Text(range) if is_blank(range)))
}
