//! Lifecycle hooks: `postStart` and `preStop`.

use std::{net::IpAddr, time::Duration};

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};
use kpkg_runtime::ContainerId;

use crate::{
    doors::{Cri, chain},
    env,
    probe::{Outcome, http_get, question, tcp_connect},
};

/// Time that a hook by network has, when nothing else limits it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Runs a hook; the error is the text for the event.
pub(super) async fn run(
    runtime: &dyn Cri,
    handler: &LifecycleHandler,
    container: &Container,
    id: &ContainerId,
    ip: IpAddr,
) -> Result<(), String> {
    if let Some(exec) = &handler.exec {
        let command = env::expand_all(exec.command.as_deref(), &[]);
        return match runtime.exec_sync(id, &command, Duration::ZERO).await {
            Ok(result) if result.exit_code == 0 => Ok(()),
            Ok(result) => {
                let output = [result.stdout, result.stderr].concat();
                let output = String::from_utf8_lossy(&output).into_owned();
                Err(format!("command '{}' exited with {}: {output}", command.join(" "), result.exit_code))
            }
            Err(error) => Err(chain(&error)),
        };
    }
    if let Some(get) = &handler.http_get {
        return answered(http_get(&question(get, container, ip)?, TIMEOUT).await);
    }
    if let Some(tcp) = &handler.tcp_socket {
        let port = crate::probe::port(&tcp.port, container)?;
        return answered(tcp_connect(tcp.host.as_deref(), ip, port, TIMEOUT).await);
    }
    if let Some(sleep) = &handler.sleep {
        tokio::time::sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0))).await;
    }
    Ok(())
}

fn answered(outcome: Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Success | Outcome::Warning(_) => Ok(()),
        Outcome::Failure(text) | Outcome::Unknown(text) => Err(text),
    }
}
