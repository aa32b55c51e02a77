//! Pushes: blobs that the registry lacks, then the manifest.

use futures::{StreamExt, TryStreamExt};
use kpkg_oci::Source;

use super::session::{Session, failed};
use crate::image::documents::{Descriptor, LONGEST_MANIFEST, OCI_MANIFEST, parse_manifest};
use crate::image::layout::Layout;
use crate::image::{ImageError, ImageName, Progress, ProgressEvent, PullOptions};

const PARALLEL_LAYERS: usize = 3;

/// Sends the image with this manifest; answers the manifest's digest.
pub(in crate::image) async fn push(
    layout: &Layout,
    name: &ImageName,
    manifest: &str,
    options: &PullOptions,
    progress: &Progress<'_>,
) -> Result<String, ImageError> {
    let session = Session::open(name, options).await?;
    let reference = session.reference();
    let bytes = layout.read_blob(manifest, LONGEST_MANIFEST)?;
    let document = parse_manifest(manifest, &bytes)?;
    progress(ProgressEvent::Layers {
        count: document.layers.len(),
        bytes: document.layers.iter().map(|layer| layer.size).sum(),
    });
    let blobs: Vec<Descriptor> = document.layers.iter().chain([&document.config]).cloned().collect();
    let sends: Vec<_> = blobs.iter().map(|blob| send(layout, &session, blob, progress)).collect();
    futures::stream::iter(sends).buffer_unordered(PARALLEL_LAYERS).try_collect::<()>().await?;
    let media_type = match document.media_type.as_str() {
        "" => OCI_MANIFEST,
        known => known,
    };
    session
        .registry
        .put_manifest(&reference.repository, reference.wanted(), media_type, bytes)
        .await
        .map_err(|error| failed("push the manifest of", name, error))
}

async fn send(
    layout: &Layout,
    session: &Session,
    blob: &Descriptor,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let (path, file) = layout.open_blob(&blob.digest)?;
    let source = Source::File { file: &file, path: &path, offset: 0 };
    let sent = session.registry.put_blob(&session.name.repository, blob, &source).await;
    let sent = sent.map_err(|error| failed("push a layer to", &session.name, error))?;
    let (layer, done, total) = (blob.digest.clone(), blob.size, blob.size);
    progress(if sent { ProgressEvent::Transferred { layer, done, total } } else { ProgressEvent::Exists { layer } });
    Ok(())
}
