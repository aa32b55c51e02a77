//! HTTP repositories: nginx with large indexes, and servers that lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kpkg_registry::dependency;
use kpkg_registry::repository::{self, Query, Repository, Update};
use kpkg_registry::{Error, Wanted, oci, resolve};

use crate::kit::{Lab, Liar, Server, answer, archive};

fn named(lab: &Lab, url: &str) -> Repository {
    let repository = Repository { name: "r".into(), url: url.into(), ..Repository::default() };
    repository::add(&lab.client.repositories, repository.clone(), true).unwrap();
    repository
}

fn large_index(entries: usize) -> String {
    let mut text = "apiVersion: v1\nentries:\n".to_owned();
    for number in 0..entries / 10 {
        text.push_str(&format!("  chart-{number:05}:\n"));
        for version in 0..10 {
            text.push_str(&format!(
                "  - apiVersion: v2\n    appVersion: 1.{version}.0\n    created: \"2024-01-01T00:00:00Z\"\n    \
                 description: Chart number {number} for a test\n    digest: {number:064x}\n    name: chart-{number:05}\n    \
                 urls:\n    - charts/chart-{number:05}-0.{version}.0.tgz\n    version: 0.{version}.0\n"
            ));
        }
    }
    text.push_str("generated: \"2024-01-01T00:00:00Z\"\n");
    text
}

#[tokio::test]
async fn indexes_of_many_entries_are_kept_and_searched() {
    let Some(server) = Server::nginx("") else { return };
    let lab = Lab::new();
    let repository = named(&lab, &format!("http://{}", server.address));
    for entries in [10_000, 100_000] {
        std::fs::write(server.www().join("index.yaml"), large_index(entries)).unwrap();
        assert_eq!(repository::update(&lab.client, &repository).await.unwrap(), Update::New(entries));
        assert_eq!(repository::update(&lab.client, &repository).await.unwrap(), Update::Unchanged);
        let index = repository::index(&lab.client, &repository, false).await.unwrap();
        let query = Query { words: vec!["number 777 ".into()], ..Query::default() };
        let hits = repository::search("r", &index, &query).unwrap();
        assert_eq!(hits.len(), 1);
        assert_eq!((hits[0].name.as_str(), hits[0].entry.version.as_str()), ("r/chart-00777", "0.9.0"));
        assert_eq!(index.of("chart-00999").len(), 10);
    }
    assert!(server.requests().contains("\" 304 "), "the index was asked for only if it changed");
}

#[tokio::test]
async fn charts_come_from_relative_and_absolute_places() {
    let Some(server) = Server::nginx("") else { return };
    let lab = Lab::new();
    let www = server.www();
    std::fs::create_dir_all(www.join("sub/deep")).unwrap();
    std::fs::write(www.join("sub/web-1.0.0.tgz"), archive("web", "1.0.0")).unwrap();
    std::fs::write(www.join("sub/deep/web-1.1.0.tgz"), archive("web", "1.1.0")).unwrap();
    std::fs::write(www.join("sub/deep/web-1.1.0.tgz.prov"), "prov").unwrap();
    let index = repository::generate(&www.join("sub"), "").unwrap();
    let index_text = kpkg_yaml::write_json(&index);
    assert_eq!(index_text, kpkg_yaml::write_json(&repository::generate(&www.join("sub"), "").unwrap()));
    std::fs::write(www.join("sub/index.yaml"), &index_text).unwrap();
    let url = format!("http://{}/sub/", server.address);
    named(&lab, &url);
    let wanted = |version: &str| Wanted { version: version.into(), provenance: true, ..Wanted::default() };
    let newest = resolve(&lab.client, "r/web", &wanted("")).await.unwrap();
    assert_eq!((newest.version.as_str(), newest.provenance.as_deref()), ("1.1.0", Some(&b"prov"[..])));
    let old = resolve(&lab.client, "r/web", &wanted("<1.1")).await.unwrap();
    assert_eq!((old.version.as_str(), old.provenance), ("1.0.0", None));
    let by_url = Wanted { repository: Some(url.clone()), ..Wanted::default() };
    assert_eq!(resolve(&lab.client, "web", &by_url).await.unwrap().version, "1.1.0");
    let direct = resolve(&lab.client, &format!("{url}web-1.0.0.tgz"), &Wanted::default()).await.unwrap();
    assert_eq!(direct.version, "1.0.0");
    let error = resolve(&lab.client, "r/nothing", &Wanted::default()).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    let error = resolve(&lab.client, "unknown/web", &Wanted::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoRepository { .. }), "{error}");
}

/// An index that is cut off, is a web page, or names another archive leaves what was kept as it was.
#[tokio::test]
async fn lies_change_nothing_that_is_kept() {
    let good =
        "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.0.0, urls: [web-1.0.0.tgz], digest: \"00\"}\n";
    let turn = Arc::new(AtomicUsize::new(0));
    let now = Arc::clone(&turn);
    let server = Liar::start(move |seen| match (seen.path.as_str(), now.load(Ordering::SeqCst)) {
        ("/web-1.0.0.tgz", _) => answer(200, archive("web", "1.0.0")),
        (_, 0) => answer(200, good),
        (_, 1) => answer(200, good).cut(20),
        (_, 2) => answer(200, "<html>").with("content-type", "text/html"),
        (_, 3) => answer(404, ""),
        _ => answer(200, format!("{good}  web: []\n")),
    });
    let lab = Lab::new();
    let repository = named(&lab, &format!("http://{}", server.address));
    repository::update(&lab.client, &repository).await.unwrap();
    for lie in 1..=4 {
        turn.store(lie, Ordering::SeqCst);
        assert!(repository::update(&lab.client, &repository).await.is_err(), "lie {lie}");
        assert_eq!(repository::index(&lab.client, &repository, false).await.unwrap().len(), 1, "lie {lie}");
    }
    let error = resolve(&lab.client, "r/web", &Wanted::default()).await.unwrap_err();
    assert!(matches!(error, Error::Oci(oci::Error::Digest { .. })), "{error}");
    assert!(lab.client.cache.list().unwrap().is_empty());
}

/// Large indexes from servers that are slow, break off half-way, send on to another host, or serve archives that are
/// not what the index says.
#[tokio::test]
async fn large_indexes_come_over_bad_lines_and_lies_are_found_out() {
    for entries in [10_000, 100_000] {
        let index = large_index(entries);
        let whole = index.clone();
        let mirror = Liar::start(move |_| answer(200, whole.clone()).drip(Duration::from_millis(60)));
        let (target, turn) = (mirror.address.clone(), Arc::new(AtomicUsize::new(0)));
        let now = Arc::clone(&turn);
        let server = Liar::start(move |seen| match (seen.path.as_str(), now.load(Ordering::SeqCst)) {
            (path, _) if path.ends_with(".tgz") => answer(200, archive("chart-00777", "0.9.0")),
            (_, 0) => answer(200, index.clone()).cut(index.len() / 2),
            _ => answer(307, "").with("location", format!("http://{target}/index.yaml")),
        });
        let lab = Lab::new();
        let repository = named(&lab, &format!("http://{}", server.address));
        for (lie, is_good) in [false, true].into_iter().enumerate() {
            turn.store(lie, Ordering::SeqCst);
            let outcome = repository::update(&lab.client, &repository).await;
            assert_eq!(outcome.is_ok(), is_good, "{entries}, {lie}: {outcome:?}");
            let kept = repository::index(&lab.client, &repository, false).await;
            assert_eq!(kept.map_or(0, |index| index.len()), if is_good { entries } else { 0 }, "{entries}, {lie}");
        }
        let error = resolve(&lab.client, "r/chart-00777", &Wanted::default()).await.unwrap_err();
        assert!(matches!(error, Error::Oci(oci::Error::Digest { .. })), "{error}");
        assert!(lab.client.cache.list().unwrap().is_empty());
        assert_eq!(std::fs::read_dir(lab.client.cache.root().join("incoming")).unwrap().count(), 0);
    }
}

/// CVE-2021-32690: the login of a repository goes to hosts that its index names only if the user says so.
#[tokio::test]
async fn a_repositorys_login_stays_with_it() {
    let other = Liar::start(|_| answer(200, archive("web", "1.0.0")));
    let place = format!("http://{}/web-1.0.0.tgz", other.address);
    let index = format!("apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 1.0.0, urls: [\"{place}\"]}}\n");
    let server = Liar::start(move |_| answer(200, index.clone()));
    for pass in [false, true] {
        let lab = Lab::new();
        let url = format!("http://user:s3cret@{}", server.address);
        repository::add(&lab.client.repositories, Repository { name: "r".into(), url, ..Repository::default() }, false)
            .unwrap();
        let wanted = Wanted { pass_credentials: pass, ..Wanted::default() };
        resolve(&lab.client, "r/web", &wanted).await.unwrap();
        assert!(server.seen().last().unwrap().header("authorization").is_some());
        assert_eq!(other.seen().last().unwrap().header("authorization").is_some(), pass);
    }
}

/// A repository may send its readers on; its login stays behind, and what comes is checked all the same.
#[tokio::test]
async fn redirects_to_another_host_are_followed_without_the_login() {
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{name: web, version: 1.0.0, urls: [web-1.0.0.tgz], digest: {}}}\n",
        oci::digest_of(&archive("web", "1.0.0")).trim_start_matches("sha256:")
    );
    let lies = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let lying = std::sync::Arc::clone(&lies);
    let mirror = Liar::start(move |seen| match seen.path.as_str() {
        "/mirror/index.yaml" => answer(200, index.clone()),
        _ if lying.load(std::sync::atomic::Ordering::SeqCst) => answer(200, archive("web", "6.6.6")),
        _ => answer(200, archive("web", "1.0.0")),
    });
    let target = mirror.address.clone();
    let server =
        Liar::start(move |seen| answer(302, "").with("location", format!("http://{target}/mirror{}", seen.path)));
    for lie in [true, false] {
        lies.store(lie, std::sync::atomic::Ordering::SeqCst);
        let lab = Lab::new();
        let url = format!("http://user:s3cret@{}", server.address);
        let repository = Repository { name: "r".into(), url, ..Repository::default() };
        repository::add(&lab.client.repositories, repository, false).unwrap();
        let repository = repository::find(&lab.client.repositories, "r").unwrap();
        assert_eq!(repository::update(&lab.client, &repository).await.unwrap(), Update::New(1));
        let outcome = resolve(&lab.client, "r/web", &Wanted::default()).await;
        assert_eq!(outcome.is_err(), lie, "{outcome:?}");
        // CVE-2023-25163: no message shows the login.
        let text = outcome.map_or_else(|error| format!("{error} {error:?}"), |fetched| fetched.source);
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(server.seen().iter().all(|seen| seen.header("authorization").is_some()));
    assert!(mirror.seen().iter().all(|seen| seen.header("authorization").is_none()), "{:?}", mirror.seen());
}

#[tokio::test]
async fn dependencies_are_chosen_locked_and_built_again_without_a_network() {
    let Some(server) = Server::nginx("") else { return };
    let lab = Lab::new();
    let www = server.www();
    for version in ["1.0.0", "1.5.0", "2.0.0"] {
        std::fs::write(www.join(format!("db-{version}.tgz")), archive("db", version)).unwrap();
    }
    std::fs::write(www.join("index.yaml"), kpkg_yaml::write_json(&repository::generate(&www, "").unwrap())).unwrap();
    let folder = lab.path("app");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(lab.path("local/templates")).unwrap();
    std::fs::write(lab.path("local/Chart.yaml"), "apiVersion: v2\nname: local\nversion: 0.1.0\n").unwrap();
    let url = format!("http://{}", server.address);
    let declare = |range: &str| {
        let text = format!(
            "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {{name: db, version: \"{range}\", repository: \"{url}\"}}\n\
             - {{name: db, version: \"{range}\", repository: \"{url}\", alias: second}}\n- {{name: local, version: \">=0\", repository: \"file://../local\"}}\n"
        );
        std::fs::write(folder.join("Chart.yaml"), text).unwrap();
    };
    declare("^1.0.0");
    let time = jiff::Timestamp::UNIX_EPOCH;
    let outcome = dependency::update(&lab.client, &folder, true, time).await.unwrap();
    assert_eq!(outcome.charts, ["db 1.5.0", "local 0.1.0"]);
    assert_eq!(server.requests().matches("GET /index.yaml").count(), 1, "one look at each repository");
    assert!(folder.join("charts/db-1.5.0.tgz").is_file() && folder.join("charts/local-0.1.0.tgz").is_file());
    let lock = std::fs::read_to_string(folder.join("Chart.lock")).unwrap();
    assert!(lock.contains("kpkg:\n  archives:\n  - digest: sha256:"), "{lock}");
    assert!(dependency::list(&folder).unwrap().iter().all(|it| it.status == "ok"));

    // The repository is gone: the lock and the cache have all that is needed.
    drop(server);
    std::fs::remove_dir_all(folder.join("charts")).unwrap();
    dependency::build(&lab.client, &folder, true, time).await.unwrap();
    assert!(folder.join("charts/db-1.5.0.tgz").is_file());
    assert_eq!(std::fs::read_to_string(folder.join("Chart.lock")).unwrap(), lock);
    declare("^2.0.0");
    let error = dependency::build(&lab.client, &folder, true, time).await.unwrap_err();
    assert!(error.to_string().contains("out of sync"), "{error}");
}

/// CVE-2025-53547: a lock that is a link is replaced, and what it points to stays as it is.
#[tokio::test]
async fn a_lock_that_is_a_link_leads_nowhere() {
    let lab = Lab::new();
    let folder = lab.path("app");
    std::fs::create_dir_all(lab.path("local")).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(lab.path("local/Chart.yaml"), "apiVersion: v2\nname: local\nversion: 0.1.0\n").unwrap();
    let text = "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- {name: local, version: \">=0\", repository: \"file://../local\"}\n";
    std::fs::write(folder.join("Chart.yaml"), text).unwrap();
    std::fs::write(lab.path("precious"), "dependencies: []\n").unwrap();
    std::os::unix::fs::symlink(lab.path("precious"), folder.join("Chart.lock")).unwrap();
    dependency::update(&lab.client, &folder, true, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(std::fs::read_to_string(lab.path("precious")).unwrap(), "dependencies: []\n");
    assert!(!folder.join("Chart.lock").is_symlink());
}
