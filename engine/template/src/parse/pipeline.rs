//! What stands in an action: pipelines, commands and their operands.

use super::number::number;
use super::{Parser, finish, keep, quoted};
use crate::ast::{Arg, ArgKind, Command, Pipe, Shown, Span};
use crate::error::Error;
use crate::funcs;
use crate::lex::{Kind, Token};
use crate::quote::unquote;

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        self.enter()?;
        let pos = self.peek_non_space().span.start;
        let (declared, assign) = self.declarations(context)?;
        let mark = self.commands.len();
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
                    self.commands.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        self.check_pipeline(&self.commands[mark..], context)?;
        self.depth -= 1;
        let commands = finish(&mut self.code.commands, &mut self.commands, mark);
        Ok(Pipe { pos, assign, declared, commands })
    }

    /// The variables that a pipeline declares or assigns, and whether it assigns.
    pub(super) fn declarations(&mut self, context: &str) -> Result<(Span, bool), Error> {
        let start = self.code.declared.len();
        let mut assign = false;
        while self.peek_non_space().kind == Kind::Variable {
            let back = self.next;
            let variable = self.take();
            let next = self.peek_non_space();
            let is_last = matches!(next.kind, Kind::Assign | Kind::Declare);
            if !(is_last || next.kind == Kind::Char && self.text(next) == ",") {
                self.next = back;
                break;
            }
            self.take();
            self.code.declared.push(variable.span);
            self.vars.push(self.text(variable));
            if is_last {
                assign = next.kind == Kind::Assign;
                break;
            }
            if context != "range" || self.code.declared.len() - start >= 2 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            if !matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
        Ok((Span::new(start, self.code.declared.len()), assign))
    }

    pub(super) fn check_pipeline(&self, commands: &[Command], context: &str) -> Result<(), Error> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (index, command) in commands.iter().enumerate().skip(1) {
            if self.code.args(command)[0].kind.is_constant() {
                return Err(self.error(format!("non executable command in pipeline stage {}", index + 1)));
            }
        }
        Ok(())
    }

    pub(super) fn command(&mut self) -> Result<Command, Error> {
        let pos = self.peek_non_space().span.start;
        let mark = self.args.len();
        loop {
            self.skip_space();
            if let Some(operand) = self.operand()? {
                self.args.push(operand);
            }
            let token = self.take();
            match token.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.next -= 1;
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.unexpected(token, "operand")),
            }
        }
        if self.args.len() == mark {
            return Err(self.error("empty command"));
        }
        Ok(Command { pos, args: finish(&mut self.code.args, &mut self.args, mark) })
    }

    pub(super) fn operand(&mut self) -> Result<Option<Arg>, Error> {
        let Some(arg) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(arg));
        }
        // Nothing stands between the fields of a chain.
        let mut fields = self.peek().span;
        while self.peek().kind == Kind::Field {
            fields.end = self.take().span.end;
        }
        let kind = match arg.kind {
            ArgKind::Field(own) => ArgKind::Field(Span { start: own.start, end: fields.end }),
            ArgKind::Variable(own) => ArgKind::VariableField(Span { start: own.start, end: fields.end }, fields.start),
            kind if kind.is_constant() => {
                let shown = Shown::new(self.lexer.text(), &self.code, &arg).to_string();
                return Err(self.error(format!("unexpected . after term {}", quoted(&shown))));
            }
            _ => ArgKind::Chain(keep(&mut self.code.args, arg), fields),
        };
        Ok(Some(Arg { pos: fields.start, kind }))
    }

    pub(super) fn term(&mut self) -> Result<Option<Arg>, Error> {
        let token = self.take_non_space();
        let kind = match token.kind {
            Kind::Identifier => match funcs::find(self.text(token)) {
                Some(function) => ArgKind::Identifier(function),
                None => return Err(self.error(format!("function {} not defined", quoted(self.text(token))))),
            },
            Kind::Dot => ArgKind::Dot,
            Kind::Nil => ArgKind::Nil,
            Kind::Variable => {
                if !self.vars.contains(&self.text(token)) {
                    return Err(self.error(format!("undefined variable {}", quoted(self.text(token)))));
                }
                ArgKind::Variable(token.span)
            }
            Kind::Field => ArgKind::Field(token.span),
            Kind::Bool => ArgKind::Bool(self.text(token) == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = number(token.kind, self.text(token)).map_err(|problem| self.error(problem))?;
                ArgKind::Number(keep(&mut self.code.numbers, number))
            }
            Kind::LeftParen => {
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                return Ok(Some(Arg { pos: pipe.pos, kind: ArgKind::Pipe(keep(&mut self.code.pipes, pipe)) }));
            }
            Kind::String | Kind::RawString => self.literal(token)?,
            _ => {
                if self.next > 0 && self.lexer.tokens[self.next - 1].span.start == token.span.start {
                    self.next -= 1;
                }
                return Ok(None);
            }
        };
        Ok(Some(Arg { pos: token.span.start, kind }))
    }

    pub(super) fn literal(&self, token: Token) -> Result<ArgKind, Error> {
        let text = self.text(token);
        let escape = if token.kind == Kind::String { b'\\' } else { b'\r' };
        if memchr::memchr(escape, text.as_bytes()).is_none() {
            return Ok(ArgKind::Plain(token.span));
        }
        unquote(text).map_err(|problem| self.error(problem))?;
        Ok(ArgKind::Escaped(token.span))
    }
}
