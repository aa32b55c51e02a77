//! TOML, written as the library BurntSushi/toml does, and read.

use super::{Function, Type, fixed, text};
use crate::error::Failure;
use crate::exec::Context;
use crate::funcs::Answer;
use crate::toml::{parse, write};
use crate::value::{Entries, Value};

use Type::{Any, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("toToml", &[Any], |context, args| match write(&args[0]) {
        // The library panics where it would complain of other values.
        Err(problem) if args[0].is_nil() => Err(problem.into()),
        text => spent(context, text.unwrap_or_else(String::into_bytes)),
    }),
    fixed("mustToToml", &[Any], |context, args| spent(context, write(&args[0]).map_err(Failure::new)?)),
    fixed("fromToml", &[Str], |context, args| {
        Ok(parse(text(&args[0]), context.ambient.now())
            .unwrap_or_else(|problem| Value::map(Entries::from([("Error".into(), problem.into())]))))
    }),
];

fn spent(context: &mut Context, text: Vec<u8>) -> Answer {
    context.spend(text.len())?;
    Ok(text.into())
}
