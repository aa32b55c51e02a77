//! What is wrong with an instance: a tree, printed as indented lines.

use std::fmt::Display;

/// One complaint, and the complaints that led to it.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    /// A JSON pointer into the instance.
    pub(super) path: String,
    pub(super) message: String,
    pub(super) causes: Vec<Fault>,
}

impl Fault {
    pub(super) fn new(path: impl Display, message: impl Into<String>) -> Self {
        Self { path: path.to_string(), message: message.into(), causes: Vec::new() }
    }

    /// One complaint for all those of a subschema: itself if it is alone.
    pub(super) fn group(path: impl Display, mut faults: Vec<Self>) -> Self {
        if faults.len() == 1 {
            return faults.remove(0);
        }
        Self { path: path.to_string(), message: "validation failed".to_owned(), causes: faults }
    }

    fn print(&self, indent: usize, lines: &mut Vec<String>) {
        lines.push(format!("{}- at {}: {}", "  ".repeat(indent), quote(&self.path), self.message));
        self.causes.iter().for_each(|cause| cause.print(indent + 1, lines));
    }
}

/// The lines of several complaints.
pub(super) fn report(faults: &[Fault]) -> String {
    let mut lines = Vec::new();
    faults.iter().for_each(|fault| fault.print(0, &mut lines));
    lines.join("\n")
}

/// Single quotes around a text, with Go's escapes.
pub(super) fn quote(text: &str) -> String {
    let quoted = kpkg_template::quote(text.as_bytes()).replace("\\\"", "\"").replace('\'', "\\'");
    format!("'{}'", &quoted[1..quoted.len() - 1])
}

/// Quoted texts with commas between.
pub(super) fn quote_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}
