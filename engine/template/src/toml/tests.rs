//! What the library itself took and refused, as Helm 4.2.3 shows it.

use super::*;
use crate::encode::{JsonStyle, json};
use crate::value::{Entries, Value};

fn read(text: &[u8]) -> Result<Value, String> {
    parse(text, &jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC))
}

fn takes(cases: &[(&[u8], &str)]) {
    for (text, want) in cases {
        let shown = text.escape_ascii();
        let value = read(text).unwrap_or_else(|problem| panic!("{shown}: {problem}"));
        assert_eq!(json(&value, JsonStyle::COMPACT).as_deref(), Ok(*want), "{shown}");
    }
}

fn refuses(cases: &[(&[u8], &str)]) {
    for (text, want) in cases {
        assert_eq!(read(text).err(), Some(format!("toml: {want}")), "{}", text.escape_ascii());
    }
}

#[test]
fn characters() {
    takes(&[
        (&b""[..], "{}"),
        (b"\xEF\xBB\xBFa = 1", r#"{"a":1}"#),
        (b"\xFF\xFEa = 1", r#"{"a":1}"#),
        (b"a = 1\r\nb = 2", r#"{"a":1,"b":2}"#),
    ]);
    refuses(&[
        (&b"a\x00 = 1"[..], "line 1: files cannot contain NULL bytes; probably using UTF-16; TOML files must be UTF-8"),
        (b"abcdefg\x00 = 1", "line 1: TOML files cannot contain control characters: '0x00'"),
        (b"a = 1 # \x01", "line 1: TOML files cannot contain control characters: '0x01'"),
        (b"a = 1\r", r#"line 1 (last key "a"): TOML files cannot contain control characters: '0x0d'"#),
        (b"a = '\xFF'", r#"line 1 (last key "a"): invalid UTF-8 byte: 0xff"#),
        (b"a = 1\nb = \"\xC3(\"", r#"line 2 (last key "b"): invalid UTF-8 byte: 0xc3"#),
        (b"a = \"\"\x01", r#"line 1 (last key "a"): TOML files cannot contain control characters: '0x01'"#),
        (b"\xC3\xA9 = 1", "line 1: expected '.' or '=', but got 'é' instead"),
    ]);
}

#[test]
fn keys() {
    takes(&[(&b"\"\" = 1\n\"a.b\".c = 2\n'\"' = 3"[..], r#"{"":1,"\"":3,"a.b":{"c":2}}"#)]);
    refuses(&[
        (&b"= 1"[..], "line 1: unexpected '=': key name appears blank"),
        (b". = 1", "line 1: unexpected '.': keys cannot start with a '.'"),
        (b"a. = 1", "line 1: unexpected '='"),
        (b"a..b = 1", "line 1: unexpected '.'"),
        (b"a", "line 1: unexpected EOF; expected key separator '='"),
        (b"a.\n", r"line 1: expected '.' or '=', but got '\n' instead"),
        (b"a b = 1", "line 1: expected '.' or '=', but got 'b' instead"),
        (b"a \n= 1", r"line 1: expected '.' or '=', but got '\n' instead"),
        (b"\"\"\"a\"\"\" = 1", r#"line 1: expected '.' or '=', but got '"' instead"#),
        (b"[", "line 1: unexpected end of table name (table names cannot be empty)"),
        (b"[]", "line 1: unexpected end of table name (table names cannot be empty)"),
        (b"[.a]", "line 1: unexpected table separator (table names cannot be empty)"),
        (b"[a.]", "line 1: unexpected end of table name (table names cannot be empty)"),
        (b"[a", r"line 1: expected '.' or ']' to end table name, but got '\x00' instead"),
        (b"[a\n]", r"line 2: expected '.' or ']' to end table name, but got '\n' instead"),
        (b"[a b]", "line 1: expected '.' or ']' to end table name, but got 'b' instead"),
        (b"[[a]", r"line 1: expected end of table array name delimiter ']', but got '\x00' instead"),
        (b"[[a] ]", "line 1: expected end of table array name delimiter ']', but got ' ' instead"),
        (
            b"[[a]] x",
            r#"line 1 (last key "a"): expected a top-level item to end with a newline, comment, or EOF, but got 'x' instead"#,
        ),
        (b"[a]\n\"b c\".d = x", r#"line 2 (last key "a.\"b c\".d"): expected value but found "x" instead"#),
        (b"\"\\ud800\" = 1", r"line 1: Escaped character '\ud800' is not valid UTF-8."),
    ]);
}

#[test]
fn strings() {
    takes(&[
        (&b"a = \"\\e\\x41\\u00e9\\U0001F600\\\"\\\\\""[..], r#"{"a":"\u001bAé😀\"\\"}"#),
        (b"a = \"\"\"\none\r\ntwo \\\n\n   three\\\\\n\"\"\"", r#"{"a":"one\r\ntwo three\\\n"}"#),
        (b"a = '''\r\n\\q'''", r#"{"a":"\\q"}"#),
        (b"a = \"\"\"\"\"x\"\"\"\"\"", r#"{"a":"\"\"x\"\""}"#),
        (b"a = \"\"\"\\\"\"\"\"\"\"", r#"{"a":"\"\"\""}"#),
        (b"a = ''''''''", r#"{"a":"''"}"#),
    ]);
    refuses(&[
        (&b"a = 'x\ny'"[..], r#"line 1 (last key "a"): strings cannot contain newlines"#),
        (b"a = \"x\r\ny\"", r#"line 0 (last key "a"): strings cannot contain newlines"#),
        (b"a = \"x", r#"line 1 (last key "a"): unexpected EOF; expected '"'"#),
        (b"a = 'x", r#"line 1 (last key "a"): unexpected EOF; expected "'""#),
        (b"a = \"\"\"x\n", r#"line 1 (last key "a"): unexpected EOF; expected '"""'"#),
        (b"a = '''x", r#"line 1 (last key "a"): unexpected EOF; expected "'''""#),
        (b"a = \"\\q\"", r#"line 1 (last key "a"): invalid escape in string '\q'"#),
        (b"a = \"\\", "line 0 (last key \"a\"): invalid escape in string '\\\0'"),
        (
            b"a = \"\\\n\"",
            r#"line 2 (last key "a"): invalid escape in string '\
'"#,
        ),
        (b"a = \"\\ \"", r#"line 1 (last key "a"): invalid escape: '\ '"#),
        (b"a = \"\"\"\\ x\"\"\"", r#"line 1 (last key "a"): invalid escape: '\ '"#),
        (
            b"a = \"\\x4g\"",
            r#"line 1 (last key "a"): expected two hexadecimal digits after '\x', but got "\\x4g" instead"#,
        ),
        (
            b"a = \"b\\u12",
            r#"line 1 (last key "a"): expected four hexadecimal digits after '\u', but got "b\\u12" instead"#,
        ),
        (b"a = \"\\U00110000\"", r#"line 1 (last key "a"): Escaped character '\u00110000' is not valid UTF-8."#),
        (b"a = \"\\uD800 \\q\"", r#"line 1 (last key "a"): invalid escape in string '\q'"#),
        (b"a = \"\"\"x\"\"\"\"\"\"", r#"line 1 (last key "a"): unexpected '""""""'"#),
    ]);
}

#[test]
fn numbers() {
    takes(&[
        (&b"a = [1_0, -0, +7, 0x1F, 0o17, 0b11, 0xdead_BEEF]"[..], r#"{"a":[10,0,7,31,15,3,3735928559]}"#),
        (b"a = [1.0, -0.0, 1e3, 1_0.5e-1_0, 1e21]", r#"{"a":[1,-0,1000,1.05e-9,1e+21]}"#),
        (b"a = 9223372036854775807", r#"{"a":9223372036854775807}"#),
    ]);
    refuses(&[
        (
            &b"a = 1__0"[..],
            r#"line 1 (last key "a"): Invalid integer "1__0": underscores must be surrounded by digits"#,
        ),
        (b"a = 1_", r#"line 1 (last key "a"): Invalid integer "1_": underscores must be surrounded by digits"#),
        (b"a = 01", r#"line 1 (last key "a"): Invalid integer "01": cannot have leading zeroes"#),
        (b"a = -01", r#"line 1 (last key "a"): Invalid integer "-01": cannot have leading zeroes"#),
        (b"a = 0x", "line 1 (last key \"a\"): not a hexadecimal number: '0x\0'"),
        (b"a = 0o8", r#"line 1 (last key "a"): not an octal number: '0o8'"#),
        (b"a = 0b12", "line 1: expected a top-level item to end with a newline, comment, or EOF, but got '2' instead"),
        (b"a = -0x1", r#"line 1 (last key "a"): cannot use sign with non-decimal numbers: '-0x'"#),
        (b"a = 0x_1", r#"line 1 (last key "a"): not a hexadecimal number: '0x_'"#),
        (b"a = 9223372036854775808", r#"line 1 (last key "a"): 9223372036854775808 is out of range for int64"#),
        (b"a = 1.", r#"line 1 (last key "a"): Invalid float "1.": '.' must be followed by one or more digits"#),
        (b"a = 1.e5", r#"line 1 (last key "a"): Invalid float "1.e5": '.' must be followed by one or more digits"#),
        (b"a = .5", r#"line 1 (last key "a"): floats must start with a digit, not '.'"#),
        (b"a = -.5", r#"line 1 (last key "a"): floats must start with a digit, not '.'"#),
        (b"a = 1e", r#"line 1 (last key "a"): Invalid float value: "1e""#),
        (b"a = 1.2.3", r#"line 1 (last key "a"): Invalid float value: "1.2.3""#),
        (b"a = 1e999", r#"line 1 (last key "a"): 1e999 is out of range for float64"#),
        (b"a = 1e+", r#"line 1 (last key "a"): Invalid float "1e+": underscores must be surrounded by digits"#),
        (b"a = 00.5", r#"line 1 (last key "a"): Invalid float "00.5": cannot have leading zeroes"#),
        (b"a = +", r#"line 1 (last key "a"): expected a digit but got '\x00'"#),
        (b"a = +ix", r#"line 1 (last key "a"): invalid float: '+i'"#),
        (b"a = ian", r#"line 1 (last key "a"): Invalid float "ian": underscores must be surrounded by digits"#),
        (b"a = nnf", r#"line 1 (last key "a"): Invalid float value: "nnf""#),
        (b"a = index", r#"line 1 (last key "a"): expected value but found "ndex" instead"#),
        (b"a = tru", r#"line 1 (last key "a"): expected value but found "tru" instead"#),
        (b"a = \xC3\xA9t\xC3\xA9", r#"line 1 (last key "a"): expected value but found "été" instead"#),
        (b"a = @", r#"line 1 (last key "a"): expected value but found '@' instead"#),
        (b"a = \n", r#"line 1 (last key "a"): expected value but found '\n' instead"#),
        (b"a = ", r#"line 1 (last key "a"): unexpected EOF; expected value"#),
        (b"a = \r\n", r#"line 1 (last key "a"): expected value but found '\r' instead"#),
    ]);
}

#[test]
fn times() {
    takes(&[(
        &b"a = [2020-01-02 03:04:05z, 2020-01-02t03:04:05.678+01:30, 2020-01-02T03:04, 2020-01-02 , 03:04:05.5, 03:04]"
            [..],
        r#"{"a":["2020-01-02T03:04:05Z","2020-01-02T03:04:05.678+01:30","2020-01-02T03:04:00Z","2020-01-02T00:00:00Z","0000-01-01T03:04:05.5Z","0000-01-01T03:04:00Z"]}"#,
    )]);
    refuses(&[
        (&b"a = 2020-1-2"[..], r#"line 1 (last key "a"): invalid datetime: "2020-1-2""#),
        (b"a = 2020-01-02T3:04:05", r#"line 1 (last key "a"): invalid datetime: "2020-01-02T3:04:05""#),
        (b"a = 2020-02-30", r#"line 1 (last key "a"): invalid datetime: "2020-02-30""#),
        (b"a = 25:00", r#"line 1 (last key "a"): invalid datetime: "25:00""#),
        (b"a = 2020-01-02T03:04:05+25:00", r#"line 1 (last key "a"): invalid datetime: "2020-01-02T03:04:05+25:00""#),
        (b"a = 1-2", r#"line 1 (last key "a"): invalid datetime: "1-2""#),
    ]);
}

#[test]
fn nested() {
    takes(&[
        (&b"a = [1,\n# one\n\"x\", [],]"[..], r#"{"a":[1,"x",[]]}"#),
        (b"a = {\n b.c = 1, # one\n d = {},\n}", r#"{"a":{"b":{"c":1},"d":{}}}"#),
    ]);
    refuses(&[
        (
            &b"a = [1, 2"[..],
            r#"line 1 (last key "a"): expected a comma (',') or array terminator (']'), but got end of file"#,
        ),
        (b"a = [,]", r#"line 1 (last key "a"): unexpected comma"#),
        (b"a = [1 2]", r#"line 1 (last key "a"): expected a comma (',') or array terminator (']'), but got '2'"#),
        (
            b"a = {b = 1",
            r#"line 1 (last key "a.b"): expected a comma or an inline table terminator '}', but got end of file instead"#,
        ),
        (b"a = {b = 1,,}", r#"line 1 (last key "a.b"): unexpected comma"#),
        (b"a = {,}", r#"line 1 (last key "a"): unexpected comma"#),
        (
            b"a = {b = 1 c = 2}",
            r#"line 1 (last key "a.b"): expected a comma or an inline table terminator '}', but got 'c' instead"#,
        ),
        (b"a = {b = 1, = 2}", r#"line 1 (last key "a.b"): unexpected '=': key name appears blank"#),
        (b"a = [{b = [{c = x}]}]", r#"line 1 (last key "a.b.c"): expected value but found "x" instead"#),
    ]);
}

#[test]
fn tables() {
    takes(&[
        (&b"[a.b]\n[a]\nc = 1"[..], r#"{"a":{"b":{},"c":1}}"#),
        (b"[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 1", r#"{"a":[{"b":1},{"c":{"d":1}}]}"#),
        (b"a.b = 1\n[a]\nc = 1", r#"{"a":{"b":1,"c":1}}"#),
        (b"a = {b = 1}\na.c = 2", r#"{"a":{"b":1,"c":2}}"#),
        (b"a = [1]\na.c = 2", r#"{"a":{"c":2}}"#),
        (b"[[t.x]]\n[t]\nx = [{a = 1}]", r#"{"t":{"x":[{"a":1}]}}"#),
        (b"a.\"\" = [1]\n[a]", r#"{"a":{}}"#),
    ]);
    refuses(&[
        (&b"a = 1\na = 2"[..], r#"line 2 (last key "a"): Key 'a' has already been defined."#),
        (b"[a]\n[a]", "line 2: Key 'a' has already been defined."),
        (b"[a]\n[[a]]", "line 2: Key 'a' was already created and cannot be used as an array."),
        (b"[[a]]\n[a]", "line 2: Key 'a' has already been defined."),
        (b"a = 1\n[a.b]", "line 2: Key 'a' was already created as a hash."),
        (b"a = 1\na.b = 2", r#"line 2 (last key "a.b"): Key 'a' has already been defined."#),
        (b"a = 1\na.b.c = 2", r#"line 2 (last key "a.c"): Key 'a' was already created as a hash."#),
        (b"a.b = 1\na.b = 2", r#"line 2 (last key "a.b"): Key 'a.b' has already been defined."#),
        (b"a = {b = 1}\na = {c = 2}", r#"line 2 (last key "a"): Key 'a' has already been defined."#),
        (b"a = [1]\n[[a]]", "line 2: Key 'a' was already created and cannot be used as an array."),
        (b"x = [{a = [1], a.c = 2}]", r#"line 1 (last key "x.a.c"): "x.a" is not a table"#),
        (b"a = 1\na = [{b = 1}]", "line 2: Key 'a' was already created and cannot be used as an array."),
        (b"a = {b = '''\n'''}\na = 1", r#"line 3 (last key "a"): Key 'a' has already been defined."#),
        (b"[a.'b c']\n[a.\"b c\"]", r#"line 2 (last key "a"): Key 'a."b c"' has already been defined."#),
    ]);
}

/// The library goes as deep as its stack.
#[test]
fn depth_has_a_bound() {
    let is_read = |text: String| crate::with_stack(|| read(text.as_bytes()).is_ok());
    for (open, close) in [("[", "]"), ("{a=", "}")] {
        let nested = |depth| format!("a = {}1{}", open.repeat(depth), close.repeat(depth));
        assert!(is_read(nested(900)) && !is_read(nested(100_000)), "{open}");
    }
    for (start, end) in [("", " = 1"), ("[", "]")] {
        let dotted = |parts| format!("{start}{}{end}", ["a"].repeat(parts).join("."));
        assert!(is_read(dotted(900)) && !is_read(dotted(100_000)), "{start}");
    }
}

#[test]
fn writes() {
    let back = |text: &[u8]| write(&read(text).expect("valid")).map(|text| String::from_utf8_lossy(&text).into_owned());
    let times = "a = 2020-01-02\nb = 03:04:00\nc = 2020-01-02T03:04:00\nd = 2020-01-02T03:04:00+01:30\n";
    assert_eq!(back(times.as_bytes()).as_deref(), Ok(times));
    assert_eq!(back(b"a = -nan\nb = nan").as_deref(), Ok("a = -nan\nb = nan\n"));
    assert_eq!(back(b"a = [[{z = {y = 1}, b = 2}]]").as_deref(), Ok("a = [[{b = 2, z = {y = 1}}]]\n"));
}

#[test]
fn writes_bytes_as_they_are() {
    let entries = Entries::from([(b"\xFF".to_vec().into(), b"\xFF\0".to_vec().into())]);
    assert_eq!(write(&Value::map(entries)).as_deref(), Ok(&b"\"\xFF\" = \"\xFF\\u0000\"\n"[..]));
}
