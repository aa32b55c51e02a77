//! What every controller holds: the door to the API, the event recorder, the clock.

use std::borrow::Cow;

use jiff::Timestamp;
use kpkg_events::Recorder;
use kube::{
    Client, Resource,
    api::{DeleteParams, GetParams, Patch, PatchParams, PostParams, Preconditions},
    core::Request,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Clock, Key, Kind};
use crate::Error;

type HttpRequest = Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// The outside world, as a controller sees it. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    client: Client,
    recorder: Recorder,
    clock: Clock,
}

impl Context {
    /// Puts the parts together.
    pub fn new(client: Client, recorder: Recorder, clock: Clock) -> Self {
        Self { client, recorder, clock }
    }

    /// The same world, with events recorded in another component's name.
    #[must_use]
    pub fn named(&self, component: &str) -> Self {
        Self { recorder: self.recorder.named(component), ..self.clone() }
    }

    /// The client, for what is not a request about one typed object.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The event recorder.
    pub fn events(&self) -> &Recorder {
        &self.recorder
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads one object past the cache; `None` if it does not exist.
    pub async fn get<K: Kind>(&self, key: &Key) -> Result<Option<K>, Error> {
        let request = door::<K>(key).get(&key.name, &GetParams::default());
        match self.send::<K, K>("get", key, request).await {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Some),
        }
    }

    /// Creates an object.
    pub async fn create<K: Kind>(&self, object: &K) -> Result<K, Error> {
        let key = Key::of(object);
        let request = body("create", &key, object).map(|body| door::<K>(&key).create(&PostParams::default(), body))?;
        self.send::<K, K>("create", &key, request).await
    }

    /// Changes an object by a merge patch. A patch with `metadata.resourceVersion` or
    /// `metadata.uid` is refused if the object is another meanwhile.
    pub async fn patch<K: Kind>(&self, key: &Key, patch: &Value) -> Result<K, Error> {
        let request = door::<K>(key).patch(&key.name, &PatchParams::default(), &Patch::Merge(patch));
        self.send::<K, K>("patch", key, request).await
    }

    /// Changes an object by a strategic merge patch.
    pub async fn patch_strategic<K: Kind>(&self, key: &Key, patch: &Value) -> Result<K, Error> {
        let request = door::<K>(key).patch(&key.name, &PatchParams::default(), &Patch::Strategic(patch));
        self.send::<K, K>("patch", key, request).await
    }

    /// Changes an object's status by a strategic merge patch (lists by key, as conditions).
    pub async fn patch_status<K: Kind>(&self, key: &Key, patch: &Value) -> Result<K, Error> {
        let patch = Patch::Strategic(patch);
        let request = door::<K>(key).patch_subresource("status", &key.name, &PatchParams::default(), &patch);
        self.send::<K, K>("patch the status of", key, request).await
    }

    /// Replaces an object; its resource version guards against overwriting another's change.
    pub async fn replace<K: Kind>(&self, object: &K) -> Result<K, Error> {
        let key = Key::of(object);
        let request = body("update", &key, object)
            .map(|body| door::<K>(&key).replace(&key.name, &PostParams::default(), body))?;
        self.send::<K, K>("update", &key, request).await
    }

    /// Replaces an object's status; its resource version guards as in [`Context::replace`].
    pub async fn replace_status<K: Kind>(&self, object: &K) -> Result<K, Error> {
        let (key, verb) = (Key::of(object), "update the status of");
        let request = body(verb, &key, object)
            .map(|body| door::<K>(&key).replace_subresource("status", &key.name, &PostParams::default(), body))?;
        self.send::<K, K>(verb, &key, request).await
    }

    /// Deletes the very object that was seen. That it is gone already is no error.
    pub async fn delete<K: Kind>(&self, object: &K) -> Result<(), Error> {
        self.delete_with(object, DeleteParams::background()).await
    }

    /// As [`Context::delete`], with parameters of the caller's own.
    pub async fn delete_with<K: Kind>(&self, object: &K, params: DeleteParams) -> Result<(), Error> {
        let key = Key::of(object);
        let uid = object.meta().uid.clone();
        let params = params.preconditions(Preconditions { uid, resource_version: None });
        let request = door::<K>(&key).delete(&key.name, &params);
        match self.send::<K, Value>("delete", &key, request).await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    async fn send<K: Kind, T: DeserializeOwned>(
        &self,
        verb: &'static str,
        key: &Key,
        request: HttpRequest,
    ) -> Result<T, Error> {
        let answer = match request.map_err(kube::Error::BuildRequest) {
            Ok(request) => self.client.request(request).await,
            Err(error) => Err(error),
        };
        answer.map_err(|source| Error::Request { verb, kind: kind_of::<K>().into_owned(), key: key.clone(), source })
    }
}

/// The requests of one kind in the key's namespace.
fn door<K: Kind>(key: &Key) -> Request {
    let namespace = (!key.namespace.is_empty()).then_some(&*key.namespace);
    Request::new(K::url_path(&(), namespace))
}

fn kind_of<K: Resource<DynamicType = ()>>() -> Cow<'static, str> {
    K::kind(&())
}

fn body<K: Kind + Serialize>(verb: &'static str, key: &Key, object: &K) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(object).map_err(|error| Error::Request {
        verb,
        kind: kind_of::<K>().into_owned(),
        key: key.clone(),
        source: kube::Error::SerdeError(error),
    })
}
