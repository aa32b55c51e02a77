//! The one way to the terminal: standard output is data, standard error is talk.

#![expect(clippy::print_stderr, reason = "this is the printer")]

use std::io::{IsTerminal, Write};

/// Prints data, messages and errors; colours only where a terminal shows them.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    colour: bool,
    terminal: bool,
}

impl Printer {
    /// A printer for this process: `NO_COLOR` and pipes switch colours off.
    pub(crate) fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour, terminal }
    }

    /// Whether messages go to a terminal, so that progress may be redrawn in place.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether data may be coloured: a terminal reads it and `NO_COLOR` does not forbid it.
    pub(crate) fn colours_data(&self) -> bool {
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// Writes data to standard output as it is.
    pub(crate) fn data(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Lets something write data to standard output.
    pub(crate) fn write_data(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
        let mut out = std::io::BufWriter::with_capacity(64 << 10, std::io::stdout().lock());
        write(&mut out)?;
        out.flush()
    }

    /// Says something to the user.
    pub(crate) fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Warns the user of something that did not stop the command.
    pub(crate) fn warn(&self, text: &str) {
        eprintln!("{} {text}", self.paint("warning:", "33;1"));
    }

    /// Says why the command failed.
    pub(crate) fn error(&self, text: &str) {
        eprintln!("{} {text}", self.paint("error:", "31;1"));
    }

    /// Says what the user may do about it.
    pub(crate) fn hint(&self, text: &str) {
        eprintln!("{} {text}", self.paint("hint:", "36;1"));
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
