//! Sprig's paths and addresses.

use super::{Answer, Function, Type, fixed, map, on_bytes, text};
use crate::error::Failure;
use crate::text::Text;
use crate::url::Url;
use crate::value::{Entries, Map, Value};

use Type::{Map as Dict, String as Str};

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("base", &[Str], |_, args| Ok(on_bytes(text(&args[0]), |path| kpkg_gopath::base(path).to_owned()))),
    fixed("dir", &[Str], |_, args| Ok(on_bytes(text(&args[0]), kpkg_gopath::dir))),
    fixed("clean", &[Str], |_, args| Ok(on_bytes(text(&args[0]), kpkg_gopath::clean))),
    fixed("ext", &[Str], |_, args| Ok(on_bytes(text(&args[0]), |path| kpkg_gopath::extension(path).to_owned()))),
    fixed("isAbs", &[Str], |_, args| Ok(Value::Bool(text(&args[0]).starts_with(b"/")))),
    fixed("osBase", &[Str], |_, args| Ok(on_bytes(text(&args[0]), |path| kpkg_gopath::base(path).to_owned()))),
    fixed("osDir", &[Str], |_, args| Ok(on_bytes(text(&args[0]), kpkg_gopath::dir))),
    fixed("osClean", &[Str], |_, args| Ok(on_bytes(text(&args[0]), kpkg_gopath::clean))),
    fixed("osExt", &[Str], |_, args| Ok(on_bytes(text(&args[0]), |path| kpkg_gopath::extension(path).to_owned()))),
    fixed("osIsAbs", &[Str], |_, args| Ok(Value::Bool(text(&args[0]).starts_with(b"/")))),
    fixed("urlParse", &[Str], |_, args| parse_url(text(&args[0]))),
    fixed("urlJoin", &[Dict], |_, args| join_url(&map(&args[0]))),
];

fn parse_url(text: &[u8]) -> Answer {
    let url = Url::parse(text).map_err(|problem| Failure::new(format!("unable to parse url: {problem}")))?;
    let entries: [(&str, Text); 8] = [
        ("hostname", url.host_name().into()),
        ("scheme", url.scheme.into()),
        ("host", url.host.into()),
        ("path", url.path.into()),
        ("query", url.query.into()),
        ("opaque", url.opaque.into()),
        ("fragment", url.fragment.into()),
        ("userinfo", url.user.map(|user| user.text()).unwrap_or_default().into()),
    ];
    Ok(Value::map(entries.into_iter().map(|(key, text)| (key.into(), text.into())).collect::<Entries>()))
}

fn join_url(parts: &Map) -> Answer {
    let part = |key: &str| match parts.get(key.as_bytes()) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.as_bytes().to_owned()),
        Some(Value::Nil) => Err(Failure::new(super::NIL_POINTER)),
        Some(other) => Err(Failure::new(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            other.kind().name()
        ))),
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        user: None,
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let whole = [b"proto://", user.as_slice(), b"@host"].concat();
        let parsed = Url::parse(&whole);
        url.user = parsed.map_err(|problem| Failure::new(format!("unable to parse userinfo in dict: {problem}")))?.user;
    }
    Ok(Value::String(url.text().into()))
}
