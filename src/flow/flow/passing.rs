//! The short way of the segments that are most of a capture: those that say nothing but that they
//! are next, in a body that nobody looks at, or that as much arrived.
//!
//! Takes a segment. Does to the connection exactly what the long way ([`Flow::segment`]) does with
//! it, or nothing: what is not as plain as that goes the long way.

use super::{Context, Flow, WINDOW, pair};
use crate::decode::{Flags, Segment};
use crate::flow::{Chunk, Consumer, Content, Demand};
use crate::net::Position;

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flow) enum Passed {
    /// Nothing: it has to go the long way.
    Not,
    /// It was taken in.
    Taken {
        /// Whether what the connection holds, or is worth, may have changed.
        counts: bool,
    },
}

impl<T> Flow<T> {
    /// Takes a segment in by the short way, where it may go that. The connection is not silent for
    /// so long that it may be over.
    pub(in crate::flow) fn pass<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        segment: &Segment<'_>,
    ) -> Passed {
        let Some((position, acked)) = self.is_plain(segment) else { return Passed::Not };
        let Some(connection) = self.connection.as_mut() else { return Passed::Not };
        let length = segment.payload.len() as u64;
        let end = position.plus(length);
        let [stream, other] = pair(&mut self.streams, segment.direction);
        let mut counts = false;
        if length > 0 {
            let chunk = Chunk {
                direction: segment.direction,
                position,
                time: segment.time,
                ack: Some(acked),
                content: Content::Passed(length),
            };
            match cx.consumer.pass(connection, cx.key, chunk) {
                None => return Passed::Not,
                Some(Demand::Look) => counts = true,
                Some(Demand::Skip(n)) => stream.skip_to = end.plus(n),
                Some(Demand::Nothing) => stream.blind = true,
            }
            counts |= !std::mem::replace(&mut self.carried_data, true);
            cx.counts.payload_bytes += length;
            stream.may_begin_later = false;
        }
        other.acked = other.acked.max(Some(acked));
        if other.turns.spoke_unseen(acked, position) {
            stream.turns.note_heard(position);
        }
        stream.turns.note_own(position, end, acked);
        if length > 0 {
            other.turns.note_other(acked, end);
            stream.turns.note_given(position, acked);
            other.turns.note_given_other(acked);
        }
        (stream.next, stream.near, stream.highest) = (Some(end), Some(end), Some(end));
        self.last = self.last.max(segment.time);
        Passed::Taken { counts }
    }

    /// Whether nothing is to be done for a segment but to note where it begins, and what it
    /// acknowledges: these two.
    fn is_plain(&self, segment: &Segment<'_>) -> Option<(Position, Position)> {
        const ODD: u8 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
        let [mut stream, mut other] = self.streams.each_ref();
        if segment.direction.index() == 1 {
            std::mem::swap(&mut stream, &mut other);
        }
        let position = stream.next?;
        let is_next = position.seq() == segment.seq
            && stream.near == stream.next
            && stream.highest == stream.next;
        let nothing_waits = self.stall.is_none()
            && self.stray.is_none()
            && self.fresh_syn.is_none()
            && stream.held.is_empty()
            && other.held.is_empty();
        let goes_on = segment.flags.0 & ODD == 0
            && self.ended_at.is_none()
            && stream.fin.is_none()
            && other.fin.is_none();
        if !(is_next && nothing_waits && goes_on && segment.missing == 0) {
            return None;
        }
        let acked = segment.ack?.unwrap_near(other.near?);
        let end = position.plus(segment.payload.len() as u64);
        // All that its sender had received was given, and nothing is waited for.
        let is_given = Some(acked) <= other.next && other.acked <= other.next;
        let is_known = acked.since(other.highest.or(other.next)?) <= WINDOW as u64;
        (is_given && is_known && stream.acked <= Some(end)).then_some((position, acked))
    }
}
