//! IP fragments that wait for the rest of their datagrams (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Everything is bounded: the bytes kept, what each piece and each datagram costs beside them, how
//! many pieces a datagram may come in, and how long it waits. Over a bound the oldest datagram is given up.
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
/// What a datagram costs beside its pieces: its places in a map and a queue that grow by doubling,
/// and room for the first pieces.
const DATAGRAM_COST: usize =
    2 * (size_of::<(Key, Partial)>() + size_of::<Waiting>()) + 4 * size_of::<Piece>();
/// So many datagrams in the queue may be done already, besides as many as wait.
const MAX_DONE: usize = 64;

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
    /// Which one it is, of all that there were.
    number: u64,
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

/// A datagram's place in the queue.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Timestamp,
    number: u64,
    key: Key,
}

/// The datagrams that are not complete.
#[derive(Debug)]
pub(super) struct Fragments {
    partial: HashMap<Key, Partial, RandomState>,
    /// Every partial datagram, oldest first; some that are done already.
    order: VecDeque<Waiting>,
    /// The number of the next datagram.
    next: u64,
    cost: usize,
    bound_hits: u64,
    max_cost: usize,
    max_nanos: u64,
}

impl Fragments {
    pub(super) fn new(max_cost: usize, max_nanos: u64) -> Self {
        let (partial, order) = (HashMap::default(), VecDeque::new());
        Self { partial, order, next: 0, cost: 0, bound_hits: 0, max_cost, max_nanos }
    }

    /// Gives up datagrams that have waited for too long. Returns how many packets that were
    /// kept are lost thereby.
    pub(super) fn expire(&mut self, now: Timestamp) -> u64 {
        let mut lost = 0;
        while let Some(first) = self.order.front().copied() {
            let waits = is_waiting(&self.partial, &first);
            if waits && now.nanos_since(first.since) <= self.max_nanos {
                break;
            }
            self.order.pop_front();
            if waits {
                lost += self.give_up(&first.key);
            }
        }
        lost
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
        if cost + DATAGRAM_COST > self.max_cost {
            self.bound_hits += 1;
            return (Err(PacketFate::FragmentLost), 0);
        }
        let lost = self.make_room(cost, &key);
        if !self.partial.contains_key(&key) {
            self.begin(now, key, datagram.protocol);
        }
        let Some(entry) = self.partial.get_mut(&key) else {
            return (Err(PacketFate::FragmentLost), lost);
        };
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

    /// A datagram of which nothing came yet.
    fn begin(&mut self, now: Timestamp, key: Key, protocol: IpNumber) {
        let Self { partial, order, .. } = self;
        if order.len() > 2 * partial.len() + MAX_DONE {
            // Behind one that waits for long, those that are done would gather.
            order.retain(|waiting| is_waiting(partial, waiting));
        }
        order.push_back(Waiting { since: now, number: self.next, key });
        let number = self.next;
        self.next += 1;
        self.cost += DATAGRAM_COST;
        let (pieces, cost) = (Vec::new(), DATAGRAM_COST);
        partial.insert(key, Partial { number, pieces, end: None, spanned: 0, protocol, cost });
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

    /// Makes room for a piece of that cost, and for its datagram where nothing of that is there.
    fn make_room(&mut self, cost: usize, key: &Key) -> u64 {
        let all = |has: bool| cost + if has { 0 } else { DATAGRAM_COST };
        let mut lost = 0;
        while self.cost + all(self.partial.contains_key(key)) > self.max_cost {
            let Some(first) = self.order.pop_front() else { break };
            if is_waiting(&self.partial, &first) {
                self.bound_hits += 1;
                lost += self.give_up(&first.key);
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

fn is_waiting(partial: &HashMap<Key, Partial, RandomState>, waiting: &Waiting) -> bool {
    partial.get(&waiting.key).is_some_and(|partial| partial.number == waiting.number)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a fragment of eight bytes of the datagram with that number; whether it completes it.
    fn give(fragments: &mut Fragments, id: u32, offset: usize, more: bool) -> bool {
        let datagram = Datagram {
            source: [192, 0, 2, 1].into(),
            destination: [192, 0, 2, 2].into(),
            protocol: IpNumber::TCP,
            payload: &[0; 8],
            missing: 0,
            fragment: None,
        };
        let place = Place { id, offset, more };
        fragments.add(Timestamp::default(), &datagram, place, &mut Vec::new()).0.is_ok()
    }

    #[test]
    fn datagrams_that_are_done_do_not_gather_behind_one_that_waits() {
        let mut fragments = Fragments::new(1 << 20, 1);
        assert!(!give(&mut fragments, 0, 0, true));
        // Also where the same one comes again and again.
        for id in (1..1_000).chain([1; 1_000]) {
            assert!(!give(&mut fragments, id, 0, true));
            assert!(give(&mut fragments, id, 8, false));
            assert!(fragments.order.len() <= MAX_DONE + 4, "{}", fragments.order.len());
        }
        assert_eq!(fragments.counts().bytes, (DATAGRAM_COST + PIECE_COST + 8) as u64);
        assert_eq!((fragments.clear(), fragments.counts().bytes), (1, 0));
    }

    #[test]
    fn a_datagram_costs_more_than_its_bytes() {
        let mut fragments = Fragments::new(100 * DATAGRAM_COST, 1);
        for id in 0..1_000 {
            give(&mut fragments, id, 0, true);
            assert!(fragments.partial.len() < 100 && fragments.partial.capacity() < 256);
            assert!(fragments.counts().bytes <= 100 * DATAGRAM_COST as u64);
        }
        assert_eq!(fragments.counts().bound_hits, 1_000 - fragments.partial.len() as u64);
    }
}
