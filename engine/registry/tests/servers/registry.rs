//! Debian's registry: pushed is pulled, by tag and digest, with and without TLS and logins.

use kpkg_registry::chart::{pull, push};
use kpkg_registry::cosign::{self, SigningKey};
use kpkg_registry::oci::{Descriptor, Source, digest_of};
use kpkg_registry::{Access, Credentials, Error, Reference, Wanted, bundle, oci, resolve};

use crate::kit::{Lab, Server, archive};

fn parent(server: &Server) -> Reference {
    format!("oci://{}/team/charts", server.address).parse().unwrap()
}

#[tokio::test]
async fn pushed_charts_are_pulled_by_tag_range_and_digest() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let bytes = archive("web", "1.2.0+build.7");
    let pushed = push(&registry, &parent(&server), bytes.clone(), Some(b"prov".to_vec())).await.unwrap();
    assert_eq!(pushed.reference.tag.as_deref(), Some("1.2.0_build.7"));
    push(&registry, &parent(&server), archive("web", "1.1.0"), None).await.unwrap();
    push(&registry, &parent(&server), archive("web", "2.0.0-rc.1"), None).await.unwrap();
    // The same again is the same manifest.
    assert_eq!(push(&registry, &parent(&server), bytes.clone(), Some(b"prov".to_vec())).await.unwrap(), pushed);

    let place = format!("oci://{}/team/charts/web", server.address);
    let version = |text: &str| Wanted { version: text.to_owned(), provenance: true, ..Wanted::default() };
    let cases = [
        (place.clone(), version(""), "1.2.0+build.7"),
        (place.clone(), version("~1.1"), "1.1.0"),
        (place.clone(), version("1.2.0+build.7"), "1.2.0+build.7"),
        (place.clone(), Wanted { devel: true, ..Wanted::default() }, "2.0.0-rc.1"),
        (format!("{place}:1.1.0"), Wanted::default(), "1.1.0"),
        (format!("{place}@{}", pushed.digest), version(""), "1.2.0+build.7"),
    ];
    for (reference, wanted, want) in cases {
        let fetched = resolve(&lab.client, &reference, &wanted).await.unwrap();
        assert_eq!(fetched.version, want, "{reference} {wanted:?}");
        if want == "1.2.0+build.7" {
            assert_eq!(
                (fetched.archive.bytes().unwrap(), fetched.provenance.as_deref()),
                (bytes.clone(), Some(&b"prov"[..]))
            );
            assert_eq!(fetched.manifest_digest.as_deref(), Some(&*pushed.digest));
        }
    }
    for (reference, wanted) in
        [(format!("{place}:9.9.9"), version("")), (place.clone(), version(">=7")), (format!("{place}x"), version(""))]
    {
        let error = resolve(&lab.client, &reference, &wanted).await.unwrap_err();
        assert!(error.is_not_found() || matches!(error, Error::NoVersion { .. }), "{error}");
    }
}

/// CVE-2019-1010275: whose certificate is not known is not spoken to.
#[tokio::test]
async fn a_private_authority_and_a_login_are_wanted_where_they_are() {
    let Some(server) = Server::registry(true, true) else { return };
    let mut lab = Lab::new();
    lab.client.access = Access { ca_file: Some(server.dir.path().join("ca.pem")), ..Access::default() };
    let host = &server.address;
    let anonymous = lab.client.registry(host).await.unwrap();
    let refused = push(&anonymous, &parent(&server), archive("web", "1.0.0"), None).await.unwrap_err();
    assert!(matches!(&refused, Error::Oci(oci::Error::Unauthorized { .. })), "{refused}");
    assert!(refused.to_string().contains("kpkg login"), "{refused}");

    lab.client.logins.store(host, "user", "wrong-s3cret").await.unwrap();
    let refused = lab.client.registry(host).await.unwrap().check_login().await.unwrap_err();
    assert!(!refused.to_string().contains("s3cret"), "{refused}");
    lab.client.logins.store(host, "user", "secret").await.unwrap();
    let registry = lab.client.registry(host).await.unwrap();
    registry.check_login().await.unwrap();
    let pushed = push(&registry, &parent(&server), archive("web", "1.0.0"), None).await.unwrap();
    let fetched = pull(&registry, &lab.client.cache, &pushed.reference, false).await.unwrap();
    assert_eq!(fetched.archive.bytes().unwrap(), archive("web", "1.0.0"));

    lab.client.access = Access::default();
    let error = lab.client.registry(host).await.unwrap().check_login().await.unwrap_err();
    assert!(matches!(error, oci::Error::Transport { .. }), "an unknown authority is not trusted: {error}");
    lab.client.access = Access { insecure: true, ..Access::default() };
    lab.client.login = Some(Credentials::Basic { username: "user".into(), password: "secret".into() });
    lab.client.registry(host).await.unwrap().check_login().await.unwrap();
}

#[tokio::test]
async fn large_blobs_go_up_in_chunks_and_come_back_whole() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let bytes: Vec<u8> =
        (0..40_u32 << 20).map(|at| u8::try_from((at.wrapping_mul(2_654_435_761) >> 24) & 255).unwrap()).collect();
    let blob = Descriptor::of("application/octet-stream", &bytes);
    registry.put_blob("big", &blob, &Source::Bytes(bytes.clone().into())).await.unwrap();
    assert!(registry.has_blob("big", &blob.digest).await.unwrap());
    let back = registry.blob_bytes("big", &blob, 1 << 30).await.unwrap();
    assert_eq!(digest_of(&back), blob.digest);
    assert!(registry.blob_bytes("big", &blob, 1 << 20).await.is_err(), "larger than allowed");
}

#[tokio::test]
async fn a_cosign_signature_is_of_one_key_and_one_digest() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let key = |name: &str| {
        use base64::Engine as _;
        let rng = ring::rand::SystemRandom::new();
        let kind = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = ring::signature::EcdsaKeyPair::generate_pkcs8(kind, &rng).unwrap();
        let body = base64::engine::general_purpose::STANDARD.encode(document.as_ref());
        std::fs::write(lab.path(name), format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"))
            .unwrap();
        SigningKey::read(&lab.path(name), b"").unwrap()
    };
    let (ours, other) = (key("ours"), key("other"));
    let one = push(&registry, &parent(&server), archive("web", "1.0.0"), None).await.unwrap();
    let two = push(&registry, &parent(&server), archive("web", "2.0.0"), None).await.unwrap();
    cosign::sign(&registry, &one.reference, &one.digest, &ours).await.unwrap();
    cosign::sign(&registry, &one.reference, &one.digest, &ours).await.unwrap();
    cosign::verify(&registry, &one.reference, &one.digest, &ours.public()).await.unwrap();
    for (what, digest, key) in [("another key", &one.digest, &other), ("unsigned", &two.digest, &ours)] {
        let error = cosign::verify(&registry, &one.reference, digest, &key.public()).await.unwrap_err();
        assert!(matches!(error, Error::Signature { .. }), "{what}: {error}");
    }
    cosign::sign(&registry, &one.reference, &one.digest, &other).await.unwrap();
    cosign::verify(&registry, &one.reference, &one.digest, &ours.public()).await.unwrap();
    // The signatures of one moved to the place of another prove nothing of it.
    let place = |digest: &str| one.reference.with_tag(&format!("{}.sig", digest.replace(':', "-")));
    let (bytes, _) = registry.manifest(&place(&one.digest)).await.unwrap();
    let name = place(&two.digest).tag.unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    registry.put_manifest(&one.reference.repository, &name, kind, bytes.to_vec()).await.unwrap();
    let error = cosign::verify(&registry, &two.reference, &two.digest, &ours.public()).await.unwrap_err();
    assert!(error.to_string().contains("something else"), "{error}");
}

#[tokio::test]
async fn bundles_travel_whole() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let (sent, got) = (lab.path("sent.kpkg"), lab.path("got.kpkg"));
    bundle::write(&sent, &archive("web", "1.0.0"), "text: bye\n", None).unwrap();
    let reference: Reference = format!("oci://{}/bundles/web:1.0.0", server.address).parse().unwrap();
    let digest = bundle::push(&registry, &reference, &sent).await.unwrap();
    assert_eq!(bundle::pull(&registry, &reference, &got).await.unwrap(), digest);
    assert_eq!(std::fs::read(&sent).unwrap(), std::fs::read(&got).unwrap());
    let pushed = push(&registry, &parent(&server), archive("web", "1.0.0"), None).await.unwrap();
    let error = bundle::pull(&registry, &pushed.reference, &lab.path("none")).await.unwrap_err();
    assert!(error.to_string().contains("not a bundle"), "{error}");
    assert!(!lab.path("none").exists());
}
