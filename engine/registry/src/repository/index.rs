//! An index in the short form in which it is kept: a line for each version of each chart.
//!
//! Lines are sorted by name and, within a name, newest version first. Looking one chart up or searching all of a
//! hundred thousand reads the text once and parses only the lines that matter.

use std::sync::Arc;

use kpkg_template::semver::Version;
use kpkg_yaml::{Options, Value};
use serde::{Deserialize, Serialize};

use crate::{Error, oci};

/// The longest `index.yaml` that is read.
pub(super) const LONGEST: usize = 256 << 20;

/// A version of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The chart's name.
    #[serde(rename = "n")]
    pub name: String,
    /// The chart's version.
    #[serde(rename = "v")]
    pub version: String,
    /// The version of what it installs.
    #[serde(rename = "a", default, skip_serializing_if = "String::is_empty")]
    pub app_version: String,
    /// One sentence.
    #[serde(rename = "d", default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The archive's digest, in hexadecimal.
    #[serde(rename = "h", default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// Where the archive is.
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Words to find it by.
    #[serde(rename = "k", default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Whether it should no longer be used.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
}

/// All versions of all charts of a repository.
#[derive(Debug, Clone, Default)]
pub struct Index {
    lines: Arc<str>,
}

impl Index {
    /// An index in its short form.
    pub(super) fn of_lines(lines: &str) -> Self {
        Self { lines: lines.into() }
    }

    /// The short form.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// Reads an `index.yaml`. A key that is given twice is refused: which of two entries holds must not depend
    /// on who reads (CVE-2020-15185). Entries that are no charts are left out.
    pub fn parse(what: &str, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |problem: String| oci::Error::Document { what: what.to_owned(), problem };
        let start = bytes.trim_ascii_start();
        if start.starts_with(b"<") {
            return Err(wrong("a web page, not an index".to_owned()).into());
        }
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let options = Options { unique_keys: true, max_size: LONGEST, ..Options::default() };
        let value = kpkg_yaml::read_with(text, options).map_err(|error| wrong(error.to_string()))?;
        let Value::Map(mut document) = value else { return Err(wrong("it is not an index".to_owned()).into()) };
        if document.get("apiVersion").and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(wrong("no API version specified".to_owned()).into());
        }
        let entries = match document.remove("entries") {
            Some(Value::Map(entries)) => entries,
            None | Some(Value::Null) => kpkg_yaml::Map::new(),
            Some(_) => return Err(wrong("its entries are no mapping".to_owned()).into()),
        };
        drop(document);
        let mut lines = String::new();
        for (name, versions) in entries {
            let Value::List(versions) = versions else { continue };
            let mut read: Vec<(Version, Entry)> =
                versions.iter().filter_map(|entry| read_entry(&name, entry)).collect();
            read.sort_by(|(one, _), (other, _)| other.compare(one));
            for (_, entry) in read {
                if let Ok(line) = serde_json::to_string(&entry) {
                    lines.push_str(&line);
                    lines.push('\n');
                }
            }
        }
        Ok(Self { lines: lines.into() })
    }

    /// All versions of a chart, newest first.
    pub fn of(&self, name: &str) -> Vec<Entry> {
        let quoted = serde_json::to_string(name).unwrap_or_default();
        let prefix = format!("{{\"n\":{quoted},");
        let from = if self.lines.starts_with(&prefix) {
            0
        } else {
            match self.lines.find(&format!("\n{prefix}")) {
                Some(at) => at + 1,
                None => return Vec::new(),
            }
        };
        let own = self.lines[from..].lines().take_while(|line| line.starts_with(&prefix));
        own.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many versions there are.
    pub fn len(&self) -> usize {
        self.lines.lines().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn read_entry(name: &str, value: &Value) -> Option<(Version, Entry)> {
    let map = value.as_map()?;
    let text = |key: &str| match map.get(key) {
        Some(Value::String(text)) => shown(text),
        // Helm reads an unquoted `1.20` as a number here, too.
        Some(Value::Float(number)) => kpkg_yaml::float_text(*number),
        _ => String::new(),
    };
    let texts = |key: &str| {
        let list = map.get(key).and_then(Value::as_list).unwrap_or_default();
        list.iter().filter_map(|item| item.as_str().map(shown)).collect()
    };
    let entry = Entry {
        name: shown(name),
        version: text("version"),
        app_version: text("appVersion"),
        description: text("description"),
        digest: text("digest"),
        urls: texts("urls"),
        keywords: texts("keywords"),
        deprecated: map.get("deprecated") == Some(&Value::Bool(true)),
    };
    match Version::parse(&entry.version) {
        Ok(version) if entry.name == text("name") || text("name").is_empty() => Some((version, entry)),
        _ => {
            tracing::debug!(name, version = entry.version, "an entry of an index is left out");
            None
        }
    }
}

/// A text as it may be printed: what a repository says of its charts must not command terminals.
fn shown(text: &str) -> String {
    let mut text = text.to_owned();
    kpkg_chart::sanitize(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2021-21303, and CVE-2021-25743 of kubectl.
    #[test]
    fn what_is_shown_commands_no_terminal() {
        let index = "apiVersion: v1\nentries:\n  a:\n  - {name: a, version: 1.0.0, appVersion: \"1\\e[2J\", description: \
                     \"one\\ntwo\\e]0;x\\a\", keywords: [\"\\u009b31m\"]}\n";
        let entry = Index::parse("i", index.as_bytes()).expect("valid").of("a").remove(0);
        assert_eq!((&*entry.app_version, &*entry.description, &*entry.keywords[0]), ("1[2J", "one two]0;x", "31m"));
    }

    const INDEX: &str = "apiVersion: v1\nentries:\n  b:\n  - {name: b, version: 1.0.0, urls: [b-1.0.0.tgz], digest: aa}\n  \
                         - {name: b, version: 1.10.0, appVersion: 1.20, description: Two}\n  - {name: b, version: x}\n  \
                         a:\n  - {name: a, version: 0.1.0, deprecated: true}\n  c: null\ngenerated: \"2020-01-01T00:00:00Z\"\n";

    #[test]
    fn versions_are_found_newest_first() {
        let index = Index::parse("i", INDEX.as_bytes()).expect("valid");
        let versions: Vec<String> = index.of("b").into_iter().map(|entry| entry.version).collect();
        assert_eq!(versions, ["1.10.0", "1.0.0"]);
        assert!(index.of("a")[0].deprecated);
        assert!(index.of("c").is_empty() && index.of("").is_empty());
        assert_eq!(index.len(), 3);
    }

    /// CVE-2020-15185 and CVE-2022-23525.
    #[test]
    fn odd_indexes_are_errors() {
        for text in [
            "",
            "<html></html>",
            "[]",
            "entries: {}\n",
            "apiVersion: v1\nentries: []\n",
            "apiVersion: v1\nentries:\n  a: []\n  a: []\n",
            "apiVersion: v1\napiVersion: v1\n",
            "\0",
        ] {
            assert!(Index::parse("i", text.as_bytes()).is_err(), "{text:?}");
        }
        for text in [
            "apiVersion: v1\n",
            "apiVersion: v1\nentries: null\n",
            "apiVersion: v1\nentries:\n  a: [null, 1, [], {}]\n  b: 7\n",
        ] {
            assert!(Index::parse("i", text.as_bytes()).expect("odd, but an index").is_empty(), "{text:?}");
        }
    }
}
