//! cosign's signatures with a key, kept where cosign keeps them: at the tag `sha256-....sig` beside what is signed.

mod key;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use key::{PublicKey, SigningKey};

use crate::Error;
use crate::oci::Reference;
use crate::oci::{Descriptor, MANIFEST, Manifest, Registry, Source};

/// What is signed: a short document that names a digest.
const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const SIGNATURE_NOTE: &str = "dev.cosignproject.cosign/signature";
const LONGEST_PAYLOAD: u64 = 1 << 20;
/// More signatures than this are not looked at.
const MAX_SIGNATURES: usize = 100;

/// The tag at which signatures of a digest are.
fn tag(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

fn payload(reference: &Reference, digest: &str) -> Vec<u8> {
    let document = json!({
        "critical": {
            "identity": { "docker-reference": reference.place() },
            "image": { "docker-manifest-digest": digest },
            "type": "cosign container image signature",
        },
        "optional": null,
    });
    document.to_string().into_bytes()
}

/// Signs what a digest names, beside the signatures that are there.
pub async fn sign(registry: &Registry, reference: &Reference, digest: &str, key: &SigningKey) -> Result<(), Error> {
    let repository = &reference.repository;
    let bytes = payload(reference, digest);
    let signature = STANDARD.encode(key.sign(&bytes)?);
    let layer = Descriptor::of(PAYLOAD_TYPE, &bytes).annotated(SIGNATURE_NOTE, &signature);
    let mut layers = match registry.manifest(&reference.with_tag(&tag(digest))).await {
        Ok((bytes, _)) => Manifest::parse("the signatures", &bytes)?.layers,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    registry.put_blob(repository, &layer, &Source::Bytes(bytes.into())).await?;
    // Signing twice with one key leaves one signature that holds, not ever more of them.
    let public = key.public();
    layers.retain(|known| known.digest != layer.digest || !fits(&public, known, &payload(reference, digest)));
    layers.push(layer);
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let config = json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "history": diff_ids.iter().map(|_| json!({ "created": "0001-01-01T00:00:00Z" })).collect::<Vec<_>>(),
        "os": "",
        "rootfs": { "diff_ids": diff_ids, "type": "layers" },
    });
    let config = config.to_string().into_bytes();
    let descriptor = Descriptor::of(CONFIG_TYPE, &config);
    registry.put_blob(repository, &descriptor, &Source::Bytes(config.into())).await?;
    let manifest = Manifest::new(descriptor, layers, BTreeMap::new()).to_bytes();
    registry.put_manifest(repository, &tag(digest), MANIFEST, manifest).await?;
    Ok(())
}

fn fits(key: &PublicKey, layer: &Descriptor, payload: &[u8]) -> bool {
    let signature = layer.annotations.get(SIGNATURE_NOTE).and_then(|text| STANDARD.decode(text).ok());
    signature.is_some_and(|signature| key.verify(payload, &signature))
}

/// Checks that a key signed what a digest names. No signature, a wrong one and one of something else are errors.
pub async fn verify(registry: &Registry, reference: &Reference, digest: &str, key: &PublicKey) -> Result<(), Error> {
    let distrust = |problem: String| Error::Signature { what: format!("{}@{digest}", reference.place()), problem };
    let manifest = match registry.manifest(&reference.with_tag(&tag(digest))).await {
        Ok((bytes, _)) => Manifest::parse("the signatures", &bytes)?,
        Err(error) if error.is_not_found() => return Err(distrust("it has no signatures".to_owned())),
        Err(error) => return Err(error.into()),
    };
    let mut problem = "none of its signatures is of this key".to_owned();
    for layer in manifest.layers.iter().filter(|layer| layer.media_type == PAYLOAD_TYPE).take(MAX_SIGNATURES) {
        let bytes = registry.blob_bytes(&reference.repository, layer, LONGEST_PAYLOAD).await?;
        if !fits(key, layer, &bytes) {
            continue;
        }
        let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if document["critical"]["image"]["docker-manifest-digest"] == digest
            && document["critical"]["type"] == "cosign container image signature"
        {
            return Ok(());
        }
        "a signature of this key is one of something else".clone_into(&mut problem);
    }
    Err(distrust(problem))
}
