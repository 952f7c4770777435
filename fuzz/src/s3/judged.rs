//! What is observed of an exchange, held against itself and against its heads.

use super::heads::Head;
use sealwatch::s3::{Finding, INVALID_HOST, Mode, Observation, Record};
use sealwatch::tally::{Limits, Tally};
use std::collections::BTreeSet;

/// What one exchange led to.
#[derive(Default)]
struct Told {
    requested: Vec<Mode>,
    applied: Vec<Mode>,
    mismatches: Vec<(Mode, Mode)>,
    refused: Vec<u16>,
    found: Vec<Finding>,
}

/// Checks what was observed of an exchange.
pub(super) fn check(observed: &[Observation], heads: &[Head]) {
    let mut told = Told::default();
    let Some((Observation::Over(record), before)) = observed.split_last() else {
        panic!("not over: {observed:?}");
    };
    for observation in before {
        let subject = match observation {
            Observation::Requested { subject, mode } => {
                told.requested.push(*mode);
                subject
            }
            Observation::Applied { subject, mode } => {
                told.applied.push(*mode);
                subject
            }
            Observation::Mismatch { subject, requested, applied } => {
                told.mismatches.push((*requested, *applied));
                subject
            }
            Observation::Refused { subject, status } => {
                told.refused.push(*status);
                subject
            }
            Observation::Found { subject, finding, value } => {
                let value = value.as_deref().unwrap_or("");
                assert!(value.len() <= 4 * 64 && value.is_ascii(), "{observation:?}");
                assert!(value.is_empty() || *finding == Finding::UnknownValue, "{observation:?}");
                told.found.push(*finding);
                subject
            }
            Observation::Over(_) => panic!("over twice: {observed:?}"),
        };
        check_host(&subject.host);
        assert_eq!(subject.host, record.host, "{observed:?}");
    }
    check_host(&record.host);
    told.check(record);
    check_modes(&told, heads);
}

impl Told {
    fn check(&self, record: &Record) {
        let once = |n: usize| assert!(n <= 1, "said more than once: {record:?}");
        once(self.requested.len());
        once(self.applied.len());
        once(self.mismatches.len());
        once(self.refused.len());
        assert_eq!(self.requested.first().copied(), record.requested_mode, "{record:?}");
        assert_eq!(self.applied.first().copied(), record.applied_mode, "{record:?}");
        assert_eq!(!self.mismatches.is_empty(), record.mismatch == Some(true), "{record:?}");
        for (requested, applied) in &self.mismatches {
            assert_ne!(requested, applied, "{record:?}");
            assert_ne!(*requested, Mode::None, "{record:?}");
            assert_eq!(Some(*requested), record.requested_mode, "{record:?}");
            assert_eq!(Some(*applied), record.applied_mode, "{record:?}");
            assert!(record.status.is_some_and(|status| status / 100 == 2), "{record:?}");
        }
        for status in &self.refused {
            assert!((400..600).contains(status) && record.status == Some(*status), "{record:?}");
        }
        let found: BTreeSet<_> = self.found.iter().copied().collect();
        assert_eq!(found.len(), self.found.len(), "found twice: {record:?}");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), record.findings, "{record:?}");
        if let Some(object) = record.object_bytes {
            assert_eq!(Some(object.mode), record.applied_mode, "{record:?}");
        }
        if !record.object_store {
            let nothing = record.operation.is_none()
                && record.requested_mode.is_none()
                && record.applied_mode.is_none();
            assert!(nothing && record.findings.is_empty(), "of no store: {record:?}");
        }
    }
}

fn check_host(host: &str) {
    let lower = host.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
    assert!(host == INVALID_HOST || (lower && !host.is_empty()), "{host:?}");
}

/// Where no head names anything of the family, no mode but none is observed.
fn check_modes(told: &Told, heads: &[Head]) {
    let names = |head: &Head| {
        let family = |name: &str| name.to_ascii_lowercase().contains("server-side-encryption");
        head.fields().iter().any(|(name, _)| family(name))
    };
    if heads.iter().any(names) {
        return;
    }
    let all = [&told.requested[..], &told.applied[..]].concat();
    assert!(all.iter().all(|mode| *mode == Mode::None), "modes from nowhere: {all:?}");
    let of_family = |finding: &Finding| *finding != Finding::ModeInQuery;
    assert!(!told.found.iter().any(of_family), "findings from nowhere: {:?}", told.found);
}

/// Everything is counted once.
pub(super) fn check_tally(observed: &[&Observation]) {
    let mut tally = Tally::new(Limits { max_hosts: 2, max_buckets: Some(2), ..Limits::default() });
    let mut counts = [0; 6];
    for observation in observed {
        tally.observe(observation);
        counts[match observation {
            Observation::Requested { .. } => 0,
            Observation::Applied { .. } => 1,
            Observation::Mismatch { .. } => 2,
            Observation::Refused { .. } => 3,
            Observation::Found { .. } => 4,
            Observation::Over(_) => 5,
        }] += 1;
    }
    let mut sums = [0_u64; 6];
    for (_, place) in tally.places() {
        sums[0] += place.requests.values().sum::<u64>();
        sums[1] += place.responses.values().sum::<u64>();
        sums[2] += place.mismatches.values().sum::<u64>();
    }
    for (_, host) in tally.hosts() {
        sums[3] += host.refusals.values().sum::<u64>();
        sums[4] += host.findings.values().sum::<u64>();
    }
    sums[5] = {
        let (object_store, other) = tally.exchanges();
        object_store + other
    };
    assert_eq!(sums, counts);
}
