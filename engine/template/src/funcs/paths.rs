//! Sprig's paths and addresses.

use super::{Answer, Function, Type, fixed, map, string, text};
use crate::error::Failure;
use crate::value::{Entries, Map, Value};

use Type::{Map as Dict, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("base", &[Str], |_, args| Ok(kpkg_gopath::base(&string(&args[0])).into())),
    fixed("dir", &[Str], |_, args| Ok(kpkg_gopath::dir(&string(&args[0])).into())),
    fixed("clean", &[Str], |_, args| Ok(kpkg_gopath::clean(&string(&args[0])).into())),
    fixed("ext", &[Str], |_, args| Ok(kpkg_gopath::extension(&string(&args[0])).into())),
    fixed("isAbs", &[Str], |_, args| Ok(Value::Bool(text(&args[0]).starts_with(b"/")))),
    fixed("osBase", &[Str], |_, args| Ok(kpkg_gopath::base(&string(&args[0])).into())),
    fixed("osDir", &[Str], |_, args| Ok(kpkg_gopath::dir(&string(&args[0])).into())),
    fixed("osClean", &[Str], |_, args| Ok(kpkg_gopath::clean(&string(&args[0])).into())),
    fixed("osExt", &[Str], |_, args| Ok(kpkg_gopath::extension(&string(&args[0])).into())),
    fixed("osIsAbs", &[Str], |_, args| Ok(Value::Bool(text(&args[0]).starts_with(b"/")))),
    fixed("urlParse", &[Str], |_, args| parse_url(&string(&args[0]))),
    fixed("urlJoin", &[Dict], |_, args| join_url(&map(&args[0]))),
];

/// The parts of an address, as `net/url` takes it apart.
#[derive(Debug, Default)]
struct Address {
    scheme: String,
    opaque: String,
    userinfo: Option<String>,
    host: String,
    path: String,
    query: String,
    fragment: String,
}

fn parse_url(text: &str) -> Answer {
    let address = Address::parse(text).map_err(|problem| {
        let quoted = crate::quote::quote(text.as_bytes());
        Failure::new(format!("unable to parse url: parse {quoted}: {problem}"))
    })?;
    let entries: [(&str, Value); 8] = [
        ("scheme", address.scheme.as_str().into()),
        ("host", address.host.as_str().into()),
        ("hostname", address.host_name().into()),
        ("path", address.path.as_str().into()),
        ("query", address.query.as_str().into()),
        ("opaque", address.opaque.as_str().into()),
        ("fragment", address.fragment.as_str().into()),
        ("userinfo", address.userinfo.as_deref().unwrap_or_default().into()),
    ];
    Ok(Value::map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect::<Entries>()))
}

impl Address {
    fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        let mut address = Self { fragment: unescape(fragment)?, ..Self::default() };
        let (scheme, rest) = split_scheme(rest)?;
        address.scheme = scheme.to_ascii_lowercase();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut address.query);
        if !rest.starts_with('/') {
            if !address.scheme.is_empty() {
                rest.clone_into(&mut address.opaque);
                return Ok(address);
            }
            if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let mut path = rest;
        if let Some(authority) =
            rest.strip_prefix("//").filter(|_| !address.scheme.is_empty() || !rest.starts_with("///"))
        {
            let end = authority.find('/').unwrap_or(authority.len());
            address.authority(&authority[..end])?;
            path = &authority[end..];
        }
        address.path = unescape(path)?;
        Ok(address)
    }

    fn authority(&mut self, authority: &str) -> Result<(), String> {
        let host = match authority.rsplit_once('@') {
            Some((user, host)) => {
                self.userinfo = Some(user.to_owned());
                host
            }
            None => authority,
        };
        let port = match host.rfind(']') {
            Some(end) if host.starts_with('[') => &host[end + 1..],
            None if host.starts_with('[') => return Err("missing ']' in host".to_owned()),
            _ => host.find(':').map_or("", |at| &host[at..]),
        };
        let is_port = port.is_empty() || port.starts_with(':') && port[1..].bytes().all(|byte| byte.is_ascii_digit());
        if !is_port {
            return Err(format!("invalid port {} after host", crate::quote::quote(port.as_bytes())));
        }
        if let Some(bad) = host
            .chars()
            .find(|character| matches!(character, ' ' | '"' | '<' | '>' | '^' | '`' | '{' | '|' | '}' | '\\'))
        {
            return Err(format!("invalid character {} in host name", crate::quote::quote(bad.to_string().as_bytes())));
        }
        self.host = unescape(host)?;
        Ok(())
    }

    fn host_name(&self) -> String {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or_default().to_owned();
        }
        self.host.split(':').next().unwrap_or_default().to_owned()
    }
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, character) in text.char_indices() {
        match character {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn unescape(text: &str) -> Result<String, String> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let code = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
            let code = code.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let Some(code) = code else {
                let end = (at + 3).min(bytes.len());
                return Err(format!("invalid URL escape {}", crate::quote::quote(&bytes[at..end])));
            };
            out.push(code);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn join_url(parts: &Map) -> Answer {
    let part = |key: &str| match parts.get(key.as_bytes()) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.to_string()),
        Some(Value::Nil) => Err(Failure::new(super::NIL_POINTER)),
        Some(other) => Err(Failure::new(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().name()
        ))),
    };
    let (scheme, host, path) = (part("scheme")?, part("host")?, part("path")?);
    let (query, opaque, fragment, userinfo) = (part("query")?, part("opaque")?, part("fragment")?, part("userinfo")?);
    let mut out = String::new();
    if !scheme.is_empty() {
        out.push_str(&scheme);
        out.push(':');
    }
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
            if !host.is_empty() || !path.is_empty() || !userinfo.is_empty() {
                out.push_str("//");
            }
            if !userinfo.is_empty() {
                out.push_str(&userinfo);
                out.push('@');
            }
            out.push_str(&host);
        }
        let escaped = escape_path(&path);
        if !escaped.is_empty() && !escaped.starts_with('/') && !host.is_empty() {
            out.push('/');
        }
        if out.is_empty() && escaped.split('/').next().is_some_and(|segment| segment.contains(':')) {
            out.push_str("./");
        }
        out.push_str(&escaped);
    } else {
        out.push_str(&opaque);
    }
    if !query.is_empty() {
        out.push('?');
        out.push_str(&query);
    }
    if !fragment.is_empty() {
        out.push('#');
        out.push_str(&escape_path(&fragment));
    }
    Ok(out.into())
}

fn escape_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
