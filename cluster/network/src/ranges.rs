//! Choosing address ranges that nobody on this machine uses.

use ipnet::{IpNet, Ipv4Net};

use crate::config::overlaps;
use crate::netlink::route::Router;
use crate::pod::blocking;
use crate::{Error, NetworkConfig};

/// The ranges of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    /// For pods.
    pub pods: IpNet,
    /// For services.
    pub services: IpNet,
}

/// First choices, as users of small clusters know them.
const PODS: [u8; 4] = [10, 42, 0, 0];
const SERVICES: [u8; 4] = [10, 43, 0, 0];
const PREFIX: u8 = 16;

/// Picks ranges that overlap none of `taken` (routes of the host, ranges of other clusters).
/// What the user named (`pods`, `services`) is kept as it is.
pub fn pick(taken: &[IpNet], pods: Option<IpNet>, services: Option<IpNet>) -> Result<Ranges, Error> {
    let mut taken = taken.to_vec();
    taken.extend(pods);
    taken.extend(services);
    let pods = match pods {
        Some(range) => range,
        None => free(&taken, PODS).ok_or(Error::NoFreeRange { what: "pods" })?,
    };
    taken.push(pods);
    let services = match services {
        Some(range) => range,
        None => free(&taken, SERVICES).ok_or(Error::NoFreeRange { what: "services" })?,
    };
    if overlaps(pods, services) {
        return Err(Error::RangesOverlap { pods, services });
    }
    Ok(Ranges { pods, services })
}

/// The ranges this machine has routes for, those of our running clusters included. A default
/// route takes no range; neither does what belongs to `own`, the cluster being started again.
pub async fn host_ranges(own: Option<NetworkConfig>) -> Result<Vec<IpNet>, Error> {
    blocking("list routes", move || {
        let mut router = Router::open()?;
        let own_link = match &own {
            Some(config) => router.link(&config.bridge)?.map(|link| link.index),
            None => None,
        };
        let is_own = |range: Ipv4Net, link: Option<u32>, ours: bool| {
            let range = IpNet::V4(range);
            let named = |c: &NetworkConfig| range == c.pod_cidr || range == c.service_cidr;
            (link.is_some() && link == own_link) || (ours && own.as_ref().is_some_and(named))
        };
        let routes = router.routes()?.into_iter();
        Ok(routes
            .filter(|route| route.main && route.destination.prefix_len() > 0)
            .filter(|route| !is_own(route.destination, route.link, route.ours))
            .map(|route| IpNet::V4(route.destination))
            .collect())
    })
    .await
}

/// The first candidate that overlaps nothing: `wish`, what follows it in 10/8, then 10/8 from
/// its start, then 172.16/12, then 192.168/16 in smaller pieces.
fn free(taken: &[IpNet], wish: [u8; 4]) -> Option<IpNet> {
    let large = |a: u8, b: u8| Ipv4Net::new_assert([a, b, 0, 0].into(), PREFIX);
    let wished = (wish[1]..=255).map(|b| large(10, b));
    let others = (0..wish[1]).map(|b| large(10, b)).chain((16..32).map(|b| large(172, b)));
    let small = (0..=240).step_by(16).map(|c| Ipv4Net::new_assert([192, 168, c, 0].into(), 20));
    wished.chain(others).chain(small).map(IpNet::V4).find(|range| !taken.iter().any(|other| overlaps(*range, *other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, taken: &[&str], named: (Option<&str>, Option<&str>), want: &str) {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let taken: Vec<_> = taken.iter().map(|t| net(t)).collect();
        let got = match pick(&taken, named.0.map(net), named.1.map(net)) {
            Ok(ranges) => format!("{} {}", ranges.pods, ranges.services),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want, "{name}");
    }

    #[test]
    fn ranges_avoid_what_is_there() {
        let none = (None, None);
        check("empty machine", &[], none, "10.42.0.0/16 10.43.0.0/16");
        check("a cluster runs", &["10.42.0.0/16", "10.43.0.0/16"], none, "10.44.0.0/16 10.45.0.0/16");
        check("a small route inside", &["10.42.7.0/24"], none, "10.43.0.0/16 10.44.0.0/16");
        check("10/8 is a VPN", &["10.0.0.0/8"], none, "172.16.0.0/16 172.17.0.0/16");
        let all = &["10.0.0.0/8", "172.16.0.0/12"];
        check("only 192.168", all, none, "192.168.0.0/20 192.168.16.0/20");
        let all = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
        check(
            "nothing free",
            all,
            none,
            "every candidate range for pods overlaps a route of this machine or another cluster; \
             name one by hand",
        );
    }

    #[test]
    fn named_ranges_are_kept() {
        let pods = (Some("10.43.0.0/16"), None);
        check("services move away", &[], pods, "10.43.0.0/16 10.44.0.0/16");
        let both = (Some("10.1.0.0/16"), Some("10.1.2.0/24"));
        check("both named, overlapping", &[], both, "pod range 10.1.0.0/16 and service range 10.1.2.0/24 overlap");
        let taken = (Some("10.42.0.0/16"), None);
        check("the user knows better", &["10.42.0.0/16"], taken, "10.42.0.0/16 10.43.0.0/16");
    }
}
