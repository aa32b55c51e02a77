//! Sprig's versions.

use std::any::Any;

use super::{Function, Type, fixed, string, strval};
use crate::error::Failure;
use crate::exec::Context;
use crate::object::{Object, Signature};
use crate::semver::{Range, Version};
use crate::value::{IntKind, Kind, Value};

use Type::String as Str;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("semver", &[Str], |_, args| {
        let version = Version::parse(&string(&args[0])).map_err(Failure::new)?;
        Ok(Value::object(Parsed(version)))
    }),
    fixed("semverCompare", &[Str, Str], |context, args| compare(context, &args[0], &args[1]).map(Value::Bool)),
];

/// Whether a version is in a range. Charts ask the same of Kubernetes' version in every file.
fn compare(context: &mut Context, range: &Value, version: &Value) -> Result<bool, Failure> {
    /// As many different questions are remembered.
    const MOST: usize = 256;
    let question = (strval(range), strval(version));
    if let Some(known) = context.compared.get(&question) {
        return Ok(*known);
    }
    let found = Range::parse(&string(range)).map_err(Failure::new)?;
    let is_in = found.contains(&Version::parse(&string(version)).map_err(Failure::new)?);
    if context.compared.len() < MOST {
        context.compared.insert(question, is_in);
    }
    Ok(is_in)
}

/// `*semver.Version`
struct Parsed(Version);

fn number(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX), IntKind::Uint64)
}

impl Object for Parsed {
    fn type_name(&self) -> &'static str {
        "*semver.Version"
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn print(&self) -> String {
        self.0.to_string()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Signature> {
        let params: &'static [Type] = match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String" | "IncMajor"
            | "IncMinor" | "IncPatch" => &[],
            "Compare" | "LessThan" | "GreaterThan" | "Equal" | "GreaterThanEqual" | "LessThanEqual" => &[Type::Any],
            _ => return None,
        };
        Some(Signature { params, variadic: false })
    }

    fn call(&self, _context: &mut Context, name: &str, args: &[Value]) -> Result<Value, Failure> {
        let version = &self.0;
        let bump = |major: u64, minor: u64, patch: u64| {
            let next = Version {
                major,
                minor,
                patch,
                prerelease: String::new(),
                metadata: String::new(),
                original: String::new(),
            };
            Value::object(Self(Version { original: next.to_string(), ..next }))
        };
        let order = || match args.first() {
            Some(Value::Object(object)) => {
                object.as_any().downcast_ref::<Self>().map(|other| version.compare(&other.0))
            }
            _ => None,
        };
        Ok(match name {
            "Major" => number(version.major),
            "Minor" => number(version.minor),
            "Patch" => number(version.patch),
            "Prerelease" => version.prerelease.as_str().into(),
            "Metadata" => version.metadata.as_str().into(),
            "Original" => version.original.as_str().into(),
            "IncMajor" => bump(version.major + 1, 0, 0),
            "IncMinor" => bump(version.major, version.minor + 1, 0),
            "IncPatch" if version.prerelease.is_empty() => bump(version.major, version.minor, version.patch + 1),
            "IncPatch" => bump(version.major, version.minor, version.patch),
            "String" => version.to_string().into(),
            comparison => {
                let order = order().ok_or_else(|| Failure::new("argument is not a version"))?;
                match comparison {
                    "Compare" => Value::int(order as i64),
                    "LessThan" => Value::Bool(order.is_lt()),
                    "GreaterThan" => Value::Bool(order.is_gt()),
                    "LessThanEqual" => Value::Bool(order.is_le()),
                    "GreaterThanEqual" => Value::Bool(order.is_ge()),
                    _ => Value::Bool(order.is_eq()),
                }
            }
        })
    }

    fn plain(&self) -> Value {
        self.0.to_string().into()
    }
}
