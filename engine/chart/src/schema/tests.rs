//! Complaints as Helm 4.2 prints them.

use kpkg_yaml::Value;
use serde_json::{Value as Json, json};

use super::check_one;

fn complaints(schema: &str, values: Json) -> String {
    let Value::Map(map) = Value::from_json(&values) else { panic!("values are a mapping") };
    check_one(schema.as_bytes(), &map).err().unwrap_or_default().trim_end().to_owned()
}

#[test]
fn keywords() {
    let seven = "http://json-schema.org/draft-07/schema#";
    let cases: Vec<(Json, Json, &str)> = vec![
        (json!({"required": ["a", "b"]}), json!({}), "- at '': missing properties 'a', 'b'"),
        (json!({"required": ["a"]}), json!({}), "- at '': missing property 'a'"),
        (
            json!({"properties": {"a": {"type": "string", "enum": ["a"]}}}),
            json!({"a": 5}),
            "- at '/a': got number, want string",
        ),
        (
            json!({"properties": {"a": {"type": ["integer", "string", "array"]}}}),
            json!({"a": true}),
            "- at '/a': got boolean, want integer or string or array",
        ),
        (
            json!({"properties": {"a": {"enum": ["x", "y"]}}}),
            json!({"a": "z"}),
            "- at '/a': value must be one of 'x', 'y'",
        ),
        (json!({"properties": {"a": {"const": {"x": 1}}}}), json!({"a": "z"}), "- at '/a': 'const' failed"),
        (
            json!({"properties": {"a": {"maximum": 3}}}),
            json!({"a": 10_000_000}),
            "- at '/a': maximum: got 1×10⁰⁷, want 3",
        ),
        (
            json!({"additionalProperties": false, "properties": {"a": {}}}),
            json!({"b": 1, "c": 2}),
            "- at '': additional properties 'b', 'c' not allowed",
        ),
        (
            json!({"properties": {"a": {"anyOf": [{"type": "string"}, {"required": ["x"], "minProperties": 3}]}}}),
            json!({"a": {}}),
            "- at '/a': 'anyOf' failed\n  - at '/a': got object, want string\n  - at '/a': validation failed\n    - at '/a': \
             minProperties: got 0, want 3\n    - at '/a': missing property 'x'",
        ),
        (
            json!({"$schema": seven, "properties": {"a": {"format": "ipv4"}}}),
            json!({"a": "x"}),
            "- at '/a': 'x' is not valid ipv4: expected four decimals",
        ),
        (json!({"properties": {"a": {"format": "ipv4"}}}), json!({"a": "x"}), ""),
        (
            json!({"$schema": seven, "properties": {"a": {"items": [{"type": "string"}], "additionalItems": false}}}),
            json!({"a": [1, 2]}),
            "- at '/a/0': got number, want string\n- at '/a': last 1 additionalItem(s) not allowed",
        ),
        (
            json!({"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}}),
            json!({"a": 1}),
            "- at '': missing property 'b'",
        ),
        (
            json!({"$ref": "#/definitions/x", "definitions": {"x": {"required": ["q"]}}}),
            json!({}),
            "- at '': missing property 'q'",
        ),
        (json!({"properties": {"a": {"type": "integer"}}}), json!({"a": 3.0}), ""),
        (json!({"unevaluatedProperties": false, "properties": {"a": {}}}), json!({"b": 1}), "- at '/b': false schema"),
        (json!({"$ref": "urn:x"}), json!({}), ""),
    ];
    for (schema, values, want) in cases {
        assert_eq!(complaints(&schema.to_string(), values), want, "{schema}");
    }
}

#[test]
fn refuses_what_it_must() {
    let cases = [
        ("{", "unexpected EOF"),
        ("", "EOF"),
        (
            r##"{"$ref": "#"}"##,
            "- at '': both /$ref and  resolve to \"file:///values.schema.json#\" causing reference cycle",
        ),
        (r##"{"$ref": "#/nope"}"##, "json-pointer in \"file:///values.schema.json#/nope\" not found"),
    ];
    for (schema, want) in cases {
        assert_eq!(complaints(schema, json!({})), want, "{schema}");
    }
    for schema in
        [r#"{"$ref": "file:///dev/zero"}"#, r#"{"$ref": "http://127.0.0.1:1/x"}"#, r#"{"$schema": "http://foo/x"}"#]
    {
        assert!(complaints(schema, json!({})).starts_with("failing loading "), "{schema}");
    }
    for schema in [r#"{"type": "foo"}"#, r#"{"required": "x"}"#, r#"{"properties": {"a": {"pattern": "["}}}"#, "1"] {
        assert!(complaints(schema, json!({})).contains("is not valid against metaschema"), "{schema}");
    }
}

#[test]
fn recursion_ends() {
    let schema = r##"{"$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}"##;
    assert!(complaints(schema, json!({"a": 1})).contains("reference cycle"));
    let deep = format!("{}{{}}{}", r#"{"not":"#.repeat(5000), "}".repeat(5000));
    assert!(!complaints(&deep, json!({})).is_empty());
}

/// A keyword means what its draft says, in the schema of schemas and on values.
#[test]
fn drafts_differ() {
    let four = "http://json-schema.org/draft-04/schema#";
    let seven = "http://json-schema.org/draft-07/schema#";
    let newest = "http://json-schema.org/schema#";
    let refused =
        |schema: Json| complaints(&schema.to_string(), json!({"a": 1})).contains("not valid against metaschema");
    let cases = [
        ("$id", json!("#/properties/a"), [false, false, true]),
        ("items", json!([{}]), [false, false, true]),
        ("items", json!([]), [true, true, true]),
        ("additionalItems", json!(1), [true, true, false]),
        ("exclusiveMinimum", json!(true), [true, true, true]),
        ("exclusiveMinimum", json!(1), [true, false, false]),
        ("enum", json!([]), [true, true, false]),
        ("required", json!([]), [true, false, false]),
        ("not", json!(true), [true, false, false]),
        ("if", json!(1), [false, true, true]),
        ("$defs", json!({"a": 1}), [false, false, true]),
        ("dependencies", json!({"a": 1}), [true, true, true]),
        ("$anchor", json!("1"), [false, false, true]),
        ("readOnly", json!(1), [false, true, true]),
    ];
    for (keyword, value, want) in cases {
        let got = [four, seven, newest]
            .map(|draft| refused(json!({"$schema": draft, "properties": {"p": {keyword: value.clone()}}})));
        assert_eq!(got, want, "{keyword}: {value}");
    }
    let unknown = json!({"$schema": four, "properties": {"a": {"const": 2, "if": true, "then": false}}});
    assert_eq!(complaints(&unknown.to_string(), json!({"a": 1})), "");
}
