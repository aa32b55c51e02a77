//! Runs trees: Go's evaluator, with its rules on types, nil and truth.

mod calls;
mod context;
mod fields;
mod operands;

use crate::ast::{Arg, ArgKind, Branch, Call, Command, Node, Pipe, Span, Tree};
use crate::error::{Error, Place};
use crate::format;
use crate::trace::Moment;
use crate::value::{IntKind, Kind, Value};

/// A value and whether Go would hold it in an `interface {}`: nil then has a type, and error texts differ.
#[derive(Clone)]
struct Operand {
    value: Value,
    boxed: bool,
}

impl Operand {
    fn plain(value: Value) -> Self {
        Self { value, boxed: false }
    }

    fn boxed(value: Value) -> Self {
        Self { value, boxed: true }
    }

    /// Go's name of its static type.
    fn type_name(&self) -> &str {
        if self.boxed { "interface {}" } else { self.value.type_name() }
    }
}

/// How a list ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

/// The node to blame.
#[derive(Clone, Copy)]
enum At<'t> {
    Nothing,
    Action(&'t Pipe),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Arg(&'t Arg),
    Call(&'t Call),
}

struct State<'t, 'c> {
    tree: &'t Tree,
    context: &'c mut Context,
    /// What `$` is, unless it was declared anew; most templates have no other variables.
    root: Operand,
    vars: Vec<(&'t str, Operand)>,
    at: At<'t>,
}

/// The variable that holds what a template was given.
const ROOT: &str = "$";

pub(crate) use context::Included;
pub use context::{Context, Limits};

type Run<T> = Result<T, Error>;

/// Executes a tree on a value, writing to `out`.
pub(crate) fn execute(tree: &Tree, dot: &Value, out: &mut Vec<u8>, context: &mut Context) -> Run<()> {
    if let Some(trace) = &mut context.trace {
        trace.begin();
    }
    let dot = Operand::plain(dot.clone());
    let mut state = State { tree, context, root: dot.clone(), vars: Vec::new(), at: At::Nothing };
    let result = state.walk(&dot, tree.root, out).map(|_| ());
    if let Some(trace) = &mut context.trace {
        trace.end(&tree.source.name, &tree.name, out);
    }
    result
}

impl<'t> State<'t, '_> {
    // === errors ===

    fn error(&self, problem: &str) -> Error {
        self.error_with(problem, None)
    }

    fn error_with(&self, problem: &str, cause: Option<Error>) -> Error {
        let (pos, expression) = match self.at {
            At::Nothing => (0, String::new()),
            At::Action(pipe) => (pipe.pos, format!("{{{{{}}}}}", self.tree.show(pipe))),
            At::Pipe(pipe) => (pipe.pos, self.tree.show(pipe).to_string()),
            At::Command(command) => (command.pos, self.tree.show(command).to_string()),
            At::Arg(arg) => (self.tree.pos(arg), self.tree.show(arg).to_string()),
            At::Call(call) => (call.pos, self.tree.show(call).to_string()),
        };
        let source = &self.tree.source;
        let (line, column) = source.position(pos);
        let source_line = source.text.lines().nth(line - 1).unwrap_or_default().to_owned();
        let place = Place {
            file: source.name.clone(),
            template: self.tree.name.clone(),
            line,
            column,
            expression,
            source_line: source_line.clone(),
        };
        Error::execution(place, problem, cause).with_source_line(source_line)
    }

    // === nodes ===

    /// A part of the source's text.
    fn text(&self, span: Span) -> &'t str {
        &self.tree.source.text[span.range()]
    }

    /// The same as bytes: where a character begins need not be looked at.
    fn bytes(&self, span: Span) -> &'t [u8] {
        &self.tree.source.text.as_bytes()[span.range()]
    }

    fn walk(&mut self, dot: &Operand, nodes: Span, out: &mut Vec<u8>) -> Run<Flow> {
        let code = &self.tree.code;
        for node in &code.nodes[nodes.range()] {
            if let Err(problem) = self.context.step() {
                return Err(self.error(problem));
            }
            let flow = match node {
                Node::Text(span) => {
                    let start = self.moment(out);
                    self.write(self.bytes(*span), out)?;
                    self.wrote(start, span.start, true, out);
                    Flow::On
                }
                Node::Action(pipe) => {
                    let pipe = &code.pipes[*pipe as usize];
                    let start = self.moment(out);
                    self.action(dot, pipe, out)?;
                    self.wrote(start, pipe.pos, false, out);
                    Flow::On
                }
                Node::If(branch) => self.if_or_with(dot, &code.branches[*branch as usize], false, out)?,
                Node::With(branch) => self.if_or_with(dot, &code.branches[*branch as usize], true, out)?,
                Node::Range(branch) => {
                    let mark = self.vars.len();
                    let flow = self.range(dot, &code.branches[*branch as usize], out);
                    self.vars.truncate(mark);
                    flow?
                }
                Node::Template(call) => {
                    self.template(dot, &code.calls[*call as usize], out)?;
                    Flow::On
                }
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    /// Where a trace stands; nothing unless something is to be remembered.
    fn moment(&self, out: &[u8]) -> Option<Moment> {
        self.context.trace.as_ref().map(|trace| trace.moment(out.len()))
    }

    fn wrote(&mut self, start: Option<Moment>, pos: u32, is_literal: bool, out: &[u8]) {
        if let (Some(trace), Some(start)) = (&mut self.context.trace, start) {
            trace.wrote(start, out.len(), &self.tree.source, pos, is_literal);
        }
    }

    fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Run<()> {
        self.context
            .spend(bytes.len())
            .map_err(|failure| self.error_with(failure.0.text(), Some(failure.0.clone())))?;
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn action(&mut self, dot: &Operand, pipe: &'t Pipe, out: &mut Vec<u8>) -> Run<()> {
        let value = self.pipeline(dot, pipe)?;
        if !pipe.declared.is_empty() {
            return Ok(());
        }
        self.at = At::Action(pipe);
        match &value.value {
            Value::String(text) => self.write(text.as_bytes(), out),
            Value::Nil => self.write(b"<no value>", out),
            other => {
                crate::weight::check(std::slice::from_ref(other))
                    .map_err(|failure| self.error_with(failure.0.text(), Some(failure.0.clone())))?;
                if let Some(trace) = &mut self.context.trace {
                    trace.read_all(other, 0);
                }
                let text = format::show(other).map_err(|problem| self.error(problem))?;
                self.write(&text, out)
            }
        }
    }

    fn if_or_with(&mut self, dot: &Operand, branch: &'t Branch, with: bool, out: &mut Vec<u8>) -> Run<Flow> {
        let mark = self.vars.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = if value.value.truth() {
            self.walk(if with { &value } else { dot }, branch.list, out)
        } else if let Some(otherwise) = branch.otherwise {
            self.walk(dot, otherwise, out)
        } else {
            Ok(Flow::On)
        };
        self.vars.truncate(mark);
        flow
    }

    fn range(&mut self, dot: &Operand, branch: &'t Branch, out: &mut Vec<u8>) -> Run<Flow> {
        let value = self.pipeline(dot, &branch.pipe)?.value;
        let mut ran = false;
        let mut each = |state: &mut Self, index: Value, item: Operand| -> Run<bool> {
            ran = true;
            state.iteration(branch, Operand::plain(index), item, out)
        };
        match &value {
            Value::Nil => {}
            Value::List(list) => {
                let boxed = list.kind == crate::value::ListKind::Any;
                for (index, item) in list.items().iter().enumerate() {
                    if !each(self, Value::count(index), Operand { value: item.clone(), boxed })? {
                        break;
                    }
                }
            }
            Value::Bytes(bytes) => {
                for (index, byte) in bytes.as_bytes().iter().enumerate() {
                    let item = Value::Int(i64::from(*byte), IntKind::Uint8);
                    if !each(self, Value::count(index), Operand::plain(item))? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                let boxed = !map.kind.is_of_strings();
                let entries: Vec<_> = map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                for (key, value) in entries {
                    if !each(self, Value::String(key), Operand { value, boxed })? {
                        break;
                    }
                }
            }
            Value::Int(count, kind) => {
                if self.tree.code.declared(&branch.pipe).len() > 1 {
                    let problem = format!("can't use {count} to iterate over more than one variable");
                    return Err(self.error(&problem));
                }
                for index in 0..*count {
                    if !each(self, Value::Nil, Operand::plain(Value::Int(index, *kind)))? {
                        break;
                    }
                }
            }
            Value::Object(object) => {
                if let Some(entries) = object.entries() {
                    for (key, value) in entries {
                        if !each(self, Value::String(key), Operand::plain(value))? {
                            break;
                        }
                    }
                } else if let Some(items) = object.items() {
                    for (index, item) in items.into_iter().enumerate() {
                        if !each(self, Value::count(index), Operand::plain(item))? {
                            break;
                        }
                    }
                } else {
                    return Err(self.cannot_range(&value));
                }
            }
            _ => return Err(self.cannot_range(&value)),
        }
        match branch.otherwise {
            Some(otherwise) if !ran => self.walk(dot, otherwise, out),
            _ => Ok(Flow::On),
        }
    }

    fn cannot_range(&self, value: &Value) -> Error {
        let text = match value {
            Value::Object(pointer) if pointer.kind() == Kind::Ptr => pointer.show(),
            other => format::text(other),
        };
        self.error(&format!("range can't iterate over {text}"))
    }

    /// One turn of a loop; `false` if it was the last.
    fn iteration(&mut self, branch: &'t Branch, index: Operand, item: Operand, out: &mut Vec<u8>) -> Run<bool> {
        if let Err(problem) = self.context.step() {
            return Err(self.error(problem));
        }
        let declared = self.tree.code.declared(&branch.pipe);
        if branch.pipe.assign {
            match *declared {
                [only] => self.assign(self.text(only), item.clone())?,
                [first, second] => {
                    self.assign(self.text(first), index)?;
                    self.assign(self.text(second), item.clone())?;
                }
                _ => {}
            }
        } else {
            let top = self.vars.len();
            if !declared.is_empty() {
                self.vars[top - 1].1 = item.clone();
            }
            if declared.len() > 1 {
                self.vars[top - 2].1 = index;
            }
        }
        let mark = self.vars.len();
        let flow = self.walk(&item, branch.list, out)?;
        self.vars.truncate(mark);
        Ok(flow != Flow::Break)
    }

    fn template(&mut self, dot: &Operand, call: &'t Call, out: &mut Vec<u8>) -> Run<()> {
        self.at = At::Call(call);
        let Some(tree) = self.context.set.get(&call.name) else {
            if let Some(jinja) = self.context.set.jinja_of(&call.name) {
                let dot = self.called_with(dot, call)?;
                let (jinja, path) = jinja;
                let text = jinja
                    .render(&path, &dot.value, self.context)
                    .map_err(|error| self.error_with(error.text(), Some(error.clone())))?;
                return self.write(&text, out);
            }
            let name = crate::quote::quote(call.name.as_bytes());
            return Err(self.error(&format!("template {name} not defined")));
        };
        let dot = self.called_with(dot, call)?;
        let mut inner =
            State { tree: &tree, context: &mut *self.context, root: dot.clone(), vars: Vec::new(), at: At::Nothing };
        inner.walk(&dot, tree.root, out).map(|_| ())
    }

    fn called_with(&mut self, dot: &Operand, call: &'t Call) -> Run<Operand> {
        call.pipe.as_ref().map_or_else(|| Ok(Operand::plain(Value::Nil)), |pipe| self.pipeline(dot, pipe))
    }

    // === pipelines ===

    fn pipeline(&mut self, dot: &Operand, pipe: &'t Pipe) -> Run<Operand> {
        self.at = At::Pipe(pipe);
        let mut commands = self.tree.code.commands(pipe).iter();
        let Some(first) = commands.next() else { return Ok(Operand::plain(Value::Nil)) };
        let mut value = self.command(dot, first, None)?;
        value.boxed = false;
        for command in commands {
            value = self.command(dot, command, Some(value))?;
            value.boxed = false;
        }
        if !pipe.declared.is_empty() {
            self.declare(pipe, &value)?;
        }
        Ok(value)
    }

    fn declare(&mut self, pipe: &'t Pipe, value: &Operand) -> Run<()> {
        for name in self.tree.code.declared(pipe) {
            let name = self.text(*name);
            if pipe.assign {
                self.assign(name, value.clone())?;
            } else {
                self.vars.push((name, value.clone()));
            }
        }
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Operand) -> Run<()> {
        match self.vars.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None if name == ROOT => {
                self.root = value;
                Ok(())
            }
            None => Err(self.error(&format!("undefined variable: {name}"))),
        }
    }

    fn command(&mut self, dot: &Operand, command: &'t Command, last: Option<Operand>) -> Run<Operand> {
        let args = self.tree.code.args(command);
        let first = &args[0];
        match first.kind {
            ArgKind::Field(fields) => self.field_chain(dot, dot, first, self.bytes(fields), args, last),
            ArgKind::Chain(inner, end) => self.chain(dot, first, inner, end, args, last),
            ArgKind::Identifier(function) => {
                self.at = At::Arg(first);
                self.call_function(dot, function.get(), At::Command(command), &args[1..], last)
            }
            ArgKind::Pipe(pipe) => {
                self.not_a_function(args, last.as_ref())?;
                self.pipeline(dot, &self.tree.code.pipes[pipe as usize])
            }
            ArgKind::Variable(name) => {
                self.at = At::Arg(first);
                let value = self.variable(self.text(name))?;
                self.not_a_function(args, last.as_ref())?;
                Ok(value)
            }
            ArgKind::VariableField(span) => self.variable_field(dot, first, span, args, last),
            constant => {
                self.at = At::Arg(first);
                self.not_a_function(args, last.as_ref())?;
                match constant {
                    ArgKind::Dot => Ok(dot.clone()),
                    ArgKind::Nil => Err(self.error("nil is not a command")),
                    _ => self.operand(dot, first),
                }
            }
        }
    }

    fn not_a_function(&self, args: &'t [Arg], last: Option<&Operand>) -> Run<()> {
        if args.len() > 1 || last.is_some() {
            let word = self.tree.show(&args[0]);
            return Err(self.error(&format!("can't give argument to non-function {word}")));
        }
        Ok(())
    }
}
