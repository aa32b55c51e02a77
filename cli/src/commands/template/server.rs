//! `--dry-run=server`: rendering and checking against a cluster.

use anyhow::Result;
use kpkg_chart::{Ambient, Chart, ReleaseInfo, Rendered, Values};
use kpkg_release::store::Driver;
use kpkg_release::{Cluster, History, draft, operation, prepare};

use super::Args;
use crate::{options, render};

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
        let resolver = args.enable_dns.then_some(crate::naming::resolve_host as fn(&str) -> String);
        let rendered = render::against_with(&cluster, chart, values, &release, resolver, ambient).await?;
        let scope = |version: &str, kind: &str| cluster.is_namespaced(version, kind);
        let prepared = prepare::prepare(chart, values, &rendered, &release, &scope, args.include_crds)?;
        // What is there already is no matter: the plan is made as for a new release, and only rehearsed.
        let history = History::none(&release.name, &release.namespace);
        let settings = options::plain(Driver::Secret);
        operation::plan(&cluster, draft::install(prepared, &history, &settings)?, &history, &settings).await?;
        Ok(rendered)
    })
}
