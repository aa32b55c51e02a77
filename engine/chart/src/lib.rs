//! A chart: loaded, given values, rendered into manifests, hooks and notes.
//!
//! Three stages, one function each: [`load`] reads files, [`values::merge`] resolves dependencies and
//! checks values, [`render`] runs templates. Only the first touches files; none touches a network, a
//! clock or the environment.
//!
//! - [`Chart`], [`Metadata`], [`File`]: what was loaded
//! - [`Values`]: what the user supplied, and all values once defaults are merged in
//! - [`ReleaseInfo`], [`ClusterFacts`]: what rendering takes besides; `lookup` is answered from facts
//! - [`Rendered`]: [`Manifest`]s in the order to apply them, [`Hook`]s, notes
//! - [`listing`]: the same as one text; [`description`]: a chart's own files as text; [`jsonpath`]: parts of its values
//! - [`starter`]: new charts
//! - [`lint`](lint::lint): what is wrong with a chart; [`origin`]: where a value came from;
//!   [`provenance`]: what made a field, why rendering failed
//!
//! ```
//! use kpkg_chart::{Ambient, ClusterFacts, File, ReleaseInfo, load_files, render, values};
//!
//! let chart = load_files(vec![
//!     File::new("Chart.yaml", *b"apiVersion: v2\nname: hello\nversion: 1.0.0\n"),
//!     File::new("values.yaml", *b"greeting: hello\n"),
//!     File::new(
//!         "templates/config.yaml",
//!         *b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  text: {{ .Values.greeting }}\n",
//!     ),
//!     File::new("templates/NOTES.txt", *b"Said {{ .Values.greeting }}."),
//! ])?;
//! let inputs = [values::Input::Set("greeting=hi".to_owned())];
//! let values = values::merge(&chart, &inputs)?;
//! let release = ReleaseInfo { name: "demo".into(), namespace: "default".into(), revision: 1, is_upgrade: false };
//! let ambient = Ambient::seeded(1, jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC));
//! let rendered = render(&chart, &values, &release, &ClusterFacts::default(), &ambient)?;
//! assert_eq!(rendered.notes, "Said hi.");
//! assert_eq!(rendered.manifests[0].kind, "ConfigMap");
//! assert!(rendered.manifests[0].text.contains("name: demo"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capabilities;
mod chart;
mod coalesce;
mod dependencies;
pub mod description;
mod error;
mod file_name;
mod files;
mod glob;
mod imports;
pub mod jsonpath;
pub mod kinds;
pub mod lint;
pub mod listing;
mod load;
mod manifests;
mod metadata;
pub mod origin;
pub mod package;
mod positions;
pub mod provenance;
mod render;
mod rendered;
mod schema;
mod similar;
pub mod starter;
mod strvals;
pub mod values;

pub use chart::{Chart, Crd, File};
pub use error::{LoadError, RenderError, ValuesError};
pub use file_name::FileName;
pub use kpkg_template::{Ambient, Clock};
pub use load::{archived_metadata, load, load_files, load_to_render, read_values, unpack};
pub use manifests::split_manifests;
pub use metadata::{Dependency, Lock, Maintainer, Metadata, sanitize};
pub use render::{render, render_files};
pub use rendered::{
    ClusterFacts, Hook, KubeVersion, LookupKey, Manifest, ReleaseInfo, Rendered, Values, check_release_name,
};
pub use similar::nearest;
