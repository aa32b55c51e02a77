//! Exclusive access to a release: a Lease that ends by itself when its holder dies.
//!
//! The holder renews it while it works and deletes it when done. Whoever finds an unexpired Lease
//! of somebody alive is told who that is; the Lease of a dead process of the same machine is taken
//! over at once. Where the user may not write Leases, work goes on without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams, Preconditions};

use crate::error::{ReleaseError, Result};

/// How long a Lease lasts without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(5);
/// Attempts to take a Lease that others take or give up at the same moment.
const ATTEMPTS: usize = 5;

/// Who asks for Leases.
#[derive(Clone)]
pub struct Holder {
    /// A name that no other process has.
    pub identity: String,
    /// Whether the process of that name is known to be dead; `false` if that cannot be known.
    pub is_dead: fn(&str) -> bool,
}

/// A Lease that is held.
pub struct Lease {
    release: String,
    held: Option<Held>,
    lost: Arc<AtomicBool>,
}

struct Held {
    api: Api<Object>,
    name: String,
    current: Arc<tokio::sync::Mutex<Object>>,
    renewal: tokio::task::JoinHandle<()>,
}

impl Lease {
    /// Takes the Lease of a release.
    pub async fn take(client: Client, namespace: &str, release: &str, holder: &Holder) -> Result<Self> {
        let api: Api<Object> = Api::namespaced(client, namespace);
        let name = format!("kpkg-release.{release}");
        let lost = Arc::new(AtomicBool::new(false));
        for _ in 0..ATTEMPTS {
            match attempt(&api, &name, release, holder).await? {
                Attempt::Taken(object) => {
                    let current = Arc::new(tokio::sync::Mutex::new(*object));
                    let renewal = tokio::spawn(renew(api.clone(), name.clone(), current.clone(), lost.clone()));
                    let held = Some(Held { api, name, current, renewal });
                    return Ok(Self { release: release.to_owned(), held, lost });
                }
                Attempt::Forbidden => return Ok(Self { release: release.to_owned(), held: None, lost }),
                Attempt::NoNamespace => return Err(ReleaseError::NoNamespace { namespace: namespace.to_owned() }),
                Attempt::Raced => {}
            }
        }
        Err(ReleaseError::LeaseLost { name: release.to_owned(), holder: "others".to_owned() })
    }

    /// Takes away what a holder that died left, where there is nothing else to do.
    pub async fn clear(client: Client, namespace: &str, release: &str, holder: &Holder) -> Result<()> {
        let api: Api<Object> = Api::namespaced(client.clone(), namespace);
        // Where nothing can be seen there is nothing to clear.
        if let Ok(Some(_)) = api.get_opt(&format!("kpkg-release.{release}")).await {
            Self::take(client, namespace, release, holder).await?.give_up().await;
        }
        Ok(())
    }

    /// Fails if the Lease was lost: somebody else may be at work.
    pub fn check(&self) -> Result<()> {
        if self.lost.load(Ordering::Acquire) {
            return Err(ReleaseError::LeaseLost { name: self.release.clone(), holder: "somebody else".to_owned() });
        }
        Ok(())
    }

    /// Gives the Lease up.
    pub async fn give_up(mut self) {
        let Some(held) = self.held.take() else { return };
        // A renewal that is under way is waited for: it would change the version that is deleted.
        let current = tokio::time::timeout(RENEWAL, held.current.lock()).await;
        held.renewal.abort();
        let Ok(current) = current else { return };
        if self.lost.load(Ordering::Acquire) {
            return;
        }
        let preconditions = Preconditions {
            resource_version: current.metadata.resource_version.clone(),
            uid: current.metadata.uid.clone(),
        };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        // If this fails, the Lease ends by itself.
        if let Err(error) = held.api.delete(&held.name, &params).await {
            tracing::debug!(%error, "the lease was not given up");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            held.renewal.abort();
        }
    }
}

enum Attempt {
    Taken(Box<Object>),
    Forbidden,
    NoNamespace,
    Raced,
}

async fn attempt(api: &Api<Object>, name: &str, release: &str, holder: &Holder) -> Result<Attempt> {
    let params = PostParams::default();
    let live = match api.get_opt(name).await {
        Ok(live) => live,
        Err(kube::Error::Api(status)) if status.code == 403 => return Ok(Attempt::Forbidden),
        Err(error) => return Err(ReleaseError::cluster("read the lease of the release")(error)),
    };
    let spec = spec(&holder.identity, live.as_ref());
    let written = match live {
        None => {
            let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
            api.create(&params, &Object { metadata, spec: Some(spec) }).await
        }
        Some(mut live) => {
            if let Some(error) = refusal(&live, release, holder) {
                return Err(error);
            }
            live.spec = Some(spec);
            api.replace(name, &params, &live).await
        }
    };
    match written {
        Ok(object) => Ok(Attempt::Taken(Box::new(object))),
        Err(kube::Error::Api(status)) => match status.code {
            403 => Ok(Attempt::Forbidden),
            409 => Ok(Attempt::Raced),
            404 if !status.message.contains("leases") => Ok(Attempt::NoNamespace),
            404 => Ok(Attempt::Raced),
            _ => Err(ReleaseError::cluster("take the lease of the release")(kube::Error::Api(status))),
        },
        Err(error) => Err(ReleaseError::cluster("take the lease of the release")(error)),
    }
}

fn spec(identity: &str, live: Option<&Object>) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let transitions = live.and_then(|it| it.spec.as_ref()).map(|it| it.lease_transitions.unwrap_or(0) + 1);
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        acquire_time: Some(now.clone()),
        renew_time: Some(now),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        lease_transitions: transitions,
        ..LeaseSpec::default()
    }
}

/// Why a Lease cannot be taken; `None` if it is free.
fn refusal(live: &Object, release: &str, holder: &Holder) -> Option<ReleaseError> {
    let spec = live.spec.as_ref()?;
    let other = spec.holder_identity.clone().filter(|it| !it.is_empty() && *it != holder.identity)?;
    let renewed = spec.renew_time.as_ref()?.0;
    let until = renewed + SignedDuration::from_secs(spec.lease_duration_seconds.unwrap_or(0).into());
    if until <= Timestamp::now() || (holder.is_dead)(&other) {
        return None;
    }
    let since = spec.acquire_time.as_ref().map_or(renewed, |it| it.0);
    let seconds = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Some(ReleaseError::Held { name: release.to_owned(), holder: other, since: seconds(since), until: seconds(until) })
}

/// Renews until aborted; notes when the Lease is another's or has run out.
async fn renew(api: Api<Object>, name: String, current: Arc<tokio::sync::Mutex<Object>>, lost: Arc<AtomicBool>) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(RENEWAL).await;
        let mut object = current.lock().await;
        let mut next = object.clone();
        if let Some(spec) = &mut next.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match api.replace(&name, &PostParams::default(), &next).await {
            Ok(stored) => {
                *object = stored;
                renewed = tokio::time::Instant::now();
            }
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {
                lost.store(true, Ordering::Release);
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "the lease was not renewed");
                if renewed.elapsed() >= DURATION {
                    lost.store(true, Ordering::Release);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_living_and_unexpired_hold() {
        let holder = |is_dead| Holder { identity: "me".into(), is_dead };
        let of = |identity: &str, age: i64| {
            let mut spec = spec(identity, None);
            let then = Timestamp::now() - SignedDuration::from_secs(age);
            spec.renew_time = Some(MicroTime(then));
            Object { spec: Some(spec), ..Object::default() }
        };
        assert!(matches!(refusal(&of("you", 1), "web", &holder(|_| false)), Some(ReleaseError::Held { .. })));
        assert!(refusal(&of("you", 1), "web", &holder(|_| true)).is_none());
        assert!(refusal(&of("you", 60), "web", &holder(|_| false)).is_none());
        assert!(refusal(&of("me", 1), "web", &holder(|_| false)).is_none());
    }
}
