//! Which subcharts take part: conditions, tags and aliases.

use std::collections::BTreeMap;

use kpkg_template::semver::is_compatible;
use kpkg_template::{Map, Value};

use crate::chart::Chart;
use crate::coalesce::coalesce_asked;
use crate::imports::table_at;
use crate::metadata::Dependency;

/// The chart with the dependencies that the values switch on, under their aliases.
pub(crate) fn resolve(chart: &Chart, supplied: &Map) -> Result<Chart, String> {
    let mut chart = chart.clone();
    let mut asked = Asked::default();
    asked.collect(&chart, "");
    enable(&mut chart, supplied, "", &asked)?;
    Ok(chart)
}

/// Keys of values that something depends on, and what is asked of the mappings under them. All other values need not be
/// merged to find out.
#[derive(Default)]
pub(crate) struct Asked {
    below: BTreeMap<String, Asked>,
    /// Whether everything below matters.
    pub(crate) is_whole: bool,
}

impl Asked {
    /// What must be a table, and all that schemas check.
    pub(crate) fn by_schemas(chart: &Chart) -> Self {
        let mut asked = Self::default();
        asked.tables(chart, "");
        asked.schemas(chart, "");
        asked
    }

    /// What is asked of the value under a key, if anything is.
    pub(crate) fn below(&self, key: &str) -> Option<&Self> {
        self.below.get(key)
    }

    /// Asks for what schemas check; whether there are any.
    fn schemas(&mut self, chart: &Chart, path: &str) -> bool {
        if chart.schema.is_some() {
            self.add(path).is_whole = true;
            return true;
        }
        let dot = if path.is_empty() { "" } else { "." };
        let below = |present: &Chart| format!("{path}{dot}{}", present.name());
        let mut found = false;
        for present in &chart.dependencies {
            found |= self.schemas(present, &below(present));
        }
        if found {
            // They come down from every chart above.
            self.add(&format!("{path}{dot}global")).is_whole = true;
        }
        found
    }

    fn collect(&mut self, chart: &Chart, path: &str) {
        for dependency in &chart.metadata.dependencies {
            for condition in dependency.condition.trim().split(',') {
                self.add_from_above(&format!("{path}{condition}"));
            }
            for tag in &dependency.tags {
                self.add(&format!("tags.{tag}"));
            }
        }
        // What is no table where a subchart's values should stand is refused, whether the subchart takes part or not.
        self.tables(chart, "");
        for present in &chart.dependencies {
            names(chart, present).for_each(|name| self.collect(present, &format!("{path}{name}.")));
        }
    }

    fn tables(&mut self, chart: &Chart, path: &str) {
        for present in &chart.dependencies {
            for name in names(chart, present) {
                let inner = format!("{path}{name}");
                self.add(&inner);
                self.tables(present, &format!("{inner}."));
            }
        }
    }

    /// Asks for a dotted path, and for the globals of the charts above that come down to it.
    fn add_from_above(&mut self, path: &str) {
        self.add(path);
        let keys: Vec<&str> = path.split('.').collect();
        if let Some(global) = keys.iter().position(|key| *key == "global") {
            for above in 0..global {
                self.add(&[&keys[..above], &keys[global..]].concat().join("."));
            }
        }
    }

    /// What is asked at a dotted path; an empty one is all values.
    fn add(&mut self, path: &str) -> &mut Self {
        let keys = path.split('.').filter(|_| !path.is_empty());
        keys.fold(self, |asked, key| asked.below.entry(key.to_owned()).or_default())
    }
}

/// The names that a subchart's values may go by: its own, and those that the chart gives it.
fn names<'c>(chart: &'c Chart, present: &'c Chart) -> impl Iterator<Item = &'c str> {
    let of_it = |wanted: &&Dependency| wanted.name == present.name() && !wanted.alias.is_empty();
    let aliases = chart.metadata.dependencies.iter().filter(of_it).map(|wanted| wanted.alias.as_str());
    std::iter::once(present.name()).chain(aliases)
}

fn enable(chart: &mut Chart, values: &Map, path: &str, asked: &Asked) -> Result<(), String> {
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let mut kept: Vec<Chart> = Vec::new();
    // A chart that no requirement asks for takes part unasked.
    for present in &chart.dependencies {
        let asked_for = |wanted: &Dependency| fits(present, wanted);
        if !chart.metadata.dependencies.iter().any(asked_for) {
            kept.push(present.clone());
        }
    }
    for wanted in &mut chart.metadata.dependencies {
        if let Some(found) = chart.dependencies.iter().find(|present| fits(present, wanted)) {
            let mut found = found.clone();
            if !wanted.alias.is_empty() {
                found.metadata.name.clone_from(&wanted.alias);
            }
            kept.push(found);
        }
        if !wanted.alias.is_empty() {
            wanted.name.clone_from(&wanted.alias);
        }
        wanted.enabled = true;
    }
    chart.dependencies = kept;
    let all = coalesce_asked(chart, values, asked)?;
    let wanted = &mut chart.metadata.dependencies;
    apply_tags(wanted, &all);
    apply_conditions(wanted, &all, path);
    let disabled: Vec<String> =
        wanted.iter().filter(|dependency| !dependency.enabled).map(|dependency| dependency.name.clone()).collect();
    chart.dependencies.retain(|present| !disabled.iter().any(|name| name == present.name()));
    wanted.retain(|dependency| !disabled.contains(&dependency.name));
    for subchart in &mut chart.dependencies {
        let inner = format!("{path}{}.", subchart.name());
        enable(subchart, &all, &inner, asked)?;
    }
    Ok(())
}

fn fits(present: &Chart, wanted: &Dependency) -> bool {
    present.name() == wanted.name && is_compatible(&wanted.version, &present.metadata.version)
}

fn apply_tags(wanted: &mut [Dependency], values: &Map) {
    let Some(Value::Map(tags)) = values.get(b"tags") else { return };
    for dependency in wanted {
        let mut found = dependency.tags.iter().filter_map(|tag| match tags.get(tag.as_bytes()) {
            Some(Value::Bool(value)) => Some(value),
            Some(_) => {
                tracing::warn!(tag = %tag, chart = %dependency.name, "returned non-bool value");
                None
            }
            None => None,
        });
        // One true is enough; only falses switch off.
        let flags: Vec<bool> = found.by_ref().collect();
        dependency.enabled = flags.is_empty() || flags.contains(&true);
    }
}

fn apply_conditions(wanted: &mut [Dependency], values: &Map, path: &str) {
    for dependency in wanted {
        for condition in dependency.condition.trim().split(',').filter(|condition| !condition.is_empty()) {
            match value_at(values, &format!("{path}{condition}")) {
                Some(Value::Bool(value)) => {
                    dependency.enabled = value;
                    break;
                }
                Some(_) => tracing::warn!(path = %condition, chart = %dependency.name, "returned non-bool value"),
                None => {}
            }
        }
    }
}

/// The value at a dotted path, unless it is a table.
fn value_at(values: &Map, path: &str) -> Option<Value> {
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (table_at(values, table)?, key),
        None => (values.clone(), path),
    };
    table.get(key.as_bytes()).filter(|value| !matches!(value, Value::Map(_)))
}

#[cfg(test)]
mod tests {
    use crate::chart::File;
    use crate::load_files;
    use crate::values::merge;

    /// A chart in a chart in a chart, with more files.
    fn nested(files: &[(&str, &str)]) -> crate::Chart {
        let chart = |name: &str, more: &str| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}");
        let inner = "dependencies: [{name: b, version: '*', condition: global.use}]\n";
        let mut all = vec![
            File::new("Chart.yaml", chart("c", "dependencies: [{name: a, version: '*'}]\n")),
            File::new("charts/a/Chart.yaml", chart("a", inner)),
            File::new("charts/a/charts/b/Chart.yaml", chart("b", "")),
        ];
        all.extend(files.iter().map(|(name, text)| File::new(*name, *text)));
        load_files(all).expect("a chart")
    }

    #[test]
    fn conditions_see_the_globals_of_all_charts_above() {
        for place in ["values.yaml", "charts/a/values.yaml"] {
            for (is_used, count) in [("true", 1), ("false", 0)] {
                let chart = nested(&[(place, &format!("global: {{use: {is_used}}}\n"))]);
                let values = merge(&chart, &[]).expect("values");
                assert_eq!(values.chart().dependencies[0].dependencies.len(), count, "{place} {is_used}");
            }
        }
    }

    #[test]
    fn schemas_see_the_globals_of_all_charts_above() {
        let schema = r#"{"properties": {"global": {"required": ["x"]}}, "required": ["global"]}"#;
        let schema = ("charts/a/charts/b/values.schema.json", schema);
        for place in ["values.yaml", "charts/a/values.yaml"] {
            merge(&nested(&[schema, (place, "global: {x: 1}\n")]), &[]).expect(place);
        }
        assert!(merge(&nested(&[schema]), &[]).is_err());
    }
}
