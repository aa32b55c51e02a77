//! What is chosen at a cluster's first start and kept.

use std::{fmt::Display, path::PathBuf};

use kpkg_network::{IpNet, ranges};
use serde::{Deserialize, Serialize};

use crate::{Error, Layout, files, machine, registry};

/// The cluster that is meant when none is named.
pub const DEFAULT_NAME: &str = "default";

/// The API server's port when none is asked for.
const DEFAULT_PORT: u16 = 6443;

/// What the user asks for; what is `None` is chosen.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The cluster's name; every name on the machine follows from it.
    pub name: Option<String>,
    /// Where it keeps its things.
    pub data_dir: Option<PathBuf>,
    /// Addresses for pods.
    pub pod_cidr: Option<IpNet>,
    /// Addresses for services.
    pub service_cidr: Option<IpNet>,
    /// Port of the API server.
    pub api_port: Option<u16>,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// The cluster's name.
    pub name: String,
    /// The node's name: the machine's at the first start.
    pub node_name: String,
    /// Addresses for pods.
    #[serde(with = "text")]
    pub pod_cidr: IpNet,
    /// Addresses for services.
    #[serde(with = "text")]
    pub service_cidr: IpNet,
    /// Port of the API server.
    pub api_port: u16,
}

// === impl Request ===

impl Request {
    /// The name asked for, if it can name a cluster.
    pub fn name(&self) -> Result<&str, Error> {
        let name = self.name.as_deref().unwrap_or(DEFAULT_NAME);
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits =
            (1..=40).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-');
        if fits { Ok(name) } else { Err(Error::BadName { name: name.to_owned() }) }
    }

    /// Where the cluster keeps its things.
    pub fn layout(&self) -> Result<Layout, Error> {
        Layout::new(self.name()?, self.data_dir.as_deref())
    }

    /// What this start runs with: what was chosen at the first one, or is chosen now. Writes nothing.
    pub async fn resolve(&self) -> Result<(Layout, Settings), Error> {
        let layout = self.layout()?;
        layout.check()?;
        let known = Settings::load(&layout)?;
        let name = known.as_ref().map_or(self.name()?, |known| &known.name);
        let noted = match registry::find(name)? {
            Some(other) if other.data_dir != layout.root() => {
                return Err(Error::NameTaken { name: name.to_owned(), dir: other.data_dir });
            }
            noted => noted.map(|noted| noted.settings),
        };
        // Noted, but not there any more: the directory was removed by hand, and what was chosen may
        // still be in use.
        let settings = match known.or(noted) {
            Some(settings) => self.agree(&layout, settings)?,
            None => self.choose().await?,
        };
        Ok((layout, settings))
    }

    /// Checks the request against what is fixed. The port may change: nothing rests on it.
    fn agree(&self, layout: &Layout, mut settings: Settings) -> Result<Settings, Error> {
        if self.name.as_ref().is_some_and(|asked| *asked != settings.name) {
            let (dir, asked) = (layout.root().to_owned(), self.name()?.to_owned());
            return Err(Error::OtherCluster { dir, found: settings.name, asked });
        }
        fixed("pod range", self.pod_cidr, settings.pod_cidr)?;
        fixed("service range", self.service_cidr, settings.service_cidr)?;
        settings.api_port = self.api_port.unwrap_or(settings.api_port);
        Ok(settings)
    }

    async fn choose(&self) -> Result<Settings, Error> {
        let name = self.name()?.to_owned();
        let mut taken = ranges::host_ranges(None).await?;
        let others = registry::list()?;
        taken.extend(others.iter().flat_map(|other| [other.settings.pod_cidr, other.settings.service_cidr]));
        let ranges = ranges::pick(&taken, self.pod_cidr, self.service_cidr)?;
        let api_port = match self.api_port {
            Some(port) => port,
            // The default cluster's port is part of what people know; if it is taken they are told.
            None if name == DEFAULT_NAME => DEFAULT_PORT,
            None => {
                let ports: Vec<_> = others.iter().map(|other| other.settings.api_port).collect();
                machine::free_port(DEFAULT_PORT, &ports)
            }
        };
        Ok(Settings {
            name,
            node_name: machine::node_name(),
            pod_cidr: ranges.pods,
            service_cidr: ranges.services,
            api_port,
        })
    }
}

fn fixed<T: Display + PartialEq>(what: &'static str, asked: Option<T>, fixed: T) -> Result<(), Error> {
    match asked {
        Some(asked) if asked != fixed => Err(Error::Fixed { what, fixed: fixed.to_string(), asked: asked.to_string() }),
        _ => Ok(()),
    }
}

// === impl Settings ===

impl Settings {
    /// The settings in a data directory, if a cluster was ever started there.
    pub fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.settings();
        let Some(text) = files::read(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| Error::BadFile { path, detail: error.to_string() })
    }

    /// Keeps them.
    pub(crate) fn save(&self, layout: &Layout) -> Result<(), Error> {
        let mut text = serde_json::to_vec_pretty(self).expect("settings are plain data");
        text.push(b'\n');
        files::write(&layout.settings(), &text, 0o644)
    }

    /// The control group of everything in the cluster.
    pub(crate) fn cgroup(&self) -> String {
        format!("kpkg-{}", self.name)
    }

    /// The name of our entries in a kubeconfig.
    pub fn context(&self) -> String {
        if self.name == DEFAULT_NAME { "kpkg".to_owned() } else { format!("kpkg-{}", self.name) }
    }
}

/// A field kept as its text.
mod text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            name: "default".to_owned(),
            node_name: "node".to_owned(),
            pod_cidr: "10.42.0.0/16".parse().unwrap(),
            service_cidr: "10.43.0.0/16".parse().unwrap(),
            api_port: 6443,
        }
    }

    #[test]
    fn names_are_checked() {
        for (name, fits) in [("a", true), ("e2e-12-0", true), ("", false), ("-a", false), ("A", false), ("a/b", false)]
        {
            let request = Request { name: Some(name.to_owned()), ..Request::default() };
            assert_eq!(request.name().is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn settings_are_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new("default", Some(dir.path())).unwrap();
        assert_eq!(Settings::load(&layout).unwrap(), None);
        settings().save(&layout).unwrap();
        assert_eq!(Settings::load(&layout).unwrap(), Some(settings()));
    }

    #[test]
    fn ranges_are_fixed_and_the_port_is_not() {
        let layout = Layout::new("default", None).unwrap();
        let request = Request { pod_cidr: Some("10.0.0.0/16".parse().unwrap()), ..Request::default() };
        let refused = request.agree(&layout, settings()).unwrap_err();
        assert_eq!(refused.to_string(), "the pod range of this cluster is 10.42.0.0/16 and cannot become 10.0.0.0/16");
        let request = Request { api_port: Some(7443), ..Request::default() };
        assert_eq!(request.agree(&layout, settings()).unwrap().api_port, 7443);
    }
}
