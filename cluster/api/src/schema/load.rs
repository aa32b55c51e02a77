//! Reads `table.txt`. The format is described where it is written: `xtask/src/schema/table.rs`.
//!
//! The file is ours and compiled in, so a malformed line is a bug of the generator: it panics, and any test finds it.

use super::{Element, Field, ListType, PatchStrategy, Shape, Slot, Table, Type, TypeId, WireField, zero};
use std::collections::HashMap;

/// Reads the text of the whole table.
pub(super) fn parse(text: &'static str) -> Table {
    let is_name = |line: &&str| !line.starts_with(['#', '@', '&', ' ']);
    let by_name: HashMap<&'static str, TypeId> =
        text.lines().filter(is_name).enumerate().map(|(at, name)| (name, type_id(at))).collect();
    let mut types: Vec<Type> = Vec::with_capacity(by_name.len());
    let mut kept = "";
    for line in text.lines() {
        if let Some(field) = line.strip_prefix(' ') {
            let owner = types.last_mut().expect("a field line follows a type line");
            owner.fields.push(parse_field(kept, field, &by_name));
        } else if let Some(kind) = line.strip_prefix("@ ") {
            let owner = types.last_mut().expect("a kind line follows a type line");
            owner.kinds.push(parse_kind(kind));
        } else if line.starts_with('&') {
            types.last_mut().expect("an attribute line follows a type line").atomic = true;
        } else if !line.starts_with('#') {
            kept = zero::kept(line);
            let always = zero::always(line).split(' ').filter(|name| !name.is_empty()).collect();
            types.push(Type {
                name: line,
                kinds: Vec::new(),
                fields: Vec::new(),
                atomic: false,
                always,
                wire: Vec::new(),
            });
        }
    }
    let mut by_kind = HashMap::new();
    for (at, a_type) in types.iter_mut().enumerate() {
        a_type.wire = wire(&a_type.fields);
        by_kind.extend(a_type.kinds.iter().map(|kind| (*kind, type_id(at))));
    }
    Table { types, by_name, by_kind }
}

fn type_id(at: usize) -> TypeId {
    TypeId(u16::try_from(at).expect("fewer types than 65536"))
}

fn parse_kind(line: &'static str) -> (&'static str, &'static str, &'static str) {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a kind line has three words");
    let group = word();
    (if group == "-" { "" } else { group }, word(), word())
}

fn parse_field(kept: &str, line: &'static str, by_name: &HashMap<&'static str, TypeId>) -> Field {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a field line has three words");
    let (name, code, number) = (word(), word(), word());
    let (shape, element) = parse_code(code, by_name);
    let mut field = Field {
        name,
        number: number.split('.').filter_map(|part| part.parse().ok()).collect(),
        shape,
        element,
        required: false,
        keeps_zero: kept.split(' ').any(|kept| kept == name),
        list_type: ListType::Atomic,
        map_keys: Vec::new(),
        atomic_map: false,
        granular: false,
        patch_strategy: PatchStrategy::default(),
        patch_merge_key: None,
    };
    words.for_each(|attribute| set_attribute(&mut field, attribute));
    field
}

fn set_attribute(field: &mut Field, attribute: &'static str) {
    match attribute.split_once('=') {
        None if attribute == "!" => field.required = true,
        None if attribute == "G" => field.granular = true,
        None => field.atomic_map = true,
        Some(("L", "map")) => field.list_type = ListType::Map,
        Some(("L", "set")) => field.list_type = ListType::Set,
        Some(("K", keys)) => field.map_keys = keys.split(',').collect(),
        Some(("M", key)) => field.patch_merge_key = Some(key),
        Some(("P", strategies)) => {
            for strategy in strategies.split(',') {
                match strategy {
                    "merge" => field.patch_strategy.merge = true,
                    "retainKeys" => field.patch_strategy.retain_keys = true,
                    _ => field.patch_strategy.replace = true,
                }
            }
        }
        Some(_) => {}
    }
}

fn parse_code(code: &str, by_name: &HashMap<&'static str, TypeId>) -> (Shape, Element) {
    let (shape, code) = if let Some(rest) = code.strip_prefix("{[") {
        (Shape::MapOfLists, rest)
    } else if let Some(rest) = code.strip_prefix('{') {
        (Shape::Map, rest)
    } else if let Some(rest) = code.strip_prefix('[') {
        (Shape::List, rest)
    } else {
        (Shape::Single, code)
    };
    let element = match code {
        "s" => Element::String,
        "b" => Element::Bytes,
        "t" => Element::Bool,
        "i" => Element::Int32,
        "l" => Element::Int64,
        "d" => Element::Double,
        "q" => Element::Quantity,
        "x" => Element::IntOrString,
        "T" => Element::Time,
        "M" => Element::MicroTime,
        "D" => Element::Duration,
        "R" => Element::RawExtension,
        "F" => Element::FieldsV1,
        _ => match code.strip_prefix('*').and_then(|name| by_name.get(name)) {
            Some(id) => Element::Message(*id),
            None => Element::Json,
        },
    };
    (shape, element)
}

/// The fields as a tree of numbers.
fn wire(fields: &[Field]) -> Vec<WireField> {
    let mut tree = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        if let Some((last, path)) = field.number.split_last() {
            let level = path.iter().fold(&mut tree, |level, number| embedded(level, *number));
            level.push(WireField { number: *last, slot: Slot::Field(index) });
        }
    }
    sort(&mut tree);
    tree
}

fn embedded(level: &mut Vec<WireField>, number: u32) -> &mut Vec<WireField> {
    let at = level.iter().position(|field| field.number == number).unwrap_or_else(|| {
        level.push(WireField { number, slot: Slot::Embedded(Vec::new()) });
        level.len() - 1
    });
    match &mut level[at].slot {
        Slot::Embedded(inner) => inner,
        Slot::Field(_) => unreachable!("the generator gives no number to both a field and an embedded message"),
    }
}

fn sort(level: &mut [WireField]) {
    level.sort_by_key(|field| field.number);
    for field in level {
        if let Slot::Embedded(inner) = &mut field.slot {
            sort(inner);
        }
    }
}
