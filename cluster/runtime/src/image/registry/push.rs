//! Pushes: blobs that the registry lacks, then the manifest.

use futures::{StreamExt, TryStreamExt};
use http::HeaderValue;
use oci_client::RegistryOperation;
use tokio_util::io::ReaderStream;

use super::session::{Session, failed};
use crate::image::documents::{Descriptor, LONGEST_MANIFEST, OCI_MANIFEST, parse_manifest};
use crate::image::layout::Layout;
use crate::image::{ImageError, ImageName, Progress, ProgressEvent, PullOptions};

const PARALLEL_LAYERS: usize = 3;
const CHUNK: usize = 256 << 10;

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
    session
        .client
        .auth(&reference, &session.auth, RegistryOperation::Push)
        .await
        .map_err(|error| failed("log in to push", name, error))?;
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
    let media_type = HeaderValue::from_str(media_type)
        .map_err(|error| ImageError::Document { what: manifest.to_owned(), problem: error.to_string() })?;
    session
        .client
        .push_manifest_raw(&reference, bytes, media_type)
        .await
        .map_err(|error| failed("push the manifest of", name, error))?;
    Ok(manifest.to_owned())
}

async fn send(
    layout: &Layout,
    session: &Session,
    blob: &Descriptor,
    progress: &Progress<'_>,
) -> Result<(), ImageError> {
    let reference = session.reference();
    let is_there = session.client.blob_exists(&reference, &blob.digest).await;
    if is_there.map_err(|error| failed("push to", &session.name, error))? {
        progress(ProgressEvent::Exists { layer: blob.digest.clone() });
        return Ok(());
    }
    let (path, file) = layout.open_blob(&blob.digest)?;
    drop(path);
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), CHUNK)
        .map_err(oci_client::errors::OciDistributionError::IoError);
    session
        .client
        .push_blob_stream(&reference, stream, &blob.digest, Some(blob.size))
        .await
        .map_err(|error| failed("push a layer to", &session.name, error))?;
    progress(ProgressEvent::Transferred { layer: blob.digest.clone(), done: blob.size, total: blob.size });
    Ok(())
}
