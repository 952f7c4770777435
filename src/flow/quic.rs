//! QUIC connections: how many there are, and how many bytes. What they carry is a blind spot.
//!
//! All there is to go by is what datagrams look like ([`QuicSign`]), and a capture may begin in
//! the middle of a connection. So endpoints are doubted until they have shown what they speak:
//!
//! - one long header: QUIC. Every connection begins with them, so one that is seen from its
//!   beginning counts at once, with its first datagram;
//! - [`SHORT_HEADERS`] short ones, with nothing between them that is not QUIC: QUIC. All that was
//!   seen before counts, too. (What could be a TURN channel as well says nothing, either way.)
//! - anything else before that: not QUIC, until they are silent for as long as a connection may.
//!
//! The price: of a connection that was joined later, nothing counts if fewer datagrams than that
//! were captured, or if its endpoints vary the fixed bit (RFC 9287). What it buys: a protocol of
//! another kind whose bytes are random, as some VPNs' on this port, is taken for QUIC about once
//! in a hundred connections; by the first datagram alone it would be once in five.
//!
//! Once it is QUIC, whatever its endpoints send is. A connection is its endpoints: one that
//! migrates (RFC 9000 §9) is another one from then on, as the ids that it goes on with were agreed
//! on under encryption.

use super::Limits;
use super::looks::Looks;
use crate::decode::{QuicDatagram, QuicSign};
use crate::net::{FlowKey, Timestamp};
use ahash::RandomState;
use std::collections::HashMap;
use std::ops::AddAssign;

/// So many short headers are proof.
const SHORT_HEADERS: u8 = 3;

/// What there was of QUIC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuicCounts {
    /// Connections.
    pub connections: u64,
    /// UDP payload of theirs, both directions, as long as it was on the wire.
    pub bytes: u64,
    /// Connections given up because the table was full. One that goes on counts again.
    pub evicted: u64,
}

impl AddAssign for QuicCounts {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.bytes += other.bytes;
        self.evicted += other.evicted;
    }
}

/// What a pair of endpoints speaks.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    /// Not known yet: how many short headers there were, and how many bytes in all.
    Doubtful { short_headers: u8, bytes: u64 },
    /// QUIC.
    Quic,
    /// Something else.
    Other,
}

#[derive(Debug)]
struct Pair {
    speaks: Speaks,
    last: Timestamp,
}

/// Every pair of endpoints with UDP port 443, within a bound.
#[derive(Debug)]
pub struct QuicTable {
    pairs: HashMap<FlowKey, Pair, RandomState>,
    /// Every pair exactly once.
    looks: Looks,
    counts: QuicCounts,
    max: usize,
    idle_nanos: u64,
}

impl QuicTable {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            pairs: HashMap::default(),
            looks: Looks::new(),
            counts: QuicCounts::default(),
            max: limits.max_quic_connections.max(1),
            idle_nanos: limits.quic_idle_nanos,
        }
    }

    /// What there was so far.
    pub const fn counts(&self) -> QuicCounts {
        self.counts
    }

    /// Takes a datagram in.
    pub fn datagram(&mut self, datagram: &QuicDatagram) {
        let QuicDatagram { time, flow: key, sign, bytes } = *datagram;
        if !self.pairs.contains_key(&key) {
            self.make_room();
            self.looks.look(key, time);
        }
        let new = || Pair { speaks: Speaks::NOTHING_YET, last: time };
        let pair = self.pairs.entry(key).or_insert_with(new);
        if time.nanos_since(pair.last) > self.idle_nanos {
            *pair = new();
        }
        pair.last = pair.last.max(time);
        let before = pair.speaks;
        pair.speaks = before.after(sign, bytes);
        match (before, pair.speaks) {
            (Speaks::Quic, _) => self.counts.bytes += bytes,
            (Speaks::Doubtful { bytes: waited, .. }, Speaks::Quic) => {
                self.counts.connections += 1;
                self.counts.bytes += waited + bytes;
            }
            _ => {}
        }
    }

    fn make_room(&mut self) {
        while self.pairs.len() >= self.max {
            let Some(look) = self.looks.earliest() else { return };
            match self.pairs.get(&look.key) {
                Some(pair) if pair.last > look.last => self.looks.look(look.key, pair.last),
                Some(pair) => {
                    self.counts.evicted += u64::from(matches!(pair.speaks, Speaks::Quic));
                    self.pairs.remove(&look.key);
                }
                None => {}
            }
        }
    }

    /// Forgets pairs that were silent for long enough. `now` is how far packet time has come.
    ///
    /// A datagram that comes after a silence begins anew by itself, so when and how often this is
    /// called changes no count.
    pub fn sweep(&mut self, now: Timestamp) {
        self.looks.pass_time(now);
        for _ in 0..self.looks.len() {
            let Some(look) = self.looks.earlier_than(now, self.idle_nanos) else { return };
            let Some(pair) = self.pairs.get(&look.key) else { continue };
            if now.nanos_since(pair.last) > self.idle_nanos {
                self.pairs.remove(&look.key);
            } else {
                self.looks.look(look.key, pair.last);
            }
        }
    }
}

impl Speaks {
    const NOTHING_YET: Self = Self::Doubtful { short_headers: 0, bytes: 0 };

    /// What is known after a datagram more.
    const fn after(self, sign: QuicSign, more: u64) -> Self {
        let Self::Doubtful { short_headers, bytes } = self else { return self };
        let short_headers = match sign {
            QuicSign::LongHeader => return Self::Quic,
            QuicSign::Nothing => return Self::Other,
            QuicSign::ShortHeader if short_headers + 1 == SHORT_HEADERS => return Self::Quic,
            QuicSign::ShortHeader => short_headers + 1,
            QuicSign::TurnChannel => short_headers,
        };
        Self::Doubtful { short_headers, bytes: bytes + more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Endpoint;

    const SECOND: i64 = 1_000_000_000;

    fn table(max_quic_connections: usize) -> QuicTable {
        QuicTable::new(Limits { max_quic_connections, ..Limits::default() })
    }

    /// Ten bytes from a client's port to the server.
    fn datagram(seconds: i64, port: u16, sign: QuicSign) -> QuicDatagram {
        let end = |n, port| Endpoint::new([192, 0, 2, n].into(), port);
        let (flow, _) = FlowKey::new(end(1, port), end(2, 443));
        QuicDatagram { time: Timestamp::from_nanos(seconds * SECOND), flow, sign, bytes: 10 }
    }

    /// Connections and bytes, of datagrams between the same endpoints.
    fn counted(signs: &[QuicSign]) -> (u64, u64) {
        let mut table = table(10);
        signs.iter().for_each(|sign| table.datagram(&datagram(0, 1, *sign)));
        (table.counts().connections, table.counts().bytes)
    }

    use QuicSign::{LongHeader as Long, Nothing, ShortHeader as Short, TurnChannel as Turn};

    #[test]
    fn a_long_header_opens_a_connection_and_the_rest_belongs_to_it() {
        assert_eq!(counted(&[Long]), (1, 10));
        assert_eq!(counted(&[Long, Long, Short, Turn, Nothing]), (1, 50));
        assert_eq!(counted(&[Turn, Short, Long]), (1, 30));
    }

    #[test]
    fn short_headers_open_one_when_there_are_enough_and_nothing_contradicts() {
        assert_eq!(counted(&[Short, Short]), (0, 0));
        assert_eq!(counted(&[Short, Short, Short]), (1, 30));
        assert_eq!(counted(&[Turn, Short, Turn, Short, Short, Turn]), (1, 60));
        assert_eq!(counted(&[Turn; 100]), (0, 0));
        assert_eq!(counted(&[Short, Short, Nothing, Short, Short, Short, Long]), (0, 0));
    }

    #[test]
    fn a_silence_ends_a_connection_however_often_it_is_swept() {
        for sweeps in [false, true] {
            let mut table = table(10);
            // The second is earlier by the clock of another tap.
            for seconds in [100, 99, 160, 220, 281, 300] {
                table.datagram(&datagram(seconds, 1, Long));
                if sweeps {
                    table.sweep(Timestamp::from_nanos(seconds * SECOND));
                }
            }
            assert_eq!(table.counts(), QuicCounts { connections: 2, bytes: 60, evicted: 0 });
            table.sweep(Timestamp::from_nanos(1_000 * SECOND));
            table.sweep(Timestamp::from_nanos(2_000 * SECOND));
            assert_eq!((table.pairs.len(), table.looks.len()), (0, 0));
        }
    }

    #[test]
    fn what_was_something_else_can_be_quic_after_a_silence() {
        let mut table = table(10);
        for (seconds, sign) in [(0, Nothing), (60, Long), (121, Long)] {
            table.datagram(&datagram(seconds, 1, sign));
        }
        assert_eq!(table.counts(), QuicCounts { connections: 1, bytes: 10, evicted: 0 });
    }

    #[test]
    fn the_table_is_bounded_and_the_one_silent_for_longest_goes_first() {
        let mut table = table(3);
        for (seconds, port) in [(1, 1), (2, 2), (3, 3), (4, 1), (5, 4)] {
            table.datagram(&datagram(seconds, port, Long));
        }
        assert_eq!(table.counts(), QuicCounts { connections: 4, bytes: 50, evicted: 1 });
        // The first is known still; the second is not.
        table.datagram(&datagram(6, 1, Short));
        table.datagram(&datagram(6, 2, Long));
        assert_eq!(table.counts(), QuicCounts { connections: 5, bytes: 70, evicted: 2 });
        for port in 10..10_000 {
            table.datagram(&datagram(7, port, Nothing));
            assert!(table.pairs.len() <= 3 && table.looks.len() == table.pairs.len());
        }
    }
}
