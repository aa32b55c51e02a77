//! Functions by name, in a table that the compiler fills: parsing asks for every name that a template holds.

use super::{Function, TABLES};
use crate::weight::same;

/// One of the functions: its table, and its row there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionId {
    table: u8,
    row: u8,
}

impl FunctionId {
    /// The function.
    pub(crate) fn get(self) -> &'static Function {
        &TABLES[self.table as usize][self.row as usize]
    }
}

/// Places of the table: a power of two, some four times as many as there are functions.
const PLACES: usize = 1024;

/// Each function stands at the place that its name's hash gives, or at the next one that was free.
static BY_NAME: [Option<FunctionId>; PLACES] = {
    let mut places: [Option<FunctionId>; PLACES] = [None; PLACES];
    let mut table: u8 = 0;
    while (table as usize) < TABLES.len() {
        let functions = TABLES[table as usize];
        let mut row: u8 = 0;
        while (row as usize) < functions.len() {
            let name = functions[row as usize].name.as_bytes();
            let mut place = hash(name);
            // A later table replaces what an earlier one has under the same name.
            while let Some(other) = places[place]
                && !same(TABLES[other.table as usize][other.row as usize].name.as_bytes(), name)
            {
                place = (place + 1) % PLACES;
            }
            places[place] = Some(FunctionId { table, row });
            row += 1;
        }
        table += 1;
    }
    places
};

/// The first place to look at for a name. Its length and four of its letters tell nearly all names apart.
#[expect(clippy::cast_possible_truncation, reason = "no function's name is that long")]
const fn hash(name: &[u8]) -> usize {
    let length = name.len();
    if length == 0 {
        return 0;
    }
    let letters = u32::from_le_bytes([name[0], name[length / 3], name[length / 2], name[length - 1]]);
    (letters.wrapping_add(length as u32).wrapping_mul(0x9E37_79B1) >> (32 - PLACES.ilog2())) as usize
}

/// The function of a name.
#[inline]
pub(crate) fn find(name: impl AsRef<[u8]>) -> Option<FunctionId> {
    let name = name.as_ref();
    let mut place = hash(name);
    loop {
        let found = BY_NAME[place]?;
        if found.get().name.as_bytes() == name {
            return Some(found);
        }
        place = (place + 1) % PLACES;
    }
}

/// The names of all functions.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = BY_NAME.iter().flatten().map(|function| function.get().name).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_function_and_nothing_else() {
        for (at, table) in TABLES.iter().enumerate() {
            for function in *table {
                let is_replaced = TABLES[at + 1..].iter().any(|later| later.iter().any(|it| it.name == function.name));
                let found = find(function.name).expect("a function").get();
                assert_eq!(std::ptr::eq(found, function), !is_replaced, "{}", function.name);
            }
        }
        for name in ["", "uppe", "upperr", "Upper", "é"] {
            assert_eq!(find(name), None, "{name}");
        }
        assert!(names().is_sorted());
        assert!(names().len() * 2 < PLACES);
    }
}
