//! Finding charts by words in kept indexes.

use kpkg_template::semver::{Range, Version};

use super::{Entry, Index};
use crate::{Error, oci};

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Words that must all occur in name, description or keywords.
    pub words: Vec<String>,
    /// Show all versions, not the newest alone.
    pub versions: bool,
    /// Count pre-releases too.
    pub devel: bool,
    /// A range that versions must be in.
    pub version: String,
}

/// A chart that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// `REPOSITORY/NAME`.
    pub name: String,
    /// What the index says.
    pub entry: Entry,
}

/// Looks through a repository's index.
pub fn search(repository: &str, index: &Index, query: &Query) -> Result<Vec<Hit>, Error> {
    let wanted = match (query.version.as_str(), query.devel) {
        ("", true) => ">0.0.0-0",
        ("", false) => "",
        (range, _) => range,
    };
    let range = (!wanted.is_empty()).then(|| Range::parse(wanted)).transpose();
    let range =
        range.map_err(|problem| oci::Error::Setting(format!("`{wanted}` is no range of versions: {problem}")))?;
    let words: Vec<String> = query.words.iter().map(|word| word.to_lowercase()).collect();
    let mut hits: Vec<Hit> = Vec::new();
    // The name that was answered already; and whether its newest version fits the words.
    let mut taken = String::new();
    for line in index.lines().lines() {
        let repeated = !query.versions && !taken.is_empty() && line.starts_with(&taken);
        if repeated || !might_hold(line, repository, &words) {
            continue;
        }
        let Ok(entry) = serde_json::from_str::<Entry>(line) else { continue };
        let in_range = match (&range, Version::parse(&entry.version)) {
            (Some(range), Ok(version)) => range.contains(&version),
            (None, Ok(version)) => query.versions || version.prerelease.is_empty(),
            (_, Err(_)) => false,
        };
        if !in_range || !holds(&entry, repository, &words) {
            continue;
        }
        taken = format!("{{\"n\":{},", serde_json::to_string(&entry.name).unwrap_or_default());
        hits.push(Hit { name: format!("{repository}/{}", entry.name), entry });
    }
    Ok(hits)
}

/// A quick look that never overlooks anything but words that JSON writes otherwise.
fn might_hold(line: &str, repository: &str, words: &[String]) -> bool {
    words.iter().all(|word| {
        !word.is_ascii()
            || word.contains(['"', '\\', '/'])
            || contains_ignoring_case(line, word)
            || repository.contains(word)
    })
}

fn contains_ignoring_case(line: &str, word: &str) -> bool {
    let (line, word) = (line.as_bytes(), word.as_bytes());
    let Some(first) = word.first() else { return true };
    let upper = first.to_ascii_uppercase();
    line.windows(word.len())
        .any(|window| (window[0] == *first || window[0] == upper) && window.eq_ignore_ascii_case(word))
}

fn holds(entry: &Entry, repository: &str, words: &[String]) -> bool {
    let text =
        format!("{repository}/{}\n{}\n{}", entry.name, entry.description, entry.keywords.join(" ")).to_lowercase();
    words.iter().all(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_found_by_words_and_versions() {
        let index = Index::parse(
            "i",
            b"apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 2.0.0-rc.1, description: Server}\n  \
              - {name: web, version: 1.1.0, description: Server}\n  - {name: web, version: 1.0.0, description: Server}\n  \
              db:\n  - {name: db, version: 1.0.0, keywords: [SQL]}\n",
        )
        .expect("valid");
        let found = |words: &[&str], versions, devel, version: &str| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let query = Query { words, versions, devel, version: version.to_owned() };
            let hits = search("r", &index, &query).expect("valid");
            hits.iter().map(|hit| format!("{} {}", hit.name, hit.entry.version)).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(found(&[], false, false, ""), "r/db 1.0.0, r/web 1.1.0");
        assert_eq!(found(&["server"], false, true, ""), "r/web 2.0.0-rc.1");
        assert_eq!(found(&["sql"], false, false, ""), "r/db 1.0.0");
        assert_eq!(found(&["web"], true, false, "^1"), "r/web 1.1.0, r/web 1.0.0");
        assert_eq!(found(&["r/web"], false, false, "~1.0"), "r/web 1.0.0");
        assert_eq!(found(&["nothing"], false, false, ""), "");
    }
}
