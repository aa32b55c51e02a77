use serde_json::json;

use super::*;

fn run(text: &str, own: &Value) -> String {
    let program = match Program::compile(text) {
        Ok(program) => program,
        Err(error) => return error.to_string(),
    };
    match program.run(own, None, &mut Budget::default()) {
        Ok(Cel::Bool(value)) => value.to_string(),
        Ok(value) => functions::shown(&value).unwrap_or_else(|| value.type_name().to_owned()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn rules_of_real_definitions_are_evaluated() {
    let own = json!({
        "replicas": 3, "minReplicas": 1, "maxReplicas": 5, "mode": "fast", "name": "web-1",
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        "labels": {"app": "x", "example.com/a": "b"}, "hosts": ["a.example.com", "b.example.com"],
        "size": "10Gi", "limit": "5Gi", "x-kubernetes": 1, "namespace": "n", "ratio": 0.5, "nothing": null,
    });
    for (text, want) in [
        ("self.minReplicas <= self.replicas && self.replicas <= self.maxReplicas", "true"),
        ("self.replicas * 2 - 1 == 5 && -self.replicas < 0 && 7 % 4 == 3 && 7 / 2 == 3", "true"),
        ("self.mode in ['fast', 'slow'] || self.missing", "true"),
        ("self.missing && self.mode == 'slow'", "false"),
        ("self.missing == 1", "no such key: missing"),
        ("has(self.mode) && !has(self.missing) && !has(self.nothing)", "true"),
        ("self.ports.all(p, p.port > 0 && p.port < 65536)", "true"),
        ("self.ports.exists_one(p, p.name == 'http') && self.ports.exists(p, p.port == 443)", "true"),
        ("self.ports.filter(p, p.port > 100).map(p, p.name) == ['https']", "true"),
        ("self.ports.map(p, p.port > 100, p.port).sum()", "443"),
        ("self.ports.all(p1, self.ports.exists_one(p2, p1.name == p2.name))", "true"),
        ("'app' in self.labels && self.labels['example.com/a'] == \"b\"", "true"),
        ("self.labels.all(key, key.size() < 20) && size(self.labels) == 2", "true"),
        (
            "self.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.name.startsWith('web') && !self.name.contains('x')",
            "true",
        ),
        ("self.hosts.map(h, h.split('.')[0]).join(',')", "a,b"),
        ("self.name.substring(0, 3).upperAscii() + self.name.charAt(4)", "WEB1"),
        ("quantity(self.size).isGreaterThan(quantity(self.limit)) && !isQuantity('x')", "true"),
        ("self.x__dash__kubernetes == 1 && self.__namespace__ == 'n'", "true"),
        ("self.replicas > 2 ? 'many' : 'few'", "many"),
        ("type(self.replicas) == int && type(self.mode) == string && self.ratio < 1", "true"),
        ("string(self.replicas) + r'\\d' + \"\\n\" == '3\\\\d\\n'", "true"),
        ("{'a': [1, 2]}['a'][1] == 2 && [1] + [2] == [1, 2]", "true"),
        (
            "duration('1h30m') > duration('89m') && timestamp('2026-01-02T03:04:05Z') < timestamp('2027-01-01T00:00:00Z')",
            "true",
        ),
        ("self.hosts[5] == ''", "index out of bounds"),
        ("1 / 0 == 1", "division by zero"),
        ("9223372036854775807 + 1 > 0", "integer overflow"),
    ] {
        assert_eq!(run(text, &own), want, "{text}");
    }
}

#[test]
fn what_is_not_known_is_not_guessed_at() {
    for (text, want) in [
        ("self.a.isURL()", "the function `isURL` is not known here at byte 14"),
        ("other == 1", "the name `other` is not known here at byte 6"),
        ("self.a ==", "a value is missing at byte 7"),
        ("self.a b", "the expression should end at byte 7"),
        ("'open", "the text does not end at byte 0"),
        ("self.?a", "a name is missing at byte 6"),
    ] {
        assert_eq!(run(text, &json!({})), want, "{text}");
    }
}

#[test]
fn evaluation_is_bounded() {
    let list: Vec<u32> = (0..2000).collect();
    let own = json!({"list": list, "text": "a".repeat(100_000)});
    let limit = "operation cancelled: actual cost limit exceeded";
    assert_eq!(run("self.list.all(a, self.list.all(b, a + b >= 0))", &own), limit);
    assert_eq!(run("self.list.all(a, self.text.contains('b') || true)", &own), limit);
    assert_eq!(run("self.list.map(a, self.text + self.text).size() > 0", &own), limit);
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("1 + (", ")"), ("size(", ")")] {
        let text = format!("{}1{}", open.repeat(5000), close.repeat(5000));
        assert!(run(&text, &own).starts_with("the expression is nested too deeply"), "{open}");
    }
    for chain in ["1 + ", "true && ", "true || ", "self.a.", "1 == "] {
        let text = format!("{}a", chain.repeat(5000));
        let said = run(&text, &own);
        assert!(said.starts_with("the expression is nested") || said.contains("not known"), "{chain}: {said}");
    }
}

#[test]
fn rules_on_changes_are_told_apart() {
    let program = Program::compile("self.a == oldSelf.a").unwrap();
    assert!(program.compares());
    assert!(!Program::compile("self.a == 1").unwrap().compares());
    let (old, new) = (json!({"a": 1}), json!({"a": 2}));
    assert!(matches!(program.run(&new, Some(&old), &mut Budget::default()), Ok(Cel::Bool(false))));
}
