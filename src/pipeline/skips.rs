//! Bytes that nobody looks at, which need not be copied: most of bodies, and what is encrypted.
//!
//! Takes what workers know of the bytes that come next of a connection ([`Teller`]). Gives the capture
//! thread the answer whether what a segment carries may stay behind, so that its length alone goes to its
//! worker ([`Skips`]). Promises that counts and observations are the same as if it had gone, whoever was
//! faster: what is told holds for the connection that it was told of, and for those bytes of it. A SYN, a
//! FIN or a reset of the same endpoints on the same source ends it, and so does a silence, or a leap of time.
//! Should the connection be given up meanwhile all the same (for want of room, as packets of one before it
//! come late, or as only another source saw its end), its worker counts as missing what stayed behind and
//! would be looked at, and tells that no more of it may.
//!
//! Nothing waits here for anything: what is told and finds no room is told again later.

use super::batch::Numbered;
use crate::decode::{Flags, Segment};
use crate::net::{Direction, FlowKey, Seq, Timestamp};
use crossbeam_channel::{Receiver, Sender, bounded};

/// How many bytes it must be that nobody looks at, for that to be told: less has passed before it is known.
const ENOUGH: u64 = 1 << 16;
/// How many of them are told at once at most: what is told must be over before sequence numbers come
/// around.
const MOST: u64 = 1 << 26;
/// How many packets later the same is told again, if what a worker gets shows that it was not heard.
const AGAIN: u64 = 4_096;
/// What is told holds for as long as its segments come no further apart than this, in nanoseconds:
/// less than any silence after which a connection is over ([`Limits`](crate::flow::Limits)).
const SILENCE_NANOS: u64 = 1_000_000_000;
/// How much is remembered that was told, on either side: a power of two.
const PLACES: usize = 1 << 10;
/// How much waits for a capture thread to be heard.
const QUEUE: usize = 1 << 10;

/// Where a flow of that hash is remembered, by bits that tell neither its worker nor its place there. One
/// that comes later takes the place over.
const fn place(hash: u64) -> usize {
    (hash >> 40) as usize % PLACES
}

/// What is told: of this connection, nobody looks at these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skip {
    hash: u64,
    flow: FlowKey,
    direction: Direction,
    from: Seq,
    /// How many; 0: at all that follow somebody looks.
    len: u32,
    /// Up to where the other direction had been received, if known.
    ack: Option<Seq>,
    /// The packet that showed it, and its time.
    packet: u64,
    time: Timestamp,
}

/// What a capture thread was told.
pub(super) struct Skips {
    heard: Receiver<Skip>,
    places: Box<[Place]>,
    /// The time of the last segment, and the first packet since time took a leap.
    time: Timestamp,
    since: u64,
}

#[derive(Clone, Copy, Default)]
struct Place {
    skip: Option<Skip>,
    /// The number behind the last packet that ended something here. What was told before does not hold.
    ended: u64,
}

/// For workers, and for each of so many sources; nothing where none of it is wanted.
pub(super) fn channels(sources: usize, wanted: bool) -> (Option<Teller>, Vec<Option<Skips>>) {
    if !wanted {
        return (None, (0..sources).map(|_| None).collect());
    }
    let (tell, skips): (_, Vec<_>) = (0..sources).map(|_| Skips::new()).unzip();
    (Some(Teller::new(tell)), skips.into_iter().map(Some).collect())
}

impl Skips {
    /// Of a source, and what tells it.
    fn new() -> (Sender<Skip>, Self) {
        let (tell, heard) = bounded(QUEUE);
        let places = vec![Place::default(); PLACES].into();
        (tell, Self { heard, places, time: Timestamp::EARLIEST, since: 0 })
    }

    /// Hears what was told meanwhile.
    pub(super) fn hear(&mut self) {
        for skip in self.heard.try_iter() {
            let place = &mut self.places[place(skip.hash)];
            if skip.len == 0 {
                let Skip { hash, ref flow, direction, packet, .. } = skip;
                place
                    .skip
                    .take_if(|told| told.is_of(hash, flow, direction) && told.packet <= packet);
            } else if skip.packet >= place.ended {
                place.skip = Some(skip);
            }
        }
    }

    /// Whether what the segment in the packet of that number carries may stay behind. Each segment of the
    /// source has to come by here, with the hash of its flow.
    #[inline]
    pub(super) fn may_stay(&mut self, packet: u64, hash: u64, segment: &Segment<'_>) -> bool {
        const ENDS: u8 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
        let time = std::mem::replace(&mut self.time, segment.time);
        if segment.time.nanos_since(time).max(time.nanos_since(segment.time)) > SILENCE_NANOS {
            // By another's clock, any connection may be over.
            self.since = packet;
        }
        let place = &mut self.places[place(hash)];
        if segment.flags.0 & ENDS != 0 {
            *place = Place { skip: None, ended: packet + 1 };
            return false;
        }
        let Some(skip) = &mut place.skip else { return false };
        if segment.sent() == 0 || !skip.is_of(hash, &segment.flow, segment.direction) {
            return false;
        }
        let may_stay = skip.packet >= self.since && skip.covers(segment);
        if may_stay {
            skip.time = skip.time.max(segment.time);
        } else {
            // It is over, or goes on otherwise than was told.
            place.skip = None;
        }
        may_stay
    }
}

impl Skip {
    fn is_of(&self, hash: u64, flow: &FlowKey, direction: Direction) -> bool {
        self.hash == hash && self.direction == direction && self.flow == *flow
    }

    fn covers(&self, segment: &Segment<'_>) -> bool {
        let from = segment.seq.minus(self.from);
        let is_within = from >= 0 && from as u64 + segment.sent() <= u64::from(self.len);
        // Another connection, whose SYN was not captured, is elsewhere in the other direction.
        let is_same = match (segment.ack, self.ack) {
            (Some(ack), Some(before)) => u64::from(ack.minus(before).unsigned_abs()) <= MOST,
            _ => false,
        };
        let is_soon = segment.time.nanos_since(self.time) <= SILENCE_NANOS;
        is_within && is_same && is_soon && segment.missing == 0
    }
}

/// A worker's side: tells the sources what nobody looks at.
#[derive(Clone)]
pub(super) struct Teller {
    /// One a source.
    tell: Vec<Sender<Skip>>,
    /// How many bytes it must be.
    enough: u64,
    /// How many packets later the same is told again.
    again: u64,
    told: Box<[Told]>,
}

/// Of which flow something was told last, by its hash.
#[derive(Clone, Copy, Default)]
struct Told {
    hash: u64,
    /// By direction: up to where, and from which packet on it may be told again.
    until: [Option<(Seq, u64)>; 2],
}

impl Teller {
    /// Tells the sources whose ends these are.
    fn new(tell: Vec<Sender<Skip>>) -> Self {
        Self { tell, enough: ENOUGH, again: AGAIN, told: vec![Told::default(); PLACES].into() }
    }

    /// A segment of a source came, and of what follows in its direction nobody will look at `unwanted`
    /// bytes, as far as is known.
    #[inline]
    pub(super) fn note(&mut self, source: usize, numbered: &Numbered<'_>, unwanted: u64) {
        let Segment { payload, unseen, .. } = numbered.segment;
        if unwanted >= self.enough && !payload.is_empty() {
            self.tell(source, numbered, unwanted);
        } else if unwanted == 0 && unseen > 0 {
            *self.until(numbered) = None;
            self.send(source, numbered, 0);
        }
    }

    /// What was told of a segment's connection and direction.
    fn until(&mut self, Numbered { hash, segment, .. }: &Numbered<'_>) -> &mut Option<(Seq, u64)> {
        let told = &mut self.told[place(*hash)];
        if told.hash != *hash {
            *told = Told { hash: *hash, ..Told::default() };
        }
        &mut told.until[segment.direction.index()]
    }

    fn tell(&mut self, source: usize, numbered: &Numbered<'_>, unwanted: u64) {
        let (packet, segment) = (numbered.packet, &numbered.segment);
        let (len, again) = (unwanted.min(MOST) as u32, packet + self.again);
        let until = self.until(numbered);
        if until.is_some_and(|(end, again)| packet < again && end.minus(segment.seq) > 0) {
            return;
        }
        *until = Some((segment.end().plus(len), again));
        self.send(source, numbered, len);
    }

    fn send(&self, source: usize, numbered: &Numbered<'_>, len: u32) {
        let Numbered { packet, hash, segment } = *numbered;
        let Segment { flow, direction, time, ack, .. } = segment;
        let from = segment.end();
        let skip = Skip { hash, flow, direction, from, len, ack, packet, time };
        // Where there is no room, or nobody to hear it, what follows comes as it did.
        let _ = self.tell[source].try_send(skip);
    }
}

#[cfg(test)]
mod tests;
