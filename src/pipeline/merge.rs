//! Puts what several sources saw into one order: by packet time.
//!
//! Takes batches as capture threads close them. Gives their segments so that none comes before an
//! earlier one of another source, as far as the sources' clocks tell; two threads that capture on
//! one interface, or two interfaces that carry a direction each, are then as good as one. It waits
//! for a source that is behind, but not without bound: what is held is limited, and over the limit
//! the earliest goes on.

use super::batch::{Batch, Numbered};
use crate::net::Timestamp;
use std::collections::VecDeque;

/// How many batches of each source are held at most, on average, while one is waited for. A source
/// that sees nothing says so after a few hundredths of a second, in which each closes a handful.
const MAX_HELD: usize = 16;

/// Nobody says anything against what comes until then.
const ANY_TIME: Timestamp = Timestamp::LATEST;

/// What comes next.
#[derive(Debug)]
pub(super) enum Step {
    /// The next segments of a source: [`Merge::segments`] gives them.
    Segments {
        /// Which source.
        source: usize,
        /// How many.
        count: usize,
    },
    /// A batch whose segments were all given.
    Done(Batch),
}

/// Batches that wait for each other.
#[derive(Debug)]
pub(super) struct Merge {
    lanes: Vec<Lane>,
    held: usize,
}

/// What waits of a source.
#[derive(Debug)]
struct Lane {
    batches: VecDeque<Batch>,
    /// How many segments of the first batch were given.
    given: usize,
    /// Up to when everything was given.
    now: Timestamp,
    ended: bool,
}

impl Lane {
    /// From when on something of it may still come; `None` where its first batch is through.
    fn next(&self) -> Option<Timestamp> {
        match self.batches.front() {
            Some(first) => first.time_of(self.given),
            None if self.ended => Some(ANY_TIME),
            None => Some(self.now),
        }
    }
}

impl Merge {
    /// Of so many sources.
    pub(super) fn new(sources: usize) -> Self {
        let lane =
            || Lane { batches: VecDeque::new(), given: 0, now: Timestamp::EARLIEST, ended: false };
        Self { lanes: (0..sources).map(|_| lane()).collect(), held: 0 }
    }

    /// Takes a batch. Those of a source come in their order.
    pub(super) fn add(&mut self, batch: Batch) {
        self.held += 1;
        self.lanes[batch.source].batches.push_back(batch);
    }

    /// What comes next; nothing before another batch was added.
    pub(super) fn next(&mut self) -> Option<Step> {
        if let Some(through) = self.lanes.iter().position(|lane| lane.next().is_none()) {
            return self.done(through).map(Step::Done);
        }
        let holding = (0..self.lanes.len()).filter(|i| !self.lanes[*i].batches.is_empty());
        let source = holding.min_by_key(|i| self.lanes[*i].next())?;
        let others = self.lanes.iter().enumerate().filter(|(i, _)| *i != source);
        let until = if self.held > MAX_HELD * self.lanes.len() {
            // No longer waited for: those that hold nothing.
            others.filter(|(_, lane)| !lane.batches.is_empty()).filter_map(|(_, l)| l.next()).min()
        } else {
            others.filter_map(|(_, lane)| lane.next()).min()
        };
        let lane = &self.lanes[source];
        let first = lane.batches.front()?;
        let count = first.count_until(lane.given, until.unwrap_or(ANY_TIME));
        (count > 0).then_some(Step::Segments { source, count })
    }

    /// The next `count` segments of a source. They are given thereby.
    pub(super) fn segments(
        &mut self,
        source: usize,
        count: usize,
    ) -> impl Iterator<Item = Numbered<'_>> {
        let Lane { batches, given, .. } = &mut self.lanes[source];
        let from = *given;
        *given += count;
        batches.front().into_iter().flat_map(move |first| first.segments(from..from + count))
    }

    fn done(&mut self, source: usize) -> Option<Batch> {
        let lane = &mut self.lanes[source];
        let batch = lane.batches.pop_front()?;
        lane.given = 0;
        lane.now = lane.now.then(batch.now);
        lane.ended = batch.last;
        self.held -= 1;
        Some(batch)
    }

    /// Up to when everything was given, of all sources that have not ended.
    pub(super) fn now(&self) -> Timestamp {
        let open = self.lanes.iter().filter(|lane| !lane.ended);
        open.map(|lane| lane.now).min().unwrap_or(ANY_TIME)
    }

    /// Whether every source has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lanes.iter().all(|lane| lane.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::super::batch::Keep;
    use super::*;
    use crate::decode::{Flags, Segment};
    use crate::net::{Endpoint, FlowKey, Seq};

    /// A batch with segments of these times, in milliseconds.
    fn batch(source: usize, number: u64, times: &[i64], now: i64) -> Batch {
        let mut batch = Batch::default();
        (batch.source, batch.number, batch.now) = (source, number, millis(now));
        let end = |n| Endpoint::new([192, 0, 2, n].into(), 80);
        let (flow, direction) = FlowKey::new(end(1), end(2));
        for (packet, time) in (0..).zip(times) {
            let segment = Segment {
                time: millis(*time),
                flow,
                tunnel: None,
                direction,
                seq: Seq(0),
                ack: None,
                flags: Flags::ACK,
                payload: b"",
                unseen: 0,
                missing: 0,
            };
            batch.push(packet, 0, &segment, Keep::Copy);
        }
        batch
    }

    fn last(mut batch: Batch) -> Batch {
        batch.last = true;
        batch
    }

    fn millis(n: i64) -> Timestamp {
        Timestamp::from_nanos(n * 1_000_000)
    }

    /// Everything that is due, as source and milliseconds; a batch that is through as its number.
    fn due(merge: &mut Merge) -> Vec<String> {
        let mut due = Vec::new();
        while let Some(step) = merge.next() {
            match step {
                Step::Segments { source, count } => {
                    assert!(count > 0);
                    due.extend(merge.segments(source, count).map(
                        |Numbered { segment, .. }| {
                            format!("{source}@{}", segment.time.as_nanos() / 1_000_000)
                        },
                    ));
                }
                Step::Done(batch) => due.push(format!("{}#{}", batch.source, batch.number)),
            }
        }
        due
    }

    #[test]
    fn one_source_waits_for_nobody() {
        let mut merge = Merge::new(1);
        merge.add(batch(0, 0, &[5, 3, 9], 9));
        assert_eq!(due(&mut merge), ["0@5", "0@3", "0@9", "0#0"]);
        assert_eq!(merge.now(), millis(9));
        assert!(!merge.has_ended());
    }

    #[test]
    fn what_two_sources_saw_comes_in_the_order_of_time() {
        let mut merge = Merge::new(2);
        merge.add(batch(0, 0, &[1, 4, 6], 6));
        assert_eq!(
            due(&mut merge),
            Vec::<String>::new(),
            "the other may have seen something first"
        );
        merge.add(batch(1, 0, &[2, 3, 5], 5));
        assert_eq!(due(&mut merge), ["0@1", "1@2", "1@3", "0@4", "1@5", "1#0"]);
        assert_eq!(merge.now(), Timestamp::EARLIEST);
        // It saw nothing until 7.
        merge.add(batch(1, 1, &[], 7));
        assert_eq!(due(&mut merge), ["1#1", "0@6", "0#0"]);
        assert_eq!(merge.now(), millis(6));
    }

    #[test]
    fn a_source_that_has_ended_is_not_waited_for() {
        let mut merge = Merge::new(2);
        merge.add(last(batch(1, 0, &[], 0)));
        merge.add(batch(0, 0, &[1, 4], 4));
        assert_eq!(due(&mut merge), ["1#0", "0@1", "0@4", "0#0"]);
        assert_eq!(merge.now(), millis(4));
        merge.add(last(batch(0, 1, &[], 4)));
        assert_eq!(due(&mut merge), ["0#1"]);
        assert!(merge.has_ended());
    }

    #[test]
    fn a_source_that_is_silent_for_too_long_is_passed_over() {
        let mut merge = Merge::new(3);
        merge.add(batch(2, 0, &[0, 1_000_000], 1_000_000));
        let max_held = 3 * MAX_HELD;
        for number in 0..max_held as u64 - 1 {
            merge.add(batch(0, number, &[number as i64], number as i64));
            assert_eq!(due(&mut merge), Vec::<String>::new());
        }
        // One more than is held: the earliest of what there is goes on, and no more of it.
        merge.add(batch(0, max_held as u64 - 1, &[500], 500));
        assert_eq!(due(&mut merge), ["0@0", "0#0"]);
        assert_eq!(merge.held, max_held);
    }
}
