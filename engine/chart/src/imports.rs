//! The values that charts import from their subcharts.

use std::collections::BTreeSet;

use kpkg_template::{Map, Value};
use kpkg_yaml::{Map as Table, Value as Plain};

use crate::chart::Chart;
use crate::coalesce::{coalesce, coalesce_tables, copy, new_map, to_plain};

const GLOBAL: &str = "global";

/// Tables of globals beyond which to compare each with each other may take longer than to merge them.
const MANY: usize = 64;

/// Gives each chart that has dependencies the values that Helm gives it: its own, those of its subcharts below their names, and
/// those imported.
pub(crate) fn resolve(chart: &mut Chart, supplied: &Table) -> Result<(), String> {
    if change_nothing(chart, supplied) { Ok(()) } else { import(chart) }
}

fn import(chart: &mut Chart) -> Result<(), String> {
    for subchart in &mut chart.dependencies {
        import(subchart)?;
    }
    if chart.metadata.dependencies.is_empty() {
        return Ok(());
    }
    let all = coalesce(chart, &new_map(), true)?;
    let imported = new_map();
    for dependency in &chart.metadata.dependencies {
        for import in &dependency.import_values {
            let (child, parent) = match import {
                serde_json::Value::String(name) => (format!("exports.{name}"), ".".to_owned()),
                serde_json::Value::Object(pair) => (go_text(pair.get("child")), go_text(pair.get("parent"))),
                _ => continue,
            };
            match table_at(&all, &format!("{}.{child}", dependency.name)) {
                Some(table) => coalesce_tables(&imported, &nested(&parent, table), true),
                None => tracing::warn!(chart = %dependency.name, path = %child, "import-values: no such table"),
            }
        }
    }
    if imported.is_empty() {
        chart.values = to_plain(&all).into();
        return Ok(());
    }
    let values = copy(&all);
    coalesce_tables(&values, &imported, true);
    chart.values = to_plain(&values).into();
    Ok(())
}

/// The table at a dotted path.
pub(crate) fn table_at(values: &Map, path: &str) -> Option<Map> {
    path.split('.').try_fold(values.clone(), |table, key| match table.get(key.as_bytes()) {
        Some(Value::Map(inner)) => Some(inner),
        _ => None,
    })
}

fn go_text(value: Option<&serde_json::Value>) -> String {
    match value {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "<nil>".to_owned(),
    }
}

/// A table under a dotted path of new tables.
fn nested(path: &str, table: Map) -> Map {
    if path == "." {
        return table;
    }
    path.split('.').rev().fold(table, |inner, key| {
        let outer = new_map();
        outer.insert(key.into(), Value::Map(inner));
        outer
    })
}

/// Whether values come out the same without all this: a chart's defaults and those of its subcharts are merged once more
/// when the supplied ones are. It makes a difference if something is imported; otherwise only where a null takes something
/// away, and where what is a table in one layer of values is none in another. A "no" too many costs time alone.
fn change_nothing(chart: &Chart, supplied: &Table) -> bool {
    let mut globals = Globals::default();
    imports_nothing(chart)
        && !supplied.values().any(holds_null)
        && agree_on(chart, 0, &Above { supplied: Some(supplied), defaults: Vec::new() }, &mut globals)
        && globals.others.len() <= MANY
        && globals_agree(&globals.topmost, &globals.others)
}

fn imports_nothing(chart: &Chart) -> bool {
    chart.metadata.dependencies.iter().all(|dependency| dependency.import_values.is_empty())
        && chart.dependencies.iter().all(imports_nothing)
}

/// The tables of globals: all charts get the topmost one's.
#[derive(Default)]
struct Globals<'v> {
    topmost: Vec<&'v Table>,
    others: Vec<&'v Table>,
}

/// The tables of values for a chart that come from above.
struct Above<'v> {
    supplied: Option<&'v Table>,
    /// From the charts that it is in, the topmost first.
    defaults: Vec<&'v Table>,
}

impl<'v> Above<'v> {
    fn tables(&self) -> Vec<&'v Table> {
        self.supplied.into_iter().chain(self.defaults.iter().copied()).collect()
    }

    /// Those under a key, with that of the chart's own values; `None` if something else stands there.
    fn below(&self, own: &'v Table, key: &str) -> Option<Self> {
        let supplied = self.supplied.and_then(|table| table.get(key));
        let defaults = self.defaults.iter().copied().chain([own]).filter_map(|table| table.get(key));
        let defaults = defaults.map(Plain::as_map).collect::<Option<_>>()?;
        let supplied = match supplied {
            Some(value) => Some(value.as_map()?),
            None => None,
        };
        Some(Self { supplied, defaults })
    }
}

/// Whether a chart's own values agree with those from above, and so on in its subcharts. Gathers the globals, which meet
/// those of all other charts.
fn agree_on<'v>(chart: &'v Chart, depth: usize, above: &Above<'v>, globals: &mut Globals<'v>) -> bool {
    let names: BTreeSet<&str> = chart.dependencies.iter().map(Chart::name).collect();
    if names.len() < chart.dependencies.len() || names.contains(GLOBAL) {
        return false;
    }
    let is_apart = |key: &str| key == GLOBAL || names.contains(key);
    let layers = above.tables();
    // A null of the topmost chart's own is the same before and after. Another is merged like a value, and has an effect that
    // it had not before: unless it is hidden, or stands alone where nulls go away.
    let own_fits = |key: &str, own: &Plain| match found(&layers, key) {
        _ if key == GLOBAL => depth > 0 || !holds_null(own),
        _ if depth == 0 => true,
        _ if names.contains(key) => !holds_null(own),
        others => (others.is_empty() && own.is_null()) || fits(own, &others, depth == 1 && above.supplied.is_none()),
    };
    let layer_fits = |at: usize| {
        let is_topmost = at == 1 && above.supplied.is_some();
        layers[at].iter().all(|(key, value)| is_apart(key) || fits(value, &found(&layers[..at], key), is_topmost))
    };
    if !(chart.values.iter().all(|(key, own)| own_fits(key, own)) && (1..layers.len()).all(layer_fits)) {
        return false;
    }
    let Some(found) = above.below(&chart.values, GLOBAL) else { return false };
    let gathered = if depth == 0 { &mut globals.topmost } else { &mut globals.others };
    gathered.extend(found.tables());
    let agree_below = |subchart: &'v Chart| {
        let above = above.below(&chart.values, subchart.name());
        above.is_some_and(|above| agree_on(subchart, depth + 1, &above, globals))
    };
    chart.dependencies.iter().all(agree_below)
}

/// The values under a key.
fn found<'v>(tables: &[&'v Table], key: &str) -> Vec<&'v Plain> {
    tables.iter().filter_map(|table| table.get(key)).collect()
}

fn tables<'v>(values: &[&'v Plain]) -> Vec<&'v Table> {
    values.iter().filter_map(|value| value.as_map()).collect()
}

/// Whether a value is a table if and only if the others are, at any depth, and any null in it is hidden by one of them, which
/// come before it. Theirs do not count.
fn fits(value: &Plain, others: &[&Plain], may_be_null: bool) -> bool {
    let tables = tables(others);
    let holds_else = others.iter().any(|other| !other.is_null() && other.as_map().is_none());
    match value {
        Plain::Null => may_be_null || holds_else,
        Plain::Map(table) => {
            !holds_else && table.iter().all(|(key, value)| fits(value, &found(&tables, key), may_be_null))
        }
        _ => tables.is_empty(),
    }
}

fn holds_null(value: &Plain) -> bool {
    !fits(value, &[], false)
}

/// Whether what is a table among the globals of one chart is one for all others, and nothing is null: but where the topmost
/// chart has a value that is no table, others may be, as they get that one.
fn globals_agree(topmost: &[&Table], others: &[&Table]) -> bool {
    let all = [topmost, others].concat();
    let is_new = |at: usize, key: &str| !all[..at].iter().any(|before| before.contains_key(key));
    let agree = |key: &str| {
        let (topmost, mut others) = (found(topmost, key), found(others, key));
        if topmost.iter().any(|value| value.as_map().is_none()) {
            others.retain(|value| !value.is_null());
        }
        let (topmost_tables, other_tables) = (tables(&topmost), tables(&others));
        match topmost_tables.len() + other_tables.len() {
            0 => !topmost.iter().chain(&others).any(|value| value.is_null()),
            count => count == topmost.len() + others.len() && globals_agree(&topmost_tables, &other_tables),
        }
    };
    all.iter().enumerate().all(|(at, table)| table.keys().all(|key| !is_new(at, key) || agree(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::File;
    use crate::coalesce::from_plain;
    use crate::load_files;

    /// What decides at random.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    /// What does not fit, in one place of so many.
    #[derive(Clone, Copy)]
    struct Odd {
        nulls: u64,
        kinds: u64,
    }

    /// A table in which capitals are tables, but for what is odd.
    fn table(chance: &mut Chance, depth: u64, odd: Odd) -> serde_json::Value {
        let mut table = serde_json::Map::new();
        for key in ["global", "one", "two", "A", "B", "x", "y"] {
            if chance.below(2) > 0 {
                continue;
            }
            let is_table = !matches!(key, "x" | "y") ^ (chance.below(odd.kinds) == 0);
            if chance.below(odd.nulls) == 0 {
                table.insert(key.to_owned(), serde_json::Value::Null);
            } else if !is_table {
                table.insert(key.to_owned(), chance.below(1000).into());
            } else if depth > 0 {
                table.insert(key.to_owned(), self::table(chance, depth - 1, odd));
            }
        }
        table.into()
    }

    #[test]
    fn a_null_among_globals_stays_where_all_have_a_table() {
        let chart = |name: &str, more: &str| format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{more}");
        let files = [
            ("Chart.yaml", chart("root", "dependencies: [{name: one, version: 1.0.0}]\n")),
            ("values.yaml", "global: {table: {x: 1}}\n".to_owned()),
            ("charts/one/Chart.yaml", chart("one", "dependencies: [{name: two, version: 1.0.0}]\n")),
            ("charts/one/charts/two/Chart.yaml", chart("two", "")),
            ("charts/one/charts/two/values.yaml", "global: {table: null}\n".to_owned()),
        ];
        let chart = load_files(files.map(|(name, text)| File::new(name, text)).into()).expect("charts");
        assert!(!change_nothing(&chart, &Table::new()));
    }

    #[test]
    fn where_nothing_is_imported_values_come_out_the_same() {
        let mut chance = Chance(3);
        let (mut skipped, mut merged) = (0, 0);
        for round in 0..600 {
            let never = 1 << 30;
            let odd = [(never, never), (300, never), (never, 300), (600, 600)][round % 4];
            let odd = Odd { nulls: odd.0, kinds: odd.1 };
            let mut files = Vec::new();
            for path in ["", "charts/one/", "charts/two/", "charts/one/charts/two/", "charts/one/charts/one/"] {
                let name =
                    path.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("root");
                let below = "dependencies: [{name: one, version: 1.0.0}, {name: two, version: 1.0.0}]";
                let about = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n{below}\n");
                files.push(File::new(format!("{path}Chart.yaml"), about));
                files.push(File::new(format!("{path}values.yaml"), table(&mut chance, 4, odd).to_string()));
            }
            let chart = load_files(files).expect("charts");
            let supplied = if round % 8 < 4 { table(&mut chance, 3, odd) } else { serde_json::json!({}) };
            let Plain::Map(supplied) = Plain::from_json(&supplied) else { panic!("a table") };
            if !change_nothing(&chart, &supplied) {
                merged += 1;
                continue;
            }
            skipped += 1;
            let mut with = chart.clone();
            import(&mut with).expect("no conflicts");
            let all = |chart: &Chart| coalesce(chart, &from_plain(&supplied), false).map(|all| to_plain(&all));
            assert_eq!(all(&chart), all(&with), "round {round}");
        }
        assert!(skipped > 200 && merged > 50, "{skipped} {merged}");
    }
}
