//! The main job: WordPress from one command, driven over HTTP, through everything that may happen to it.

use serde_json::Value;

use kpkg_tests::{Machine, eventually, images};

use crate::LIMIT;

pub(crate) const SITE: &str = "http://127.0.0.1:30080";

/// A browser's worth of curl: cookies kept, redirects followed.
fn browse(machine: &Machine, args: &[&str]) -> Option<String> {
    let jar = machine.dir().join("cookies").display().to_string();
    let mut all = vec!["--location", "--max-time", "30", "--cookie", &jar, "--cookie-jar", &jar];
    all.extend(args);
    machine.http(&all)
}

/// The value of a hidden field of a form.
fn field(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("no field `{name}` in\n{page}"));
    let rest = &page[at..];
    let value = rest.split("value=\"").nth(1).and_then(|it| it.split('"').next());
    value.unwrap_or_default().to_owned()
}

#[test]
fn wordpress_installs_serves_survives_and_goes() {
    let machine = Machine::new();
    machine.kpkg(&["cluster", "start"]).ok();
    for (chart, reference) in images::BUNDLED {
        machine.kpkg(&["image", "load", &images::bundled(chart, reference).display().to_string()]).ok();
    }
    let installed = machine.kpkg(&["install", "wordpress"]).ok();
    assert!(installed.contains(SITE), "{installed}");
    // The very same again changes nothing.
    let again = machine.kpkg(&["install", "wordpress"]).ok();
    assert!(again.contains("REVISION: 1") && again.contains(SITE), "{again}");
    assert!(machine.kpkg(&["list"]).ok().contains("deployed"));
    assert!(machine.kpkg(&["status", "wordpress"]).ok().contains("STATUS: deployed"));

    make_site(&machine);
    publish(&machine, "A tale of two pods");
    let readable = || machine.http(&["--location", SITE]).is_some_and(|page| page.contains("A tale of two pods"));
    assert!(readable(), "the post is not on the front page");

    // The database's pod goes: the same data comes back.
    machine.kubectl(&["delete", "pod", "wordpress-mariadb-0"]).ok();
    crate::wait_ready(&machine, "wordpress-mariadb-0");
    eventually("the post is readable again", LIMIT, || readable().then_some(()));

    scale(&machine);
    eventually("the post is readable after scaling", LIMIT, || readable().then_some(()));

    // The server dies and comes back; no container notices.
    let before = container_ids(&machine);
    let status: Value = serde_json::from_str(&machine.kpkg(&["cluster", "status", "-o", "json"]).ok()).expect("JSON");
    machine.run("kill", &["-9", &status["pid"].to_string()]).ok();
    machine.kpkg(&["cluster", "start"]).ok();
    assert_eq!(container_ids(&machine), before);
    eventually("the site is up again", LIMIT, || readable().then_some(()));

    machine.kpkg(&["uninstall", "wordpress"]).ok();
    for kind in ["deployment", "statefulset", "service"] {
        assert_eq!(
            machine.kubectl(&["get", kind, "-l", "app.kubernetes.io/instance=wordpress", "-o", "name"]).ok(),
            ""
        );
    }
    // Helm's rule: claims of the chart go, claims that a StatefulSet made stay.
    let claims = machine.kubectl(&["get", "pvc", "-o", "name"]).ok();
    assert_eq!(claims.trim(), "persistentvolumeclaim/data-wordpress-mariadb-0");
    machine.delete_cluster();
}

/// Fills WordPress's installation form and logs in.
pub(crate) fn make_site(machine: &Machine) {
    let form = machine.http(&["--location", &format!("{SITE}/wp-admin/install.php")]).expect("the installation page");
    assert!(form.contains("five-minute WordPress installation"), "{form}");
    let done = browse(
        machine,
        &[
            &format!("{SITE}/wp-admin/install.php?step=2"),
            "--data-urlencode",
            "weblog_title=Two pods",
            "--data-urlencode",
            "user_name=admin",
            "--data-urlencode",
            "admin_password=correct horse battery",
            "--data-urlencode",
            "admin_password2=correct horse battery",
            "--data-urlencode",
            "admin_email=admin@example.com",
            "--data-urlencode",
            "pw_weak=1",
            "--data-urlencode",
            "blog_public=0",
            "--data-urlencode",
            "language=",
        ],
    );
    assert!(done.as_deref().is_some_and(|page| page.contains("Success!")), "{done:?}");
    let jar = machine.dir().join("cookies").display().to_string();
    machine.http(&["--cookie-jar", &jar, &format!("{SITE}/wp-login.php")]).expect("the login page");
    let inside = browse(
        machine,
        &[
            &format!("{SITE}/wp-login.php"),
            "--data-urlencode",
            "log=admin",
            "--data-urlencode",
            "pwd=correct horse battery",
            "--data-urlencode",
            "testcookie=1",
            "--data-urlencode",
            "wp-submit=Log In",
            "--data-urlencode",
            &format!("redirect_to={SITE}/wp-admin/"),
        ],
    );
    assert!(inside.as_deref().is_some_and(|page| page.contains("Dashboard")), "{inside:?}");
}

/// Publishes a post as the editor page would.
pub(crate) fn publish(machine: &Machine, title: &str) {
    let editor = browse(machine, &[&format!("{SITE}/wp-admin/post-new.php")]).expect("the editor");
    let nonce = editor.split("createNonceMiddleware( \"").nth(1).and_then(|it| it.split('"').next());
    let nonce = nonce.unwrap_or_else(|| panic!("no nonce in the editor ({})", field(&editor, "_wpnonce")));
    let made = browse(
        machine,
        &[
            &format!("{SITE}/?rest_route=/wp/v2/posts"),
            "--header",
            &format!("X-WP-Nonce: {nonce}"),
            "--data-urlencode",
            &format!("title={title}"),
            "--data-urlencode",
            "content=It was the best of nodes.",
            "--data-urlencode",
            "status=publish",
        ],
    );
    assert!(made.as_deref().is_some_and(|it| it.contains("\"status\":\"publish\"")), "{made:?}");
}

/// Scales to three replicas: all serve; one that is deleted is replaced.
fn scale(machine: &Machine) {
    machine.kubectl(&["scale", "deployment/wordpress", "--replicas=3"]).ok();
    machine.kubectl(&["rollout", "status", "deployment/wordpress", "--timeout=180s"]).ok();
    let selector = "app.kubernetes.io/name=wordpress";
    let served = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        machine.kubectl(&["logs", name]).ok().lines().filter(|line| line.contains("GET /?spread")).count()
    };
    for _ in 0..40 {
        machine.http(&["--output", "/dev/null", &format!("{SITE}/?spread")]).expect("every request is served");
    }
    let pods = machine.pods(selector);
    assert_eq!(pods.len(), 3);
    let counts: Vec<usize> = pods.iter().map(served).collect();
    assert!(counts.iter().all(|count| *count > 0), "requests per pod: {counts:?}");

    let victim = pods[0]["metadata"]["name"].as_str().expect("a name").to_owned();
    machine.kubectl(&["delete", "pod", &victim, "--grace-period=0", "--force"]).ok();
    eventually("three pods are ready again", LIMIT, || {
        let pods = machine.pods(selector);
        let ready = pods.iter().filter(|pod| crate::is_ready(pod)).count();
        let gone = pods.iter().all(|pod| pod["metadata"]["name"] != victim.as_str());
        (ready == 3 && gone).then_some(())
    });
}

fn container_ids(machine: &Machine) -> Vec<String> {
    let pods = machine.pods("app.kubernetes.io/instance=wordpress");
    let mut ids: Vec<String> =
        pods.iter().map(|pod| pod["status"]["containerStatuses"][0]["containerID"].to_string()).collect();
    ids.sort();
    ids
}
