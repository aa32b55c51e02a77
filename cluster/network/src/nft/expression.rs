//! The expressions that rules are made of, as the kernel wants them.
//!
//! A rule is a list of expressions that load values into registers, compare them, look them up,
//! and at last decide. An expression that does not match ends its rule, not the chain.

use std::net::Ipv4Addr;

use crate::config::digest;
use crate::netlink::wire::Writer;

use super::layout::LAYOUT_VERSION;

/// One of the sixteen 32-bit registers, by number.
pub(super) type Register = u32;

const REGISTER_0: u32 = 8;
const VERDICT_REGISTER: u32 = 0;

const LIST_ELEMENT: u16 = 1;
const NAME: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;

/// What a packet is asked about itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meta {
    InputName = 6,
    OutputName = 7,
    Protocol = 16,
}

/// What the connection tracker is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tracked {
    State = 0,
    Status = 2,
}

/// Bits of [`Tracked::State`].
pub(super) const STATE_INVALID: u32 = 1;
pub(super) const STATE_NEW: u32 = 1 << 3;
/// Bit of [`Tracked::Status`]: the destination was translated.
pub(super) const STATUS_TRANSLATED: u32 = 1 << 5;

/// Offsets into the IPv4 header.
pub(super) const SOURCE_ADDRESS: u32 = 12;
pub(super) const DESTINATION_ADDRESS: u32 = 16;

/// A rule under construction.
#[derive(Debug, Default)]
pub(super) struct Rule {
    writer: Writer,
}

impl Rule {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The expressions, and a tag that changes when they do.
    pub(super) fn finish(self) -> (Vec<u8>, String) {
        let bytes = self.writer.finish();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("kpkg {:016x}", digest(&format!("{LAYOUT_VERSION} {text}")));
        (bytes, tag)
    }

    fn push(mut self, name: &str, data: impl FnOnce(&mut Writer)) -> Self {
        self.writer.nest(LIST_ELEMENT, |w| {
            w.text(NAME, name);
            w.nest(DATA, data);
        });
        self
    }

    // === Loading ===

    /// Four bytes of the IPv4 header.
    pub(super) fn load_network(self, to: Register, offset: u32) -> Self {
        self.load_payload(to, 1, offset, 4)
    }

    /// The destination port.
    pub(super) fn load_port(self, to: Register) -> Self {
        self.load_payload(to, 2, 2, 2)
    }

    fn load_payload(self, to: Register, base: u32, offset: u32, length: u32) -> Self {
        self.push("payload", |w| {
            w.number(1, REGISTER_0 + to);
            w.number(2, base);
            w.number(3, offset);
            w.number(4, length);
        })
    }

    pub(super) fn load_meta(self, to: Register, what: Meta) -> Self {
        self.push("meta", |w| {
            w.number(1, REGISTER_0 + to);
            w.number(2, what as u32);
        })
    }

    fn load_tracked(self, to: Register, what: Tracked) -> Self {
        self.push("ct", |w| {
            w.number(1, REGISTER_0 + to);
            w.number(2, what as u32);
        })
    }

    pub(super) fn load_value(self, to: Register, value: [u8; 4]) -> Self {
        self.push("immediate", |w| {
            w.number(1, REGISTER_0 + to);
            w.nest(2, |w| w.bytes(VALUE, &value));
        })
    }

    /// A random number below `count`.
    pub(super) fn load_random(self, to: Register, count: u32) -> Self {
        const RANDOM: u32 = 1;
        self.push("numgen", |w| {
            w.number(1, REGISTER_0 + to);
            w.number(2, count);
            w.number(3, RANDOM);
            w.number(4, 0);
        })
    }

    /// (destination or zero, protocol, destination port) into three registers from `to` on.
    pub(super) fn load_frontend(self, to: Register, node_port: bool) -> Self {
        let rule = if node_port { self.load_value(to, [0; 4]) } else { self.load_network(to, DESTINATION_ADDRESS) };
        rule.load_meta(to + 1, Meta::Protocol).load_port(to + 2)
    }

    /// The same of the connection's first packet, before translation.
    pub(super) fn load_original_frontend(self, to: Register) -> Self {
        const DESTINATION_PORT: u32 = 12;
        const DESTINATION: u32 = 20;
        self.load_original(to, DESTINATION).load_meta(to + 1, Meta::Protocol).load_original(to + 2, DESTINATION_PORT)
    }

    fn load_original(self, to: Register, what: u32) -> Self {
        self.push("ct", |w| {
            w.number(1, REGISTER_0 + to);
            w.number(2, what);
            w.bytes(3, &[0]);
        })
    }

    // === Matching ===

    fn compare(self, from: Register, equal: bool, value: &[u8]) -> Self {
        self.push("cmp", |w| {
            w.number(1, REGISTER_0 + from);
            w.number(2, u32::from(!equal));
            w.nest(3, |w| w.bytes(VALUE, value));
        })
    }

    fn mask(self, register: Register, mask: [u8; 4]) -> Self {
        self.push("bitwise", |w| {
            w.number(1, REGISTER_0 + register);
            w.number(2, REGISTER_0 + register);
            w.number(3, 4);
            w.nest(4, |w| w.bytes(VALUE, &mask));
            w.nest(5, |w| w.bytes(VALUE, &[0; 4]));
        })
    }

    /// The interface is (not) this one. Uses registers 12 to 15.
    pub(super) fn interface(self, which: Meta, equal: bool, name: &str) -> Self {
        let mut padded = [0; 16];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        self.load_meta(12, which).compare(12, equal, &padded)
    }

    /// The interface's name begins so. Uses registers 12 to 15.
    pub(super) fn interface_starts(self, which: Meta, prefix: &str) -> Self {
        self.load_meta(12, which).compare(12, true, prefix.as_bytes())
    }

    /// An address is (not) in a range. Uses register 12.
    pub(super) fn address(self, offset: u32, equal: bool, range: ipnet::Ipv4Net) -> Self {
        let rule = self.load_network(12, offset).mask(12, range.netmask().octets());
        rule.compare(12, equal, &range.network().octets())
    }

    /// The destination is one of this machine's own addresses. Uses register 12.
    pub(super) fn destination_is_local(self) -> Self {
        const RESULT_TYPE: u32 = 3;
        const OF_DESTINATION: u32 = 2;
        const LOCAL: u32 = 2;
        self.push("fib", |w| {
            w.number(1, REGISTER_0 + 12);
            w.number(2, RESULT_TYPE);
            w.number(3, OF_DESTINATION);
        })
        .compare(12, true, &LOCAL.to_ne_bytes())
    }

    /// The connection tracker says (not) one of these bits. Uses register 12.
    pub(super) fn tracked(self, what: Tracked, bits: u32, set: bool) -> Self {
        let rule = self.load_tracked(12, what).mask(12, bits.to_ne_bytes());
        rule.compare(12, !set, &[0; 4])
    }

    /// The transport protocol is this one. Uses register 12.
    pub(super) fn protocol(self, number: u8) -> Self {
        self.load_meta(12, Meta::Protocol).compare(12, true, &[number])
    }

    /// The key that starts in a register is in a set.
    pub(super) fn in_set(self, set: &str, key: Register) -> Self {
        self.push("lookup", |w| {
            w.text(1, set);
            w.number(2, REGISTER_0 + key);
        })
    }

    /// The key that starts in a register is in a map; its data is loaded from `to` on.
    pub(super) fn look_up(self, map: &str, key: Register, to: Register) -> Self {
        self.push("lookup", |w| {
            w.text(1, map);
            w.number(2, REGISTER_0 + key);
            w.number(3, REGISTER_0 + to);
        })
    }

    // === Acting ===

    /// Goes where the verdict map says.
    pub(super) fn dispatch(self, map: &str, key: Register) -> Self {
        self.push("lookup", |w| {
            w.text(1, map);
            w.number(2, REGISTER_0 + key);
            w.number(3, VERDICT_REGISTER);
        })
    }

    /// Puts an element into a dynamic map, or lets the one that is there live on. When the map
    /// is full the rule ends here.
    pub(super) fn remember(self, map: &str, key: Register, data: Register, seconds: u32) -> Self {
        const UPDATE: u32 = 1;
        self.push("dynset", |w| {
            w.text(1, map);
            w.number(3, UPDATE);
            w.number(4, REGISTER_0 + key);
            w.number(5, REGISTER_0 + data);
            w.long(6, u64::from(seconds) * 1000);
        })
    }

    /// Translates the destination to (address, port) in two registers.
    pub(super) fn translate(self, to: Register) -> Self {
        self.push("nat", |w| {
            w.number(1, 1);
            w.number(2, 2);
            w.number(3, REGISTER_0 + to);
            w.number(5, REGISTER_0 + to + 1);
        })
    }

    /// Translates the source to an address. Uses register 12.
    pub(super) fn source_from(self, address: Ipv4Addr) -> Self {
        self.load_value(12, address.octets()).push("nat", |w| {
            w.number(1, 0);
            w.number(2, 2);
            w.number(3, REGISTER_0 + 12);
        })
    }

    /// Translates the source to the address of the interface the packet leaves by.
    pub(super) fn masquerade(self) -> Self {
        const FULLY_RANDOM_PORTS: u32 = 1 << 4;
        self.push("masq", |w| w.number(1, FULLY_RANDOM_PORTS))
    }

    /// Answers that nobody listens.
    pub(super) fn refuse(self, reset: bool) -> Self {
        const PORT_UNREACHABLE: u8 = 3;
        self.push("reject", |w| {
            w.number(1, u32::from(reset));
            w.bytes(2, &[PORT_UNREACHABLE]);
        })
    }

    pub(super) fn accept(self) -> Self {
        self.verdict(1)
    }

    pub(super) fn drop(self) -> Self {
        self.verdict(0)
    }

    fn verdict(self, code: u32) -> Self {
        self.push("immediate", |w| {
            w.number(1, VERDICT_REGISTER);
            w.nest(2, |w| w.nest(VERDICT, |w| w.number(1, code)));
        })
    }
}
