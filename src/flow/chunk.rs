//! What the flow room gives, and to whom.

use super::{Folding, Unfolding};
use crate::net::{Direction, FlowKey, Position, Timestamp, Tunnel};

/// The next bytes of one direction, or a hole where bytes are missing.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Which way the bytes travel.
    pub direction: Direction,
    /// Where in their direction's stream they begin.
    pub position: Position,
    /// The packet time of the segment that carried them; for a gap, of the segment after it.
    pub time: Timestamp,
    /// How much of the other direction's stream their sender had received when it sent them:
    /// the segment's acknowledgement number. `None` for a gap, and where no number was given.
    pub ack: Option<Position>,
    /// Bytes, or a gap.
    pub content: Content<'a>,
}

/// Bytes, or their absence.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Bytes, as sent.
    Data {
        /// At least one byte.
        bytes: &'a [u8],
        /// Whether these are the first bytes of a segment, as its sender cut it.
        starts_segment: bool,
        /// Whether this may be the first thing its sender said after receiving what it
        /// acknowledges. Peers that take turns begin a message only there.
        turn: Turn,
        /// The most that the sender is known to have received before what it acknowledges here.
        had: Option<Position>,
        /// Whether these are the first bytes of the connection, as its SYN told.
        starts_stream: bool,
    },
    /// This many bytes were captured, but not kept, since [`Demand::Skip`] or
    /// [`Demand::Nothing`] said that nobody looks at them.
    Passed(u64),
    /// This many bytes were sent and never captured.
    Gap(u64),
}

/// Whether bytes are the first that their sender sent after receiving what it acknowledges, as
/// far as both directions' numbers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// No: it had received as much at an earlier place already.
    Continues,
    /// Nothing speaks against it.
    Possible,
    /// Yes: at this very place it had received less before, or the other end had received
    /// exactly this far when it last spoke.
    Opens,
}

/// What the consumer wants of a direction next: the one mechanism for not looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Every byte.
    Look,
    /// Nothing of the next `n` bytes but that they passed.
    Skip(u64),
    /// Nothing, ever again, but that bytes passed.
    Nothing,
}

/// What the consumer holds of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Memory that grows with what the wire says, in bytes.
    pub memory: usize,
    /// Bytes that it was given and that have no fate yet.
    pub unsettled: u64,
    /// Whether it has found what it looks for: then the connection is given up after others.
    pub wanted: bool,
}

/// The next room: what flow gives its chunks to.
///
/// For each connection: [`open`](Self::open) once; then chunks of both directions, each
/// direction's without overlap and without holes other than [`Content::Gap`];
/// [`end`](Self::end) at most once for a direction, after the chunks before its FIN;
/// [`close`](Self::close) once. (A FIN may be made up, like all else. Chunks that come after the end
/// of their direction are what was sent in spite of one.)
pub trait Consumer {
    /// What the consumer remembers of a connection.
    type Connection;

    /// A connection was seen for the first time, in a packet that was wrapped in `tunnel`.
    fn open(&mut self, key: &FlowKey, tunnel: Option<Tunnel>) -> Self::Connection;

    /// The next bytes of a direction. Answers what it wants of that direction next.
    fn chunk(
        &mut self,
        connection: &mut Self::Connection,
        key: &FlowKey,
        chunk: Chunk<'_>,
    ) -> Demand;

    /// The next bytes of a direction, which came in order, as [`Content::Passed`]. If nobody looks at
    /// them, does with them what [`chunk`](Self::chunk) would do with their data and answers the same;
    /// then, unless it answers [`Demand::Look`], its [`Standing`] is as it was. Else does nothing and
    /// answers `None`.
    fn pass(
        &mut self,
        _connection: &mut Self::Connection,
        _key: &FlowKey,
        _chunk: Chunk<'_>,
    ) -> Option<Demand> {
        None
    }

    /// What it holds of a connection. Asked after each segment of it that may have changed that.
    fn standing(&self, connection: &Self::Connection) -> Standing;

    /// Others need the memory: gives up what it holds of a connection, so that its
    /// [`Standing::memory`] is 0. More of the connection may follow.
    fn shed(&mut self, connection: &mut Self::Connection, key: &FlowKey);

    /// The connection has been silent for a while, and nothing is held of it: writes down all that
    /// has to be known when more of it comes, which is then [unfolded](Self::unfold). `false` where
    /// that cannot be written down: it goes on as it was.
    fn fold(&mut self, _connection: &mut Self::Connection, _to: &mut Folding) -> bool {
        false
    }

    /// What was folded up goes on.
    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Self::Connection;

    /// A direction came to its end: FIN, with everything before it given.
    fn end(&mut self, connection: &mut Self::Connection, key: &FlowKey, direction: Direction);

    /// The connection is over: closed, reset, replaced, timed out, or the capture ended.
    fn close(&mut self, connection: Self::Connection, key: &FlowKey);
}
