//! Overlays as a user builds and changes them: from folders, repositories and web servers, and on charts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpkg"));
    command.args(args).current_dir(folder).env_remove("KUBECONFIG").env("XDG_CACHE_HOME", folder.join("cache"));
    command
}

/// Runs kpkg in a folder, which holds its cache too.
fn kpkg(folder: &Path, args: &[&str]) -> Ran {
    let output = command(folder, args).output().expect("kpkg starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// What kpkg prints when all is well.
fn printed(folder: &Path, args: &[&str]) -> String {
    let ran = kpkg(folder, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran.out
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n";

/// A repository with a base in it, and its address; what is committed is what the address gives.
fn repository(folder: &Path) -> String {
    let root = folder.join("repo");
    write(&root, "base/kustomization.yaml", "namePrefix: far-\nresources: [pod.yaml]\n");
    write(&root, "base/pod.yaml", POD);
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&root).args(["-c", "user.name=a", "-c", "user.email=a@b.example"]).args(args);
        assert!(git.output().expect("git runs").status.success(), "{args:?}");
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=base"]);
    git(&["tag", "v1"]);
    write(&root, "base/kustomization.yaml", "namePrefix: later-\nresources: [pod.yaml]\n");
    format!("file://{}", root.display())
}

/// Serves one text, however often it is asked for, under `/pod.yaml`. Ends with the test's process.
fn server(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut first = String::new();
            drop(BufReader::new(&stream).read_line(&mut first));
            let answer = if first.starts_with("GET /pod.yaml ") {
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}", text.len())
            } else {
                "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned()
            };
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://{address}")
}

#[test]
fn a_repository_builds_at_its_reference() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let repository = repository(folder);
    let built = printed(folder, &["build", &format!("{repository}//base?ref=v1&timeout=60s")]);
    assert_eq!(built, POD.replace("web", "far-web"));
    write(folder, "top/kustomization.yaml", &format!("nameSuffix: -x\nresources: ['{repository}//base?ref=main']\n"));
    assert_eq!(printed(folder, &["build", "top"]), POD.replace("web", "far-web-x"));
    for (address, want) in [
        (format!("{repository}//base?ref=nosuch"), "couldn't find remote ref"),
        (format!("{repository}//nowhere?ref=v1"), "nowhere"),
    ] {
        let ran = kpkg(folder, &["build", &address]);
        assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains(want), "{address}: {}", ran.err);
    }
    let offline = kpkg(folder, &["build", "--offline", "top"]);
    assert!(offline.err.contains("remote resources are not available"), "{}", offline.err);
}

#[test]
fn a_file_comes_from_a_web_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = server(POD);
    write(folder, "kustomization.yaml", &format!("namespace: far\nresources: ['{server}/pod.yaml']\n"));
    assert_eq!(printed(folder, &["build"]), format!("{POD}  namespace: far\n"));
    write(folder, "kustomization.yaml", &format!("resources: ['{server}/nosuch.yaml']\n"));
    let ran = kpkg(folder, &["build"]);
    assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains("404"), "{}", ran.err);
}

/// CVE-2022-31016: a server that never ends, and does not say so, is not listened to for ever.
#[test]
fn a_file_without_end_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(BufReader::new(&stream).read_line(&mut String::new()));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"));
            let part = vec![b'#'; 1 << 16];
            while stream.write_all(&part).is_ok() {}
        }
    });
    write(folder.path(), "kustomization.yaml", &format!("resources: ['http://{address}/pod.yaml']\n"));
    let ran = kpkg(folder.path(), &["build"]);
    assert!(ran.code == 1 && ran.err.contains("larger than 67108864 bytes"), "{}", ran.err);
}

#[test]
fn a_localized_copy_needs_nothing_remote() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let (repository, server) = (repository(folder), server("apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"));
    let resources = format!("resources:\n- '{repository}//base?ref=v1'\n- {server}/pod.yaml\n- ../near\n");
    write(folder, "all/top/kustomization.yaml", &format!("patches: [{{path: p.yaml}}]\n{resources}"));
    write(folder, "all/top/p.yaml", "kind: Service\napiVersion: v1\nmetadata: {name: s}\nspec: {type: NodePort}\n");
    write(folder, "all/near/kustomization.yaml", "configMapGenerator: [{name: c, files: [k=f.txt]}]\n");
    write(folder, "all/near/f.txt", "text\n");
    write(folder, "all/near/unused.txt", "");

    let refused = kpkg(folder, &["overlay", "localize", "all/top", "no"]);
    assert!(refused.err.contains("outside localize scope"), "{}", refused.err);
    assert!(!folder.join("no").exists(), "what was begun is gone");

    let ran = kpkg(folder, &["overlay", "localize", "all/top", "copy", "--scope", "all"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("VERIFICATION SUCCESS") && ran.err.contains("SUCCESS: localized"), "{}", ran.err);
    let near = printed(folder, &["build", "--offline", "copy/top"]);
    assert_eq!(near, printed(folder, &["build", "all/top"]));
    let path = repository.trim_start_matches("file://");
    let want = format!(
        "patches:\n- path: p.yaml\nresources:\n- localized-files/file-schemed{path}/v1/base\n- \
         localized-files/127.0.0.1/pod.yaml\n- ../near\n"
    );
    assert_eq!(read(folder, "copy/top/kustomization.yaml"), want);
    assert!(folder.join("copy/near/f.txt").exists() && !folder.join("copy/near/unused.txt").exists());

    let named = kpkg(folder, &["overlay", "localize", "--no-verify", &format!("{repository}//base?ref=v1")]);
    assert_eq!(named.code, 0, "{}", named.err);
    assert_eq!(read(folder, "localized-base-v1/base/pod.yaml"), POD);
}

const CHART: [(&str, &str); 3] = [
    ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    ("web/values.yaml", "replicas: 1\n"),
    (
        "web/templates/all.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ \
         .Release.Namespace }}\nspec:\n  replicas: {{ .Values.replicas }}\n---\napiVersion: batch/v1\nkind: \
         Job\nmetadata:\n  name: hook\n  annotations: {helm.sh/hook: pre-install}\n",
    ),
];

const PATCH: &str = "patches:\n- target: {kind: Deployment}\n  path: three.json\n";

const THREE: &str = r#"[{"op": "replace", "path": "/spec/replicas", "value": 3}]"#;

#[test]
fn an_overlay_on_a_chart_and_a_chart_in_an_overlay_give_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    CHART.iter().for_each(|(name, text)| write(folder, name, text));
    ["over", "with"].iter().for_each(|name| write(folder, &format!("{name}/three.json"), THREE));
    write(folder, "over/kustomization.yaml", &format!("commonAnnotations: {{a: b}}\n{PATCH}"));
    write(folder, "with/kustomization.yaml", &format!("commonAnnotations: {{a: b}}\nresources: [../web]\n{PATCH}"));
    let over = printed(folder, &["template", "web", "web", "--overlay", "over"]);
    assert!(over.contains("replicas: 3\n") && over.contains("kind: Job\n"), "{over}");
    assert_eq!(printed(folder, &["build", "--enable-helm", "with"]), over);
    let refused = kpkg(folder, &["build", "with"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    // A chart's templates may be traced, too.
    let told = printed(folder, &["build", "--enable-helm", "with", "--trace", "Deployment/web:spec.replicas"]);
    assert!(told.contains("  chart ../web") && told.contains("    3\n"), "{told}");
}

#[test]
fn charts_are_rendered_where_kustomizations_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    CHART.iter().for_each(|(name, text)| write(folder, &format!("charts/{name}"), text));
    let chart = "helmCharts:\n- name: web\n  releaseName: r\n  valuesInline: {replicas: 2}\n";
    write(folder, "kustomization.yaml", &format!("namespace: far\n{chart}"));
    let flags = ["--helm-command", "helm", "--helm-kube-version", "1.30", "--helm-api-versions", "a/v1"];
    let built = printed(folder, &[&["build", "--enable-helm"], &flags[..]].concat());
    assert!(built.contains("  name: r\n  namespace: far\nspec:\n  replicas: 2\n"), "{built}");
    let refused = kpkg(folder, &["build"]);
    assert!(refused.err.contains("must specify --enable-helm"), "{}", refused.err);
}

#[test]
fn files_of_a_folder_are_named_by_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: r}\n";
    write(folder, "kustomization.yaml", "resources: [a.yaml]\n");
    write(folder, "a.yaml", &format!("{POD}---\n{POD}  namespace: N\n---\n{role}"));
    std::fs::create_dir(folder.join("out")).expect("made");
    assert_eq!(printed(folder, &["build", "--output", "out"]), "");
    assert_eq!(read(folder, "out/default_v1_pod_web.yaml"), POD);
    assert!(read(folder, "out/n_v1_pod_web.yaml").contains("namespace: \"N\"\n"));
    assert!(folder.join("out/rbac.authorization.k8s.io_v1_clusterrole_r.yaml").exists());
    printed(folder, &["build", "-o", "one.yaml"]);
    assert_eq!(read(folder, "one.yaml"), printed(folder, &["build"]));
}

#[cfg(unix)]
#[test]
fn programs_run_only_when_asked_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let script = "#!/bin/sh\nsed \"s/name: web/name: $NAME/\"\n";
    write(folder, "run.sh", script);
    std::fs::set_permissions(folder.join("run.sh"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    let function = "apiVersion: x/v1\nkind: F\nmetadata:\n  name: f\n  annotations:\n    config.kubernetes.io/function: \
                    'exec: {path: ./run.sh}'\n";
    write(folder, "function.yaml", function);
    write(folder, "pod.yaml", POD);
    write(folder, "kustomization.yaml", "resources: [pod.yaml]\ntransformers: [function.yaml]\n");
    let refused = kpkg(folder, &["build", "--network", "--as-current-user"]);
    assert!(refused.err.contains("external plugins disabled"), "{}", refused.err);
    let built = printed(folder, &["build", "--enable-exec", "--enable-alpha-plugins", "--env", "NAME=new"]);
    assert_eq!(built, POD.replace("web", "new"));
}

/// What a generator that is a program asks for by annotations. The name is what Kustomize gives.
#[cfg(unix)]
#[test]
fn programs_say_which_names_end_in_a_hash() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // It does not even read its input.
    let script = "#!/bin/sh\ncat <<END\napiVersion: config.kubernetes.io/v1\nkind: ResourceList\nitems:\n- apiVersion: v1\n  kind: \
                  ConfigMap\n  metadata:\n    name: made\n    annotations: {kustomize.config.k8s.io/needs-hash: \"true\"}\n  data: {a: \
                  b}\nEND\n";
    write(folder, "run.sh", script);
    std::fs::set_permissions(folder.join("run.sh"), std::fs::Permissions::from_mode(0o755)).expect("a program");
    let function = "apiVersion: x/v1\nkind: F\nmetadata:\n  name: f\n  annotations:\n    config.kubernetes.io/function: \
                    'exec: {path: ./run.sh}'\n";
    write(folder, "function.yaml", function);
    write(folder, "kustomization.yaml", "generators: [function.yaml]\nnamePrefix: p-\n");
    let built = printed(folder, &["build", "--enable-exec", "--enable-alpha-plugins"]);
    assert_eq!(built, "apiVersion: v1\ndata:\n  a: b\nkind: ConfigMap\nmetadata:\n  name: p-made-4h2mbtbbt6\n");
}

#[test]
fn traces_tell_what_made_a_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, "base/kustomization.yaml", "resources: [d.yaml]\n");
    let spec = "spec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n      - {name: c, image: i}\n";
    write(folder, "base/d.yaml", &format!("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n{spec}"));
    let fields =
        "namePrefix: p-\nresources: [../base]\nreplicas: [{name: web, count: 2}]\nimages: [{name: i, newTag: t}]\n";
    write(folder, "top/kustomization.yaml", &format!("{fields}{PATCH}"));
    write(folder, "top/three.json", THREE);
    let told = printed(
        folder,
        &[
            "build",
            "top",
            "--trace",
            "Deployment/web:spec.replicas",
            "--trace",
            "Deployment/p-web:spec.template.spec.containers.c.image",
        ],
    );
    let want = "\
Deployment/p-web spec.replicas
  ../base/d.yaml:6
    1
  patch [path: \"three.json\"] in top/kustomization.yaml
    3
  replicas in top/kustomization.yaml
    2
Deployment/p-web spec.template.spec.containers.c.image
  ../base/d.yaml:10
    i
  images in top/kustomization.yaml
    i:t
"
    .replace("top/", "");
    assert_eq!(told, want);
    let none = kpkg(folder, &["build", "top", "--trace", "Deployment/web:spec.nosuch"]);
    assert!(none.err.contains("there is no field spec.nosuch in a Deployment/web"), "{}", none.err);
}

#[test]
fn a_watched_folder_is_built_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, "a/kustomization.yaml", "resources: [pod.yaml]\n");
    write(folder, "a/pod.yaml", POD);
    let mut child = command(folder, &["build", "-w", "a"]).stdout(Stdio::piped()).spawn().expect("kpkg starts");
    let mut out = child.stdout.take().expect("a pipe");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while out.read_exact(&mut byte).is_ok() && sender.send(byte[0]).is_ok() {}
    });
    let next = |want: &str| {
        let bytes = want.bytes().map(|_| receiver.recv_timeout(Duration::from_secs(60)).expect("it is built in time"));
        assert_eq!(String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()), want);
    };
    next(POD);
    let other = POD.replace("web", "other");
    write(folder, "a/pod.yaml", &other);
    next(&other);
    child.kill().expect("it runs still");
    child.wait().expect("it ends");
}

#[test]
fn kustomizations_are_made_and_edited() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    write(folder, "pod.yaml", POD);
    printed(folder, &["overlay", "create", "--autodetect", "--namesuffix=-x"]);
    let patch = "- op: add\n  path: /metadata/labels\n  value: {a: b}";
    printed(folder, &["overlay", "edit", "add", "patch", "--patch", patch, "--kind", "Pod"]);
    printed(folder, &["overlay", "edit", "set", "namesuffix", "--", "-y"]);
    let again = kpkg(folder, &["overlay", "edit", "add", "resource", "pod.yaml"]);
    assert_eq!((again.code, again.err.as_str()), (0, "resource pod.yaml already in kustomization file\n"));
    let built = printed(folder, &["build"]);
    assert_eq!(built, "apiVersion: v1\nkind: Pod\nmetadata:\n  labels:\n    a: b\n  name: web-y\n");
    let fixed = printed(folder, &["overlay", "edit", "fix"]);
    assert!(fixed.contains("commonLabels -> labels") && !fixed.contains("Warning"), "{fixed}");
    let missing = kpkg(folder, &["overlay", "edit", "set", "namespace"]);
    assert_eq!((missing.code, missing.err.as_str()), (1, "error: must specify exactly one namespace value\n"));
}
