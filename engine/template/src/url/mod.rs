//! Addresses as Go's `net/url` takes them apart and puts them together. `escape` knows which bytes stand for themselves, and
//! `literal` reads what stands in brackets.

mod escape;
mod literal;

use crate::quote::quote;
use escape::{Part, escape, unescape};

/// The parts of an address; texts of Go's, which need not be UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Vec<u8>,
    /// What follows the scheme if it does not begin with a slash; then there is no host and no path.
    pub(crate) opaque: Vec<u8>,
    pub(crate) user: Option<User>,
    /// With its port.
    pub(crate) host: Vec<u8>,
    pub(crate) path: Vec<u8>,
    pub(crate) query: Vec<u8>,
    pub(crate) fragment: Vec<u8>,
}

/// Who asks, and with which password.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    name: Vec<u8>,
    password: Option<Vec<u8>>,
}

/// What is being parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Any reference, relative ones too.
    Reference,
    /// What a request is made with: absolute, or a path.
    Request,
}

/// Whether it names a scheme and can be asked for (`url.ParseRequestURI`).
pub(crate) fn is_request_url(text: &[u8]) -> bool {
    Url::read(text, Form::Request).is_ok_and(|url| !url.scheme.is_empty())
}

impl Url {
    /// Reads an address (`url.Parse`); the error is Go's.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let (main, fragment) = cut(text, b'#').unwrap_or((text, b""));
        let failed = |text: &[u8], problem: String| format!("parse {}: {problem}", quote(text));
        let mut url = Self::read(main, Form::Reference).map_err(|problem| failed(main, problem))?;
        url.fragment = unescape(fragment, Part::Fragment).map_err(|problem| failed(text, problem))?;
        Ok(url)
    }

    fn read(text: &[u8], form: Form) -> Result<Self, String> {
        if text.iter().any(u8::is_ascii_control) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        if text.is_empty() && form == Form::Request {
            return Err("empty url".to_owned());
        }
        let (scheme, rest) = split_scheme(text)?;
        let (rest, query) = cut(rest, b'?').unwrap_or((rest, b""));
        let mut url = Self { scheme: scheme.to_ascii_lowercase(), query: query.to_owned(), ..Self::default() };
        if text == b"*" {
            url.path = text.to_owned();
            return Ok(url);
        }
        if !rest.starts_with(b"/") {
            if !scheme.is_empty() {
                url.opaque = rest.to_owned();
                return Ok(url);
            }
            if form == Form::Request {
                return Err("invalid URI for request".to_owned());
            }
            if has_colon(rest) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let may_name_host = !scheme.is_empty() || form == Form::Reference && !rest.starts_with(b"///");
        let path = match rest.strip_prefix(b"//".as_slice()).filter(|_| may_name_host) {
            Some(authority) => {
                let (authority, path) = authority.split_at(find(authority, b'/').unwrap_or(authority.len()));
                url.authority(authority)?;
                path
            }
            None => rest,
        };
        url.path = unescape(path, Part::Path)?;
        Ok(url)
    }

    fn authority(&mut self, authority: &[u8]) -> Result<(), String> {
        let Some(at) = authority.iter().rposition(|byte| *byte == b'@') else {
            self.host = self.read_host(authority)?;
            return Ok(());
        };
        let user = &authority[..at];
        self.host = self.read_host(&authority[at + 1..])?;
        if !user.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(byte)) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = cut(user, b':').map_or((user, None), |(name, password)| (name, Some(password)));
        self.user = Some(User {
            name: unescape(name, Part::User)?,
            password: password.map(|password| unescape(password, Part::User)).transpose()?,
        });
        Ok(())
    }

    /// A host with its port, as it is written, to what it means.
    fn read_host(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let Some(open) = text.iter().rposition(|byte| *byte == b'[') else {
            // Other schemes than these may list several hosts with their ports.
            let is_web = [b"http".as_slice(), b"https"].contains(&self.scheme.as_slice());
            let is_colon = |byte: &u8| *byte == b':';
            let colon = if is_web { text.iter().position(is_colon) } else { text.iter().rposition(is_colon) };
            check_port(colon.map_or(b"", |at| &text[at..]))?;
            return unescape(text, Part::Host);
        };
        if open > 0 {
            return Err("invalid IP-literal".to_owned());
        }
        let Some(close) = text.iter().rposition(|byte| *byte == b']') else {
            return Err("missing ']' in host".to_owned());
        };
        let (inner, port) = (&text[1..close], &text[close + 1..]);
        check_port(port)?;
        let zone = inner.windows(3).position(|window| window == b"%25").unwrap_or(inner.len());
        let mut address = unescape(&inner[..zone], Part::Host)?;
        address.extend(unescape(&inner[zone..], Part::Zone)?);
        literal::check(&address)?;
        Ok([b"[", address.as_slice(), b"]", port].concat())
    }

    /// The host without its port, and without the brackets.
    pub(crate) fn host_name(&self) -> &[u8] {
        let colon = self.host.iter().rposition(|byte| *byte == b':');
        let end = colon.filter(|at| is_port(&self.host[*at..])).unwrap_or(self.host.len());
        let host = &self.host[..end];
        host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host)
    }

    /// The address as one text (`URL.String`).
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.scheme.is_empty() {
            out.extend_from_slice(&self.scheme);
            out.push(b':');
        }
        if self.opaque.is_empty() {
            self.hierarchy(&mut out);
        } else {
            out.extend_from_slice(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push(b'#');
            escape(&self.fragment, Part::Fragment, &mut out);
        }
        out
    }

    fn hierarchy(&self, out: &mut Vec<u8>) {
        if !self.host.is_empty() || self.user.is_some() || !self.scheme.is_empty() && !self.path.is_empty() {
            out.extend_from_slice(b"//");
        }
        if let Some(user) = &self.user {
            out.extend(user.text());
            out.push(b'@');
        }
        escape(&self.host, Part::Host, out);
        let mut path = Vec::new();
        if self.path == b"*" {
            path.push(b'*');
        } else {
            escape(&self.path, Part::Path, &mut path);
        }
        if !self.host.is_empty() && !path.is_empty() && !path.starts_with(b"/") {
            out.push(b'/');
        }
        // It would be taken for a scheme.
        if out.is_empty() && has_colon(&path) {
            out.extend_from_slice(b"./");
        }
        out.extend(path);
    }
}

impl User {
    /// As it stands in an address.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        escape(&self.name, Part::User, &mut out);
        if let Some(password) = &self.password {
            out.push(b':');
            escape(password, Part::User, &mut out);
        }
        out
    }
}

fn check_port(port: &[u8]) -> Result<(), String> {
    if is_port(port) { Ok(()) } else { Err(format!("invalid port {} after host", quote(port))) }
}

fn is_port(text: &[u8]) -> bool {
    text.is_empty() || text[0] == b':' && text[1..].iter().all(u8::is_ascii_digit)
}

fn split_scheme(text: &[u8]) -> Result<(&[u8], &[u8]), String> {
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok((b"", text))
}

/// Whether the first segment of a path has a colon.
fn has_colon(path: &[u8]) -> bool {
    path.iter().take_while(|byte| **byte != b'/').any(|byte| *byte == b':')
}

fn find(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

fn cut(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    find(text, at).map(|found| (&text[..found], &text[found + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        let good =
            ["https://x/y", "http://a", "a:b", "http://[::1]:80/x", "https://a/b c", "mailto:x@y", "http://a\"b/"];
        let bad = [
            "",
            "x",
            "/x",
            "//x/y",
            "https://${X}.org",
            "http://a#f",
            "http://a%41/",
            "http://a/%zz",
            "http://a:x/",
            "http://a:1:2/",
            "http://[::1",
            "http://[1.2.3.4]/",
            "http://u{@h/",
            "http://a|b/",
            "http://a/\tb",
            "1a://x",
        ];
        for text in good {
            assert!(is_request_url(text.as_bytes()), "{text}");
        }
        for text in bad {
            assert!(!is_request_url(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_is_taken_apart_is_put_together() {
        for text in ["http://u:p%40@h:80/a%20b?q=1#f%20g", "a:b?c", "//h/x", "./a:b", "http://[fe80::1%25en0]/", "*"] {
            let url = Url::parse(text.as_bytes()).expect("valid");
            assert_eq!(String::from_utf8_lossy(&url.text()), text);
        }
    }
}
