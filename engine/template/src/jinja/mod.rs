//! Jinja templates (`*.j2`) beside Go's, run by minijinja on the same values with the same functions.
//!
//! All templates of a chart and its subcharts are compiled into one environment. Values are not copied
//! into it: what Jinja holds are [handles](bridge) of the values that Go templates see, so that both
//! languages share maps, methods and what is watched as they are read. Names that Jinja itself gives to
//! filters and functions keep Jinja's meaning; all others are Sprig's and Helm's.

mod bridge;
mod failure;
mod functions;
mod methods;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, syntax::SyntaxConfig};

use crate::error::{Error, Failure};
use crate::exec::Context;
use crate::value::Value;

/// How the names of Jinja templates end.
const EXTENSION: &str = ".j2";

/// Instructions that one rendering may run.
const FUEL: u64 = 20_000_000;

/// Compiled Jinja templates by path.
#[derive(Debug)]
pub(crate) struct Jinja {
    environment: Environment<'static>,
    sources: Arc<BTreeMap<String, Arc<String>>>,
}

/// Whether a file is a Jinja template.
pub(crate) fn is_jinja(name: &str) -> bool {
    name.ends_with(EXTENSION)
}

impl Jinja {
    /// Compiles templates; on failure, says which file is wrong.
    pub(crate) fn parse(files: &[(&str, Arc<String>)]) -> Result<Self, (String, Error)> {
        let sources: BTreeMap<String, Arc<String>> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let sources = Arc::new(sources);
        let mut environment = environment(&sources);
        for (name, text) in files {
            environment
                .add_template_owned((*name).to_owned(), text.as_ref().to_owned())
                .map_err(|error| ((*name).to_owned(), failure::parse(name, text, &error)))?;
        }
        Ok(Self { environment, sources })
    }

    /// The path of a template, by its path or by what follows `templates/` in it.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        find(&self.sources, "", name)
    }

    /// Renders a template, given by its path, on a value.
    pub(crate) fn render(&self, name: &str, dot: &Value, context: &mut Context) -> Result<Vec<u8>, Error> {
        let failed = |error: &minijinja::Error| failure::execution(name, &self.sources, error);
        let template = self.environment.get_template(name).map_err(|error| failed(&error))?;
        let mut sink = Sink { text: Vec::new(), limit: context.output_left() };
        let (result, fuel) =
            bridge::during(context, dot, || match template.render_captured_to(bridge::root(dot), &mut sink) {
                Ok(captured) => (Ok(()), captured.state().fuel_levels().map_or(0, |(used, _)| used)),
                Err(error) => (Err(error), FUEL),
            });
        context.steps_taken(fuel);
        result.map_err(|error| failed(&error))?;
        Ok(sink.text)
    }

    /// Renders a text as if it stood in a file.
    pub(crate) fn render_text(&self, text: &str, dot: &Value, context: &mut Context) -> Result<String, Error> {
        const NAME: &str = "tpl";
        let mut environment = self.environment.clone();
        let sources = Arc::new(BTreeMap::from([(NAME.to_owned(), Arc::new(text.to_owned()))]));
        environment
            .add_template_owned(NAME.to_owned(), text.to_owned())
            .map_err(|error| failure::parse(NAME, text, &error))?;
        let template = environment.get_template(NAME).map_err(|error| failure::execution(NAME, &sources, &error))?;
        let (result, fuel) = bridge::during(context, dot, || match template.render_captured(bridge::root(dot)) {
            Ok(captured) => {
                let fuel = captured.state().fuel_levels().map_or(0, |(used, _)| used);
                (Ok(captured.into_output()), fuel)
            }
            Err(error) => (Err(error), FUEL),
        });
        context.steps_taken(fuel);
        result.map_err(|error| failure::execution(NAME, &sources, &error))
    }
}

fn environment(sources: &Arc<BTreeMap<String, Arc<String>>>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(bridge::format);
    // A line that holds nothing but a statement leaves nothing behind: what YAML wants.
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()
            .expect("the delimiters are Jinja's own"),
    );
    environment.set_unknown_method_callback(methods::call);
    let known = sources.clone();
    environment.set_path_join_callback(move |name, parent| match find(&known, parent, name) {
        Some(found) => found.to_owned().into(),
        None => name.to_owned().into(),
    });
    functions::add(&mut environment);
    bridge::add_globals(&mut environment); // over Sprig's `values`
    environment
}

/// A template by its path, beside the one that asks, in its chart's `templates/`, as `CHART/FILE` in
/// some chart, or in any chart: whichever is found first.
fn find<'a>(sources: &'a BTreeMap<String, Arc<String>>, parent: &str, name: &str) -> Option<&'a str> {
    let exact = |path: &str| sources.get_key_value(path).map(|(path, _)| path.as_str());
    let beside = parent.rsplit_once('/').map(|(folder, _)| format!("{folder}/{name}"));
    let own = parent.split_once("/templates/").map(|(chart, _)| format!("{chart}/templates/{name}"));
    let ending = |tail: String| sources.keys().filter(|path| path.ends_with(&tail)).min_by_key(|path| path.len());
    exact(name)
        .or_else(|| beside.as_deref().and_then(exact))
        .or_else(|| own.as_deref().and_then(exact))
        .or_else(|| {
            let (chart, file) = name.split_once('/')?;
            let path = format!("{chart}/templates/{file}");
            exact(&path).or_else(|| ending(format!("/{path}")).map(String::as_str))
        })
        .or_else(|| ending(format!("/templates/{name}")).map(String::as_str))
}

/// Text that may not grow past a limit.
struct Sink {
    text: Vec<u8>,
    limit: usize,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            return Err(io::Error::other(Failure::TOO_LONG));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
