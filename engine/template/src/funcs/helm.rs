//! Helm's own functions.

use kpkg_gounicode::{hidden, revealed};

use super::encoding::{must, spent};
use super::{Answer, Function, Type, fixed, string, strval, text};
use crate::encode::{self, JsonStyle};
use crate::error::{Error, Failure, WARN_END, WARN_START};
use crate::exec::{Context, Included, execute};
use crate::host::LookupRequest;
use crate::json;
use crate::parse::parse;
use crate::quote::quote;
use crate::set::Set;
use crate::text::Text;
use crate::value::{Entries, Value};

use std::rc::Rc;
use std::sync::Arc;

use Type::{Any, String as Str};

/// How often one template may be open at a time.
const MAX_INCLUDES: u32 = 1000;

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("include", &[Str, Any], |context, args| include(context, &args[0], &args[1])),
    fixed("tpl", &[Str, Any], |context, args| tpl(context, &args[0], &args[1])),
    fixed("required", &[Str, Any], |context, args| {
        let missing = args[1].is_nil() || matches!(&args[1], Value::String(text) if text.is_empty());
        match missing {
            true if context.lint => Ok("".into()),
            true => Err(warning(&string(&args[0]))),
            false => Ok(args[1].clone()),
        }
    }),
    fixed("fail", &[Str], |context, args| if context.lint { Ok("".into()) } else { Err(warning(&string(&args[0]))) }),
    fixed("lookup", &[Str, Str, Str, Str], |context, args| {
        let part = |index: usize| string(&args[index]).into_owned();
        let request = LookupRequest { api_version: part(0), kind: part(1), namespace: part(2), name: part(3) };
        Ok(context.host.lookup(&request))
    }),
    fixed("getHostByName", &[Str], |context, args| Ok(context.host.host_by_name(&string(&args[0])).into())),
    fixed("toYaml", &[Any], |context, args| {
        let text = encode::yaml(&args[0], context.take_buffer()).unwrap_or_default();
        written(context, text)
    }),
    fixed("mustToYaml", &[Any], |context, args| {
        let text = encode::yaml(&args[0], context.take_buffer()).map_err(Failure::new)?;
        written(context, text)
    }),
    fixed("toYamlPretty", &[Any], |context, args| {
        let text = encode::yaml_pretty(&args[0]).unwrap_or_default();
        written(context, text.into_bytes())
    }),
    fixed("toJson", &[Any], |context, args| {
        spent(context, encode::json(&args[0], JsonStyle::COMPACT).unwrap_or_default())
    }),
    fixed("mustToJson", &[Any], |context, args| must(context, encode::json(&args[0], JsonStyle::COMPACT))),
    fixed("fromYaml", &[Str], |_, args| Ok(or_error_map(read_yaml(text(&args[0]), "map[string]interface {}")))),
    fixed("fromYamlArray", &[Str], |_, args| Ok(or_error_list(read_yaml(text(&args[0]), "[]interface {}")))),
    fixed("fromJson", &[Str], |_, args| Ok(or_error_map(json::parse_as(text(&args[0]), "map[string]interface {}")))),
    fixed("fromJsonArray", &[Str], |_, args| Ok(or_error_list(json::parse_as(text(&args[0]), "[]interface {}")))),
];

fn warning(message: &str) -> Failure {
    Failure::new(format!("{WARN_START}{message}{WARN_END}"))
}

/// YAML without the break at its end, in a buffer of the context.
fn written(context: &mut Context, mut text: Vec<u8>) -> Answer {
    if text.ends_with(b"\n") {
        text.pop();
    }
    context.spend(text.len())?;
    Ok(context.finish_buffer(text).into())
}

fn include(context: &mut Context, name: &Value, data: &Value) -> Answer {
    let key = strval(name);
    let included = context.included(&key);
    let open = included.open.get();
    if open > MAX_INCLUDES {
        return Err(Failure::limit(format!(
            "rendering template has a nested reference name: {}: unable to execute template",
            key.to_str()
        )));
    }
    included.open.set(open + 1);
    let result = run_include(context, &included, &key, data);
    included.open.set(open);
    result
}

fn run_include(context: &mut Context, included: &Included, key: &Text, data: &Value) -> Answer {
    let name = &*key.to_str();
    // What `tpl` defines stands before what the charts define.
    let layered = if context.set.is_layer() { context.set.get(name) } else { None };
    let Some(tree) = layered.as_ref().or(included.tree.as_ref()) else {
        if let Some((jinja, path)) = context.set.jinja_of(name) {
            context.check_depth().map_err(Failure::limit)?;
            return Ok(jinja.render(&path, data, context)?.into());
        }
        return Err(Failure(Error::plain(format!(
            "template: no template {} associated with template \"gotpl\"",
            quote(key.as_bytes())
        ))));
    };
    context.check_depth().map_err(Failure::limit)?;
    let mut out = context.take_buffer();
    execute(tree, data, &mut out, context)?;
    Ok(context.finish_buffer(out).into())
}

/// How often `tpl` may run inside itself: every level of a failure quotes the text of the one below.
const MAX_TPL_DEPTH: usize = 256;

fn tpl(context: &mut Context, template: &Value, data: &Value) -> Answer {
    let source = text(template);
    context.check_depth().map_err(Failure::limit)?;
    if context.tpl_depth >= MAX_TPL_DEPTH {
        return Err(Failure::limit(format!("`tpl` calls itself more than {MAX_TPL_DEPTH} times deep")));
    }
    if is_plain(context, source) {
        return Ok(template.clone());
    }
    let trees = parse_once(context, source)?;
    let Some(tree) = trees.iter().find(|tree| &*tree.name == "gotpl").cloned() else { return Ok("".into()) };
    let outer = context.set.clone();
    if trees.len() > 1 {
        context.set = Rc::new(Set::layer(outer.clone(), &trees));
    }
    let mut out = Vec::new();
    context.tpl_depth += 1;
    let result = execute(&tree, data, &mut out, context);
    if std::str::from_utf8(source).is_err() {
        out = revealed(&out);
    }
    context.tpl_depth -= 1;
    context.set = outer;
    result.map_err(|error| {
        let text = format!("error during tpl function execution for {}: {error}", quote(source));
        Failure(Error::wrap(text, error))
    })?;
    Ok(remove_no_value(out).into())
}

/// Whether a text is what it gives, which is written then. If that is more than allowed it must run, to fail.
fn is_plain(context: &mut Context, source: &[u8]) -> bool {
    let has = |mark: &[u8]| super::strings::find(source, mark).is_some();
    // A trace shows where every text came from.
    let is_plain = context.trace.is_none() && !has(b"{{") && !has(NO_VALUE);
    is_plain && context.step().is_ok() && context.spend(source.len()).is_ok()
}

/// Charts call `tpl` on the same texts again and again.
fn parse_once(context: &Context, source: &[u8]) -> Result<Arc<[Arc<crate::ast::Tree>]>, Failure> {
    if let Some(trees) = context.parsed.borrow().get(source) {
        return Ok(trees.clone());
    }
    let text = hidden(source);
    let trees = parse("gotpl".into(), text).map_err(|error| {
        let text = format!("cannot parse template {}: {error}", quote(source));
        Failure(Error::wrap(text, error))
    })?;
    let trees: Arc<[_]> = trees.into();
    context.parsed.borrow_mut().insert(source.into(), trees.clone());
    Ok(trees)
}

/// What Go prints for nil.
const NO_VALUE: &[u8] = b"<no value>";

/// Helm takes it out of what Go printed.
pub(crate) fn remove_no_value(bytes: Vec<u8>) -> Vec<u8> {
    // Manifests have few angle brackets.
    let mut marks = memchr::memchr_iter(b'<', &bytes).filter(|at| bytes[*at..].starts_with(NO_VALUE)).peekable();
    if marks.peek().is_none() {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for at in marks {
        out.extend_from_slice(&bytes[from..at]);
        from = at + NO_VALUE.len();
    }
    out.extend_from_slice(&bytes[from..]);
    out
}

fn read_yaml(bytes: &[u8], wanted: &str) -> Result<Value, String> {
    let plain = kpkg_yaml::read_bytes(bytes).map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    match (&plain, wanted) {
        (kpkg_yaml::Value::Null, _)
        | (kpkg_yaml::Value::Map(_), "map[string]interface {}")
        | (kpkg_yaml::Value::List(_), "[]interface {}") => Ok(Value::from(&plain)),
        _ => Err(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type {wanted}",
            plain.json_type()
        )),
    }
}

fn or_error_map(read: Result<Value, String>) -> Value {
    match read {
        Ok(Value::Nil) => Value::map(Entries::new()),
        Ok(value) => value,
        Err(problem) => Value::map(Entries::from([("Error".into(), problem.into())])),
    }
}

fn or_error_list(read: Result<Value, String>) -> Value {
    match read {
        Ok(Value::Nil) => Value::list(Vec::new()),
        Ok(value) => value,
        Err(problem) => Value::list(vec![problem.into()]),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use crate::{Ambient, Entries, Limits, NoHost, Renderer, Templates, Value, with_stack};

    /// A rendering that is traced parses every text.
    #[test]
    fn tpl_of_a_plain_text_gives_what_parsing_it_gives() {
        let templates = Templates::parse([("x", "{{ tpl .text . }}".to_owned())]).expect("a template");
        let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
        let render = |text: &str, limits: Limits, is_traced: bool| {
            with_stack(|| {
                let mut renderer = Renderer::new(&templates, Rc::new(NoHost), &ambient, limits);
                if is_traced {
                    renderer = renderer.traced();
                }
                renderer.render("x", &Value::map(Entries::from([("text".into(), text.into())])))
            })
        };
        let few = Limits { output: 12, ..Limits::default() };
        let short = Limits { steps: 6, ..Limits::default() };
        for text in ["", "a", "a<no value>b", "{", "{ { }}", "{{ 1 }}", "é\n  b: [c]\n", "longer than it may be"] {
            for limits in [Limits::default(), few, short] {
                assert_eq!(render(text, limits, false), render(text, limits, true), "{text}");
            }
        }
    }
}
