//! What became of the payload bytes and connections that the flow room took in.

use super::QuicCounts;
use std::ops::AddAssign;

/// What became of the payload bytes and connections that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Payload bytes taken in.
    pub payload_bytes: u64,
    /// Of these: bytes that had been given already, or were held already.
    pub duplicate_bytes: u64,
    /// Of these: bytes of segments that belong to no connection as it stood: far out of window,
    /// after the end of both directions, or the text in a reset.
    pub stray_bytes: u64,
    /// Of these: bytes that came after what follows them was given on, as the capture of their
    /// direction seemed to begin behind them.
    pub late_bytes: u64,
    /// Bytes known to be missing: never captured, or left behind where they are looked at after all;
    /// given on as gaps. Not part of `payload_bytes`.
    pub gap_bytes: u64,
    /// How many gaps these bytes are.
    pub gaps: u64,
    /// Overlapping bytes that differed from those that came first (the first were kept).
    pub conflicting_bytes: u64,
    /// How often a connection held so much out of order that it was given on with gaps.
    pub connection_bound_hits: u64,
    /// How often all connections together held so much that one of them gave up what it held.
    pub memory_bound_hits: u64,
    /// Connections seen.
    pub flows: u64,
    /// Connections whose end was not seen and that were taken for ended after a silence.
    pub flows_timed_out: u64,
    /// Connections given up because the table was full.
    pub flows_evicted: u64,
    /// Connections without data given up because their source had too many.
    pub flows_evicted_by_source: u64,
    /// Connections that are known now.
    pub flows_active: u64,
    /// Memory that connections hold now: payload out of order, unfinished heads, exchanges that
    /// wait.
    pub buffered_bytes: u64,
    /// Of `payload_bytes`: what has no fate yet, as it is held.
    pub unsettled_bytes: u64,
    /// What there was of QUIC: in nothing above, which is TCP.
    pub quic: QuicCounts,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.payload_bytes += other.payload_bytes;
        self.duplicate_bytes += other.duplicate_bytes;
        self.stray_bytes += other.stray_bytes;
        self.late_bytes += other.late_bytes;
        self.gap_bytes += other.gap_bytes;
        self.gaps += other.gaps;
        self.conflicting_bytes += other.conflicting_bytes;
        self.connection_bound_hits += other.connection_bound_hits;
        self.memory_bound_hits += other.memory_bound_hits;
        self.flows += other.flows;
        self.flows_timed_out += other.flows_timed_out;
        self.flows_evicted += other.flows_evicted;
        self.flows_evicted_by_source += other.flows_evicted_by_source;
        self.flows_active += other.flows_active;
        self.buffered_bytes += other.buffered_bytes;
        self.unsettled_bytes += other.unsettled_bytes;
        self.quic += other.quic;
    }
}
