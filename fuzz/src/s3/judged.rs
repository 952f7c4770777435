//! What is observed of an exchange, held against itself and against its heads.

use super::heads::Head;
use sealwatch::s3::{Context, Finding, INVALID_HOST, Mode, Observation, Record, Side};
use sealwatch::tally::{KeyForm, KeyLimits, Limits, Tally};
use std::collections::BTreeSet;

/// What one exchange led to.
#[derive(Default)]
struct Told {
    requested: Vec<Mode>,
    applied: Vec<Mode>,
    mismatches: Vec<(Mode, Mode)>,
    refused: Vec<u16>,
    found: Vec<Finding>,
    keys: Vec<(Side, Box<str>)>,
    contexts: Vec<Side>,
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
            Observation::Keyed { subject, side, key_id } => {
                told.keys.push((*side, key_id.clone()));
                subject
            }
            Observation::InContext { subject, side, .. } => {
                told.contexts.push(*side);
                subject
            }
            Observation::Over(_) | Observation::Ended(_) => panic!("over twice: {observed:?}"),
        };
        check_host(&subject.host);
        assert_eq!(subject.host, record.host, "{observed:?}");
    }
    check_host(&record.host);
    told.check(record);
    told.check_keys(record);
    check_modes(&told, heads);
}

impl Told {
    /// Each side names a key and a context once, and the record has the last key.
    fn check_keys(&self, record: &Record) {
        for side in [Side::Requested, Side::Applied] {
            let keys = self.keys.iter().filter(|(of, _)| *of == side).count();
            let contexts = self.contexts.iter().filter(|of| **of == side).count();
            assert!(keys <= 1 && contexts <= 1, "said more than once: {record:?}");
        }
        if let Some((side, key_id)) = self.keys.last() {
            let is_last = *side == Side::Applied || self.keys.len() == 1;
            assert!(is_last && record.object_store, "{record:?}");
            // A refusal may name another, which counts for nothing.
            let success = matches!(record.status, None | Some(200..=299 | 304));
            assert!(!success || record.kms_key_id.as_ref() == Some(key_id), "{record:?}");
        }
    }

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
    let (keys, contexts) = (&told.keys, &told.contexts);
    assert!(keys.is_empty() && contexts.is_empty(), "from nowhere: {keys:?} {contexts:?}");
}

/// Everything is counted once.
pub(super) fn check_tally(observed: &[&Observation]) {
    let keys = Some(KeyLimits { form: KeyForm::Short, max_keys: 2 });
    let limits = Limits { max_hosts: 2, max_buckets: Some(2), keys, ..Limits::default() };
    let mut tally = Tally::new(limits);
    let mut counts = [0; 8];
    for observation in observed {
        tally.observe(observation);
        counts[match observation {
            Observation::Requested { .. } => 0,
            Observation::Applied { .. } => 1,
            Observation::Mismatch { .. } => 2,
            Observation::Refused { .. } => 3,
            Observation::Found { .. } => 4,
            Observation::Over(_) | Observation::Ended(_) => 5,
            Observation::Keyed { .. } => 6,
            Observation::InContext { .. } => 7,
        }] += 1;
    }
    // A context counts for each of its names, or as one that cannot be read.
    counts[7] = observed.iter().map(|observation| said_by(observation)).sum();
    let mut sums = [0_u64; 8];
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
    for (_, host) in tally.keys().unwrap_or_default() {
        let keys = host.keys.values();
        sums[6] += keys.map(|key| key.requested.count + key.applied.count).sum::<u64>();
        let contexts = host.contexts.values().chain([&host.malformed_contexts]);
        sums[7] += contexts.map(|sides| sides.requested + sides.applied).sum::<u64>();
    }
    assert_eq!(sums, counts);
}

/// How much an observation counts for among contexts.
fn said_by(observation: &Observation) -> u64 {
    match observation {
        Observation::InContext { context, .. } => match &**context {
            Context::Pairs(pairs) => pairs.len() as u64,
            Context::Malformed => 1,
        },
        _ => 0,
    }
}
