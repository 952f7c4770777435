//! Giving bytes on, in causal order.

use super::{BOTH, Context, Flow, pair};
use crate::flow::stream::{Held, HeldContent};
use crate::flow::{Chunk, Consumer, Content, Turn};
use crate::net::{Direction, Position, Timestamp};

/// What comes with bytes.
#[derive(Clone, Copy)]
pub(super) struct Meta {
    pub(super) time: Timestamp,
    pub(super) ack: Option<Position>,
    pub(super) starts_segment: bool,
    pub(super) turn: Turn,
}

/// What is given.
pub(super) enum Given<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// This many bytes that nobody wants to see.
    Passed(u64),
    /// This many bytes that are missing.
    Gap(u64),
}

impl<T> Flow<T> {
    /// Whether everything that a segment's sender had received was given.
    pub(super) fn is_causal(&self, direction: Direction, ack: Option<Position>) -> bool {
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

    pub(super) fn give<C: Consumer<Connection = T>>(
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
        stream.heed(cx.consumer.chunk(connection, cx.key, chunk), next);
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

    /// Gives everything that can be given now.
    pub(super) fn pump<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
        let mut progress = true;
        while std::mem::take(&mut progress) {
            for direction in BOTH {
                while self.front_is_ready(direction) {
                    self.give_front(cx, direction);
                    progress = true;
                }
                self.end_if_reached(cx, direction);
            }
        }
    }

    fn front_is_ready(&self, direction: Direction) -> bool {
        let stream = &self.streams[direction.index()];
        stream.held.front().is_some_and(|front| {
            Some(front.position) == stream.next && self.is_causal(direction, front.ack)
        })
    }

    pub(super) fn give_front<C: Consumer<Connection = T>>(
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
}
