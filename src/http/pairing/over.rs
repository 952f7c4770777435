//! What is over, and room for what begins.
//!
//! Takes exchanges as they end. Gives them in that order; and the room of those that were a connection's
//! only one to the next, on whichever connection it begins, so that exchanges that come one by one take
//! no memory anew.

use super::Entry;
use crate::http::Exchange;
use std::collections::VecDeque;

/// How many rooms are kept at most.
const ROOMS: usize = 16;

/// Exchanges that are over, of all connections, until they are told.
#[derive(Debug)]
pub(in crate::http) struct Over<Q, P> {
    exchanges: Vec<Exchange<Q, P>>,
    /// Each empty, for one entry.
    rooms: Vec<VecDeque<Entry<Q, P>>>,
}

impl<Q, P> Default for Over<Q, P> {
    fn default() -> Self {
        Self { exchanges: Vec::new(), rooms: Vec::new() }
    }
}

impl<Q, P> Over<Q, P> {
    /// Adds an exchange, if anything is known of it.
    pub(super) fn add(&mut self, exchange: Option<Exchange<Q, P>>) {
        self.exchanges.extend(exchange);
    }

    /// Whether there are none to be told.
    pub(in crate::http) fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// Those to be told.
    pub(in crate::http) fn drain(&mut self) -> impl Iterator<Item = Exchange<Q, P>> {
        self.exchanges.drain(..)
    }

    /// Gives a room to entries that have none, if there is one.
    pub(super) fn furnish(&mut self, entries: &mut VecDeque<Entry<Q, P>>) {
        if entries.capacity() == 0
            && let Some(room) = self.rooms.pop()
        {
            *entries = room;
        }
    }

    /// Keeps the room of entries of which there are none any more, if it was for one.
    pub(super) fn clear_out(&mut self, entries: &mut VecDeque<Entry<Q, P>>) {
        if entries.is_empty() && entries.capacity() == 1 && self.rooms.len() < ROOMS {
            self.rooms.push(std::mem::take(entries));
        }
    }
}
