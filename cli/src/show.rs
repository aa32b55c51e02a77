//! Releases as text: Helm's status and list.

use std::rc::Rc;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kpkg_release::diff::{self, Difference, Line};
use kpkg_release::record::Hook;
use kpkg_release::resources::Table;
use kpkg_release::{Plan, Release, values};
use kpkg_template::{Ambient, Clock, Limits, Map, MapKind, NoHost, Renderer, Templates, Value, with_stack};

use crate::format;

/// A release's status as Helm prints it.
pub(crate) fn status(release: &Release, hide_notes: bool) -> String {
    status_with(release, &[], hide_notes)
}

/// The same with the release's objects.
pub(crate) fn status_with(release: &Release, resources: &[Table], hide_notes: bool) -> String {
    let mut text = heading(release, false);
    if !resources.is_empty() {
        text.push_str("RESOURCES:\n");
    }
    for Table { title, columns, rows } in resources {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        text.push_str(&format!("==> {title}\n{}\n", table(&columns, rows)));
    }
    text.push_str(&tests(release));
    if !hide_notes {
        text.push_str(&notes(release));
    }
    text
}

fn heading(release: &Release, with_chart: bool) -> String {
    let mut text = format!("NAME: {}\n", release.name);
    if let Some(at) = release.info.last_deployed {
        text.push_str(&format!("LAST DEPLOYED: {}\n", ansi_c(at)));
    }
    text.push_str(&format!("NAMESPACE: {}\n", release.namespace));
    text.push_str(&format!("STATUS: {}\n", release.info.status));
    text.push_str(&format!("REVISION: {}\n", release.version));
    if with_chart {
        text.push_str(&format!("CHART: {}\n", release.chart_metadata("name")));
        text.push_str(&format!("VERSION: {}\n", release.chart_metadata("version")));
        text.push_str(&format!("APP_VERSION: {}\n", release.chart_metadata("appVersion")));
    }
    text.push_str(&format!("DESCRIPTION: {}\n", release.info.description));
    text
}

/// How the release's tests went, those that ran.
fn tests(release: &Release) -> String {
    let ran = |hook: &&Hook| hook.events.iter().any(|it| it == "test") && hook.last_run.started_at.is_some();
    let at = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), ansi_c);
    let one = |hook: &Hook| {
        let run = &hook.last_run;
        format!(
            "TEST SUITE:     {}\nLast Started:   {}\nLast Completed: {}\nPhase:          {}\n",
            hook.name,
            at(run.started_at),
            at(run.completed_at),
            run.phase
        )
    };
    if release.hooks.iter().any(|hook| hook.events.iter().any(|it| it == "test")) {
        release.hooks.iter().filter(ran).map(one).collect()
    } else {
        "TEST SUITE: None\n".to_owned()
    }
}

fn notes(release: &Release) -> String {
    match release.info.notes.trim() {
        "" => String::new(),
        notes => format!("NOTES:\n{notes}\n"),
    }
}

/// The hooks with their sources.
pub(crate) fn hooks(release: &Release) -> String {
    release.hooks.iter().map(|hook| format!("---\n# Source: {}\n{}\n", hook.path, hook.manifest)).collect()
}

/// A release that was only tried: with all that it would have brought.
pub(crate) fn dry_run(release: &Release) -> String {
    let (hooks, manifest) = (hooks(release), &release.manifest);
    format!("{}{}HOOKS:\n{hooks}MANIFEST:\n{manifest}\n{}", heading(release, false), tests(release), notes(release))
}

/// A manifest with Secrets left out, as Helm does it.
pub(crate) fn without_secrets(manifest: &str) -> String {
    let is_secret = |document: &str| document.lines().any(|line| line.trim_end() == "kind: Secret");
    let hidden = |document: &str| {
        let source = document.lines().find(|line| line.starts_with("# Source: ")).unwrap_or_default();
        format!("{source}\n# HIDDEN: The Secret output has been suppressed\n")
    };
    let documents = manifest.split_inclusive("---\n");
    documents
        .map(|part| {
            let (text, end) = part.strip_suffix("---\n").map_or((part, ""), |text| (text, "---\n"));
            if is_secret(text) { hidden(text) + end } else { part.to_owned() }
        })
        .collect()
}

/// Everything that is recorded of a release.
pub(crate) fn everything(release: &Release) -> Result<String> {
    let computed = kpkg_yaml::Value::Map(values::computed(release)?).to_json();
    Ok(format!(
        "{}{}USER-SUPPLIED VALUES:\n{}\nCOMPUTED VALUES:\n{}\nHOOKS:\n{}MANIFEST:\n{}\n{}",
        heading(release, true),
        tests(release),
        format::yaml(&release.config),
        format::yaml(&computed),
        hooks(release),
        release.manifest,
        notes(release)
    ))
}

/// What a Go template makes of a release; the fields have the names that Helm's have.
pub(crate) fn by_template(release: &Release, template: &str) -> Result<String> {
    let templates = Templates::parse([("template", template.to_owned())]).map_err(|(_, error)| error)?;
    let data = kpkg_yaml::Value::from_json(&serde_json::json!({"Release": in_go(release)}));
    let ambient = Ambient::new(rand::random(), Clock::system());
    let text = with_stack(|| {
        let data =
            Value::Map(Map::new(MapKind::Any, kpkg_template::entries(data.as_map().unwrap_or(&kpkg_yaml::Map::new()))));
        Renderer::new(&templates, Rc::new(NoHost), &ambient, Limits::default()).render("template", &data)
    })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn in_go(release: &Release) -> serde_json::Value {
    let (info, metadata) = (&release.info, &release.chart["metadata"]);
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    let hook = |hook: &Hook| {
        serde_json::json!({
            "Name": hook.name, "Kind": hook.kind, "Path": hook.path, "Manifest": hook.manifest, "Events": hook.events,
            "Weight": hook.weight, "DeletePolicies": hook.delete_policies,
        })
    };
    serde_json::json!({
        "Name": release.name,
        "Namespace": release.namespace,
        "Version": release.version,
        "Manifest": release.manifest,
        "Config": release.config,
        "Labels": release.labels,
        "ApplyMethod": release.apply_method,
        "Hooks": release.hooks.iter().map(hook).collect::<Vec<_>>(),
        "Info": {
            "FirstDeployed": info.first_deployed, "LastDeployed": info.last_deployed, "Deleted": info.deleted,
            "Description": info.description, "Status": info.status, "Notes": info.notes,
        },
        "Chart": {
            "Values": release.chart["values"],
            "Metadata": {
                "Name": text("name"), "Version": text("version"), "AppVersion": text("appVersion"),
                "Description": text("description"), "Type": text("type"), "APIVersion": text("apiVersion"),
                "Annotations": metadata["annotations"], "Keywords": metadata["keywords"],
            },
        },
    })
}

/// A release's metadata as Helm prints it.
pub(crate) fn metadata(release: &Release) -> String {
    let pairs = |map: &serde_json::Value| -> String {
        let map = map.as_object().into_iter().flatten();
        map.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(",")
    };
    let chart = &release.chart["metadata"];
    let names = chart["dependencies"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str());
    let method = match release.apply_method.as_str() {
        "" => "client-side apply (defaulted)",
        "csa" => "client-side apply",
        "ssa" => "server-side apply",
        other => other,
    };
    let deployed = release.info.last_deployed.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let rows = [
        ("NAME", release.name.clone()),
        ("CHART", release.chart_metadata("name").to_owned()),
        ("VERSION", release.chart_metadata("version").to_owned()),
        ("APP_VERSION", release.chart_metadata("appVersion").to_owned()),
        ("ANNOTATIONS", pairs(&chart["annotations"])),
        ("LABELS", pairs(&serde_json::json!(release.labels))),
        ("DEPENDENCIES", names.collect::<Vec<_>>().join(",")),
        ("NAMESPACE", release.namespace.clone()),
        ("REVISION", release.version.to_string()),
        ("STATUS", release.info.status.to_string()),
        ("DEPLOYED_AT", deployed.unwrap_or_default()),
        ("APPLY_METHOD", method.to_owned()),
    ];
    rows.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
}

/// `NAME-VERSION` of the chart.
pub(crate) fn chart(release: &Release) -> String {
    format!("{}-{}", release.chart_metadata("name"), release.chart_metadata("version"))
}

/// One revision as Helm's history shows it.
pub(crate) fn history_row(release: &Release, with_rollback: bool) -> Vec<String> {
    let mut row = vec![
        release.version.to_string(),
        release.info.last_deployed.map_or_else(String::new, ansi_c),
        release.info.status.to_string(),
        chart(release),
        release.chart_metadata("appVersion").to_owned(),
    ];
    if with_rollback {
        let revision = release.info.rollback_revision;
        row.push(if revision > 0 { revision.to_string() } else { String::new() });
    }
    // A failure's many lines stay in `status`.
    row.push(release.info.description.lines().next().unwrap_or_default().to_owned());
    row
}

/// A plan as lines, with a summary.
pub(crate) fn plan(plan: &Plan, colour: bool) -> String {
    let mut text: String = diff::of_plan(plan).iter().map(|it| difference(it, colour)).collect();
    let [created, changed, deleted, kept] = plan.counts();
    text.push_str(&format!("plan: {created} to create, {changed} to change, {deleted} to delete, {kept} to keep\n"));
    text
}

/// A difference as lines.
pub(crate) fn difference(difference: &Difference, colour: bool) -> String {
    diff::lines(difference).iter().map(|line| paint(line, colour)).collect()
}

fn paint(line: &Line, colour: bool) -> String {
    let text = format!("{} {}", line.mark, line.text);
    let code = match line.mark {
        '+' => "32",
        '-' => "31",
        '~' => "33",
        _ => "",
    };
    if colour && !code.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m\n") } else { format!("{text}\n") }
}

/// Go's `time.ANSIC` in the local time zone.
fn ansi_c(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%a %b %e %H:%M:%S %Y").to_string()
}

/// One release as Helm's list shows it.
pub(crate) fn list_row(release: &Release, layout: Option<&str>) -> [String; 7] {
    let shown = |at: Timestamp| match layout {
        Some(layout) => kpkg_template::format_time(&at.to_zoned(TimeZone::system()), layout),
        // Go's time.String.
        None => at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.f %z %Z").to_string(),
    };
    let updated = release.info.last_deployed.map_or_else(|| "-".to_owned(), shown);
    [
        release.name.clone(),
        release.namespace.clone(),
        release.version.to_string(),
        updated,
        release.info.status.to_string(),
        chart(release),
        release.chart_metadata("appVersion").to_owned(),
    ]
}

/// Columns as wide as their widest cell, a tab's worth apart.
pub(crate) fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headers.iter().map(|it| it.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("   ").trim_end())
    };
    let mut text = line(headers.to_vec());
    for row in rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        let manifest = "---\n# Source: a\nkind: Secret\ndata: {p: eA==}\n---\n# Source: b\nkind: ConfigMap\n";
        assert_eq!(
            without_secrets(manifest),
            "---\n# Source: a\n# HIDDEN: The Secret output has been suppressed\n---\n# Source: b\nkind: ConfigMap\n"
        );
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "long".to_owned(), "x".to_owned()],
            vec!["bb".to_owned(), "c".to_owned(), String::new()],
        ];
        assert_eq!(table(&["N", "M", "O"], &rows), "N    M      O\na    long   x\nbb   c\n");
    }
}
