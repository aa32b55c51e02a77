//! The template parser, and the engine on what it accepts: an answer within the limits, and the same one twice.

use std::rc::Rc;

use kpkg_template::{Ambient, Entries, Limits, NoHost, Renderer, Templates, Value, with_stack};

/// Tries one input.
pub(crate) fn run(text: &str) {
    let Ok(templates) = Templates::parse([("x", text.to_owned())]) else { return };
    let limits = Limits { output: 1 << 16, steps: 20_000, stack: 64 << 20 };
    let clock = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
    let render = |ambient: &Ambient| {
        let dot = Value::map(Entries::from([("a".into(), Value::strings(["b", "c"])), ("d".into(), Value::int(1))]));
        Renderer::new(&templates, Rc::new(NoHost), ambient, limits).render("x", &dot).map_err(|error| error.to_string())
    };
    let both = with_stack(|| (render(&clock), render(&clock)));
    assert_eq!(both.0, both.1);
}
