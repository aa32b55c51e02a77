//! What the user sees when a command fails: the chain of causes, then a hint.

use std::process::ExitCode;

use crate::printer::Printer;

/// Prints `error` with its causes and answers the exit code. A closed pipe is no failure: the
/// reader had enough.
pub(crate) fn report(error: &anyhow::Error, printer: &Printer) -> ExitCode {
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    let hint = error.downcast_ref::<Hint>();
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // The advice is part of the chain; and libraries often repeat their source in their own message.
        if hint.is_some_and(|Hint(advice)| *advice == cause) || text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    printer.error(&text);
    let advice = || error.downcast_ref::<kpkg_release::ReleaseError>().and_then(kpkg_release::ReleaseError::advice);
    if let Some(hint) = hint.map(|Hint(hint)| hint.clone()).or_else(advice) {
        printer.hint(&hint);
    }
    ExitCode::FAILURE
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Advice that travels with an error: `bail`ed errors carry it as context and only the edge prints it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Hint(pub(crate) String);
