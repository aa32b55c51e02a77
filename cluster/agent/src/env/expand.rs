//! `$(NAME)` in values, commands and arguments (Kubernetes' `third_party/forked/golang/expansion`).

/// Replaces `$(NAME)` by what `lookup` knows; what it does not know stays, and `$$` is a dollar.
pub(crate) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('(')
            && let Some(end) = inner.find(')')
        {
            let name = &inner[..end];
            out.push_str(&lookup(name).unwrap_or_else(|| format!("$({name})")));
            rest = &inner[end + 1..];
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_as_in_kubernetes() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        let cases = [("$(A)", "1"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("a$", "a$"), ("$A", "$A"), ("$(A", "$(A"), ("x$(A)y$(A)", "x1y1")];
        for (text, want) in cases {
            assert_eq!(expand(text, lookup), want, "{text}");
        }
    }
}
