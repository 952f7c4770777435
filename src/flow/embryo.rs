//! A connection of which nothing but a few bare segments was seen: most that are tried, and all of
//! a flood of SYNs. Holds what they said and nothing else, so that each takes a fraction of the
//! room of a connection that carries data.

use crate::decode::{Flags, Segment};
use crate::net::{Direction, FlowKey, Seq, Timestamp, Tunnel};

/// A handshake has three.
const MAX_SEGMENTS: usize = 3;

/// A segment without data that ends nothing; the acknowledgement counts where there is the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bare {
    seq: Seq,
    ack: Seq,
    flags: Flags,
    direction: Direction,
}

/// What bare segments said.
#[derive(Debug)]
pub(super) struct Embryo {
    segments: [Option<Bare>; MAX_SEGMENTS],
    tunnel: Option<Tunnel>,
    pub(super) last: Timestamp,
}

impl Embryo {
    /// A connection that begins with `segment`; `None` where that is not bare.
    pub(super) fn of(segment: &Segment<'_>) -> Option<Self> {
        let first = bare(segment)?;
        let segments = [Some(first), None, None];
        Some(Self { segments, tunnel: segment.tunnel, last: segment.time })
    }

    /// Takes a segment in, if it is bare and there is room for it.
    pub(super) fn take(&mut self, segment: &Segment<'_>) -> bool {
        let Some(next) = bare(segment) else { return false };
        let place = self.segments.iter_mut().find(|place| place.is_none_or(|has| has == next));
        let Some(place) = place else { return false };
        *place = Some(next);
        self.last = self.last.max(segment.time);
        true
    }

    /// The segments again, in their order.
    pub(super) fn segments(&self, flow: FlowKey) -> impl Iterator<Item = Segment<'static>> {
        let (time, tunnel) = (self.last, self.tunnel);
        self.segments.into_iter().flatten().map(move |bare| {
            let (ack, Bare { seq, flags, direction, .. }) = (bare.ack(), bare);
            let (payload, unseen, missing) = (&[][..], 0, 0);
            Segment { time, flow, tunnel, direction, seq, ack, flags, payload, unseen, missing }
        })
    }

    /// Whether the numbers say that bytes were sent which were not captured: an acknowledgement of
    /// more than what was seen of the other end.
    pub(super) fn shows_missing(&self) -> bool {
        let segments = || self.segments.iter().flatten();
        segments().any(|one| {
            let others = || segments().filter(|other| other.direction != one.direction);
            let known = |ack| others().any(|other| ack == other.end());
            others().next().is_some() && one.ack().is_some_and(|ack| !known(ack))
        })
    }
}

impl Bare {
    fn ack(&self) -> Option<Seq> {
        self.flags.has(Flags::ACK).then_some(self.ack)
    }

    /// What acknowledges it.
    fn end(&self) -> Seq {
        self.seq.plus(u32::from(self.flags.has(Flags::SYN)))
    }
}

fn bare(segment: &Segment<'_>) -> Option<Bare> {
    let Segment { direction, seq, ack, flags, .. } = *segment;
    let ends = flags.has(Flags::FIN) || flags.has(Flags::RST);
    // What acknowledges has the flag (RFC 9293 §3.1).
    let fits = ack.is_some() == flags.has(Flags::ACK);
    let ack = ack.unwrap_or(Seq(0));
    let bare = Bare { seq, ack, flags, direction };
    (segment.sent() == 0 && !ends && fits).then_some(bare)
}
