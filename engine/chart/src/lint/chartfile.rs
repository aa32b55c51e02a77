//! `Chart.yaml`.

use kpkg_template::is_request_url;
use kpkg_template::semver::Version;
use kpkg_yaml::{Map, Options, Value};

use super::message::Severity::{Error, Info, Warning};
use super::{Linter, names};
use crate::load;
use crate::metadata::{Maintainer, Metadata};

const FILE: &str = "Chart.yaml";

/// The fields that a chart may have.
const FIELDS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
const MAINTAINER: [&str; 3] = ["name", "email", "url"];
const DEPENDENCY: [&str; 8] =
    ["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];

impl Linter<'_> {
    /// Checks the file; what it says, if it can be read.
    pub(super) fn chartfile(&mut self) -> Option<Metadata> {
        let data = self.file(FILE)?.data();
        let metadata = match load::read_metadata(data) {
            Ok(metadata) => metadata,
            Err(problem) => {
                self.check("chart-format", Error, FILE, Err(format!("unable to parse YAML\n\t{problem}")));
                return None;
            }
        };
        let raw = match kpkg_yaml::read_bytes(data) {
            Ok(Value::Map(raw)) => raw,
            _ => Map::new(),
        };
        self.check("chart-fields", Warning, FILE, unique_fields(data).and_then(|()| known_fields(&raw)));
        self.check("chart-name", Error, FILE, name(&metadata.name));
        self.check("chart-api-version", Error, FILE, api_version(&metadata.api_version));
        self.check("chart-version", Error, FILE, is_text(&raw, "version"));
        self.check("chart-version", Error, FILE, version(&metadata.version));
        self.check("chart-app-version", Error, FILE, is_text(&raw, "appVersion"));
        let maintainers = fail_if(metadata.nulls.maintainers, || "a maintainer entry is empty".to_owned())
            .and_then(|()| metadata.maintainers.iter().try_for_each(maintainer));
        self.check("chart-maintainers", Error, FILE, maintainers);
        self.check(
            "chart-sources",
            Error,
            FILE,
            metadata.sources.iter().try_for_each(|source| {
                let is_url = is_request_url(source);
                if is_url { Ok(()) } else { Err(format!("invalid source URL '{source}'")) }
            }),
        );
        let icon = &metadata.icon;
        self.check("chart-icon", Info, FILE, fail_if(icon.is_empty(), || "icon is recommended".to_owned()));
        let is_wrong = !icon.is_empty() && !is_request_url(icon);
        self.check("chart-icon", Error, FILE, fail_if(is_wrong, || format!("invalid icon URL '{icon}'")));
        let (api, is_old) = (&metadata.api_version, metadata.api_version != "v2");
        self.check(
            "chart-type",
            Error,
            FILE,
            fail_if(is_old && !metadata.kind.is_empty(), || {
                format!("chart type is not valid in apiVersion '{api}'. It is valid in apiVersion 'v2'")
            }),
        );
        self.check("chart-dependencies", Error, FILE, fail_if(is_old && !metadata.dependencies.is_empty(), || {
            format!(
                "dependencies are not valid in the Chart file with apiVersion '{api}'. They are valid in apiVersion 'v2'"
            )
        }));
        self.check(
            "chart-version",
            Warning,
            FILE,
            fail_if(!is_strict(&metadata.version), || {
                format!("version '{}' is not a valid SemVerV2", metadata.version)
            }),
        );
        Some(metadata)
    }
}

fn fail_if(is_wrong: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if is_wrong { Err(text()) } else { Ok(()) }
}

/// Whether no field is given twice.
fn unique_fields(data: &[u8]) -> Result<(), String> {
    let options = Options { unique_keys: true, ..Options::default() };
    let read = kpkg_yaml::decode(data).and_then(|text| kpkg_yaml::read_with(&text, options));
    let wrap =
        |error| format!("failed to strictly parse chart metadata file\n\terror converting YAML to JSON: {error}");
    read.map(|_| ()).map_err(wrap)
}

/// The first field that is not known, in the words of Go's decoder.
fn known_fields(raw: &Map) -> Result<(), String> {
    unknown(raw, &FIELDS)?;
    for (field, known) in [("maintainers", &MAINTAINER[..]), ("dependencies", &DEPENDENCY[..])] {
        if let Some(Value::List(items)) = raw.get(field) {
            for item in items {
                if let Value::Map(item) = item {
                    unknown(item, known)?;
                }
            }
        }
    }
    Ok(())
}

fn unknown(map: &Map, known: &[&str]) -> Result<(), String> {
    match map.keys().find(|key| !known.iter().any(|name| name.eq_ignore_ascii_case(key))) {
        None => Ok(()),
        Some(key) => Err(format!(
            "failed to strictly parse chart metadata file\n\terror unmarshaling JSON: while decoding JSON: json: \
             unknown field {key:?}"
        )),
    }
}

fn name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("name is required".to_owned());
    }
    fail_if(name.contains('/'), || format!("chart name {name:?} is invalid"))
}

fn api_version(version: &str) -> Result<(), String> {
    match version {
        "v1" | "v2" => Ok(()),
        "" => Err("apiVersion is required. The value must be either \"v1\" or \"v2\"".to_owned()),
        other => Err(format!("apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\"")),
    }
}

fn is_text(raw: &Map, key: &str) -> Result<(), String> {
    let kind = match raw.get(key) {
        None | Some(Value::String(_)) => return Ok(()),
        Some(Value::Null) => "<nil>",
        Some(Value::Bool(_)) => "bool",
        Some(Value::List(_)) => "[]interface {}",
        Some(Value::Map(_)) => "map[string]interface {}",
        Some(_) => "float64",
    };
    Err(format!("{key} should be of type string but it's of type {kind}"))
}

fn version(version: &str) -> Result<(), String> {
    const LEAST: &str = "0.0.0-0";
    if version.is_empty() {
        return Err("version is required".to_owned());
    }
    let Ok(parsed) = Version::parse(version) else {
        return Err(format!("version '{version}' is not a valid SemVer"));
    };
    let least = Version::parse(LEAST).map_err(|problem| format!("version {problem}"))?;
    let is_least = parsed.compare(&least) == std::cmp::Ordering::Equal;
    fail_if(is_least, || format!("version {version:?} is less than or equal to {LEAST:?}"))
}

/// Whether a version is written out: three numbers, no `v` before them.
fn is_strict(version: &str) -> bool {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    core.split('.').count() == 3 && core.split('.').all(is_number) && Version::parse(version).is_ok()
}

fn maintainer(maintainer: &Maintainer) -> Result<(), String> {
    let Maintainer { name, email, url } = maintainer;
    if name.is_empty() {
        return Err("each maintainer requires a name".to_owned());
    }
    if !email.is_empty() && !names::is_email(email) {
        return Err(format!("invalid email '{email}' for maintainer '{name}'"));
    }
    fail_if(!url.is_empty() && !names::is_url(url), || format!("invalid url '{url}' for maintainer '{name}'"))
}
