//! From a chart on the command line to the draft of a release's next revision.

use anyhow::Result;
use kpkg_chart::{Ambient, Chart, ReleaseInfo, values};
use kpkg_release::draft::{self, Draft};
use kpkg_release::record::Status;
use kpkg_release::values::{Reuse, reuse};
use kpkg_release::{History, Prepared, Settings, prepare};

use crate::options::ChangeArgs;
use crate::overlay::OverlayArgs;
use crate::printer::Printer;
use crate::provenance::Run;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};
use crate::session::Session;

/// What a revision is made from.
pub(crate) struct Request<'a> {
    /// The release.
    pub(crate) name: &'a str,
    /// The chart.
    pub(crate) chart: Chart,
    /// Where the chart is from, and the lock that pins its images.
    pub(crate) source: &'a ChartArgs,
    /// The values that the user gives.
    pub(crate) values: &'a ValuesArgs,
    /// The kustomization on top of it.
    pub(crate) overlay: &'a OverlayArgs,
    /// The flags.
    pub(crate) change: &'a ChangeArgs,
    /// Whether it upgrades, and what becomes of the values of before; none: an installation.
    pub(crate) upgrade: Option<Reuse>,
}

/// A draft with what it was made from.
pub(crate) struct Drafted {
    /// The draft.
    pub(crate) draft: Draft,
    /// The revisions before it.
    pub(crate) history: History,
    /// The chart.
    pub(crate) chart: Chart,
}

/// Renders a chart against the cluster and drafts the next revision.
pub(crate) async fn draft(
    session: &Session,
    request: Request<'_>,
    settings: &Settings,
    printer: &Printer,
) -> Result<Drafted> {
    let history = session.history(request.name).await?;
    let mut chart = request.chart;
    let given = values::supplied(&request.values.inputs()?)?;
    let given = match request.upgrade {
        Some(how) => reuse(given, history.upgrade_base()?, how, &mut chart)?,
        None => given,
    };
    let checks = values::Checks { schema: !request.change.skip_schema_validation };
    let values = values::merge_with(&chart, &[values::Input::Map(given)], checks)?;
    // Installing what stands already is a question, not a change: it is rendered as it was.
    let standing = history.newest().filter(|it| request.upgrade.is_none() && it.info.status == Status::Deployed);
    let release = ReleaseInfo {
        name: request.name.to_owned(),
        namespace: session.namespace.clone(),
        revision: standing.map_or_else(|| history.next_revision(), |it| it.version),
        is_upgrade: request.upgrade.is_some(),
    };
    let rendered = request.source.pin(render::against(&session.cluster, &chart, &values, &release).await?)?;
    let rendered = request.overlay.apply(rendered, printer)?;
    if request.values.strict_values {
        let (inputs, facts) = (request.values.inputs()?, prepare::facts(&session.cluster));
        let ambient = Ambient::new(rand::random(), jiff::Zoned::now());
        let run = Run { values: &values, inputs: &inputs, release: &release, facts: &facts, ambient: &ambient };
        run.check_values()?;
    }
    let with_crds = !request.change.skip_crds;
    let prepared: Prepared = prepare::prepare(&chart, &values, &rendered, &release, &session.cluster, with_crds)?;
    let draft = match request.upgrade {
        Some(_) => draft::upgrade(prepared, &history, settings)?,
        None => draft::install(prepared, &history, settings)?,
    };
    Ok(Drafted { draft, history, chart })
}
