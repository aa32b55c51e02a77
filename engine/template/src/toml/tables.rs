//! The tables of a document while it is read, and which keys may still be given.
//!
//! What the library allows depends on flags that it keeps by the names of keys, not by table: whether a key was only implied
//! (`a` by `a.b = 1`) and whether it holds an array. The elements of an array of tables share names and so flags. To allow
//! what it allows, with its oddities, the names are kept as a tree of their own beside the tables.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::text::Text;
use crate::value::{Entries, List, ListKind, Value};

/// How many parts a name may have.
const MAX_PARTS: usize = 1000;

/// A value that may yet grow.
#[derive(Clone)]
pub(super) enum Node {
    Value(Value),
    List(Rc<Vec<Node>>),
    Table(TableId),
    Tables(Vec<TableId>),
}

type TableId = usize;
type NameId = usize;

/// The name of the document itself.
const ROOT: NameId = 0;

#[derive(Default)]
struct Name {
    parent: NameId,
    part: Text,
    parts: usize,
    implied: bool,
    array: bool,
}

/// Where keys are given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    name: NameId,
    /// None where the name holds something else.
    table: Option<TableId>,
}

/// A table under its name.
#[derive(Debug, Clone, Copy)]
struct Place {
    name: NameId,
    table: TableId,
}

impl Place {
    const ROOT: Self = Self { name: ROOT, table: 0 };
}

impl From<Place> for Context {
    fn from(Place { name, table }: Place) -> Self {
        Self { name, table: Some(table) }
    }
}

pub(super) struct Tables {
    tables: Vec<BTreeMap<Text, Node>>,
    names: Vec<Name>,
    parts: BTreeMap<(NameId, Text), NameId>,
    pub(super) context: Context,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            tables: vec![BTreeMap::new()],
            names: vec![Name::default()],
            parts: BTreeMap::new(),
            context: Place::ROOT.into(),
        }
    }

    /// `[a.b]` or `[[a.b]]`.
    pub(super) fn header(&mut self, key: &[Text], array: bool) -> Result<(), String> {
        let (last, parents) = key.split_last().ok_or("a table has no name")?;
        let mut place = Place::ROOT;
        for part in parents {
            place = self.parent(place, part)?;
        }
        self.open(place, last, array)
    }

    /// The table of a part of a key, which it implies.
    pub(super) fn imply(&mut self, part: &Text) -> Result<(), String> {
        let name = self.name_of(self.context.name, part)?;
        self.names[name].implied = true;
        let place = self.place()?;
        self.open(place, part, false)
    }

    /// The table that an inline one is read into.
    pub(super) fn inline(&mut self, key: &Text, in_list: bool) -> Result<(), String> {
        let name = self.name_of(self.context.name, key)?;
        self.names[name].implied = true;
        let place = self.place();
        if place.is_err() {
            // The complaint is made under the name of the inline table.
            self.context = Context { name, table: None };
        }
        self.open(place?, key, in_list)
    }

    /// The table of the context, in which another is wanted.
    fn place(&self) -> Result<Place, String> {
        let Context { name, table } = self.context;
        table.map(|table| Place { name, table }).ok_or_else(|| self.no_table(name))
    }

    fn no_table(&self, name: NameId) -> String {
        format!("Key '{}' was already created as a hash.", self.text(name))
    }

    /// The table on the way to another; it is made if there is none.
    fn parent(&mut self, Place { name, table }: Place, part: &Text) -> Result<Place, String> {
        let name = self.name_of(name, part)?;
        if !self.tables[table].contains_key(part) {
            self.names[name].implied = true;
            let node = Node::Table(self.make());
            self.tables[table].insert(part.clone(), node);
        }
        let table = self.table_at(table, part).ok_or_else(|| self.no_table(name))?;
        Ok(Place { name, table })
    }

    /// Makes a table and goes there.
    fn open(&mut self, place: Place, key: &Text, array: bool) -> Result<(), String> {
        self.context = place.into();
        let name = self.name_of(place.name, key)?;
        let table = place.table;
        let made = self.make();
        if array {
            match self.tables[table].entry(key.clone()).or_insert_with(|| Node::Tables(Vec::new())) {
                Node::Tables(tables) => tables.push(made),
                _ => {
                    let key = self.text(name);
                    return Err(format!("Key '{key}' was already created and cannot be used as an array."));
                }
            }
        } else {
            self.set(key, Node::Table(made))?;
        }
        self.context = Context { name, table: self.table_at(table, key) };
        Ok(())
    }

    /// Gives a key a value, where it may have one.
    pub(super) fn set(&mut self, key: &Text, node: Node) -> Result<(), String> {
        let defined = |tables: &Self, name| format!("Key '{}' has already been defined.", tables.text(name));
        let Some(table) = self.context.table else { return Err(defined(self, self.context.name)) };
        let id = self.name_of(self.context.name, key)?;
        let name = &mut self.names[id];
        let entries = &mut self.tables[table];
        if !entries.contains_key(key) {
            entries.insert(key.clone(), node);
        } else if !name.implied {
            return Err(defined(self, id));
        } else {
            name.implied = false;
            // A table keeps what it has, which was given through its name; a list is given whole.
            if name.array {
                entries.insert(key.clone(), node);
            }
        }
        Ok(())
    }

    /// Notes whether a key holds an array. The library means the table itself by an empty key.
    pub(super) fn note(&mut self, key: &Text, array: bool) -> Result<(), String> {
        let mut name = self.context.name;
        if !key.is_empty() || name == ROOT {
            name = self.name_of(name, key)?;
        }
        self.names[name].array = array;
        Ok(())
    }

    pub(super) fn make(&mut self) -> TableId {
        self.tables.push(BTreeMap::new());
        self.tables.len() - 1
    }

    /// Gives a key a value in a table that nothing else refers to. False where one of its parts is something else.
    pub(super) fn put(&mut self, mut table: TableId, parents: &[Text], key: &Text, node: Node) -> bool {
        for part in parents {
            if !self.tables[table].contains_key(part) {
                let node = Node::Table(self.make());
                self.tables[table].insert(part.clone(), node);
            }
            let Some(Node::Table(inner)) = self.tables[table].get(part) else { return false };
            table = *inner;
        }
        self.tables[table].insert(key.clone(), node);
        true
    }

    /// The table that a key leads to; of an array of tables the last.
    fn table_at(&self, table: TableId, key: &Text) -> Option<TableId> {
        match self.tables[table].get(key)? {
            Node::Table(id) => Some(*id),
            Node::Tables(ids) => ids.last().copied(),
            Node::Value(_) | Node::List(_) => None,
        }
    }

    fn name_of(&mut self, parent: NameId, part: &Text) -> Result<NameId, String> {
        if let Some(name) = self.parts.get(&(parent, part.clone())) {
            return Ok(*name);
        }
        let parts = self.names[parent].parts + 1;
        if parts > MAX_PARTS {
            return Err("tables are nested too deeply".to_owned());
        }
        let name = self.names.len();
        self.names.push(Name { parent, part: part.clone(), parts, ..Name::default() });
        self.parts.insert((parent, part.clone()), name);
        Ok(name)
    }

    /// The name of the context as the library writes it.
    pub(super) fn context_text(&self) -> String {
        self.text(self.context.name)
    }

    fn text(&self, mut name: NameId) -> String {
        let mut parts = Vec::new();
        while name != ROOT {
            parts.push(String::from_utf8_lossy(&super::write::key_text(self.names[name].part.as_bytes())).into_owned());
            name = self.names[name].parent;
        }
        parts.reverse();
        parts.join(".")
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> Value {
        self.table_value(0)
    }

    /// Goes as deep as the reader went, which has a bound. No table is referred to twice.
    fn table_value(&mut self, table: TableId) -> Value {
        let entries = std::mem::take(&mut self.tables[table]);
        let entries: Entries = entries.into_iter().map(|(key, node)| (key, self.node_value(&node))).collect();
        Value::map(entries)
    }

    fn node_value(&mut self, node: &Node) -> Value {
        match node {
            Node::Value(value) => value.clone(),
            Node::Table(table) => self.table_value(*table),
            Node::List(nodes) => Value::list(nodes.iter().map(|node| self.node_value(node)).collect()),
            Node::Tables(tables) => {
                let tables = tables.iter().map(|table| self.table_value(*table)).collect();
                Value::List(List::new(ListKind::Maps, tables))
            }
        }
    }
}
