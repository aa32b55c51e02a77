//! What stands in an action: pipelines, commands and their operands.

use super::number::number;
use super::{Parser, keep, quoted};
use crate::ast::{Arg, ArgKind, Command, Pipe, Shown, Span};
use crate::error::Error;
use crate::funcs;
use crate::lex::Kind;
use crate::quote::unquote;

/// The innermost command and pipeline that are being parsed stand last in their tables, so that they are complete where
/// they stand. While a pipeline in parentheses is parsed, what it is part of waits here.
#[derive(Default)]
pub(super) struct Waiting {
    args: Vec<Arg>,
    commands: Vec<Command>,
    /// Where the innermost command begins.
    args_start: usize,
    /// Where the innermost pipeline begins.
    commands_start: usize,
}

impl Parser<'_> {
    /// The pipeline behind the present token.
    pub(super) fn next_pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        self.enter()?;
        self.lexer.inside();
        self.pipeline(context, end)
    }

    /// The pipeline that begins here, up to a token that ends it; its depth has been entered.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Error> {
        let pos = self.lexer.token.start;
        let (declared, assign) = self.declarations(context)?;
        self.waiting.commands_start = self.code.commands.len();
        while self.lexer.token.kind != end {
            if !self.lexer.token.kind.begins_operand() {
                return Err(self.unexpected(context));
            }
            let command = self.command()?;
            self.code.commands.push(command);
        }
        let commands = Span::new(self.waiting.commands_start, self.code.commands.len());
        self.check_pipeline(&self.code.commands[commands.range()], context)?;
        self.depth -= 1;
        Ok(Pipe { pos, assign, declared, commands })
    }

    /// The pipeline in the parentheses that open here, up to the one that closes them.
    fn parenthesized(&mut self) -> Result<Pipe, Error> {
        let Waiting { args_start, commands_start, args, commands } = &mut self.waiting;
        let (args_start, commands_start) = (*args_start, *commands_start);
        let (args_mark, commands_mark) = (args.len(), commands.len());
        args.extend(self.code.args.drain(args_start..));
        commands.extend(self.code.commands.drain(commands_start..));
        let pipe = self.next_pipeline("parenthesized pipeline", Kind::RightParen)?;
        let Waiting { args_start, commands_start, args, commands } = &mut self.waiting;
        *args_start = self.code.args.len();
        *commands_start = self.code.commands.len();
        self.code.args.extend(args.drain(args_mark..));
        self.code.commands.extend(commands.drain(commands_mark..));
        Ok(pipe)
    }

    /// The variables that a pipeline declares or assigns, and whether it assigns.
    fn declarations(&mut self, context: &str) -> Result<(Span, bool), Error> {
        let start = self.code.declared.len();
        let mut assign = false;
        while self.lexer.token.kind == Kind::Variable && self.lexer.token.is_plain() {
            let (variable, back) = (self.lexer.token.span(), self.lexer.mark());
            self.lexer.inside();
            let is_last = matches!(self.lexer.token.kind, Kind::Assign | Kind::Declare);
            if !(is_last || self.lexer.token.kind == Kind::Char && self.lexer.bytes(self.lexer.token.span()) == b",") {
                self.lexer.rewind(back);
                break;
            }
            self.code.declared.push(variable);
            self.vars.push(self.lexer.bytes(variable));
            if is_last {
                assign = self.lexer.token.kind == Kind::Assign;
                self.lexer.inside();
                break;
            }
            if context != "range" || self.code.declared.len() - start >= 2 {
                return Err(self.error(format!("too many declarations in {context}")));
            }
            self.lexer.inside();
            if !matches!(self.lexer.token.kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err(self.error("range can only initialize variables"));
            }
        }
        Ok((Span::new(start, self.code.declared.len()), assign))
    }

    fn check_pipeline(&self, commands: &[Command], context: &str) -> Result<(), Error> {
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

    /// A command, and the bar behind it; the first token begins an operand.
    fn command(&mut self) -> Result<Command, Error> {
        let pos = self.lexer.token.start;
        self.waiting.args_start = self.code.args.len();
        loop {
            self.term()?;
            if self.lexer.token.kind == Kind::Field && !self.lexer.token.is_spaced {
                self.fields()?;
            }
            match self.lexer.token.kind {
                Kind::RightDelim | Kind::RightParen => break,
                Kind::Pipe => {
                    self.lexer.inside();
                    break;
                }
                kind if kind.begins_operand() && self.lexer.token.is_spaced => {}
                _ => return Err(self.unexpected("operand")),
            }
        }
        Ok(Command { pos, args: Span::new(self.waiting.args_start, self.code.args.len()) })
    }

    /// Adds an operand, without the fields that follow what has no name.
    fn term(&mut self) -> Result<(), Error> {
        let token = self.lexer.token;
        let mut pos = token.start;
        let kind = match token.kind {
            Kind::Identifier => match funcs::find(self.lexer.bytes(token.span())) {
                Some(function) => ArgKind::Identifier(function),
                None => return Err(self.no_function(token.span())),
            },
            Kind::Dot => ArgKind::Dot,
            Kind::Nil => ArgKind::Nil,
            Kind::Variable => {
                let name = Span { start: token.start, end: token.rest };
                if !self.vars[self.hidden..].contains(&self.lexer.bytes(name)) {
                    return Err(self.no_variable(name));
                }
                if token.is_plain() {
                    ArgKind::Variable(name)
                } else {
                    pos = token.rest;
                    ArgKind::VariableField(token.span())
                }
            }
            Kind::Field => ArgKind::Field(token.span()),
            Kind::Bool => ArgKind::Bool(self.text(token.span()) == "true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = number(token.kind, token.span(), self.text(token.span()));
                let number = number.map_err(|problem| self.error(problem))?;
                ArgKind::Number(keep(&mut self.code.numbers, number))
            }
            Kind::LeftParen => {
                let pipe = self.parenthesized()?;
                pos = pipe.pos;
                ArgKind::Pipe(keep(&mut self.code.pipes, pipe))
            }
            Kind::String | Kind::RawString if token.is_plain() => ArgKind::Plain(token.span()),
            Kind::String | Kind::RawString => {
                unquote(self.text(token.span())).map_err(|problem| self.error(problem))?;
                ArgKind::Escaped(token.span())
            }
            _ => return Err(self.unexpected("operand")),
        };
        self.code.args.push(Arg { pos, kind });
        self.lexer.inside();
        Ok(())
    }

    #[cold]
    fn no_function(&self, name: Span) -> Error {
        self.error(format!("function {} not defined", quoted(self.text(name))))
    }

    #[cold]
    fn no_variable(&self, name: Span) -> Error {
        self.error(format!("undefined variable {}", quoted(self.text(name))))
    }

    /// Makes the last operand one of the fields that directly follow it.
    #[cold]
    fn fields(&mut self) -> Result<(), Error> {
        let mut fields = self.lexer.token.span();
        while self.lexer.token.kind == Kind::Field && !self.lexer.token.is_spaced {
            fields.end = self.lexer.token.end;
            self.lexer.inside();
        }
        let Some(arg) = self.code.args.pop() else { return Ok(()) };
        // They are said to stand at the first dot behind what they are fields of.
        let longer = |own: Span| Span { start: own.start, end: fields.end };
        let arg = match arg.kind {
            ArgKind::Field(own) => Arg { pos: arg.pos, kind: ArgKind::Field(longer(own)) },
            ArgKind::Variable(own) => Arg { pos: fields.start, kind: ArgKind::VariableField(longer(own)) },
            ArgKind::VariableField(own) => Arg { pos: arg.pos, kind: ArgKind::VariableField(longer(own)) },
            kind if kind.is_constant() => {
                let shown = Shown::new(self.lexer.text(), &self.code, &arg).to_string();
                let pos = if self.lexer.token.is_spaced { fields.end } else { self.lexer.token.start };
                return Err(self.error_at(pos, format!("unexpected . after term {}", quoted(&shown))));
            }
            _ => {
                // It stands before the command that is being parsed.
                let inner = self.waiting.args_start;
                self.code.args.insert(inner, arg);
                self.waiting.args_start += 1;
                Arg { pos: fields.start, kind: ArgKind::Chain(Span::new(inner, inner).start, fields.end) }
            }
        };
        self.code.args.push(arg);
        Ok(())
    }
}
