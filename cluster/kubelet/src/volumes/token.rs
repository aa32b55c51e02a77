//! Service-account tokens bound to a pod, asked for when needed and renewed before they expire.

use std::{collections::HashMap, sync::Mutex};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection},
};
use kube::{Api, Client};

use crate::doors::chain;

const LIFETIME: i64 = 3600;
/// Tokens are renewed after four fifths of their life, or a day.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

#[derive(Clone)]
struct Held {
    token: String,
    renew_at: Timestamp,
}

/// The tokens of this node's pods.
pub(crate) struct Tokens {
    client: Client,
    held: Mutex<HashMap<(String, String, i64), Held>>,
}

impl Tokens {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, held: Mutex::default() }
    }

    /// The token that a projection asks for.
    pub(super) async fn get(&self, pod: &Pod, wanted: &ServiceAccountTokenProjection) -> Result<String, String> {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let seconds = wanted.expiration_seconds.unwrap_or(LIFETIME);
        let audience = wanted.audience.clone().unwrap_or_default();
        let key = (uid, audience.clone(), seconds);
        let now = Timestamp::now();
        if let Some(held) = self.lock().get(&key).filter(|held| held.renew_at > now).cloned() {
            return Ok(held.token);
        }
        let (token, expires) = self.request(pod, &audience, seconds).await?;
        let life = expires.duration_since(now);
        let renew_at = now + (life * 4 / 5).min(LONGEST).max(SignedDuration::ZERO);
        self.lock().insert(key, Held { token: token.clone(), renew_at });
        Ok(token)
    }

    /// Forgets a pod's tokens.
    pub(crate) fn forget(&self, uid: &str) {
        self.lock().retain(|(owner, _, _), _| owner != uid);
    }

    async fn request(&self, pod: &Pod, audience: &str, seconds: i64) -> Result<(String, Timestamp), String> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let account = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.as_deref())
            .filter(|name| !name.is_empty())
            .unwrap_or("default");
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: (!audience.is_empty()).then(|| vec![audience.to_owned()]),
                expiration_seconds: Some(seconds),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: pod.metadata.name.clone(),
                    uid: pod.metadata.uid.clone(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let answer = api
            .create_token_request(account, &kube::api::PostParams::default(), &request)
            .await
            .map_err(|error| format!("failed to fetch token: {}", chain(&error)))?;
        let status = answer.status.ok_or("failed to fetch token: the answer has no status")?;
        let token = status.token.ok_or("failed to fetch token: the answer has no token")?;
        let fallback = Timestamp::now() + SignedDuration::from_secs(seconds);
        Ok((token, status.expiration_timestamp.map_or(fallback, |time| time.0)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, i64), Held>> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
