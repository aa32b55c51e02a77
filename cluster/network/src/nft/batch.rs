//! Writing to the cluster's table: one transaction, whole or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::netlink::wire::{self, Writer};
use crate::netlink::{ACK, APPEND, CREATE, REQUEST};

use super::chain::Chain;
use super::desired::Changes;
use super::element::{Bytes, Element, Set};
use super::expression::Rule;
use super::layout::{AFFINITY, Hook, Layout, SetDeclaration, Type};

pub(super) const NFTABLES: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
pub(super) const IPV4: u8 = 2;

/// Message numbers of nftables.
pub(super) mod message {
    pub(in crate::nft) const NEW_TABLE: u16 = 0;
    pub(in crate::nft) const DELETE_TABLE: u16 = 2;
    pub(in crate::nft) const NEW_CHAIN: u16 = 3;
    pub(in crate::nft) const GET_CHAIN: u16 = 4;
    pub(in crate::nft) const DELETE_CHAIN: u16 = 5;
    pub(in crate::nft) const NEW_RULE: u16 = 6;
    pub(in crate::nft) const GET_RULE: u16 = 7;
    pub(in crate::nft) const NEW_SET: u16 = 9;
    pub(in crate::nft) const NEW_ELEMENT: u16 = 12;
    pub(in crate::nft) const GET_ELEMENT: u16 = 13;
    pub(in crate::nft) const DELETE_ELEMENT: u16 = 14;
    pub(in crate::nft) const GET_GENERATION: u16 = 16;
}

/// Bytes that one element takes at most, with all its headers.
const ELEMENT_SIZE: usize = 112;
/// So many elements fit into one attribute.
const ELEMENTS_PER_MESSAGE: usize = wire::ATTRIBUTE_MAX / ELEMENT_SIZE;

/// The fixed part of every netfilter message.
pub(super) fn family(protocol: u8) -> [u8; 4] {
    [protocol, 0, 0, 0]
}

/// A transaction under construction.
pub(super) struct Batch {
    layout: Arc<Layout>,
    messages: Vec<(u16, u16, Vec<u8>)>,
}

impl Batch {
    pub(super) fn new(layout: &Arc<Layout>) -> Self {
        Self { layout: Arc::clone(layout), messages: Vec::new() }
    }

    fn push(&mut self, kind: u16, flags: u16, body: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::default();
        writer.raw(&family(IPV4));
        writer.text(1, &self.layout.table);
        body(&mut writer);
        self.messages.push((NFTABLES << 8 | kind, flags, writer.finish()));
    }

    /// Creating first makes deleting right whether or not the table was there.
    pub(super) fn delete_table(&mut self) {
        self.push(message::NEW_TABLE, CREATE, |_| {});
        self.push(message::DELETE_TABLE, 0, |_| {});
    }

    pub(super) fn create_layout(&mut self) {
        self.push(message::NEW_TABLE, CREATE, |_| {});
        for (id, set) in (1..).zip(Layout::sets()) {
            self.push(message::NEW_SET, CREATE, |w| declare(w, id, &set));
        }
        for hook in self.layout.hooks() {
            self.create_hook(hook);
        }
    }

    fn create_hook(&mut self, hook: Hook) {
        const ACCEPT: u32 = 1;
        self.push(message::NEW_CHAIN, CREATE, |w| {
            w.text(3, hook.chain);
            w.nest(4, |w| {
                w.number(1, hook.number);
                w.bytes(2, &hook.priority.to_be_bytes());
            });
            w.number(5, ACCEPT);
            w.text(7, hook.kind);
        });
        for rule in hook.rules {
            self.add_rule(hook.chain, rule);
        }
    }

    fn add_rule(&mut self, chain: &str, rule: Rule) {
        let (expressions, tag) = rule.finish();
        self.push(message::NEW_RULE, CREATE | APPEND, |w| {
            w.text(2, chain);
            w.nest(4, |w| w.raw(&expressions));
            w.bytes(7, &write_comment(&tag));
        });
    }

    /// New chains before what leads to them, old chains after.
    pub(super) fn change(&mut self, changes: &Changes) {
        let chains = |elements: &[Element]| -> BTreeSet<Chain> {
            let keys = elements.iter().filter(|e| e.set == Set::Chains);
            keys.filter_map(|e| chain(e.key)).collect()
        };
        for new in chains(&changes.add) {
            let name = new.name();
            self.push(message::NEW_CHAIN, CREATE, |w| w.text(3, &name));
            for rule in Layout::shared(new) {
                self.add_rule(&name, rule);
            }
        }
        self.elements(message::DELETE_ELEMENT, 0, &changes.delete);
        self.elements(message::NEW_ELEMENT, CREATE, &changes.add);
        for old in chains(&changes.delete) {
            self.push(message::DELETE_CHAIN, 0, |w| w.text(3, &old.name()));
        }
    }

    pub(super) fn forget_client(&mut self, key: &[u8]) {
        self.push(message::DELETE_ELEMENT, 0, |w| {
            w.text(2, AFFINITY);
            w.nest(3, |w| w.nest(1, |w| w.nest(1, |w| w.bytes(1, key))));
        });
    }

    fn elements(&mut self, message: u16, flags: u16, elements: &[Element]) {
        let with_data = message == message::NEW_ELEMENT;
        for set in Set::ALL {
            let of_set: Vec<_> = elements.iter().filter(|e| e.set == set).collect();
            for some in of_set.chunks(ELEMENTS_PER_MESSAGE) {
                self.push(message, flags, |w| {
                    w.text(2, set.name());
                    w.nest(3, |w| some.iter().for_each(|e| write_element(w, e, with_data)));
                });
            }
        }
    }

    /// The datagram, and the sequence number of the message that is acknowledged.
    pub(super) fn finish(self, first: u32, generation: Option<u32>) -> (Vec<u8>, u32) {
        let header = |w: &mut Writer| w.raw(&[0, 0, 0, u8::try_from(NFTABLES).unwrap_or(0)]);
        let mut writer = Writer::default();
        writer.message(BATCH_BEGIN, REQUEST, first, |w| {
            header(w);
            if let Some(generation) = generation {
                w.number(1, generation);
            }
        });
        let end = self.messages.len();
        for (index, (kind, flags, body)) in self.messages.into_iter().enumerate() {
            // One acknowledgement, of the last message, says that all of it holds.
            let ack = if index + 1 == end { ACK } else { 0 };
            writer.message(kind, REQUEST | flags | ack, first, |w| w.raw(&body));
        }
        writer.message(BATCH_END, REQUEST, first, header);
        (writer.finish(), first)
    }
}

fn declare(w: &mut Writer, id: u32, set: &SetDeclaration) {
    const MAP: u32 = 0x8;
    const TIMEOUT: u32 = 0x10;
    const EVAL: u32 = 0x20;
    /// What the kernel calls data that is a verdict.
    const VERDICT: u32 = 0xffff_ff00;
    let length = |types: &[Type]| u32::try_from(types.len() * 4).expect("a few columns");
    let concatenated = |types: &[Type]| types.iter().fold(0, |all, &one| all << 6 | one as u32);
    let map = if set.data.is_some() { MAP } else { 0 };
    let dynamic = if set.dynamic.is_some() { TIMEOUT | EVAL } else { 0 };
    w.text(2, set.name);
    w.number(3, map | dynamic);
    w.number(4, concatenated(set.key));
    w.number(5, length(set.key));
    match set.data {
        Some([Type::Verdict]) => w.number(6, VERDICT),
        Some(types) => {
            w.number(6, concatenated(types));
            w.number(7, length(types));
        }
        None => {}
    }
    w.number(10, id);
    if let Some(size) = set.dynamic {
        w.nest(9, |w| w.number(1, size));
    }
}

fn write_element(w: &mut Writer, element: &Element, with_data: bool) {
    const JUMP: i32 = -3;
    w.nest(1, |w| {
        w.nest(1, |w| w.bytes(1, element.key.as_slice()));
        if !with_data {
            return;
        }
        match (element.set, chain(element.data)) {
            (Set::Services | Set::Sticky | Set::StickyPorts, Some(chain)) => w.nest(2, |w| {
                w.nest(2, |w| {
                    w.bytes(1, &JUMP.to_be_bytes());
                    w.text(2, &chain.name());
                });
            }),
            (Set::Endpoints, _) => w.nest(2, |w| w.bytes(1, element.data.as_slice())),
            _ => {}
        }
    });
}

fn chain(number: Bytes) -> Option<Chain> {
    wire::array(number.as_slice(), 0).map(u32::from_ne_bytes).map(Chain::from_id)
}

fn write_comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len() + 1).expect("tags are short");
    [&[0, length][..], text.as_bytes(), &[0]].concat()
}
