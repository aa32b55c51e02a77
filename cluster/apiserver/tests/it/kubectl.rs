//! The real kubectl, if `KPKG_KUBECTL` or the search path has one.

use crate::kit::Cluster;
use axum::extract::Request;
use kpkg_apiserver::Identity;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};
use tokio::{net::TcpListener, process::Command};

/// Where kubectl is.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("KPKG_KUBECTL").map(PathBuf::from);
    let search = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&search).map(|dir| dir.join("kubectl")).filter(|path| path.is_file());
    named.or_else(|| found.next())
}

struct Kubectl {
    program: PathBuf,
    server: OsString,
    home: tempfile::TempDir,
}

impl Kubectl {
    async fn run(&self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.program)
            .arg("--server")
            .arg(&self.server)
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        let mut stdin = child.stdin.take().expect("it was piped");
        tokio::io::AsyncWriteExt::write_all(&mut stdin, input.as_bytes()).await.expect("written");
        drop(stdin);
        child.wait_with_output().await.expect("kubectl ends")
    }

    async fn ok(&self, args: &str, input: &str) -> String {
        let args: Vec<_> = args.split_whitespace().collect();
        let output = self.run(&args, input).await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

async fn start(program: &Path) -> (Cluster, Kubectl) {
    let cluster = Cluster::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = format!("http://{}", listener.local_addr().expect("an address"));
    let router = cluster.server.router().layer(axum::middleware::map_request(async |mut request: Request| {
        request.extensions_mut().insert(Identity::master("admin"));
        request
    }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let home = tempfile::tempdir().expect("a directory");
    (cluster, Kubectl { program: program.to_owned(), server: server.into(), home })
}

const DEPLOYMENT: &str = r#"{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
    "replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "nginx"}]}}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn daily_verbs_work() {
    let Some(program) = program() else { return };
    let (_cluster, kubectl) = start(&program).await;
    assert_eq!(kubectl.ok("apply -f -", DEPLOYMENT).await, "deployment.apps/web created\n");
    assert_eq!(kubectl.ok("apply -f -", DEPLOYMENT).await, "deployment.apps/web unchanged\n");
    let changed = DEPLOYMENT.replace("nginx", "nginx:2");
    assert_eq!(kubectl.ok("apply -f -", &changed).await, "deployment.apps/web configured\n");
    assert_eq!(kubectl.ok("scale deployment web --replicas=3", "").await, "deployment.apps/web scaled\n");
    assert_eq!(kubectl.ok("get deploy web -o jsonpath={.spec.replicas}", "").await, "3");
    assert!(kubectl.ok("get deploy -o wide", "").await.contains("web    0/3     0            0"));
    kubectl.ok("rollout restart deployment web", "").await;
    kubectl.ok("label deploy web tier=front", "").await;
    assert!(kubectl.ok("get all -l tier=front -A", "").await.contains("deployment.apps/web"));
    kubectl.ok("run p --image=busybox", "").await;
    kubectl.ok("wait --for=jsonpath={.status.phase}=Pending pod/p", "").await;
    kubectl.ok("expose deployment web --port=80 --type=NodePort", "").await;
    assert!(kubectl.ok("describe svc web", "").await.contains("NodePort"));
    assert!(kubectl.ok("describe pod p", "").await.contains("QoS Class:                   BestEffort"));
    kubectl.ok("create configmap c --from-literal=a=b", "").await;
    kubectl.ok("create secret generic s --from-literal=a=b", "").await;
    assert_eq!(kubectl.ok("get secret s -o jsonpath={.data.a}", "").await, "Yg==");
    kubectl.ok("create token default", "").await;
    assert_eq!(kubectl.ok("auth can-i create pods", "").await, "yes\n");
    assert!(kubectl.ok("explain deployment.spec.replicas", "").await.contains("FIELD: replicas <integer>"));
    assert!(kubectl.ok("api-resources", "").await.contains("deployments"));
    kubectl.ok("delete deployment,svc web", "").await;
    kubectl.ok("delete pod p", "").await;
    kubectl.ok("create namespace x", "").await;
    assert!(kubectl.ok("get ns", "").await.contains("x                 Active"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_read_as_with_kubernetes() {
    let Some(program) = program() else { return };
    let (_cluster, kubectl) = start(&program).await;
    let fails = async |args: &str, input: &str| {
        let args: Vec<_> = args.split_whitespace().collect();
        let output = kubectl.run(&args, input).await;
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(fails("get pod none", "").await, "Error from server (NotFound): pods \"none\" not found\n");
    assert_eq!(fails("get nothing", "").await, "error: the server doesn't have a resource type \"nothing\"\n");
    let unknown = DEPLOYMENT.replace("replicas", "replica");
    assert_eq!(
        fails("apply -f -", &unknown).await,
        "Error from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.replica\"\n"
    );
    let invalid = DEPLOYMENT.replace("\"image\": \"nginx\"", "\"image\": \"\"");
    assert!(fails("apply -f -", &invalid).await.contains("spec.template.spec.containers[0].image: Required value"));
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply_works() {
    let Some(program) = program() else { return };
    let (_cluster, kubectl) = start(&program).await;
    let apply = "apply --server-side -f -";
    assert_eq!(kubectl.ok(apply, DEPLOYMENT).await, "deployment.apps/web serverside-applied\n");
    kubectl.ok("scale deployment web --replicas=5", "").await;
    let output = kubectl.run(&["apply", "--server-side", "-f", "-"], DEPLOYMENT).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let want = r#"Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas"#;
    assert!(text.contains(want), "{text}");
    kubectl.ok("apply --server-side --force-conflicts --dry-run=server -f -", DEPLOYMENT).await;
    assert_eq!(kubectl.ok("get deploy web -o jsonpath={.spec.replicas}", "").await, "5");
    kubectl.ok("apply --server-side --force-conflicts -f -", DEPLOYMENT).await;
    assert_eq!(kubectl.ok("get deploy web -o jsonpath={.spec.replicas}", "").await, "2");
    let shown = kubectl.ok("get deploy web -o yaml --show-managed-fields", "").await;
    assert!(shown.contains("f:replicas: {}") && !shown.contains("subresource: scale"), "{shown}");
    // From the client's side and on from the server's.
    let other = DEPLOYMENT.replace("\"name\": \"web\"}, \"spec\"", "\"name\": \"old\"}, \"spec\"");
    kubectl.ok("apply -f -", &other).await;
    kubectl.ok(apply, &other.replace("nginx", "nginx:2")).await;
    assert_eq!(kubectl.ok("get deploy old -o jsonpath={.spec.template.spec.containers[0].image}", "").await, "nginx:2");
    assert_eq!(kubectl.ok("apply -f -", &other.replace("nginx", "nginx:3")).await, "deployment.apps/old configured\n");
}

const DEFINITION: &str = r#"{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "tabs.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
    "names": {"plural": "tabs", "kind": "Tab", "shortNames": ["tb"]}, "versions": [{"name": "v1", "served": true, "storage": true,
    "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "description": "What it is.",
    "properties": {"size": {"type": "integer", "default": 3, "maximum": 9}}}}}}}]}}"#;
const TAB: &str = r#"{"apiVersion": "example.com/v1", "kind": "Tab", "metadata": {"name": "t"}, "spec": {}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_work() {
    let Some(program) = program() else { return };
    let (_cluster, kubectl) = start(&program).await;
    kubectl.ok("apply -f -", DEFINITION).await;
    kubectl.ok("wait --for=condition=Established crd/tabs.example.com", "").await;
    assert_eq!(kubectl.ok("apply -f -", TAB).await, "tab.example.com/t created\n");
    assert_eq!(kubectl.ok("apply -f -", TAB).await, "tab.example.com/t unchanged\n");
    let table = kubectl.ok("get tb", "").await;
    assert_eq!(table, "NAME   SIZE\nt      3\n");
    assert!(kubectl.ok("explain tab.spec", "").await.contains("What it is."));
    kubectl.ok("patch tab t --type=merge -p {\"spec\":{\"size\":4}}", "").await;
    assert_eq!(kubectl.ok("get tab t -o jsonpath={.spec.size}", "").await, "4");
    let big = TAB.replace("{}", "{\"size\": 10}");
    let output = kubectl.run(&["apply", "-f", "-"], &big).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9"),
        "{text}"
    );
    let unknown = TAB.replace("{}", "{\"sise\": 1}");
    let output = kubectl.run(&["apply", "-f", "-"], &unknown).await;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("strict decoding error: unknown field \"spec.sise\""), "{text}");
    kubectl.ok("delete crd tabs.example.com --timeout=20s", "").await;
    kubectl.ok("create job j --image=busybox -- true", "").await;
    assert!(kubectl.ok("get jobs", "").await.contains("j      Running   0/1"));
    kubectl.ok("create cronjob c --image=busybox --schedule=@daily -- true", "").await;
    kubectl.ok("create job k --from=cronjob/c", "").await;
    assert!(kubectl.ok("describe cronjob c", "").await.contains("Schedule:                      @daily"));
    kubectl.ok("create role r --verb=get --resource=pods", "").await;
    kubectl.ok("create rolebinding b --role=r --serviceaccount=default:default", "").await;
    kubectl.ok("create clusterrole cr --verb=get --resource=nodes", "").await;
    kubectl.ok("create ingress i --rule=a.example.com/=web:80", "").await;
    assert!(kubectl.ok("get ingress", "").await.contains("a.example.com"));
    kubectl.ok("create poddisruptionbudget p --selector=a=b --min-available=1", "").await;
    kubectl.ok("create priorityclass high --value=1000", "").await;
    kubectl.ok("create quota q --hard=pods=3", "").await;
    kubectl.ok("get pdb,hpa,netpol,ds,cj,quota,limits,pc,crd,roles,rolebindings,ingress -A", "").await;
}
