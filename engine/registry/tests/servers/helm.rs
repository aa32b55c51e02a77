//! The real Helm and GnuPG: what one makes the other accepts, and what one refuses so does the other.
//!
//! Helm is the Python package `helm-python-sdk`, in the interpreter that `KPKG_HELM_PYTHON` names or in `python`.

use std::process::Command;

use kpkg_registry::chart::push;
use kpkg_registry::{Wanted, dependency, provenance, resolve};

use crate::kit::{GnuPg, Lab, Server, archive};

/// Runs a script with Helm at hand; `None` where there is no Helm.
pub(crate) fn helm(script: &str, arguments: &[&str]) -> Option<Result<String, String>> {
    let python = std::env::var("KPKG_HELM_PYTHON").unwrap_or_else(|_| "python".to_owned());
    if !Command::new(&python).args(["-c", "import helm_python"]).output().is_ok_and(|it| it.status.success()) {
        println!("skipped: `{python}` has no helm-python-sdk");
        return None;
    }
    let program = format!("import sys, os\nimport helm_python as h\na = sys.argv[1:]\n{script}");
    let output = Command::new(python).args(["-c", &program]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
}

#[tokio::test]
async fn helm_pulls_what_we_push_and_we_what_helm_pushes() {
    let Some(server) = Server::registry(false, false) else { return };
    let lab = Lab::new();
    let registry = lab.client.registry(&server.address).await.unwrap();
    let place = format!("oci://{}/charts", server.address);
    push(&registry, &place.parse().unwrap(), archive("web", "1.0.0+x"), None).await.unwrap();
    let script = "h.pull(a[0] + '/web', destination=a[1], version='1.0.0+x', plain_http=True)\n\
                  c = h.Chart.load(a[1] + '/web-1.0.0+x.tgz')\n\
                  print(c.render({}, name='demo', namespace='d')['web/templates/config.yaml'])";
    let folder = lab.dir.path().display().to_string();
    let Some(rendered) = helm(script, &[&place, &folder]) else { return };
    assert!(rendered.unwrap().contains("text: hello"));
    assert_eq!(std::fs::read(lab.path("web-1.0.0+x.tgz")).unwrap(), archive("web", "1.0.0+x"));

    std::fs::create_dir_all(lab.path("other/templates")).unwrap();
    std::fs::write(lab.path("other/Chart.yaml"), "apiVersion: v2\nname: other\nversion: 2.0.0\n").unwrap();
    std::fs::write(lab.path("other/templates/a.yaml"), "a: {{ .Release.Name }}\n").unwrap();
    let script = "p = h.package(a[1] + '/other', destination=a[1])\n\
                  h.push(p, a[0], plain_http=True)\nprint(h.RegistryClient(plain_http=True).tags(a[0] + '/web'))";
    let tags = helm(script, &[&place, &folder]).unwrap().unwrap();
    assert!(tags.contains("1.0.0+x"), "{tags}");
    let fetched = resolve(&lab.client, &format!("{place}/other"), &Wanted::default()).await.unwrap();
    assert_eq!((fetched.name.as_str(), fetched.version.as_str()), ("other", "2.0.0"));
    assert_eq!(fetched.archive.bytes().unwrap(), std::fs::read(lab.path("other-2.0.0.tgz")).unwrap());
    fetched.load().unwrap();
}

#[test]
fn provenance_is_interchangeable() {
    let lab = Lab::new();
    for (kind, passphrase) in [("rsa2048", ""), ("rsa3072", "pass word"), ("ed25519", ""), ("ed25519", "secret")] {
        let home = lab.path(&format!("gpg-{kind}-{}", passphrase.len()));
        let Some(gpg) = GnuPg::at(&home) else { return };
        let user = "Tester <test@example.com>";
        gpg.run(&["--passphrase", passphrase, "--quick-gen-key", user, kind, "sign", "never"]);
        let (secret, public) = (home.join("secret.gpg"), home.join("public.gpg"));
        std::fs::write(&secret, gpg.run(&["--passphrase", passphrase, "--export-secret-keys"])).unwrap();
        std::fs::write(&public, gpg.run(&["--export"])).unwrap();
        let bytes = archive("web", "1.0.0");
        let file = home.join("web-1.0.0.tgz");
        std::fs::write(&file, &bytes).unwrap();
        let unlock = (!passphrase.is_empty()).then_some(passphrase.as_bytes());
        let now = kpkg_time();
        let text = provenance::sign(&bytes, "web-1.0.0.tgz", &secret, "Tester", unlock, now).unwrap();
        let again = provenance::sign(&bytes, "web-1.0.0.tgz", &secret, "Tester", unlock, now).unwrap();
        assert_eq!(text, again, "the same makes the same");
        if !passphrase.is_empty() {
            for wrong in [None, Some(&b"wrong"[..])] {
                assert!(provenance::sign(&bytes, "web-1.0.0.tgz", &secret, "Tester", wrong, now).is_err());
            }
        }
        let prov = home.join("web-1.0.0.tgz.prov");
        std::fs::write(&prov, &text).unwrap();
        gpg.run(&["--verify", &prov.display().to_string()]);
        let ours = provenance::verify(&bytes, "web-1.0.0.tgz", text.as_bytes(), &public, now).unwrap();
        assert_eq!(ours.signed_by, [user]);
        // Fails closed: other contents, another name, a changed text, another key.
        assert!(provenance::verify(b"other", "web-1.0.0.tgz", text.as_bytes(), &public, now).is_err());
        assert!(provenance::verify(&bytes, "web-2.0.0.tgz", text.as_bytes(), &public, now).is_err());
        for changed in [text.replace("A test", "A lie"), text.replace("SIGNATURE", "SIGNATUR"), String::new()] {
            assert!(provenance::verify(&bytes, "web-1.0.0.tgz", changed.as_bytes(), &public, now).is_err());
        }
        let place = file.display().to_string();
        let verify = "print(h.verify(a[0], a[1])['signed_by'])";
        let Some(theirs) = helm(verify, &[&place, &public.display().to_string()]) else { continue };
        assert!(theirs.unwrap().contains(user), "{kind}");
        std::fs::remove_file(&prov).unwrap();
        std::fs::write(home.join("pass"), format!("{passphrase}\n")).unwrap();
        let sign = "h.sign(a[0], key='Tester', keyring=a[1], passphrase_file=a[2])";
        let pass = home.join("pass").display().to_string();
        helm(sign, &[&place, &secret.display().to_string(), &pass]).unwrap().unwrap();
        let signed = std::fs::read(&prov).unwrap();
        provenance::verify(&bytes, "web-1.0.0.tgz", &signed, &public, kpkg_time()).unwrap();
    }
}

#[tokio::test]
async fn locks_are_interchangeable() {
    let Some(server) = Server::nginx("") else { return };
    let lab = Lab::new();
    let www = server.www();
    for version in ["1.0.0", "1.5.0", "2.0.0-rc.1"] {
        std::fs::write(www.join(format!("db-{version}.tgz")), archive("db", version)).unwrap();
    }
    let index = kpkg_registry::repository::generate(&www, "").unwrap();
    std::fs::write(www.join("index.yaml"), kpkg_yaml::write_json(&index)).unwrap();
    let folder = lab.path("app");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n- name: db\n  version: '>=1.0.0 <2'\n  repository: http://{0}/\n  \
         alias: first\n  condition: db.enabled\n  tags: [a, b]\n  import-values: [data, {{child: x.y, parent: z}}]\n\
         - {{name: db, version: 1.0.0, repository: 'http://{0}/'}}\n",
        server.address
    );
    std::fs::write(folder.join("Chart.yaml"), text).unwrap();
    let time = jiff::Timestamp::UNIX_EPOCH;
    dependency::update(&lab.client, &folder, true, time).await.unwrap();
    let place = folder.display().to_string();
    let lock = || std::fs::read_to_string(folder.join("Chart.lock")).unwrap();
    let digest = |lock: &str| lock.lines().find(|line| line.starts_with("digest: ")).unwrap().to_owned();
    let ours = lock();
    // Helm builds from our lock, and makes the same one.
    let Some(built) = helm("h.dependency_build(a[0])", &[&place]) else { return };
    built.unwrap();
    std::fs::remove_file(folder.join("Chart.lock")).unwrap();
    helm("h.dependency_update(a[0])", &[&place]).unwrap().unwrap();
    assert_eq!(digest(&lock()), digest(&ours));
    assert!(ours.starts_with(lock().split("generated:").next().unwrap()), "{ours}\n{}", lock());
    // We build from Helm's.
    std::fs::remove_dir_all(folder.join("charts")).unwrap();
    dependency::build(&lab.client, &folder, true, time).await.unwrap();
    assert!(folder.join("charts/db-1.5.0.tgz").is_file() && folder.join("charts/db-1.0.0.tgz").is_file());
    let ours: Vec<String> =
        dependency::list(&folder).unwrap().iter().map(|it| format!("{} {}", it.version, it.status)).collect();
    let theirs =
        helm("print([d['version'] + ' ' + d['status'] for d in h.dependency_list(a[0])])", &[&place]).unwrap().unwrap();
    assert_eq!(theirs.trim().replace('\'', "\""), format!("{ours:?}"));
}

/// `repo index`: the same entries in the same order with the same words, but for the times.
#[test]
fn indexes_are_the_same() {
    let lab = Lab::new();
    let site = lab.path("site");
    std::fs::create_dir_all(site.join("sub/deeper")).unwrap();
    for version in ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0-rc.10", "1.0.0+build.2"] {
        std::fs::write(site.join(format!("web-{version}.tgz")), archive("web", version)).unwrap();
    }
    std::fs::write(site.join("sub/db-0.1.0.tgz"), archive("db", "0.1.0")).unwrap();
    std::fs::write(site.join("sub/deeper/hidden-0.1.0.tgz"), archive("hidden", "0.1.0")).unwrap();
    let rich = "apiVersion: v2\nname: rich\nversion: 3.1.4\nappVersion: '1.0'\ndescription: 'a: b'\ntype: library\nkubeVersion: '>=1.20'\n\
                deprecated: true\nhome: https://x.example\nicon: https://x.example/i.png\nkeywords: [a, 'yes']\nsources: [https://s.example]\n\
                maintainers: [{name: N, email: n@x.example, url: https://n.example}]\nannotations: {a/b: c, d: 'null'}\n\
                dependencies: [{name: db, version: ^0.1, repository: 'https://r.example', condition: db.enabled, tags: [t], alias: store}]\n";
    let chart = kpkg_chart::load_files(vec![
        kpkg_chart::File::new("Chart.yaml", rich.as_bytes()),
        kpkg_chart::File::new("charts/db/Chart.yaml", *b"apiVersion: v2\nname: db\nversion: 0.1.0\n"),
    ])
    .unwrap();
    let packed = kpkg_chart::package::package(&chart, &kpkg_chart::package::Settings::default()).unwrap();
    std::fs::write(site.join("rich-3.1.4.tgz"), packed.bytes).unwrap();
    let plain = |mut index: serde_json::Value| {
        index["generated"] = serde_json::Value::Null;
        for version in
            index["entries"].as_object_mut().unwrap().values_mut().flat_map(|list| list.as_array_mut().unwrap())
        {
            assert!(version["created"].is_string(), "{version}");
            version["created"] = serde_json::Value::Null;
        }
        index
    };
    for base in ["", "https://charts.example/stable", "https://charts.example/stable/"] {
        let ours = kpkg_registry::repository::generate(&site, base).unwrap();
        let script = "h.repo_index_generate(a[0], base_url=a[1] or None)";
        let Some(done) = helm(script, &[&site.display().to_string(), base]) else { return };
        done.unwrap();
        let theirs = std::fs::read_to_string(site.join("index.yaml")).unwrap();
        let theirs = kpkg_yaml::read(&theirs).unwrap().to_json();
        assert_eq!(plain(ours), plain(theirs), "{base}");
    }
}

fn kpkg_time() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Versions drawn from ranges as Helm draws them: thousands of pairs through the real engine's semver.
#[test]
fn ranges_mean_what_helm_means() {
    let numbers = ["0", "1", "2", "10"];
    let suffixes = ["", "-alpha", "-rc.1", "-0", "+build"];
    let mut versions = Vec::new();
    for major in &numbers[..3] {
        for minor in ["0", "2"] {
            for patch in ["0", "3"] {
                versions.extend(suffixes.iter().map(|suffix| format!("{major}.{minor}.{patch}{suffix}")));
            }
        }
    }
    let mut ranges: Vec<String> =
        ["*", "x", "1 - 2", "1.2 - 2.3.4", ">=1 <2 || ^2.2", ">= 1.2, < 2.0.0", "1.2.x || >=2", "~1.2.3-0 || 0.x"]
            .map(str::to_owned)
            .to_vec();
    for operator in ["", "=", "!=", ">", "<", ">=", "<=", "=>", "=<", "~", "~>", "^"] {
        for base in [
            "0",
            "1",
            "1.2",
            "1.2.3",
            "0.2.3",
            "0.0.3",
            "1.x",
            "1.2.x",
            "v1.2.0",
            "1.2.0-0",
            "1.2.3-alpha",
            "2.0.0+build",
        ] {
            ranges.push(format!("{operator}{base}"));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("pairs.json");
    std::fs::write(&input, serde_json::json!([ranges, versions]).to_string()).unwrap();
    // One template compares all pairs.
    let script = "import json\nR, V = json.load(open(a[0]))\nd = os.path.dirname(a[0]) + '/c'\nos.makedirs(d + '/templates')\n\
                  open(d + '/Chart.yaml', 'w').write('apiVersion: v2\\nname: c\\nversion: 0.1.0\\n')\nout = []\n\
                  open(d + '/templates/x.txt', 'w').write('{{ range .Values.v }}{{ if semverCompare $.Values.r . }}1{{ else }}0{{ end }}{{ end }}')\n\
                  c = h.Chart.load(d)\nfor r in R:\n    try: out.append(c.render({'r': r, 'v': V}, name='c', namespace='c')['c/templates/x.txt'])\n    \
                  except Exception: out.append('error')\nprint(json.dumps(out))";
    let Some(theirs) = helm(script, &[&input.display().to_string()]) else { return };
    let theirs: Vec<String> = serde_json::from_str(theirs.unwrap().trim()).unwrap();
    let mut different = Vec::new();
    let mut pairs = 0;
    for (range, theirs) in ranges.iter().zip(&theirs) {
        let parsed = kpkg_template::semver::Range::parse(range);
        for (at, version) in versions.iter().enumerate() {
            pairs += 1;
            let ours = match &parsed {
                Ok(parsed) => {
                    u8::from(parsed.contains(&kpkg_template::semver::Version::parse(version).unwrap())) + b'0'
                }
                Err(_) => b'e',
            };
            let theirs = if theirs == "error" { b'e' } else { theirs.as_bytes()[at] };
            if ours != theirs {
                different.push(format!("{range} {version}: ours {}, Helm's {}", ours as char, theirs as char));
            }
        }
    }
    assert!(pairs > 9000, "{pairs}");
    assert!(
        different.is_empty(),
        "{} of {pairs} differ: {:#?}",
        different.len(),
        &different[..different.len().min(20)]
    );
}

/// Which version Helm's own resolution of dependencies takes from a repository: hundreds of ranges over dozens of
/// versions, each pair of which decides.
#[tokio::test]
async fn dependencies_resolve_as_with_helm() {
    let Some(server) = Server::nginx("") else { return };
    let lab = Lab::new();
    let www = server.www();
    for major in 0..3 {
        for minor in ["0", "2", "10"] {
            for patch in ["0", "3", "0-alpha.1", "3-rc.2"] {
                let version = format!("{major}.{minor}.{patch}");
                std::fs::write(www.join(format!("db-{version}.tgz")), archive("db", &version)).unwrap();
            }
        }
    }
    let index = kpkg_registry::repository::generate(&www, "").unwrap();
    std::fs::write(www.join("index.yaml"), kpkg_yaml::write_json(&index)).unwrap();
    let mut ranges: Vec<String> =
        ["*", "x", "1 - 2", "1.2 - 2.3.4", ">=1 <2 || ^2.2", ">= 1.2, < 2.0.0", "1.2.x || >=2", "~1.2.3-0 || 0.x"]
            .map(str::to_owned)
            .to_vec();
    for operator in ["", "=", "!=", ">", "<", ">=", "<=", "~", "^"] {
        for base in [
            "0",
            "1",
            "2",
            "1.2",
            "1.2.3",
            "0.2.3",
            "0.0.3",
            "1.x",
            "2.10.x",
            "1.2.0-0",
            "1.2.3-alpha",
            "1.10.0-alpha.1",
        ] {
            ranges.push(format!("{operator}{base}"));
        }
    }
    let chosen = |lock: &str| -> Vec<String> {
        lock.lines().filter_map(|line| line.trim().strip_prefix("version: ")).map(str::to_owned).collect()
    };
    let write = |folder: &std::path::Path, ranges: &[&String]| {
        let mut text = "apiVersion: v2\nname: app\nversion: 1.0.0\ndependencies:\n".to_owned();
        for (at, range) in ranges.iter().enumerate() {
            text.push_str(&format!(
                "- {{name: db, alias: a{at}, version: '{range}', repository: 'http://{}/'}}\n",
                server.address
            ));
        }
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("Chart.yaml"), text).unwrap();
    };
    // What fits nothing fails a whole chart, so each of those is asked for alone.
    let (mut some, mut none) = (Vec::new(), Vec::new());
    let entries = index["entries"]["db"].as_array().unwrap();
    for range in &ranges {
        let versions = entries.iter().filter_map(|entry| entry["version"].as_str());
        let fits = kpkg_registry::version::choose("db", range, false, versions);
        if fits.is_ok() { some.push(range) } else { none.push(range) }
    }
    assert!(some.len() * entries.len() > 3000 && !none.is_empty(), "{} of {} fit", some.len(), ranges.len());
    let (ours, theirs) = (lab.path("ours"), lab.path("theirs"));
    write(&ours, &some);
    write(&theirs, &some);
    let Some(updated) = helm("h.dependency_update(a[0])", &[&theirs.display().to_string()]) else { return };
    updated.unwrap();
    dependency::update(&lab.client, &ours, true, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let lock = |folder: &std::path::Path| std::fs::read_to_string(folder.join("Chart.lock")).unwrap();
    let (ours, theirs) = (lock(&ours), lock(&theirs));
    let theirs = chosen(&theirs);
    let ours = chosen(ours.split("\nkpkg:").next().unwrap());
    assert_eq!(theirs.len(), some.len());
    for (at, range) in some.iter().enumerate() {
        assert_eq!(ours[at], theirs[at], "{range}");
    }
    for range in none.iter().take(12) {
        let folder = lab.path("none");
        write(&folder, &[range]);
        assert!(helm("h.dependency_update(a[0])", &[&folder.display().to_string()]).unwrap().is_err(), "{range}");
    }
}
