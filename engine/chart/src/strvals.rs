//! The grammar of `--set` and its relatives: `a.b=1,c[0]=x,d={p,q}`.

use kpkg_yaml::{Map, Value};

/// The largest index of a list: an index makes all elements before it.
const MAX_INDEX: usize = 65536;
/// How many empty elements indices may make, all together.
const MAX_GAPS: usize = 1 << 20;
/// How deep keys may nest.
const MAX_NESTING: usize = 30;

/// How the text after `=` is read.
pub(crate) enum Reading<'a> {
    /// Booleans, null and integers are told from text.
    Typed,
    /// Everything is text.
    Text,
    /// The name of a file whose contents are the value.
    File(&'a dyn Fn(&str) -> Result<Value, String>),
    /// JSON.
    Json,
    /// Everything to the end is text; nothing is special.
    Literal,
}

/// Parses assignments into a map.
pub(crate) fn parse_into(text: &str, into: &mut Map, reading: &Reading<'_>) -> Result<(), String> {
    let mut parser = Parser { rest: text, reading, gaps: 0 };
    loop {
        match parser.key(into, 0) {
            Ok(()) => {}
            Err(Stop::End) => return Ok(()),
            Err(Stop::Problem(problem)) => return Err(problem),
        }
    }
}

/// Why a step ended early.
enum Stop {
    End,
    Problem(String),
}

impl From<String> for Stop {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

type Step<T> = Result<T, Stop>;

struct Parser<'a> {
    rest: &'a str,
    reading: &'a Reading<'a>,
    /// The empty elements that indices have made.
    gaps: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    /// Text up to one of some characters, and which it was; a backslash takes the next as it is.
    fn until(&mut self, stops: &str) -> (String, Option<char>) {
        let literal = matches!(self.reading, Reading::Literal);
        let mut text = String::new();
        while let Some(character) = self.next() {
            if stops.contains(character) {
                return (text, Some(character));
            }
            if character == '\\' && !literal {
                match self.next() {
                    Some(escaped) => text.push(escaped),
                    None => return (text, None),
                }
            } else {
                text.push(character);
            }
        }
        (text, None)
    }

    fn key(&mut self, data: &mut Map, depth: usize) -> Step<()> {
        let stops = if matches!(self.reading, Reading::Literal) { "=[." } else { "=[,." };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(format!("key {key:?} has no value").into()),
            Some('[') => self.indexed(data, &key, depth),
            Some('=') => self.assign(data, &key),
            Some(',') => {
                set(data, &key, "".into());
                Err(format!("key {key:?} has no value (cannot end with ,)").into())
            }
            Some(_) => self.nested(data, &key, depth + 1),
        }
    }

    fn indexed(&mut self, data: &mut Map, key: &str, depth: usize) -> Step<()> {
        let index = self.index()?;
        let mut list = match data.get_mut(key) {
            None => Vec::new(),
            Some(Value::List(list)) => std::mem::take(list),
            Some(other) => return Err(panicked(other, "[]interface {}")),
        };
        let result = self.item(&mut list, index, depth);
        set(data, key, Value::List(list));
        result
    }

    fn nested(&mut self, data: &mut Map, key: &str, depth: usize) -> Step<()> {
        if depth > MAX_NESTING {
            return Err(format!(
                "value name nested level is greater than maximum supported nested level of {MAX_NESTING}"
            )
            .into());
        }
        let mut inner = match data.get(key) {
            None => Map::new(),
            Some(Value::Map(inner)) => inner.clone(),
            Some(other) => return Err(panicked(other, "map[string]interface {}")),
        };
        let result = self.key(&mut inner, depth);
        if result.is_ok() && inner.is_empty() {
            return Err(format!("key map {key:?} has no value").into());
        }
        if !inner.is_empty() {
            set(data, key, Value::Map(inner));
        }
        result
    }

    fn assign(&mut self, data: &mut Map, key: &str) -> Step<()> {
        let (value, end) = self.value()?;
        set(data, key, value);
        if end { Err(Stop::End) } else { Ok(()) }
    }

    /// What follows `=`, and whether the text ended with it.
    fn value(&mut self) -> Step<(Value, bool)> {
        match self.reading {
            Reading::Json => self.json(),
            Reading::Literal => {
                let text = std::mem::take(&mut self.rest);
                Ok((text.into(), false))
            }
            _ if self.rest.is_empty() => Ok(("".into(), true)),
            _ if self.rest.starts_with('{') => {
                self.next();
                Ok((self.list()?, false))
            }
            _ => {
                let (text, _) = self.until(",");
                Ok((self.read(&text)?, false))
            }
        }
    }

    fn read(&self, text: &str) -> Step<Value> {
        match self.reading {
            Reading::Typed => Ok(typed(text)),
            Reading::File(read) => Ok(read(text)?),
            _ => Ok(text.into()),
        }
    }

    fn list(&mut self) -> Step<Value> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(",}");
            match stop {
                None => return Err("list must terminate with '}'".to_owned().into()),
                Some('}') => {
                    if let Some(rest) = self.rest.strip_prefix(',') {
                        self.rest = rest;
                    }
                    list.push(self.read(&text)?);
                    return Ok(Value::List(list));
                }
                Some(_) => list.push(self.read(&text)?),
            }
        }
    }

    fn json(&mut self) -> Step<(Value, bool)> {
        if self.skip_empty() {
            return Ok((Value::Null, false));
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<serde_json::Value>();
        let value = match values.next() {
            Some(Ok(value)) => Value::from_json(&value),
            Some(Err(error)) => return Err(error.to_string().into()),
            None => return Err("EOF".to_owned().into()),
        };
        self.rest = &self.rest[values.byte_offset()..];
        self.skip_empty();
        Ok((value, false))
    }

    /// Steps over blanks; `true` if a comma or the end follows, which is consumed too.
    fn skip_empty(&mut self) -> bool {
        self.rest = self.rest.trim_start();
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return true;
        }
        self.rest.is_empty()
    }

    fn index(&mut self) -> Step<i64> {
        let (text, stop) = self.until("]");
        if stop.is_none() {
            return Err("error parsing index: EOF".to_owned().into());
        }
        text.parse().map_err(|_| format!("error parsing index: strconv.Atoi: parsing {text:?}: invalid syntax").into())
    }

    fn item(&mut self, list: &mut Vec<Value>, index: i64, depth: usize) -> Step<()> {
        let at = checked_index(index)?;
        self.gaps += at.saturating_sub(list.len());
        if self.gaps > MAX_GAPS {
            return Err(format!("indices make more than {MAX_GAPS} empty elements").into());
        }
        let (text, stop) = self.until("[.=");
        if !text.is_empty() {
            return Err(format!("unexpected data at end of array index: {text:?}").into());
        }
        match stop {
            None => Err(Stop::End),
            Some('=') => {
                let (value, _) = self.value()?;
                set_index(list, at, value);
                Ok(())
            }
            Some('[') => {
                let next = self.index()?;
                let mut inner = match list.get(at) {
                    None | Some(Value::Null) => Vec::new(),
                    Some(Value::List(inner)) => inner.clone(),
                    Some(other) => return Err(panicked(other, "[]interface {}")),
                };
                self.item(&mut inner, next, depth)?;
                set_index(list, at, Value::List(inner));
                Ok(())
            }
            Some(_) => {
                // What is there is changed in place: a value may end the text, which leaves a new element unset.
                if let Some(element) = list.get_mut(at) {
                    if !matches!(element, Value::Map(_)) {
                        *element = Value::Map(Map::new());
                    }
                    let Value::Map(inner) = element else { unreachable!("made a mapping above") };
                    return self.key(inner, depth);
                }
                let mut inner = Map::new();
                self.key(&mut inner, depth)?;
                set_index(list, at, Value::Map(inner));
                Ok(())
            }
        }
    }
}

fn checked_index(index: i64) -> Step<usize> {
    match usize::try_from(index) {
        Err(_) => Err(format!("negative {index} index not allowed").into()),
        Ok(at) if at > MAX_INDEX => {
            Err(format!("index of {at} is greater than maximum supported index of {MAX_INDEX}").into())
        }
        Ok(at) => Ok(at),
    }
}

fn set(data: &mut Map, key: &str, value: Value) {
    if !key.is_empty() {
        data.insert(key.to_owned(), value);
    }
}

fn set_index(list: &mut Vec<Value>, at: usize, value: Value) {
    if list.len() <= at {
        list.resize(at + 1, Value::Null);
    }
    list[at] = value;
}

/// Go's words for a value that is not what the key makes of it.
fn panicked(value: &Value, wanted: &str) -> Stop {
    let found = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Uint(_) => "int64",
        Value::Float(_) => "float64",
        Value::String(_) | Value::Binary(_) => "string",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
    };
    format!("unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}").into()
}

fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") {
        return Value::Bool(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Value::Bool(false);
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    if text == "0" {
        return Value::Int(0);
    }
    match text.parse() {
        Ok(number) if !text.starts_with('0') => Value::Int(number),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, reading: &Reading<'_>) -> String {
        let mut map = Map::new();
        match parse_into(text, &mut map, reading) {
            Ok(()) => Value::Map(map).to_json().to_string(),
            Err(problem) => format!("error: {problem}"),
        }
    }

    #[test]
    fn typed_values() {
        let cases = [
            ("a=1", r#"{"a":1}"#),
            ("a=1,b=x", r#"{"a":1,"b":"x"}"#),
            ("a.b.c=true", r#"{"a":{"b":{"c":true}}}"#),
            ("a=null", r#"{"a":null}"#),
            ("a=", r#"{"a":""}"#),
            ("a={x,1}", r#"{"a":["x",1]}"#),
            ("a={}", r#"{"a":[""]}"#),
            ("a[0]=x,a[2]=y", r#"{"a":["x",null,"y"]}"#),
            ("a[0].b=x,a[0].c=y", r#"{"a":[{"b":"x","c":"y"}]}"#),
            (r"a\.b=x\,y", r#"{"a.b":"x,y"}"#),
            ("a=007", r#"{"a":"007"}"#),
            ("a=1.5", r#"{"a":"1.5"}"#),
            ("a[0][1]=x", r#"{"a":[[null,"x"]]}"#),
            ("a=1,,b=2", r#"error: key "" has no value (cannot end with ,)"#),
            ("a=,b=2", r#"{"a":"","b":2}"#),
            ("a.b=", r#"{"a":{"b":""}}"#),
            ("a.=b", r#"error: key map "a" has no value"#),
            ("a.b", r#"error: key "b" has no value"#),
            ("a={1,b,true}", r#"{"a":[1,"b",true]}"#),
            ("a={1},b={2}", r#"{"a":[1],"b":[2]}"#),
            ("a[0]=x,", r#"{"a":["x"]}"#),
            ("a[0]", r#"{"a":[]}"#),
            ("a[0]=", r#"{"a":[""]}"#),
            ("a[1].b=x,a[0].b=y", r#"{"a":[{"b":"y"},{"b":"x"}]}"#),
            ("a[0].b=1,a[0].c=", r#"{"a":[{"b":1,"c":""}]}"#),
            ("a.b[0].c=x", r#"{"a":{"b":[{"c":"x"}]}}"#),
            ("a.b[0].c=", r#"{"a":{"b":[]}}"#),
            ("a[0]b.c=x", r#"error: unexpected data at end of array index: "b""#),
            ("a=1234567890,b=00009,c=0", r#"{"a":1234567890,"b":"00009","c":0}"#),
            ("a", r#"error: key "a" has no value"#),
            ("a,b=1", r#"error: key "a" has no value (cannot end with ,)"#),
            (
                "a=1,a.b=2",
                "error: unable to parse key: interface conversion: interface {} is int64, not map[string]interface {}",
            ),
            ("a[999999999]=1", "error: index of 999999999 is greater than maximum supported index of 65536"),
            ("a[-1]=1", "error: negative -1 index not allowed"),
            ("a={x", "error: list must terminate with '}'"),
            ("a[x]=1", r#"error: error parsing index: strconv.Atoi: parsing "x": invalid syntax"#),
        ];
        for (text, want) in cases {
            assert_eq!(parsed(text, &Reading::Typed), want, "{text}");
        }
        let deep = "a.".repeat(40) + "b=1";
        assert!(parsed(&deep, &Reading::Typed).contains("nested level"));
    }

    #[test]
    fn other_readings() {
        assert_eq!(parsed("a=1,b=true", &Reading::Text), r#"{"a":"1","b":"true"}"#);
        for (text, want) in [
            ("a=1,b=true", r#"{"a":"1,b=true"}"#),
            ("a=", r#"{"a":""}"#),
            ("a=x=y.z[0]", r#"{"a":"x=y.z[0]"}"#),
            (r"a=x\y{,", r#"{"a":"x\\y{,"}"#),
            ("a.b[0].c=x", r#"{"a":{"b":[{"c":"x"}]}}"#),
            ("a[1]=x", r#"{"a":[null,"x"]}"#),
            ("a", r#"error: key "a" has no value"#),
            ("a.b", r#"error: key "b" has no value"#),
        ] {
            assert_eq!(parsed(text, &Reading::Literal), want, "{text}");
        }
        assert_eq!(parsed(r#"a={"x":[1]},b=2"#, &Reading::Json), r#"{"a":{"x":[1]},"b":2}"#);
        let read = |name: &str| Ok(format!("<{name}>").into());
        assert_eq!(parsed("a=f.txt,b=g", &Reading::File(&read)), r#"{"a":"<f.txt>","b":"<g>"}"#);
    }
}
