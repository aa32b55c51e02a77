//! `WWW-Authenticate`: what a registry wants to be asked with.

use std::collections::BTreeMap;

/// One way to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and password with every request.
    Basic,
    /// A token, to be had at `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// Reads a header's value; of several ways, a token is preferred.
pub(super) fn parse(value: &str) -> Option<Challenge> {
    let lower = value.to_ascii_lowercase();
    if let Some(at) = find_scheme(&lower, "bearer") {
        let mut parameters = parameters(&value[at + "bearer".len()..]);
        let realm = parameters.remove("realm")?;
        return Some(Challenge::Bearer {
            realm,
            service: parameters.remove("service"),
            scope: parameters.remove("scope"),
        });
    }
    find_scheme(&lower, "basic").map(|_| Challenge::Basic)
}

fn find_scheme(text: &str, scheme: &str) -> Option<usize> {
    let at = text.find(scheme)?;
    let before = text[..at].trim_end();
    let after = text[at + scheme.len()..].chars().next();
    ((before.is_empty() || before.ends_with(',')) && after.is_none_or(char::is_whitespace)).then_some(at)
}

/// `key="value",key=value`, up to what is not so formed.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim().trim_start_matches(',').trim();
        if key.contains(char::is_whitespace) {
            break; // the next scheme begins
        }
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => {
                let mut value = String::new();
                let mut letters = quoted.char_indices();
                let mut end = quoted.len();
                while let Some((at, letter)) = letters.next() {
                    match letter {
                        '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                        '"' => {
                            end = at + 1;
                            break;
                        }
                        other => value.push(other),
                    }
                }
                (value, &quoted[end..])
            }
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        found.entry(key.to_ascii_lowercase()).or_insert(value);
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
                scope: scope.map(str::to_owned),
            })
        };
        let cases = [
            ("Basic realm=\"x\"", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
                bearer("https://a/t", Some("s"), Some("repository:x:pull,push")),
            ),
            ("bearer realm=https://a/t, service=s", bearer("https://a/t", Some("s"), None)),
            ("Basic realm=\"x\", Bearer realm=\"https://a/t\"", bearer("https://a/t", None, None)),
            ("Bearer realm=\"a\\\"b\"", bearer("a\"b", None, None)),
            ("Bearer service=\"s\"", None),
            ("Negotiate", None),
            ("Bearer realm=\"", bearer("", None, None)),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text), want, "{text}");
        }
    }
}
