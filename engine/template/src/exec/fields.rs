//! Fields of maps, and fields and methods of objects.

use super::{At, Operand, Run, State};
use crate::ast::Arg;
use crate::error::{Error, Failure};
use crate::value::Value;

impl<'t> State<'t, '_> {
    /// The fields of a path such as `.a.b`, one after the other.
    pub(super) fn field_chain(
        &mut self,
        dot: &Operand,
        mut receiver: Operand,
        arg: &'t Arg,
        fields: &'t str,
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.at = At::Arg(arg);
        let mut rest = &fields[1..];
        while let Some(end) = memchr::memchr(b'.', rest.as_bytes()) {
            receiver = self.field(dot, &rest[..end], arg, &[], None, receiver)?;
            rest = &rest[end + 1..];
        }
        self.field(dot, rest, arg, args, last, receiver)
    }

    pub(super) fn field(
        &mut self,
        dot: &Operand,
        name: &'t str,
        arg: &'t Arg,
        args: &'t [Arg],
        last: Option<Operand>,
        receiver: Operand,
    ) -> Run<Operand> {
        let has_args = args.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil if !receiver.boxed => return Ok(Operand::plain(Value::Nil)),
            Value::Nil => {
                return Err(self.error(&format!("nil pointer evaluating {}.{name}", receiver.type_name())));
            }
            Value::Map(map) => {
                if has_args {
                    return Err(self.error(&format!("{name} is not a method but has arguments")));
                }
                let boxed = !map.kind.is_of_strings();
                let value = map.get(name.as_bytes());
                self.context.note_read(map, name);
                return Ok(match value {
                    Some(value) => Operand { value, boxed },
                    None if boxed => Operand::boxed(Value::Nil),
                    None => Operand::plain("".into()),
                });
            }
            Value::Object(object) => {
                let object = object.clone();
                if let Some(signature) = object.method(name) {
                    let values = self.arguments(dot, name, signature, args.get(1..).unwrap_or_default(), last)?;
                    let result = object.call(self.context, name, &values);
                    return result.map(Operand::plain).map_err(|failure| self.call_error(At::Arg(arg), name, failure));
                }
                if let Some(field) = object.field(name) {
                    if has_args {
                        let problem = format!("{name} has arguments but cannot be invoked as function");
                        return Err(self.error(&problem));
                    }
                    return Ok(Operand::plain(field));
                }
                if let Some(entries) = object.entries() {
                    if has_args {
                        return Err(self.error(&format!("{name} is not a method but has arguments")));
                    }
                    return Ok(Operand::plain(
                        entries.get(name.as_bytes()).cloned().unwrap_or(Value::Bytes("".into())),
                    ));
                }
            }
            _ => {}
        }
        Err(self.error(&format!("can't evaluate field {name} in type {}", receiver.type_name())))
    }

    /// Go blames a call that failed, but leaves the blame on the last argument of one that did not.
    pub(super) fn call_error(&mut self, at: At<'t>, name: &str, failure: Failure) -> Error {
        self.at = at;
        self.error_with(&format!("error calling {name}: {}", failure.0.text()), Some(failure.0))
    }
}
