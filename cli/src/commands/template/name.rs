//! The release's name: given, by a template, or Helm's stand-in.

use anyhow::{Context, Result, bail};
use kpkg_chart::Ambient;
use kpkg_template::{Limits, NoHost, Renderer, Templates, Value, with_stack};

use super::Args;

/// What `helm template` calls a release without a name.
const STAND_IN: &str = "release-name";

/// The release's name, and what names the chart.
pub(super) fn of<'a>(args: &'a Args, ambient: &Ambient) -> Result<(String, &'a str)> {
    let (name, reference) = match args.names.as_slice() {
        [_, _] if args.generate_name => bail!("cannot set --generate-name and also specify a name"),
        [_, _] if args.name_template.is_some() => bail!("cannot set --name-template and also specify a name"),
        [name, chart] => (name.clone(), chart),
        [chart, ..] => match &args.name_template {
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

fn from_template(text: &str, ambient: &Ambient) -> Result<String> {
    let templates = Templates::parse([("name-template", text)]).map_err(|(_, error)| error)?;
    let name = with_stack(|| {
        Renderer::new(&templates, &NoHost, ambient, Limits::default()).render("name-template", &Value::Nil)
    })??;
    String::from_utf8(name).context("the name that `--name-template` makes is not text")
}

/// The first address of a host, for `getHostByName`; empty if there is none.
pub(super) fn resolve_host(host: &str) -> String {
    use std::net::ToSocketAddrs;
    let found = (host, 0).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.map(|address| address.ip().to_string()).unwrap_or_default()
}
