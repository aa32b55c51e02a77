//! Pulls: the name's manifest, the variant for this machine, its layers side by side and unpacked as they come.

use std::io;

use futures::{StreamExt, TryStreamExt};
use kpkg_oci::Reference;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::session::{Session, failed};
use crate::image::arrival::{Arrival, Arriving};
use crate::image::documents::{self, Descriptor, Document, LONGEST_CONFIG, Manifest};
use crate::image::layers::chain_ids;
use crate::image::layout::Layout;
use crate::image::{ImageError, ImageName, Progress, ProgressEvent, PullOptions};

const PARALLEL_LAYERS: usize = 4;

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
    check_types(&id, &manifest)?;
    let config = fetch_config(layout, &session, &manifest).await?;
    progress(ProgressEvent::Layers {
        count: manifest.layers.len(),
        bytes: manifest.layers.iter().map(|layer| layer.size).sum(),
    });
    let (senders, receivers): (Vec<_>, Vec<_>) = manifest.layers.iter().map(|_| oneshot::channel()).unzip();
    // Both are waited for, so that nothing is left at work when this ends.
    let stop = CancellationToken::new();
    let (downloaded, unpacked) =
        tokio::join!(stop.run_until_cancelled(download(layout, &session, &manifest, senders, progress)), async {
            let outcome = unpack(layout, &manifest, &config.rootfs.diff_ids, receivers, progress).await;
            if outcome.is_err() {
                stop.cancel();
            }
            outcome
        },);
    downloaded.unwrap_or(Ok(()))?;
    unpacked?;
    Ok(Pulled { manifest: id, digest: name.with_digest(&listed) })
}

/// The manifest for this machine with its digest, and the digest that the name stands for.
async fn resolve(layout: &Layout, session: &Session) -> Result<(Manifest, String, String), ImageError> {
    let (bytes, listed) = fetch_manifest(session, &session.reference()).await?;
    let chosen = match documents::parse(&session.name.to_string(), &bytes)? {
        Document::Manifest(manifest) => return Ok((manifest, layout.put_blob(&bytes)?, listed)),
        Document::Index(index) => documents::choose(&index).cloned(),
    };
    let chosen = chosen.ok_or_else(|| ImageError::Platform {
        reference: session.name.to_string(),
        architecture: documents::architecture(),
    })?;
    let (bytes, digest) = fetch_manifest(session, &session.by_digest(&chosen.digest)).await?;
    let manifest = documents::parse_manifest(&digest, &bytes)?;
    Ok((manifest, layout.put_blob(&bytes)?, listed))
}

/// Charts and other things lie in registries too, under manifests that look like an image's.
fn check_types(id: &str, manifest: &Manifest) -> Result<(), ImageError> {
    const LAYERS: [&str; 2] = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];
    let is_layer = |layer: &&Descriptor| LAYERS.iter().any(|start| layer.media_type.starts_with(start));
    match manifest.layers.iter().find(|layer| !is_layer(layer)) {
        None => Ok(()),
        Some(other) => Err(ImageError::Document {
            what: format!("manifest {id}"),
            problem: format!("`{}` is not the type of an image's layer", other.media_type.escape_debug()),
        }),
    }
}

/// The bytes have the digest that comes with them, and the one that was asked for if one was.
async fn fetch_manifest(session: &Session, reference: &Reference) -> Result<(Vec<u8>, String), ImageError> {
    let answer = session.registry.manifest(reference).await;
    let (bytes, digest) = answer.map_err(|error| failed("pull the manifest of", reference, error))?;
    Ok((bytes.into(), digest))
}

async fn fetch_config(
    layout: &Layout,
    session: &Session,
    manifest: &Manifest,
) -> Result<documents::ConfigFile, ImageError> {
    if !layout.has_blob(&manifest.config.digest, Some(manifest.config.size)) {
        fetch_blob(layout, session, &manifest.config, Arriving::new(layout)?, &|_| ()).await?;
    }
    let bytes = layout.read_blob(&manifest.config.digest, LONGEST_CONFIG)?;
    documents::parse_config(&manifest.config.digest, &bytes, manifest.layers.len())
}

/// Where the bytes of a layer are.
enum Layer {
    Stored,
    Coming(Arrival),
}

/// Fetches the layers side by side, telling of each where to read it as soon as it begins to come.
async fn download(
    layout: &Layout,
    session: &Session,
    manifest: &Manifest,
    begun: Vec<oneshot::Sender<Layer>>,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let fetch = |(layer, begun): (&Descriptor, oneshot::Sender<Layer>)| {
        let layer = layer.clone();
        async move {
            // Nobody listens any more if unpacking failed.
            if layout.has_blob(&layer.digest, Some(layer.size)) {
                let _ = begun.send(Layer::Stored);
                progress(ProgressEvent::Exists { layer: layer.digest });
                return Ok(());
            }
            let arriving = Arriving::new(layout)?;
            let reader = arriving.reader().map_err(ImageError::file("read", layout.ingest()))?;
            let _ = begun.send(Layer::Coming(reader));
            let tell = |done| {
                progress(ProgressEvent::Transferred { layer: layer.digest.clone(), done, total: layer.size });
            };
            fetch_blob(layout, session, &layer, arriving, &tell).await
        }
    };
    let fetches: Vec<_> = manifest.layers.iter().zip(begun).map(fetch).collect();
    futures::stream::iter(fetches).buffer_unordered(PARALLEL_LAYERS).try_collect::<()>().await
}

/// Unpacks each layer while it comes, once all below it are there.
async fn unpack(
    layout: &Layout,
    manifest: &Manifest,
    diff_ids: &[String],
    begun: Vec<oneshot::Receiver<Layer>>,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let chain = chain_ids(diff_ids);
    for (at, begun) in begun.into_iter().enumerate() {
        // Where a download fails, its error is the one to report.
        let Ok(source) = begun.await else { return Ok(()) };
        let layer = manifest.layers[at].digest.clone();
        progress(ProgressEvent::Unpacking { layer: layer.clone() });
        let (layout, diff, chain) = (layout.clone(), diff_ids[at].clone(), chain[..=at].to_vec());
        let work = tokio::task::spawn_blocking(move || match source {
            Layer::Stored => layout.unpack_layer(&layer, &diff, &chain),
            Layer::Coming(reader) => {
                let has_failed = reader.failure();
                match layout.unpack_layer_of(reader, &layer, &diff, &chain) {
                    Err(_) if has_failed() => Ok(()),
                    outcome => outcome,
                }
            }
        });
        match work.await {
            Ok(outcome) => outcome?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return Ok(()), // the program is shutting down
            },
        }
    }
    Ok(())
}

/// Fetches one blob; the registry's client goes on after a broken connection, and checks what came.
async fn fetch_blob(
    layout: &Layout,
    session: &Session,
    descriptor: &Descriptor,
    arriving: Arriving,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), ImageError> {
    let outcome = session.registry.blob(&session.name.repository, descriptor, arriving, progress).await;
    let arrived = outcome.map_err(|error| match error {
        kpkg_oci::Error::Sink { source, .. } => ImageError::file("write into", layout.ingest())(source),
        error => failed("pull", &descriptor.digest, error),
    })?;
    // Whoever reads along may end while the disk is waited for.
    let Some(file) = arrived.checked() else { return Ok(()) };
    let (layout, digest) = (layout.clone(), descriptor.digest.clone());
    match tokio::task::spawn_blocking(move || file.place(&layout, &digest)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(ImageError::file("write", "a blob")(io::Error::other(error))),
    }
}
