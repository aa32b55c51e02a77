//! Sprig's defaults, tests and reflection.

use super::list::deep_equal;
use super::{Function, Type, fixed, text, variadic};
use crate::value::Value;

use Type::{Any, Bool, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("default", &[Any, Any], |_, args| match args.get(1) {
        Some(given) if given.truth() => Ok(given.clone()),
        _ => Ok(args[0].clone()),
    }),
    fixed("empty", &[Any], |_, args| Ok(Value::Bool(!args[0].truth()))),
    variadic("coalesce", &[Any], |_, args| Ok(args.iter().find(|arg| arg.truth()).cloned().unwrap_or_default())),
    variadic("all", &[Any], |_, args| Ok(Value::Bool(args.iter().all(Value::truth)))),
    variadic("any", &[Any], |_, args| Ok(Value::Bool(args.iter().any(Value::truth)))),
    fixed("ternary", &[Any, Any, Bool], |_, args| Ok(args[usize::from(!args[2].truth())].clone())),
    fixed("typeOf", &[Any], |_, args| Ok(args[0].type_name().into())),
    fixed("typeIs", &[Str, Any], |_, args| Ok(Value::Bool(text(&args[0]) == args[1].type_name().as_bytes()))),
    fixed("typeIsLike", &[Str, Any], |_, args| {
        let name = args[1].type_name();
        let target = text(&args[0]);
        Ok(Value::Bool(
            target == name.as_bytes() || name.strip_prefix('*').is_some_and(|name| target == name.as_bytes()),
        ))
    }),
    fixed("kindOf", &[Any], |_, args| Ok(args[0].kind().name().into())),
    fixed("kindIs", &[Str, Any], |_, args| Ok(Value::Bool(text(&args[0]) == args[1].kind().name().as_bytes()))),
    fixed("deepEqual", &[Any, Any], |_, args| Ok(Value::Bool(deep_equal(&args[0], &args[1])))),
];
