//! A small HTTP client for probes and hooks: HTTP/1.1, certificates not checked, redirects within the host followed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ask::connect;

/// Most of a body that is read.
const BODY: usize = 10 * 1024;
const REDIRECTS: usize = 10;

/// One GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpQuestion {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl HttpQuestion {
    fn url(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Where a redirect leads, if it stays on the host.
    fn redirected(&self, location: &str) -> Option<Self> {
        let mut next = self.clone();
        if location.starts_with('/') {
            location.clone_into(&mut next.path);
            return Some(next);
        }
        let uri: http::Uri = location.parse().ok()?;
        if uri.host()? != self.host {
            return None;
        }
        next.https = uri.scheme_str() == Some("https");
        next.port = uri.port_u16().unwrap_or(if next.https { 443 } else { 80 });
        next.path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(next)
    }
}

/// Asks, following redirects within the host; the error reads as Go's.
pub(super) async fn get(question: &HttpQuestion, timeout: Duration) -> Result<Answer, String> {
    let failure = |text: String| format!("Get \"{}\": {text}", question.url());
    match tokio::time::timeout(timeout, follow(question, timeout)).await {
        Ok(result) => result.map_err(failure),
        Err(_) => Err(failure("context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned())),
    }
}

async fn follow(question: &HttpQuestion, timeout: Duration) -> Result<Answer, String> {
    let mut question = question.clone();
    for _ in 0..REDIRECTS {
        let (answer, location) = once(&question, timeout).await?;
        let next = location
            .filter(|_| (300..400).contains(&answer.status))
            .and_then(|location| question.redirected(&location));
        match next {
            Some(next) => question = next,
            None => return Ok(answer),
        }
    }
    Err("stopped after 10 redirects".to_owned())
}

async fn once(question: &HttpQuestion, timeout: Duration) -> Result<(Answer, Option<String>), String> {
    let stream = connect(&question.host, question.port, timeout).await?;
    if question.https {
        let name = ServerName::try_from(question.host.clone()).map_err(|error| error.to_string())?;
        let stream = connector()?.connect(name, stream).await.map_err(|error| error.to_string())?;
        exchange(question, stream).await
    } else {
        exchange(question, stream).await
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    question: &HttpQuestion,
    stream: S,
) -> Result<(Answer, Option<String>), String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Dropped, and with it the connection, when the probe's time is over.
    let driver = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(connection));
    let host = question.header("host").map_or_else(|| format!("{}:{}", question.host, question.port), str::to_owned);
    let mut request = Request::get(&question.path).header(header::HOST, host).header(header::CONNECTION, "close");
    if question.header("user-agent").is_none() {
        request = request.header(header::USER_AGENT, "kube-probe/1.37");
    }
    if question.header("accept").is_none() {
        request = request.header(header::ACCEPT, "*/*");
    }
    for (name, value) in &question.headers {
        if !name.eq_ignore_ascii_case("host") && !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| if error.is_incomplete_message() { "EOF".to_owned() } else { error.to_string() })?;
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    drop(driver);
    Ok((Answer { status, body: String::from_utf8_lossy(&body).into_owned() }, location))
}

fn connector() -> Result<tokio_rustls::TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

/// Kubernetes does not check the certificates of what it probes: the pod's address is all it knows.
#[derive(Debug)]
struct AnyCertificate(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::super::{Outcome, http_get};
    use super::*;

    /// Answers each connection with the next of `answers`; hands back the requests' first lines.
    async fn serve(answers: Vec<String>) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 4096];
                let count = stream.read(&mut buffer).await.unwrap();
                seen.push(String::from_utf8_lossy(&buffer[..count]).into_owned());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            seen
        });
        (port, task)
    }

    fn question(port: u16) -> HttpQuestion {
        HttpQuestion {
            https: false,
            host: "127.0.0.1".to_owned(),
            port,
            path: "/ok".to_owned(),
            headers: vec![("X-A".to_owned(), "b".to_owned())],
        }
    }

    #[tokio::test]
    async fn statuses_and_redirects() {
        let answer = |status: &str, extra: &str| format!("HTTP/1.1 {status}\r\n{extra}Content-Length: 0\r\n\r\n");
        let cases = [
            ("ok", vec![answer("204 No Content", "")], Outcome::Success),
            (
                "bad",
                vec![answer("503 Service Unavailable", "")],
                Outcome::Failure("HTTP probe failed with statuscode: 503".to_owned()),
            ),
            (
                "redirect here",
                vec![answer("302 Found", "Location: /other\r\n"), answer("200 OK", "")],
                Outcome::Success,
            ),
            (
                "redirect away",
                vec![answer("302 Found", "Location: http://192.0.2.1/\r\n")],
                Outcome::Warning("Probe terminated redirects, Response body: ".to_owned()),
            ),
        ];
        for (name, answers, want) in cases {
            let (port, server) = serve(answers).await;
            assert_eq!(http_get(&question(port), Duration::from_secs(2)).await, want, "{name}");
            let seen = server.await.unwrap();
            assert!(
                seen[0].starts_with("GET /ok HTTP/1.1\r\n") && seen[0].to_lowercase().contains("x-a: b"),
                "{name}: {}",
                seen[0]
            );
        }
    }

    #[tokio::test]
    async fn refused_reads_as_in_go() {
        let outcome = http_get(&question(1), Duration::from_secs(1)).await;
        let want = "Get \"http://127.0.0.1:1/ok\": dial tcp 127.0.0.1:1: connect: connection refused";
        assert_eq!(outcome, Outcome::Failure(want.to_owned()));
    }
}
