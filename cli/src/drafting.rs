//! From a chart on the command line to the draft of a release's next revision.

use anyhow::Result;
use kpkg_chart::{Ambient, Chart, Clock, ClusterFacts, ReleaseInfo, values};
use kpkg_release::draft::{self, Draft};
use kpkg_release::record::Status;
use kpkg_release::sealed::Sealed;
use kpkg_release::values::{Reuse, reuse};
use kpkg_release::{History, Prepared, Settings, prepare};
use kpkg_secrets::Recipient;
use kpkg_secrets::sops::Opened;

use crate::failure::Hint;
use crate::options::ChangeArgs;
use crate::overlay::OverlayArgs;
use crate::printer::Printer;
use crate::provenance::Run;
use crate::publish::ChartArgs;
use crate::render::{self, ValuesArgs};
use crate::session::Session;

/// What a revision is drafted for.
#[derive(Clone, Copy)]
pub(crate) enum Ground<'a> {
    /// A cluster, which is asked what it has.
    Cluster(&'a Session),
    /// None, but a namespace: no revision went before, templates see the versions that they see without a cluster, and
    /// `lookup` finds nothing.
    Nowhere { namespace: &'a str },
}

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

/// Renders a chart and drafts the next revision.
pub(crate) async fn draft(
    ground: Ground<'_>,
    request: Request<'_>,
    settings: &Settings,
    printer: &Printer,
) -> Result<Drafted> {
    let (history, namespace) = match ground {
        Ground::Cluster(session) => (session.history(request.name).await?, session.namespace.as_str()),
        Ground::Nowhere { namespace } => (History::none(request.name, namespace), namespace),
    };
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
        namespace: namespace.to_owned(),
        revision: standing.map_or_else(|| history.next_revision(), |it| it.version),
        is_upgrade: request.upgrade.is_some(),
    };
    let rendering = &request.change.rendering;
    let rendered = match ground {
        Ground::Cluster(session) => {
            render::against(&session.cluster, &chart, &values, &release, rendering.resolver()).await?
        }
        Ground::Nowhere { .. } => render::alone(&chart, &values, &release, rendering.resolver())?,
    };
    let rendered = request.overlay.apply(request.source.pin(rendered)?, printer)?;
    let rendered = rendering.finish(rendered)?;
    if request.values.strict_values {
        let inputs = request.values.inputs()?;
        let facts = match ground {
            Ground::Cluster(session) => prepare::facts(&session.cluster),
            Ground::Nowhere { .. } => ClusterFacts::default(),
        };
        let ambient = Ambient::new(rand::random(), Clock::system());
        let run = Run { values: &values, inputs: &inputs, release: &release, facts: &facts, ambient: &ambient };
        run.check_values()?;
    }
    let with_crds = !request.change.skip_crds;
    let scope = |version: &str, kind: &str| match ground {
        Ground::Cluster(session) => session.cluster.is_namespaced(version, kind),
        Ground::Nowhere { .. } => None,
    };
    let prepared: Prepared = prepare::prepare(&chart, &values, &rendered, &release, &scope, with_crds)?;
    let mut draft = match request.upgrade {
        Some(_) => draft::upgrade(prepared, &history, settings)?,
        None => draft::install(prepared, &history, settings)?,
    };
    let before = request.upgrade.and_then(|_| history.upgrade_base().ok()?.sealed.as_ref());
    if request.change.hide_values || before.is_some() {
        hide(&mut draft, &request.values.sealed()?, before)?;
    }
    Ok(Drafted { draft, history, chart })
}

/// Hides the values of sealed files, and those that the revision before hides.
fn hide(draft: &mut Draft, files: &[Opened], before: Option<&Sealed>) -> Result<()> {
    let mut secrets: Vec<String> = files.iter().flat_map(|it| it.secrets.iter().cloned()).collect();
    let mut recipients: Vec<Recipient> = files.iter().flat_map(|it| it.recipients.iter().copied()).collect();
    if let Some(before) = before {
        secrets.extend(before.secrets().iter().cloned());
        let known = before.recipients.iter().map(|it| it.parse()).collect::<Result<Vec<Recipient>, _>>()?;
        recipients.extend(known.into_iter().filter(|_| files.is_empty()));
    }
    if recipients.is_empty() {
        let hint = Hint("give a values file that sops sealed: the record is sealed for the keys of that".to_owned());
        return Err(anyhow::Error::new(hint).context("`--hide-values` needs a sealed values file"));
    }
    secrets.sort();
    secrets.dedup();
    recipients.sort_by_key(ToString::to_string);
    recipients.dedup();
    Ok(draft.release.hide(&secrets, &recipients)?)
}
