//! Brings containers' images: pull policy, credentials, back-off, a few pulls at once and never two of the same image.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kpkg_runtime::image::{Credentials, ImageError, ImageName, PullOptions};
use tokio::sync::Semaphore;

use super::{backoff::Backoff, event::PodEvents, observed::Role};
use crate::{
    doors::{Cri, ImageFacts, chain},
    status::StartFailure,
};

type Key = (String, String);
type Pull = Shared<BoxFuture<'static, Result<ImageFacts, String>>>;

/// Pulls images for all pods of the node.
pub(crate) struct Puller {
    runtime: Arc<dyn Cri>,
    slots: Arc<Semaphore>,
    running: Mutex<HashMap<String, Pull>>,
    failures: Mutex<Failures>,
}

struct Failures {
    backoff: Backoff<Key>,
    last: HashMap<Key, String>,
}

/// What an image is wanted for.
pub(crate) struct Want<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) role: Role,
    pub(crate) container: &'a Container,
    pub(crate) secrets: &'a [Secret],
    pub(crate) events: &'a PodEvents,
}

impl Puller {
    pub(crate) fn new(runtime: Arc<dyn Cri>, parallel: usize) -> Self {
        let failures = Failures { backoff: Backoff::new(), last: HashMap::new() };
        Self {
            runtime,
            slots: Arc::new(Semaphore::new(parallel.max(1))),
            running: Mutex::default(),
            failures: Mutex::new(failures),
        }
    }

    /// Makes sure that a container's image is here.
    pub(crate) async fn ensure(&self, want: &Want<'_>) -> Result<ImageFacts, StartFailure> {
        let image = want.container.image.as_deref().unwrap_or_default();
        let policy = want.container.image_pull_policy.as_deref().unwrap_or("IfNotPresent");
        if let Err(error) = image.parse::<ImageName>() {
            let message = format!(
                "Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: {}",
                chain(&error)
            );
            want.warn("InspectFailed", &message);
            return Err(failure("InvalidImageName", message));
        }
        let present = self.runtime.resolve_image(image).map_err(|error| {
            let message = format!("Failed to inspect image {image:?}: {}", chain(&error));
            want.warn("Failed", &message);
            failure("ImageInspectError", message)
        })?;
        match (present, policy) {
            (Some(facts), "IfNotPresent" | "Never") => {
                want.tell(
                    "Pulled",
                    &format!("Container image {image:?} already present on machine and can be accessed by the pod"),
                );
                return Ok(facts);
            }
            (None, "Never") => {
                let message = format!("Container image {image:?} is not present with pull policy of Never");
                want.warn("ErrImageNeverPull", &message);
                return Err(failure("ErrImageNeverPull", message));
            }
            _ => {}
        }
        self.pull(want, image).await
    }

    async fn pull(&self, want: &Want<'_>, image: &str) -> Result<ImageFacts, StartFailure> {
        let key = (want.pod.metadata.uid.clone().unwrap_or_default(), image.to_owned());
        if let Some(last) = self.backing_off(&key) {
            let message = format!("Back-off pulling image {image:?}");
            want.tell("BackOff", &message);
            return Err(failure("ImagePullBackOff", format!("{message}: ErrImagePull: {last}")));
        }
        want.tell("Pulling", &format!("Pulling image {image:?}"));
        let waiting = Instant::now();
        let (result, pulling) = self.shared_pull(image, credentials(image, want.secrets)).await;
        match result {
            Ok(facts) => {
                self.failures().backoff.reset(&key);
                let (pulling, waiting) = (shown(pulling), shown(waiting.elapsed()));
                want.tell("Pulled", &format!("Successfully pulled image {image:?} in {pulling} ({waiting} including waiting). Image size: {} bytes.", facts.size));
                Ok(facts)
            }
            Err(cause) => {
                want.warn("Failed", &format!("Failed to pull image {image:?}: {cause}"));
                want.warn("Failed", "Error: ErrImagePull");
                let now = Timestamp::now();
                let mut failures = self.failures();
                failures.backoff.next(key.clone(), now, now);
                failures.last.insert(key, cause.clone());
                Err(failure("ErrImagePull", cause))
            }
        }
    }

    fn backing_off(&self, key: &Key) -> Option<String> {
        let failures = self.failures();
        failures.backoff.remaining(key, Timestamp::now())?;
        Some(failures.last.get(key).cloned().unwrap_or_default())
    }

    /// Forgets a pod's failures.
    pub(crate) fn forget(&self, uid: &str) {
        let mut failures = self.failures();
        failures.backoff.retain(|(owner, _)| owner != uid);
        failures.last.retain(|(owner, _), _| owner != uid);
    }

    /// Joins a pull that runs, or starts one. It goes on even if nobody waits any more.
    async fn shared_pull(
        &self,
        image: &str,
        logins: Vec<Credentials>,
    ) -> (Result<ImageFacts, String>, std::time::Duration) {
        let started = Instant::now();
        let pull = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.retain(|_, pull| pull.peek().is_none());
            // Another pod's pull with another login must not be trusted for this one.
            let key = format!("{image} {}", fingerprint(&logins));
            running.entry(key).or_insert_with(|| self.start(image.to_owned(), logins)).clone()
        };
        (pull.await, started.elapsed())
    }

    fn start(&self, image: String, logins: Vec<Credentials>) -> Pull {
        let (runtime, slots) = (self.runtime.clone(), self.slots.clone());
        let task = tokio::spawn(async move {
            let _slot = slots.acquire_owned().await;
            let attempts = if logins.is_empty() { vec![None] } else { logins.into_iter().map(Some).collect() };
            let mut last = String::new();
            for credentials in attempts {
                match runtime.pull_image(&image, &PullOptions { credentials, plain_http: false }).await {
                    Ok(facts) => return Ok(facts),
                    Err(error) => last = describe(&error),
                }
            }
            Err(last)
        });
        async move { task.await.unwrap_or_else(|error| Err(error.to_string())) }.boxed().shared()
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Want<'_> {
    fn tell(&self, reason: &str, message: &str) {
        self.events.container_normal(self.role, &self.container.name, reason, message);
    }

    fn warn(&self, reason: &str, message: &str) {
        self.events.container_warning(self.role, &self.container.name, reason, message);
    }
}

fn failure(reason: &str, message: String) -> StartFailure {
    StartFailure { reason: reason.to_owned(), message }
}

fn describe(error: &ImageError) -> String {
    chain(error)
}

fn shown(duration: std::time::Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1000 { format!("{millis}ms") } else { format!("{}.{:03}s", millis / 1000, millis % 1000) }
}

fn fingerprint(logins: &[Credentials]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    logins.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

/// The logins that a pod's pull secrets hold for an image's registry.
fn credentials(image: &str, secrets: &[Secret]) -> Vec<Credentials> {
    let Ok(name) = image.parse::<ImageName>() else { return vec![] };
    let mut out = Vec::new();
    for secret in secrets {
        let data = secret.data.as_ref();
        let read = |key: &str| {
            data.and_then(|data| data.get(key))
                .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes.0).ok())
        };
        let auths = read(".dockerconfigjson").map(|config| config["auths"].clone()).or_else(|| read(".dockercfg"));
        for (server, login) in auths.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten() {
            if registry_of(server) == name.registry {
                out.extend(Credentials::of_entry(login).ok().flatten());
            }
        }
    }
    out
}

fn registry_of(server: &str) -> &str {
    let server = server.trim_start_matches("https://").trim_start_matches("http://");
    match server.split('/').next().unwrap_or(server) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_give_logins_for_their_registry() {
        let config = serde_json::json!({"auths": {"https://index.docker.io/v1/": {"auth": "dTpw"}, "other.example": {"username": "a", "password": "b"}}});
        let secret: Secret = serde_json::from_value(serde_json::json!({
            "data": {".dockerconfigjson": base64::Engine::encode(&base64::engine::general_purpose::STANDARD, config.to_string())}
        }))
        .unwrap();
        let basic = |username: &str, password: &str| Credentials::Basic {
            username: username.to_owned(),
            password: password.to_owned(),
        };
        assert_eq!(credentials("nginx", std::slice::from_ref(&secret)), [basic("u", "p")]);
        assert_eq!(credentials("other.example/x:1", std::slice::from_ref(&secret)), [basic("a", "b")]);
        assert_eq!(credentials("third.example/x:1", &[secret]), []);
    }
}
