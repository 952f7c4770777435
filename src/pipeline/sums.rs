//! What a worker observed in a batch.
//!
//! Takes observations, in the order of packets. Gives them in that order, each with how often it was
//! made. Promises that nothing is merged but what is only counted, and that what is merged counts the
//! same: it stands where it was first made, since the order in which names come decides which have
//! places of their own where they are too many.

use crate::s3::{Ended, Mode, Observation, Subject, Transfer};
use ahash::RandomState;
use std::sync::Arc;

/// How many kinds of observations are remembered at once: more than a handful of hosts make.
const SLOTS: usize = 256;

/// An observation.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// The number of the packet in which it was first made.
    pub(super) packet: u64,
    /// How often it was made.
    pub(super) times: u64,
    pub(super) what: Observation,
}

/// What was observed.
#[derive(Debug)]
pub(super) struct Sums {
    /// Nobody looks at each.
    merges: bool,
    all: Vec<Observed>,
    /// Where in `all` the latest of a kind stands, by the kind's hash.
    latest: Vec<usize>,
    hasher: RandomState,
}

impl Sums {
    /// Of nothing yet. `merges` says that nobody looks at each observation.
    pub(super) fn new(merges: bool) -> Self {
        Self { merges, all: Vec::new(), latest: Vec::new(), hasher: RandomState::new() }
    }

    /// Adds what was observed in a packet.
    pub(super) fn add(&mut self, packet: u64, what: Observation) {
        if let Some(kind) = Kind::of(&what).filter(|_| self.merges) {
            self.latest.resize(SLOTS, usize::MAX);
            let slot = &mut self.latest[self.hasher.hash_one(kind) as usize % SLOTS];
            if let Some(same) = self.all.get_mut(*slot)
                && merge(&mut same.what, &what)
            {
                same.times += 1;
                return;
            }
            *slot = self.all.len();
        }
        self.all.push(Observed { packet, times: 1, what });
    }

    /// All of it; there is nothing then.
    pub(super) fn take(&mut self) -> Vec<Observed> {
        self.latest.clear();
        std::mem::take(&mut self.all)
    }
}

/// What observations that may be merged have in common: names by where they are, which is the same
/// place for most that are the same.
#[derive(Hash)]
struct Kind {
    host: usize,
    bucket: usize,
    operation: usize,
    mode: Option<Mode>,
    is_answer: bool,
}

impl Kind {
    /// `None` for what is never merged.
    fn of(observation: &Observation) -> Option<Self> {
        let place = |name: &Arc<str>| name.as_ptr().addr();
        match observation {
            Observation::Requested { subject, mode } | Observation::Applied { subject, mode } => {
                Some(Self {
                    host: place(&subject.host),
                    bucket: subject.bucket.as_ref().map_or(0, place),
                    operation: subject.operation.as_str().as_ptr().addr(),
                    mode: Some(*mode),
                    is_answer: matches!(observation, Observation::Applied { .. }),
                })
            }
            Observation::Ended(Ended { host, bucket, object_bytes, .. }) => Some(Self {
                host: place(host),
                bucket: bucket.as_ref().map_or(0, place),
                operation: 0,
                mode: object_bytes.map(|object| object.mode),
                is_answer: object_bytes.is_some_and(|object| object.direction == Transfer::Read),
            }),
            _ => None,
        }
    }
}

/// Adds an observation to an earlier one, if they count at the same place.
fn merge(earlier: &mut Observation, later: &Observation) -> bool {
    match (earlier, later) {
        (
            Observation::Requested { subject, mode },
            Observation::Requested { subject: other, mode: other_mode },
        )
        | (
            Observation::Applied { subject, mode },
            Observation::Applied { subject: other, mode: other_mode },
        ) if mode == other_mode && is_same(subject, other) => {
            subject.time = subject.time.max(other.time);
            true
        }
        (Observation::Ended(ended), Observation::Ended(other)) => merge_ended(ended, other),
        _ => false,
    }
}

fn is_same(one: &Subject, other: &Subject) -> bool {
    one.operation == other.operation && one.host == other.host && one.bucket == other.bucket
}

fn merge_ended(ended: &mut Ended, other: &Ended) -> bool {
    let at = |ended: &Ended| {
        (ended.object_store, ended.object_bytes.map(|object| (object.direction, object.mode)))
    };
    if at(ended) != at(other) || ended.host != other.host || ended.bucket != other.bucket {
        return false;
    }
    ended.time = ended.time.max(other.time);
    if let (Some(object), Some(more)) = (&mut ended.object_bytes, other.object_bytes) {
        object.bytes = object.bytes.saturating_add(more.bytes);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Timestamp;
    use crate::s3::{Finding, ObjectBytes, Operation};
    use crate::tally::{Limits, Tally};
    use proptest::prelude::*;

    /// Any of a few kinds of observations, of a few names, some too long. Names are made anew now and
    /// then, so that equal ones are in different places, too.
    fn observation(names: &[Arc<str>], n: [usize; 6], time: i64) -> Observation {
        let name = |n: usize| match n / names.len() {
            0 => names[n % names.len()].clone(),
            _ => (*names[n % names.len()]).into(),
        };
        let (host, bucket) = (name(n[0]), Some(name(n[1])).filter(|_| n[1] > 0));
        let mode = [Mode::Kms, Mode::None][n[2]];
        let operation = [Operation::PUT_OBJECT, Operation::GET_OBJECT][n[3]];
        let time = Timestamp::from_nanos(time);
        let subject = Subject { time, host: host.clone(), bucket: bucket.clone(), operation };
        let direction = [Transfer::Read, Transfer::Write][n[3]];
        let object = ObjectBytes { direction, mode, bytes: 7 + n[2] as u64 };
        let object_store = n[5] > 0;
        let object_bytes = Some(object).filter(|_| object_store && n[5] > 1);
        match n[4] {
            0 => Observation::Requested { subject, mode },
            1 => Observation::Applied { subject, mode },
            2 => Observation::Found { subject, finding: Finding::ModeInQuery, value: None },
            3 => Observation::Refused { subject, status: 403 },
            _ => Observation::Ended(Ended { time, host, bucket, object_store, object_bytes }),
        }
    }

    /// All that a tally says, of what was observed.
    fn counted(observations: &[Observation], merges: bool) -> (String, usize) {
        let mut sums = Sums::new(merges);
        for (packet, what) in (0..).zip(observations) {
            sums.add(packet, what.clone());
        }
        let limits =
            Limits { max_hosts: 2, max_buckets: Some(3), max_label_bytes: 3, ..Limits::default() };
        let (mut tally, all) = (Tally::new(limits), sums.take());
        for observed in &all {
            tally.observe_times(&observed.what, observed.times);
        }
        let says = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            tally.places(),
            tally.hosts(),
            tally.exchanges(),
            tally.overflows(),
            tally.bounds(),
        );
        (says, all.len())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_merged_counts_as_it_would_one_by_one(
            all in proptest::collection::vec(
                ([0_usize..8, 0..8, 0..2, 0..2, 0..5, 0..3], 0_i64..9),
                0..60,
            ),
        ) {
            let names: [Arc<str>; 4] = ["a".into(), "b".into(), "c".into(), "longer".into()];
            let all: Vec<_> =
                all.into_iter().map(|(n, time)| observation(&names, n, time)).collect();
            prop_assert_eq!(counted(&all, true).0, counted(&all, false).0);
        }
    }

    #[test]
    fn the_same_is_held_once_and_everything_where_each_is_wanted() {
        let names: [Arc<str>; 2] = ["a".into(), "b".into()];
        let all: Vec<_> =
            (0..100).map(|n| observation(&names, [n % 2, 0, 0, 0, 0, 0], n as i64)).collect();
        assert_eq!(counted(&all, true).1, 2);
        assert_eq!(counted(&all, false).1, 100);
    }
}
