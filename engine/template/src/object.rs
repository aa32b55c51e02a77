//! Values that are more than data: structs with fields, values with methods.

use std::any::Any;
use std::rc::Rc;

use crate::error::Failure;
use crate::exec::Context;
use crate::funcs::Type;
use crate::value::{Entries, Kind, Value};

/// The parameters of a method.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    /// Their types.
    pub params: &'static [Type],
    /// Whether the last may be given any number of times.
    pub variadic: bool,
}

/// A value that the host gives to templates.
pub trait Object {
    /// Go's name of its type.
    fn type_name(&self) -> &str;

    /// Go's kind of its type.
    fn kind(&self) -> Kind;

    /// What `printf "%v"` prints.
    fn print(&self) -> String;

    /// What a template prints by itself: Go follows pointers then, and calls methods of what has an address.
    fn show(&self) -> String {
        self.print()
    }

    /// What functions get of a struct that is no pointer: a copy, which has no address.
    fn copied(&self) -> Option<Value> {
        None
    }

    /// To find out what it is.
    fn as_any(&self) -> &dyn Any;

    /// Whether templates take it for true.
    fn truth(&self) -> bool {
        true
    }

    /// A field of a struct.
    fn field(&self, _name: &str) -> Option<Value> {
        None
    }

    /// The parameters of a method, if there is one of that name.
    fn method(&self, _name: &str) -> Option<Signature> {
        None
    }

    /// Calls a method with arguments of the types asked for.
    fn call(&self, _context: &mut Context, name: &str, _args: &[Value]) -> Result<Value, Failure> {
        Err(Failure::new(format!("no method {name}")))
    }

    /// The entries, if it behaves as a map.
    fn entries(&self) -> Option<Entries> {
        None
    }

    /// The items, if it behaves as a slice.
    fn items(&self) -> Option<Vec<Value>> {
        None
    }

    /// What `toJson` and `toYaml` write.
    fn plain(&self) -> Value;

    /// The fields as `toJson` orders them, if it is a struct; others are written as [`Object::plain`] has them.
    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        None
    }

    /// Whether another object has the same value.
    fn same(&self, _other: &Rc<dyn Object>) -> bool {
        false
    }
}
