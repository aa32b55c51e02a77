//! Paths in the fields of a kustomization.

use serde_json::{Map, Value};

use super::copy::Copier;
use crate::documents::read_resources;
use crate::error::{Error, Result, Within};

/// What becomes of a path.
type Localizer<'a> = &'a dyn Fn(&str) -> Result<String>;

impl Copier<'_> {
    /// Copies what a kustomization's own fields name, and names the copies.
    pub(super) fn fields(&self, fields: &mut Map<String, Value>) -> Result<()> {
        if let Some(Value::Object(openapi)) = fields.get_mut("openapi") {
            each(openapi, "path", &|path| self.file(path)).within(|| "unable to localize openapi path".to_owned())?;
        }
        let lists: [(&str, Localizer<'_>); 6] = [
            ("bases", &|path| self.root(path)),
            ("components", &|path| self.root(path)),
            ("configurations", &|path| self.file(path)),
            ("crds", &|path| self.file(path)),
            ("resources", &|path| self.resource(path)),
            ("patchesStrategicMerge", &|entry| self.inline_or_file(entry)),
        ];
        for (field, localizer) in lists {
            each(fields, field, localizer).within(|| format!("unable to localize {field} entry"))?;
        }
        for field in ["configMapGenerator", "secretGenerator"] {
            for args in objects(fields, field) {
                self.generator(args).within(|| format!("unable to localize {field}"))?;
            }
        }
        for field in ["patches", "patchesJson6902", "replacements"] {
            for item in objects(fields, field) {
                each(item, "path", &|path| self.file(path)).within(|| format!("unable to localize {field}"))?;
            }
        }
        self.charts(fields)
    }

    fn generator(&self, args: &mut Map<String, Value>) -> Result<()> {
        each(args, "env", &|path| self.file(path)).within(|| "unable to localize generator env file".to_owned())?;
        each(args, "envs", &|path| self.file(path)).within(|| "unable to localize generator envs file".to_owned())?;
        each(args, "files", &|source| self.file_source(source))
    }

    fn charts(&self, fields: &mut Map<String, Value>) -> Result<()> {
        const OLD: &str = "helmChartInflationGenerator";
        for (at, chart) in objects(fields, OLD).enumerate() {
            each(chart, "values", &|path| self.file(path))
                .within(|| format!("unable to localize {OLD} entry {at} values"))?;
            let home = chart.get("chartHome").and_then(Value::as_str).unwrap_or_default();
            let home = self.chart_home(home).within(|| format!("unable to copy {OLD} entry {at}"))?;
            chart.insert("chartHome".to_owned(), home.into());
        }
        let mut has_charts = false;
        for (at, chart) in objects(fields, "helmCharts").enumerate() {
            has_charts = true;
            for field in ["valuesFile", "additionalValuesFiles"] {
                each(chart, field, &|path| self.file(path))
                    .within(|| format!("unable to localize helmCharts entry {at} {field}"))?;
            }
        }
        match fields.get_mut("helmGlobals") {
            Some(Value::Object(globals)) => {
                let home = globals.get("chartHome").and_then(Value::as_str).unwrap_or_default();
                let home = self.chart_home(home).within(|| "unable to copy helmGlobals".to_owned())?;
                globals.insert("chartHome".to_owned(), home.into());
            }
            _ if has_charts => {
                self.chart_home("").within(|| "unable to copy default chart home".to_owned())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An entry that is a resource itself, or the path of a file with one.
    pub(super) fn inline_or_file(&self, entry: &str) -> Result<String> {
        let Err(inline) = read_resources(entry, "the kustomization") else { return Ok(entry.to_owned()) };
        let as_file = self.load(entry).and_then(|content| {
            read_resources(&String::from_utf8_lossy(&content), entry)?;
            self.write(entry, &content)
        });
        as_file.map_err(|file| neither(entry, &inline, &file))
    }
}

/// Why an entry is neither a resource nor the path of one.
pub(super) fn neither(entry: &str, inline: &Error, file: &Error) -> Error {
    Error::rule(format!(
        "unable to load resource entry {entry:?}: when parsing as inline received error: {}\nwhen parsing as filepath \
         received error: {}",
        inline.chain(),
        file.chain()
    ))
}

fn objects<'a>(fields: &'a mut Map<String, Value>, field: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = fields.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Applies a change to a text, or to each of a list.
fn each(fields: &mut Map<String, Value>, field: &str, localizer: Localizer<'_>) -> Result<()> {
    let texts = match fields.get_mut(field) {
        Some(Value::Array(list)) => list.as_mut_slice(),
        Some(value) => std::slice::from_mut(value),
        None => &mut [],
    };
    for value in texts {
        if let Value::String(text) = value {
            *text = localizer(text)?;
        }
    }
    Ok(())
}
