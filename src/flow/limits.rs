//! Bounds and time-outs of connections.

const SECOND: u64 = 1_000_000_000;

/// Bounds and time-outs. All times are packet time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections that are known at once; over that, one is given up: of those without
    /// data, else of those in which nothing was found, else of those that ended, else of all, the
    /// one that was silent for longest.
    pub max_flows: usize,
    /// The most connections without data that are known of one source address; over that, its
    /// oldest is given up.
    pub max_empty_per_source: usize,
    /// The most memory that one connection holds out of order, in bytes, both directions together.
    pub max_connection_bytes: usize,
    /// The most segments that one direction holds out of order.
    pub max_held_segments: usize,
    /// The most memory that all connections together hold, in bytes: payload out of order,
    /// unfinished heads, exchanges that wait. Over that, the connection that holds the most gives
    /// up what it holds.
    pub max_buffered_bytes: usize,
    /// How many more segments of a connection to wait for bytes that were acknowledged but not
    /// captured: taps reorder.
    pub wait_segments: u32,
    /// How long to wait for them at most.
    pub wait_nanos: u64,
    /// A connection that is silent for this long is over.
    pub idle_nanos: u64,
    /// The same for one that never carried data.
    pub idle_empty_nanos: u64,
    /// How long to go on listening after a reset, for what overtook it.
    pub reset_nanos: u64,
    /// How long a connection that ended stays known, so that repeated segments of it do not
    /// look like a new one. The time of TIME-WAIT on Linux.
    pub linger_nanos: u64,
    /// The most pairs of endpoints with UDP port 443 that are known at once; over that, the one
    /// that was silent for longest is given up.
    pub max_quic_connections: usize,
    /// A QUIC connection that is silent for this long is over. Its endpoints agree on a time-out
    /// (RFC 9000 §10.1), encrypted; but to outlive middleboxes they have to send every 30 s
    /// (RFC 9000 §10.1.2). This is twice that.
    pub quic_idle_nanos: u64,
}

impl Limits {
    /// How long a connection may be silent before nothing of it comes any more.
    pub(super) const fn silence(&self, has_ended: bool, carried_data: bool) -> u64 {
        match (has_ended, carried_data) {
            (true, _) => self.linger_nanos,
            (false, true) => self.idle_nanos,
            (false, false) => self.idle_empty_nanos,
        }
    }

    /// The limits of one of so many tables that share the connections: together they take no more
    /// memory than one.
    #[must_use]
    pub fn shared_among(self, tables: usize) -> Self {
        let tables = tables.max(1);
        Self {
            max_flows: self.max_flows.div_ceil(tables),
            max_empty_per_source: self.max_empty_per_source.div_ceil(tables),
            max_buffered_bytes: self.max_buffered_bytes.div_ceil(tables),
            max_quic_connections: self.max_quic_connections.div_ceil(tables),
            ..self
        }
    }

    /// By how much to shorten time-outs of what is worth little, when so many connections are
    /// known.
    pub(super) const fn haste(&self, flows: usize) -> u64 {
        match flows.saturating_mul(8) / self.max_flows.saturating_add(1) {
            0..6 => 1,
            6 => 4,
            _ => 16,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_flows: 1 << 18,
            max_empty_per_source: 1 << 14,
            max_connection_bytes: 4 << 20,
            max_held_segments: 4096,
            max_buffered_bytes: 192 << 20,
            wait_segments: 40,
            wait_nanos: SECOND,
            idle_nanos: 600 * SECOND,
            idle_empty_nanos: 60 * SECOND,
            reset_nanos: 2 * SECOND,
            linger_nanos: 60 * SECOND,
            max_quic_connections: 1 << 18,
            quic_idle_nanos: 60 * SECOND,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_outs_shorten_as_the_table_fills() {
        let limits = Limits { max_flows: 800, ..Limits::default() };
        let haste = [0, 599, 620, 699, 720, 800].map(|flows| limits.haste(flows));
        assert_eq!(haste, [1, 1, 4, 4, 16, 16]);
    }
}
