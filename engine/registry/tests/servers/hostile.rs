//! Servers that lie, break off, or reach for what is not theirs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kpkg_registry::chart::{CHART_TYPE, CONFIG_TYPE, push};
use kpkg_registry::oci::{Descriptor, Manifest, Source, digest_of};
use kpkg_registry::repository::{self, Repository};
use kpkg_registry::{Error, Wanted, oci, resolve};

use crate::kit::{Answer, Lab, Liar, Seen, answer, archive};

/// A chart's manifest and its blobs.
#[derive(Clone)]
struct Held {
    manifest: Vec<u8>,
    archive: Vec<u8>,
}

fn held() -> Held {
    let archive = archive("web", "1.0.0");
    let manifest = Manifest::new(
        Descriptor::of(CONFIG_TYPE, b"{}"),
        vec![Descriptor::of(CHART_TYPE, &archive)],
        std::collections::BTreeMap::default(),
    );
    Held { manifest: manifest.to_bytes(), archive }
}

/// What an honest registry would answer.
fn honest(held: &Held, seen: &Seen) -> Answer {
    if seen.path.contains("/manifests/") {
        answer(200, held.manifest.clone())
    } else if seen.path.contains("/blobs/") {
        answer(200, held.archive.clone())
    } else if seen.path.ends_with("/tags/list") {
        answer(200, r#"{"name":"web","tags":["1.0.0"]}"#)
    } else {
        answer(404, "")
    }
}

async fn pulled(server: &Liar) -> Result<kpkg_registry::Fetched, Error> {
    let lab = Lab::new().secret();
    let outcome = resolve(&lab.client, &format!("oci://{}/web:1.0.0", server.address), &Wanted::default()).await;
    if let Err(error) = &outcome {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("s3cret") && !text.contains("czNjcmV0"), "{text}");
        assert!(lab.client.cache.list().unwrap().is_empty(), "something wrong was kept");
    }
    outcome
}

/// GHSA-vh4v-2xq2-g5cg, CVE-2020-15157 and CVE-2021-32690: a redirect to another host takes no login along.
#[tokio::test]
async fn a_login_does_not_follow_redirects() {
    let (near, far) = (held(), held());
    let storage = Liar::start(move |_| answer(200, far.archive.clone()));
    let target = storage.address.clone();
    let server = Liar::start(move |seen| match seen.header("authorization") {
        None => answer(401, "").with("www-authenticate", "Basic realm=\"x\""),
        Some(_) if seen.path.contains("/blobs/") => {
            answer(307, "").with("location", format!("http://{target}/blob?X-Signature=a"))
        }
        Some(_) => honest(&near, seen),
    });
    pulled(&server).await.unwrap();
    assert!(server.seen().iter().any(|seen| seen.header("authorization").is_some()));
    assert_eq!(storage.seen().len(), 1);
    assert!(storage.seen().iter().all(|seen| seen.header("authorization").is_none()), "{:?}", storage.seen());
}

/// CVE-2026-50151: the place for an upload is the registry's to name, the login is not.
#[tokio::test]
async fn a_login_does_not_follow_uploads() {
    let thief = Liar::start(|_| answer(201, ""));
    let target = thief.address.clone();
    let server = Liar::start(move |seen| match (seen.header("authorization"), seen.method.as_str()) {
        (None, _) => answer(401, "").with("www-authenticate", "Basic realm=\"x\""),
        (_, "HEAD") => answer(404, ""),
        (_, "POST") => answer(202, "").with("location", format!("http://{target}/upload")),
        _ => answer(201, ""),
    });
    let lab = Lab::new().secret();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let blob = Descriptor::of("x", b"bytes");
    registry.put_blob("web", &blob, &Source::Bytes(b"bytes".to_vec().into())).await.unwrap();
    assert_eq!(thief.seen().len(), 1);
    assert!(thief.seen().iter().all(|seen| seen.header("authorization").is_none()), "{:?}", thief.seen());
}

/// CVE-2026-48978: a token may be had anywhere, but the login is shown to the registry's own host only.
#[tokio::test]
async fn a_login_is_not_shown_to_another_hosts_realm() {
    let thief = Liar::start(|_| answer(200, r#"{"token":"t"}"#));
    // Another name of this machine is another host.
    let realm = thief.address.replace("127.0.0.1", "localhost");
    let near = held();
    let server = Liar::start(move |seen| match seen.header("authorization") {
        Some("Bearer t") => honest(&near, seen),
        _ => answer(401, "").with("www-authenticate", format!("Bearer realm=\"http://{realm}/token\",service=\"s\"")),
    });
    pulled(&server).await.unwrap();
    assert_eq!(thief.seen().len(), 1);
    assert!(thief.seen()[0].header("authorization").is_none(), "{:?}", thief.seen());
    assert!(thief.seen()[0].path.contains("scope=repository%3Aweb%3Apull"), "{:?}", thief.seen());
}

#[tokio::test]
async fn an_expired_token_is_replaced() {
    let (near, count) = (held(), AtomicUsize::new(0));
    let tokens =
        Liar::start(move |_| answer(200, format!("{{\"token\":\"t{}\"}}", count.fetch_add(1, Ordering::SeqCst))));
    let realm = tokens.address.clone();
    // The first token is good for the manifest and not for what comes after it.
    let server = Liar::start(move |seen| match seen.header("authorization") {
        Some("Bearer t0") if seen.path.contains("/manifests/") => honest(&near, seen),
        Some("Bearer t1") => honest(&near, seen),
        _ => answer(401, "").with("www-authenticate", format!("Bearer realm=\"http://{realm}/token\"")),
    });
    pulled(&server).await.unwrap();
    assert_eq!(tokens.seen().len(), 2);
    assert!(tokens.seen()[0].header("authorization").is_some(), "the registry's own host may see the login");
}

/// A blob that breaks off goes on where it stopped.
#[tokio::test]
async fn broken_downloads_go_on() {
    let (near, tries) = (held(), AtomicUsize::new(0));
    let server = Liar::start(move |seen| {
        if !seen.path.contains("/blobs/") {
            return honest(&near, seen);
        }
        let from = seen.header("range").and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let rest = near.archive[from.unwrap_or(0)..].to_vec();
        let whole = answer(if from.is_some() { 206 } else { 200 }, rest);
        if tries.fetch_add(1, Ordering::SeqCst) < 2 { whole.cut(100) } else { whole }
    });
    let fetched = pulled(&server).await.unwrap();
    assert_eq!(fetched.archive.bytes().unwrap(), held().archive);
    let ranges: Vec<String> = server.seen().iter().filter_map(|seen| seen.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, ["bytes=100-", "bytes=200-"]);
}

/// Slow is not broken: a server may take its time, as long as something comes. Silence ends.
#[tokio::test]
async fn a_slow_server_is_waited_for_and_a_silent_one_is_not() {
    let patience = Duration::from_millis(1500);
    for (pause, ends_well) in [(patience / 10, true), (patience * 4, false)] {
        let (near, index) =
            (held(), "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.0.0, urls: [w.tgz]}\n");
        let server = Liar::start(move |seen| match seen.path.as_str() {
            "/index.yaml" => answer(200, index).drip(pause),
            _ => honest(&near, seen).drip(pause),
        });
        let mut lab = Lab::new();
        lab.client.access.patience = Some(patience);
        let repository =
            Repository { name: "r".into(), url: format!("http://{}", server.address), ..Repository::default() };
        let updated = repository::update(&lab.client, &repository).await;
        let pulled = resolve(&lab.client, &format!("oci://{}/web:1.0.0", server.address), &Wanted::default()).await;
        assert_eq!((updated.is_ok(), pulled.is_ok()), (ends_well, ends_well), "{updated:?} {pulled:?}");
        if !ends_well {
            assert_eq!(
                server.seen().iter().filter(|seen| seen.path == "/index.yaml").count(),
                1,
                "{:?}",
                server.seen()
            );
            assert!(lab.client.cache.list().unwrap().is_empty());
            assert!(!lab.path("cache/indexes").exists(), "half an index was kept");
        }
    }
}

/// The manifest is asked for once: what a tag means later makes no difference.
#[tokio::test]
async fn a_tag_that_moves_meanwhile_changes_nothing() {
    let (near, asked) = (held(), AtomicUsize::new(0));
    let server = Liar::start(move |seen| {
        if seen.path.contains("/manifests/") && asked.fetch_add(1, Ordering::SeqCst) > 0 {
            return answer(200, "moved");
        }
        honest(&near, seen)
    });
    let fetched = pulled(&server).await.unwrap();
    assert_eq!(fetched.manifest_digest, Some(digest_of(&held().manifest)));
}

#[tokio::test]
async fn lies_are_found_out() {
    type Script = Box<dyn Fn(&Held, &Seen) -> Answer + Send + Sync>;
    let manifest = |edit: fn(&mut Manifest)| -> Script {
        Box::new(move |held, seen| {
            let mut manifest = Manifest::parse("m", &held.manifest).unwrap();
            edit(&mut manifest);
            if seen.path.contains("/manifests/") { answer(200, manifest.to_bytes()) } else { honest(held, seen) }
        })
    };
    let document = |body: &'static [u8], kind: &'static str| -> Script {
        Box::new(move |_, _| answer(200, body).with("content-type", kind))
    };
    let blob = |edit: fn(&mut Vec<u8>)| -> Script {
        Box::new(move |held, seen| {
            let mut bytes = held.archive.clone();
            edit(&mut bytes);
            if seen.path.contains("/blobs/") { answer(200, bytes) } else { honest(held, seen) }
        })
    };
    let cases: Vec<(&str, Script, &str)> = vec![
        ("a web page", document(b"<html>log in</html>", "text/html"), "web page"),
        ("an empty answer", document(b"", ""), "not a manifest"),
        (
            "a manifest without digests",
            document(b"{\"schemaVersion\":2,\"config\":{\"digest\":\"../x\",\"size\":1}}", ""),
            "sha256",
        ),
        (
            "an image",
            manifest(|it| it.config.media_type = "application/vnd.oci.image.config.v1+json".into()),
            "not a chart",
        ),
        ("a layer of another type", manifest(|it| it.layers[0].media_type = "text/plain".into()), "not a chart"),
        ("a layer said to be shorter", manifest(|it| it.layers[0].size -= 1), "larger"),
        ("a layer said to be longer", manifest(|it| it.layers[0].size += 1), "digest"),
        ("a gigantic layer", manifest(|it| it.layers[0].size = 1 << 40), "larger"),
        ("a changed blob", blob(|bytes| *bytes.last_mut().unwrap() ^= 1), "digest"),
        ("a blob with more behind", blob(|bytes| bytes.push(0)), "larger"),
        ("a blob that is none", blob(|bytes| *bytes = b"<html>".to_vec()), "digest"),
        (
            "a manifest with another digest",
            Box::new(|held, seen| honest(held, seen).with("docker-content-digest", digest_of(b"other"))),
            "digest",
        ),
        ("a gigantic manifest", Box::new(|_, _| answer(200, vec![b' '; 5 << 20])), "larger"),
        (
            "a registry that refuses",
            Box::new(|_, _| answer(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}")),
            "DENIED",
        ),
        (
            "a login that is not enough",
            Box::new(|_, _| answer(401, "").with("www-authenticate", "Basic realm=\"s3cret-free\"")),
            "not accepted",
        ),
        ("a redirect to a file", Box::new(|_, _| answer(302, "").with("location", "file:///etc/passwd")), "not HTTP"),
        ("redirects without end", Box::new(|_, seen| answer(302, "").with("location", seen.path.clone())), "too many"),
    ];
    for (name, script, want) in cases {
        let held = held();
        let server = Liar::start(move |seen| script(&held, seen));
        let error = pulled(&server).await.err().unwrap_or_else(|| panic!("{name} was accepted"));
        let text = error.to_string();
        assert!(text.contains(want), "{name}: {text}");
    }
}

/// CVE-2024-29893: lists are bounded as everything else that a registry sends.
#[tokio::test]
async fn gigantic_lists_are_not_read() {
    let server = Liar::start(|_| answer(200, vec![b' '; 9 << 20]));
    let lab = Lab::new();
    let error = resolve(&lab.client, &format!("oci://{}/web", server.address), &Wanted::default()).await.unwrap_err();
    assert!(matches!(error, Error::Oci(oci::Error::TooLarge { .. })), "{error}");
    // Pages of tags without end end.
    let server =
        Liar::start(|_| answer(200, r#"{"tags":["1.0.0"]}"#).with("link", "</v2/web/tags/list?n=1>; rel=\"next\""));
    let registry = lab.client.registry(&server.address).await.unwrap();
    assert_eq!(registry.tags("web").await.unwrap().len(), 1000);
}

#[tokio::test]
async fn what_is_pushed_under_a_lie_is_an_error() {
    let server = Liar::start(|seen| match seen.method.as_str() {
        "HEAD" => answer(200, ""),
        _ => answer(201, "").with("docker-content-digest", digest_of(b"other")),
    });
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let parent = format!("oci://{}/charts", server.address).parse().unwrap();
    let error = push(&registry, &parent, archive("web", "1.0.0"), None).await.unwrap_err();
    assert!(matches!(error, Error::Oci(oci::Error::Digest { .. })), "{error}");
}

/// A cache that cannot be written costs time, not the command.
#[tokio::test]
async fn a_cache_that_cannot_be_is_done_without() {
    let near = held();
    let server = Liar::start(move |seen| honest(&near, seen));
    let mut lab = Lab::new();
    std::fs::write(lab.path("file"), "").unwrap();
    lab.client.cache = kpkg_registry::cache::Cache::at(lab.path("file").join("cache"));
    let reference = format!("oci://{}/web", server.address);
    assert_eq!(
        resolve(&lab.client, &reference, &Wanted::default()).await.unwrap().archive.bytes().unwrap(),
        held().archive
    );
}
