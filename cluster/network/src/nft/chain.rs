//! Chains that services share: one for each number of endpoints, one for each time of memory.

use super::element::{Bytes, Element, Set};

/// A chain that elements lead to. There are as many as differ, however many services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chain {
    /// Picks one of so many endpoints.
    Pick {
        /// For a node port; else for a service address.
        node_port: bool,
        /// A client gets the endpoint it got before.
        sticky: bool,
        /// How many there are, at least one.
        endpoints: u32,
    },
    /// Remembers for so many seconds which endpoint a client got.
    Remember {
        /// At most a day, says the API.
        seconds: u32,
    },
}

const NODE_PORT: u32 = 1 << 31;
const STICKY: u32 = 1 << 30;
const REMEMBER: u32 = 1 << 29;
const NUMBER: u32 = REMEMBER - 1;

impl Chain {
    /// More endpoints than this are not used; Kubernetes counts on a thousand at most.
    pub(crate) const ENDPOINTS_MAX: usize = 16_000;

    /// What stands for it in the data of elements.
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Pick { node_port, sticky, endpoints } => {
                let node_port = if node_port { NODE_PORT } else { 0 };
                let sticky = if sticky { STICKY } else { 0 };
                node_port | sticky | (endpoints & NUMBER)
            }
            Self::Remember { seconds } => REMEMBER | (seconds & NUMBER),
        }
    }

    pub(crate) fn from_id(id: u32) -> Self {
        let number = id & NUMBER;
        if id & REMEMBER != 0 {
            return Self::Remember { seconds: number };
        }
        let (node_port, sticky) = (id & NODE_PORT != 0, id & STICKY != 0);
        Self::Pick { node_port, sticky, endpoints: number }
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Pick { node_port, sticky, endpoints } => {
                let prefix = if node_port { "node-" } else { "" };
                let suffix = if sticky { "-sticky" } else { "" };
                format!("{prefix}pick-{endpoints}{suffix}")
            }
            Self::Remember { seconds } => format!("remember-{seconds}"),
        }
    }

    /// `None` for names of other chains.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let chain = if let Some(seconds) = name.strip_prefix("remember-") {
            Self::Remember { seconds: seconds.parse().ok()? }
        } else {
            let (node_port, rest) = strip(name, |name| name.strip_prefix("node-"));
            let (sticky, rest) = strip(rest, |rest| rest.strip_suffix("-sticky"));
            let endpoints = rest.strip_prefix("pick-")?.parse().ok()?;
            Self::Pick { node_port, sticky, endpoints }
        };
        (chain.name() == name).then_some(chain)
    }

    /// What stands for the chain itself among the elements.
    pub(crate) fn element(self) -> Element {
        Element { set: Set::Chains, key: Bytes::number(self.id()), data: Bytes::default() }
    }
}

fn strip<'a>(text: &'a str, by: impl Fn(&'a str) -> Option<&'a str>) -> (bool, &'a str) {
    by(text).map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_survives_its_number_and_its_name() {
        let pick = |node_port, sticky, endpoints| Chain::Pick { node_port, sticky, endpoints };
        for (chain, name) in [
            (pick(false, false, 1), "pick-1"),
            (pick(true, false, 16_000), "node-pick-16000"),
            (pick(true, true, 3), "node-pick-3-sticky"),
            (Chain::Remember { seconds: 86_400 }, "remember-86400"),
        ] {
            assert_eq!(chain.name(), name);
            assert_eq!(Chain::from_id(chain.id()), chain, "{name}");
            assert_eq!(Chain::from_name(name), Some(chain));
        }
    }

    #[test]
    fn other_chains_are_none_of_these() {
        for name in ["output", "pick-", "pick-x", "pick-03", "pick-3-stick", "node-output", "remember-"] {
            assert_eq!(Chain::from_name(name), None, "{name}");
        }
    }
}
