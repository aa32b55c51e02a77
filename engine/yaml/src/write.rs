//! Plain values to YAML text.

use crate::emitter::{Emitter, Flavour};
use crate::keys::sort_by_keys;
use crate::number;
use crate::value::Value;

/// Writes a value as `sigs.k8s.io/yaml` does.
pub fn write(value: &Value) -> String {
    let mut emitter = Emitter::new(Flavour::Compact);
    emit(value, &mut emitter);
    emitter.finish()
}

/// Writes a JSON value as `sigs.k8s.io/yaml` does.
pub fn write_json(value: &serde_json::Value) -> String {
    write(&from_json_exact(value))
}

fn from_json_exact(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(Value::Int)
            .or_else(|| number.as_u64().map(Value::Uint))
            .unwrap_or_else(|| Value::Float(number.as_f64().unwrap_or_default())),
        serde_json::Value::Array(items) => Value::List(items.iter().map(from_json_exact).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.iter().map(|(key, value)| (key.clone(), from_json_exact(value))).collect())
        }
        other => Value::from_json(other),
    }
}

/// Sends a value to an emitter.
pub fn emit(value: &Value, emitter: &mut Emitter) {
    match value {
        Value::Null => emitter.plain("null"),
        Value::Bool(value) => emitter.plain(if *value { "true" } else { "false" }),
        Value::Int(value) => emitter.plain(&value.to_string()),
        Value::Uint(value) => emitter.plain(&value.to_string()),
        Value::Float(value) => emitter.plain(&float_text(*value)),
        Value::String(text) => emitter.string(text),
        Value::Binary(binary) => emitter.string(binary.as_str()),
        Value::List(items) => {
            emitter.begin_list(items.is_empty());
            if !items.is_empty() {
                for item in items {
                    emit(item, emitter);
                }
                emitter.end_list();
            }
        }
        Value::Map(map) => {
            emitter.begin_map(map.is_empty());
            if !map.is_empty() {
                let mut entries: Vec<_> = map.iter().collect();
                sort_by_keys(&mut entries, |(key, _)| key);
                for (key, value) in entries {
                    emitter.key(key);
                    emit(value, emitter);
                }
                emitter.end_map();
            }
        }
    }
}

/// A float after its way over JSON: integers in JSON's notation come out as integers, as far as 64 bits go.
pub fn float_text(value: f64) -> String {
    match number::format_json(value) {
        Some(json) if json.contains(['.', 'e']) => number::format_general(value),
        // "-0" is read back as the integer 0.
        Some(json) if json == "-0" => "0".to_owned(),
        Some(json) if json.parse::<i64>().is_ok() || json.parse::<u64>().is_ok() => json,
        Some(_) => number::format_general(value),
        None if value.is_nan() => ".nan".to_owned(),
        None if value > 0.0 => ".inf".to_owned(),
        None => "-.inf".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::read;

    #[test]
    fn reads_back_what_it_writes() {
        let text = "a: 1\nb:\n- x\n- c: \"yes\"\n  d: |-\n    p\n    q\ne: 1.5\nf: 1e+21\ng: null\nk2: x\nk10: z\n";
        let value = read(text).expect("valid");
        assert_eq!(write(&value), text);
    }

    #[test]
    fn floats() {
        let cases = [(1e6, "1000000"), (1_234_567.5, "1.2345675e+06"), (1e19, "10000000000000000000"), (1e20, "1e+20")];
        for (value, want) in cases {
            assert_eq!(float_text(value), want);
        }
    }
}
