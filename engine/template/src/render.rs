//! Runs a chart's templates: the crate's front door.

use std::rc::Rc;

use crate::ambient::Ambient;
use crate::changes::{self, Running};
use crate::error::Error;
use crate::exec::{Context, Limits, execute};
use crate::funcs::remove_no_value;
use crate::host::Host;
use crate::jinja::is_jinja;
use crate::set::{Set, Templates};
use crate::trace::Trace;
use crate::value::Value;

/// Renders one template after another on the current thread, sharing what may be shared.
pub struct Renderer {
    templates: Templates,
    context: Context,
    ambient: Ambient,
}

impl Renderer {
    /// A renderer; call it within [`with_stack`].
    pub fn new(templates: &Templates, host: Rc<dyn Host>, ambient: &Ambient, limits: Limits) -> Self {
        let set = Rc::new(Set::new(templates.clone()));
        changes::forget();
        Self {
            templates: templates.clone(),
            context: Context::new(set, host, ambient.clone(), limits),
            ambient: ambient.clone(),
        }
    }

    /// In lint mode `required` and `fail` let everything pass.
    #[must_use]
    pub fn lint(mut self, lint: bool) -> Self {
        self.context.lint = lint;
        self
    }

    /// Remembers what is done from now on.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.context.trace = Some(Box::default());
        self
    }

    /// What was done since the last time, if it is remembered.
    pub fn take_trace(&mut self) -> Option<Trace> {
        self.context.trace.as_mut().map(|trace| std::mem::take(&mut **trace))
    }

    /// How many steps the templates have taken.
    pub fn steps(&self) -> u64 {
        self.context.steps()
    }

    /// Whether templates changed what those of other files see, too: then the order of the files counts.
    pub fn order_counts(&self) -> bool {
        changes::seen()
    }

    /// Renders a template with a value as its dot.
    pub fn render(&mut self, name: &str, dot: &Value) -> Result<Vec<u8>, Error> {
        let _running = Running::begin();
        if let Some(jinja) = self.templates.jinja().filter(|_| is_jinja(name)) {
            self.context.ambient = self.ambient.for_file(name);
            return jinja.render(name, dot, &mut self.context);
        }
        let Some(tree) = self.templates.get(name) else {
            let quoted = crate::quote::quote(name.as_bytes());
            return Err(Error::plain(format!("template: no template {quoted} associated with template \"gotpl\"")));
        };
        self.context.ambient = self.ambient.for_file(name);
        // Most of what a file writes is its own text.
        let mut out = Vec::with_capacity(tree.source.text.len());
        execute(&tree, dot, &mut out, &mut self.context)?;
        let mut out = remove_no_value(out);
        // Many write less than they are, or nothing: the next one has the room.
        out.shrink_to_fit();
        Ok(out)
    }
}

/// Bytes of stack to render on; memory is used only as far as templates nest.
const STACK: usize = 256 << 20;

/// Runs something on a stack of its own, deep enough for what the default [`Limits`] allow.
///
/// It is the same thread: another one would take its memory from another heap, which costs more than it seems.
pub fn with_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(STACK, work)
}
