//! Uploads: small blobs in one piece, large ones in chunks that go on where a broken connection left them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{Method, StatusCode};
use reqwest::Response;
use url::Url;

use crate::Error;
use crate::manifest::Descriptor;
use crate::registry::{Registry, push_scope};
use crate::transport::{Request, may_pass, refused};

/// How much is sent at a time.
const CHUNK: u64 = 16 << 20;
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Where the bytes of a blob come from.
#[derive(Debug)]
pub enum Source<'a> {
    /// Memory.
    Bytes(Bytes),
    /// A file, from a place in it on.
    File {
        /// The open file.
        file: &'a File,
        /// Its name, for errors.
        path: &'a Path,
        /// Where the blob begins.
        offset: u64,
    },
}

impl Source<'_> {
    fn read(&self, from: u64, length: u64) -> Result<Bytes, Error> {
        let (start, size) =
            (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(length).unwrap_or(usize::MAX));
        match self {
            Self::Bytes(bytes) => Ok(bytes.slice(start..start + size)),
            Self::File { file, path, offset } => {
                let mut buffer = vec![0; size];
                file.read_exact_at(&mut buffer, offset + from).map_err(Error::file("read", *path))?;
                Ok(buffer.into())
            }
        }
    }
}

impl Registry {
    /// Whether the registry has a blob.
    pub async fn has_blob(&self, repository: &str, digest: &str) -> Result<bool, Error> {
        let url = self.url(&format!("{repository}/blobs/{digest}"))?;
        let answer = self.call(&push_scope(repository), Request::new(Method::HEAD, url)).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refused(answer).await),
        }
    }

    /// Uploads a blob unless the registry has it; answers whether it had to.
    pub async fn put_blob(&self, repository: &str, blob: &Descriptor, source: &Source<'_>) -> Result<bool, Error> {
        if self.has_blob(repository, &blob.digest).await? {
            return Ok(false);
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let outcome = if blob.size <= CHUNK {
                self.in_one_piece(repository, blob, source).await
            } else {
                self.in_chunks(repository, blob, source).await
            };
            let passing = match &outcome {
                Err(Error::Transport { source, .. }) => may_pass(source),
                Err(Error::Status { status, .. }) => *status == 429 || *status >= 500,
                _ => false,
            };
            if !passing || attempt >= ATTEMPTS {
                return outcome.map(|()| true);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        unreachable!("the loop ends at its last attempt")
    }

    async fn begin(&self, repository: &str) -> Result<Url, Error> {
        let url = self.url(&format!("{repository}/blobs/uploads/"))?;
        let answer = self.call(&push_scope(repository), Request::new(Method::POST, url)).await?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(refused(answer).await);
        }
        Self::location(&answer)
    }

    async fn in_one_piece(&self, repository: &str, blob: &Descriptor, source: &Source<'_>) -> Result<(), Error> {
        let place = self.begin(repository).await?;
        self.finish(repository, place, blob, source.read(0, blob.size)?).await
    }

    async fn finish(&self, repository: &str, mut place: Url, blob: &Descriptor, body: Bytes) -> Result<(), Error> {
        place.query_pairs_mut().append_pair("digest", &blob.digest);
        let mut request =
            Request::new(Method::PUT, place).header(header::CONTENT_TYPE, "application/octet-stream").body(body);
        request.repeatable = false;
        let answer = self.call(&push_scope(repository), request).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(answer).await) }
    }

    async fn in_chunks(&self, repository: &str, blob: &Descriptor, source: &Source<'_>) -> Result<(), Error> {
        let mut place = self.begin(repository).await?;
        let (mut done, mut failures) = (0, 0);
        while done < blob.size {
            let length = CHUNK.min(blob.size - done);
            let mut request = Request::new(Method::PATCH, place.clone())
                .header(header::CONTENT_TYPE, "application/octet-stream")
                .header(header::CONTENT_RANGE, &format!("{done}-{}", done + length - 1))
                .body(source.read(done, length)?);
            request.repeatable = false;
            let problem = match self.call(&push_scope(repository), request).await {
                Ok(answer) if answer.status() == StatusCode::ACCEPTED => {
                    place = Self::location(&answer)?;
                    done = received(&answer).unwrap_or(done + length);
                    continue;
                }
                Ok(answer) if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE => refused(answer).await,
                Ok(answer) => return Err(refused(answer).await),
                Err(error @ Error::Transport { .. }) => error,
                Err(error) => return Err(error),
            };
            failures += 1;
            if failures >= ATTEMPTS {
                return Err(problem);
            }
            tracing::debug!(digest = blob.digest, done, %problem, "asking where an upload stands");
            tokio::time::sleep(FIRST_PAUSE * failures).await;
            (place, done) = self.standing(repository, place).await?;
        }
        self.finish(repository, place, blob, Bytes::new()).await
    }

    /// Asks how much of an upload arrived.
    async fn standing(&self, repository: &str, place: Url) -> Result<(Url, u64), Error> {
        let answer = self.call(&push_scope(repository), Request::get(place.clone())).await?;
        if !answer.status().is_success() {
            return Err(refused(answer).await);
        }
        let done = received(&answer).unwrap_or(0);
        Ok((Self::location(&answer).unwrap_or(place), done))
    }
}

/// How many bytes a registry says it has: `Range: 0-99` is a hundred, and `0-0` is what some say of none.
fn received(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(HeaderName::from_static("range"))?.to_str().ok()?;
    let (_, last) = range.trim_start_matches("bytes=").split_once('-')?;
    let last: u64 = last.parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}
