//! One look at a container: a command, an HTTP request, a connection.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::{Container, GRPCAction, HTTPGetAction, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kpkg_runtime::ContainerId;
use tokio::net::TcpStream;

use crate::doors::{Cri, chain};

/// The most bytes of an answer that are read; more is of no interest (the kubelet's bound).
const MAX_BODY: usize = 10 << 10;

/// What one look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Success,
    /// The container says no.
    Failure(String),
    /// Nobody knows.
    Error(String),
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        *self == Self::Success
    }
}

/// Looks once.
pub(crate) async fn check(
    cri: &dyn Cri,
    pod: &Pod,
    container: &Container,
    id: &ContainerId,
    probe: &Probe,
    ip: Option<IpAddr>,
    timeout: Duration,
) -> Answer {
    if let Some(exec) = &probe.exec {
        let command = exec.command.clone().unwrap_or_default();
        return command_answer(cri, id, &command, timeout).await;
    }
    let look = async {
        if let Some(get) = &probe.http_get {
            return http_get(container, get, ip, pod).await;
        }
        if let Some(socket) = &probe.tcp_socket {
            let Some(port) = numeric_port(container, &socket.port) else { return unknown_port(&socket.port) };
            let host = socket.host.clone().or_else(|| ip.map(|it| it.to_string())).unwrap_or_default();
            return match connect(&host, port).await {
                Ok(_) => Answer::Success,
                Err(error) => Answer::Failure(format!("dial tcp {host}:{port}: {}", go_words(&error))),
            };
        }
        if let Some(grpc) = &probe.grpc {
            return grpc_health(grpc, ip).await;
        }
        Answer::Error("missing probe handler".to_owned())
    };
    match tokio::time::timeout(timeout, look).await {
        Ok(answer) => answer,
        Err(_) if probe.http_get.is_some() => {
            Answer::Failure("context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned())
        }
        Err(_) => Answer::Failure("dial tcp: i/o timeout".to_owned()),
    }
}

async fn command_answer(cri: &dyn Cri, id: &ContainerId, command: &[String], timeout: Duration) -> Answer {
    match cri.exec_sync(id, command, timeout).await {
        Ok(result) if result.exit_code == 0 => Answer::Success,
        Ok(result) => {
            let output = [result.stdout, result.stderr].concat();
            Answer::Failure(String::from_utf8_lossy(&output).into_owned())
        }
        Err(error) if error.to_string().contains("timed out") => {
            Answer::Failure(format!("command timed out: {:?} timed out after {}s", command.join(" "), timeout.as_secs()))
        }
        Err(error) => Answer::Error(chain(&error)),
    }
}

/// A port by number or by the container's name for it.
pub(crate) fn numeric_port(container: &Container, port: &IntOrString) -> Option<u16> {
    match port {
        IntOrString::Int(number) => u16::try_from(*number).ok().filter(|it| *it > 0),
        IntOrString::String(name) => name.parse().ok().or_else(|| {
            let found = container.ports.iter().flatten().find(|it| it.name.as_deref() == Some(name));
            found.and_then(|it| u16::try_from(it.container_port).ok())
        }),
    }
}

fn unknown_port(port: &IntOrString) -> Answer {
    let name = match port {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(name) => name.clone(),
    };
    Answer::Error(format!("couldn't find port: {name}"))
}

async fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((host, port)).await
}

/// The system's errors in Go's words, which users know from events.
fn go_words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        std::io::ErrorKind::HostUnreachable => "connect: no route to host".to_owned(),
        std::io::ErrorKind::NetworkUnreachable => "connect: network is unreachable".to_owned(),
        _ => error.to_string(),
    }
}

/// An HTTP request as the kubelet makes it: any answer from 200 to 399 is good.
///
/// Redirects are not followed: a container must not send its node's kubelet elsewhere.
pub(crate) async fn http_get(container: &Container, get: &HTTPGetAction, ip: Option<IpAddr>, _pod: &Pod) -> Answer {
    let Some(port) = numeric_port(container, &get.port) else { return unknown_port(&get.port) };
    let host = get.host.clone().filter(|it| !it.is_empty()).or_else(|| ip.map(|it| it.to_string())).unwrap_or_default();
    let path = match get.path.as_deref().unwrap_or("/") {
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    let https = get.scheme.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("https"));
    let url = format!("{}://{host}:{port}{path}", if https { "https" } else { "http" });
    let fail = |error: String| Answer::Failure(format!("Get {url:?}: {error}"));
    let stream = match connect(&host, port).await {
        Ok(stream) => stream,
        Err(error) => return fail(format!("dial tcp {host}:{port}: {}", go_words(&error))),
    };
    let Ok(uri) = path.parse::<Uri>() else { return Answer::Error(format!("invalid path {path:?}")) };
    let mut request = Request::builder().uri(uri).header("host", format!("{host}:{port}")).header("connection", "close");
    let headers = get.http_headers.as_deref().unwrap_or_default();
    let given = |name: &str| headers.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    if !given("user-agent") {
        request = request.header("user-agent", "kube-probe/1.37");
    }
    if !given("accept") {
        request = request.header("accept", "*/*");
    }
    for header in headers {
        if header.name.eq_ignore_ascii_case("host") {
            if let (Some(map), Ok(value)) = (request.headers_mut(), header.value.parse()) {
                map.insert("host", value);
            }
        } else {
            request = request.header(&header.name, &header.value);
        }
    }
    let Ok(request) = request.body(Empty::<Bytes>::new()) else { return Answer::Error("invalid headers".to_owned()) };
    let sent = if https {
        match crate::probe_tls::connect(stream, &host).await {
            Ok(stream) => send(TokioIo::new(stream), request).await,
            Err(error) => Err(error.to_string()),
        }
    } else {
        send(TokioIo::new(stream), request).await
    };
    match sent {
        Ok(code) if (200..400).contains(&code) => Answer::Success,
        Ok(code) => Answer::Failure(format!("HTTP probe failed with statuscode: {code}")),
        Err(error) => fail(error),
    }
}

async fn send<T>(io: T, request: Request<Empty<Bytes>>) -> Result<u16, String>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(|error| chain(&error));
    let code = match answer {
        Ok(answer) => {
            let code = answer.status().as_u16();
            // Some servers mind a client that leaves before the body.
            let _ = Limited::new(answer.into_body(), MAX_BODY).collect().await;
            Ok(code)
        }
        Err(error) => Err(error),
    };
    driver.abort();
    code
}

/// The gRPC health protocol (`grpc.health.v1.Health/Check`): serving or not.
async fn grpc_health(grpc: &GRPCAction, ip: Option<IpAddr>) -> Answer {
    let host = ip.map(|it| it.to_string()).unwrap_or_default();
    let Ok(port) = u16::try_from(grpc.port) else { return Answer::Error("invalid port".to_owned()) };
    match grpc_check(&host, port, grpc.service.as_deref().unwrap_or_default()).await {
        Ok(1) => Answer::Success,
        Ok(status) => Answer::Failure(format!("service unhealthy (responded with {status})")),
        Err(error) => Answer::Failure(error),
    }
}

async fn grpc_check(host: &str, port: u16, service: &str) -> Result<u8, String> {
    use http_body_util::Full;
    let stream = connect(host, port).await.map_err(|_| format!("timeout: failed to connect service \"{host}:{port}\""))?;
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    // HealthCheckRequest { service = 1 }, behind gRPC's five bytes of frame.
    let length = u8::try_from(service.len()).map_err(|_| "the service's name is too long".to_owned())?;
    let message = if service.is_empty() { Vec::new() } else { [&[0x0a, length][..], service.as_bytes()].concat() };
    let size = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
    let body = [&[0][..], &size, &message].concat();
    let request = Request::post(format!("http://{host}:{port}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let body = Limited::new(answer.into_body(), MAX_BODY).collect().await.map_err(|error| error.to_string())?.to_bytes();
    driver.abort();
    // HealthCheckResponse { status = 1 }: a varint; absent is UNKNOWN.
    match body.get(5..) {
        Some([0x08, status, ..]) => Ok(*status),
        _ => Ok(0),
    }
}
