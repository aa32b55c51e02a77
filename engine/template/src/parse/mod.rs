//! Tokens to trees.

mod number;
mod pipeline;

use std::sync::Arc;

use crate::ast::{Arg, Branch, Call, Code, Command, Node, Source, Span, Tree};
use crate::error::Error;
use crate::lex::{Kind, Lexer, Token};
use crate::quote::unquote;

/// How deep actions and parentheses may nest.
const MAX_DEPTH: usize = 1000;

/// Parses a text: its own tree last, after the templates that it defines.
pub(crate) fn parse(name: Arc<str>, text: Arc<str>) -> Result<Vec<Arc<Tree>>, Error> {
    if u32::try_from(text.len()).is_err() {
        return Err(Error::parse(&name, 1, "template is larger than four gigabytes".to_owned()));
    }
    let mut parser = Parser {
        lexer: Lexer::new(&text),
        next: 0,
        last: 0,
        name: &name,
        vars: Vec::new(),
        roots: Vec::new(),
        code: Code::default(),
        nodes: Vec::new(),
        commands: Vec::new(),
        args: Vec::new(),
        depth: 0,
        action: None,
        ranges: 0,
    };
    parser.file()?;
    let (code, roots) = (Arc::new(parser.code), parser.roots);
    let source = Arc::new(Source { name, text });
    let tree = |(name, root)| Arc::new(Tree { name, source: source.clone(), code: code.clone(), root });
    Ok(roots.into_iter().map(tree).collect())
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// Which of the lexer's tokens comes next.
    next: usize,
    /// Where the last token is that was looked at: errors are reported on its line.
    last: u32,
    name: &'a Arc<str>,
    vars: Vec<&'a str>,
    roots: Vec<(Arc<str>, Span)>,
    /// What is complete.
    code: Code,
    // What belongs to lists, pipelines and commands that are not: the innermost ones' come last.
    nodes: Vec<Node>,
    commands: Vec<Command>,
    args: Vec<Arg>,
    depth: usize,
    /// Where the action begins that is being parsed.
    action: Option<u32>,
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

    fn peek(&mut self) -> Token {
        if self.next >= self.lexer.tokens.len() {
            self.lexer.advance();
            self.next = 0;
        }
        let token = self.lexer.tokens[self.next];
        self.last = token.span.start;
        token
    }

    fn take(&mut self) -> Token {
        let token = self.peek();
        // The last token stays.
        if !self.lexer.is_done() || self.next + 1 < self.lexer.tokens.len() {
            self.next += 1;
        }
        token
    }

    fn skip_space(&mut self) {
        while self.peek().kind == Kind::Space {
            self.next += 1;
        }
    }

    fn take_non_space(&mut self) -> Token {
        self.skip_space();
        self.take()
    }

    fn peek_non_space(&mut self) -> Token {
        self.skip_space();
        self.peek()
    }

    fn text(&self, token: Token) -> &'a str {
        self.lexer.slice(token.span)
    }

    fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::parse(self.name, self.lexer.line(self.last), message.to_string())
    }

    fn unexpected(&self, token: Token, context: &str) -> Error {
        let shown = self.lexer.shown(token);
        if token.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        let started = self.action.map(|at| self.lexer.line(at));
        match started.filter(|line| *line != self.lexer.line(token.span.start)) {
            None => self.error(shown),
            Some(line) => {
                let place = format!(" in action started at {}:{line}", self.name);
                // "unclosed action" says already that it is one.
                let place = if shown.ends_with(" action") { &place[" in action".len()..] } else { &place };
                self.error(format!("{shown}{place}"))
            }
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<Token, Error> {
        let token = self.take_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error("template is nested too deeply")) } else { Ok(()) }
    }

    // === lists ===

    fn file(&mut self) -> Result<(), Error> {
        self.vars = vec!["$"];
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
                Item::Node(node) => self.nodes.push(node),
                Item::Ending(ending) => return Err(self.error(format!("unexpected {}", ending.text()))),
            }
        }
        let root = finish(&mut self.code.nodes, &mut self.nodes, 0);
        self.add(self.name.clone(), root)
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        let token = self.take_non_space();
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(token, context));
        }
        let name = self.unquote(token)?;
        self.expect(Kind::RightDelim, context)?;
        self.nested_tree(&name, context)
    }

    /// The list of a `define` or `block`, with variables of its own.
    fn nested_tree(&mut self, name: &str, context: &str) -> Result<(), Error> {
        let vars = std::mem::replace(&mut self.vars, vec!["$"]);
        let ranges = std::mem::take(&mut self.ranges);
        let (root, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {context}", ending.text())));
        }
        self.vars = vars;
        self.ranges = ranges;
        self.add(name.into(), root)
    }

    fn add(&mut self, name: Arc<str>, root: Span) -> Result<(), Error> {
        let found = self.roots.iter().position(|(known, _)| *known == name);
        match found {
            None => self.roots.push((name, root)),
            Some(index) if self.is_blank(self.roots[index].1) => self.roots[index].1 = root,
            Some(_) if self.is_blank(root) => {}
            Some(_) => return Err(self.error(format!("template: multiple definition of template {}", quoted(&name)))),
        }
        Ok(())
    }

    fn is_blank(&self, list: Span) -> bool {
        self.code.is_blank(list, self.lexer.text())
    }

    fn list(&mut self) -> Result<(Span, Ending), Error> {
        self.enter()?;
        let mark = self.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => self.nodes.push(node),
                Item::Ending(ending) => {
                    self.depth -= 1;
                    return Ok((finish(&mut self.code.nodes, &mut self.nodes, mark), ending));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, Error> {
        let token = self.take_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.span))),
            Kind::LeftDelim => {
                self.action = Some(token.span.start);
                let item = self.action();
                self.action = None;
                item
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, Error> {
        let back = self.next;
        let token = self.take_non_space();
        let node = match token.kind {
            Kind::Block => self.block()?,
            Kind::Break | Kind::Continue => self.loop_control(token)?,
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

    fn loop_control(&mut self, keyword: Token) -> Result<Node, Error> {
        let token = self.take_non_space();
        let (name, node) =
            if keyword.kind == Kind::Break { ("break", Node::Break) } else { ("continue", Node::Continue) };
        if token.kind != Kind::RightDelim {
            return Err(self.unexpected(token, &format!("{{{{{name}}}}}")));
        }
        if self.ranges == 0 {
            return Err(self.error(format!("{{{{{name}}}}} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    fn branch(&mut self, context: &'static str, chained: Option<Kind>) -> Result<u32, Error> {
        self.enter()?;
        let mark = self.vars.len();
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.ranges += usize::from(context == "range");
        let (list, ending) = self.list()?;
        self.ranges -= usize::from(context == "range");
        let otherwise = if ending == Ending::Else { Some(self.else_list(context, chained)?) } else { None };
        self.vars.truncate(mark);
        self.depth -= 1;
        Ok(keep(&mut self.code.branches, Branch { pipe, list, otherwise }))
    }

    fn else_list(&mut self, context: &'static str, chained: Option<Kind>) -> Result<Span, Error> {
        if chained.is_some_and(|kind| self.peek().kind == kind) {
            self.take();
            let inner = self.branch(context, chained)?;
            let at = keep(&mut self.code.nodes, if context == "if" { Node::If(inner) } else { Node::With(inner) });
            return Ok(Span { start: at, end: at + 1 });
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
        let name = self.template_name(token, context)?;
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        self.nested_tree(&name, context)?;
        let call = Call { pos: token.span.start, name: name.into(), pipe: Some(pipe) };
        Ok(Node::Template(keep(&mut self.code.calls, call)))
    }

    fn call(&mut self) -> Result<Node, Error> {
        let context = "template clause";
        let token = self.take_non_space();
        let name = self.template_name(token, context)?;
        let pipe = if self.peek_non_space().kind == Kind::RightDelim {
            self.take();
            None
        } else {
            Some(self.pipeline(context, Kind::RightDelim)?)
        };
        Ok(Node::Template(keep(&mut self.code.calls, Call { pos: token.span.start, name: name.into(), pipe })))
    }

    fn template_name(&self, token: Token, context: &str) -> Result<String, Error> {
        match token.kind {
            Kind::String | Kind::RawString => self.unquote(token),
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn unquote(&self, literal: Token) -> Result<String, Error> {
        let bytes = unquote(self.text(literal)).map_err(|problem| self.error(problem))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Moves what was gathered since a mark to where complete things are.
fn finish<T>(complete: &mut Vec<T>, gathered: &mut Vec<T>, mark: usize) -> Span {
    let start = complete.len();
    complete.extend(gathered.drain(mark..));
    Span::new(start, complete.len())
}

/// Adds a thing, and says which one it is.
fn keep<T>(complete: &mut Vec<T>, thing: T) -> u32 {
    complete.push(thing);
    Span::new(complete.len() - 1, complete.len()).start
}

fn quoted(text: &str) -> String {
    crate::quote::quote(text.as_bytes())
}
