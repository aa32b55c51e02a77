//! Which values an upgrade has: those given now, with or without those of the last revision.

use kpkg_chart::{Chart, File, values};
use kpkg_yaml::{Map, Value};

use crate::error::{ReleaseError, Result};
use crate::record::Release;

/// What becomes of the last revision's values (Helm's flags).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reuse {
    /// They are used if none are given now.
    #[default]
    IfNoneGiven,
    /// They are forgotten.
    Reset,
    /// They stay, the values of the old chart included; what is given now goes on top.
    Reuse,
    /// They stay, but the chart's own values are the new chart's; what is given now goes on top.
    ResetThenReuse,
}

/// The values to give to the new revision, of what the user gives now and gave before. May change
/// the chart's own values.
pub fn reuse(given: Map, last: &Release, reuse: Reuse, chart: &mut Chart) -> Result<Map> {
    let needed = !matches!(reuse, Reuse::Reset) && (reuse != Reuse::IfNoneGiven || given.is_empty());
    if !needed {
        return Ok(given);
    }
    let last = &last.in_clear()?;
    let Value::Map(before) = Value::from_json(&last.config) else { return Ok(given) };
    match reuse {
        Reuse::Reset => Ok(given),
        Reuse::IfNoneGiven if given.is_empty() => Ok(before),
        Reuse::IfNoneGiven => Ok(given),
        Reuse::ResetThenReuse => Ok(over(given, &before)),
        Reuse::Reuse => {
            chart.values = computed(last)?.into();
            Ok(over(given, &before))
        }
    }
}

/// All values of a revision: its chart's with the user's on top.
pub fn computed(release: &Release) -> Result<Map> {
    let refuse = |problem: String| ReleaseError::Record {
        record: release.secret_name(),
        problem: format!("its values cannot be merged: {problem}"),
    };
    // Records keep the chart without its subcharts.
    let metadata = serde_json::json!({
        "apiVersion": "v2", "name": release.chart_metadata("name"), "version": release.chart_metadata("version"),
    });
    let file = File::new("Chart.yaml", metadata.to_string().as_bytes());
    let mut chart = kpkg_chart::load_files(vec![file]).map_err(|error| refuse(error.to_string()))?;
    if let Value::Map(map) = Value::from_json(&release.chart["values"]) {
        chart.values = map.into();
    }
    let Value::Map(config) = Value::from_json(&release.config) else { return Ok((*chart.values).clone()) };
    let merged = values::merge_with(&chart, &[values::Input::Map(config)], values::Checks { schema: false });
    Ok(merged.map_err(|error| refuse(error.to_string()))?.all().clone())
}

/// `given` over `before`; a null takes a value away again (Helm's `CoalesceTables`).
fn over(mut given: Map, before: &Map) -> Map {
    for (key, old) in before {
        match given.get_mut(key) {
            None => drop(given.insert(key.clone(), old.clone())),
            Some(Value::Null) => drop(given.remove(key)),
            Some(Value::Map(new)) => {
                if let Value::Map(old) = old {
                    let merged = over(std::mem::take(new), old);
                    *new = merged;
                }
            }
            Some(_) => {}
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(json: serde_json::Value) -> Map {
        match Value::from_json(&json) {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn what_is_given_goes_over_what_was() {
        let got = over(
            map(json!({"a": 1, "b": {"x": 2}, "gone": null})),
            &map(json!({"a": 0, "b": {"x": 0, "y": 3}, "gone": 5, "c": 4})),
        );
        assert_eq!(Value::Map(got).to_json(), json!({"a": 1, "b": {"x": 2, "y": 3}, "c": 4}));
    }
}
