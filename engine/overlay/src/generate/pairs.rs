//! Names and values from files, environment files and literals.

use std::collections::BTreeMap;

use crate::error::{Error, Result, Within};
use crate::files::Folder;
use crate::kustomization::GeneratorArgs;
use crate::remote::Remote;

/// The longest line of an environment file; reading ends before a longer one.
const MAX_LINE: usize = 64 << 10;

/// All pairs of a generator; no name may come twice.
pub(crate) fn load(
    args: &GeneratorArgs,
    folder: &Folder,
    remote: Option<&dyn Remote>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
    for path in &args.envs {
        let content = folder.read(path, remote).within(|| format!("loading KV pairs: env source files: {path}"))?;
        from_lines(&content, &mut pairs).within(|| format!("loading KV pairs: env source files: {path}"))?;
    }
    for literal in &args.literals {
        pairs.push(from_literal(literal).within(|| "loading KV pairs: literal sources".to_owned())?);
    }
    for source in &args.files {
        let (key, path) = file_source(source).within(|| "loading KV pairs: file sources".to_owned())?;
        let content = folder.read(&path, remote).within(|| format!("loading KV pairs: file sources: {path}"))?;
        pairs.push((key, content));
    }
    let mut known = BTreeMap::new();
    for (key, value) in pairs {
        if known.contains_key(&key) {
            return Err(Error::rule(format!("configmap {} illegally repeats the key `{key}`", args.name)));
        }
        known.insert(key, value);
    }
    Ok(known)
}

fn from_lines(content: &[u8], pairs: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for (number, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if line.len() >= MAX_LINE {
            break;
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = std::str::from_utf8(line)
            .map_err(|_| Error::rule(format!("line {} has invalid utf8 bytes", number + 1)))?;
        let line = if number == 0 { line.strip_prefix('\u{FEFF}').unwrap_or(line) } else { line };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(())
}

fn from_literal(literal: &str) -> Result<(String, Vec<u8>)> {
    let pair = literal.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) =
        pair.ok_or_else(|| Error::rule(format!("invalid literal source {literal}, expected key=value")))?;
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Ok((key.to_owned(), quoted.unwrap_or(value).as_bytes().to_vec()))
}

/// The key and the path of a file, from `path` or `key=path`.
pub(crate) fn file_source(source: &str) -> Result<(String, String)> {
    let refuse = |problem: String| Err(Error::rule(problem));
    match source.split_once('=') {
        None => Ok((source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source).to_owned(), source.to_owned())),
        Some((_, rest)) if rest.contains('=') => {
            refuse(format!("source {source:?} key name or file path contains '='"))
        }
        Some(("", path)) => refuse(format!("missing key name for file path {path:?} in source {source:?}")),
        Some((key, "")) => refuse(format!("missing file path for key name {key:?} in source {source:?}")),
        Some((key, path)) => Ok((key.to_owned(), path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_sources() {
        assert_eq!(from_literal("a='b c'").expect("valid"), ("a".to_owned(), b"b c".to_vec()));
        assert_eq!(from_literal("a=b=c").expect("valid"), ("a".to_owned(), b"b=c".to_vec()));
        assert!(from_literal("=b").is_err() && from_literal("b").is_err());
        assert_eq!(file_source("x/y.txt").expect("valid"), ("y.txt".to_owned(), "x/y.txt".to_owned()));
        assert!(file_source("a=").is_err() && file_source("=a").is_err() && file_source("a=b=c").is_err());
    }

    #[test]
    fn lines() {
        let mut pairs = Vec::new();
        from_lines("\u{FEFF}A=1\n# c\n\n  B=x y \r\nC\n".as_bytes(), &mut pairs).expect("valid");
        let pairs: Vec<(String, String)> =
            pairs.into_iter().map(|(key, value)| (key, String::from_utf8(value).expect("text"))).collect();
        assert_eq!(pairs, [("A".into(), "1".into()), ("B".into(), "x y ".into()), ("C".into(), String::new())]);
    }
}
