//! IP fragments that wait for the rest of their datagrams (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Everything is bounded: the bytes kept, what each piece costs beside them, how many pieces a
//! datagram may come in, and how long it waits. Over a bound the oldest datagram is given up.
//! Where fragments overlap, the first bytes to arrive are kept.

use super::PacketFate;
use super::datagram::{Datagram, Place};
use crate::net::Timestamp;
use ahash::RandomState;
use etherparse::IpNumber;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::ops::AddAssign;

/// The most bytes that an IP packet can carry.
const MAX_DATAGRAM: usize = 65_535;
/// The most pieces of a datagram; at the smallest IPv4 MTU (68 bytes) it comes in 1,366.
const MAX_PIECES: usize = 2_048;
/// What a piece costs beside its bytes.
const PIECE_COST: usize = 64;

/// What tells datagrams apart. IPv6 names them by addresses and identification only: the
/// protocol there is what the first fragment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpNumber,
    id: u32,
}

#[derive(Debug)]
struct Piece {
    offset: usize,
    /// Where it ends on the wire; `data` can be shorter.
    end: usize,
    data: Box<[u8]>,
}

#[derive(Debug)]
struct Partial {
    since: Timestamp,
    pieces: Vec<Piece>,
    /// Where the datagram ends, once the last fragment said so.
    end: Option<usize>,
    /// The sum of what the pieces span on the wire, overlaps counted twice.
    spanned: usize,
    protocol: IpNumber,
    cost: usize,
}

/// Fragments that wait for the rest of their datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FragmentCounts {
    /// The memory that they take now, in bytes.
    pub bytes: u64,
    /// How often a datagram was given up for want of room.
    pub bound_hits: u64,
}

impl AddAssign for FragmentCounts {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.bound_hits += other.bound_hits;
    }
}

/// The datagrams that are not complete.
#[derive(Debug)]
pub(super) struct Fragments {
    partial: HashMap<Key, Partial, RandomState>,
    /// Every partial datagram, oldest first; some that are done already.
    order: VecDeque<(Timestamp, Key)>,
    cost: usize,
    bound_hits: u64,
    max_cost: usize,
    max_nanos: u64,
}

impl Fragments {
    pub(super) fn new(max_cost: usize, max_nanos: u64) -> Self {
        let (partial, order) = (HashMap::default(), VecDeque::new());
        Self { partial, order, cost: 0, bound_hits: 0, max_cost, max_nanos }
    }

    /// Gives up datagrams that have waited for too long. Returns how many packets that were
    /// kept are lost thereby.
    pub(super) fn expire(&mut self, now: Timestamp) -> u64 {
        let mut lost = 0;
        while let Some(&(since, key)) = self.order.front() {
            if now.nanos_since(since) <= self.max_nanos && self.is_waiting(&key, since) {
                break;
            }
            self.order.pop_front();
            if self.is_waiting(&key, since) {
                lost += self.give_up(&key);
            }
        }
        lost
    }

    fn is_waiting(&self, key: &Key, since: Timestamp) -> bool {
        self.partial.get(key).is_some_and(|partial| partial.since == since)
    }

    /// Takes a fragment. Returns the whole datagram that it completes, in `rebuilt`, or the
    /// fragment's fate, and how many packets that were kept before are lost.
    pub(super) fn add<'a>(
        &mut self,
        now: Timestamp,
        datagram: &Datagram<'a>,
        place: Place,
        rebuilt: &'a mut Vec<u8>,
    ) -> (Result<Datagram<'a>, PacketFate>, u64) {
        let end = place.offset + datagram.payload.len() + datagram.missing;
        let crooked = place.more && !(end - place.offset).is_multiple_of(8);
        if end > MAX_DATAGRAM || crooked || end == place.offset {
            return (Err(PacketFate::Malformed), 0);
        }
        let key = Key {
            source: datagram.source,
            destination: datagram.destination,
            protocol: match datagram.source {
                IpAddr::V4(_) => datagram.protocol,
                IpAddr::V6(_) => IpNumber::IPV6_FRAGMENTATION_HEADER,
            },
            id: place.id,
        };
        let cost = datagram.payload.len() + PIECE_COST;
        if cost > self.max_cost {
            self.bound_hits += 1;
            return (Err(PacketFate::FragmentLost), 0);
        }
        let lost = self.make_room(cost);
        let Self { partial, order, .. } = self;
        let entry = partial.entry(key).or_insert_with(|| {
            order.push_back((now, key));
            Partial {
                since: now,
                pieces: Vec::new(),
                end: None,
                spanned: 0,
                protocol: datagram.protocol,
                cost: 0,
            }
        });
        if !entry.accept(datagram, place, end) {
            let lost = lost + self.give_up(&key);
            return (Err(PacketFate::FragmentLost), lost);
        }
        entry.cost += cost;
        self.cost += cost;
        if !entry.is_complete() {
            return (Err(PacketFate::Fragment), lost);
        }
        let Some(whole) = self.remove(&key) else { return (Err(PacketFate::Fragment), lost) };
        let missing = whole.rebuild(rebuilt);
        let datagram = Datagram {
            protocol: whole.protocol,
            payload: rebuilt,
            missing,
            fragment: None,
            ..*datagram
        };
        (Ok(datagram), lost)
    }

    pub(super) const fn counts(&self) -> FragmentCounts {
        FragmentCounts { bytes: self.cost as u64, bound_hits: self.bound_hits }
    }

    /// Gives everything up. Returns how many packets that were kept are lost thereby.
    pub(super) fn clear(&mut self) -> u64 {
        let lost = self.partial.values().map(|partial| partial.pieces.len() as u64).sum();
        self.partial.clear();
        self.order.clear();
        self.cost = 0;
        lost
    }

    fn make_room(&mut self, cost: usize) -> u64 {
        let mut lost = 0;
        while self.cost + cost > self.max_cost {
            let Some((since, key)) = self.order.pop_front() else { break };
            if self.is_waiting(&key, since) {
                self.bound_hits += 1;
                lost += self.give_up(&key);
            }
        }
        lost
    }

    fn give_up(&mut self, key: &Key) -> u64 {
        self.remove(key).map_or(0, |partial| partial.pieces.len() as u64)
    }

    fn remove(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partial.remove(key)?;
        self.cost -= partial.cost;
        Some(partial)
    }
}

impl Partial {
    /// Takes a piece, unless it contradicts those before it on where the datagram ends, or is
    /// one too many.
    fn accept(&mut self, datagram: &Datagram<'_>, place: Place, end: usize) -> bool {
        let said = if place.more { self.end } else { Some(end) };
        let beyond = said.is_some_and(|last| self.pieces.iter().any(|piece| piece.end > last));
        let contradicts = self.end.is_some_and(|last| said != Some(last) || end > last);
        if contradicts || beyond || self.pieces.len() >= MAX_PIECES {
            return false;
        }
        self.end = said;
        self.spanned += end - place.offset;
        if place.offset == 0 && self.pieces.iter().all(|piece| piece.offset > 0) {
            self.protocol = datagram.protocol;
        }
        self.pieces.push(Piece { offset: place.offset, end, data: datagram.payload.into() });
        true
    }

    fn is_complete(&self) -> bool {
        let Some(end) = self.end else { return false };
        self.spanned >= end && reach(self.pieces.iter().map(|p| (p.offset, p.end))) == end
    }

    /// Puts the bytes up to the first that was not captured into `out`. Returns how many are
    /// missing after them.
    fn rebuild(&self, out: &mut Vec<u8>) -> usize {
        out.clear();
        out.resize(self.end.unwrap_or_default(), 0);
        // Backwards, so that what came first is written last and stays.
        for piece in self.pieces.iter().rev() {
            out[piece.offset..piece.offset + piece.data.len()].copy_from_slice(&piece.data);
        }
        let captured = reach(self.pieces.iter().map(|p| (p.offset, p.offset + p.data.len())));
        let missing = out.len() - captured;
        out.truncate(captured);
        missing
    }
}

/// How far spans reach from 0 without a hole.
fn reach(spans: impl Iterator<Item = (usize, usize)>) -> usize {
    let mut spans: Vec<_> = spans.collect();
    spans.sort_unstable();
    spans
        .iter()
        .fold(0, |reached, &(from, to)| if from <= reached { reached.max(to) } else { reached })
}
