//! Pods made from a template.

use k8s_openapi::{
    api::core::v1::{Pod, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use rand::RngExt;

/// The characters of generated names: no vowels, nothing that looks like another.
pub(crate) const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
const LONGEST_NAME: usize = 63;

/// A pod of `template` in `namespace`, owned by `owner`; it has no name yet.
pub(crate) fn pod(template: &PodTemplateSpec, namespace: &str, owner: OwnerReference) -> Pod {
    let meta = template.metadata.clone().unwrap_or_default();
    Pod {
        metadata: ObjectMeta {
            namespace: Some(namespace.to_owned()),
            labels: meta.labels,
            annotations: meta.annotations,
            finalizers: meta.finalizers,
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        status: None,
    }
}

/// A name that starts with `prefix` and that nobody has, by all likelihood.
pub(crate) fn random_name(prefix: &str, random: &mut impl rand::Rng) -> String {
    let mut name: String = prefix.chars().take(LONGEST_NAME - SUFFIX).collect();
    name.extend((0..SUFFIX).map(|_| char::from(SAFE[random.random_range(0..SAFE.len())])));
    name
}

/// A hash as it may stand in names and labels: as many characters as `hash` has decimal digits.
pub(crate) fn safe_hash(hash: u32) -> String {
    hash.to_string().bytes().map(|digit| char::from(SAFE[usize::from(digit) % SAFE.len()])).collect()
}

/// The 32-bit FNV-1a hash.
pub(crate) fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_enough_and_safe() {
        let mut random = rand::rng();
        let name = random_name(&"a".repeat(80), &mut random);
        assert_eq!(name.len(), LONGEST_NAME);
        let name = random_name("web-", &mut random);
        assert!(name.starts_with("web-") && name.len() == 9);
        assert!(name[4..].bytes().all(|byte| SAFE.contains(&byte)), "{name}");
    }

    #[test]
    fn hashes_look_like_kubernetes_own() {
        // FNV-1a of "a" is 0xe40c292c, 3826002220 in decimal.
        assert_eq!(fnv1a(b"a"), 3_826_002_220);
        assert_eq!(safe_hash(3_826_002_220), "7d6b446664");
    }
}
