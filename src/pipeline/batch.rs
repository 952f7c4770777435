//! What travels between the threads.

use super::sums::Observed;
use crate::capture::{Block, CaptureError, Drops};
use crate::decode::{Flags, FragmentCounts, PacketCounts, QuicDatagram, Segment};
use crate::http::TlsCounts;
use crate::net::{Direction, FlowKey, Seq, Timestamp, Tunnel};
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
    entries: Vec<Entry>,
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
}

/// A segment, its payload elsewhere.
#[derive(Debug)]
struct Entry {
    packet: u64,
    time: Timestamp,
    flow: FlowKey,
    tunnel: Option<Tunnel>,
    direction: Direction,
    seq: Seq,
    ack: Option<Seq>,
    flags: Flags,
    payload: Place,
    missing: u32,
}

/// Where an entry's payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Own { start: u32, len: u32 },
    Shared { block: u32, start: u32, len: u32 },
}

impl Place {
    const NOWHERE: Self = Self::Own { start: 0, len: 0 };
}

impl Batch {
    /// Adds the segment in the packet of that number, whose payload may lie in `block`: then it is not
    /// copied.
    pub(super) fn push(&mut self, packet: u64, segment: &Segment<'_>, block: Option<&Block>) {
        let payload = self.keep(segment.payload, block);
        self.entries.push(Entry {
            packet,
            time: segment.time,
            flow: segment.flow,
            tunnel: segment.tunnel,
            direction: segment.direction,
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            payload,
            missing: segment.missing,
        });
    }

    fn keep(&mut self, payload: &[u8], block: Option<&Block>) -> Place {
        if payload.is_empty() {
            return Place::NOWHERE;
        }
        let len = payload.len() as u32;
        if let Some(block) = block
            && let Some(range) = block.range_of(payload)
        {
            if !self.blocks.last().is_some_and(|last| last.is(block)) {
                self.blocks.push(block.clone());
            }
            let (block, start) = (self.blocks.len() as u32 - 1, range.start as u32);
            return Place::Shared { block, start, len };
        }
        let start = self.payload.len() as u32;
        self.payload.extend_from_slice(payload);
        Place::Own { start, len }
    }

    fn payload(&self, place: Place) -> &[u8] {
        let (bytes, start, len) = match place {
            Place::Own { start, len } => (&self.payload[..], start, len),
            Place::Shared { block, start, len } => {
                (self.blocks[block as usize].bytes(), start, len)
            }
        };
        &bytes[start as usize..start as usize + len as usize]
    }

    /// Forgets all that it holds, but keeps room for as much.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.blocks.clear();
        self.payload.clear();
        self.quic.clear();
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

    /// The segments in `range`, each with its packet's number.
    pub(super) fn segments(&self, range: Range<usize>) -> impl Iterator<Item = (u64, Segment<'_>)> {
        self.entries[range].iter().map(|entry| {
            let segment = Segment {
                time: entry.time,
                flow: entry.flow,
                tunnel: entry.tunnel,
                direction: entry.direction,
                seq: entry.seq,
                ack: entry.ack,
                flags: entry.flags,
                payload: self.payload(entry.payload),
                missing: entry.missing,
            };
            (entry.packet, segment)
        })
    }
}

/// What reaches the calling thread.
#[derive(Debug)]
pub(super) enum Message {
    Outcome(Outcome),
    Dealt(Dealt),
    Problem(CaptureError),
}

/// What a worker made of a batch.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) source: usize,
    pub(super) batch: u64,
    pub(super) worker: usize,
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
