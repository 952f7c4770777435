//! What travels between the threads.

use super::sums::Observed;
use crate::capture::{Block, CaptureError, Drops};
use crate::decode::{Flags, FragmentCounts, PacketCounts, QuicDatagram, Segment};
use crate::http::TlsCounts;
use crate::net::{Direction, FlowKey, PlainKey, Seq, Timestamp, Tunnel};
use crate::tally::DedupCounts;
use crate::{flow, http};
use std::ops::Range;
use std::sync::Arc;

/// How many bytes make a batch full, all workers' together: of blocks that it shares, and of payload
/// that it holds itself.
pub(super) const FULL_BYTES: usize = 1 << 20;
/// How many packets do.
pub(super) const FULL_PACKETS: u64 = 8_192;

/// Segments, and what may be QUIC, for one worker.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Which source its packets came from.
    pub(super) source: usize,
    /// Counts up from 0 for each source. Every worker gets every number, or it was dropped.
    pub(super) number: u64,
    /// The number of the first entry's packet.
    first: u64,
    entries: Vec<Entry>,
    /// Connections, and what they are wrapped in, for those entries that cannot say it in short.
    flows: Vec<(FlowKey, Option<Tunnel>)>,
    /// What payload lies in that is not its own, in the order of packets.
    blocks: Vec<Block>,
    /// Payload of its own.
    payload: Vec<u8>,
    /// What may be QUIC, in the order of packets.
    pub(super) quic: Vec<QuicDatagram>,
    /// The latest packet time when the batch was closed.
    pub(super) now: Timestamp,
    /// Whether it is the last of its source.
    pub(super) last: bool,
    /// What is known of all workers' batches of its number, in one of them.
    pub(super) dealt: Option<Box<Dealt>>,
}

/// A segment of a batch.
#[derive(Debug)]
pub(super) struct Numbered<'b> {
    /// The number of its packet.
    pub(super) packet: u64,
    /// The hash of its flow.
    pub(super) hash: u64,
    pub(super) segment: Segment<'b>,
}

/// A segment, its payload elsewhere. One thread writes it and another reads it, so that it takes one
/// line of their caches.
#[derive(Debug)]
struct Entry {
    hash: u64,
    time: Timestamp,
    flow: Flow,
    seq: Seq,
    ack: Seq,
    /// Counted from the batch's first.
    packet: u32,
    payload: Place,
    missing: u32,
    direction: Direction,
    flags: Flags,
    acks: bool,
}

const _: () = assert!(size_of::<Entry>() == 64);

/// Which connection an entry is of, and what its packet was wrapped in.
#[derive(Clone, Copy, Debug)]
enum Flow {
    /// In nothing.
    Plain(PlainKey),
    /// Where this is among the batch's flows.
    Other(u32),
}

/// Where an entry's payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Which block; [`OWN`] or [`NOWHERE`] for none of them.
    block: u32,
    start: u32,
    len: u32,
}

/// Among what the batch holds itself.
const OWN: u32 = u32::MAX;
/// Nowhere: it stayed behind.
const NOWHERE: u32 = u32::MAX - 1;

/// What becomes of a segment's payload.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep<'b> {
    /// It lies in this block, and stays there.
    In(&'b Block),
    /// It is copied.
    Copy,
    /// It stays behind.
    Length,
}

impl Batch {
    /// Adds the segment in the packet of that number, with the hash of its flow.
    #[inline(always)]
    pub(super) fn push(&mut self, packet: u64, hash: u64, segment: &Segment<'_>, keep: Keep<'_>) {
        if self.entries.is_empty() {
            self.first = packet;
        }
        let payload = self.keep(segment.payload, keep);
        let flow = self.keep_flow(segment);
        self.entries.push(Entry {
            hash,
            time: segment.time,
            flow,
            seq: segment.seq,
            ack: segment.ack.unwrap_or(Seq(0)),
            // A batch is full long before.
            packet: (packet - self.first) as u32,
            payload,
            missing: segment.missing,
            direction: segment.direction,
            flags: segment.flags,
            acks: segment.ack.is_some(),
        });
    }

    #[inline(always)]
    fn keep_flow(&mut self, segment: &Segment<'_>) -> Flow {
        match PlainKey::of(&segment.flow) {
            Some(key) if segment.tunnel.is_none() => Flow::Plain(key),
            _ => {
                self.flows.push((segment.flow, segment.tunnel));
                Flow::Other(self.flows.len() as u32 - 1)
            }
        }
    }

    fn flow(&self, flow: Flow) -> (FlowKey, Option<Tunnel>) {
        match flow {
            Flow::Plain(key) => (key.get(), None),
            Flow::Other(at) => self.flows[at as usize],
        }
    }

    #[inline(always)]
    fn keep(&mut self, payload: &[u8], keep: Keep<'_>) -> Place {
        let len = payload.len() as u32;
        if len == 0 {
            return Place { block: OWN, start: 0, len };
        }
        if matches!(keep, Keep::Length) {
            return Place { block: NOWHERE, start: 0, len };
        }
        if let Keep::In(block) = keep
            && let Some(range) = block.range_of(payload)
        {
            if !self.blocks.last().is_some_and(|last| last.is(block)) {
                self.blocks.push(block.clone());
            }
            let (block, start) = (self.blocks.len() as u32 - 1, range.start as u32);
            return Place { block, start, len };
        }
        let start = self.payload.len() as u32;
        self.payload.extend_from_slice(payload);
        Place { block: OWN, start, len }
    }

    /// A segment's payload, and how much of it stayed behind.
    fn payload(&self, Place { block, start, len }: Place) -> (&[u8], u32) {
        let bytes = match block {
            NOWHERE => return (&[], len),
            OWN => &self.payload[..],
            block => self.blocks[block as usize].bytes(),
        };
        (&bytes[start as usize..start as usize + len as usize], 0)
    }

    /// Forgets all that it holds, but keeps room for as much.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.flows.clear();
        self.blocks.clear();
        self.payload.clear();
        self.quic.clear();
        self.dealt = None;
    }

    /// How many segments it holds.
    pub(super) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The time of the segment at `index`; `None` where there are no more.
    pub(super) fn time_of(&self, index: usize) -> Option<Timestamp> {
        self.entries.get(index).map(|entry| entry.time)
    }

    /// How many segments from `index` on, without a break, are no later than `until`.
    pub(super) fn count_until(&self, index: usize, until: Timestamp) -> usize {
        let entries = &self.entries[index..];
        let later = |entry: &Entry| entry.time > until;
        match until {
            Timestamp::LATEST => entries.len(),
            _ => entries.iter().position(later).unwrap_or(entries.len()),
        }
    }

    /// The segments in `range`.
    pub(super) fn segments(&self, range: Range<usize>) -> impl Iterator<Item = Numbered<'_>> {
        self.entries[range].iter().map(|entry| {
            let (flow, tunnel) = self.flow(entry.flow);
            let (payload, unseen) = self.payload(entry.payload);
            let segment = Segment {
                time: entry.time,
                flow,
                tunnel,
                direction: entry.direction,
                seq: entry.seq,
                ack: entry.acks.then_some(entry.ack),
                flags: entry.flags,
                payload,
                unseen,
                missing: entry.missing,
            };
            Numbered { packet: self.first + u64::from(entry.packet), hash: entry.hash, segment }
        })
    }
}

/// What reaches the calling thread.
#[derive(Debug)]
pub(super) enum Message {
    Outcome(Box<Outcome>),
    /// What no worker had room for.
    Dealt(Dealt),
    Problem(CaptureError),
}

/// What a worker made of a batch.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) source: usize,
    pub(super) batch: u64,
    pub(super) worker: usize,
    /// What came [with it](Batch::dealt).
    pub(super) dealt: Option<Box<Dealt>>,
    /// In the order of packets.
    pub(super) observations: Vec<Observed>,
    /// What it left out as copies, since its beginning.
    pub(super) dedup: DedupCounts,
    /// The worker's counters since its beginning.
    pub(super) flow: flow::Counts,
    pub(super) http: http::Counts,
    /// What there was of TLS in this batch.
    pub(super) tls: Vec<(Arc<str>, TlsCounts)>,
}

/// What the capture thread knows when it closes a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dealt {
    pub(super) source: usize,
    pub(super) batch: u64,
    /// How many workers it was sent to.
    pub(super) sent: usize,
    /// What was lost before it could be read, since the beginning.
    pub(super) drops: Drops,
    /// How many packets came in since the beginning.
    pub(super) received: u64,
    /// What became of them.
    pub(super) packets: PacketCounts,
    /// Fragments that wait.
    pub(super) fragments: FragmentCounts,
    /// The times of the first and the last packet.
    pub(super) period: Option<(Timestamp, Timestamp)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Endpoint, TunnelKind};

    #[test]
    fn segments_come_out_as_they_went_in() {
        let end = |addr: &str| Endpoint::new(addr.parse().expect("an address"), 80);
        let ends = [("192.0.2.2", "192.0.2.1"), ("2001:db8::1", "2001:db8::2")];
        let tunnel = Some(Tunnel { kind: TunnelKind::Gre, id: Some(1) });
        let mut segments = Vec::new();
        for (one, other) in ends {
            for (within, wrapped) in [(None, None), (None, tunnel), (tunnel, tunnel)] {
                for (ack, payload) in
                    [(None, &b""[..]), (Some(Seq(0)), b"x"), (Some(Seq(7)), b"yz")]
                {
                    let (key, direction) = FlowKey::new(end(one), end(other));
                    let n = segments.len() as u32;
                    segments.push(Segment {
                        time: Timestamp::from_nanos(i64::from(n)),
                        flow: key.within(within),
                        tunnel: wrapped,
                        direction,
                        seq: Seq(n),
                        ack,
                        flags: Flags(n as u8),
                        payload,
                        unseen: 0,
                        missing: 100 + n,
                    });
                }
            }
        }
        let mut batch = Batch::default();
        for first in [1 << 40, 9] {
            for (packet, segment) in (first..).step_by(3).zip(&segments) {
                batch.push(packet, packet + 1, segment, Keep::Copy);
            }
            let out: Vec<_> = batch.segments(0..segments.len()).collect();
            let packets = (first..).step_by(3);
            assert!(out.iter().zip(packets).all(|(out, n)| (out.packet, out.hash) == (n, n + 1)));
            let out: Vec<_> = out.into_iter().map(|out| out.segment).collect();
            assert_eq!(out, segments);
            batch.clear();
        }
    }
}
