//! The release record, stored as Helm stores it so that either program continues the other's.
//!
//! A record is JSON, gzipped, in base64, in the key `release` of a Secret
//! `sh.helm.release.v1.NAME.vREVISION` of type `helm.sh/release.v1` (Helm's `pkg/storage/driver`).

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sealed::Sealed;

/// The Secrets' type.
pub const SECRET_TYPE: &str = "helm.sh/release.v1";
/// The key of the Secret's data.
pub const DATA_KEY: &str = "release";
/// A record may not unpack to more than this: records are hostile input like any other.
const MAX_RECORD: u64 = 256 << 20;

/// One revision of a release.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Release {
    /// The release's name.
    pub name: String,
    /// What happened to it and when.
    pub info: Info,
    /// The chart it was made from, in Helm's form.
    pub chart: Value,
    /// The values that the user gave.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub config: Value,
    /// The rendered objects, hooks apart.
    #[serde(default)]
    pub manifest: String,
    /// The rendered hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// The revision, counted from 1.
    pub version: i64,
    /// The namespace that the release lives in.
    pub namespace: String,
    /// `csa` or `ssa`: who merges changes, the client or the server.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub apply_method: String,
    /// What it hides; Helm passes it over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// The user's labels: on the Secret, not inside it.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
    /// What kpkg noted on the Secret while it worked; none on records of Helm's making.
    #[serde(skip)]
    pub trace: Option<Trace>,
}

/// Who works on a revision, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Who.
    pub holder: String,
    /// The phase reached, such as `main`.
    pub phase: String,
}

/// The annotation that says who works on a revision.
pub const HOLDER: &str = "kpkg.dev/holder";
/// The annotation that says which phase was reached.
pub const PHASE: &str = "kpkg.dev/phase";
/// Labels that records are found by: not the user's to set.
pub const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// What happened to a release and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    /// When its first revision was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub first_deployed: Option<Timestamp>,
    /// When this revision was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub last_deployed: Option<Timestamp>,
    /// When it was uninstalled.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub deleted: Option<Timestamp>,
    /// What happened last, in words.
    #[serde(default)]
    pub description: String,
    /// The status.
    pub status: Status,
    /// The revision rolled back to, in revisions that rollbacks made.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rollback_revision: i64,
    /// The rendered notes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
}

/// Helm writes an absent time as an empty string in places.
fn time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// A release's status, in Helm's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not known.
    Unknown,
    /// All objects are applied and, if asked for, ready.
    Deployed,
    /// Removed, with its history kept.
    Uninstalled,
    /// A newer revision took its place.
    Superseded,
    /// The last operation failed.
    Failed,
    /// Being removed.
    Uninstalling,
    /// Being installed.
    PendingInstall,
    /// Being upgraded.
    PendingUpgrade,
    /// Being rolled back.
    PendingRollback,
}

impl Status {
    /// Helm's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Deployed => "deployed",
            Self::Uninstalled => "uninstalled",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::Uninstalling => "uninstalling",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
        }
    }

    /// Whether an operation was under way when this was written.
    pub fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback | Self::Uninstalling)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A hook as recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    /// The object's name.
    pub name: String,
    /// The object's kind.
    pub kind: String,
    /// The template that wrote it.
    #[serde(default)]
    pub path: String,
    /// The rendered object.
    pub manifest: String,
    /// When it runs, such as `pre-install`.
    #[serde(default)]
    pub events: Vec<String>,
    /// How its last run went.
    #[serde(default)]
    pub last_run: HookRun,
    /// Lower runs earlier.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// When its object is deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delete_policies: Vec<String>,
    /// When its log is printed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_log_policies: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// How a hook's last run went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HookRun {
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "time")]
    pub completed_at: Option<Timestamp>,
    /// `Unknown`, `Running`, `Succeeded` or `Failed`; empty before the first run.
    #[serde(default)]
    pub phase: String,
}

impl Release {
    /// The name of the Secret that holds this revision.
    pub fn secret_name(&self) -> String {
        secret_name(&self.name, self.version)
    }

    /// The labels of the Secret: the user's, and those by which records are found.
    pub fn record_labels(&self) -> BTreeMap<String, String> {
        let system = [
            ("name", self.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", self.info.status.to_string()),
            ("version", self.version.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value));
        self.labels.clone().into_iter().chain(system).collect()
    }

    /// Sets how an operation ended.
    pub fn set(&mut self, status: Status, description: impl Into<String>) {
        self.info.status = status;
        self.info.description = description.into();
    }

    /// A text of the chart's metadata, such as `version`; empty if absent.
    pub fn chart_metadata(&self, key: &str) -> &str {
        self.chart["metadata"][key].as_str().unwrap_or_default()
    }

    /// The record's bytes as they stand in the Secret (before the Secret's own base64).
    pub fn encode(&self) -> std::io::Result<Vec<u8>> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&serde_json::to_vec(self)?)?;
        Ok(STANDARD.encode(gzip.finish()?).into_bytes())
    }

    /// Reads a record back. Records older than gzip are plain JSON in base64.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let packed = STANDARD.decode(bytes).map_err(|error| error.to_string())?;
        let json = if packed.starts_with(&[0x1f, 0x8b, 0x08]) { unpack(&packed)? } else { packed };
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }
}

/// The name of the Secret for a revision of a release.
pub fn secret_name(release: &str, revision: i64) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut json = Vec::new();
    let mut reader = GzDecoder::new(packed).take(MAX_RECORD + 1);
    reader.read_to_end(&mut json).map_err(|error| error.to_string())?;
    if json.len() as u64 > MAX_RECORD {
        return Err(format!("it unpacks to more than {} MiB", MAX_RECORD >> 20));
    }
    Ok(json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release() -> Release {
        Release {
            name: "web".into(),
            info: Info {
                first_deployed: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
                last_deployed: None,
                deleted: None,
                description: "Install complete".into(),
                status: Status::PendingInstall,
                rollback_revision: 0,
                notes: String::new(),
            },
            chart: json!({"metadata": {"name": "nginx", "version": "1.2.3"}}),
            config: json!({"a": 1}),
            manifest: "kind: ConfigMap\n".into(),
            hooks: vec![],
            version: 7,
            namespace: "default".into(),
            apply_method: "csa".into(),
            sealed: None,
            labels: BTreeMap::from([("team".to_owned(), "x".to_owned())]),
            trace: None,
        }
    }

    #[test]
    fn a_record_survives_the_round_trip() {
        let before = release();
        let after = Release::decode(&before.encode().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(&before).unwrap(), serde_json::to_value(&after).unwrap());
        assert_eq!(after.secret_name(), "sh.helm.release.v1.web.v7");
        assert_eq!(before.record_labels()["status"], "pending-install");
        assert_eq!(before.record_labels()["team"], "x");
        assert_eq!(after.chart_metadata("version"), "1.2.3");
    }

    #[test]
    fn empty_times_and_plain_json_are_read() {
        let json = json!({"name": "a", "info": {"status": "deployed", "deleted": ""}, "chart": null,
                          "version": 1, "namespace": "x"});
        let release = Release::decode(STANDARD.encode(json.to_string()).as_bytes()).unwrap();
        assert_eq!((release.info.status, release.info.deleted), (Status::Deployed, None));
    }

    #[test]
    fn a_record_that_unpacks_without_end_is_refused() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![0; 1 << 20];
        for _ in 0..=(MAX_RECORD >> 20) {
            gzip.write_all(&zeros).unwrap();
        }
        let bomb = STANDARD.encode(gzip.finish().unwrap());
        assert!(bomb.len() < 4 << 20);
        assert_eq!(Release::decode(bomb.as_bytes()).unwrap_err(), "it unpacks to more than 256 MiB");
    }

    #[test]
    fn damaged_records_are_told() {
        for bytes in [&b"***"[..], STANDARD.encode([0x1f, 0x8b, 8, 0, 0]).as_bytes(), STANDARD.encode("{").as_bytes()] {
            assert!(Release::decode(bytes).is_err());
        }
    }
}
