//! Calls of functions, and arguments for the types of their parameters.

use super::{At, Operand, Run, State};
use crate::ast::{Arg, ArgKind};
use crate::error::{Error, Failure};
use crate::funcs::{Function, Type};
use crate::object::Signature;
use crate::value::{IntKind, Value};

impl<'t> State<'t, '_> {
    pub(super) fn call_function(
        &mut self,
        dot: &Operand,
        function: &'static Function,
        at: At<'t>,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.at = match at {
            At::Command(command) => At::Arg(&self.tree.code.args(command)[0]),
            other => other,
        };
        let name = function.name;
        if function.is_short_circuit {
            return self.and_or(dot, function, args, last);
        }
        let signature = Signature { params: function.params, variadic: function.variadic };
        let values = self.arguments(dot, name, signature, args, last)?;
        if let Err(problem) = self.context.step() {
            return Err(self.error(problem));
        }
        if name == "call" {
            return Err(self.not_callable(at, args, &values));
        }
        if let Some(trace) = &mut self.context.trace {
            trace.call(name, &values);
        }
        if let Err(problem) = self.context.charge(function.effort.steps(&values)) {
            return Err(self.error(problem));
        }
        if function.walks {
            crate::weight::check(&values).map_err(|failure| self.call_error(at, name, failure))?;
        }
        let mut result = (function.call)(self.context, &values);
        if result.is_err() && name == "len" && self.is_boxed_nil(dot, args) {
            result = Err("len of nil pointer".into());
        }
        self.context.finish_values(values);
        result.map(Operand::plain).map_err(|failure| self.call_error(at, name, failure))
    }

    /// Only `len` tells a nil that is held by an interface from one that is not.
    fn is_boxed_nil(&mut self, dot: &Operand, args: &'t [Arg]) -> bool {
        let [arg] = args else { return false };
        self.operand(dot, arg).is_ok_and(|operand| operand.boxed && operand.value.is_nil())
    }

    /// Templates hold no functions that `call` could call; Go's complaint shows what was given instead.
    pub(super) fn not_callable(&mut self, at: At<'t>, args: &[Arg], values: &[Value]) -> Error {
        let value = values.first().cloned().unwrap_or_default();
        let failure = if value.is_nil() {
            Failure::new("call of nil")
        } else {
            let piped = || match &value {
                Value::String(text) => text.to_string(),
                other => format!("<{} Value>", other.type_name()),
            };
            let shown = args.first().map_or_else(piped, |arg| self.tree.show(arg).to_string());
            Failure::new(format!("non-function {shown} of type {}", value.type_name()))
        };
        self.call_error(at, "call", failure)
    }

    /// `and` and `or` stop at the first argument that decides.
    pub(super) fn and_or(
        &mut self,
        dot: &Operand,
        function: &'static Function,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        let name = function.name;
        if args.is_empty() && last.is_none() {
            return Err(self.error(&format!("wrong number of args for {name}: want at least 1 got 0")));
        }
        let mut value = Operand::plain(Value::Nil);
        for arg in args {
            value = Operand::plain(self.typed_arg(dot, Type::Reflect, arg)?);
            if value.value.truth() == (name == "or") {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    pub(super) fn arguments(
        &mut self,
        dot: &Operand,
        name: &str,
        signature: Signature,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Vec<Value>> {
        let params = signature.params;
        let given = args.len() + usize::from(last.is_some());
        if signature.variadic {
            let fixed = params.len() - 1;
            if given < fixed {
                let problem = format!("wrong number of args for {name}: want at least {fixed} got {}", args.len());
                return Err(self.error(&problem));
            }
        } else if given != params.len() {
            let problem = format!("wrong number of args for {name}: want {} got {given}", params.len());
            return Err(self.error(&problem));
        }
        let param = |index: usize| params[index.min(params.len() - 1)];
        let mut values = self.context.take_values();
        for (index, arg) in args.iter().enumerate() {
            values.push(self.typed_arg(dot, param(index), arg)?);
        }
        if let Some(last) = last {
            values.push(self.validated(last, param(args.len()))?);
        }
        Ok(values)
    }

    /// Evaluates an argument for a parameter of some type.
    pub(super) fn typed_arg(&mut self, dot: &Operand, kind: Type, arg: &'t Arg) -> Run<Value> {
        self.at = At::Arg(arg);
        match arg.kind {
            ArgKind::Nil if kind.takes_nil() => Ok(Value::Nil),
            ArgKind::Nil => Err(self.error(&format!("cannot assign nil to {}", kind.name()))),
            ArgKind::Bool(_) | ArgKind::Number(_) | ArgKind::Plain(_) | ArgKind::Escaped(_) => self.literal(kind, arg),
            _ => {
                let value = self.operand(dot, arg)?;
                self.validated(value, kind)
            }
        }
    }

    pub(super) fn literal(&mut self, kind: Type, arg: &'t Arg) -> Run<Value> {
        let expected = |what: &str| format!("expected {what}; found {}", self.tree.show(arg));
        let number = match arg.kind {
            ArgKind::Number(number) => Some(self.number(number)),
            _ => None,
        };
        let value = match (kind, arg.kind) {
            (Type::Any | Type::Reflect, ArgKind::Number(number)) => self.constant(self.number(number))?,
            (Type::Any | Type::Reflect | Type::Bool, ArgKind::Bool(value)) => Value::Bool(value),
            (Type::Any | Type::Reflect | Type::String, ArgKind::Plain(_) | ArgKind::Escaped(_)) => {
                self.unquoted(arg.kind).map(Value::String).unwrap_or_default()
            }
            (Type::Int, _) => {
                let int = number.and_then(|number| number.int);
                Value::int(int.ok_or_else(|| self.error(&expected("integer")))?)
            }
            (Type::Int64, _) => {
                let int = number.and_then(|number| number.int);
                Value::int64(int.ok_or_else(|| self.error(&expected("integer")))?)
            }
            (Type::Uint32, _) => {
                let uint = number.and_then(|number| number.uint);
                let uint = uint.ok_or_else(|| self.error(&expected("unsigned integer")))?;
                Value::Int(i64::try_from(uint & 0xFFFF_FFFF).unwrap_or(0), IntKind::Uint32)
            }
            (Type::Float, _) => {
                let float = number.and_then(|number| number.float);
                Value::Float(float.ok_or_else(|| self.error(&expected("float")))?)
            }
            (Type::Bool, _) => return Err(self.error(&expected("bool"))),
            (Type::String, _) => return Err(self.error(&expected("string"))),
            _ => {
                let (shown, name) = (self.tree.show(arg), kind.name());
                return Err(self.error(&format!("can't handle {shown} for arg of type {name}")));
            }
        };
        Ok(value)
    }

    /// A value, if it may be given to a parameter of some type.
    fn validated(&self, operand: Operand, kind: Type) -> Run<Value> {
        let fits = if operand.value.is_nil() {
            matches!(kind, Type::Any | Type::Reflect) || !operand.boxed && kind.takes_nil()
        } else {
            kind.accepts(&operand.value)
        };
        if !fits {
            return Err(self.wrong_type(&operand, kind));
        }
        Ok(match &operand.value {
            Value::Object(object) if kind == Type::Any => object.copied().unwrap_or(operand.value),
            _ => operand.value,
        })
    }

    fn wrong_type(&self, operand: &Operand, kind: Type) -> Error {
        if operand.value.is_nil() {
            let problem = if operand.boxed {
                format!("wrong type for value; expected {}; got interface {{}}", kind.name())
            } else {
                format!("invalid value; expected {}", kind.name())
            };
            return self.error(&problem);
        }
        let got = operand.value.type_name();
        self.error(&format!("wrong type for value; expected {}; got {got}", kind.name()))
    }
}
