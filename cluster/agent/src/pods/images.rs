//! Pulls images for all workers: each image once at a time, a few images at once, failures slowed down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kpkg_runtime::image::{Credentials, ImageName, PullOptions};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use super::backoff::Backoff;
use crate::doors::{Cri, ImageFacts, chain};

/// What is known of an image that a container needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pull {
    /// It is here; how it came, for the event.
    Here(ImageFacts, Came),
    /// It is on its way; `true` if this call began it.
    Pulling(bool),
    /// It could not be pulled just now.
    Failed(String),
    /// It could not be pulled and is not tried again yet.
    Waiting(String),
    /// It is not here and must not be pulled.
    Never,
    /// The reference makes no sense.
    Invalid(String),
}

/// How an image came to be here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was here before.
    Present,
    /// It was pulled for this container; how long that took.
    Pulled(std::time::Duration),
}

enum Entry {
    Pulling(Vec<Arc<Notify>>),
    Done(Result<(ImageFacts, std::time::Duration), String>),
}

/// The images of the node.
pub(crate) struct Images {
    cri: Arc<dyn Cri>,
    slots: Arc<Semaphore>,
    /// By reference, and by pod where a pull belongs to one.
    pulls: Mutex<HashMap<(String, String), Entry>>,
    backoff: Mutex<Backoff<(String, String)>>,
    last_error: Mutex<HashMap<(String, String), String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Images {
    pub(crate) fn new(cri: Arc<dyn Cri>, at_once: usize) -> Arc<Self> {
        Arc::new(Self {
            cri,
            slots: Arc::new(Semaphore::new(at_once.max(1))),
            pulls: Mutex::default(),
            backoff: Mutex::new(Backoff::new()),
            last_error: Mutex::default(),
        })
    }

    /// Sees to it that an image comes here, as `policy` allows; `wake` is told when a pull ends.
    pub(crate) fn ensure(self: &Arc<Self>, pod_uid: &str, reference: &str, policy: &str, secrets: &[Secret], wake: &Arc<Notify>) -> Pull {
        let Ok(name) = reference.parse::<ImageName>() else {
            return Pull::Invalid(format!("Failed to apply default image tag {reference:?}: couldn't parse image name {reference:?}: invalid reference format"));
        };
        let key = (pod_uid.to_owned(), reference.to_owned());
        let mut pulls = lock(&self.pulls);
        match pulls.remove(&key) {
            Some(Entry::Pulling(mut waiting)) => {
                if !waiting.iter().any(|it| Arc::ptr_eq(it, wake)) {
                    waiting.push(wake.clone());
                }
                pulls.insert(key, Entry::Pulling(waiting));
                return Pull::Pulling(false);
            }
            Some(Entry::Done(Ok((facts, time)))) => return Pull::Here(facts, Came::Pulled(time)),
            Some(Entry::Done(Err(error))) => {
                let now = Timestamp::now();
                lock(&self.backoff).next(key.clone(), now, now);
                lock(&self.last_error).insert(key, error.clone());
                return Pull::Failed(error);
            }
            None => {}
        }
        let here = self.cri.resolve_image(reference).ok().flatten();
        match (here, policy) {
            (Some(facts), "IfNotPresent" | "Never") => return Pull::Here(facts, Came::Present),
            (None, "Never") => return Pull::Never,
            _ => {}
        }
        if lock(&self.backoff).remaining(&key, Timestamp::now()).is_some() {
            return Pull::Waiting(lock(&self.last_error).get(&key).cloned().unwrap_or_default());
        }
        let options = PullOptions { credentials: credentials(&name, secrets), ..PullOptions::default() };
        pulls.insert(key.clone(), Entry::Pulling(vec![wake.clone()]));
        drop(pulls);
        tokio::spawn(self.clone().pull(key, options));
        Pull::Pulling(true)
    }

    async fn pull(self: Arc<Self>, key: (String, String), options: PullOptions) {
        let begun = Instant::now();
        let pulled = {
            let _slot = self.slots.acquire().await;
            self.cri.pull_image(&key.1, &options).await
        };
        let done = pulled.map(|facts| (facts, begun.elapsed())).map_err(|error| chain(&error));
        if done.is_ok() {
            lock(&self.backoff).reset(&key);
        }
        let waiting = match lock(&self.pulls).insert(key, Entry::Done(done)) {
            Some(Entry::Pulling(waiting)) => waiting,
            _ => Vec::new(),
        };
        for wake in waiting {
            wake.notify_one();
        }
    }

    /// When the image may be tried again, if it waits.
    pub(crate) fn retry_in(&self, pod_uid: &str, reference: &str) -> Option<std::time::Duration> {
        lock(&self.backoff).remaining(&(pod_uid.to_owned(), reference.to_owned()), Timestamp::now())
    }

    /// Forgets a pod that is gone.
    pub(crate) fn forget(&self, pod_uid: &str) {
        lock(&self.pulls).retain(|(uid, _), entry| uid != pod_uid || matches!(entry, Entry::Pulling(_)));
        lock(&self.backoff).retain(|(uid, _)| uid != pod_uid);
        lock(&self.last_error).retain(|(uid, _), _| uid != pod_uid);
    }
}

/// The login for a registry in a pod's pull secrets; the first that fits.
fn credentials(name: &ImageName, secrets: &[Secret]) -> Option<Credentials> {
    let configs = secrets.iter().filter_map(|secret| {
        let data = secret.data.as_ref()?;
        let json: Value = serde_json::from_slice(&data.get(".dockerconfigjson")?.0).ok()?;
        Some(json["auths"].clone())
    });
    for auths in configs {
        for (registry, login) in auths.as_object().into_iter().flatten() {
            let host = registry.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
            let is_hub = name.registry == "docker.io" && host.starts_with("index.docker.io");
            if host != name.registry && !is_hub {
                continue;
            }
            let text = |key: &str| login[key].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
            if let (Some(username), Some(password)) = (text("username"), text("password")) {
                return Some(Credentials::Basic { username, password });
            }
            let decoded = text("auth").and_then(|it| BASE64_STANDARD.decode(it).ok()).and_then(|it| String::from_utf8(it).ok());
            if let Some((username, password)) = decoded.as_deref().and_then(|it| it.split_once(':')) {
                return Some(Credentials::Basic { username: username.to_owned(), password: password.to_owned() });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_registry() {
        let config = serde_json::json!({"auths": {"https://reg.example:5000": {"auth": BASE64_STANDARD.encode("me:secret")}}});
        let secret = Secret {
            data: Some([(".dockerconfigjson".to_owned(), k8s_openapi::ByteString(config.to_string().into_bytes()))].into()),
            ..Secret::default()
        };
        let find = |reference: &str| credentials(&reference.parse().unwrap(), std::slice::from_ref(&secret));
        assert_eq!(find("reg.example:5000/app"), Some(Credentials::Basic { username: "me".into(), password: "secret".into() }));
        assert_eq!(find("other.example/app"), None);
    }
}
