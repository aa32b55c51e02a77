//! The release's name: given, by a template, or Helm's stand-in.

use anyhow::{Context, Result, bail};
use kpkg_chart::Ambient;

use super::Args;
use crate::naming::from_template;

/// What `helm template` calls a release without a name.
const STAND_IN: &str = "release-name";

/// The release's name, and what names the chart.
pub(super) fn of<'a>(args: &'a Args, ambient: &Ambient) -> Result<(String, &'a str)> {
    let template = args.name_template.as_ref().filter(|template| !template.is_empty());
    let (name, reference) = match args.names.as_slice() {
        [_, _] if args.generate_name => bail!("cannot set --generate-name and also specify a name"),
        [_, _] if template.is_some() => bail!("cannot set --name-template and also specify a name"),
        [name, chart] => (name.clone(), chart),
        [chart, ..] => match template {
            Some(template) => (from_template(template, ambient)?, chart),
            None => (STAND_IN.to_owned(), chart),
        },
        [] => unreachable!("clap asks for one name at least"),
    };
    kpkg_chart::check_release_name(&name)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("release name check failed: release name {name:?}"))?;
    Ok((name, reference))
}
