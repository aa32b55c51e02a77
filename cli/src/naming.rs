//! Names: of releases by a template, of hosts by DNS.

use std::rc::Rc;

use anyhow::{Context, Result};
use kpkg_chart::Ambient;
use kpkg_template::{Limits, NoHost, Renderer, Templates, Value, with_stack};

/// The release's name that a template makes, such as `app-{{ randAlpha 5 | lower }}`.
pub(crate) fn from_template(text: &str, ambient: &Ambient) -> Result<String> {
    let templates = Templates::parse([("name-template", text.to_owned())]).map_err(|(_, error)| error)?;
    let name = with_stack(|| {
        Renderer::new(&templates, Rc::new(NoHost), ambient, Limits::default()).render("name-template", &Value::Nil)
    })
    .map_err(|error| anyhow::Error::msg(kpkg_template::helm_text("name-template", &error)))?;
    String::from_utf8(name).context("the name that `--name-template` makes is not text")
}

/// The first address of a host, for `getHostByName`; empty if there is none.
pub(crate) fn resolve_host(host: &str) -> String {
    use std::net::ToSocketAddrs;
    let found = (host, 0).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.map(|address| address.ip().to_string()).unwrap_or_default()
}
