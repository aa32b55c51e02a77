//! Tokens to nodes: calls a [`Sink`] for every node of one document.

use std::borrow::Cow;

use crate::error::Error;
use crate::scanner::{Kind, Mark, Scanner, Style, Token};

/// What stands before a node.
#[derive(Debug, Clone, Default)]
pub struct Properties<'a> {
    /// The name that aliases may use.
    pub anchor: Option<&'a str>,
    /// The full tag, empty if there is none.
    pub tag: String,
}

/// A scalar as written.
#[derive(Debug, Clone)]
pub struct Scalar<'a> {
    /// Its text, unfolded and unescaped.
    pub text: Cow<'a, str>,
    /// How it was written.
    pub style: Style,
    /// Whether its meaning is to be resolved from the text.
    pub implicit: bool,
}

/// Takes the nodes of a document in order.
pub trait Sink<'a> {
    /// An alias.
    fn alias(&mut self, name: &'a str, mark: Mark) -> Result<(), Error>;
    /// A scalar.
    fn scalar(&mut self, properties: Properties<'a>, scalar: Scalar<'a>, mark: Mark) -> Result<(), Error>;
    /// A sequence begins.
    fn begin_sequence(&mut self, properties: Properties<'a>, mark: Mark) -> Result<(), Error>;
    /// A mapping begins; keys and values follow in turn.
    fn begin_mapping(&mut self, properties: Properties<'a>, mark: Mark) -> Result<(), Error>;
    /// The innermost collection ends.
    fn end(&mut self) -> Result<(), Error>;
    /// Whether the next node is left out. If so, it may be told as a sequence, of only some of its parts.
    fn is_skipping(&self) -> bool {
        false
    }
}

/// Reads the documents of a text, one at a time.
pub struct Parser<'a> {
    scanner: Scanner<'a>,
    tags: Vec<(String, String)>,
    first: bool,
    open: Vec<State>,
}

/// An open collection, and what comes next in it.
#[derive(Debug, Clone, Copy)]
enum State {
    BlockSequence(Mark),
    IndentlessSequence,
    BlockKey(Mark),
    BlockValue(Mark),
    FlowSequence { start: Mark, first: bool },
    PairValue(Mark),
    PairEnd,
    FlowKey { start: Mark, first: bool },
    FlowValue(Mark),
    FlowNoValue(Mark),
}

impl<'a> Parser<'a> {
    /// A parser of a text.
    pub fn new(text: &'a str) -> Self {
        Self { scanner: Scanner::new(text), tags: Vec::new(), first: true, open: Vec::new() }
    }

    /// Parses the next document into the sink; `false` at the end of the text.
    pub fn document(&mut self, sink: &mut impl Sink<'a>) -> Result<bool, Error> {
        if !self.first {
            while matches!(self.scanner.peek()?.kind, Kind::DocumentEnd) {
                self.scanner.next()?;
            }
        }
        let implicit = self.first
            && !matches!(
                self.scanner.peek()?.kind,
                Kind::VersionDirective { .. } | Kind::TagDirective { .. } | Kind::DocumentStart | Kind::StreamEnd
            );
        self.first = false;
        if matches!(self.scanner.peek()?.kind, Kind::StreamEnd) {
            return Ok(false);
        }
        self.directives()?;
        if implicit {
            self.run(sink)?;
        } else {
            let token = self.scanner.next()?;
            if token.kind != Kind::DocumentStart {
                return Err(parser_error("did not find expected <document start>", token.start, Mark::default()));
            }
            self.content(sink)?;
        }
        if matches!(self.scanner.peek()?.kind, Kind::DocumentEnd) {
            self.scanner.next()?;
        }
        Ok(true)
    }

    fn content(&mut self, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        let token = self.scanner.peek()?;
        let empty = matches!(
            token.kind,
            Kind::VersionDirective { .. }
                | Kind::TagDirective { .. }
                | Kind::DocumentStart
                | Kind::DocumentEnd
                | Kind::StreamEnd
        );
        let start = token.start;
        if empty { empty_scalar(sink, start) } else { self.run(sink) }
    }

    fn directives(&mut self) -> Result<(), Error> {
        self.tags.clear();
        let mut versioned = false;
        loop {
            match &self.scanner.peek()?.kind {
                Kind::VersionDirective { major, minor } => {
                    let (compatible, duplicate) = ((*major, *minor) == (1, 1), versioned);
                    versioned = true;
                    let token = self.scanner.next()?;
                    if duplicate {
                        return Err(parser_error("found duplicate %YAML directive", token.start, Mark::default()));
                    }
                    if !compatible {
                        return Err(parser_error("found incompatible YAML document", token.start, Mark::default()));
                    }
                }
                Kind::TagDirective { handle, prefix } => {
                    let pair = ((*handle).to_owned(), prefix.clone());
                    let token = self.scanner.next()?;
                    if self.tags.iter().any(|(handle, _)| *handle == pair.0) {
                        return Err(parser_error("found duplicate %TAG directive", token.start, Mark::default()));
                    }
                    self.tags.push(pair);
                }
                _ => break,
            }
        }
        for (handle, prefix) in [("!", "!"), ("!!", "tag:yaml.org,2002:")] {
            if !self.tags.iter().any(|(known, _)| known == handle) {
                self.tags.push((handle.to_owned(), prefix.to_owned()));
            }
        }
        Ok(())
    }

    fn node(&mut self, sink: &mut impl Sink<'a>, block: bool, indentless: bool) -> Result<(), Error> {
        if let Kind::Alias(name) = self.scanner.peek()?.kind {
            let token = self.scanner.next()?;
            return sink.alias(name, token.start);
        }
        let start = self.scanner.peek()?.start;
        let (properties, found) = self.properties(start)?;
        let token = self.scanner.peek()?;
        match token.kind {
            Kind::Scalar { .. } => self.scalar(sink, properties, start),
            Kind::BlockEntry if indentless => {
                self.open.push(State::IndentlessSequence);
                sink.begin_sequence(properties, start)
            }
            Kind::FlowSequenceStart => {
                let opened = self.scanner.next()?.start;
                self.open.push(State::FlowSequence { start: opened, first: true });
                sink.begin_sequence(properties, start)
            }
            Kind::FlowMappingStart => {
                let opened = self.scanner.next()?.start;
                self.open.push(State::FlowKey { start: opened, first: true });
                sink.begin_mapping(properties, start)
            }
            Kind::BlockSequenceStart if block => {
                let opened = self.scanner.next()?.start;
                self.open.push(State::BlockSequence(opened));
                sink.begin_sequence(properties, start)
            }
            Kind::BlockMappingStart if block => {
                let opened = self.scanner.next()?.start;
                self.open.push(State::BlockKey(opened));
                sink.begin_mapping(properties, start)
            }
            _ if found => {
                let implicit = properties.tag.is_empty();
                sink.scalar(properties, Scalar { text: "".into(), style: Style::Plain, implicit }, start)
            }
            _ => Err(parser_error("did not find expected node content", token.start, start)),
        }
    }

    fn scalar(&mut self, sink: &mut impl Sink<'a>, properties: Properties<'a>, start: Mark) -> Result<(), Error> {
        let Kind::Scalar { text, style } = self.scanner.next()?.kind else { return Ok(()) };
        let implicit = properties.tag.is_empty() && style == Style::Plain || properties.tag == "!";
        sink.scalar(properties, Scalar { text, style, implicit }, start)
    }

    /// Anchor and tag, in either order.
    fn properties(&mut self, start: Mark) -> Result<(Properties<'a>, bool), Error> {
        let mut properties = Properties::default();
        let (mut anchored, mut tagged) = (false, false);
        loop {
            match self.scanner.peek()?.kind {
                Kind::Anchor(name) if !anchored => {
                    self.scanner.next()?;
                    anchored = true;
                    properties.anchor = Some(name);
                }
                Kind::Tag { .. } if !tagged => {
                    let token = self.scanner.next()?;
                    tagged = true;
                    properties.tag = self.full_tag(token, start)?;
                }
                _ => return Ok((properties, anchored || tagged)),
            }
        }
    }

    fn full_tag(&self, token: Token<'a>, start: Mark) -> Result<String, Error> {
        let Kind::Tag { handle, suffix } = token.kind else { return Ok(String::new()) };
        if handle.is_empty() {
            return Ok(suffix);
        }
        let prefix = self.tags.iter().find(|(known, _)| known == handle);
        let (_, prefix) = prefix.ok_or_else(|| parser_error("found undefined tag handle", token.start, start))?;
        Ok(format!("{prefix}{suffix}"))
    }

    /// Runs until the document's node is complete; collections are a stack, not calls, so that depth
    /// costs no stack of the thread.
    fn run(&mut self, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        self.node(sink, true, false)?;
        while let Some(state) = self.open.pop() {
            self.step(state, sink)?;
        }
        Ok(())
    }

    fn step(&mut self, state: State, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        match state {
            State::BlockSequence(start) => self.block_sequence(start, sink),
            State::IndentlessSequence => self.indentless_sequence(sink),
            State::BlockKey(start) => self.block_key(start, sink),
            State::BlockValue(start) => self.block_value(start, sink),
            State::FlowSequence { start, first } => self.flow_sequence(start, first, sink),
            State::PairValue(mark) => self.pair_value(mark, sink),
            State::PairEnd => sink.end(),
            State::FlowKey { start, first } => self.flow_key(start, first, sink),
            State::FlowValue(start) => self.flow_value(start, sink),
            State::FlowNoValue(start) => {
                self.open.push(State::FlowKey { start, first: false });
                let mark = self.scanner.peek()?.start;
                empty_scalar(sink, mark)
            }
        }
    }

    fn block_sequence(&mut self, start: Mark, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        let token = self.scanner.next()?;
        match token.kind {
            Kind::BlockEntry => {
                self.open.push(State::BlockSequence(start));
                self.part(sink, &[Kind::BlockEntry, Kind::BlockEnd], token.end, (true, false))
            }
            Kind::BlockEnd => sink.end(),
            _ => Err(parser_error("did not find expected '-' indicator", token.start, start)),
        }
    }

    fn indentless_sequence(&mut self, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        if self.scanner.peek()?.kind != Kind::BlockEntry {
            return sink.end();
        }
        let token = self.scanner.next()?;
        self.open.push(State::IndentlessSequence);
        let empty_before = [Kind::BlockEntry, Kind::Key, Kind::Value, Kind::BlockEnd];
        self.part(sink, &empty_before, token.end, (true, false))
    }

    fn block_key(&mut self, start: Mark, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        let token = self.scanner.next()?;
        match token.kind {
            Kind::Key => {
                self.open.push(State::BlockValue(start));
                self.part(sink, &[Kind::Key, Kind::Value, Kind::BlockEnd], token.end, (true, true))
            }
            Kind::BlockEnd => sink.end(),
            _ => Err(parser_error("did not find expected key", token.start, start)),
        }
    }

    fn block_value(&mut self, start: Mark, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        self.open.push(State::BlockKey(start));
        let token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind != Kind::Value {
            return empty_scalar(sink, mark);
        }
        let token = self.scanner.next()?;
        self.part(sink, &[Kind::Key, Kind::Value, Kind::BlockEnd], token.end, (true, true))
    }

    fn flow_sequence(&mut self, start: Mark, first: bool, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        if self.flow_separator(first, &Kind::FlowSequenceEnd, "did not find expected ',' or ']'", start)? {
            return sink.end();
        }
        self.open.push(State::FlowSequence { start, first: false });
        let token = self.scanner.peek()?;
        if token.kind != Kind::Key {
            return self.node(sink, false, false);
        }
        let mark = token.start;
        self.scanner.next()?;
        sink.begin_mapping(Properties::default(), mark)?;
        self.open.push(State::PairValue(mark));
        self.part(sink, &[Kind::Value, Kind::FlowEntry, Kind::FlowSequenceEnd], mark, (false, false))
    }

    /// Steps over the comma before an entry; `true` if the collection ends here instead.
    fn flow_separator(&mut self, first: bool, end: &Kind<'a>, problem: &str, start: Mark) -> Result<bool, Error> {
        let token = self.scanner.peek()?;
        if token.kind != *end && !first {
            if token.kind != Kind::FlowEntry {
                return Err(parser_error(problem, token.start, start));
            }
            self.scanner.next()?;
        }
        let ended = self.scanner.peek()?.kind == *end;
        if ended {
            self.scanner.next()?;
        }
        Ok(ended)
    }

    /// The value of `key: value` inside a flow sequence, a mapping of one pair.
    fn pair_value(&mut self, mark: Mark, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        self.open.push(State::PairEnd);
        if self.scanner.peek()?.kind != Kind::Value {
            return empty_scalar(sink, mark);
        }
        let token = self.scanner.next()?;
        self.part(sink, &[Kind::FlowEntry, Kind::FlowSequenceEnd], token.end, (false, false))
    }

    fn flow_key(&mut self, start: Mark, first: bool, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        if self.flow_separator(first, &Kind::FlowMappingEnd, "did not find expected ',' or '}'", start)? {
            return sink.end();
        }
        if self.scanner.peek()?.kind != Kind::Key {
            self.open.push(State::FlowNoValue(start));
            return self.node(sink, false, false);
        }
        let token = self.scanner.next()?;
        self.open.push(State::FlowValue(start));
        self.part(sink, &[Kind::Value, Kind::FlowEntry, Kind::FlowMappingEnd], token.end, (false, false))
    }

    fn flow_value(&mut self, start: Mark, sink: &mut impl Sink<'a>) -> Result<(), Error> {
        self.open.push(State::FlowKey { start, first: false });
        let token = self.scanner.peek()?;
        let mark = token.start;
        if token.kind != Kind::Value {
            return empty_scalar(sink, mark);
        }
        let token = self.scanner.next()?;
        self.part(sink, &[Kind::FlowEntry, Kind::FlowMappingEnd], token.end, (false, false))
    }

    /// A node, or nothing where one of the tokens follows that may not begin one.
    fn part(
        &mut self,
        sink: &mut impl Sink<'a>,
        empty_before: &[Kind<'a>],
        mark: Mark,
        (block, indentless): (bool, bool),
    ) -> Result<(), Error> {
        if empty_before.contains(&self.scanner.peek()?.kind) {
            empty_scalar(sink, mark)
        } else {
            self.node(sink, block, indentless)
        }
    }
}

fn empty_scalar<'a>(sink: &mut impl Sink<'a>, mark: Mark) -> Result<(), Error> {
    sink.scalar(Properties::default(), Scalar { text: "".into(), style: Style::Plain, implicit: true }, mark)
}

/// Go counts the lines of these errors from 0, and names none on the first line.
fn parser_error(problem: &str, mark: Mark, context: Mark) -> Error {
    let line = [mark.line, context.line].into_iter().find(|line| *line != 0);
    Error::syntax(line, problem)
}
