//! Tokens to trees.

use std::borrow::Cow;
use std::sync::Arc;

use crate::ast::{Arg, ArgKind, Branch, Call, Command, Node, Number, Pipe, Source, Tree};
use crate::error::Error;
use crate::funcs;
use crate::lex::{Kind, Token, lex};
use crate::quote::unquote;

/// How deep actions and parentheses may nest.
const MAX_DEPTH: usize = 1000;

/// Parses a text: its own tree last, after the templates that it defines.
pub(crate) fn parse(name: Arc<str>, text: Arc<str>) -> Result<Vec<Arc<Tree>>, Error> {
    let source = Arc::new(Source { name: name.clone(), text: text.clone() });
    let mut parser = Parser {
        tokens: lex(&text),
        next: 0,
        furthest: 0,
        source,
        vars: Vec::new(),
        trees: Vec::new(),
        depth: 0,
        action_line: 0,
        ranges: 0,
    };
    parser.file(name)?;
    Ok(parser.trees)
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    /// The last token that was looked at: its line is where errors are reported.
    furthest: usize,
    source: Arc<Source>,
    vars: Vec<Cow<'a, str>>,
    trees: Vec<Arc<Tree>>,
    depth: usize,
    action_line: usize,
    ranges: usize,
}

/// What ended a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    End,
    Else,
}

/// A node, or the end of the list it stood in.
enum Item {
    Node(Node),
    Ending(Ending),
}

impl Ending {
    fn text(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
        }
    }
}

impl<'a> Parser<'a> {
    // === tokens ===

    fn peek(&mut self) -> &Token<'a> {
        let at = self.next.min(self.tokens.len() - 1);
        self.furthest = at;
        &self.tokens[at]
    }

    fn take(&mut self) -> Token<'a> {
        let token = self.peek().clone();
        if self.next < self.tokens.len() - 1 {
            self.next += 1;
        }
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_non_space(&mut self) -> Token<'a> {
        self.skip_space();
        self.take()
    }

    fn peek_non_space(&mut self) -> &Token<'a> {
        self.skip_space();
        self.peek()
    }

    fn error(&self, message: impl std::fmt::Display) -> Error {
        let line = self.tokens[self.furthest].line;
        Error::parse(&self.source.name, line, message.to_string())
    }

    fn unexpected(&self, token: &Token<'_>, context: &str) -> Error {
        if token.kind == Kind::Error {
            let mut extra = String::new();
            if self.action_line != 0 && self.action_line != token.line {
                extra = format!(" in action started at {}:{}", self.source.name, self.action_line);
                if token.text.ends_with(" action") {
                    extra.replace_range(..10, "");
                }
            }
            return self.error(format!("{token}{extra}"));
        }
        self.error(format!("unexpected {token} in {context}"))
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token<'a>, Error> {
        let token = self.take_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(&token, context)) }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error("template is nested too deeply")) } else { Ok(()) }
    }

    // === lists ===

    fn file(&mut self, name: Arc<str>) -> Result<(), Error> {
        self.vars = vec!["$".into()];
        let mut root = Vec::new();
        while self.peek().kind != Kind::Eof {
            if self.peek().kind == Kind::LeftDelim {
                let back = self.next;
                self.take();
                if self.take_non_space().kind == Kind::Define {
                    self.definition()?;
                    continue;
                }
                self.next = back;
            }
            match self.text_or_action()? {
                Item::Node(node) => root.push(node),
                Item::Ending(ending) => return Err(self.error(format!("unexpected {}", ending.text()))),
            }
        }
        self.add(name, root)
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        let token = self.take_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(&token, context));
        }
        let name = self.unquote(&token.text)?;
        self.expect(Kind::RightDelim, context)?;
        self.nested_tree(name, context)
    }

    /// The list of a `define` or `block`, with variables of its own.
    fn nested_tree(&mut self, name: String, context: &str) -> Result<(), Error> {
        let vars = std::mem::replace(&mut self.vars, vec!["$".into()]);
        let ranges = std::mem::take(&mut self.ranges);
        let (root, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {context}", ending.text())));
        }
        self.vars = vars;
        self.ranges = ranges;
        self.add(name.into(), root)
    }

    fn add(&mut self, name: Arc<str>, root: Vec<Node>) -> Result<(), Error> {
        let found = self.trees.iter().position(|tree| tree.name == name);
        let tree = Arc::new(Tree { name: name.clone(), source: self.source.clone(), root: root.into() });
        match found {
            None => self.trees.push(tree),
            Some(index) if self.trees[index].is_empty() => self.trees[index] = tree,
            Some(_) if tree.is_empty() => {}
            Some(_) => return Err(self.error(format!("template: multiple definition of template {}", quoted(&name)))),
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(Vec<Node>, Ending), Error> {
        self.enter()?;
        let mut nodes = Vec::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => nodes.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((nodes, ending));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, Error> {
        let token = self.take_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.pos..token.pos + token.text.len()))),
            Kind::LeftDelim => {
                self.action_line = token.line;
                let item = self.action();
                self.action_line = 0;
                item
            }
            _ => Err(self.unexpected(&token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, Error> {
        let back = self.next;
        let token = self.take_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break | Kind::Continue => self.loop_control(&token)?,
            Kind::Else => return self.otherwise(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            Kind::If => Node::If(self.branch("if", Some(Kind::If))?),
            Kind::Range => Node::Range(self.branch("range", None)?),
            Kind::Template => self.call()?,
            Kind::With => Node::With(self.branch("with", Some(Kind::With))?),
            _ => {
                self.next = back;
                self.skip_space();
                Node::Action(self.pipeline("command", Kind::RightDelim)?)
            }
        };
        Ok(Item::Node(node))
    }

    fn otherwise(&mut self) -> Result<Item, Error> {
        // `{{else if` is `{{else}}{{if`, with one end for both.
        if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Item::Ending(Ending::Else))
    }

    fn loop_control(&mut self, keyword: &Token<'_>) -> Result<Node, Error> {
        let token = self.take_non_space();
        let (name, node) =
            if keyword.kind == Kind::Break { ("break", Node::Break) } else { ("continue", Node::Continue) };
        if token.kind != Kind::RightDelim {
            return Err(self.unexpected(&token, &format!("{{{{{name}}}}}")));
        }
        if self.ranges == 0 {
            return Err(self.error(format!("{{{{{name}}}}} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    fn branch(&mut self, context: &'static str, chained: Option<Kind>) -> Result<Branch, Error> {
        self.enter()?;
        let mark = self.vars.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.ranges += usize::from(context == "range");
        let (list, ending) = self.list()?;
        self.ranges -= usize::from(context == "range");
        let otherwise = if ending == Ending::Else { Some(self.else_list(context, chained)?) } else { None };
        self.vars.truncate(mark);
        self.depth -= 1;
        Ok(Branch { pipe, list, otherwise })
    }

    fn else_list(&mut self, context: &'static str, chained: Option<Kind>) -> Result<Vec<Node>, Error> {
        if chained.is_some_and(|kind| self.peek().kind == kind) {
            self.take();
            let inner = self.branch(context, chained)?;
            return Ok(vec![if context == "if" { Node::If(inner) } else { Node::With(inner) }]);
        }
        let (nodes, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("expected end; found {}", ending.text())));
        }
        Ok(nodes)
    }

    fn block(&mut self) -> Result<Node, Error> {
        let context = "block clause";
        let token = self.take_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.nested_tree(name.clone(), context)?;
        Ok(Node::Template(Call { pos: token.pos, name: name.into(), pipe: Some(pipe) }))
    }

    fn call(&mut self) -> Result<Node, Error> {
        let context = "template clause";
        let token = self.take_non_space();
        let name = self.template_name(&token, context)?;
        let pipe = if self.peek_non_space().kind == Kind::RightDelim {
            self.take();
            None
        } else {
            Some(self.pipeline(context, Kind::RightDelim)?)
        };
        Ok(Node::Template(Call { pos: token.pos, name: name.into(), pipe }))
    }

    fn template_name(&self, token: &Token<'_>, context: &str) -> Result<String, Error> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquote(&token.text),
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn unquote(&self, literal: &str) -> Result<String, Error> {
        let bytes = unquote(literal).map_err(|problem| self.error(problem))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    // === pipelines ===

    fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        self.enter()?;
        let pos = self.peek_non_space().pos;
        let mut pipe = Pipe { pos, assign: false, declared: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.take_non_space();
            match token.kind {
                kind if kind == end => break,
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.next -= 1;
                    let command = self.command()?;
                    pipe.commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        self.check_pipeline(&pipe, context)?;
        self.depth -= 1;
        Ok(pipe)
    }

    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Result<(), Error> {
        while self.peek_non_space().kind == Kind::Variable {
            let back = self.next;
            let variable = self.take();
            let next = self.peek_non_space().clone();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.assign = next.kind == Kind::Assign;
                    self.take();
                    self.vars.push(variable.text.clone());
                    pipe.declared.push(variable.text.as_ref().into());
                    return Ok(());
                }
                Kind::Char if next.text == "," => {
                    self.take();
                    self.vars.push(variable.text.clone());
                    pipe.declared.push(variable.text.as_ref().into());
                    if context != "range" || pipe.declared.len() >= 2 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                        return Err(self.error("range can only initialize variables"));
                    }
                }
                _ => {
                    self.next = back;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check_pipeline(&self, pipe: &Pipe, context: &str) -> Result<(), Error> {
        if pipe.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (index, command) in pipe.commands.iter().enumerate().skip(1) {
            if matches!(
                command.args[0].kind,
                ArgKind::Bool(_) | ArgKind::Dot | ArgKind::Nil | ArgKind::Number(_) | ArgKind::String(..)
            ) {
                return Err(self.error(format!("non executable command in pipeline stage {}", index + 1)));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, Error> {
        let pos = self.peek_non_space().pos;
        let mut args = Vec::new();
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(&token, "operand")),
            }
        }
        if args.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Command { pos, args })
    }

    fn operand(&mut self) -> Result<Option<Arg>, Error> {
        let Some(mut arg) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(arg));
        }
        let pos = self.peek().pos;
        let mut fields = Vec::new();
        while self.peek().kind == Kind::Field {
            fields.push(self.take().text[1..].into());
        }
        match &mut arg.kind {
            ArgKind::Field(own) | ArgKind::Variable(_, own) => {
                own.append(&mut fields);
                arg.pos = pos;
                Ok(Some(arg))
            }
            ArgKind::Bool(_) | ArgKind::String(..) | ArgKind::Number(_) | ArgKind::Nil | ArgKind::Dot => {
                Err(self.error(format!("unexpected . after term {}", quoted(&arg.to_string()))))
            }
            _ => Ok(Some(Arg { pos, kind: ArgKind::Chain(Box::new(arg), fields) })),
        }
    }

    fn term(&mut self) -> Result<Option<Arg>, Error> {
        let token = self.take_non_space();
        let kind = match token.kind {
            Kind::Identifier => match funcs::find(&token.text) {
                Some(function) => ArgKind::Identifier(function),
                None => return Err(self.error(format!("function {} not defined", quoted(&token.text)))),
            },
            Kind::Dot => ArgKind::Dot,
            Kind::Nil => ArgKind::Nil,
            Kind::Variable => {
                if !self.vars.contains(&token.text) {
                    return Err(self.error(format!("undefined variable {}", quoted(&token.text))));
                }
                ArgKind::Variable(token.text.as_ref().into(), Vec::new())
            }
            Kind::Field => ArgKind::Field(vec![token.text[1..].into()]),
            Kind::Bool => ArgKind::Bool(token.text == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                ArgKind::Number(number(&token).map_err(|problem| self.error(problem))?)
            }
            Kind::LeftParen => ArgKind::Pipe(Box::new(self.pipeline("parenthesized pipeline", Kind::RightParen)?)),
            Kind::String | Kind::RawString => {
                let bytes = unquote(&token.text).map_err(|problem| self.error(problem))?;
                ArgKind::String(token.text.as_ref().into(), bytes.into())
            }
            _ => {
                if self.next > 0 && self.tokens[self.next - 1].pos == token.pos {
                    self.next -= 1;
                }
                return Ok(None);
            }
        };
        let pos = match &kind {
            ArgKind::Pipe(pipe) => pipe.pos,
            _ => token.pos,
        };
        Ok(Some(Arg { pos, kind }))
    }
}

fn quoted(text: &str) -> String {
    crate::quote::quote(text.as_bytes())
}

fn number(token: &Token<'_>) -> Result<Number, String> {
    let text = token.text.as_ref();
    let mut number = Number { text: text.into(), int: None, uint: None, float: None, complex: false };
    if token.kind == Kind::CharConstant {
        let bytes = unquote(text).map_err(|_| format!("malformed character constant: {text}"))?;
        let decoded = String::from_utf8_lossy(&bytes).into_owned();
        let mut characters = decoded.chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            return Err(format!("malformed character constant: {text}"));
        };
        let code = u32::from(character);
        number.int = Some(code.into());
        number.uint = Some(code.into());
        number.float = Some(code.into());
        return Ok(number);
    }
    if token.kind == Kind::Complex || text.ends_with('i') {
        number.complex = true;
        return Ok(number);
    }
    let plain = without_underscores(text).ok_or_else(|| format!("illegal number syntax: {}", quoted(text)))?;
    number.uint = kpkg_yaml::number::parse_uint(&plain);
    number.int = kpkg_yaml::number::parse_int(&plain);
    if number.int == Some(0) {
        number.uint = Some(0);
    }
    if let Some(int) = number.int {
        number.float = Some(int as f64);
    } else if let Some(uint) = number.uint {
        number.float = Some(uint as f64);
    } else if let Some(float) = parse_float(&plain) {
        if !plain.contains(['.', 'e', 'E', 'p', 'P']) {
            return Err(format!("integer overflow: {}", quoted(text)));
        }
        number.float = Some(float);
        set_integers(&mut number, float);
    }
    if number.int.is_none() && number.uint.is_none() && number.float.is_none() {
        return Err(format!("illegal number syntax: {}", quoted(text)));
    }
    Ok(number)
}

#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "Go's test of whether a float is an integer")]
fn set_integers(number: &mut Number, float: f64) {
    if (float as i64) as f64 == float {
        number.int = Some(float as i64);
    }
    if float >= 0.0 && (float as u64) as f64 == float {
        number.uint = Some(float as u64);
    }
}

/// Go allows an underscore between digits and after a base prefix.
fn without_underscores(text: &str) -> Option<String> {
    if text.contains("__") || text.ends_with('_') || text.starts_with('_') {
        return None;
    }
    Some(text.replace('_', ""))
}

fn parse_float(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    if lower.contains("0x") { hex_float(&lower) } else { kpkg_yaml::number::parse_float(text) }
}

/// `0x1.8p3`
fn hex_float(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = rest.strip_prefix("0x")?.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars() {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut scale = 1.0 / 16.0;
    for digit in fraction.chars() {
        value += f64::from(digit.to_digit(16)?) * scale;
        scale /= 16.0;
    }
    let value = value * 2_f64.powi(exponent.parse().ok()?);
    Some(if negative { -value } else { value })
}
