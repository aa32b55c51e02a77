//! Sprig's and Helm's functions for Jinja: as functions with Go's order of arguments, and as filters,
//! where what is piped comes last as in Go.

use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value as Jinja};

use super::bridge::{dot, from_jinja, to_jinja, with_context};
use crate::error::Failure;
use crate::funcs::{self, Function, Type};
use crate::object::Signature;
use crate::value::{IntKind, Value};

/// Filters that mean what they mean in Jinja.
const JINJA_FILTERS: [&str; 19] = [
    "default", "first", "indent", "int", "items", "join", "last", "list", "lower", "max", "min", "replace", "reverse",
    "round", "slice", "split", "title", "trim", "upper",
];

/// Functions that mean what they mean in Jinja.
const JINJA_FUNCTIONS: [&str; 5] = ["debug", "dict", "namespace", "range", "tpl"];

/// What Jinja has as operators.
const OPERATORS: [&str; 4] = ["and", "call", "not", "or"];

/// Functions to which it says something that a value is absent.
const TAKE_UNDEFINED: [&str; 11] =
    ["coalesce", "default", "dig", "empty", "kindIs", "kindOf", "print", "required", "ternary", "typeIs", "typeOf"];

/// Adds every function.
pub(super) fn add(environment: &mut Environment<'static>) {
    for name in funcs::names() {
        let Some(function) = funcs::find(name).filter(|_| !OPERATORS.contains(&name)) else { continue };
        let function = function.get();
        if !JINJA_FUNCTIONS.contains(&name) {
            environment.add_global(name, Jinja::from_object(Callable(function)));
        }
        if !JINJA_FILTERS.contains(&name) && name != "tpl" {
            environment.add_filter(name, move |_: &State<'_, '_>, args: Rest<Jinja>| {
                let mut args = args.0;
                args.rotate_left(1);
                call(function, &args)
            });
        }
    }
    environment.add_global("sprig", Jinja::from_object(Library));
    environment.add_global("tpl", Jinja::from_function(tpl));
    environment.add_filter("tpl", tpl);
    if let Some(function) = funcs::find("tpl") {
        let function = function.get();
        environment.add_global("gotpl", Jinja::from_object(Callable(function)));
        environment.add_filter("gotpl", |_: &State<'_, '_>, text: Jinja| call(function, &[text]));
    }
}

/// Renders a text in the language of the template that asks.
fn tpl(text: &str, data: Option<Jinja>) -> Result<String, Error> {
    let data = data.map_or_else(|| Ok(dot()), |data| from_jinja(&data))?;
    let result = with_context(|context| {
        context.step().map_err(Failure::limit)?;
        let jinja = context.set.jinja().cloned().ok_or_else(|| Failure::new("there are no Jinja templates"))?;
        Ok(jinja.render_text(text, &data, context)?)
    });
    result.map_err(|failure| refused("tpl", failure))
}

/// One function.
#[derive(Debug)]
struct Callable(&'static Function);

impl Object for Callable {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Jinja]) -> Result<Jinja, Error> {
        call(self.0, args)
    }
}

/// `sprig.NAME(...)`: functions whose names Jinja uses for its own.
#[derive(Debug)]
struct Library;

impl Object for Library {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, method: &str, args: &[Jinja]) -> Result<Jinja, Error> {
        match funcs::find(method) {
            Some(function) => call(function.get(), args),
            None => Err(Error::new(ErrorKind::UnknownFunction, format!("there is no function {method}"))),
        }
    }
}

fn call(function: &'static Function, args: &[Jinja]) -> Result<Jinja, Error> {
    let name = function.name;
    if !TAKE_UNDEFINED.contains(&name)
        && let Some(at) = args.iter().position(Jinja::is_undefined)
    {
        return Err(Error::new(ErrorKind::UndefinedError, format!("argument {} of {name} is undefined", at + 1)));
    }
    let mut args = args.to_vec();
    if matches!(name, "include" | "tpl") && args.len() == 1 {
        args.push(to_jinja(&dot()));
    }
    let signature = Signature { params: function.params, variadic: function.variadic };
    let values = arguments(name, signature, &args)?;
    let result = with_context(|context| {
        context.step().map_err(Failure::limit)?;
        context.charge(function.effort.steps(&values)).map_err(Failure::limit)?;
        if function.walks {
            crate::weight::check(&values)?;
        }
        if let Some(trace) = &mut context.trace {
            trace.call(name, &values);
        }
        (function.call)(context, &values)
    });
    result.map(|value| to_jinja(&value)).map_err(|failure| refused(name, failure))
}

/// The arguments of a function or method, as many and of the types that it takes.
pub(super) fn arguments(name: &str, signature: Signature, args: &[Jinja]) -> Result<Vec<Value>, Error> {
    let params = signature.params;
    let least = params.len() - usize::from(signature.variadic);
    if args.len() < least || args.len() > params.len() && !signature.variadic {
        let kind = if args.len() < least { ErrorKind::MissingArgument } else { ErrorKind::TooManyArguments };
        let least_word = if signature.variadic { "at least " } else { "" };
        return Err(Error::new(kind, format!("{name} takes {least_word}{least} arguments, not {}", args.len())));
    }
    let mut values = Vec::with_capacity(args.len());
    for (at, arg) in args.iter().enumerate() {
        if arg.is_kwargs() {
            return Err(Error::new(ErrorKind::TooManyArguments, format!("{name} takes no named arguments")));
        }
        let param = params[at.min(params.len() - 1)];
        let value = fit(from_jinja(arg)?, param);
        let fits = if value.is_nil() { param.takes_nil() } else { param.accepts(&value) };
        if !fits {
            let (wanted, got) = (param.name(), value.type_name());
            let detail = format!("argument {} of {name}: expected {wanted}; got {got}", at + 1);
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
        values.push(value);
    }
    Ok(values)
}

/// Jinja knows one kind of integer; Go's parameters want their own.
fn fit(value: Value, param: Type) -> Value {
    let kind = match param {
        Type::Int => IntKind::Int,
        Type::Int64 => IntKind::Int64,
        Type::Uint32 => IntKind::Uint32,
        Type::Float => {
            return match value {
                Value::Int(value, _) => Value::Float(value as f64),
                other => other,
            };
        }
        _ => return value,
    };
    match value {
        Value::Int(value, _) => Value::Int(value, kind),
        other => other,
    }
}

/// The complaint of a function.
pub(super) fn refused(name: &str, failure: Failure) -> Error {
    let text = failure.0.text();
    let detail = if name.is_empty() { text.to_owned() } else { format!("error calling {name}: {text}") };
    Error::new(ErrorKind::InvalidOperation, detail).with_source(failure.0)
}
