//! `.Capabilities`: the version of Kubernetes, and what it serves.

use std::any::Any;

use kpkg_template::{Context, Failure, Kind, Object, Signature, Type, Value};

use crate::rendered::{ClusterFacts, KubeVersion};

/// Groups and versions that Helm assumes where no cluster is asked.
const DEFAULT_API_VERSIONS: &str = "v1 admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1alpha1 \
    admissionregistration.k8s.io/v1beta1 internal.apiserver.k8s.io/v1alpha1 apps/v1 apps/v1beta1 apps/v1beta2 \
    authentication.k8s.io/v1 authentication.k8s.io/v1alpha1 authentication.k8s.io/v1beta1 authorization.k8s.io/v1 \
    authorization.k8s.io/v1beta1 autoscaling/v1 autoscaling/v2 batch/v1 batch/v1beta1 certificates.k8s.io/v1 \
    certificates.k8s.io/v1beta1 certificates.k8s.io/v1alpha1 coordination.k8s.io/v1alpha2 coordination.k8s.io/v1beta1 \
    coordination.k8s.io/v1 discovery.k8s.io/v1 discovery.k8s.io/v1beta1 events.k8s.io/v1 events.k8s.io/v1beta1 \
    extensions/v1beta1 flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta1 \
    flowcontrol.apiserver.k8s.io/v1beta2 flowcontrol.apiserver.k8s.io/v1beta3 networking.k8s.io/v1 \
    networking.k8s.io/v1beta1 node.k8s.io/v1 node.k8s.io/v1alpha1 node.k8s.io/v1beta1 policy/v1 policy/v1beta1 \
    rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1 \
    resource.k8s.io/v1 resource.k8s.io/v1beta2 resource.k8s.io/v1beta1 resource.k8s.io/v1alpha3 \
    scheduling.k8s.io/v1alpha2 scheduling.k8s.io/v1beta1 scheduling.k8s.io/v1 storage.k8s.io/v1beta1 storage.k8s.io/v1 \
    storage.k8s.io/v1alpha1 storagemigration.k8s.io/v1beta1 apiextensions.k8s.io/v1beta1 apiextensions.k8s.io/v1";

/// The version of Helm whose templates these are, as its engine tells it in a library. The released program says more,
/// and each release other things: the patch version, the commit.
const HELM_VERSION: &str = "v4.2";
const GO_VERSION: &str = "go1.26.6";
const KUBE_MINOR: &str = "36";

impl Default for ClusterFacts {
    fn default() -> Self {
        Self {
            kube_version: KubeVersion {
                version: format!("v1.{KUBE_MINOR}.0"),
                major: "1".to_owned(),
                minor: KUBE_MINOR.to_owned(),
            },
            api_versions: DEFAULT_API_VERSIONS.split_whitespace().map(str::to_owned).collect(),
            objects: std::collections::BTreeMap::new(),
            resolver: None,
        }
    }
}

impl KubeVersion {
    /// Reads a version as `--kube-version` gives it: `1.30`, `v1.33.4-gke.1`. As Kubernetes reads versions, it begins with
    /// two numbers or more; what follows them may be anything.
    pub fn parse(text: &str) -> Result<Self, String> {
        let numbers = numbers(text);
        if numbers.is_empty() {
            return Err(format!("could not parse {text:?} as version"));
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        let [first, second, ..] = parts.as_slice() else {
            return Err(format!("illegal version string {text:?}"));
        };
        if first.len() > 1 && first.starts_with('0') {
            return Err(format!("illegal zero-prefixed version component {first:?} in {text:?}"));
        }
        if let Some(part) = parts.iter().find(|part| part.parse::<u64>().is_err()) {
            return Err(format!(
                "illegal non-numeric version component {part:?} in {text:?}: strconv.ParseUint: parsing {part:?}: value \
                 out of range"
            ));
        }
        let version = if text.starts_with('v') { text.to_owned() } else { format!("v{text}") };
        Ok(Self { version, major: plain(first).to_owned(), minor: plain(second).to_owned() })
    }

    /// The numbers alone, which ranges are checked against: `v1.33.4`.
    pub fn normalized(&self) -> String {
        let bare = self.version.strip_prefix('v').unwrap_or(&self.version);
        let parts: Vec<&str> = numbers(bare).split('.').map(plain).collect();
        format!("v{}", parts.join("."))
    }
}

/// The numbers and dots that a version begins with, behind blanks and a `v`.
fn numbers(text: &str) -> &str {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(|letter: char| letter != '.' && !letter.is_ascii_digit()).unwrap_or(text.len());
    let text = &text[..end];
    // Dots stand between numbers: `1.20.x` ends with its second number.
    let end = text.find("..").unwrap_or(text.len());
    if text.starts_with('.') { "" } else { text[..end].trim_end_matches('.') }
}

/// A number without the zeros before it.
fn plain(number: &str) -> &str {
    let short = number.trim_start_matches('0');
    if short.is_empty() { "0" } else { short }
}

/// The object; its parts are made once, for templates ask for them again and again.
pub(crate) struct Capabilities {
    version: KubeVersion,
    kube_version: Value,
    api_versions: Value,
}

impl Capabilities {
    pub(crate) fn new(facts: &ClusterFacts) -> Self {
        Self {
            version: facts.kube_version.clone(),
            kube_version: Value::object(Version { version: facts.kube_version.clone(), has_address: true }),
            api_versions: Value::object(ApiVersions(facts.api_versions.clone())),
        }
    }
}

const NO_PARAMS: Signature = Signature { params: &[], variadic: false };

impl Object for Capabilities {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn kind(&self) -> Kind {
        Kind::Ptr
    }

    fn print(&self) -> String {
        format!("&{}", self.show())
    }

    fn show(&self) -> String {
        let version = Version { version: self.version.clone(), has_address: false }.print();
        format!("{{{version} {} {}}}", kpkg_template::print(&self.api_versions), BuildInfo.print())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "KubeVersion" => Some(self.kube_version.clone()),
            "APIVersions" => Some(self.api_versions.clone()),
            "HelmVersion" => Some(Value::object(BuildInfo)),
            _ => None,
        }
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let fields = ["KubeVersion", "APIVersions", "HelmVersion"];
        Some(fields.into_iter().filter_map(|name| Some((name, self.field(name)?))).collect())
    }

    fn plain(&self) -> Value {
        as_map(self.json_fields())
    }
}

/// `.Capabilities.KubeVersion`
struct Version {
    version: KubeVersion,
    /// Its methods are those of a pointer to it.
    has_address: bool,
}

impl Object for Version {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn print(&self) -> String {
        let it = &self.version;
        format!("{{{} {} {} {}}}", it.version, it.normalized(), it.major, it.minor)
    }

    fn show(&self) -> String {
        if self.has_address { self.version.normalized() } else { self.print() }
    }

    fn copied(&self) -> Option<Value> {
        Some(Value::object(Self { version: self.version.clone(), has_address: false }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(self.version.version.as_str().into()),
            "Major" => Some(self.version.major.as_str().into()),
            "Minor" => Some(self.version.minor.as_str().into()),
            _ => None,
        }
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (self.has_address && matches!(name, "String" | "GitVersion")).then_some(NO_PARAMS)
    }

    fn call(&self, _context: &mut Context, name: &str, _args: &[Value]) -> Result<Value, Failure> {
        Ok(if name == "String" { self.version.normalized().into() } else { self.version.version.as_str().into() })
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        let fields = ["Version", "Major", "Minor"];
        Some(fields.into_iter().filter_map(|name| Some((name, self.field(name)?))).collect())
    }

    fn plain(&self) -> Value {
        as_map(self.json_fields())
    }
}

/// `.Capabilities.APIVersions`
struct ApiVersions(Vec<String>);

impl Object for ApiVersions {
    fn type_name(&self) -> &'static str {
        "common.VersionSet"
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn print(&self) -> String {
        format!("[{}]", self.0.join(" "))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn truth(&self) -> bool {
        !self.0.is_empty()
    }

    fn method(&self, name: &str) -> Option<Signature> {
        (name == "Has").then_some(Signature { params: &[Type::String], variadic: false })
    }

    fn call(&self, _context: &mut Context, _name: &str, args: &[Value]) -> Result<Value, Failure> {
        let found = matches!(args.first(), Some(Value::String(text)) if self.0.iter().any(|known| known.as_bytes() == text.as_bytes()));
        Ok(Value::Bool(found))
    }

    fn items(&self) -> Option<Vec<Value>> {
        Some(self.0.iter().map(|version| version.as_str().into()).collect())
    }

    fn plain(&self) -> Value {
        Value::list(self.items().unwrap_or_default())
    }
}

/// `.Capabilities.HelmVersion`
struct BuildInfo;

impl Object for BuildInfo {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn print(&self) -> String {
        format!("{{{HELM_VERSION}   {GO_VERSION} v1.{KUBE_MINOR}}}")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Version" => Some(HELM_VERSION.into()),
            "GitCommit" | "GitTreeState" => Some("".into()),
            "GoVersion" => Some(GO_VERSION.into()),
            "KubeClientVersion" => Some(format!("v1.{KUBE_MINOR}").into()),
            _ => None,
        }
    }

    fn json_fields(&self) -> Option<Vec<(&'static str, Value)>> {
        Some(vec![
            ("version", HELM_VERSION.into()),
            ("go_version", GO_VERSION.into()),
            ("kube_client_version", format!("v1.{KUBE_MINOR}").into()),
        ])
    }

    fn plain(&self) -> Value {
        as_map(self.json_fields())
    }
}

fn as_map(fields: Option<Vec<(&'static str, Value)>>) -> Value {
    Value::map(fields.into_iter().flatten().map(|(name, value)| (name.into(), value)).collect())
}
