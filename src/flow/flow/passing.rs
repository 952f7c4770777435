//! The short way of the segments that are most of a capture: those that say nothing but that they
//! are next, or that as much arrived.
//!
//! Takes a segment. Does to the connection exactly what the long way ([`Flow::segment`]) does with
//! it, or nothing: what is not as plain as that goes the long way.

use super::giving::{Given, Meta};
use super::{Context, Flow, WINDOW, note_before, note_new, pair};
use crate::decode::{Flags, Segment};
use crate::flow::{Chunk, Consumer, Content, Demand};
use crate::net::{Direction, Position};

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
        if !self.needs_no_more(segment) {
            return Passed::Not;
        }
        self.last = self.last.max(segment.time);
        let [stream, other] = pair(&mut self.streams, segment.direction);
        other.acked = other.acked.max(Some(acked));
        if segment.captured() == 0 {
            note_before(stream, other, position, acked);
            note_new(stream, other, position..position, acked, false);
            return Passed::Taken { counts: false };
        }
        cx.counts.payload_bytes += segment.captured();
        let carried_data = std::mem::replace(&mut self.carried_data, true);
        let counts = match self.pass_unseen(cx, segment, position, acked) {
            Some(demand) => demand == Demand::Look,
            None => {
                self.give_next(cx, segment, position, acked);
                true
            }
        };
        Passed::Taken { counts: counts || !carried_data }
    }

    /// How many bytes of a direction, from what comes next on, nobody will look at.
    pub(in crate::flow) fn unwanted(&self, direction: Direction) -> u64 {
        self.streams[direction.index()].unwanted()
    }

    /// Gives the next bytes of a direction as a number, if nobody looks at them.
    fn pass_unseen<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        segment: &Segment<'_>,
        position: Position,
        acked: Position,
    ) -> Option<Demand> {
        let Segment { time, direction, .. } = *segment;
        let length = segment.captured();
        let content = Content::Passed(length);
        let chunk = Chunk { direction, position, time, ack: Some(acked), content };
        let demand = cx.consumer.pass(self.connection.as_mut()?, cx.key, chunk)?;
        let end = position.plus(length);
        let [stream, other] = pair(&mut self.streams, direction);
        stream.heed(demand, end);
        note_before(stream, other, position, acked);
        note_new(stream, other, position..end, acked, false);
        stream.turns.note_given(position, acked);
        other.turns.note_given_other(acked);
        (stream.next, stream.near, stream.highest) = (Some(end), Some(end), Some(end));
        stream.may_begin_later = false;
        Some(demand)
    }

    /// Gives the next bytes of a direction.
    fn give_next<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        segment: &Segment<'_>,
        position: Position,
        acked: Position,
    ) {
        let Segment { time, direction, payload, unseen, .. } = *segment;
        let end = position.plus(segment.captured());
        let turn = self.note_turn(direction, position..end, Some(acked), false);
        let meta = Meta { time, ack: Some(acked), starts_segment: true, turn };
        let content = match unseen {
            0 => Given::Bytes(payload),
            n => Given::Passed(n.into()),
        };
        self.give(cx, direction, meta, content);
        self.streams[direction.index()].highest = Some(end);
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
            && self.connection.is_some()
            && self.ended_at.is_none()
            && stream.fin.is_none()
            && other.fin.is_none();
        if !(is_next && nothing_waits && goes_on && segment.missing == 0) {
            return None;
        }
        let acked = segment.ack?.unwrap_near(other.near?);
        let end = position.plus(segment.captured());
        // All that its sender had received was given, and nothing is waited for.
        let is_given = Some(acked) <= other.next && other.acked <= other.next;
        let is_known = acked.since(other.highest.or(other.next)?) <= WINDOW as u64;
        (is_given && is_known && stream.acked <= Some(end)).then_some((position, acked))
    }
}
