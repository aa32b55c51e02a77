//! The grammar of `--set` and its kin.

use kpkg_chart::values::{Input, files_named, supplied};

/// Tries one input.
pub(crate) fn run(text: &str) {
    let text = text.to_owned();
    for input in [
        Input::Set(text.clone()),
        Input::SetString(text.clone()),
        Input::SetJson(text.clone()),
        Input::SetLiteral(text.clone()),
    ] {
        let _ = supplied(&[input]);
    }
    let _ = files_named(&text);
}
