//! TOML, written as the library BurntSushi/toml does, and read.

use super::encoding::spent;
use super::{Function, Type, fixed, text};
use crate::toml::{parse, write};
use crate::value::{Entries, Value};

use Type::{Any, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("toToml", &[Any], |context, args| match write(&args[0]) {
        // The library panics where it would complain of other values.
        Err(problem) if args[0].is_nil() => Err(problem.into()),
        text => spent(context, text.unwrap_or_else(|problem| problem)),
    }),
    fixed("mustToToml", &[Any], |context, args| spent(context, write(&args[0]).map_err(crate::error::Failure::new)?)),
    fixed("fromToml", &[Str], |_, args| {
        Ok(parse(&String::from_utf8_lossy(text(&args[0])))
            .unwrap_or_else(|problem| Value::map(Entries::from([("Error".into(), problem.into())]))))
    }),
];
