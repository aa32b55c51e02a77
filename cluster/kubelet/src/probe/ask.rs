//! Puts one question to a container.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Container, HTTPGetAction, Pod, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kpkg_runtime::{ContainerId, RuntimeError};
use tokio::net::TcpStream;

use super::{
    grpc,
    http::{self, HttpQuestion},
};
use crate::doors::{Cri, chain};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// Counts as success, but somebody should know.
    Warning(String),
    Failure(String),
    /// The question could not be put; counts as failure.
    Unknown(String),
}

impl Outcome {
    pub(crate) fn is_success(&self) -> bool {
        matches!(self, Self::Success | Self::Warning(_))
    }
}

/// Longest piece of output kept.
const OUTPUT: usize = 10 * 1024;

/// Knows how to reach a pod's containers.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) runtime: Arc<dyn Cri>,
    /// The pod's address; the node's for pods in the host's network.
    pub(crate) ip: IpAddr,
}

impl Asker {
    pub(super) async fn ask(&self, pod: &Pod, container: &Container, id: &ContainerId, probe: &Probe) -> Outcome {
        let timeout = Duration::from_secs(
            probe.timeout_seconds.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(1),
        );
        if let Some(exec) = &probe.exec {
            let command = crate::env::expand_probe_command(exec.command.as_deref().unwrap_or_default(), container);
            return self.exec(id, &command, timeout).await;
        }
        if let Some(get) = &probe.http_get {
            return match question(get, container, self.ip) {
                Ok(question) => http_get(&question, timeout).await,
                Err(text) => Outcome::Unknown(text),
            };
        }
        if let Some(tcp) = &probe.tcp_socket {
            return match port(&tcp.port, container) {
                Ok(port) => tcp_connect(tcp.host.as_deref(), self.ip, port, timeout).await,
                Err(text) => Outcome::Unknown(text),
            };
        }
        if let Some(grpc) = &probe.grpc {
            let Ok(port) = u16::try_from(grpc.port) else {
                return Outcome::Unknown(format!("invalid port number: {}", grpc.port));
            };
            return grpc::check(SocketAddr::new(self.ip, port), grpc.service.as_deref().unwrap_or_default(), timeout)
                .await;
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        Outcome::Unknown(format!("missing probe handler for {name}:{}", container.name))
    }

    async fn exec(&self, id: &ContainerId, command: &[String], timeout: Duration) -> Outcome {
        match self.runtime.exec_sync(id, command, timeout).await {
            Ok(result) if result.exit_code == 0 => Outcome::Success,
            Ok(result) => {
                let mut output = result.stdout;
                output.extend(result.stderr);
                output.truncate(OUTPUT);
                Outcome::Failure(String::from_utf8_lossy(&output).into_owned())
            }
            Err(RuntimeError::ExecTimeout { .. }) => Outcome::Failure(format!(
                "command timed out: {:?} timed out after {}",
                command.join(" "),
                crate::pods::backoff::go_duration(timeout)
            )),
            Err(error) => Outcome::Unknown(chain(&error)),
        }
    }
}

/// The request that an `httpGet` describes.
pub(crate) fn question(get: &HTTPGetAction, container: &Container, ip: IpAddr) -> Result<HttpQuestion, String> {
    let host = get.host.as_deref().filter(|host| !host.is_empty()).map_or_else(|| ip.to_string(), str::to_owned);
    Ok(HttpQuestion {
        https: get.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
        host,
        port: port(&get.port, container)?,
        path: get.path.clone().filter(|path| !path.is_empty()).unwrap_or_else(|| "/".to_owned()),
        headers: get.http_headers.iter().flatten().map(|header| (header.name.clone(), header.value.clone())).collect(),
    })
}

/// A port by number or by the container's name for it.
pub(crate) fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            match container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(name)) {
                Some(port) => port.container_port,
                None => name.parse().map_err(|_| format!("couldn't find port by name {name:?}"))?,
            }
        }
    };
    u16::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| format!("invalid port number: {number}"))
}

/// Asks by HTTP.
pub(crate) async fn http_get(question: &HttpQuestion, timeout: Duration) -> Outcome {
    match http::get(question, timeout).await {
        Ok(answer) if (200..300).contains(&answer.status) => Outcome::Success,
        Ok(answer) if (300..400).contains(&answer.status) => {
            Outcome::Warning(format!("Probe terminated redirects, Response body: {}", answer.body))
        }
        Ok(answer) => Outcome::Failure(format!("HTTP probe failed with statuscode: {}", answer.status)),
        Err(text) => Outcome::Failure(text),
    }
}

/// Asks by opening a connection.
pub(crate) async fn tcp_connect(host: Option<&str>, ip: IpAddr, port: u16, timeout: Duration) -> Outcome {
    let host = host.filter(|host| !host.is_empty()).map_or_else(|| ip.to_string(), str::to_owned);
    match connect(&host, port, timeout).await {
        Ok(_) => Outcome::Success,
        Err(text) => Outcome::Failure(text),
    }
}

/// Connects; the error reads as Go's.
pub(super) async fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, String> {
    let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    match tokio::time::timeout(timeout, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(error)) => Err(format!("dial tcp {shown}: connect: {}", errno_text(&error))),
        Err(_) => Err(format!("dial tcp {shown}: i/o timeout")),
    }
}

fn errno_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_lowercase()
}
