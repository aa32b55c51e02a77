//! What the user sees when a command fails: the chain of causes, then a hint.

use std::process::ExitCode;

use crate::printer::Printer;

/// Prints `error` with its causes and answers the exit code. A closed pipe is no failure: the
/// reader had enough.
pub(crate) fn report(error: &anyhow::Error, printer: &Printer) -> ExitCode {
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    let mut text = String::new();
    for (depth, cause) in error.chain().enumerate() {
        let cause = cause.to_string();
        // Libraries often repeat their source in their own message.
        if depth > 0 && text.contains(&cause) {
            continue;
        }
        if depth > 0 {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    printer.error(&text);
    if let Some(Hint(hint)) = error.downcast_ref::<Hint>() {
        printer.hint(hint);
    }
    ExitCode::FAILURE
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Advice that travels with an error: `bail`ed errors carry it as context and only the edge prints it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Hint(pub(crate) String);
