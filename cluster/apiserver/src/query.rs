//! The query of a URL.

use crate::failure::Result;
use kpkg_api::status::Status;

/// The pairs after the question mark, decoded, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// The first value of a key; empty if absent.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    /// All values of a key.
    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(own, _)| own == key)
    }

    /// A boolean as Kubernetes reads it in queries: `0` and `false` are false, as is absence; all else is true.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.all(key).next().is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A whole number.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>> {
        match self.text(key) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs() {
        let query = Query::parse(Some("command=ls&command=-l%20a&watch=1&follow=false&limit=x&empty"));
        assert_eq!(query.all("command").collect::<Vec<_>>(), ["ls", "-l a"]);
        assert!(query.flag("watch") && !query.flag("follow") && query.flag("empty") && !query.flag("none"));
        assert!(query.integer("limit").is_err());
        assert_eq!(query.integer("none"), Ok(None));
    }
}
