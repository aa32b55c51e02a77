//! HTTP repositories: an `index.yaml`, and the archives that it names.

mod generate;
mod index;
mod list;
mod search;
mod update;

use reqwest::Response;
use url::Url;

use crate::archive::Archive;
use crate::chart::{Fetched, LONGEST_ARCHIVE, LONGEST_PROVENANCE, unused};
use crate::client::Client;
use crate::oci::Credentials;
use crate::oci::digest_of;
use crate::oci::transport::{Request, read_bounded, receive, refused, same_origin, shown};
use crate::{Error, oci};

pub use generate::{generate, merge};
pub use index::{Entry, Index};
pub use list::{Repository, add, find, list, remove};
pub use search::{Hit, Query, search};
pub use update::{Update, index, update};

impl Repository {
    /// The URL as it may be shown.
    pub fn shown(&self) -> String {
        Url::parse(&self.url).map_or_else(|_| "a repository".to_owned(), |url| shown(&url))
    }

    pub(crate) fn base(&self) -> Result<Url, Error> {
        let mut url =
            Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(|| {
                oci::Error::Reference { reference: self.shown(), problem: "a repository is an http:// or https:// URL" }
            })?;
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        Ok(url)
    }

    /// A place that the index names: relative ones are below the repository and keep its query.
    fn place(&self, text: &str) -> Result<Url, Error> {
        let wrong = || oci::Error::Document {
            what: self.shown(),
            problem: "its index names a place that is no URL".to_owned(),
        };
        let base = self.base()?;
        let mut url = base.join(text).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong().into());
        }
        let relative = Url::parse(text).is_err();
        if relative && url.query().is_none() {
            url.set_query(base.query());
        }
        if base.scheme() == "https" && url.scheme() == "http" {
            tracing::warn!(url = shown(&url), "the index leads out of TLS");
        }
        Ok(url)
    }

    fn request(&self, url: &Url) -> Result<Request, Error> {
        let mut request = Request::get(url.clone());
        let own = same_origin(url, &self.base()?);
        if own || self.pass_credentials {
            request.authorization = self.credentials().as_ref().and_then(oci::basic);
        }
        Ok(request)
    }

    fn credentials(&self) -> Option<Credentials> {
        let given = !self.username.is_empty() || !self.password.is_empty();
        given.then(|| Credentials::Basic { username: self.username.clone(), password: self.password.clone() })
    }

    /// The access of a client, with the certificates of this repository.
    pub(crate) fn transport(&self, client: &Client) -> Result<oci::transport::Transport, Error> {
        let mut access = client.access.clone();
        access.insecure |= self.insecure;
        let path = |text: &str| (!text.is_empty()).then(|| text.into());
        access.ca_file = access.ca_file.or_else(|| path(&self.ca_file));
        access.cert_file = access.cert_file.or_else(|| path(&self.cert_file));
        access.key_file = access.key_file.or_else(|| path(&self.key_file));
        client.transport(&access)
    }

    pub(crate) async fn get(&self, client: &Client, url: &Url, limit: u64) -> Result<Vec<u8>, Error> {
        let answer = self.ask(client, url).await?;
        Ok(read_bounded(answer, &shown(url), limit).await?.into())
    }

    async fn ask(&self, client: &Client, url: &Url) -> Result<Response, Error> {
        let answer = self.transport(client)?.send(&self.request(url)?).await?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            404 => Err(oci::Error::NotFound { what: shown(url) }.into()),
            _ => Err(refused(answer).await.into()),
        }
    }

    /// An archive with its digest, by the cache if that can be used. `wanted` says what it is and its digest, if known.
    pub(crate) async fn archive(
        &self,
        client: &Client,
        url: &Url,
        wanted: Option<(&str, Option<&str>)>,
    ) -> Result<(Archive, String), Error> {
        let check = |found: &str| match wanted {
            Some((what, Some(expected))) if expected != found => {
                let (what, found, expected) = (what.to_owned(), found.to_owned(), expected.to_owned());
                Err(Error::Oci(oci::Error::Digest { what, found, expected }))
            }
            _ => Ok(()),
        };
        let answer = self.ask(client, url).await?;
        let through = async {
            let incoming = client.cache.incoming()?;
            let (incoming, found) = receive(answer, &shown(url), LONGEST_ARCHIVE, incoming).await?;
            check(&found)?;
            // What is no chart is not kept.
            Fetched::of(incoming.archive().map_err(oci::Error::file("read", "the cache"))?, String::new(), shown(url))?;
            Ok::<_, Error>((client.cache.keep(incoming, &found)?, found))
        };
        match through.await {
            Err(error) if error.is_of_cache() => {
                unused(&error);
                let bytes = self.get(client, url, LONGEST_ARCHIVE).await?;
                let found = digest_of(&bytes);
                check(&found)?;
                Ok((bytes.into(), found))
            }
            outcome => outcome,
        }
    }

    /// The provenance file beside an archive, if there is one.
    pub(crate) async fn provenance(&self, client: &Client, archive: &Url) -> Result<Option<Vec<u8>>, Error> {
        let mut url = archive.clone();
        url.set_path(&format!("{}.prov", archive.path()));
        match self.get(client, &url, LONGEST_PROVENANCE).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::Oci(oci::Error::NotFound { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fetches what an entry names; the index's digest is held against it.
    pub async fn fetch(&self, client: &Client, entry: &Entry, provenance: bool) -> Result<Fetched, Error> {
        let what = format!("chart `{}` {} of {}", entry.name, entry.version, self.shown());
        let missing =
            || oci::Error::Document { what: what.clone(), problem: "its index names no place to get it".to_owned() };
        let place = entry.urls.first().ok_or_else(missing)?;
        if crate::Reference::is_one(place) {
            let reference: crate::Reference = place.parse()?;
            let registry = client.registry(&reference.host).await?;
            let reference = if reference.tag.is_none() && reference.digest.is_none() {
                reference.with_tag(&crate::chart::tag_of(&entry.version))
            } else {
                reference
            };
            return crate::chart::pull(&registry, &client.cache, &reference, provenance).await;
        }
        let url = self.place(place)?;
        let expected =
            (!entry.digest.is_empty()).then(|| format!("sha256:{}", entry.digest.trim_start_matches("sha256:")));
        let cached = expected.as_ref().and_then(|digest| Some((client.cache.open(digest)?, digest.clone())));
        let (archive, found) = match cached {
            Some(cached) => cached,
            None => self.archive(client, &url, Some((&what, expected.as_deref()))).await?,
        };
        let mut fetched = Fetched::of(archive, found, shown(&url))?;
        if fetched.name != entry.name {
            let problem = format!("the archive is of `{}`", fetched.name);
            return Err(oci::Error::Document { what, problem }.into());
        }
        if provenance {
            fetched.provenance = self.provenance(client, &url).await?;
        }
        Ok(fetched)
    }
}
