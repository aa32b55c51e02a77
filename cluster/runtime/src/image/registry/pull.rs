//! Pulls: the name's manifest, the variant for this machine, its layers side by side.

use std::io::{self, Write};

use futures::{StreamExt, TryStreamExt};
use kpkg_oci::Reference;
use tokio::sync::mpsc;

use super::session::{Session, failed};
use crate::image::blobs::BlobFile;
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
        fetch_blob(layout, session, &manifest.config, &|_| ()).await?;
    }
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

/// Fetches one blob; the registry's client goes on after a broken connection, and checks what came.
async fn fetch_blob(
    layout: &Layout,
    session: &Session,
    descriptor: &Descriptor,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), ImageError> {
    let mut sink = Telling { file: BlobFile::new(layout)?, progress };
    let outcome = session.registry.blob(&session.name.repository, descriptor, &mut sink).await;
    outcome.map_err(|error| match error {
        kpkg_oci::Error::Sink { source, .. } => ImageError::file("write into", layout.ingest())(source),
        error => failed("pull", &descriptor.digest, error),
    })?;
    let (layout, digest, file) = (layout.clone(), descriptor.digest.clone(), sink.file);
    match tokio::task::spawn_blocking(move || file.place(&layout, &digest)).await {
        Ok(outcome) => outcome,
        Err(error) => Err(ImageError::file("write", "a blob")(io::Error::other(error))),
    }
}

/// A blob's file that tells how long it has become.
struct Telling<'a> {
    file: BlobFile,
    progress: &'a (dyn Fn(u64) + Send + Sync),
}

impl Write for Telling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        (self.progress)(self.file.size());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
