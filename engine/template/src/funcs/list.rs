//! Sprig's lists. The `must` twins fail in the same words; only Go tells them apart.

use super::builtin::{nil_pointer, sliced};
use super::cast::to_int64;
use super::{Answer, Function, Type, fixed, int, items, variadic};
use crate::error::Failure;
use crate::value::{List, ListKind, Value};

use Type::{Any, Int};

type Call = fn(&mut crate::exec::Context, &[Value]) -> Answer;

const PUSH: Call = |_, args| {
    let mut list = slice_of(&args[0], "Cannot push on type")?;
    list.push(args[1].clone());
    Ok(Value::list(list))
};
const PREPEND: Call = |_, args| {
    let mut list = slice_of(&args[0], "Cannot prepend on type")?;
    list.insert(0, args[1].clone());
    Ok(Value::list(list))
};
const FIRST: Call =
    |_, args| Ok(slice_of(&args[0], "Cannot find first on type")?.into_iter().next().unwrap_or_default());
const LAST: Call = |_, args| Ok(slice_of(&args[0], "Cannot find last on type")?.pop().unwrap_or_default());
const REST: Call = |_, args| {
    let list = slice_of(&args[0], "Cannot find rest on type")?;
    Ok(slice_or_nil(list.is_empty(), list.into_iter().skip(1).collect()))
};
const INITIAL: Call = |_, args| {
    let mut list = slice_of(&args[0], "Cannot find initial on type")?;
    Ok(slice_or_nil(list.pop().is_none(), list))
};
const REVERSE: Call = |_, args| {
    let mut list = slice_of(&args[0], "Cannot find reverse on type")?;
    list.reverse();
    Ok(Value::list(list))
};
const COMPACT: Call = |_, args| {
    let list = slice_of(&args[0], "Cannot compact on type")?;
    Ok(Value::list(list.into_iter().filter(Value::truth).collect()))
};
const UNIQUE: Call = |_, args| {
    let mut unique: Vec<Value> = Vec::new();
    for item in slice_of(&args[0], "Cannot find uniq on type")? {
        if !unique.iter().any(|known| deep_equal(&item, known)) {
            unique.push(item);
        }
    }
    Ok(Value::list(unique))
};
const WITHOUT: Call = |_, args| {
    let list = slice_of(&args[0], "Cannot find without on type")?;
    let kept = list.into_iter().filter(|item| !args[1..].iter().any(|omitted| deep_equal(item, omitted)));
    Ok(Value::list(kept.collect()))
};
const HAS: Call = |_, args| {
    if args[1].is_nil() {
        return Ok(Value::Bool(false));
    }
    let list = slice_of(&args[1], "Cannot find has on type")?;
    Ok(Value::Bool(list.iter().any(|item| deep_equal(&args[0], item))))
};
const SLICE: Call = |_, args| slice(args);
const CHUNK: Call = |_, args| chunk(int(&args[0]), &args[1]);

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("list", &[Any], |_, args| Ok(Value::list(args.to_vec()))),
    variadic("tuple", &[Any], |_, args| Ok(Value::list(args.to_vec()))),
    fixed("append", &[Any, Any], PUSH),
    fixed("push", &[Any, Any], PUSH),
    fixed("mustAppend", &[Any, Any], PUSH),
    fixed("mustPush", &[Any, Any], PUSH),
    fixed("prepend", &[Any, Any], PREPEND),
    fixed("mustPrepend", &[Any, Any], PREPEND),
    fixed("first", &[Any], FIRST),
    fixed("mustFirst", &[Any], FIRST),
    fixed("last", &[Any], LAST),
    fixed("mustLast", &[Any], LAST),
    fixed("rest", &[Any], REST),
    fixed("mustRest", &[Any], REST),
    fixed("initial", &[Any], INITIAL),
    fixed("mustInitial", &[Any], INITIAL),
    fixed("reverse", &[Any], REVERSE),
    fixed("mustReverse", &[Any], REVERSE),
    fixed("compact", &[Any], COMPACT),
    fixed("mustCompact", &[Any], COMPACT),
    fixed("uniq", &[Any], UNIQUE),
    fixed("mustUniq", &[Any], UNIQUE),
    variadic("without", &[Any, Any], WITHOUT),
    variadic("mustWithout", &[Any, Any], WITHOUT),
    fixed("has", &[Any, Any], HAS),
    fixed("mustHas", &[Any, Any], HAS),
    variadic("slice", &[Any, Any], SLICE),
    variadic("mustSlice", &[Any, Any], SLICE),
    fixed("chunk", &[Int, Any], CHUNK),
    fixed("mustChunk", &[Int, Any], CHUNK),
    variadic("concat", &[Any], |context, args| {
        let mut all = Vec::new();
        for arg in args {
            if arg.is_nil() {
                return nil_pointer();
            }
            let Some(items) = items(arg) else {
                return Err(format!("Cannot concat type {} as list", arg.kind().name()).into());
            };
            context.spend(items.len() * size_of::<Value>())?;
            all.extend(items);
        }
        Ok(slice_or_nil(all.is_empty(), all))
    }),
];

/// What some functions make of nothing is a slice that was never made.
fn slice_or_nil(is_nothing: bool, items: Vec<Value>) -> Value {
    Value::List(List::new(if is_nothing { ListKind::Nil } else { ListKind::Any }, items))
}

fn slice_of(value: &Value, problem: &str) -> Result<Vec<Value>, Failure> {
    if value.is_nil() {
        return nil_pointer();
    }
    items(value).ok_or_else(|| format!("{problem} {}", value.kind().name()).into())
}

fn slice(args: &[Value]) -> Answer {
    let value = &args[0];
    if value.is_nil() {
        return nil_pointer();
    }
    let list = match value {
        Value::List(list) => list.clone(),
        other => match items(other) {
            Some(items) => List::new(ListKind::Any, items),
            None => return Err(format!("list should be type of slice or array but {}", value.kind().name()).into()),
        },
    };
    if list.is_empty() {
        return Ok(Value::Nil);
    }
    let start = args.get(1).map_or(0, to_int64);
    let end = args.get(2).map_or_else(|| i64::try_from(list.len()).unwrap_or(i64::MAX), to_int64);
    sliced(&list, start, end)
}

fn chunk(size: i64, value: &Value) -> Answer {
    let list = slice_of(value, "Cannot chunk type")?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        return Err("runtime error: makeslice: len out of range".into());
    };
    Ok(Value::list(list.chunks(size).map(|part| Value::list(part.to_vec())).collect()))
}

/// `reflect.DeepEqual`: types count.
pub(super) fn deep_equal(left: &Value, right: &Value) -> bool {
    deep_equal_to(left, right, 0)
}

#[expect(clippy::float_cmp, reason = "Go compares floats exactly")]
fn deep_equal_to(left: &Value, right: &Value, depth: usize) -> bool {
    if depth > crate::format::MAX_NESTING {
        return false;
    }
    match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left, kind), Value::Int(right, other)) => left == right && kind == other,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.kind == right.kind
                && left.len() == right.len()
                && left.items().iter().zip(right.items()).all(|(left, right)| deep_equal_to(left, right, depth + 1))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.kind == right.kind
                && (left.is_same(right)
                    || left.len() == right.len()
                        && left.entries().iter().zip(right.entries().iter()).all(
                            |((left_key, left), (right_key, right))| {
                                left_key == right_key && deep_equal_to(left, right, depth + 1)
                            },
                        ))
        }
        (Value::Object(left), Value::Object(right)) => std::rc::Rc::ptr_eq(left, right) || left.same(right),
        _ => false,
    }
}
