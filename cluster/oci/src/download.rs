//! Downloads: blobs that go on where a broken connection left them, checked as they come.

use std::io::Write;
use std::time::Duration;

use http::StatusCode;
use http::header;

use crate::Error;
use crate::inflow::Inflow;
use crate::manifest::Descriptor;
use crate::registry::{Registry, pull_scope};
use crate::transport::{Request, may_pass, refused};

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// So much of a blob forgives earlier failures: a long download over a bad line ends some day.
const FORGIVING: u64 = 4 << 20;

impl Registry {
    /// Writes a blob to `sink`, on a thread of its own, and hands the sink back; wrong contents are an error, and so
    /// is what cannot be written. `progress` is told how much has come.
    pub async fn blob<S: Write + Send + 'static>(
        &self,
        repository: &str,
        wanted: &Descriptor,
        sink: S,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<S, Error> {
        let mut inflow = Inflow::new(sink);
        let outcome = self.fill(&mut inflow, repository, wanted, progress).await;
        let what = || format!("{}/{repository}@{}", self.host, wanted.digest);
        if let Err(error) = outcome {
            let lost = inflow.stop().await;
            return Err(lost.map_or(error, |source| Error::Sink { what: what(), source }));
        }
        let done = inflow.size();
        let (sink, found) = inflow.finish().await.map_err(|source| Error::Sink { what: what(), source })?;
        if done != wanted.size || found != wanted.digest {
            let what = format!("a blob of {}/{repository} ({done} bytes of {})", self.host, wanted.size);
            return Err(Error::Digest { what, found, expected: wanted.digest.clone() });
        }
        Ok(sink)
    }

    /// Asks until everything came.
    async fn fill<S: Write + Send + 'static>(
        &self,
        inflow: &mut Inflow<S>,
        repository: &str,
        wanted: &Descriptor,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let mut failures = 0;
        loop {
            let before = inflow.size();
            let outcome = self.transfer(repository, wanted, inflow, progress).await;
            let done = inflow.size();
            failures = if done - before >= FORGIVING { 1 } else { failures + 1 };
            match outcome {
                // Some servers end a broken answer as if it were whole.
                Ok(()) if done < wanted.size && done > before && failures < ATTEMPTS => {}
                Ok(()) => return Ok(()),
                Err(Error::Transport { source, .. }) if failures < ATTEMPTS && may_pass(&source) => {}
                Err(error) => return Err(error),
            }
            tracing::debug!(digest = wanted.digest, done, "going on with a blob");
            tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(failures - 1)).await;
        }
    }

    /// What one answer brings.
    async fn transfer<S: Write + Send + 'static>(
        &self,
        repository: &str,
        wanted: &Descriptor,
        inflow: &mut Inflow<S>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Error> {
        let what = || format!("{}/{repository}@{}", self.host, wanted.digest);
        let begun = inflow.size();
        let mut request = Request::get(self.url(&format!("{repository}/blobs/{}", wanted.digest))?);
        if begun > 0 {
            request = request.header(header::RANGE, &format!("bytes={begun}-"));
        }
        let mut answer = self.call(&pull_scope(repository), request).await?;
        // A registry that knows no ranges sends everything: what is here already is skipped.
        let mut skip = if answer.status() == StatusCode::PARTIAL_CONTENT { 0 } else { begun };
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => {}
            StatusCode::NOT_FOUND => return Err(Error::NotFound { what: what() }),
            _ => return Err(refused(answer).await),
        }
        let broken = |source: reqwest::Error| Error::Transport { url: what(), source: source.without_url() };
        while let Some(mut chunk) = answer.chunk().await.map_err(broken)? {
            if skip > 0 {
                let drop = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
                skip -= drop as u64;
                chunk = chunk.slice(drop..);
            }
            if inflow.size() + chunk.len() as u64 > wanted.size {
                return Err(Error::TooLarge { what: what(), limit: wanted.size });
            }
            if inflow.take(&chunk).await.is_break() {
                return Err(stopped(what()));
            }
            progress(inflow.size());
        }
        Ok(())
    }

    /// A blob that fits in memory.
    pub async fn blob_bytes(&self, repository: &str, wanted: &Descriptor, limit: u64) -> Result<Vec<u8>, Error> {
        if wanted.size > limit {
            return Err(Error::TooLarge { what: format!("{}/{repository}@{}", self.host, wanted.digest), limit });
        }
        // What the manifest claims is not trusted with memory before the bytes are there.
        self.blob(repository, wanted, Vec::new(), &|_| ()).await
    }
}

/// What stands for the writer's own error until that is asked for.
fn stopped(what: String) -> Error {
    Error::Sink { what, source: std::io::ErrorKind::Interrupted.into() }
}
