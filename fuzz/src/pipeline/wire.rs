//! What the wire, and the tap on it, do to the packets of a connection.

use super::talk::Said;
use crate::support::conversation::Packet;
use crate::tape::Tape;
use std::ops::Range;

/// How many faults there are at most.
const MAX_FAULTS: usize = 24;
/// How far a packet is delayed at most, in packets of its connection: together with those that
/// faults add, less than is waited for.
const MAX_DELAY: usize = 12;
/// A connection that was silent for longer before it carried data is forgotten, seconds
/// (`idle_empty_nanos` of the flow room's limits).
const REMEMBERED: i64 = 60;

/// What a fault's first byte says, by its remainder. The second says to which packet, as a part of
/// 256, the third how much.
pub struct Fault;

impl Fault {
    /// A run of up to four packets is not captured.
    pub const LOSE: u8 = 0;
    /// A packet is captured again later.
    pub const REPEAT: u8 = 1;
    /// A packet is captured later.
    pub const DELAY: u8 = 2;
    /// A packet is cut into two.
    pub const SPLIT: u8 = 3;
    /// The end of a packet is sent again.
    pub const OVERLAP: u8 = 4;
    /// Other bytes in the place of a packet's come after it.
    pub const CONTRADICT: u8 = 5;
    /// Only the first bytes of a packet are captured.
    pub const CUT: u8 = 6;
    /// Time passes before a packet, seconds.
    pub const PAUSE: u8 = 7;
    /// No acknowledgement without data is captured.
    pub const NO_ACKS: u8 = 8;
    /// Nothing that one end sends is captured.
    pub const ONE_SIDED: u8 = 9;
    /// How many kinds there are.
    pub const KINDS: u8 = 10;
}

/// A packet as it is captured.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its payload is what was captured of it.
    pub packet: Packet,
    /// How many payload bytes were cut off.
    pub cut: u32,
    /// Seconds since the packet before.
    pub pause: i64,
    /// By this it is put in order.
    pub key: usize,
    /// Which packet it is, or is made of.
    origin: usize,
}

/// What was captured of a connection.
#[derive(Clone, Debug)]
pub struct Tapped {
    /// In this order.
    pub captured: Vec<Captured>,
    /// What was never captured, by end: places in its stream.
    pub missing: [Vec<Range<u64>>; 2],
    /// Nothing was lost.
    pub clean: bool,
    /// It was silent for so long before it carried data that its handshake is forgotten: what comes
    /// then is joined.
    pub forgotten: bool,
    /// There were connections on the same ports before, and something of them or of this was lost.
    pub disturbed: bool,
}

/// Spoils a connection's packets as the script says.
pub fn tap(tape: &mut Tape<'_>, said: &Said) -> Tapped {
    let packets = said.conversation.packets.iter().enumerate();
    let captured = packets.map(|(at, packet)| Captured {
        packet: packet.clone(),
        cut: 0,
        pause: 0,
        key: at * 100,
        origin: at,
    });
    let mut tap = Tap { captured: captured.collect(), contradictions: Vec::new(), lost: false };
    let faults = tape.below(MAX_FAULTS + 1);
    for _ in 0..faults {
        let (fault, at, much) = (tape.u8() % Fault::KINDS, tape.u8(), tape.u8());
        tap.fault(fault, usize::from(at), much);
    }
    tap.contradict();
    tap.captured.sort_by_key(|captured| captured.key);
    tap.pause_between();
    let missing = [true, false].map(|from_client| tap.missing(said, from_client));
    let clean = !tap.lost && missing.iter().all(Vec::is_empty);
    let forgotten = tap.is_forgotten();
    Tapped { captured: tap.captured, missing, clean, forgotten, disturbed: false }
}

impl Tapped {
    /// The packets as they were captured, one a line, for who has to find out what went wrong:
    /// places in both streams, flags, length, and how the payload begins.
    pub fn listing(&self, said: &Said) -> String {
        let begins = said.conversation.isn.map(|isn| isn.wrapping_add(1));
        let line = |captured: &Captured| {
            let Packet { from_client, seq, ack, flags, payload, .. } = &captured.packet;
            let me = usize::from(!from_client);
            let from = seq.wrapping_sub(begins[me]) as i32;
            let ack = ack.map(|ack| ack.wrapping_sub(begins[1 - me]) as i32);
            let text = payload[..payload.len().min(30)].escape_ascii().to_string();
            let end = if *from_client { "client" } else { "server" };
            let (len, cut, pause) = (payload.len(), captured.cut, captured.pause);
            format!(
                "{end} {from}+{len} ack {ack:?} flags {flags:#x} cut {cut} pause {pause} {text}\n"
            )
        };
        let lines: String = self.captured.iter().map(line).collect();
        format!("{lines}missing {:?}\n", self.missing)
    }
}

struct Tap {
    captured: Vec<Captured>,
    contradictions: Vec<(Captured, usize)>,
    /// Something was lost, of whatever kind.
    lost: bool,
}

impl Tap {
    fn fault(&mut self, fault: u8, part: usize, much: u8) {
        let len = self.captured.len();
        if len == 0 {
            return;
        }
        let at = part * len / 256;
        let delay = 1 + usize::from(much) % MAX_DELAY;
        let is_syn = self.captured[at].packet.flags & 0x02 != 0;
        let payload = self.captured[at].packet.payload.len();
        match fault {
            Fault::LOSE => {
                let run = at..(at + 1 + usize::from(much % 4)).min(len);
                let spared = |captured: &Captured| captured.packet.flags & 0x02 != 0;
                let mut number = 0..;
                self.captured.retain(|captured| {
                    spared(captured) || !run.contains(&number.next().unwrap_or(0))
                });
                self.lost = true;
            }
            Fault::NO_ACKS => {
                let silent = |p: &Packet| p.payload.is_empty() && p.flags == 0x10;
                self.captured.retain(|captured| !silent(&captured.packet));
            }
            Fault::ONE_SIDED if part > 250 => {
                let client = much & 1 == 0;
                self.captured.retain(|captured| captured.packet.from_client == client);
                self.lost = true;
            }
            Fault::PAUSE => self.captured[at].pause = 2 * i64::from(much),
            _ if is_syn => {}
            Fault::REPEAT => {
                let key = self.captured[at].key + delay * 100 + 1;
                let again = Captured { key, pause: 0, ..self.captured[at].clone() };
                self.captured.push(again);
            }
            Fault::DELAY => {
                // Once: twice were too late.
                let key = self.captured[at].key;
                if key.is_multiple_of(100) {
                    self.captured[at].key = key + delay * 100 + 2;
                }
            }
            _ if payload < 2 => {}
            Fault::SPLIT | Fault::OVERLAP => {
                let from = 1 + usize::from(much) * (payload - 1) / 256;
                let mut end = self.captured[at].clone();
                if end.cut > 0 {
                    return;
                }
                end.packet.seq = end.packet.seq.wrapping_add(from as u32);
                end.packet.payload.drain(..from);
                end.pause = 0;
                end.key += 3;
                if fault == Fault::SPLIT {
                    self.captured[at].packet.payload.truncate(from);
                    self.captured[at].packet.flags &= !0x01;
                }
                self.captured.push(end);
            }
            Fault::CONTRADICT => {
                self.contradictions.push((self.captured[at].clone(), delay));
            }
            Fault::CUT => {
                let captured = &mut self.captured[at];
                let kept = usize::from(much) * payload / 256;
                captured.cut += (payload - kept) as u32;
                captured.packet.payload.truncate(kept);
                self.lost = true;
            }
            _ => {}
        }
    }

    /// Adds bytes that differ, behind all that are right.
    fn contradict(&mut self) {
        let last = self.captured.iter().map(|captured| captured.key).max().unwrap_or(0);
        for (mut captured, delay) in std::mem::take(&mut self.contradictions) {
            // Where something else was done to it, it might come first.
            let original = |other: &Captured| {
                other.key == captured.key
                    && other.packet.seq == captured.packet.seq
                    && other.cut == 0
                    && other.packet.payload.len() >= captured.packet.payload.len()
            };
            if captured.cut > 0 || !self.captured.iter().any(original) {
                continue;
            }
            captured.packet.payload.iter_mut().for_each(|byte| *byte ^= 0x80);
            captured.packet.flags = 0x10;
            captured.pause = 0;
            captured.key = (captured.key + delay * 100 + 4).min(last + 1);
            self.captured.push(captured);
        }
    }

    /// Leaves only pauses that nothing comes late by: what taps delay, they do not delay by seconds.
    fn pause_between(&mut self) {
        for at in 0..self.captured.len() {
            let origin = self.captured[at].origin;
            let (before, after) = self.captured.split_at(at);
            let between = before.iter().all(|other| other.origin < origin)
                && after.iter().all(|other| other.origin >= origin);
            if !between {
                self.captured[at].pause = 0;
            }
        }
    }

    /// Whether the silence before its data is long.
    fn is_forgotten(&self) -> bool {
        let is_bare =
            |captured: &&Captured| captured.packet.payload.is_empty() && captured.cut == 0;
        let bare = self.captured.iter().take_while(is_bare).count();
        self.captured.iter().take(bare + 1).any(|captured| captured.pause >= REMEMBERED)
    }

    /// What is in no packet, or cut off in one: that may have counted first.
    fn missing(&self, said: &Said, from_client: bool) -> Vec<Range<u64>> {
        let first = said.conversation.isn[usize::from(!from_client)].wrapping_add(1);
        let of_end = |packet: &Packet| packet.from_client == from_client;
        let place = |packet: &Packet| u64::from(packet.seq.wrapping_sub(first));
        let all = said.conversation.packets.iter();
        let with_data = all.filter(|packet| of_end(packet) && !packet.payload.is_empty());
        let total = with_data.map(|packet| place(packet) + packet.payload.len() as u64).max();
        let total = total.unwrap_or(0);
        let mut there = vec![false; total as usize];
        let mine = || self.captured.iter().filter(|captured| of_end(&captured.packet));
        let mut mark = |from: u64, len: usize, value: bool| {
            let from = from.min(total) as usize;
            let to = (from + len).min(total as usize);
            there[from..to].fill(value);
        };
        for Captured { packet, .. } in mine().filter(|c| !c.packet.payload.is_empty()) {
            mark(place(packet), packet.payload.len(), true);
        }
        for Captured { packet, cut, .. } in mine().filter(|captured| captured.cut > 0) {
            mark(place(packet) + packet.payload.len() as u64, *cut as usize, false);
        }
        ranges(&there)
    }
}

/// Where it is not.
fn ranges(there: &[bool]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (at, _) in there.iter().enumerate().filter(|(_, there)| !**there) {
        let at = at as u64;
        match ranges.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    ranges
}
