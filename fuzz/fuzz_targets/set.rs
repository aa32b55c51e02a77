//! The grammar of `--set` and its kin.
#![no_main]

use kpkg_chart::values::{Input, files_named, supplied};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
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
});
