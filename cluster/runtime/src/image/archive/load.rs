//! Reads an archive once, storing everything by digest, then finds the images in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use super::{BLOBS, DOCKER_MANIFEST, DockerImage, INDEX, NAME_ANNOTATION, REF_ANNOTATION};
use crate::image::blobs::BlobWriter;
use crate::image::documents::{
    self, Descriptor, Document, LONGEST_CONFIG, LONGEST_MANIFEST, Manifest, OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
};
use crate::image::import::to_json;
use crate::image::layers::decompress;
use crate::image::layout::Layout;
use crate::image::store::unpack_all;
use crate::image::{ImageError, ImageName};

const MOST_ENTRIES: usize = 100_000;
const MOST_BYTES: u64 = 256 << 30;
const DEEPEST_INDEX: usize = 4;
/// The repository of images that the archive gives no name.
const NAMELESS: &str = "localhost/loaded";

/// Stores the archive's images with their names; answers their manifests' digests.
pub(in crate::image) fn load(layout: &Layout, path: &Path) -> Result<Vec<String>, ImageError> {
    let contents = Contents::read(layout, path)?;
    let found = contents.images(layout, path)?;
    for image in &found {
        unpack_all(layout, &image.manifest)?;
    }
    for image in &found {
        let mut names: Vec<ImageName> = image.names.iter().filter_map(|name| name.parse().ok()).collect();
        if names.is_empty() {
            names.push(format!("{NAMELESS}@{}", image.manifest).parse()?);
        }
        for name in names {
            layout.put_name(&name, &image.manifest, None)?;
        }
    }
    Ok(found.into_iter().map(|image| image.manifest).collect())
}

struct Found {
    manifest: String,
    names: Vec<String>,
}

/// What an archive holds, all of it stored.
#[derive(Default)]
struct Contents {
    /// Digest and size by normalised path.
    files: HashMap<String, (String, u64)>,
    /// Links between files, as old versions of Docker wrote equal layers.
    links: HashMap<String, String>,
}

impl Contents {
    fn read(layout: &Layout, path: &Path) -> Result<Self, ImageError> {
        let broken = |source: io::Error| ImageError::file("read", path)(source);
        let plain = File::open(path).and_then(decompress).map_err(broken)?;
        let mut archive = tar::Archive::new(plain.take(MOST_BYTES));
        let mut contents = Self::default();
        for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
            let mut entry = entry.map_err(broken)?;
            let Some(name) = normal(&entry.path().map_err(broken)?) else { continue };
            if count > MOST_ENTRIES {
                return Err(broken(io::Error::other("too many entries")));
            }
            match entry.header().entry_type() {
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let file = store(layout, &mut entry, &name, path)?;
                    contents.files.insert(name, file);
                }
                tar::EntryType::Symlink | tar::EntryType::Link => {
                    let target = entry.link_name().map_err(broken)?.unwrap_or_default();
                    let base = match entry.header().entry_type() {
                        tar::EntryType::Symlink => Path::new(&name).parent().unwrap_or(Path::new("")),
                        _ => Path::new(""),
                    };
                    contents.links.extend(normal(&base.join(target)).map(|target| (name, target)));
                }
                _ => {}
            }
        }
        Ok(contents)
    }

    fn file(&self, name: &str) -> Option<&(String, u64)> {
        let name = normal(Path::new(name))?;
        self.files.get(&name).or_else(|| self.files.get(self.links.get(&name)?))
    }

    fn document(&self, layout: &Layout, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some((digest, _)) = self.file(name) else { return Ok(None) };
        layout.read_blob(digest, LONGEST_MANIFEST).map(Some)
    }

    fn images(&self, layout: &Layout, path: &Path) -> Result<Vec<Found>, ImageError> {
        let docker: Vec<DockerImage> = match self.document(layout, DOCKER_MANIFEST)? {
            None => Vec::new(),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| ImageError::Document {
                what: DOCKER_MANIFEST.to_owned(),
                problem: error.to_string(),
            })?,
        };
        let mut found = Vec::new();
        if let Some(bytes) = self.document(layout, INDEX)? {
            self.indexed(layout, &bytes, &docker, None, DEEPEST_INDEX, &mut found)?;
        } else {
            for image in &docker {
                found.push(self.docker_image(layout, image)?);
            }
        }
        if found.is_empty() { Err(ImageError::Archive { path: path.to_owned() }) } else { Ok(found) }
    }

    /// The images of an index; an index within it is one image in several variants.
    fn indexed(
        &self,
        layout: &Layout,
        bytes: &[u8],
        docker: &[DockerImage],
        name: Option<&str>,
        depth: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), ImageError> {
        let Document::Index(index) = documents::parse(INDEX, bytes)? else {
            return Err(ImageError::Document { what: INDEX.to_owned(), problem: "it is not an index".to_owned() });
        };
        let inner = name.is_some() || depth < DEEPEST_INDEX;
        let chosen: Vec<&Descriptor> =
            if inner { documents::choose(&index).into_iter().collect() } else { index.manifests.iter().collect() };
        for child in chosen {
            let own = child.annotations.get(NAME_ANNOTATION).or_else(|| child.annotations.get(REF_ANNOTATION));
            let name = name.or(own.map(String::as_str));
            let Some((digest, _)) = self.file(&format!("{BLOBS}{}", crate::image::layout::hex_of(&child.digest)?))
            else {
                continue; // a variant that was left out
            };
            let bytes = layout.read_blob(digest, LONGEST_MANIFEST)?;
            match documents::parse(digest, &bytes)? {
                Document::Index(_) if depth > 0 => self.indexed(layout, &bytes, docker, name, depth - 1, found)?,
                Document::Index(_) => {}
                // Layouts hold other things too, such as the charts of bundles.
                Document::Manifest(manifest) if !is_image(&manifest.config.media_type) => {}
                Document::Manifest(manifest) => found.push(found_in_index(digest, &manifest, docker, name)),
            }
        }
        Ok(())
    }

    fn docker_image(&self, layout: &Layout, image: &DockerImage) -> Result<Found, ImageError> {
        let missing = |what: &str| ImageError::Document {
            what: DOCKER_MANIFEST.to_owned(),
            problem: format!("it names `{what}`, which is not in the archive"),
        };
        let (config, size) = self.file(&image.config).ok_or_else(|| missing(&image.config))?;
        layout.read_blob(config, LONGEST_CONFIG)?;
        let mut layers = Vec::with_capacity(image.layers.len());
        for name in &image.layers {
            let (digest, size) = self.file(name).ok_or_else(|| missing(name))?;
            layers.push(Descriptor::new(layer_type(layout, digest)?, digest.clone(), *size));
        }
        let config = Descriptor::new(OCI_CONFIG, config.clone(), *size);
        let manifest = Manifest::new(config, layers, std::collections::BTreeMap::new());
        let manifest = layout.put_blob(&to_json(&manifest)?)?;
        Ok(Found { manifest, names: image.repo_tags.clone().unwrap_or_default() })
    }
}

/// Whether a configuration of this type is an image's.
fn is_image(media_type: &str) -> bool {
    media_type.is_empty() || media_type.contains(".image.")
}

fn found_in_index(digest: &str, manifest: &Manifest, docker: &[DockerImage], name: Option<&str>) -> Found {
    let of_docker = docker.iter().filter(|image| manifest.config.digest.ends_with(config_hex(&image.config)));
    let mut names: Vec<String> = of_docker.flat_map(|image| image.repo_tags.clone().unwrap_or_default()).collect();
    // A bare tag (`latest`) is no name.
    if let Some(name) = name.filter(|name| name.contains([':', '/'])).filter(|_| names.is_empty()) {
        names.push(name.to_owned());
    }
    Found { manifest: digest.to_owned(), names }
}

/// The digest in a path like `blobs/sha256/abc` or `abc.json`.
fn config_hex(path: &str) -> &str {
    let base = path.rsplit('/').next().unwrap_or(path);
    base.strip_suffix(".json").unwrap_or(base)
}

fn layer_type(layout: &Layout, digest: &str) -> Result<&'static str, ImageError> {
    let (path, mut file) = layout.open_blob(digest)?;
    let mut magic = [0; 4];
    let length = file.read(&mut magic).map_err(ImageError::file("read", path))?;
    Ok(match &magic[..length] {
        [0x1f, 0x8b, ..] => OCI_LAYER_GZIP,
        [0x28, 0xb5, 0x2f, 0xfd] => OCI_LAYER_ZSTD,
        _ => OCI_LAYER,
    })
}

fn store(layout: &Layout, entry: &mut impl Read, name: &str, path: &Path) -> Result<(String, u64), ImageError> {
    let mut writer = BlobWriter::new(layout)?;
    io::copy(entry, &mut writer).map_err(ImageError::file("read", path))?;
    let expected = name.strip_prefix(BLOBS).filter(|hex| crate::image::reference::is_sha256(hex));
    writer.commit(layout, &format!("{name} in the archive"), expected.map(|hex| format!("sha256:{hex}")).as_deref())
}

/// A path without `.`, `..` and a leading `/`; `None` if it climbs out.
fn normal(path: &Path) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir => {
                parts.pop()?;
            }
            _ => {}
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
