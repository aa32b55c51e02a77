//! Who asks: an identity that the listener vouches for, a service account's token, or nobody known.

mod impersonate;
mod token;

pub(crate) use token::{Bound, Claims, Tokens};

use crate::{ApiServer, Identity, failure::Result, registry::well_known};
use http::{HeaderMap, header};
use kpkg_api::{meta, status::Status};

impl ApiServer {
    /// Who sent a request. `vouched` is what the listener or the in-process client says.
    pub(crate) async fn authenticate(&self, vouched: Option<Identity>, headers: &HeaderMap) -> Result<Identity> {
        if let Some(identity) = vouched {
            return Ok(identity.known());
        }
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(Identity::anonymous()) };
        let token = value.to_str().ok().and_then(bearer).ok_or_else(Status::unauthorized)?;
        self.identify(token, &[]).await.map(|(identity, _)| identity).map_err(|why| {
            tracing::debug!(why, "a bearer token was refused");
            Status::unauthorized()
        })
    }

    /// The service account that a token is for; its objects must still be there.
    pub(crate) async fn identify(&self, token: &str, audiences: &[&str]) -> Result<(Identity, Claims), &'static str> {
        let claims = self.tokens.verify(token, audiences, jiff::Timestamp::now())?;
        let namespace = Some(claims.namespace.as_str());
        let lives = async |kind, name: &str, uid: &str| {
            let found = self.find(well_known("", kind), namespace, name).await;
            found.ok().flatten().is_some_and(|object| meta::uid(&object.value) == uid)
        };
        if !lives("ServiceAccount", &claims.account.name, &claims.account.uid).await {
            return Err("the service account is gone");
        }
        for (kind, bound) in [("Pod", &claims.pod), ("Secret", &claims.secret)] {
            if let Some(bound) = bound
                && !lives(kind, &bound.name, &bound.uid).await
            {
                return Err("the object that the token is bound to is gone");
            }
        }
        let identity = Identity::service_account(&claims.namespace, &claims.account.name).known();
        Ok((identity, claims))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
