//! What was sent, to hold against it what is given.

use super::listener::{Given, Kind};
use sealwatch::decode::Flags;
use sealwatch::net::{Direction, FlowKey};
use std::collections::{HashMap, HashSet};

/// A segment that is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) from_client: bool,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) flags: u8,
    pub(super) payload: Vec<u8>,
    pub(super) missing: u32,
    /// Near its connection's others, and without SYN or RST.
    pub(super) tidy: bool,
}

/// The bytes at a place, by their sequence numbers; other ones for each `differs` but 0.
pub(super) fn bytes(seq: u32, len: usize, differs: u8) -> Vec<u8> {
    // Most segments repeat faithfully.
    let differs = if differs < 200 { 0 } else { differs };
    let byte = |at: u32| (at ^ at >> 8 ^ at >> 16) as u8 ^ differs;
    (0..len as u32).map(|n| byte(seq.wrapping_add(n))).collect()
}

#[derive(Debug)]
pub(super) struct Model {
    /// Every byte that was sent at a sequence number, in order.
    sent: HashMap<(FlowKey, Direction, u32), Vec<u8>>,
    /// Where something untidy was sent.
    untidy: HashSet<FlowKey>,
    /// How many bytes were sent.
    pub(super) bytes: u64,
    /// Where the capture cut bytes off: what repeats them is not given.
    short: HashSet<(FlowKey, Direction, u32)>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self { sent: HashMap::new(), untidy: HashSet::new(), bytes: 0, short: HashSet::new() }
    }

    /// Where a direction's numbers begin: one of them soon wraps around.
    pub(super) fn base(&self, flow: usize, from_client: bool) -> u32 {
        match (flow, from_client) {
            (0, true) => u32::MAX - 100,
            (_, true) => 1_000_000,
            (1, false) => u32::MAX - 700,
            (_, false) => 2_000_000,
        }
    }

    /// Something is sent.
    pub(super) fn note(&mut self, key: FlowKey, direction: Direction, sent: &Sent) {
        self.bytes += sent.payload.len() as u64;
        if !sent.tidy {
            self.untidy.insert(key);
        }
        // A SYN counts one (RFC 9293 §3.4).
        let first = sent.seq.wrapping_add(u32::from(sent.flags & Flags::SYN.0 != 0));
        for (at, byte) in (0..).zip(&sent.payload) {
            let seq = first.wrapping_add(at);
            self.sent.entry((key, direction, seq)).or_default().push(*byte);
        }
        let end = first.wrapping_add(sent.payload.len() as u32);
        let missing = (0..sent.missing).map(|n| (key, direction, end.wrapping_add(n)));
        self.short.extend(missing);
    }

    /// Something was given, of the `opened`-th connection of its endpoints.
    pub(super) fn check(&self, given: &Given, opened: u32) {
        let Given { key, direction, position, content, .. } = given;
        let at = |n: u64| (*key, *direction, position.plus(n).seq().0);
        let tidy = opened == 1 && !self.untidy.contains(key);
        match content {
            Kind::Data(bytes) => {
                for (n, byte) in (0..).zip(bytes) {
                    let sent = self.sent.get(&at(n)).map_or(&[][..], Vec::as_slice);
                    let right = if tidy { sent.first() == Some(byte) } else { sent.contains(byte) };
                    assert!(right, "{byte} at {n} of {given:?}, where {sent:?} was sent");
                }
            }
            Kind::Passed(n) => {
                for n in 0..*n {
                    assert!(self.sent.contains_key(&at(n)), "never sent: {n} of {given:?}");
                }
            }
            Kind::Gap(n) if tidy => {
                for n in 0..*n {
                    let captured = self.sent.contains_key(&at(n)) && !self.short.contains(&at(n));
                    assert!(!captured, "captured: {n} of {given:?}");
                }
            }
            Kind::Gap(_) => {}
        }
    }
}
