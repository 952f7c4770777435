//! How far a connection has come, and how far a silence has brought it.

use super::Limits;
use super::embryo::Embryo;
use super::flow::Flow;
use crate::net::Timestamp;

/// A connection, as far as it has come.
pub(super) enum State<T> {
    /// No data yet.
    Bare(Embryo),
    /// Boxed, so that a table that grows moves little.
    Full(Box<Flow<T>>),
    /// It rests.
    Folded(Folded),
}

/// A connection that rests.
pub(super) struct Folded {
    pub(super) bytes: Box<[u8]>,
    pub(super) last: Timestamp,
    pub(super) has_ended: bool,
}

impl<T> State<T> {
    pub(super) fn last(&self) -> Timestamp {
        match self {
            Self::Bare(embryo) => embryo.last,
            Self::Full(flow) => flow.last,
            Self::Folded(folded) => folded.last,
        }
    }
}

/// How far a silence has brought a connection.
pub(super) enum Age {
    Alive,
    /// It is over; late segments of it may still come.
    Ended,
    /// Nothing of it comes any more.
    Forgotten,
}

/// `haste` shortens the times.
pub(super) fn age<T>(flow: &Flow<T>, limits: &Limits, haste: u64, now: Timestamp) -> Age {
    let silent = now.nanos_since(flow.last);
    let forgotten_after = match flow.ended_at {
        Some(_) => limits.linger_nanos,
        None if flow.carried_data => limits.idle_nanos,
        None => limits.idle_empty_nanos,
    };
    if silent > forgotten_after / haste {
        Age::Forgotten
    } else if flow.ended_at.is_some() && flow.connection.is_some() && silent > limits.reset_nanos {
        Age::Ended
    } else {
        Age::Alive
    }
}

impl Folded {
    /// `haste` shortens the times.
    pub(super) fn age(&self, limits: &Limits, haste: u64, now: Timestamp) -> Age {
        let forgotten_after = if self.has_ended { limits.linger_nanos } else { limits.idle_nanos };
        let over = now.nanos_since(self.last) > forgotten_after / haste;
        if over { Age::Forgotten } else { Age::Alive }
    }
}
