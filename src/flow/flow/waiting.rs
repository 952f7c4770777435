//! Waiting for what is missing, and when that is over.

use super::giving::{Given, Meta};
use super::{BOTH, Context, Flow, pair};
use crate::flow::{Consumer, Turn};
use crate::net::{Direction, Position, Timestamp};

/// A wait for bytes that were acknowledged but did not come.
#[derive(Debug)]
pub(super) struct Stall {
    since: Timestamp,
    /// Segments of this connection since.
    segments: u32,
    /// What had been acknowledged then, by direction.
    acked: [Option<Position>; 2],
}

impl<T> Flow<T> {
    /// Gives up waiting for acknowledged bytes when they did not come for long enough.
    pub(super) fn watch_stall<C: Consumer<Connection = T>>(
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
    pub(in crate::flow) fn pass_time<C: Consumer<Connection = T>>(
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

    /// Passes over the holes before `upto` in each direction.
    pub(super) fn give_up<C: Consumer<Connection = T>>(
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
            stream.join_at(hole_end);
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
    pub(super) fn keep_bounds<C: Consumer<Connection = T>>(&mut self, cx: &mut Context<'_, C>) {
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
    pub(super) fn held_ends(&self) -> [Option<Position>; 2] {
        BOTH.map(|direction| {
            let stream = &self.streams[direction.index()];
            stream.held.back().map(|held| held.position.plus(held.len()))
        })
    }
}
