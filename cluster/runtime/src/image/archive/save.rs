//! Writes images as one tar that is both an OCI layout and a docker archive.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::{BLOBS, DOCKER_MANIFEST, DockerImage, INDEX, LAYOUT, NAME_ANNOTATION, REF_ANNOTATION};
use crate::image::documents::{Descriptor, Index, OCI_INDEX, OCI_MANIFEST};
use crate::image::import::to_json;
use crate::image::layout::{Layout, hex_of};
use crate::image::store::read_documents;
use crate::image::{Image, ImageError, ImageName};

const LAYOUT_DOCUMENT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Writes `images`, each under the name at the same place in `names`.
pub(in crate::image) fn save(
    layout: &Layout,
    images: &[Image],
    names: &[Option<ImageName>],
    path: &Path,
) -> Result<(), ImageError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = tempfile::Builder::new().prefix(".kpkg-save-").tempfile_in(directory);
    let unfinished = unfinished.map_err(ImageError::file("write", path))?;
    let mut archive = tar::Builder::new(BufWriter::new(unfinished.as_file()));
    let mut blobs: BTreeSet<String> = BTreeSet::new();
    let mut index = Index { schema_version: 2, media_type: OCI_INDEX.to_owned(), manifests: Vec::new() };
    let mut docker: Vec<DockerImage> = Vec::new();
    for (image, name) in images.iter().zip(names) {
        let (manifest, _) = read_documents(layout, &image.manifest)?;
        let tagged = name.as_ref().and_then(ImageName::tagged);
        let size = layout.blob(&image.manifest)?.metadata().map_err(ImageError::file("read", &image.manifest))?.len();
        let mut entry = Descriptor::new(OCI_MANIFEST, image.manifest.clone(), size);
        if let Some(tagged) = &tagged {
            entry.annotations.insert(NAME_ANNOTATION.to_owned(), tagged.clone());
            let tag = tagged.rsplit(':').next().unwrap_or_default();
            entry.annotations.insert(REF_ANNOTATION.to_owned(), tag.to_owned());
        }
        index.manifests.push(entry);
        let blob_path = |digest: &str| hex_of(digest).map(|hex| format!("{BLOBS}{hex}"));
        docker.push(DockerImage {
            config: blob_path(&manifest.config.digest)?,
            repo_tags: Some(tagged.into_iter().collect()),
            layers: manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect::<Result<_, _>>()?,
        });
        blobs.insert(image.manifest.clone());
        blobs.insert(manifest.config.digest);
        blobs.extend(manifest.layers.into_iter().map(|layer| layer.digest));
    }
    for digest in &blobs {
        let (source, mut file) = layout.open_blob(digest)?;
        let size = file.metadata().map_err(ImageError::file("read", &source))?.len();
        append(&mut archive, &format!("{BLOBS}{}", hex_of(digest)?), size, &mut file)
            .map_err(ImageError::file("write", path))?;
    }
    for (name, document) in
        [(LAYOUT, LAYOUT_DOCUMENT.to_vec()), (INDEX, to_json(&index)?), (DOCKER_MANIFEST, to_json(&docker)?)]
    {
        append(&mut archive, name, document.len() as u64, &mut &document[..])
            .map_err(ImageError::file("write", path))?;
    }
    finish(archive).map_err(ImageError::file("write", path))?;
    unfinished.persist(path).map_err(|error| ImageError::file("write", path)(error.error))?;
    Ok(())
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, size: u64, content: &mut dyn Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    archive.append_data(&mut header, name, content)
}

fn finish(archive: tar::Builder<BufWriter<&File>>) -> io::Result<()> {
    let writer = archive.into_inner()?;
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
