//! In what form the client wants the answer.

use crate::failure::Result;
use http::{HeaderMap, header};
use kpkg_api::{schema::Kind, status::Status};

/// What is shown of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of it.
    Object,
    /// Its metadata only.
    Partial,
    /// A row of a table.
    Table(Include),
}

/// How much of the object goes with a table's row: `includeObject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Include {
    None,
    #[default]
    Metadata,
    Object,
}

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Yaml,
    Protobuf,
}

impl Encoding {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => kpkg_api::protobuf::MEDIA_TYPE,
        }
    }
}

/// One media range of an `Accept` header.
pub(crate) struct Media<'a> {
    pub(crate) name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Media<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let parameters = parts.filter_map(|part| part.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
        Self { name, parameters: parameters.collect() }
    }

    pub(crate) fn parameter(&self, key: &str) -> &'a str {
        self.parameters.iter().find(|(own, _)| *own == key).map_or("", |(_, value)| *value)
    }

    fn quality(&self) -> f32 {
        self.parameter("q").parse().unwrap_or(1.0)
    }
}

/// The media ranges of a request, best first; anything if the header is missing.
pub(crate) fn ranges(headers: &HeaderMap) -> Vec<Media<'_>> {
    let texts = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<_> = texts
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(Media::parse)
        .collect();
    if ranges.is_empty() {
        ranges.push(Media::parse("*/*"));
    }
    ranges.sort_by(|a, b| b.quality().total_cmp(&a.quality()));
    ranges
}

/// What is answered to a request for objects.
pub(crate) fn objects(headers: &HeaderMap, include: Include) -> Result<(Form, Encoding)> {
    ranges(headers).iter().find_map(|range| choose(range, include)).ok_or_else(not_acceptable)
}

/// The same for objects of a kind: protobuf knows no custom ones.
pub(crate) fn objects_of(kind: &Kind, headers: &HeaderMap, include: Include) -> Result<(Form, Encoding)> {
    let possible = |(_, encoding): &(Form, Encoding)| !kind.custom || *encoding != Encoding::Protobuf;
    ranges(headers).iter().filter_map(|range| choose(range, include)).find(possible).ok_or_else(not_acceptable)
}

/// What is answered where only JSON lines can be: a watch.
pub(crate) fn watch(headers: &HeaderMap, include: Include) -> Result<Form> {
    ranges(headers)
        .iter()
        .filter_map(|range| choose(range, include))
        .find(|(_, encoding)| *encoding == Encoding::Json)
        .map(|(form, _)| form)
        .ok_or_else(not_acceptable)
}

fn not_acceptable() -> Status {
    Status::not_acceptable(&[Encoding::Json, Encoding::Yaml, Encoding::Protobuf].map(Encoding::media_type))
}

fn choose(range: &Media<'_>, include: Include) -> Option<(Form, Encoding)> {
    let encoding = match range.name {
        "application/json" | "application/*" | "*/*" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        kpkg_api::protobuf::MEDIA_TYPE => Encoding::Protobuf,
        _ => return None,
    };
    let form = match range.parameter("as") {
        "" => Form::Object,
        _ if range.parameter("g") != "meta.k8s.io" || !matches!(range.parameter("v"), "v1" | "v1beta1") => return None,
        "Table" => Form::Table(include),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => Form::Partial,
        _ => return None,
    };
    (form == Form::Object || encoding == Encoding::Json).then_some((form, encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_form_it_can_give() {
        let table = Form::Table(Include::Metadata);
        let cases = [
            ("", Some((Form::Object, Encoding::Json))),
            ("*/*", Some((Form::Object, Encoding::Json))),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Some((table, Encoding::Json))),
            ("application/json;as=Table;g=meta.k8s.io;v=v2,application/json", Some((Form::Object, Encoding::Json))),
            ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", Some((Form::Partial, Encoding::Json))),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
                Some((Form::Partial, Encoding::Json)),
            ),
            ("application/vnd.kubernetes.protobuf,application/json", Some((Form::Object, Encoding::Protobuf))),
            ("application/yaml;q=0.5,application/json", Some((Form::Object, Encoding::Json))),
            ("text/html", None),
        ];
        for (accept, want) in cases {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, accept.parse().expect("a header"));
            }
            assert_eq!(objects(&headers, Include::Metadata).ok(), want, "{accept}");
        }
    }
}
