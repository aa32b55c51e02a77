//! What a machine must have to run a cluster, checked before anything is made.

mod kernel;
mod resources;

use kpkg_network::ranges;

use crate::{Error, Layout, Settings, machine, registry, stop::network_config};

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is missing.
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }
}

/// Checks everything. Makes nothing.
pub(crate) async fn check(layout: &Layout, settings: &Settings) -> Result<(), Error> {
    // The other checks cannot tell without the rights.
    check_root()?;
    let mut problems = kernel::check();
    problems.extend(resources::check(layout));
    problems.extend(overlaps(layout, settings).await?);
    if !problems.is_empty() {
        return Err(Error::Preflight { problems });
    }
    machine::check_port(settings.api_port)
}

/// Checks the rights alone: what every command that changes the machine needs.
pub fn check_root() -> Result<(), Error> {
    kernel::root().map_or(Ok(()), |problem| Err(Error::Preflight { problems: vec![problem] }))
}

/// Ranges of a cluster that is not up must not be anyone else's.
async fn overlaps(layout: &Layout, settings: &Settings) -> Result<Vec<Problem>, Error> {
    let ours = [("pods", settings.pod_cidr), ("services", settings.service_cidr)];
    // The network of this cluster may have survived its server.
    let mut taken = ranges::host_ranges(Some(network_config(layout, settings)?)).await?;
    let others = registry::list()?.into_iter().filter(|other| other.data_dir != layout.root());
    taken.extend(others.flat_map(|other| [other.settings.pod_cidr, other.settings.service_cidr]));
    let hits = ours.iter().flat_map(|(what, our)| {
        taken.iter().filter(|range| kpkg_network::overlaps(*our, **range)).map(move |range| {
            let flag = if *what == "pods" { "--pod-cidr" } else { "--service-cidr" };
            Problem::new(
                format!("the range {our} for {what} overlaps {range}, which this machine uses already"),
                format!("choose another range with {flag}, for example 10.128.0.0/16"),
            )
        })
    });
    Ok(hits.collect())
}
