//! Fields of maps, and fields and methods of objects.

use super::{At, Operand, Run, State};
use crate::ast::Arg;
use crate::error::{Error, Failure};
use crate::value::{Map, Value};

impl<'t> State<'t, '_> {
    /// The fields of a path such as `.a.b`, one after the other.
    pub(super) fn field_chain(
        &mut self,
        dot: &Operand,
        receiver: &Operand,
        arg: &'t Arg,
        fields: &'t [u8],
        args: &'t [Arg],
        last: Option<Operand>,
    ) -> Run<Operand> {
        self.at = At::Arg(arg);
        let (mut name, mut rest) = first_field(fields);
        let mut inner: Operand;
        let mut receiver = receiver;
        while !rest.is_empty() {
            inner = match &receiver.value {
                // Nearly all paths lead through maps.
                Value::Map(map) => self.entry(map, name),
                _ => self.field_of_other(dot, name, arg, &[], None, receiver)?,
            };
            receiver = &inner;
            (name, rest) = first_field(rest);
        }
        match &receiver.value {
            Value::Map(map) if args.len() <= 1 && last.is_none() => Ok(self.entry(map, name)),
            _ => self.field_of_other(dot, name, arg, args, last, receiver),
        }
    }

    /// What a map has under a name.
    fn entry(&mut self, map: &Map, name: &[u8]) -> Operand {
        let boxed = !map.kind.is_of_strings();
        self.context.note_read(map, name);
        match map.entries().get(name) {
            Some(value) => Operand { value: value.clone(), boxed },
            None if boxed => Operand::boxed(Value::Nil),
            None => Operand::plain("".into()),
        }
    }

    /// A field of what is no map, or what looks like a field and is a call of a method.
    fn field_of_other(
        &mut self,
        dot: &Operand,
        name: &'t [u8],
        arg: &'t Arg,
        args: &'t [Arg],
        last: Option<Operand>,
        receiver: &Operand,
    ) -> Run<Operand> {
        // The parser saw letters.
        let name = std::str::from_utf8(name).unwrap_or_default();
        let has_args = args.len() > 1 || last.is_some();
        match &receiver.value {
            Value::Nil if !receiver.boxed => return Ok(Operand::plain(Value::Nil)),
            Value::Nil => {
                return Err(self.error(&format!("nil pointer evaluating {}.{name}", receiver.type_name())));
            }
            // Without arguments, it would have been looked up.
            Value::Map(_) => return Err(self.error(&format!("{name} is not a method but has arguments"))),
            Value::Object(object) => {
                let object = object.clone();
                if let Some(signature) = object.method(name) {
                    let values = self.arguments(dot, name, signature, args.get(1..).unwrap_or_default(), last)?;
                    let result = object.call(self.context, name, &values);
                    self.context.finish_values(values);
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
                    return Ok(Operand::plain(entries.get(name.as_bytes()).cloned().unwrap_or(Value::bytes(""))));
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

/// The first name of a path such as `.a.b`, and what follows it.
fn first_field(path: &[u8]) -> (&[u8], &[u8]) {
    let path = &path[1..];
    path.split_at(memchr::memchr(b'.', path).unwrap_or(path.len()))
}
