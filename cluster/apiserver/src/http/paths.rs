//! Paths that are no resource: health, version, discovery, OpenAPI.

use super::{Call, method_not_allowed};
use crate::{catalog::Catalog, discovery, failure::Result, openapi, path::Target, reply};
use axum::body::Body;
use http::{Method, Response, StatusCode};
use kpkg_api::status::Status;
use serde_json::{Value, json};

/// The Kubernetes whose API this is.
const MAJOR: &str = "1";
const MINOR: &str = "37";

impl Call<'_> {
    pub(super) async fn path(&self, target: &Target) -> Result<Response<Body>> {
        if matches!(target, Target::Nothing) {
            return Ok(reply::no_such_path());
        }
        if let Target::BadName(why) = target {
            return Err(Status::bad_request(why.clone()));
        }
        if !matches!(*self.method(), Method::GET | Method::HEAD) {
            return method_not_allowed();
        }
        let headers = &self.parts.headers;
        let catalog = self.server.catalogs.current();
        match target {
            Target::Health(check) => Ok(self.health(check).await),
            Target::Version => Ok(reply::json(StatusCode::OK, &version())),
            Target::CoreVersions => Ok(discovery::core(&catalog, headers)),
            Target::Groups => Ok(discovery::groups(&catalog, headers)),
            Target::Group(group) => Ok(discovery::group(&catalog, group)),
            Target::GroupVersion(group, version) => Ok(discovery::resources(&catalog, group, version)),
            Target::TokenKeys => Ok(reply::json(StatusCode::OK, &self.server.tokens.key_set())),
            Target::TokenIssuer => Ok(reply::json(StatusCode::OK, &self.server.tokens.issuer_document())),
            Target::OpenApi => Ok(openapi(&catalog, self.parts.uri.path())),
            Target::Resource(_) | Target::Review(_) | Target::BadName(_) | Target::Nothing => Ok(reply::no_such_path()),
        }
    }

    /// Whether the server can do its work: all checks, or one.
    async fn health(&self, check: &str) -> Response<Body> {
        let store = self.server.current_revision().await;
        let checks = [("ping", true), ("etcd", store.is_ok())];
        let excluded: Vec<&str> = self.query.all("exclude").collect();
        let chosen: Vec<_> = checks
            .into_iter()
            .filter(|(name, _)| (check.is_empty() || check == *name) && !excluded.contains(name))
            .collect();
        if chosen.is_empty() && !check.is_empty() {
            return reply::no_such_path();
        }
        let healthy = chosen.iter().all(|(_, passed)| *passed);
        let code = if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        if healthy && !self.query.has("verbose") {
            return reply::text(code, "ok");
        }
        let path = self.parts.uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
        let lines: String = chosen
            .iter()
            .map(
                |(name, passed)| {
                    if *passed { format!("[+]{name} ok\n") } else { format!("[-]{name} failed: reason withheld\n") }
                },
            )
            .collect();
        reply::text(code, format!("{lines}{path} check {}\n", if healthy { "passed" } else { "failed" }))
    }
}

/// A document of OpenAPI v3. The older v2 is not served: clients fall back on v3.
fn openapi(catalog: &Catalog, path: &str) -> Response<Body> {
    openapi::document(catalog, path).map_or_else(reply::no_such_path, |body| reply::json_bytes(StatusCode::OK, body))
}

fn version() -> Value {
    let own = env!("CARGO_PKG_VERSION");
    json!({
        "major": MAJOR,
        "minor": MINOR,
        "emulationMajor": MAJOR,
        "emulationMinor": MINOR,
        "minCompatibilityMajor": MAJOR,
        "minCompatibilityMinor": MINOR,
        "gitVersion": format!("v{MAJOR}.{MINOR}.0+kpkg{own}"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, platform_arch()),
    })
}

/// The machine's architecture as Go names it.
fn platform_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
