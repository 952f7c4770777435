//! Which connections were not looked at for longest: what both tables need to forget some, without
//! looking at all.

use crate::net::{FlowKey, Timestamp};
use std::collections::VecDeque;

/// A look at a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// When: by the clock of sweeps, which goes forward, whatever the times of packets do.
    clock: Timestamp,
    /// The time of its last packet then.
    pub(super) last: Timestamp,
    pub(super) key: FlowKey,
}

/// A look at every connection of a table, the earliest first.
#[derive(Debug)]
pub(super) struct Looks {
    queue: VecDeque<Look>,
    /// The latest time that a sweep was given.
    clock: Timestamp,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self { queue: VecDeque::new(), clock: Timestamp::EARLIEST }
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// A connection is looked at, or there for the first time; its last packet was at `last`.
    pub(super) fn look(&mut self, key: FlowKey, last: Timestamp) {
        self.queue.push_back(Look { clock: self.clock, last, key });
    }

    /// Takes the earliest look.
    pub(super) fn earliest(&mut self) -> Option<Look> {
        self.queue.pop_front()
    }

    /// A sweep begins, at `now`.
    pub(super) fn pass_time(&mut self, now: Timestamp) {
        if now.is_set_back_from(self.clock) {
            // What was looked at by the other clock would not be looked at again for as long.
            self.queue.iter_mut().for_each(|look| look.clock = now);
        }
        self.clock = self.clock.then(now);
    }

    /// Takes the earliest look, if it was more than so many nanoseconds before `now`.
    pub(super) fn earlier_than(&mut self, now: Timestamp, nanos: u64) -> Option<Look> {
        let earliest = self.queue.front()?;
        (now.nanos_since(earliest.clock) > nanos).then(|| self.queue.pop_front())?
    }
}
