//! Literals, variables and other operands.

use super::{At, Operand, ROOT, Run, State};
use crate::ast::{Arg, ArgKind, Number, Span};
use crate::text::Text;
use crate::value::Value;

impl<'t> State<'t, '_> {
    pub(super) fn number(&self, number: u32) -> &'t Number {
        &self.tree.code.numbers[number as usize]
    }

    pub(super) fn constant(&self, number: &Number) -> Run<Value> {
        let text = self.text(number.span);
        if number.complex {
            return Err(self.error("complex numbers are not supported"));
        }
        match (number.float, number.int) {
            (Some(float), _) if is_written_as_float(text) => Ok(Value::Float(float)),
            (_, Some(int)) => Ok(Value::int(int)),
            _ => Err(self.error(&format!("{text} overflows int"))),
        }
    }

    /// What a literal in quotes says.
    pub(super) fn unquoted(&self, kind: ArgKind) -> Option<Text> {
        match kind {
            ArgKind::Plain(span) => {
                let literal = self.bytes(span);
                Some(literal[1..literal.len() - 1].into())
            }
            // The parser has looked at it.
            ArgKind::Escaped(span) => Some(crate::quote::unquote(self.text(span)).unwrap_or_default().into()),
            _ => None,
        }
    }

    pub(super) fn chain(
        &mut self,
        dot: &Operand,
        arg: &'t Arg,
        inner: u32,
        end: u32,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.at = At::Arg(arg);
        let receiver = self.operand(dot, &self.tree.code.args[inner as usize])?;
        self.field_chain(dot, &receiver, arg, self.bytes(Span { start: arg.pos, end }), args, last)
    }

    /// The value of an argument whose type does not matter.
    pub(super) fn operand(&mut self, dot: &Operand, arg: &'t Arg) -> Run<Operand> {
        self.at = At::Arg(arg);
        match arg.kind {
            ArgKind::Dot => Ok(dot.clone()),
            ArgKind::Nil => Ok(Operand::plain(Value::Nil)),
            ArgKind::Bool(value) => Ok(Operand::plain(Value::Bool(value))),
            ArgKind::Number(number) => self.constant(self.number(number)).map(Operand::plain),
            ArgKind::Plain(_) | ArgKind::Escaped(_) => {
                Ok(Operand::plain(self.unquoted(arg.kind).map(Value::String).unwrap_or_default()))
            }
            ArgKind::Field(fields) => self.field_chain(dot, dot, arg, self.bytes(fields), &[], None),
            ArgKind::Variable(name) => self.variable(self.text(name)),
            ArgKind::VariableField(span) => self.variable_field(dot, arg, span, &[], None),
            ArgKind::Chain(inner, end) => self.chain(dot, arg, inner, end, &[], None),
            ArgKind::Identifier(function) => self.call_function(dot, function.get(), At::Arg(arg), &[], None),
            ArgKind::Pipe(pipe) => self.pipeline(dot, &self.tree.code.pipes[pipe as usize]),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Run<Operand> {
        match self.vars.iter().rev().find(|(known, _)| *known == name) {
            Some((_, value)) => Ok(value.clone()),
            None if name == ROOT => Ok(self.root.clone()),
            None => Err(self.error(&format!("undefined variable: {name}"))),
        }
    }

    /// `$x.a.b`
    pub(super) fn variable_field(
        &mut self,
        dot: &Operand,
        arg: &'t Arg,
        span: Span,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.at = At::Arg(arg);
        let value = self.variable(self.text(Span { start: span.start, end: arg.pos }))?;
        self.field_chain(dot, &value, arg, self.bytes(Span { start: arg.pos, end: span.end }), args, last)
    }
}

/// Whether a number has a point or an exponent; `0x1e` and `'e'` have none.
fn is_written_as_float(text: &str) -> bool {
    let marked = |marks: &[u8]| text.bytes().any(|byte| marks.contains(&byte));
    let is_hex = text.len() > 2 && (text.starts_with("0x") || text.starts_with("0X")) && !marked(b"pP");
    !is_hex && !text.starts_with('\'') && marked(b".eEpP")
}
