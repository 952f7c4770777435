//! How far a connection has come, and how far a silence has brought it.

use super::Limits;
use super::embryo::Embryo;
use super::flow::Flow;
use super::roster::Worth;
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
    if silent > limits.silence(flow.ended_at.is_some(), flow.carried_data) / haste {
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
        let over = now.nanos_since(self.last) > limits.silence(self.has_ended, true) / haste;
        if over { Age::Forgotten } else { Age::Alive }
    }
}

/// How long a connection that rests and is worth so much is silent before it may be over.
pub(super) fn shortest_silence(limits: &Limits, worth: Worth) -> u64 {
    match worth {
        Worth::Empty => limits.silence(false, false).min(limits.silence(true, false)),
        Worth::Over => limits.silence(true, true),
        Worth::Unknown | Worth::Wanted => limits.silence(false, true),
    }
}
