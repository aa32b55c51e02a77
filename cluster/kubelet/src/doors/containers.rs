//! The container runtime as the kubelet sees it.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use kpkg_runtime::{
    AttachStreams, ContainerConfig, ContainerEvent, ContainerFilter, ContainerId, ContainerStatus, ExecRequest,
    ExecResult, ExecStreams, Result, Runtime, SandboxConfig, SandboxFilter, SandboxId, SandboxStatus,
    image::{Image, ImageError, PullOptions, silent},
};
use tokio::sync::broadcast;

/// What the kubelet needs to know of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// Digest of its configuration.
    pub(crate) id: String,
    /// Its names, for the Node's list of images.
    pub(crate) names: Vec<String>,
    /// Bytes on disk.
    pub(crate) size: u64,
    /// The user its processes run as.
    pub(crate) user: String,
}

impl From<Image> for ImageFacts {
    fn from(image: Image) -> Self {
        let names = image.digests.into_iter().chain(image.tags).collect();
        Self { id: image.id, names, size: image.size, user: image.config.user }
    }
}

/// Runs pods' containers.
pub(crate) trait Cri: Send + Sync + 'static {
    fn resolve_image(&self, reference: &str) -> Result<Option<ImageFacts>, ImageError>;
    fn pull_image<'a>(
        &'a self,
        reference: &'a str,
        options: &'a PullOptions,
    ) -> BoxFuture<'a, Result<ImageFacts, ImageError>>;
    fn images(&self) -> Vec<ImageFacts>;
    fn events(&self) -> broadcast::Receiver<ContainerEvent>;
    fn run_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<SandboxId>>;
    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>>;
    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>>;
    fn sandboxes(&self, pod_uid: Option<&str>) -> Vec<SandboxStatus>;
    fn containers(&self, sandbox: &SandboxId) -> Vec<ContainerStatus>;
    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<ContainerId>>;
    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>>;
    fn stop_container<'a>(
        &'a self,
        id: &'a ContainerId,
        grace: Duration,
        signal: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>>;
    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>>;
    fn exec_sync<'a>(
        &'a self,
        id: &'a ContainerId,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ExecResult>>;
    fn exec<'a>(&'a self, id: &'a ContainerId, request: ExecRequest) -> BoxFuture<'a, Result<ExecStreams>>;
    fn attach<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<AttachStreams>>;
}

impl Cri for Arc<Runtime> {
    fn resolve_image(&self, reference: &str) -> Result<Option<ImageFacts>, ImageError> {
        Ok(Runtime::images(self).resolve(reference)?.map(Into::into))
    }

    fn pull_image<'a>(
        &'a self,
        reference: &'a str,
        options: &'a PullOptions,
    ) -> BoxFuture<'a, Result<ImageFacts, ImageError>> {
        Box::pin(async move { Ok(Runtime::images(self).pull(reference, options, &silent).await?.into()) })
    }

    fn images(&self) -> Vec<ImageFacts> {
        Runtime::images(self).list().unwrap_or_default().into_iter().map(Into::into).collect()
    }

    fn events(&self) -> broadcast::Receiver<ContainerEvent> {
        Runtime::events(self)
    }

    fn run_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<SandboxId>> {
        Box::pin(async move { self.run_pod_sandbox(config).await })
    }

    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.stop_pod_sandbox(id))
    }

    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.remove_pod_sandbox(id))
    }

    fn sandboxes(&self, pod_uid: Option<&str>) -> Vec<SandboxStatus> {
        self.list_pod_sandboxes(&SandboxFilter { pod_uid: pod_uid.map(str::to_owned), state: None })
    }

    fn containers(&self, sandbox: &SandboxId) -> Vec<ContainerStatus> {
        self.list_containers(&ContainerFilter { sandbox: Some(sandbox.clone()), state: None })
    }

    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<ContainerId>> {
        Box::pin(Runtime::create_container(self, sandbox, config))
    }

    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(Runtime::start_container(self, id))
    }

    fn stop_container<'a>(
        &'a self,
        id: &'a ContainerId,
        grace: Duration,
        signal: Option<&'a str>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(Runtime::stop_container(self, id, grace, signal))
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(Runtime::remove_container(self, id))
    }

    fn exec_sync<'a>(
        &'a self,
        id: &'a ContainerId,
        command: &'a [String],
        timeout: Duration,
    ) -> BoxFuture<'a, Result<ExecResult>> {
        Box::pin(Runtime::exec_sync(self, id, command, timeout))
    }

    fn exec<'a>(&'a self, id: &'a ContainerId, request: ExecRequest) -> BoxFuture<'a, Result<ExecStreams>> {
        Box::pin(Runtime::exec(self, id, request))
    }

    fn attach<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<AttachStreams>> {
        Box::pin(Runtime::attach(self, id))
    }
}
