//! Leaves out the second copy of a packet, as two mirror ports deliver it.

use crate::decode::Segment;
use crate::net::Timestamp;
use crate::tally::DedupCounts;
use ahash::RandomState;
use std::collections::{HashSet, VecDeque};

/// How far apart two copies are at most: mirrors and their queues delay by milliseconds, a
/// sender that repeats itself waits for longer (RFC 6298 §2.4; Linux: 200 ms).
const WINDOW_NANOS: u64 = 50_000_000;

/// What was seen lately. A segment is known by a keyed 64-bit hash of all that it says.
#[derive(Debug)]
pub(super) struct Dedup {
    /// How many segments are remembered at most.
    max: usize,
    hasher: RandomState,
    seen: HashSet<u64, RandomState>,
    order: VecDeque<(Timestamp, u64)>,
    counts: DedupCounts,
}

impl Dedup {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            hasher: RandomState::new(),
            seen: HashSet::default(),
            order: VecDeque::new(),
            counts: DedupCounts::default(),
        }
    }

    /// Whether the same segment passed a moment ago.
    pub(super) fn is_copy(&mut self, segment: &Segment<'_>) -> bool {
        while let Some(&(time, hash)) = self.order.front() {
            let full = self.order.len() >= self.max;
            if segment.time.nanos_since(time) <= WINDOW_NANOS {
                if !full {
                    break;
                }
                self.counts.overruns += 1;
            }
            self.order.pop_front();
            self.seen.remove(&hash);
        }
        let Segment { flow, direction, seq, ack, flags, payload, missing, .. } = segment;
        let hash = self.hasher.hash_one((flow, direction, seq, ack, flags.0, payload, missing));
        if !self.seen.insert(hash) {
            self.counts.copies += 1;
            return true;
        }
        self.order.push_back((segment.time, hash));
        false
    }

    /// How many copies there were, and what is remembered.
    pub(super) fn counts(&self) -> DedupCounts {
        DedupCounts { remembered: self.order.len() as u64, ..self.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Flags;
    use crate::net::{Endpoint, FlowKey, Seq};

    fn segment(millis: i64, seq: u32, payload: &[u8]) -> Segment<'_> {
        let end = |n| Endpoint::new([192, 0, 2, n].into(), 80);
        let (flow, direction) = FlowKey::new(end(1), end(2));
        Segment {
            time: Timestamp::from_nanos(millis * 1_000_000),
            flow,
            tunnel: None,
            direction,
            seq: Seq(seq),
            ack: None,
            flags: Flags::ACK,
            payload,
            unseen: 0,
            missing: 0,
        }
    }

    #[test]
    fn a_copy_is_one_that_says_the_same_a_moment_later() {
        let mut dedup = Dedup::new(1_000);
        assert!(!dedup.is_copy(&segment(0, 1, b"a")));
        assert!(dedup.is_copy(&segment(1, 1, b"a")));
        assert!(!dedup.is_copy(&segment(2, 1, b"b")));
        assert!(!dedup.is_copy(&segment(2, 2, b"a")));
        // Earlier by the other tap's clock.
        assert!(dedup.is_copy(&segment(-1, 2, b"a")));
        assert!(!dedup.is_copy(&segment(51, 1, b"a")));
        assert_eq!(dedup.counts(), DedupCounts { copies: 2, remembered: 3, overruns: 0 });
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut dedup = Dedup::new(1_000);
        for seq in 0..20_000 {
            assert!(!dedup.is_copy(&segment(0, seq, b"a")));
        }
        assert!(dedup.order.len() <= 1_000 && dedup.seen.len() == dedup.order.len());
        assert!(dedup.is_copy(&segment(0, 19_999, b"a")));
        assert!(!dedup.is_copy(&segment(0, 0, b"a")));
        assert_eq!(dedup.counts().overruns, 20_001 - 1_000);
    }
}
