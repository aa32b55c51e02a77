//! Which objects must be ready before others: dependencies between resources and between subcharts.
//!
//! A resource names what it needs in the annotation [`RESOURCES`]; a chart names, in the same
//! annotation of its `Chart.yaml`, the subcharts that come before itself, or before another of its
//! subcharts (`web: mariadb, redis`). What needs nothing is applied first, all at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::error::{ReleaseError, Result};
use crate::object::{Object, ObjectId};

/// The annotation: on an object a list of `Kind/name`, on a chart a list of subcharts.
pub const RESOURCES: &str = "kpkg.dev/depends-on";

/// What subcharts need: the path of a chart (`wordpress/charts/mariadb`) and the paths before it.
pub type ChartOrder = BTreeMap<String, Vec<String>>;

/// Sorts objects into waves: each is applied and ready before the next begins. The order within
/// a wave is the order given.
pub fn waves(objects: &[Object], charts: &ChartOrder) -> Result<Vec<Vec<usize>>> {
    let needs = needs(objects, charts)?;
    let mut level: Vec<Option<usize>> = vec![None; objects.len()];
    let mut waves: Vec<Vec<usize>> = Vec::new();
    while level.iter().any(Option::is_none) {
        let ready: Vec<usize> = (0..objects.len())
            .filter(|&index| level[index].is_none() && needs[index].iter().all(|&it| level[it].is_some()))
            .collect();
        if ready.is_empty() {
            return Err(ReleaseError::Cycle { objects: cycle(objects, &needs, &level) });
        }
        for &index in &ready {
            level[index] = Some(waves.len());
        }
        waves.push(ready);
    }
    Ok(waves)
}

/// For each object the indices of those that come before it.
fn needs(objects: &[Object], charts: &ChartOrder) -> Result<Vec<BTreeSet<usize>>> {
    let mut by_name: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        by_name.entry((&object.id.kind, &object.id.name)).or_default().push(index);
    }
    let mut all = Vec::with_capacity(objects.len());
    for object in objects {
        let mut needs = BTreeSet::new();
        for name in list(object.annotation(RESOURCES).unwrap_or_default()) {
            let found = name.split_once('/').and_then(|(kind, name)| by_name.get(&(kind, name)));
            let Some(found) = found else {
                return Err(ReleaseError::UnknownDependency { object: object.id.clone(), name: name.to_owned() });
            };
            needs.extend(found);
        }
        for before in charts_before(&object.source, charts) {
            let inside = |it: &Object| chart_of(&it.source).is_some_and(|chart| is_within(chart, before));
            needs.extend(objects.iter().enumerate().filter(|(_, it)| inside(it)).map(|(index, _)| index));
        }
        all.push(needs);
    }
    Ok(all)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|it| !it.is_empty())
}

/// The chart that a template belongs to: `a/charts/b/templates/x.yaml` is of `a/charts/b`.
fn chart_of(source: &str) -> Option<&str> {
    source.find("/templates/").map(|at| &source[..at])
}

fn is_within(chart: &str, path: &str) -> bool {
    chart.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The charts that come before the chart of a template, or before one that contains it.
fn charts_before<'a>(source: &str, charts: &'a ChartOrder) -> Vec<&'a str> {
    let Some(own) = chart_of(source) else { return Vec::new() };
    let applies = |chart: &str, need: &str| {
        // A chart waits for its subcharts with its own objects only; a subchart with all inside it.
        let inside = need.strip_prefix(chart).is_some_and(|rest| rest.starts_with("/charts/"));
        if inside { own == chart } else { is_within(own, chart) }
    };
    let pairs = charts.iter().flat_map(|(chart, needs)| needs.iter().map(move |need| (chart, need)));
    pairs.filter(|(chart, need)| applies(chart, need)).map(|(_, need)| need.as_str()).collect()
}

/// Reads the annotation of a chart: `mariadb` (before the chart itself) or `web: mariadb, redis`.
pub fn chart_order(chart: &str, text: &str, order: &mut ChartOrder) {
    for line in text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        let (who, needs) = match line.split_once(':') {
            Some((subchart, needs)) => (format!("{chart}/charts/{}", subchart.trim()), needs),
            None => (chart.to_owned(), line),
        };
        order.entry(who).or_default().extend(list(needs).map(|name| format!("{chart}/charts/{name}")));
    }
}

/// One round of the cycle that is left when everything else is placed.
fn cycle(objects: &[Object], needs: &[BTreeSet<usize>], level: &[Option<usize>]) -> Vec<ObjectId> {
    let mut path: Vec<usize> = Vec::new();
    let Some(mut at) = (0..objects.len()).find(|&index| level[index].is_none()) else { return Vec::new() };
    loop {
        if let Some(first) = path.iter().position(|&it| it == at) {
            return path[first..].iter().chain([&at]).map(|&it| objects[it].id.clone()).collect();
        }
        path.push(at);
        let Some(&next) = needs[at].iter().find(|&&it| level[it].is_none()) else { return Vec::new() };
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(source: &str, name: &str, needs: &str) -> Object {
        let id = ObjectId {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: "default".into(),
            name: name.into(),
        };
        let value = json!({"metadata": {"name": name, "annotations": {RESOURCES: needs}}});
        Object { id, value, source: source.into() }
    }

    fn check(objects: &[Object], charts: &ChartOrder) -> Vec<Vec<String>> {
        let waves = waves(objects, charts).unwrap();
        waves.iter().map(|wave| wave.iter().map(|&it| objects[it].id.name.clone()).collect()).collect()
    }

    #[test]
    fn what_is_needed_comes_in_an_earlier_wave() {
        let of = |name: &str, needs: &str| object("c/templates/x.yaml", name, needs);
        let objects = [of("a", "ConfigMap/b, ConfigMap/c"), of("b", ""), of("c", "ConfigMap/b"), of("d", "")];
        assert_eq!(check(&objects, &ChartOrder::new()), [vec!["b", "d"], vec!["c"], vec!["a"]]);
    }

    #[test]
    fn cycles_and_unknown_names_are_refused() {
        let of = |name: &str, needs: &str| object("c/templates/x.yaml", name, needs);
        let objects = [of("a", "ConfigMap/b"), of("b", "ConfigMap/a"), of("c", "")];
        let error = waves(&objects, &ChartOrder::new()).unwrap_err().to_string();
        assert_eq!(error, "objects wait for each other: ConfigMap/a -> ConfigMap/b -> ConfigMap/a");
        let error = waves(&[of("a", "Secret/x")], &ChartOrder::new()).unwrap_err().to_string();
        assert_eq!(error, "ConfigMap/a depends on `Secret/x`, which the release does not have");
    }

    #[test]
    fn subcharts_come_before_what_needs_them() {
        let mut order = ChartOrder::new();
        chart_order("web", "db\napp: db, cache", &mut order);
        let objects = [
            object("web/templates/x.yaml", "web", ""),
            object("web/charts/app/templates/x.yaml", "app", ""),
            object("web/charts/db/templates/x.yaml", "db", ""),
            object("web/charts/db/charts/inner/templates/x.yaml", "inner", ""),
            object("web/charts/cache/templates/x.yaml", "cache", ""),
        ];
        assert_eq!(check(&objects, &order), [vec!["db", "inner", "cache"], vec!["web", "app"]]);
    }
}
