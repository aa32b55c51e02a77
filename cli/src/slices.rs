//! Flags that take several values at once, as Go's flag library reads them: a line of comma-separated values, where
//! quotes keep a comma from separating.

/// The values of one flag, which may be given several times.
pub(crate) fn items(flag: &str, given: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for text in given {
        let fields = fields(text).map_err(|problem| {
            anyhow::anyhow!("invalid argument {text:?} for {flag:?} flag: parse error on {problem}")
        })?;
        all.extend(fields);
    }
    Ok(all)
}

/// The fields of a line; nothing has none.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while !text.is_empty() {
        let column = |rest: &str| text.len() - rest.len() + 1;
        let field;
        if let Some(quoted) = rest.strip_prefix('"') {
            (field, rest) = unquoted(quoted).map_err(|at| {
                format!("line 1, column {}: extraneous or missing \" in quoted-field", column(&quoted[at..]))
            })?;
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field = rest[..end].to_owned();
            if let Some(at) = field.find('"') {
                return Err(format!("line 1, column {}: bare \" in non-quoted-field", column(&rest[at..])));
            }
            rest = &rest[end..];
        }
        found.push(field);
        match rest.strip_prefix(',') {
            Some(next) => rest = next,
            None => break,
        }
    }
    Ok(found)
}

/// What stands before the closing quote, and what follows it: a comma or nothing. Or else where it goes wrong.
fn unquoted(text: &str) -> Result<(String, &str), usize> {
    let mut field = String::new();
    let mut at = 0;
    while let Some(length) = text[at..].find('"') {
        field.push_str(&text[at..at + length]);
        let after = at + length + 1;
        match text[after..].chars().next() {
            Some('"') => field.push('"'),
            None | Some(',') => return Ok((field, &text[after..])),
            Some(_) => return Err(at + length),
        }
        at = after + 1;
    }
    Err(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_commas() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("a", &["a"]),
            ("a, b,", &["a", " b", ""]),
            (",", &["", ""]),
            ("\"a,b\"", &["a,b"]),
            ("\"a\",b", &["a", "b"]),
            ("\"say \"\"x\"\"\",c", &["say \"x\"", "c"]),
            ("é,\"é\"", &["é", "é"]),
        ];
        for (text, want) in cases {
            assert_eq!(fields(text).expect(text), want, "{text}");
        }
    }

    /// What helm 4.2.3 says.
    #[test]
    fn mistakes_are_told() {
        let refused = |text: &str| items("-a, --api-versions", &[text.to_owned()]).expect_err(text).to_string();
        assert_eq!(
            refused("\"foo/v1"),
            "invalid argument \"\\\"foo/v1\" for \"-a, --api-versions\" flag: parse error on line 1, column 8: extraneous \
             or missing \" in quoted-field"
        );
        assert!(refused("a\"b").ends_with("parse error on line 1, column 2: bare \" in non-quoted-field"));
        assert!(
            refused("\"a\"b").ends_with("parse error on line 1, column 3: extraneous or missing \" in quoted-field")
        );
    }
}
