//! Addresses, URLs and names of objects.

use kpkg_api::names;

/// Whether this looks like an address: a mailbox, `@`, and a domain with a dot.
pub(super) fn is_email(text: &str) -> bool {
    let Some((mailbox, domain)) = text.rsplit_once('@') else { return false };
    let is_mailbox = !mailbox.is_empty()
        && !mailbox.starts_with('.')
        && !mailbox.ends_with('.')
        && !mailbox.contains("..")
        && mailbox.chars().all(|letter| letter.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(letter));
    is_mailbox && domain.contains('.') && is_host(domain)
}

/// Whether this could be typed into a browser.
pub(super) fn is_url(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let is_named = host.contains('.') || host == "localhost" || text.contains("://");
    text.len() >= 3 && !text.starts_with('.') && !text.contains(char::is_whitespace) && is_named && is_host(host)
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_')
    };
    host.split('.').all(is_label)
}

/// What Kubernetes has against a name, by the object's kind.
pub(super) fn complaints(kind: &str, name: &str) -> Vec<String> {
    match kind.to_ascii_lowercase().as_str() {
        "service" => names::dns1035_label(name),
        "namespace" => names::dns1123_label(name),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => names::path_segment(name),
        _ => names::dns1123_subdomain(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert!(is_email("a.b@example.com") && !is_email("b") && !is_email("a@b") && !is_email("@x.y"));
        assert!(is_url("https://example.com/x") && is_url("example.com") && !is_url("a b.c") && !is_url("x"));
    }
}
