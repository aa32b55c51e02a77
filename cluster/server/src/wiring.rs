//! The whole cluster in one process: what is started, in which order, with what.
//!
//! ```text
//! store -> API server -> port           nothing works without these; they fail the start
//!            |  \
//!            |   in-process clients -> network rules, DNS, kubelet      on the main runtime
//!            |                      -> controllers, scheduler           on a thread of their own
//!            +-> kubelet (logs, exec, attach, port-forward)             over an in-memory pipe
//! ```

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::Router;
use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Node};
use kpkg_apiserver::{ApiServer, Identity};
use kpkg_kubelet::{Kubelet, KubeletConfig};
use kpkg_network::{NetworkConfig, PodNetwork, nth_address};
use kpkg_runtime::Runtime;
use kpkg_store::{Embedded, Options, Store};
use kube::{Api, runtime::wait::await_condition};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Layout, Settings, compaction, kubeconfig, machine,
    notify::{Notice, Notifier},
    pki::{Names, Pki},
    process::Lock,
    serve::{self, Listener, LocalNode},
    status,
    stop::{network_config, runtime_config},
    supervisor::{Lane, Supervisor},
};

/// The address under which the node is known: the machine's, or its end of the pod network where
/// the machine has no way out.
pub(crate) fn node_address(settings: &Settings) -> IpAddr {
    let gateway = || nth_address(settings.pod_cidr, 1).unwrap_or(settings.pod_cidr.network());
    machine::address().unwrap_or_else(gateway)
}

/// Runs the cluster until `shutdown` is cancelled. Whoever started this process is told each step,
/// and when the node is ready.
pub async fn run(layout: Layout, settings: Settings, shutdown: CancellationToken) -> Result<(), Error> {
    let notifier = Notifier::from_env();
    let ran = serve_until(&layout, &settings, &notifier, shutdown).await;
    if let Err(error) = &ran {
        notifier.tell(&Notice::Failed { error: chain(error), hint: error.hint() });
    }
    ran
}

/// Tells whoever started this process that it gave up before [`run`].
pub fn report_failure(error: &Error) {
    Notifier::from_env().tell(&Notice::Failed { error: chain(error), hint: error.hint() });
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

async fn serve_until(
    layout: &Layout,
    settings: &Settings,
    notifier: &Notifier,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (begun, started) = (Instant::now(), Timestamp::now());
    let _lock = Lock::take(layout)?;
    notifier.tell(&Notice::Status("opening the store".to_owned()));
    let ground = Ground::open(layout, settings).await?;
    notifier.tell(&Notice::Status("bringing up network and containers".to_owned()));
    let lane = Lane::new("controllers")?;
    let mut supervisor = Supervisor::default();
    let up = async {
        let floor = Floor::open(layout, settings).await?;
        start_components(&mut supervisor, &ground, &floor, &lane, layout, settings);
        notifier.tell(&Notice::Status("waiting for the node".to_owned()));
        wait_for_node(&ground, &settings.node_name, started).await
    };
    let up = tokio::select! {
        up = up => up,
        () = shutdown.cancelled() => Ok(()),
    };
    if up.is_ok() && !shutdown.is_cancelled() {
        tracing::info!(elapsed = ?begun.elapsed(), "the cluster is ready");
        notifier.tell(&Notice::Ready);
        shutdown.cancelled().await;
    }
    notifier.tell(&Notice::Stopping);
    supervisor.stop().await;
    drop(lane);
    ground.close().await;
    tracing::info!("stopped");
    up
}

// === what everything stands on ===

/// Store, certificates and API server.
struct Ground {
    store: Arc<Embedded>,
    pki: Pki,
    api: Arc<ApiServer>,
    node: LocalNode,
    listener: Arc<Listener>,
}

impl Ground {
    async fn open(layout: &Layout, settings: &Settings) -> Result<Self, Error> {
        let address = node_address(settings);
        let names = Names {
            node_name: settings.node_name.clone(),
            addresses: vec![address],
            service_cidr: settings.service_cidr,
            domain: "cluster.local".to_owned(),
        };
        let (pki_layout, name) = (layout.clone(), settings.name.clone());
        let dir = layout.store();
        let (pki, store) = tokio::join!(
            blocking(move || Pki::open(&pki_layout, &name, &names)),
            blocking(move || Ok(Embedded::open(dir, Options::default())?)),
        );
        let (pki, store) = (pki?, Arc::new(store?));
        let listener = Arc::new(serve::bind(settings.api_port, &pki).await?);
        kubeconfig::write(layout, &kubeconfig::Entries::new(settings, &pki))?;
        let node = LocalNode::new(&settings.node_name);
        let mut config = kpkg_apiserver::Config::new(pki.service_account_key.clone());
        config.service_cidr = settings.service_cidr.to_string().parse().map_err(|_| Error::BadFile {
            path: layout.settings(),
            detail: format!("{} is no range for services", settings.service_cidr),
        })?;
        config.advertise = Some((address, settings.api_port).into());
        let api = ApiServer::new(store.clone(), config, Arc::new(node.clone()));
        api.bootstrap().await.map_err(|status| Error::Bootstrap { reason: status.message().to_owned() })?;
        Ok(Self { store, pki, api, node, listener })
    }

    /// A client for a component. Must be called on the runtime that the component runs on.
    fn client(&self, user: &str) -> kube::Client {
        serve::client(self.api.router(), Identity::master(user))
    }

    /// The same, to be made later and elsewhere.
    fn clients(&self, user: &'static str) -> impl Fn() -> kube::Client + Send + Sync + 'static {
        let router: Router = self.api.router();
        move || serve::client(router.clone(), Identity::master(user))
    }

    async fn close(self) {
        let store = self.store;
        let _ = blocking(move || {
            store.close();
            Ok(())
        })
        .await;
    }
}

/// Pod network and container runtime.
struct Floor {
    network_config: NetworkConfig,
    network: Arc<PodNetwork>,
    runtime: Arc<Runtime>,
}

impl Floor {
    async fn open(layout: &Layout, settings: &Settings) -> Result<Self, Error> {
        let network_config = network_config(layout, settings)?;
        let (network, runtime) =
            tokio::join!(PodNetwork::open(network_config.clone()), Runtime::open(runtime_config(layout, settings)?),);
        Ok(Self { network_config, network: network?, runtime: runtime? })
    }
}

// === what runs on it ===

fn start_components(
    supervisor: &mut Supervisor,
    ground: &Ground,
    floor: &Floor,
    lane: &Lane,
    layout: &Layout,
    settings: &Settings,
) {
    let main = Handle::current();
    let (store, listener, router) = (ground.store.clone(), ground.listener.clone(), ground.api.router());
    supervisor.start("compaction", &main, move |token| {
        let store: Arc<dyn Store> = store.clone();
        compaction::run(store, token)
    });
    supervisor.start("port", &main, move |token| {
        let (listener, router) = (listener.clone(), router.clone());
        async move {
            listener.run(router, token).await;
            Ok::<_, Error>(())
        }
    });
    start_network(supervisor, ground, floor, &main);
    start_kubelet(supervisor, ground, floor, layout, settings, &main);
    let (client, config) = (
        ground.clients("system:kube-controller-manager"),
        kpkg_controllers::Config::new(&ground.pki.ca, layout.volumes()),
    );
    supervisor.start("controllers", lane.handle(), move |token| kpkg_controllers::run(client(), config.clone(), token));
    let client = ground.clients("system:kube-scheduler");
    supervisor.start("scheduler", lane.handle(), move |token| {
        kpkg_scheduler::run(client(), kpkg_scheduler::Config::default(), token)
    });
}

fn start_network(supervisor: &mut Supervisor, ground: &Ground, floor: &Floor, main: &Handle) {
    let (client, config) = (ground.clients("system:kube-proxy"), floor.network_config.clone());
    supervisor.start("services", main, move |token| kpkg_network::proxy::run(client(), config.clone(), token));
    let (client, config) = (ground.clients("system:coredns"), floor.network_config.clone());
    supervisor.start("dns", main, move |token| {
        kpkg_network::dns::run(client(), config.clone(), kpkg_network::dns::Upstream::default(), token)
    });
}

fn start_kubelet(
    supervisor: &mut Supervisor,
    ground: &Ground,
    floor: &Floor,
    layout: &Layout,
    settings: &Settings,
    main: &Handle,
) {
    let network = &floor.network_config;
    let mut config = KubeletConfig::new(&settings.node_name, layout.kubelet(), network.node_ip, network.dns_ip);
    config.cgroup_root = settings.cgroup();
    config.pod_cidr = Some(settings.pod_cidr.to_string());
    let client = ground.client(&format!("system:node:{}", settings.node_name));
    let kubelet = Kubelet::new(client, config, floor.runtime.clone(), floor.network.clone());
    ground.node.connect(kubelet.router());
    supervisor.start("kubelet", main, move |token| {
        let kubelet = kubelet.clone();
        async move {
            kubelet.run(token).await;
            Ok::<_, Error>(())
        }
    });
}

/// Resolves when the kubelet of this process is at work and its node ready. What the node says of
/// itself may stem from the server before; the lease is renewed only by a living kubelet.
async fn wait_for_node(ground: &Ground, name: &str, begun: Timestamp) -> Result<(), Error> {
    let client = ground.client("system:kpkg");
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let renewed = move |lease: Option<&Lease>| {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        spec.and_then(|spec| spec.renew_time.as_ref()).is_some_and(|time| time.0 >= begun)
    };
    let ready = |node: Option<&Node>| node.is_some_and(status::node_ready);
    // The watchers behind these retry by themselves.
    while let Err(error) = await_condition(leases.clone(), name, renewed).await {
        tracing::warn!(%error, "cannot watch the node's lease");
    }
    let nodes: Api<Node> = Api::all(client);
    while let Err(error) = await_condition(nodes.clone(), name, ready).await {
        tracing::warn!(%error, "cannot watch the node");
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::system("finish a step")(error.into())),
    }
}
