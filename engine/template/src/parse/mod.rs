//! Tokens to trees.

pub(crate) mod number;
mod pipeline;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use self::pipeline::Waiting;
use crate::ast::{Branch, Call, Code, Node, Source, Span, Tree};
use crate::error::Error;
use crate::lex::{Kind, Lexer};
use crate::quote::unquote;

/// How deep actions and parentheses may nest.
const MAX_DEPTH: usize = 1000;

/// Parses a text: its own tree, and the templates that it defines.
pub(crate) fn parse(name: Arc<str>, text: String) -> Result<Vec<Arc<Tree>>, Error> {
    let (code, mut parsed) = parse_all(&[(&name, &text)]);
    let roots = parsed.pop().transpose()?.unwrap_or_default();
    let roots: Vec<_> = roots.into_iter().map(|(name, root)| (Arc::from(name), root)).collect();
    let (source, code) = (Arc::new(Source { name, text: text.into() }), Arc::new(code));
    let tree = |(name, root)| Arc::new(Tree { name, source: source.clone(), code: code.clone(), root });
    Ok(roots.into_iter().map(tree).collect())
}

/// The lists of the templates that a text holds, by name; its own bears the name of its file.
pub(crate) type Roots<'a> = BTreeMap<Cow<'a, str>, Span>;

/// Parses texts, each with the name of its file, until one is wrong: all nodes stand in the same tables.
pub(crate) fn parse_all<'a>(texts: &[(&'a str, &'a str)]) -> (Code, Vec<Result<Roots<'a>, Error>>) {
    let mut parser = Parser::new(texts.iter().map(|(_, text)| text.len()).sum());
    let mut parsed = Vec::with_capacity(texts.len());
    let mut size: usize = 0;
    for (name, text) in texts {
        size = size.saturating_add(text.len());
        parsed.push(if u32::try_from(size).is_ok() {
            parser.parse(name, text)
        } else {
            Err(Error::parse(name, 1, "template is larger than four gigabytes".to_owned()))
        });
        if parsed.last().is_some_and(Result::is_err) {
            break;
        }
    }
    (parser.code, parsed)
}

struct Parser<'a> {
    /// Its token comes next; errors are reported on that one's line.
    lexer: Lexer<'a>,
    name: &'a str,
    /// The variables in scope, those of templates around the one that is being defined included.
    vars: Vec<&'a [u8]>,
    /// How many of them belong to templates around.
    hidden: usize,
    roots: Roots<'a>,
    code: Code,
    /// The nodes of lists that are not complete: the innermost one's come last.
    nodes: Vec<Node>,
    /// Operands and commands that wait for a pipeline in parentheses to end.
    waiting: Waiting,
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
    Eof,
}

impl Ending {
    fn text(self) -> &'static str {
        match self {
            Self::End => "{{end}}",
            Self::Else => "{{else}}",
            Self::Eof => "EOF",
        }
    }
}

impl<'a> Parser<'a> {
    fn new(size: usize) -> Self {
        Self {
            lexer: Lexer::new(""),
            name: "",
            vars: Vec::new(),
            hidden: 0,
            roots: Roots::new(),
            code: Code::with_room(size),
            nodes: Vec::new(),
            waiting: Waiting::default(),
            depth: 0,
            action: None,
            ranges: 0,
        }
    }

    fn parse(&mut self, name: &'a str, text: &'a str) -> Result<Roots<'a>, Error> {
        self.name = name;
        self.lexer = Lexer::new(text);
        self.vars.clear();
        self.vars.push(b"$");
        let ending = self.items(true)?;
        if ending != Ending::Eof {
            return Err(self.error(format!("unexpected {}", ending.text())));
        }
        let root = finish(&mut self.code.nodes, &mut self.nodes, 0);
        self.add(Cow::Borrowed(self.name), root)?;
        Ok(std::mem::take(&mut self.roots))
    }

    // === tokens ===

    fn text(&self, span: Span) -> &'a str {
        &self.lexer.text()[span.range()]
    }

    #[cold]
    fn error(&self, message: impl std::fmt::Display) -> Error {
        self.error_at(self.lexer.token.start, message)
    }

    #[cold]
    fn error_at(&self, pos: u32, message: impl std::fmt::Display) -> Error {
        Error::parse(self.name, self.lexer.line(pos), message.to_string())
    }

    /// A complaint about the token that comes next.
    #[cold]
    fn unexpected(&self, context: &str) -> Error {
        let shown = self.lexer.shown(self.lexer.token);
        if self.lexer.token.kind != Kind::Error {
            return self.error(format!("unexpected {shown} in {context}"));
        }
        let started = self.action.map(|at| self.lexer.line(at));
        match started.filter(|line| *line != self.lexer.line(self.lexer.token.start)) {
            None => self.error(shown),
            Some(line) => {
                let place = format!(" in action started at {}:{line}", self.name);
                // "unclosed action" says already that it is one.
                let place = if shown.ends_with(" action") { &place[" in action".len()..] } else { &place };
                self.error(format!("{shown}{place}"))
            }
        }
    }

    /// Goes on to a token that must be of some kind.
    fn expect(&mut self, kind: Kind, context: &str) -> Result<(), Error> {
        self.lexer.inside();
        if self.lexer.token.kind == kind { Ok(()) } else { Err(self.unexpected(context)) }
    }

    fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(self.error("template is nested too deeply")) } else { Ok(()) }
    }

    // === lists; what parses an action stops at its closing delimiter ===

    fn list(&mut self) -> Result<(Span, Ending), Error> {
        self.enter()?;
        let mark = self.nodes.len();
        let ending = self.items(false)?;
        if ending == Ending::Eof {
            return Err(self.error("unexpected EOF"));
        }
        self.depth -= 1;
        Ok((finish(&mut self.code.nodes, &mut self.nodes, mark), ending))
    }

    /// Texts and actions up to what ends a list; definitions stand only at the top of a file.
    fn items(&mut self, is_top: bool) -> Result<Ending, Error> {
        loop {
            let text = self.lexer.outside();
            if !text.is_empty() {
                self.nodes.push(Node::Text(text));
            }
            let start = self.lexer.token.start;
            match self.lexer.token.kind {
                Kind::LeftDelim => self.lexer.inside(),
                Kind::Comment => continue,
                Kind::Eof => return Ok(Ending::Eof),
                _ => return Err(self.unexpected("input")),
            }
            if is_top && self.lexer.token.kind == Kind::Define {
                self.definition()?;
                continue;
            }
            self.action = Some(start);
            let ending = self.action()?;
            self.action = None;
            if let Some(ending) = ending {
                return Ok(ending);
            }
        }
    }

    fn definition(&mut self) -> Result<(), Error> {
        let context = "define clause";
        self.lexer.inside();
        let name = self.template_name(context)?;
        self.expect(Kind::RightDelim, context)?;
        self.nested_tree(name, context)
    }

    /// The list of a `define` or `block`, with variables of its own.
    fn nested_tree(&mut self, name: Cow<'a, str>, context: &str) -> Result<(), Error> {
        let ranges = std::mem::take(&mut self.ranges);
        let hidden = std::mem::replace(&mut self.hidden, self.vars.len());
        self.vars.push(b"$");
        let (root, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("unexpected {} in {context}", ending.text())));
        }
        self.vars.truncate(self.hidden);
        self.hidden = hidden;
        self.ranges = ranges;
        self.add(name, root)
    }

    fn add(&mut self, name: Cow<'a, str>, root: Span) -> Result<(), Error> {
        let is_blank = |list| self.code.is_blank(list, self.lexer.text());
        match self.roots.entry(name) {
            Entry::Vacant(vacant) => {
                vacant.insert(root);
            }
            Entry::Occupied(mut known) if is_blank(*known.get()) => {
                known.insert(root);
            }
            Entry::Occupied(_) if is_blank(root) => {}
            Entry::Occupied(known) => {
                let problem = format!("template: multiple definition of template {}", quoted(known.key()));
                return Err(self.error(problem));
            }
        }
        Ok(())
    }

    /// Adds a node, or says that the list ends here.
    fn action(&mut self) -> Result<Option<Ending>, Error> {
        let node = match self.lexer.token.kind {
            Kind::Block => self.block()?,
            Kind::Break => self.loop_control("break", Node::Break)?,
            Kind::Continue => self.loop_control("continue", Node::Continue)?,
            Kind::Else => return self.otherwise(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                return Ok(Some(Ending::End));
            }
            Kind::If => Node::If(self.branch("if", Some(Kind::If))?),
            Kind::Range => Node::Range(self.branch("range", None)?),
            Kind::Template => self.call()?,
            Kind::With => Node::With(self.branch("with", Some(Kind::With))?),
            _ => {
                self.enter()?;
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Node::Action(keep(&mut self.code.pipes, pipe))
            }
        };
        self.nodes.push(node);
        Ok(None)
    }

    /// Stops at the closing delimiter, or at the keyword behind `else`.
    fn otherwise(&mut self) -> Result<Option<Ending>, Error> {
        self.lexer.inside();
        // `{{else if` is `{{else}}{{if`, with one end for both.
        if !matches!(self.lexer.token.kind, Kind::If | Kind::With | Kind::RightDelim) {
            return Err(self.unexpected("else"));
        }
        Ok(Some(Ending::Else))
    }

    fn loop_control(&mut self, name: &str, node: Node) -> Result<Node, Error> {
        self.expect(Kind::RightDelim, &format!("{{{{{name}}}}}"))?;
        if self.ranges == 0 {
            return Err(self.error(format!("{{{{{name}}}}} outside {{{{range}}}}")));
        }
        Ok(node)
    }

    fn branch(&mut self, context: &'static str, chained: Option<Kind>) -> Result<u32, Error> {
        self.enter()?;
        let mark = self.vars.len();
        let pipe = self.next_pipeline(context, Kind::RightDelim)?;
        let is_range = context == "range";
        self.ranges += usize::from(is_range);
        let (list, ending) = self.list()?;
        self.ranges -= usize::from(is_range);
        let otherwise = if ending == Ending::Else { Some(self.else_list(context, chained)?) } else { None };
        self.vars.truncate(mark);
        self.depth -= 1;
        Ok(keep(&mut self.code.branches, Branch { pipe, list, otherwise }))
    }

    fn else_list(&mut self, context: &'static str, chained: Option<Kind>) -> Result<Span, Error> {
        if chained == Some(self.lexer.token.kind) {
            let inner = self.branch(context, chained)?;
            let at = keep(&mut self.code.nodes, if context == "if" { Node::If(inner) } else { Node::With(inner) });
            return Ok(Span { start: at, end: at + 1 });
        }
        if self.lexer.token.kind != Kind::RightDelim {
            return Err(self.unexpected("input"));
        }
        let (nodes, ending) = self.list()?;
        if ending != Ending::End {
            return Err(self.error(format!("expected end; found {}", ending.text())));
        }
        Ok(nodes)
    }

    fn block(&mut self) -> Result<Node, Error> {
        let context = "block clause";
        self.lexer.inside();
        let pos = self.lexer.token.start;
        let name = self.template_name(context)?;
        let pipe = self.next_pipeline(context, Kind::RightDelim)?;
        self.nested_tree(name.clone(), context)?;
        Ok(Node::Template(keep(&mut self.code.calls, Call { pos, name: name.into(), pipe: Some(pipe) })))
    }

    fn call(&mut self) -> Result<Node, Error> {
        let context = "template clause";
        self.lexer.inside();
        let pos = self.lexer.token.start;
        let name = self.template_name(context)?;
        self.lexer.inside();
        let pipe = if self.lexer.token.kind == Kind::RightDelim {
            None
        } else {
            self.enter()?;
            Some(self.pipeline(context, Kind::RightDelim)?)
        };
        Ok(Node::Template(keep(&mut self.code.calls, Call { pos, name: name.into(), pipe })))
    }

    /// What the literal says that must come next.
    fn template_name(&self, context: &str) -> Result<Cow<'a, str>, Error> {
        if !matches!(self.lexer.token.kind, Kind::String | Kind::RawString) {
            return Err(self.unexpected(context));
        }
        let literal = self.text(self.lexer.token.span());
        if self.lexer.token.is_plain() {
            return Ok(Cow::Borrowed(&literal[1..literal.len() - 1]));
        }
        let bytes = unquote(literal).map_err(|problem| self.error(problem))?;
        Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Moves what was gathered since a mark to where complete things are.
fn finish<T: Copy>(complete: &mut Vec<T>, gathered: &mut Vec<T>, mark: usize) -> Span {
    let start = complete.len();
    complete.extend_from_slice(&gathered[mark..]);
    gathered.truncate(mark);
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

#[cfg(test)]
mod tests;
