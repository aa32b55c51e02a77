//! Our entries in the text of a kubeconfig.
//!
//! Kubeconfigs are people's files, with their comments and order. So the text is edited where it is
//! in the form that kubectl writes: block lists under `clusters:`, `contexts:` and `users:`. The
//! result is read back and compared with what it must mean; if it does not (a file in JSON, or in
//! some other form), the whole is written anew as JSON, which is YAML too.

use serde_json::{Map, Value, json};

use super::Entries;

/// The lists that hold our entries, and the word for what an entry holds.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// `text` with `entries` instead of those of the same name.
pub(super) fn add(text: &str, entries: &Entries) -> Result<String, String> {
    let wanted = add_to_value(parse(text)?, entries);
    let mut lines = if text.trim().is_empty() { empty() } else { split(text) };
    for (list, _) in LISTS {
        remove_item(&mut lines, list, &entries.name);
        insert_item(&mut lines, list, &entries.block(list));
    }
    set_current(&mut lines, None, &entries.name);
    Ok(finish(&lines, wanted))
}

/// `text` without the entries called `name`.
pub(super) fn remove(text: &str, name: &str) -> Result<String, String> {
    let old = parse(text)?;
    let wanted = remove_from_value(old.clone(), name);
    if wanted == old {
        return Ok(text.to_owned());
    }
    let mut lines = split(text);
    for (list, _) in LISTS {
        remove_item(&mut lines, list, name);
    }
    set_current(&mut lines, Some(name), "");
    Ok(finish(&lines, wanted))
}

/// The entries called `name` in `text`.
pub(super) fn find(text: &str, name: &str) -> Result<Option<Entries>, String> {
    let value = parse(text)?;
    let field = |list: &str, part: &str, field: &str| {
        let items = value[list].as_array()?;
        let item = items.iter().find(|item| item["name"] == name)?;
        item[part][field].as_str().map(str::to_owned)
    };
    let found = || {
        Some(Entries {
            name: name.to_owned(),
            server: field("clusters", "cluster", "server")?,
            authority: field("clusters", "cluster", "certificate-authority-data")?,
            certificate: field("users", "user", "client-certificate-data")?,
            key: field("users", "user", "client-key-data")?,
        })
    };
    Ok(found())
}

// === meaning ===

fn parse(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(json!({ "apiVersion": "v1", "kind": "Config", "preferences": {} }));
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Null => parse(""),
        _ => Err("it is no kubeconfig".to_owned()),
    }
}

fn add_to_value(mut value: Value, entries: &Entries) -> Value {
    for (list, part) in LISTS {
        let mut items = others(&value, list, &entries.name);
        items.push(json!({ "name": entries.name, part: entries.content(list) }));
        value[list] = Value::Array(items);
    }
    if value["current-context"].as_str().is_none_or(str::is_empty) {
        value["current-context"] = json!(entries.name);
    }
    value
}

fn remove_from_value(mut value: Value, name: &str) -> Value {
    for (list, _) in LISTS {
        if value[list].is_array() {
            value[list] = Value::Array(others(&value, list, name));
        }
    }
    if value["current-context"] == name {
        value["current-context"] = json!("");
    }
    // Reading a missing field of a map by index makes it; take such nulls out again.
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

fn others(value: &Value, list: &str, name: &str) -> Vec<Value> {
    let items = value.get(list).and_then(Value::as_array);
    items.into_iter().flatten().filter(|item| item["name"] != name).cloned().collect()
}

/// Whether two kubeconfigs mean the same: lists are sets by name, and empty is missing.
fn same(a: &Value, b: &Value) -> bool {
    let normal = |value: &Value| {
        let mut fields: Map<String, Value> = value.as_object().cloned().unwrap_or_default();
        for (list, _) in LISTS {
            if let Some(Value::Array(items)) = fields.get_mut(list) {
                items.sort_by_key(|item| item["name"].to_string());
            }
        }
        fields.retain(|_, field| !matches!(field, Value::Null) && *field != json!([]) && *field != json!(""));
        fields
    };
    normal(a) == normal(b)
}

impl Entries {
    fn content(&self, list: &str) -> Value {
        match list {
            "clusters" => json!({ "certificate-authority-data": self.authority, "server": self.server }),
            "contexts" => json!({ "cluster": self.name, "user": self.name }),
            _ => json!({ "client-certificate-data": self.certificate, "client-key-data": self.key }),
        }
    }

    /// The lines of our item in `list`, as kubectl would write them.
    fn block(&self, list: &str) -> Vec<String> {
        let Self { name, server, authority, certificate, key } = self;
        match list {
            "clusters" => vec![
                "- cluster:".to_owned(),
                format!("    certificate-authority-data: {authority}"),
                format!("    server: {server}"),
                format!("  name: {name}"),
            ],
            "contexts" => vec![
                "- context:".to_owned(),
                format!("    cluster: {name}"),
                format!("    user: {name}"),
                format!("  name: {name}"),
            ],
            _ => vec![
                format!("- name: {name}"),
                "  user:".to_owned(),
                format!("    client-certificate-data: {certificate}"),
                format!("    client-key-data: {key}"),
            ],
        }
    }
}

// === text ===

fn empty() -> Vec<String> {
    ["apiVersion: v1", "kind: Config", "preferences: {}"].map(str::to_owned).into()
}

fn split(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The edited text if it means what it must, else that meaning as JSON.
fn finish(lines: &[String], wanted: Value) -> String {
    let text = format!("{}\n", lines.join("\n"));
    match parse(&text) {
        Ok(value) if same(&value, &wanted) => text,
        _ => format!("{wanted:#}\n"),
    }
}

/// The line of a top-level key.
fn key_line(lines: &[String], key: &str) -> Option<usize> {
    lines.iter().position(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
}

/// The lines of the list under `key`, without those of comments and blanks after it.
fn list_lines(lines: &[String], key: &str) -> Option<std::ops::Range<usize>> {
    let start = key_line(lines, key)? + 1;
    let belongs = |line: &String| line.starts_with(['-', ' ']) || line.starts_with('#') || line.trim().is_empty();
    let mut end = start + lines[start..].iter().take_while(|line| belongs(line)).count();
    while end > start && !lines[end - 1].starts_with(['-', ' ']) {
        end -= 1;
    }
    Some(start..end)
}

/// Where each item of the list begins and ends.
fn items(lines: &[String], list: std::ops::Range<usize>) -> Vec<std::ops::Range<usize>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let Some(first) = lines[list.clone()].iter().find(|line| line.trim_start().starts_with('-')) else {
        return Vec::new();
    };
    let depth = indent(first);
    let starts: Vec<_> =
        list.clone().filter(|&at| indent(&lines[at]) == depth && lines[at].trim_start().starts_with('-')).collect();
    let ends = starts.iter().skip(1).copied().chain([list.end]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

fn remove_item(lines: &mut Vec<String>, key: &str, name: &str) {
    let Some(list) = list_lines(lines, key) else { return };
    let ours = items(lines, list.clone()).into_iter().find(|item| {
        let item: Result<Vec<Value>, _> = serde_saphyr::from_str(&lines[item.clone()].join("\n"));
        item.is_ok_and(|item| item.len() == 1 && item[0]["name"] == name)
    });
    let Some(ours) = ours else { return };
    let last = items(lines, list).len() == 1;
    lines.drain(ours);
    if last && let Some(at) = key_line(lines, key) {
        lines[at] = format!("{key}: []");
    }
}

fn insert_item(lines: &mut Vec<String>, key: &str, block: &[String]) {
    let Some(at) = key_line(lines, key) else {
        lines.push(format!("{key}:"));
        lines.extend_from_slice(block);
        return;
    };
    let value = lines[at][key.len() + 1..].trim();
    if matches!(value, "[]" | "null" | "~") {
        lines[at] = format!("{key}:");
    }
    let list = list_lines(lines, key).expect("the key is there");
    let first = lines[list.clone()].iter().find(|line| line.trim_start().starts_with('-'));
    let indent = first.map_or(0, |line| line.len() - line.trim_start().len());
    let indented = block.iter().map(|line| format!("{:indent$}{line}", ""));
    lines.splice(list.end..list.end, indented.collect::<Vec<_>>());
}

/// Sets the current context to `to`, if it is `from` or, where that is `None`, if there is none.
fn set_current(lines: &mut Vec<String>, from: Option<&str>, to: &str) {
    const KEY: &str = "current-context";
    let to = if to.is_empty() { "\"\"" } else { to };
    match key_line(lines, KEY) {
        Some(at) => {
            let value = lines[at][KEY.len() + 1..].trim().trim_matches(['"', '\'']);
            if value == from.unwrap_or_default() {
                lines[at] = format!("{KEY}: {to}");
            }
        }
        None if from.is_none() => lines.push(format!("{KEY}: {to}")),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "\
# my clusters
apiVersion: v1
clusters:
- cluster:
    server: https://example.com # the big one
  name: big
contexts:
- context:
    cluster: big
    user: me
  name: big
current-context: big
kind: Config
users:
- name: me
  user:
    token: abc
";

    fn entries() -> Entries {
        Entries {
            name: "kpkg".to_owned(),
            server: "https://127.0.0.1:6443".to_owned(),
            authority: "Y2E=".to_owned(),
            certificate: "Y3J0".to_owned(),
            key: "a2V5".to_owned(),
        }
    }

    #[test]
    fn what_others_wrote_stays_as_it_is() {
        let added = add(THEIRS, &entries()).unwrap();
        for line in THEIRS.lines() {
            assert!(added.contains(line), "{line} is gone from\n{added}");
        }
        assert!(added.contains("server: https://127.0.0.1:6443\n  name: kpkg\ncontexts:"), "{added}");
        assert_eq!(add(&added, &entries()).unwrap(), added, "again changes nothing");
        assert_eq!(remove(&added, "kpkg").unwrap(), THEIRS);
        assert_eq!(remove(THEIRS, "kpkg").unwrap(), THEIRS);
    }

    #[test]
    fn an_empty_file_becomes_a_kubeconfig() {
        let text = add("", &entries()).unwrap();
        assert!(text.starts_with("apiVersion: v1\nkind: Config\n"), "{text}");
        assert!(text.ends_with("current-context: kpkg\n"), "{text}");
        assert_eq!(find(&text, "kpkg").unwrap().unwrap().key, "a2V5");
        let left = parse(&remove(&text, "kpkg").unwrap()).unwrap();
        assert_eq!((&left["clusters"], &left["current-context"]), (&json!([]), &json!("")));
    }

    #[test]
    fn indented_lists_and_empty_ones_are_kept() {
        let text =
            "clusters: []\ncontexts: null\ncurrent-context: \"\"\nusers:\n  - name: me\n    user: {token: abc}\n";
        let added = add(text, &entries()).unwrap();
        assert!(added.contains("  - name: me\n    user: {token: abc}\n  - name: kpkg\n"), "{added}");
        assert!(added.contains("current-context: kpkg"), "{added}");
        assert!(same(&parse(&added).unwrap(), &add_to_value(parse(text).unwrap(), &entries())));
    }

    #[test]
    fn other_forms_keep_their_meaning() {
        let json = r#"{"apiVersion":"v1","kind":"Config","clusters":[{"name":"big","cluster":{"server":"https://example.com"}}],"extra":[1]}"#;
        let added: Value = serde_json::from_str(&add(json, &entries()).unwrap()).unwrap();
        assert_eq!(added["clusters"].as_array().unwrap().len(), 2);
        assert_eq!(added["extra"], json!([1]));
        let removed: Value = parse(&remove(&added.to_string(), "kpkg").unwrap()).unwrap();
        assert_eq!(removed["clusters"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(add("a: [", &entries()).is_err());
        assert!(add("- a", &entries()).is_err());
    }
}
