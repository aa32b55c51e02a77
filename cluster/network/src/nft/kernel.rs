//! Reads and writes the cluster's table.
//!
//! Changes go in one transaction, bound to the generation of the machine's rule set that was
//! last seen: if anybody changed anything since, the kernel refuses, the table is read again,
//! and what differs is mended. So nobody's flush stays unnoticed, and nothing has to be watched.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use crate::Error;
use crate::netlink::wire::{self, Writer};
use crate::netlink::{ACK, DUMP, REQUEST, Socket};

use super::batch::{Batch, IPV4, NFTABLES, family, message};
use super::chain::Chain;
use super::desired::{Changes, Elements};
use super::element::{Bytes, Element, Frontend, Protocol, Set};
use super::expression::Rule;
use super::layout::{AFFINITY, Layout};

const NETLINK_NETFILTER: isize = 12;

const ENOENT: i32 = 2;
/// The generation is another one.
const ERESTART: i32 = 85;

/// The rules of each chain, by their tags.
type Tags = BTreeMap<String, Vec<String>>;

/// The kernel's copy of one cluster's table.
#[derive(Debug)]
pub(crate) struct Kernel {
    socket: Socket,
    layout: Arc<Layout>,
    /// The rule set's generation after our last look or change.
    generation: Option<u32>,
}

impl Kernel {
    /// Opens the calling thread's network namespace.
    pub(crate) fn open(layout: Layout) -> Result<Self, Error> {
        let socket = Socket::open(NETLINK_NETFILTER).map_err(|e| Error::kernel("open a netfilter socket", e))?;
        Ok(Self { socket, layout: Arc::new(layout), generation: None })
    }

    /// Makes the table as it has to be, if it is not. True if it was made anew, empty.
    pub(crate) fn ensure_layout(&mut self) -> Result<bool, Error> {
        if self.read()?.is_some() {
            return Ok(false);
        }
        self.recreate(&Elements::new())?;
        Ok(true)
    }

    /// Puts a table with these elements in the place of whatever is there, in one step.
    pub(crate) fn recreate(&mut self, elements: &Elements) -> Result<(), Error> {
        let mut batch = Batch::new(&self.layout);
        batch.delete_table();
        batch.create_layout();
        let add = elements.iter().map(|(&(set, key), &data)| Element { set, key, data }).collect();
        batch.change(&Changes { delete: Vec::new(), add });
        self.generation = None;
        self.commit(batch).map_err(|e| Error::kernel("create the packet rules", e))
    }

    /// Applies changes to the state last read or written. Refused with
    /// [`Refused::Moved`] when somebody else changed rules since.
    pub(crate) fn apply(&mut self, changes: &Changes) -> Result<(), Refused> {
        if self.generation.is_none() {
            return Err(Refused::Moved);
        }
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new(&self.layout);
        batch.change(changes);
        self.commit(batch).map_err(|error| {
            self.generation = None;
            match error.raw_os_error() {
                Some(ERESTART) => Refused::Moved,
                _ => Refused::Failed(Error::kernel("change the packet rules", error)),
            }
        })
    }

    /// Whether nobody changed any rule of this machine since our last look or change.
    pub(crate) fn is_untouched(&mut self) -> Result<bool, Error> {
        let now = self.read_generation()?;
        Ok(self.generation == Some(now))
    }

    /// The elements in the table; `None` if it is not there or not as it has to be.
    pub(crate) fn read(&mut self) -> Result<Option<Elements>, Error> {
        loop {
            let before = self.read_generation()?;
            let found = self.read_once()?;
            if self.read_generation()? == before {
                self.generation = Some(before);
                return Ok(found);
            }
        }
    }

    /// Deletes the table; its absence is fine.
    pub(crate) fn delete_table(&mut self) -> Result<(), Error> {
        let mut batch = Batch::new(&self.layout);
        batch.delete_table();
        self.generation = None;
        self.commit(batch).map_err(|e| Error::kernel("delete the packet rules", e))
    }

    /// Makes sticky services forget clients that `stale` says were led to a wrong endpoint.
    /// Gives their number.
    pub(crate) fn forget_clients(&mut self, stale: impl Fn(Frontend, SocketAddrV4) -> bool) -> Result<usize, Error> {
        let table = self.layout.table.clone();
        let ask = |w: &mut Writer| {
            w.text(1, &table);
            w.text(2, AFFINITY);
        };
        let found = self
            .dump(message::GET_ELEMENT, IPV4, ask, |found: &mut Vec<Vec<u8>>, body| {
                let list = wire::find(body, 3).unwrap_or(&[]);
                let keys = wire::attributes(list).filter_map(|(_, element)| {
                    let (key, frontend, endpoint) = read_client(element)?;
                    stale(frontend, endpoint).then(|| key.to_vec())
                });
                found.extend(keys);
            })
            .map_err(|e| Error::kernel("list remembered clients", e))?;
        for key in &found {
            // One at a time: a client that expired in between would spoil the others' deletion.
            match self.forget_client(key) {
                Err(error) if error.raw_os_error() != Some(ENOENT) => {
                    return Err(Error::kernel("forget a client", error));
                }
                _ => {}
            }
        }
        Ok(found.len())
    }

    fn forget_client(&mut self, key: &[u8]) -> io::Result<()> {
        let mut batch = Batch::new(&self.layout);
        batch.forget_client(key);
        match self.commit(batch) {
            Err(error) if error.raw_os_error() == Some(ERESTART) => {
                // Whatever else changed is for the next look; this is right in any case.
                self.generation = None;
                let mut batch = Batch::new(&self.layout);
                batch.forget_client(key);
                self.commit(batch)
            }
            other => other,
        }
    }

    /// What other tables' chains drop unless a rule of theirs says otherwise, in words. A rule
    /// of ours cannot overrule them.
    pub(crate) fn foreign_drops(&mut self) -> Result<Vec<String>, Error> {
        const DROP: u32 = 0;
        const IPV4_AND_6: u8 = 1;
        let mut all = Vec::new();
        for family in [IPV4, IPV4_AND_6] {
            let found = self.dump(
                message::GET_CHAIN,
                family,
                |_| {},
                |found: &mut Vec<String>, body| {
                    let hook = wire::find_path(body, &[4, 1]).and_then(wire::number);
                    let policy = wire::find(body, 5).and_then(wire::number);
                    let what = match (hook, policy) {
                        (Some(1), Some(DROP)) => "packets to this machine by default; pods may not reach DNS",
                        (Some(2), Some(DROP)) => "forwarded packets by default; pods may not reach anything",
                        _ => return,
                    };
                    let [table, chain] = [1, 3].map(|kind| wire::find(body, kind).map(wire::text).unwrap_or_default());
                    found.push(format!("packet table {table}, chain {chain} drops {what}"));
                },
            );
            all.extend(found.map_err(|e| Error::kernel("list packet rules", e))?);
        }
        Ok(all)
    }

    fn read_once(&mut self) -> Result<Option<Elements>, Error> {
        let mut elements = Elements::new();
        for set in Set::ALL {
            match self.read_set(set) {
                Ok(Some(found)) => elements.extend(found),
                Ok(None) => return Ok(None),
                Err(error) if error.raw_os_error() == Some(ENOENT) => return Ok(None),
                Err(error) => return Err(Error::kernel("read a packet set", error)),
            }
        }
        let tags = self.read_tags().map_err(|e| Error::kernel("read packet rules", e))?;
        let shared: BTreeSet<Chain> = tags.keys().filter_map(|name| Chain::from_name(name)).collect();
        if tags != expected_tags(&self.layout, &shared) {
            return Ok(None);
        }
        elements.extend(shared.into_iter().map(Chain::element).map(|e| ((e.set, e.key), e.data)));
        Ok(Some(elements))
    }

    /// `None` if there is an element that cannot be ours.
    fn read_set(&mut self, set: Set) -> io::Result<Option<Elements>> {
        let table = self.layout.table.clone();
        let ask = |w: &mut Writer| {
            w.text(1, &table);
            w.text(2, set.name());
        };
        let found: Vec<Option<((Set, Bytes), Bytes)>> =
            self.dump(message::GET_ELEMENT, IPV4, ask, |found: &mut Vec<_>, body| {
                let list = wire::find(body, 3).unwrap_or(&[]);
                found.extend(wire::attributes(list).map(|(_, e)| read_element(set, e)));
            })?;
        Ok(found.into_iter().collect())
    }

    fn read_tags(&mut self) -> io::Result<Tags> {
        let table = self.layout.table.clone();
        let ask = |w: &mut Writer| w.text(1, &table);
        self.dump(message::GET_RULE, IPV4, ask, |tags: &mut Tags, body| {
            // Kernels that do not know the filter list other tables' rules as well.
            if wire::find(body, 1).map(wire::text).as_ref() != Some(&table) {
                return;
            }
            let chain = wire::find(body, 2).map(wire::text).unwrap_or_default();
            let tag = wire::find(body, 7).and_then(read_comment).unwrap_or_default();
            tags.entry(chain).or_default().push(tag);
        })
    }

    fn read_generation(&mut self) -> Result<u32, Error> {
        let build = |sequence| {
            let mut writer = Writer::default();
            let kind = NFTABLES << 8 | message::GET_GENERATION;
            writer.message(kind, REQUEST | ACK, sequence, |w| w.raw(&family(0)));
            writer.finish()
        };
        let found = self.socket.request(build, |found: &mut Option<u32>, _, body| {
            *found = body.get(4..).and_then(|rest| wire::find(rest, 1)).and_then(wire::number);
        });
        let action = "read the rule set's generation";
        found
            .map_err(|e| Error::kernel(action, e))?
            .ok_or_else(|| Error::Answer { action: action.to_owned(), detail: "it holds no number".to_owned() })
    }

    fn dump<T: Default>(
        &mut self,
        kind: u16,
        protocol: u8,
        ask: impl Fn(&mut Writer),
        each: impl Fn(&mut T, &[u8]),
    ) -> io::Result<T> {
        let build = |sequence| {
            let mut writer = Writer::default();
            writer.message(NFTABLES << 8 | kind, REQUEST | DUMP, sequence, |w| {
                w.raw(&family(protocol));
                ask(w);
            });
            writer.finish()
        };
        self.socket.request(build, |found, _, body| each(found, body.get(4..).unwrap_or(&[])))
    }

    fn commit(&mut self, batch: Batch) -> io::Result<()> {
        let first = self.socket.next_sequence();
        let (datagram, last) = batch.finish(first, self.generation);
        self.socket.send(&datagram)?;
        self.socket.answers(last, |_, _| {})?;
        // The kernel counts up by one and skips zero.
        self.generation = self.generation.map(|now| now.checked_add(1).unwrap_or(1));
        Ok(())
    }
}

/// Why a change did not happen.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Somebody else changed rules in between.
    Moved,
    /// The kernel did not want it.
    Failed(Error),
}

/// A remembered client: its key, the frontend it came to, the endpoint it was led to.
fn read_client(bytes: &[u8]) -> Option<(&[u8], Frontend, SocketAddrV4)> {
    let key = wire::find_path(bytes, &[1, 1])?;
    let data = wire::find_path(bytes, &[2, 1])?;
    let frontend = Frontend {
        address: Ipv4Addr::from(wire::array::<4>(key, 4)?),
        protocol: Protocol::from_number(*key.get(8)?)?,
        port: u16::from_be_bytes(wire::array(key, 12)?),
    };
    let address = Ipv4Addr::from(wire::array::<4>(data, 0)?);
    let endpoint = SocketAddrV4::new(address, u16::from_be_bytes(wire::array(data, 4)?));
    Some((key, frontend, endpoint))
}

fn read_element(set: Set, bytes: &[u8]) -> Option<((Set, Bytes), Bytes)> {
    let key = Bytes::from_slice(wire::find_path(bytes, &[1, 1])?)?;
    let data = match set {
        Set::Services | Set::Sticky | Set::StickyPorts => {
            let name = wire::text(wire::find_path(bytes, &[2, 2, 2])?);
            Bytes::number(Chain::from_name(&name)?.id())
        }
        Set::Endpoints => Bytes::from_slice(wire::find_path(bytes, &[2, 1])?)?,
        Set::Hairpin | Set::Outside | Set::Rejected | Set::Chains => Bytes::default(),
    };
    Some(((set, key), data))
}

fn expected_tags(layout: &Layout, shared: &BTreeSet<Chain>) -> Tags {
    let tags = |rules: Vec<Rule>| rules.into_iter().map(|rule| rule.finish().1).collect();
    let hooks = layout.hooks().into_iter().map(|hook| (hook.chain.to_owned(), tags(hook.rules)));
    let shared = shared.iter().map(|&chain| (chain.name(), tags(Layout::shared(chain))));
    hooks.chain(shared).collect()
}

/// User data is `nft`'s: type, length, text with its closing zero; type 0 is a comment.
fn read_comment(user_data: &[u8]) -> Option<String> {
    let length = usize::from(*user_data.get(1)?);
    (user_data[0] == 0).then(|| user_data.get(2..2 + length).map(wire::text))?
}
