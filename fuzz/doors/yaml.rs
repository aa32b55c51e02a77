//! The YAML reader: whatever the text, an answer; what was read can be written and read again; reading parts, and reading
//! without the shortcut for what is common, agree with reading everything.

use kpkg_yaml::{Map, Options, Value, read, read_parts, write};

/// Tries one input.
pub(crate) fn run(text: &str) {
    if text.ends_with('\n') && !text.contains('\u{FEFF}') {
        // A line break that is not `\n` keeps the reader from going line by line.
        assert_eq!(read(text).ok(), read(&format!("{text}#\u{2028}")).ok());
    }
    let Ok(value) = read(text) else {
        assert!(read_parts(text, Options::default(), |_, _| false).is_err(), "only the parts of it are read");
        return;
    };
    // Half of the keys, picked by their length.
    let keep = |depth: usize, key: &str| depth > 0 || key.len() % 2 == 0;
    let parts = read_parts(text, Options::default(), keep).expect("all of it is read");
    if let (Value::Map(parts), Value::Map(all)) = (&parts, &value) {
        let kept = |(key, _): &(&String, &Value)| keep(0, key);
        let wanted: Map = all.iter().filter(kept).map(|(key, value)| (key.clone(), value.clone())).collect();
        let kept: Map = parts.iter().filter(kept).map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(kept, wanted);
    }
    let _ = read(&write(&value));
}
