//! Pulls: the name's manifest, the variant for this machine, its layers side by side.

use std::io::Write;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use oci_client::client::BlobResponse;
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use tokio::sync::mpsc;

use super::session::{Session, failed};
use crate::image::blobs::{BlobWriter, digest_of};
use crate::image::documents::{
    self, DOCKER_LIST, DOCKER_MANIFEST, Descriptor, Either, LONGEST_CONFIG, LONGEST_MANIFEST, Manifest, OCI_INDEX,
    OCI_MANIFEST,
};
use crate::image::layers::chain_ids;
use crate::image::layout::Layout;
use crate::image::{ImageError, ImageName, Progress, ProgressEvent, PullOptions};

const ACCEPTED: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
const PARALLEL_LAYERS: usize = 4;
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// A finished pull.
pub(in crate::image) struct Pulled {
    /// The digest of the manifest for this machine.
    pub(in crate::image) manifest: String,
    /// `repository@digest` of what the name stands for.
    pub(in crate::image) digest: String,
}

/// Brings an image into the store, its layers unpacked.
pub(in crate::image) async fn pull(
    layout: &Layout,
    name: &ImageName,
    options: &PullOptions,
    progress: &Progress<'_>,
) -> Result<Pulled, ImageError> {
    progress(ProgressEvent::Resolving);
    let session = Session::open(name, options).await?;
    let (manifest, id, listed) = resolve(layout, &session).await?;
    let config = fetch_config(layout, &session, &manifest).await?;
    progress(ProgressEvent::Layers {
        count: manifest.layers.len(),
        bytes: manifest.layers.iter().map(|layer| layer.size).sum(),
    });
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::try_join!(
        download(layout, &session, &manifest, sender, progress),
        unpack(layout, &manifest, &config.rootfs.diff_ids, receiver, progress),
    )?;
    Ok(Pulled { manifest: id, digest: name.with_digest(&listed) })
}

/// The manifest for this machine with its digest, and the digest that the name stands for.
async fn resolve(layout: &Layout, session: &Session) -> Result<(Manifest, String, String), ImageError> {
    let (bytes, listed) = fetch_manifest(session, &session.reference()).await?;
    let chosen = match documents::parse_either(&session.name.to_string(), &bytes)? {
        Either::Manifest(manifest) => return Ok((manifest, layout.put_blob(&bytes)?, listed)),
        Either::Index(index) => documents::choose(&index).cloned(),
    };
    let chosen = chosen.ok_or_else(|| ImageError::Platform {
        reference: session.name.to_string(),
        architecture: documents::architecture(),
    })?;
    let (bytes, digest) = fetch_manifest(session, &session.by_digest(&chosen.digest)).await?;
    let manifest = documents::parse_manifest(&digest, &bytes)?;
    Ok((manifest, layout.put_blob(&bytes)?, listed))
}

async fn fetch_manifest(session: &Session, reference: &oci_client::Reference) -> Result<(Vec<u8>, String), ImageError> {
    let (bytes, _) = retried(|| session.client.pull_manifest_raw(reference, &session.auth, &ACCEPTED))
        .await
        .map_err(|error| failed("pull the manifest of", reference, error))?;
    let what = format!("the manifest of {reference}");
    if bytes.len() as u64 > LONGEST_MANIFEST {
        return Err(ImageError::Document { what, problem: "it is too long".to_owned() });
    }
    let digest = digest_of(&bytes);
    match reference.digest() {
        Some(expected) if expected != digest => {
            Err(ImageError::Digest { what, found: digest, expected: expected.to_owned() })
        }
        _ => Ok((bytes.to_vec(), digest)),
    }
}

async fn fetch_config(
    layout: &Layout,
    session: &Session,
    manifest: &Manifest,
) -> Result<documents::ConfigFile, ImageError> {
    fetch_blob(layout, session, &manifest.config, &|_| ()).await?;
    let bytes = layout.read_blob(&manifest.config.digest, LONGEST_CONFIG)?;
    documents::parse_config(&manifest.config.digest, &bytes, manifest.layers.len())
}

/// Fetches the layers side by side, telling of each when it is in the store.
async fn download(
    layout: &Layout,
    session: &Session,
    manifest: &Manifest,
    finished: mpsc::UnboundedSender<usize>,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let fetch = |(at, layer): (usize, &Descriptor)| {
        let (finished, layer) = (finished.clone(), layer.clone());
        async move {
            if layout.has_blob(&layer.digest, Some(layer.size)) {
                progress(ProgressEvent::Exists { layer: layer.digest.clone() });
            } else {
                let tell = |done| {
                    progress(ProgressEvent::Transferred { layer: layer.digest.clone(), done, total: layer.size });
                };
                fetch_blob(layout, session, &layer, &tell).await?;
            }
            let _ = finished.send(at); // nobody listens any more if unpacking failed
            Ok(())
        }
    };
    let fetches: Vec<_> = manifest.layers.iter().enumerate().map(fetch).collect();
    futures::stream::iter(fetches).buffer_unordered(PARALLEL_LAYERS).try_collect::<()>().await
}

/// Unpacks each layer as soon as it and all below it are in the store.
async fn unpack(
    layout: &Layout,
    manifest: &Manifest,
    diff_ids: &[String],
    mut finished: mpsc::UnboundedReceiver<usize>,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let chain = chain_ids(diff_ids);
    let mut here = vec![false; manifest.layers.len()];
    let mut next = 0;
    while next < here.len() {
        if !here[next] {
            match finished.recv().await {
                Some(at) => here[at] = true,
                None => return Ok(()), // the download failed, and its error is the one to report
            }
            continue;
        }
        let layer = manifest.layers[next].digest.clone();
        progress(ProgressEvent::Unpacking { layer: layer.clone() });
        let (layout, diff, chain) = (layout.clone(), diff_ids[next].clone(), chain[..=next].to_vec());
        let work = tokio::task::spawn_blocking(move || layout.unpack_layer(&layer, &diff, &chain));
        match work.await {
            Ok(outcome) => outcome?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return Ok(()), // the program is shutting down
            },
        }
        next += 1;
    }
    Ok(())
}

/// Fetches one blob, going on after a broken connection where it stopped.
async fn fetch_blob(
    layout: &Layout,
    session: &Session,
    descriptor: &Descriptor,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), ImageError> {
    let wanted = OciDescriptor { digest: descriptor.digest.clone(), ..OciDescriptor::default() };
    let mut writer = BlobWriter::new(layout)?;
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match transfer(session, &wanted, descriptor, &mut writer, progress).await {
            Ok(()) => break,
            Err(Interruption::Broken(error)) if attempt < ATTEMPTS && is_passing(&error) => {
                tracing::debug!(digest = descriptor.digest, %error, "fetching a blob again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(Interruption::Broken(error)) => return Err(failed("pull", &descriptor.digest, error)),
            Err(Interruption::Disk(error)) => return Err(ImageError::file("write into", layout.ingest())(error)),
            Err(Interruption::TooLong) => {
                return Err(ImageError::Document {
                    what: format!("blob {}", descriptor.digest),
                    problem: format!("it is longer than the {} bytes its manifest says", descriptor.size),
                });
            }
        }
    }
    let layout = layout.clone();
    let digest = descriptor.digest.clone();
    let commit = tokio::task::spawn_blocking(move || writer.commit(&layout, &format!("blob {digest}"), Some(&digest)));
    match commit.await {
        Ok(outcome) => outcome.map(drop),
        Err(error) => Err(ImageError::file("write", "a blob")(std::io::Error::other(error))),
    }
}

enum Interruption {
    Broken(OciDistributionError),
    Disk(std::io::Error),
    TooLong,
}

async fn transfer(
    session: &Session,
    wanted: &OciDescriptor,
    descriptor: &Descriptor,
    writer: &mut BlobWriter,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), Interruption> {
    let reference = session.reference();
    session.client.store_auth_if_needed(reference.resolve_registry(), &session.auth).await;
    let response = if writer.size() == 0 {
        session.client.pull_blob_stream(&reference, wanted).await.map(BlobResponse::Full)
    } else {
        session.client.pull_blob_stream_partial(&reference, wanted, writer.size(), None).await
    };
    let mut stream = match response.map_err(Interruption::Broken)? {
        BlobResponse::Partial(stream) => stream,
        BlobResponse::Full(stream) => {
            writer.restart().map_err(Interruption::Disk)?;
            stream
        }
    };
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| Interruption::Broken(OciDistributionError::IoError(error)))?;
        if writer.size() + bytes.len() as u64 > descriptor.size {
            return Err(Interruption::TooLong);
        }
        writer.write_all(&bytes).map_err(Interruption::Disk)?;
        progress(writer.size());
    }
    if writer.size() < descriptor.size {
        let short = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the connection ended early");
        return Err(Interruption::Broken(OciDistributionError::IoError(short)));
    }
    Ok(())
}

/// Whether trying again may help.
fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::IoError(error) => {
            error.get_ref().is_none_or(|cause| !cause.is::<oci_client::errors::DigestError>())
        }
        OciDistributionError::RequestError(error) => {
            error.status().is_none_or(|status| status.is_server_error() || status.as_u16() == 429)
        }
        OciDistributionError::ServerError { code, .. } => *code >= 500 || *code == 429,
        _ => false,
    }
}

async fn retried<T, F>(mut request: impl FnMut() -> F) -> Result<T, OciDistributionError>
where
    F: Future<Output = Result<T, OciDistributionError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match request().await {
            Err(error) if is_passing(&error) => {
                tracing::debug!(%error, "asking the registry again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
    request().await
}
