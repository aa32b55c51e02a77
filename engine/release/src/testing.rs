//! Runs the tests of a release: its hooks of the event `test`.

use crate::apply::{Applied, Executor};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::history::History;
use crate::hooks;
use crate::lease::{Holder, Lease};
use crate::object::ObjectId;
use crate::operation::Settings;
use crate::plan::{self, Desired, Method, Phase, PhaseKind};
use crate::progress::Progress;
use crate::record::Release;
use crate::store::RecordStore;

/// What came of a test run.
#[derive(Debug)]
pub struct Tested {
    /// The release with how its tests went.
    pub release: Release,
    /// The objects of the tests that ran.
    pub objects: Vec<ObjectId>,
    /// The first failure.
    pub outcome: Result<()>,
}

/// Which tests run, by name: those included, if any are, without those excluded.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only these.
    pub include: Vec<String>,
    /// Not these.
    pub exclude: Vec<String>,
}

impl Filter {
    fn wants(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|it| it == name);
        (self.include.is_empty() || named(&self.include)) && !named(&self.exclude)
    }
}

/// Runs them.
pub async fn test(
    cluster: &Cluster,
    name: &str,
    namespace: &str,
    filter: &Filter,
    settings: &Settings,
    holder: &Holder,
    progress: &dyn Progress,
) -> Result<Tested> {
    let store = RecordStore::namespaced(cluster.client().clone(), namespace, settings.driver).with_keys(&settings.keys);
    History::read(&store, name, namespace).await?.existing()?;
    let lease = Lease::take(cluster.client().clone(), namespace, name, holder).await?;
    let tested = run(cluster, &store, (name, namespace), filter, settings, &lease, progress).await;
    lease.give_up().await;
    tested
}

async fn run(
    cluster: &Cluster,
    store: &RecordStore,
    (name, namespace): (&str, &str),
    filter: &Filter,
    settings: &Settings,
    lease: &Lease,
    progress: &dyn Progress,
) -> Result<Tested> {
    let history = History::read(store, name, namespace).await?;
    let mut release = history.existing()?.clone();
    let desired = Desired::from_record(&release.in_clear()?, cluster)?;
    // `test-success` is what Helm 2 called it.
    let mut steps = plan::hooks(&desired.hooks, "test");
    steps.extend(plan::hooks(&desired.hooks, "test-success"));
    steps.retain(|step| filter.wants(&step.id.name));
    let objects = steps.iter().map(|step| step.id.clone()).collect();
    let phase = Phase { kind: PhaseKind::PostHooks, barrier: false, steps };
    let method = if release.apply_method == "ssa" { Method::Server } else { Method::Client };
    let apply = crate::apply::ApplySettings { method, ..settings.apply };
    let executor = Executor {
        cluster,
        settings: apply,
        manager: crate::cluster::FIELD_MANAGER,
        progress,
        lease,
        record: (store, &release),
    };
    let mut applied = Applied::default();
    let outcome = hooks::run(&executor, &phase, &mut applied).await;
    hooks::note(&mut release, applied.hooks.iter());
    store.update(&release).await?;
    Ok(Tested { release, objects, outcome })
}
