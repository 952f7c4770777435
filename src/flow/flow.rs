//! One connection: both directions, given to the consumer in causal order.

use super::roster::Worth;
use super::stream::{Held, HeldContent, Holdings, Piece, PieceContent, Stream};
use super::{Chunk, Consumer, Content, Counts, Demand, Limits, Standing, Turn};
use crate::decode::{Flags, Segment};
use crate::net::{Direction, FlowKey, Position, Seq, Timestamp};
use std::ops::Range;

const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];

/// Segments further than this from where a direction stands belong to another connection. The
/// largest window of RFC 7323 is 1 GiB; real ones, and with them real losses, stay below this.
const WINDOW: i64 = 1 << 27;

/// A wait for bytes that were acknowledged but did not come.
#[derive(Debug)]
struct Stall {
    since: Timestamp,
    /// Segments of this connection since.
    segments: u32,
    /// What had been acknowledged then, by direction.
    acked: [Option<Position>; 2],
}

/// A segment that does not fit, kept until the next one tells whether it begins another
/// connection.
#[derive(Debug)]
pub(super) struct Stray {
    time: Timestamp,
    direction: Direction,
    seq: Seq,
    ack: Option<Seq>,
    flags: Flags,
    payload: Box<[u8]>,
    missing: u32,
}

impl Stray {
    const fn end(&self) -> Seq {
        self.seq.plus(self.payload.len() as u32).plus(self.missing)
    }

    /// Its bytes have their fate already.
    const fn holdings(&self) -> Holdings {
        Holdings { memory: size_of::<Self>() + self.payload.len(), payload: 0 }
    }

    /// The segment again.
    pub(super) fn segment(&self, flow: FlowKey) -> Segment<'_> {
        let Self { time, direction, seq, ack, flags, ref payload, missing } = *self;
        let tunnel = None;
        Segment { time, flow, tunnel, direction, seq, ack, flags, payload, missing }
    }
}

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
        cx.counts.payload_bytes += segment.payload.len() as u64;
        let syn = segment.flags.has(Flags::SYN);
        if self.is_stray(segment) {
            cx.counts.stray_bytes += segment.payload.len() as u64;
            return Verdict::Taken;
        }
        if segment.flags.has(Flags::RST) {
            // A reset's payload is a diagnostic text, not part of the stream (RFC 9293 §3.10.7.4).
            cx.counts.stray_bytes += segment.payload.len() as u64;
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

    /// Whether a segment shows that a new connection took over these endpoints. Also remembers
    /// what would show it together with the next segment.
    fn is_successor(&mut self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[segment.direction.index()];
        if segment.flags.has(Flags::SYN) && !segment.flags.has(Flags::RST) {
            let begins = segment.seq.plus(1);
            let same = match (stream.first, stream.next) {
                (Some(first), _) => first.seq() == begins,
                // Of a connection that is over, nothing begins.
                (None, None) => self.ended_at.is_none(),
                // Mid-connection so far: a SYN that comes late is right before what was given.
                (None, Some(next)) => (0..1 << 16).contains(&next.seq().minus(begins)),
            };
            if same {
                return false;
            }
            if self.ended_at.is_some() && !segment.flags.has(Flags::ACK) {
                return true;
            }
            let answers = self.fresh_syn.is_some_and(|(direction, isn)| {
                direction != segment.direction && segment.ack == Some(isn.plus(1))
            });
            self.fresh_syn.get_or_insert((segment.direction, segment.seq));
            return answers;
        }
        let continues_syn = self.fresh_syn.is_some_and(|(direction, isn)| {
            direction == segment.direction && segment.seq == isn.plus(1)
        });
        continues_syn || self.outlives_reset(segment)
    }

    /// Whether a connection that was taken for reset goes on.
    fn outlives_reset(&self, segment: &Segment<'_>) -> bool {
        let stream = &self.streams[segment.direction.index()];
        self.connection.is_none()
            && !self.streams.iter().all(|stream| stream.ended)
            && !segment.payload.is_empty()
            && !segment.flags.has(Flags::RST)
            && stream.next.is_some_and(|next| segment.seq.minus(next.seq()) >= 0)
    }

    /// Begins with what is known of the predecessor on the same endpoints: the SYN that did not
    /// fit it.
    pub(super) fn succeed(&mut self, predecessor: &Self) {
        if let Some((direction, isn)) = predecessor.fresh_syn {
            self.place(direction, isn.plus(1), true);
        }
    }

    /// Whether a segment does not fit: a SYN that is none of this connection's, or a place far
    /// from where its direction stands.
    fn is_stray(&mut self, segment: &Segment<'_>) -> bool {
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
            let Segment { time, direction, seq, ack, flags, payload, missing, .. } = *segment;
            let stray =
                Stray { time, direction, seq, ack, flags, payload: payload.into(), missing };
            self.drop_stray();
            self.held += stray.holdings();
            self.stray = Some(Box::new(stray));
        }
        far
    }

    fn drop_stray(&mut self) {
        if let Some(stray) = self.stray.take() {
            self.held -= stray.holdings();
        }
    }

    /// What showed that a successor began: the segment that did not fit, for the successor to
    /// take in after all. Its bytes are taken back from the counts.
    pub(super) fn take_stray(&mut self, counts: &mut Counts) -> Option<Box<Stray>> {
        let stray = self.stray.take()?;
        self.held -= stray.holdings();
        counts.payload_bytes -= stray.payload.len() as u64;
        counts.stray_bytes -= stray.payload.len() as u64;
        Some(stray)
    }

    /// Whether `segment` and the last stray one belong together, to another connection.
    pub(super) fn agrees_with_stray(&self, segment: &Segment<'_>) -> bool {
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
        let end = position.plus(segment.payload.len() as u64 + u64::from(segment.missing));
        let syn = segment.flags.has(Flags::SYN);
        let turn = self.note_turn(direction, position..end, ack, syn);
        let captured = Piece {
            position,
            time: segment.time,
            ack,
            starts_segment: true,
            turn,
            content: PieceContent::Captured(segment.payload),
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
        if is_new && other.turns.spoke_unseen(ack, position) {
            stream.turns.note_heard(position);
        }
        let turn = stream.turns.judge(position, ack);
        if is_new {
            stream.turns.note_own(position, end, ack);
            // A SYN speaks, too: it says that nothing was received before what it acknowledges.
            if end > position || syn {
                other.turns.note_other(ack, end);
            }
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
        if let PieceContent::Captured(bytes) = piece.content {
            let given = from.since(piece.position).min(bytes.len() as u64);
            cx.counts.duplicate_bytes += given;
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
                PieceContent::Short(n) => Given::Gap(n),
            };
            let Piece { time, ack, starts_segment, turn, .. } = piece;
            self.give(cx, direction, Meta { time, ack, starts_segment, turn }, content);
        } else {
            self.held += self.streams[direction.index()].hold(&piece, cx.counts);
        }
    }

    /// Whether everything that a segment's sender had received was given.
    fn is_causal(&self, direction: Direction, ack: Option<Position>) -> bool {
        let other = &self.streams[direction.reverse().index()];
        match (ack, other.next) {
            (None, _) => true,
            (Some(_), None) => false,
            // An acknowledged FIN counts one more than the bytes before it.
            (Some(ack), Some(next)) => {
                let fin_given = other.fin == Some(next) || other.silent_fin == Some(next);
                ack <= next || (fin_given && ack == next.plus(1))
            }
        }
    }

    fn give<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        direction: Direction,
        meta: Meta,
        content: Given<'_>,
    ) {
        let [stream, other] = pair(&mut self.streams, direction);
        let Some(position) = stream.next else { return };
        let Meta { time, ack, starts_segment, turn } = meta;
        let (length, ack, content) = match content {
            Given::Bytes(bytes) => {
                let starts_stream = stream.first == Some(position);
                let now = ack.map_or(turn, |ack| stream.turns.judge_given(position, ack));
                let known = turn.min(now);
                let turn = if known == Turn::Continues { known } else { turn.max(now) };
                let had = ack.and_then(|ack| stream.turns.had_before(position, ack));
                let data = Content::Data { bytes, starts_segment, turn, had, starts_stream };
                (bytes.len() as u64, ack, data)
            }
            Given::Passed(n) => (n, ack, Content::Passed(n)),
            Given::Gap(n) => {
                stream.turns.note_gap();
                (n, None, Content::Gap(n))
            }
        };
        let next = position.plus(length);
        stream.next = Some(next);
        stream.may_begin_later = false;
        stream.near = Some(stream.near.map_or(next, |near| near.max(next)));
        if let Some(ack) = ack {
            stream.turns.note_given(position, ack);
            other.turns.note_given_other(ack);
        }
        let is_gap = matches!(content, Content::Gap(_));
        let Some(connection) = self.connection.as_mut() else {
            // Sent after both ends had said that they were done: nothing of theirs is missing.
            cx.counts.stray_bytes += if is_gap { 0 } else { length };
            return;
        };
        if is_gap {
            cx.counts.gaps += 1;
            cx.counts.gap_bytes += length;
        }
        let chunk = Chunk { direction, position, time, ack, content };
        match cx.consumer.chunk(connection, cx.key, chunk) {
            Demand::Look => {}
            Demand::Skip(n) => stream.skip_to = next.plus(n),
            Demand::Nothing => stream.blind = true,
        }
        self.end_if_reached(cx, direction);
    }

    fn end_if_reached<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        direction: Direction,
    ) {
        let stream = &mut self.streams[direction.index()];
        if !stream.ended && stream.fin.is_some() && stream.fin <= stream.next {
            stream.ended = true;
            if let Some(connection) = self.connection.as_mut() {
                cx.consumer.end(connection, cx.key, direction);
            }
        }
    }

    /// Gives everything that can be given now. Whether anything was.
    fn pump<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) -> bool {
        let mut any = false;
        loop {
            let mut progress = false;
            for direction in BOTH {
                while self.front_is_ready(direction) {
                    self.give_front(cx, direction);
                    progress = true;
                }
                self.end_if_reached(cx, direction);
            }
            if !progress {
                return any;
            }
            any = true;
        }
    }

    fn front_is_ready(&self, direction: Direction) -> bool {
        let stream = &self.streams[direction.index()];
        stream.held.front().is_some_and(|front| {
            Some(front.position) == stream.next && self.is_causal(direction, front.ack)
        })
    }

    fn give_front<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        direction: Direction,
    ) {
        let front = self.streams[direction.index()].take_front();
        let Some(front) = front else { return };
        self.held -= front.holdings();
        let Held { time, ack, starts_segment, turn, content, .. } = front;
        let meta = Meta { time, ack, starts_segment, turn };
        match &content {
            HeldContent::Kept(bytes) => self.give(cx, direction, meta, Given::Bytes(bytes)),
            HeldContent::Passed(n) => self.give(cx, direction, meta, Given::Passed(*n)),
            HeldContent::Short(n) => self.give(cx, direction, meta, Given::Gap(*n)),
        }
    }

    /// Gives up waiting for acknowledged bytes when they did not come for long enough.
    fn watch_stall<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        time: Timestamp,
    ) {
        let acked = BOTH.map(|direction| self.streams[direction.index()].acked);
        let waits = |flow: &Self| {
            flow.streams.iter().any(|stream| stream.acked_beyond() > 0)
                || flow.streams.iter().any(|stream| stream.next.is_none())
                    && flow.streams.iter().any(|stream| !stream.held.is_empty())
        };
        if !waits(self) {
            self.stall = None;
            return;
        }
        let stall =
            self.stall.get_or_insert_with(|| Box::new(Stall { since: time, segments: 0, acked }));
        stall.segments += 1;
        let over = stall.segments > cx.limits.wait_segments
            || time.nanos_since(stall.since) > cx.limits.wait_nanos;
        let upto = stall.acked;
        // Once everything that was waited for has come, a new wait begins.
        let settled = BOTH.iter().all(|direction| {
            let stream = &self.streams[direction.index()];
            match (upto[direction.index()], stream.next) {
                (Some(acked), Some(next)) => next >= acked,
                _ => true,
            }
        }) && self.streams.iter().all(|stream| stream.next.is_some());
        if settled {
            **stall = Stall { since: time, segments: 0, acked };
        } else if over {
            self.stall = None;
            self.give_up(cx, upto);
        }
    }

    /// Gives up waiting when no segment came to tell how long it has been.
    pub(super) fn pass_time<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        now: Timestamp,
    ) {
        let over = |stall: &mut Box<Stall>| now.nanos_since(stall.since) > cx.limits.wait_nanos;
        if let Some(stall) = self.stall.take_if(over) {
            self.give_up(cx, stall.acked);
            self.close_if_done(cx, now);
        }
    }

    /// It has been silent for a while: gives back what is kept for speed alone.
    pub(super) fn rest<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        self.streams.iter_mut().for_each(Stream::rest);
        if let Some(connection) = self.connection.as_mut() {
            cx.consumer.rest(connection);
        }
    }

    /// Passes over the holes before `upto` in each direction.
    fn give_up<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        upto: [Option<Position>; 2],
    ) {
        for (stream, acked) in self.streams.iter_mut().zip(upto) {
            // Nothing was seen of this direction: it begins where the first acknowledgement stood.
            if stream.next.is_none() {
                stream.next = stream.near.or(acked);
            }
        }
        self.pump(cx);
        loop {
            let mut progress = false;
            for direction in BOTH {
                progress |= self.pass_hole(cx, direction, upto[direction.index()]);
            }
            if !progress && !self.unblock(cx, upto) {
                return;
            }
            self.pump(cx);
        }
    }

    /// Gives the hole at which a direction stands as a gap, as far as `upto`. Whether there was
    /// one.
    fn pass_hole<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        direction: Direction,
        upto: Option<Position>,
    ) -> bool {
        let last = self.last;
        let [stream, other] = pair(&mut self.streams, direction);
        let (Some(upto), Some(next)) = (upto, stream.next) else { return false };
        let upto = stream.without_fin(upto);
        let front = stream.held.front();
        let hole_end = front.map_or(upto, |front| front.position.min(upto));
        let missing = hole_end.since(next);
        if missing == 0 {
            return false;
        }
        if std::mem::take(&mut stream.may_begin_later) && front.is_some() {
            // What was before the first segment that came was before the capture.
            stream.next = Some(hole_end);
            return true;
        }
        if missing == 1 && front.is_none() && stream.fin.is_none() && other.held.is_empty() {
            // One more than the last byte, and nothing was said after it: most likely a FIN that
            // was not captured.
            stream.silent_fin = Some(next);
            return false;
        }
        let time = front.map_or(last, |front| front.time);
        let meta = Meta { time, ack: None, starts_segment: false, turn: Turn::Continues };
        self.give(cx, direction, meta, Given::Gap(missing));
        true
    }

    /// A direction that waits for the other one: passes the hole that the other stands at, which
    /// was acknowledged. Where both wait for each other no order of the packets is causal
    /// (somebody made them up); gives one of them all the same.
    fn unblock<C: Consumer<Connection = T>>(
        &mut self,
        cx: &mut Context<'_, C>,
        upto: [Option<Position>; 2],
    ) -> bool {
        let blocked = BOTH.map(|direction| {
            let stream = &self.streams[direction.index()];
            let front = stream.held.front()?;
            let due = Some(front.position) == stream.next
                && Some(front.position) < upto[direction.index()];
            due.then_some((direction, front.ack))
        });
        for (direction, ack) in blocked.into_iter().flatten() {
            if self.pass_hole(cx, direction.reverse(), ack) {
                return true;
            }
        }
        let Some((direction, _)) = blocked.into_iter().flatten().next() else { return false };
        self.give_front(cx, direction);
        true
    }

    /// Keeps what is held of a direction within its bounds.
    fn keep_bounds<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        let over = |flow: &Self| {
            flow.held.memory > cx.limits.max_connection_bytes
                || flow.streams.iter().any(|s| s.held.len() > cx.limits.max_held_segments)
        };
        if !over(self) {
            return;
        }
        cx.counts.connection_bound_hits += 1;
        self.release(cx);
    }

    /// Gives everything that is held, with gaps where bytes are missing.
    pub(super) fn release<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        self.drop_stray();
        let upto = self.held_ends();
        self.stall = None;
        self.give_up(cx, upto);
    }

    /// Up to where bytes are held, by direction.
    fn held_ends(&self) -> [Option<Position>; 2] {
        BOTH.map(|direction| {
            let stream = &self.streams[direction.index()];
            stream.held.back().map(|held| held.position.plus(held.len()))
        })
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

/// What comes with bytes.
#[derive(Clone, Copy)]
struct Meta {
    time: Timestamp,
    ack: Option<Position>,
    starts_segment: bool,
    turn: Turn,
}

enum Given<'a> {
    Bytes(&'a [u8]),
    Passed(u64),
    Gap(u64),
}
