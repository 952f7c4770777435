//! What does not fit a connection: another one on the same endpoints, or nothing.

use super::{Flow, WINDOW};
use crate::decode::{Flags, Segment};
use crate::flow::Counts;
use crate::flow::stream::Holdings;
use crate::net::{Direction, FlowKey, Position, Seq, Timestamp};

/// A segment that does not fit, kept until the next one tells whether it begins another
/// connection.
#[derive(Debug)]
pub(in crate::flow) struct Stray {
    time: Timestamp,
    direction: Direction,
    seq: Seq,
    ack: Option<Seq>,
    flags: Flags,
    payload: Box<[u8]>,
    unseen: u32,
    missing: u32,
}

impl Stray {
    const fn captured(&self) -> u64 {
        self.payload.len() as u64 + self.unseen as u64
    }

    const fn end(&self) -> Seq {
        self.seq.plus(self.captured() as u32).plus(self.missing)
    }

    /// Its bytes have their fate already.
    const fn holdings(&self) -> Holdings {
        Holdings { memory: size_of::<Self>() + self.payload.len(), payload: 0 }
    }

    /// The segment again.
    pub(in crate::flow) fn segment(&self, flow: FlowKey) -> Segment<'_> {
        let Self { time, direction, seq, ack, flags, ref payload, unseen, missing } = *self;
        let tunnel = None;
        Segment { time, flow, tunnel, direction, seq, ack, flags, payload, unseen, missing }
    }
}

impl<T> Flow<T> {
    /// Whether a segment shows that a new connection took over these endpoints. Also remembers
    /// what would show it together with the next segment.
    pub(super) fn is_successor(&mut self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[segment.direction.index()];
        if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST) {
            let begins = segment.seq.plus(1);
            let answers = self.fresh_syn.is_some_and(|(direction, isn)| {
                direction != segment.direction && segment.ack == Some(isn.plus(1))
            });
            if answers {
                return true;
            }
            // A SYN that comes late is right before what was given.
            let is_before = |place: Position| (0..1 << 16).contains(&place.seq().minus(begins));
            let same = match (stream.first, stream.next) {
                (Some(first), _) => first.seq() == begins,
                // Of a connection that is over, nothing begins. Of which nothing was seen yet: it is
                // right before what was acknowledged first, and nothing else moved `near`.
                (None, None) => self.ended_at.is_none() && stream.near.is_none_or(is_before),
                (None, Some(next)) => is_before(next),
            };
            if same {
                return false;
            }
            if self.ended_at.is_some() && !segment.flags.has(Flags::ACK) {
                return true;
            }
            self.fresh_syn.get_or_insert((segment.direction, segment.seq));
            return false;
        }
        let continues_syn = self.fresh_syn.is_some_and(|(direction, isn)| {
            direction == segment.direction && segment.seq == isn.plus(1)
        });
        continues_syn || self.outlives_reset(segment)
    }

    /// Whether a connection that was taken for reset goes on.
    pub(super) fn outlives_reset(&self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[segment.direction.index()];
        self.connection.is_none()
            && !self.streams.iter().all(|stream| stream.ended)
            && segment.sent() > 0
            && !segment.flags.has(Flags::RST)
            && stream.next.is_some_and(|next| segment.seq.minus(next.seq()) >= 0)
    }

    /// Begins with what is known of the predecessor on the same endpoints: the SYN that did not
    /// fit it.
    pub(in crate::flow) fn succeed(&mut self, predecessor: &Self) {
        if let Some((direction, isn)) = predecessor.fresh_syn {
            self.place(direction, isn.plus(1), true);
        }
    }

    /// Whether a segment does not fit: a SYN that is none of this connection's, or a place far
    /// from where its direction stands.
    pub(super) fn is_stray(&mut self, segment: &Segment<'_>) -> bool {
        if segment.flags.has(Flags::SYN) {
            return self.fresh_syn.is_some();
        }
        let stream = &self.streams[segment.direction.index()];
        let far = stream.next.is_some_and(|next| {
            i64::from(segment.seq.minus(next.seq())).abs() > WINDOW
                && stream.highest.is_none_or(|highest| {
                    i64::from(segment.seq.minus(highest.seq())).abs() > WINDOW
                })
        });
        if far && !segment.flags.has(Flags::RST) {
            let Segment { time, direction, seq, ack, flags, payload, unseen, missing, .. } =
                *segment;
            let payload = payload.into();
            let stray = Stray { time, direction, seq, ack, flags, payload, unseen, missing };
            self.drop_stray();
            self.held += stray.holdings();
            self.stray = Some(Box::new(stray));
        }
        far
    }

    pub(super) fn drop_stray(&mut self) {
        if let Some(stray) = self.stray.take() {
            self.held -= stray.holdings();
        }
    }

    /// What showed that a successor began: the segment that did not fit, for the successor to
    /// take in after all. Its bytes are taken back from the counts.
    pub(in crate::flow) fn take_stray(&mut self, counts: &mut Counts) -> Option<Box<Stray>> {
        let stray = self.stray.take()?;
        self.held -= stray.holdings();
        counts.payload_bytes -= stray.captured();
        counts.stray_bytes -= stray.captured();
        Some(stray)
    }

    /// Whether `segment` and the last stray one belong together, to another connection.
    pub(in crate::flow) fn agrees_with_stray(&self, segment: &Segment<'_>) -> bool {
        let near = |a: Seq, b: Seq| i64::from(a.minus(b)).abs() < WINDOW;
        let stream = &self.streams[segment.direction.index()];
        let fits_here = stream.next.is_some_and(|next| near(segment.seq, next.seq()));
        self.stray.as_ref().is_some_and(|stray| {
            if segment.flags.has(Flags::RST) || fits_here {
                false
            } else if stray.direction == segment.direction {
                near(segment.seq, stray.end()) && segment.seq != stray.seq
            } else {
                segment.ack.is_some_and(|ack| near(ack, stray.end()))
                    && stray.ack.is_none_or(|ack| near(segment.seq, ack))
            }
        })
    }
}
