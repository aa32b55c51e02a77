//! `--dry-run=server`: rendering and checking against a cluster.

use anyhow::Result;
use kpkg_chart::{Ambient, Chart, ReleaseInfo, Rendered, Values};
use kpkg_release::{Cluster, install, prepare};

use super::Args;
use crate::render;

/// Renders with what the cluster knows; the cluster then checks every object without storing it.
pub(super) fn render(
    args: &Args,
    chart: &Chart,
    values: &Values,
    release: ReleaseInfo,
    ambient: &Ambient,
) -> Result<Rendered> {
    crate::runtime::runtime()?.block_on(async {
        let (client, _) = args.target.connect(&args.embedded).await?;
        let cluster = Cluster::connect(client).await?;
        let rendered = render::against_with(&cluster, chart, values, &release, ambient).await?;
        let prepared = prepare::prepare(chart, values, &rendered, &release, &cluster, args.include_crds)?;
        install::rehearse(&cluster, &prepared).await?;
        Ok(rendered)
    })
}
