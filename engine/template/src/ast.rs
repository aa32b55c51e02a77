//! A parsed template. Names of functions are resolved; variables and fields are found as it runs.
//!
//! Large charts have hundreds of thousands of nodes. All nodes of many texts stand in a few tables ([`Code`]), and names
//! are places in the text: what a template costs in time and memory is its text and little more.

use std::fmt::{self, Display, Formatter};
use std::ops::Range;
use std::sync::Arc;

use crate::funcs::FunctionId;

/// A stretch of a text, or of one of the tables of [`Code`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The parser takes no more than four gigabytes of text at once, so the tables of nodes have fewer rows.
    #[expect(clippy::cast_possible_truncation, reason = "the parser looks at lengths once, not at every place")]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A template as it runs, and the file it came from.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The name it is known by.
    pub(crate) name: Arc<str>,
    /// The file, or whatever else was parsed.
    pub(crate) source: Arc<Source>,
    /// The nodes of this template and of others.
    pub(crate) code: Arc<Code>,
    /// This template's own, among [`Code::nodes`].
    pub(crate) root: Span,
}

impl Tree {
    /// Whether it is only blanks: such a definition does not replace another.
    pub(crate) fn is_empty(&self) -> bool {
        self.code.is_blank(self.root, &self.source.text)
    }

    /// Where Go says that an argument stands: several fields at the second of them.
    pub(crate) fn pos(&self, arg: &Arg) -> u32 {
        match arg.kind {
            ArgKind::Field(Span { start, end }) => {
                let names = start + 1..end;
                let dot = names.clone().find(|at| self.source.text.as_bytes()[*at as usize] == b'.');
                dot.unwrap_or(start)
            }
            _ => arg.pos,
        }
    }

    /// What a node looks like.
    pub(crate) fn show<'t, T>(&'t self, node: &'t T) -> Shown<'t, T> {
        Shown { text: &self.source.text, code: &self.code, node }
    }
}

/// A text that was parsed.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: Arc<String>,
}

impl Source {
    /// Line from 1 and column from 0, in bytes, as Go counts them.
    pub(crate) fn position(&self, pos: u32) -> (usize, usize) {
        let before = &self.text.as_bytes()[..(pos as usize).min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count();
        (line, column)
    }
}

/// The nodes of one or several texts. Those of a list, a pipeline or a command stand side by side.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) nodes: Vec<Node>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) calls: Vec<Call>,
    /// Pipelines that are actions, or in parentheses; others stand in their nodes.
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) commands: Vec<Command>,
    pub(crate) args: Vec<Arg>,
    pub(crate) numbers: Vec<Number>,
    /// Variables that pipelines declare or assign.
    pub(crate) declared: Vec<Span>,
}

impl Code {
    /// Tables with room for what texts of so many bytes mostly hold: they rarely have to move, and memory that is not
    /// written to costs nothing.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(bytes / 64),
            branches: Vec::with_capacity(bytes / 256),
            calls: Vec::new(),
            pipes: Vec::with_capacity(bytes / 96),
            commands: Vec::with_capacity(bytes / 64),
            args: Vec::with_capacity(bytes / 32),
            numbers: Vec::with_capacity(bytes / 512),
            declared: Vec::with_capacity(bytes / 512),
        }
    }

    pub(crate) fn commands(&self, pipe: &Pipe) -> &[Command] {
        &self.commands[pipe.commands.range()]
    }

    pub(crate) fn args(&self, command: &Command) -> &[Arg] {
        &self.args[command.args.range()]
    }

    pub(crate) fn declared(&self, pipe: &Pipe) -> &[Span] {
        &self.declared[pipe.declared.range()]
    }

    /// Whether a list of nodes is nothing but blanks.
    pub(crate) fn is_blank(&self, list: Span, text: &str) -> bool {
        let is_blank = |span: Span| text.as_bytes()[span.range()].iter().all(u8::is_ascii_whitespace);
        self.nodes[list.range()].iter().all(|node| matches!(node, Node::Text(span) if is_blank(*span)))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Node {
    /// A part of the source's text.
    Text(Span),
    /// One of [`Code::pipes`].
    Action(u32),
    /// One of [`Code::branches`].
    If(u32),
    With(u32),
    Range(u32),
    /// One of [`Code::calls`].
    Template(u32),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) pipe: Pipe,
    pub(crate) list: Span,
    pub(crate) otherwise: Option<Span>,
}

/// `{{template "name" pipe}}`
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) pos: u32,
    pub(crate) name: Box<str>,
    pub(crate) pipe: Option<Pipe>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipe {
    pub(crate) pos: u32,
    pub(crate) assign: bool,
    /// Part of [`Code::declared`].
    pub(crate) declared: Span,
    /// Part of [`Code::commands`].
    pub(crate) commands: Span,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Command {
    pub(crate) pos: u32,
    /// Part of [`Code::args`].
    pub(crate) args: Span,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Arg {
    /// Where messages say that it stands, unless it is a field: see [`Tree::pos`].
    pub(crate) pos: u32,
    pub(crate) kind: ArgKind,
}

/// Spans are of the text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ArgKind {
    Dot,
    Nil,
    Bool(bool),
    /// One of [`Code::numbers`].
    Number(u32),
    /// A literal that says what stands between its quotes.
    Plain(Span),
    /// A literal with escapes.
    Escaped(Span),
    /// `.a.b`
    Field(Span),
    /// `$x`
    Variable(Span),
    /// `$x.a.b`; [`Arg::pos`] is the first dot.
    VariableField(Span),
    /// Fields of what one of [`Code::args`] gives, from [`Arg::pos`] to here.
    Chain(u32, u32),
    Identifier(FunctionId),
    /// One of [`Code::pipes`].
    Pipe(u32),
}

impl ArgKind {
    /// Whether it stands for itself: such a thing has no fields, and takes no argument.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Dot | Self::Nil | Self::Number(_) | Self::Plain(_) | Self::Escaped(_))
    }
}

/// A number may be of several types at once; its use decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    /// Where it stands in its text.
    pub(crate) span: Span,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: bool,
}

/// A node as messages show it.
pub(crate) struct Shown<'t, T> {
    text: &'t str,
    code: &'t Code,
    node: &'t T,
}

impl<'t, T> Shown<'t, T> {
    pub(crate) fn new(text: &'t str, code: &'t Code, node: &'t T) -> Self {
        Self { text, code, node }
    }

    fn other<U>(&self, node: &'t U) -> Shown<'t, U> {
        Shown { text: self.text, code: self.code, node }
    }
}

impl Display for Shown<'_, Pipe> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let declared = self.code.declared(self.node);
        for (index, name) in declared.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", &self.text[name.range()])?;
        }
        if !declared.is_empty() {
            f.write_str(if self.node.assign { " = " } else { " := " })?;
        }
        for (index, command) in self.code.commands(self.node).iter().enumerate() {
            let bar = if index > 0 { " | " } else { "" };
            write!(f, "{bar}{}", self.other(command))?;
        }
        Ok(())
    }
}

impl Display for Shown<'_, Command> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.code.args(self.node).iter().enumerate() {
            let space = if index > 0 { " " } else { "" };
            f.write_str(space)?;
            self.other(arg).write_operand(f)?;
        }
        Ok(())
    }
}

impl Shown<'_, Arg> {
    /// As part of something larger: pipelines in parentheses.
    fn write_operand(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.node.kind {
            ArgKind::Pipe(_) => write!(f, "({self})"),
            _ => write!(f, "{self}"),
        }
    }
}

impl Display for Shown<'_, Arg> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.node.kind {
            ArgKind::Dot => f.write_str("."),
            ArgKind::Nil => f.write_str("nil"),
            ArgKind::Bool(value) => write!(f, "{value}"),
            ArgKind::Number(number) => f.write_str(&self.text[self.code.numbers[number as usize].span.range()]),
            ArgKind::Plain(span)
            | ArgKind::Escaped(span)
            | ArgKind::Field(span)
            | ArgKind::Variable(span)
            | ArgKind::VariableField(span) => f.write_str(&self.text[span.range()]),
            ArgKind::Chain(inner, end) => {
                self.other(&self.code.args[inner as usize]).write_operand(f)?;
                f.write_str(&self.text[Span { start: self.node.pos, end }.range()])
            }
            ArgKind::Identifier(function) => f.write_str(function.get().name),
            ArgKind::Pipe(pipe) => self.other(&self.code.pipes[pipe as usize]).fmt(f),
        }
    }
}

impl Display for Shown<'_, Call> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", crate::quote::quote(self.node.name.as_bytes()))?;
        if let Some(pipe) = &self.node.pipe {
            write!(f, " {}", self.other(pipe))?;
        }
        f.write_str("}}")
    }
}
