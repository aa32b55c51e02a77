//! Lifecycle hooks: what runs after a container's start and before its end.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod};
use kpkg_runtime::ContainerId;

use crate::doors::{Cri, chain};
use crate::probe::{Answer, http_get, numeric_port};

/// Runs a hook to its end.
pub(super) async fn run(
    cri: &dyn Cri,
    pod: &Pod,
    container: &Container,
    id: &ContainerId,
    hook: &LifecycleHandler,
    ip: Option<IpAddr>,
    limit: Duration,
) -> Result<(), String> {
    if let Some(exec) = &hook.exec {
        let command = exec.command.clone().unwrap_or_default();
        return match cri.exec_sync(id, &command, limit).await {
            Ok(result) if result.exit_code == 0 => Ok(()),
            Ok(result) => Err(format!(
                "command '{}' exited with {}: {}, message: {:?}",
                command.join(" "),
                result.exit_code,
                String::from_utf8_lossy(&result.stderr),
                String::from_utf8_lossy(&[result.stdout, result.stderr.clone()].concat())
            )),
            Err(error) => Err(chain(&error)),
        };
    }
    if let Some(sleep) = &hook.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)).min(limit)).await;
        return Ok(());
    }
    if let Some(get) = &hook.http_get {
        return match tokio::time::timeout(limit, http_get(container, get, ip, pod)).await {
            Ok(Answer::Success) => Ok(()),
            Ok(Answer::Failure(text) | Answer::Error(text)) => Err(text),
            Err(_) => Err("the hook took too long".to_owned()),
        };
    }
    if let Some(socket) = &hook.tcp_socket {
        let port = numeric_port(container, &socket.port).ok_or("couldn't find port")?;
        let host = socket.host.clone().or_else(|| ip.map(|it| it.to_string())).unwrap_or_default();
        return tokio::net::TcpStream::connect((host.as_str(), port)).await.map(drop).map_err(|error| error.to_string());
    }
    Err("invalid handler".to_owned())
}
