//! One connection: both directions, given to the consumer in causal order.

mod giving;
mod passing;
mod resting;
mod stray;
mod waiting;

use super::roster::Worth;
use super::stream::{Holdings, Piece, PieceContent, Stream};
use super::{Consumer, Counts, Limits, Standing, Turn};
use crate::decode::{Flags, Segment};
use crate::net::{Direction, FlowKey, Position, Seq, Timestamp};
use giving::{Given, Meta};
pub(super) use passing::Passed;
use std::ops::Range;
use stray::Stray;
use waiting::Stall;

/// Segments further than this from where a direction stands belong to another connection. The
/// largest window of RFC 7323 is 1 GiB; real ones, and with them real losses, stay below this.
const WINDOW: i64 = 1 << 27;

const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];

/// What a segment means for the flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It belongs to this connection, and was taken in.
    Taken,
    /// It belongs to the next connection of the same endpoints.
    Successor,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Flow<T> {
    streams: [Stream; 2],
    /// `None` once it was closed; the rest stays for a while, so that late segments are known.
    pub(super) connection: Option<Box<T>>,
    pub(super) last: Timestamp,
    /// When it was reset, or both directions ended.
    pub(super) ended_at: Option<Timestamp>,
    /// A SYN that does not fit this connection.
    fresh_syn: Option<(Direction, Seq)>,
    stall: Option<Box<Stall>>,
    stray: Option<Box<Stray>>,
    held: Holdings,
    /// What was last made known of what it and the consumer hold.
    pub(super) accounted: Holdings,
    pub(super) carried_data: bool,
}

/// What a flow works with.
pub(super) struct Context<'a, C: Consumer> {
    pub(super) consumer: &'a mut C,
    pub(super) counts: &'a mut Counts,
    pub(super) limits: &'a Limits,
    pub(super) key: &'a FlowKey,
}

impl<T> Flow<T> {
    pub(super) fn new(connection: T, time: Timestamp) -> Self {
        Self {
            streams: [Stream::default(), Stream::default()],
            connection: Some(Box::new(connection)),
            last: time,
            ended_at: None,
            fresh_syn: None,
            stall: None,
            stray: None,
            held: Holdings::default(),
            accounted: Holdings::default(),
            carried_data: false,
        }
    }

    /// Takes a segment in and gives what can be given.
    pub(super) fn segment<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        segment: &Segment<'_>,
    ) -> Verdict {
        if self.is_successor(segment) {
            return Verdict::Successor;
        }
        self.last = self.last.max(segment.time);
        cx.counts.payload_bytes += segment.captured();
        let syn = segment.flags.has(Flags::SYN);
        if self.is_stray(segment) {
            cx.counts.stray_bytes += segment.captured();
            return Verdict::Taken;
        }
        if segment.flags.has(Flags::RST) {
            // A reset's payload is a diagnostic text, not part of the stream (RFC 9293 §3.10.7.4).
            cx.counts.stray_bytes += segment.captured();
            self.ended_at.get_or_insert(segment.time);
            self.pump(cx);
            return Verdict::Taken;
        }
        let seq = if syn { segment.seq.plus(1) } else { segment.seq };
        let position = self.place(segment.direction, seq, syn);
        let ack = segment.ack.map(|ack| self.acknowledge(segment.direction, ack));
        self.take(cx, segment, position, ack);
        self.pump(cx);
        self.watch_stall(cx, segment.time);
        self.keep_bounds(cx);
        self.close_if_done(cx, segment.time);
        Verdict::Taken
    }

    /// Whether nobody will look at what was left behind of a segment, if something was. That was done on the
    /// word of a connection of its endpoints, which may have been another than this.
    fn needs_no_more(&self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[segment.direction.index()];
        segment.unseen == 0
            || self.connection.is_none()
            || stream.next.is_some_and(|next| {
                let is_near = i64::from(segment.seq.minus(next.seq())).abs() <= WINDOW;
                is_near && stream.is_unwanted(stream.unwrap(segment.seq).plus(segment.sent()))
            })
    }

    /// Where in its direction's stream a segment begins.
    fn place(&mut self, direction: Direction, seq: Seq, syn: bool) -> Position {
        let stream = &mut self.streams[direction.index()];
        let position = stream.unwrap(seq);
        if syn && stream.first.is_none() {
            stream.first = Some(position);
            if stream.held.is_empty() && stream.next.is_none_or(|next| next <= position) {
                stream.next = Some(position);
            }
        }
        if stream.next.is_none() {
            stream.join(position);
        }
        stream.near = Some(stream.near.map_or(position, |near| near.max(position)));
        position
    }

    /// Notes an acknowledgement of the other direction's bytes; ignores one that cannot be.
    fn acknowledge(&mut self, direction: Direction, ack: Seq) -> Position {
        let other = &mut self.streams[direction.reverse().index()];
        let acked = other.unwrap(ack);
        let reach = other.highest.or(other.next);
        let plausible = reach.is_none_or(|reach| acked.since(reach) <= WINDOW as u64);
        if plausible {
            other.acked = Some(other.acked.map_or(acked, |known| known.max(acked)));
            other.near.get_or_insert(acked);
            acked
        } else {
            other.acked.unwrap_or(acked).min(acked)
        }
    }

    /// Gives or holds a segment's payload, and notes its FIN.
    fn take<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        segment: &Segment<'_>,
        position: Position,
        ack: Option<Position>,
    ) {
        let direction = segment.direction;
        let end = position.plus(segment.sent());
        let syn = segment.flags.has(Flags::SYN);
        let turn = self.note_turn(direction, position..end, ack, syn);
        let captured = Piece {
            position,
            time: segment.time,
            ack,
            starts_segment: true,
            turn,
            content: match segment.unseen {
                0 => PieceContent::Captured(segment.payload),
                n if self.needs_no_more(segment) => PieceContent::Unseen(n.into()),
                n => PieceContent::Lost(n.into()),
            },
        };
        self.take_piece(cx, direction, captured);
        if segment.missing > 0 {
            let short = Piece {
                position: captured.end(),
                starts_segment: false,
                turn: Turn::Continues,
                content: PieceContent::Short(u64::from(segment.missing)),
                ..captured
            };
            self.take_piece(cx, direction, short);
        }
        let stream = &mut self.streams[direction.index()];
        stream.highest = Some(stream.highest.map_or(end, |highest| highest.max(end)));
        // The first FIN counts, unless its sender went on behind it.
        if segment.flags.has(Flags::FIN) && stream.fin.is_none_or(|fin| stream.next > Some(fin)) {
            stream.fin = Some(end);
        }
    }

    /// Notes what a segment tells of who had received what when; whether it may open a turn.
    fn note_turn(
        &mut self,
        direction: Direction,
        Range { start: position, end }: Range<Position>,
        ack: Option<Position>,
        syn: bool,
    ) -> Turn {
        let Some(ack) = ack else { return Turn::Possible };
        let [stream, other] = pair(&mut self.streams, direction);
        // A repeated segment carries a newer acknowledgement than when it was first sent.
        let is_new = stream.highest.is_none_or(|highest| position >= highest);
        if is_new {
            note_before(stream, other, position, ack);
        }
        let turn = stream.turns.judge(position, ack);
        if is_new {
            note_new(stream, other, position..end, ack, syn);
        }
        turn
    }

    /// Gives a piece at once where nothing stands before it, else holds it.
    fn take_piece<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        direction: Direction,
        piece: Piece<'_>,
    ) {
        let Some(next) = self.streams[direction.index()].next else { return };
        let from = piece.position.max(next);
        if let Some(captured) = piece.captured() {
            let given = from.since(piece.position).min(captured);
            let stream = &self.streams[direction.index()];
            let late = stream.late(piece.position, piece.position.plus(given));
            cx.counts.late_bytes += late;
            cx.counts.duplicate_bytes += given - late;
        }
        if from >= piece.end() {
            return;
        }
        self.carried_data = true;
        let piece = piece.part(from, piece.end());
        let stream = &self.streams[direction.index()];
        if from == next && stream.held.is_empty() && self.is_causal(direction, piece.ack) {
            let content = match piece.content {
                PieceContent::Captured(bytes) => Given::Bytes(bytes),
                PieceContent::Unseen(n) => Given::Passed(n),
                PieceContent::Short(n) => Given::Gap(n),
                PieceContent::Lost(n) => {
                    cx.counts.payload_bytes -= n;
                    Given::Gap(n)
                }
            };
            let Piece { time, ack, starts_segment, turn, .. } = piece;
            self.give(cx, direction, Meta { time, ack, starts_segment, turn }, content);
        } else {
            self.held += self.streams[direction.index()].hold(&piece, cx.counts);
        }
    }

    /// It has been silent for a while: gives back what is kept for speed alone.
    pub(super) fn rest(&mut self) {
        self.streams.iter_mut().for_each(Stream::rest);
    }

    /// Closes the connection when both directions have ended.
    fn close_if_done<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        time: Timestamp,
    ) {
        if self.streams.iter().all(|stream| stream.ended && stream.held.is_empty()) {
            self.ended_at.get_or_insert(time);
            if let Some(connection) = self.connection.take() {
                cx.consumer.close(*connection, cx.key);
            }
        }
    }

    /// Gives everything that is held, with gaps where bytes are missing, and closes the
    /// connection.
    pub(super) fn close<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        self.drop_stray();
        let acked = BOTH.map(|direction| self.streams[direction.index()].acked);
        let held = self.held_ends();
        let upto = [acked[0].max(held[0]), acked[1].max(held[1])];
        self.give_up(cx, upto);
        debug_assert!(self.streams.iter().all(|stream| stream.held.is_empty()));
        if let Some(connection) = self.connection.take() {
            cx.consumer.close(*connection, cx.key);
        }
    }

    /// Gives up all that is held, here and by the consumer: others need the memory.
    pub(super) fn shed<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        self.release(cx);
        if let Some(connection) = self.connection.as_mut() {
            cx.consumer.shed(connection, cx.key);
        }
    }

    /// What is held, here and by the consumer, and what it is worth.
    pub(super) fn standing<C: Consumer<Connection = T>>(&self, consumer: &C) -> (Holdings, Worth) {
        let standing = self.connection.as_deref().map(|connection| consumer.standing(connection));
        let Standing { memory, unsettled, wanted } = standing.unwrap_or_default();
        let mut held = self.held;
        held += Holdings { memory, payload: unsettled };
        let worth = match () {
            () if !self.carried_data => Worth::Empty,
            () if self.ended_at.is_some() => Worth::Over,
            () if wanted => Worth::Wanted,
            () => Worth::Unknown,
        };
        (held, worth)
    }
}

/// A direction, and the other one.
fn pair([up, down]: &mut [Stream; 2], direction: Direction) -> [&mut Stream; 2] {
    match direction {
        Direction::Up => [up, down],
        Direction::Down => [down, up],
    }
}

/// Notes what a new segment of `stream` at `position` tells of what came before it.
fn note_before(stream: &mut Stream, other: &Stream, position: Position, ack: Position) {
    if other.turns.spoke_unseen(ack, position) {
        stream.turns.note_heard(position);
    }
}

/// Notes a new segment of `stream`.
fn note_new(
    stream: &mut Stream,
    other: &mut Stream,
    Range { start: position, end }: Range<Position>,
    ack: Position,
    syn: bool,
) {
    stream.turns.note_own(position, end, ack);
    // A SYN speaks, too: it says that nothing was received before what it acknowledges.
    if end > position || syn {
        other.turns.note_other(ack, end);
    }
}
