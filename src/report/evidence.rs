//! Exchanges that somebody will want to look at one by one, and what happened when.
//!
//! Takes records, as exchanges end. Keeps of those that broke a rule, of those with a mismatch and of
//! those with findings the first so many, by time, and counts them all; and counts by stretches of
//! time. Memory does not grow with the traffic, and what is kept does not depend on the order in
//! which records come.

use super::time::rfc3339;
use crate::net::{Endpoint, Timestamp};
use crate::policy::{Judgement, Outcome, Reason};
use crate::s3::{Finding, Mode, Operation, Record};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;

/// The most bytes of a target or a key id that are kept.
const MAX_TEXT: usize = 1_024;
/// The most stretches into which the time is divided.
const MAX_STRETCHES: usize = 120;

/// An exchange, as far as it takes to find it again and to see what was odd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Case {
    /// When it began.
    #[serde(serialize_with = "as_rfc3339")]
    pub time: Timestamp,
    /// Who asked.
    pub client_ip: IpAddr,
    /// From which port.
    pub client_port: u16,
    /// Who was asked.
    pub server_ip: IpAddr,
    /// At which port.
    pub server_port: u16,
    /// The host, as it is counted.
    pub host: String,
    /// The bucket, where the address shows one.
    pub bucket: Option<String>,
    /// The operation.
    pub operation: Option<&'static str>,
    /// The request's method.
    pub method: Option<String>,
    /// Its target, without secrets; cut off after 1,024 bytes.
    pub target: Option<String>,
    /// The final status.
    pub status: Option<u16>,
    /// The mode that was asked for.
    pub requested_mode: Option<&'static str>,
    /// The mode that was applied.
    pub applied_mode: Option<&'static str>,
    /// The KMS key that the answer names, else the request; cut off likewise.
    pub kms_key_id: Option<String>,
    /// What was odd.
    pub findings: Vec<&'static str>,
    /// The rule that was about it, where there is a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_rule: Option<String>,
    /// Why it broke the rule, if it did.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_names")]
    pub policy_reasons: Vec<Reason>,
}

fn as_rfc3339<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&rfc3339(*time))
}

fn as_names<S: Serializer>(reasons: &[Reason], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(reasons.iter().map(|reason| reason.as_str()))
}

impl Case {
    /// Why it broke the rule, in words: what it is that is not allowed.
    pub fn why(&self) -> Vec<&'static str> {
        let none = Some(Mode::None.as_str());
        let why = |reason: &Reason| match reason {
            Reason::AppliedMode if self.applied_mode == none => "no mode named in the answer",
            Reason::RequestedMode if self.requested_mode == none => "no mode asked for",
            Reason::KmsKey if self.kms_key_id.is_none() => "no KMS key named",
            reason => reason.words(),
        };
        self.policy_reasons.iter().map(why).collect()
    }

    fn new(record: &Record, judgement: Option<&Judgement>) -> Self {
        let Endpoint { addr: client_ip, port: client_port } = record.client;
        let Endpoint { addr: server_ip, port: server_port } = record.server;
        let reasons = judgement.map(|judgement| judgement.outcome.reasons()).unwrap_or_default();
        Self {
            time: record.time,
            client_ip,
            client_port,
            server_ip,
            server_port,
            host: record.host.to_string(),
            bucket: record.bucket.as_deref().map(str::to_owned),
            operation: record.operation.map(Operation::as_str),
            method: record.method.as_deref().map(str::to_owned),
            target: record.target.as_deref().map(cut),
            status: record.status,
            requested_mode: record.requested_mode.map(Mode::as_str),
            applied_mode: record.applied_mode.map(Mode::as_str),
            kms_key_id: record.kms_key_id.as_deref().map(cut),
            findings: record.findings.iter().copied().map(Finding::as_str).collect(),
            policy_rule: judgement.map(|judgement| judgement.rule.to_string()),
            policy_reasons: reasons.iter().collect(),
        }
    }
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let ends = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_TEXT);
    format!("{}…", &text[..ends.last().unwrap_or_default()])
}

/// The first so many of some exchanges, and how many there are.
#[derive(Clone, Debug)]
pub struct Cases {
    most: usize,
    /// The latest on top.
    kept: BinaryHeap<Case>,
    count: u64,
}

impl Cases {
    fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new(), count: 0 }
    }

    fn add(&mut self, case: Case) {
        self.count += 1;
        self.kept.push(case);
        if self.kept.len() > self.most {
            self.kept.pop();
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn first(&self) -> Vec<Case> {
        self.kept.clone().into_sorted_vec()
    }
}

/// What was counted in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Exchanges with object stores.
    pub exchanges: u64,
    /// Answers by the mode that they name.
    pub applied: BTreeMap<Mode, u64>,
    /// Mismatches.
    pub mismatches: u64,
    /// Exchanges that broke a rule.
    pub violations: u64,
}

impl Stretch {
    fn add(&mut self, other: &Self) {
        self.exchanges += other.exchanges;
        self.mismatches += other.mismatches;
        self.violations += other.violations;
        for (mode, n) in &other.applied {
            *self.applied.entry(*mode).or_default() += n;
        }
    }
}

/// What happened when, in at most 120 stretches that are equally long.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// How long one is, in seconds: a power of two.
    seconds: i64,
    /// By number; each begins at its number times their length.
    stretches: BTreeMap<i64, Stretch>,
}

impl Timeline {
    fn add(&mut self, time: Timestamp, what: &Stretch) {
        let number = time.as_nanos().div_euclid(1_000_000_000).div_euclid(self.seconds);
        self.stretches.entry(number).or_default().add(what);
        while self.span() > MAX_STRETCHES as u64 {
            self.double();
        }
    }

    /// How many stretches there are from the first to the last.
    fn span(&self) -> u64 {
        let (first, last) = (self.stretches.first_key_value(), self.stretches.last_key_value());
        match (first, last) {
            (Some((first, _)), Some((last, _))) => last.abs_diff(*first) + 1,
            _ => 0,
        }
    }

    fn double(&mut self) {
        self.seconds *= 2;
        for (number, stretch) in std::mem::take(&mut self.stretches) {
            self.stretches.entry(number.div_euclid(2)).or_default().add(&stretch);
        }
    }

    /// How long a stretch is, in seconds.
    pub fn seconds(&self) -> i64 {
        self.seconds
    }

    /// When each begins, and what was in it; from the first to the last, those with nothing included.
    pub fn stretches(&self) -> Vec<(Timestamp, Stretch)> {
        let (Some((first, _)), Some((last, _))) =
            (self.stretches.first_key_value(), self.stretches.last_key_value())
        else {
            return Vec::new();
        };
        let at = |number: i64| {
            let begin = number.saturating_mul(self.seconds).saturating_mul(1_000_000_000);
            let stretch = self.stretches.get(&number).cloned().unwrap_or_default();
            (Timestamp::from_nanos(begin), stretch)
        };
        (*first..=*last).map(at).collect()
    }
}

/// What a table of counts does not say.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Exchanges that broke a rule.
    pub violations: Cases,
    /// Exchanges in which another mode was applied than the one asked for.
    pub mismatches: Cases,
    /// Exchanges with findings.
    pub findings: Cases,
    /// What happened when.
    pub timeline: Timeline,
}

impl Evidence {
    /// Nothing yet; to hold at most so many exchanges of each kind.
    pub fn new(most: usize) -> Self {
        Self {
            violations: Cases::new(most),
            mismatches: Cases::new(most),
            findings: Cases::new(most),
            timeline: Timeline { seconds: 1, stretches: BTreeMap::new() },
        }
    }

    /// Takes in an exchange that is over, and how it came out where there is a policy.
    pub fn add(&mut self, record: &Record, judgement: Option<&Judgement>) {
        if !record.object_store {
            return;
        }
        let is_violation =
            judgement.is_some_and(|judgement| matches!(judgement.outcome, Outcome::Violated(_)));
        let is_mismatch = record.mismatch == Some(true);
        let what = Stretch {
            exchanges: 1,
            applied: record.applied_mode.map(|mode| (mode, 1)).into_iter().collect(),
            mismatches: u64::from(is_mismatch),
            violations: u64::from(is_violation),
        };
        self.timeline.add(record.time, &what);
        let kinds = [
            (is_violation, &mut self.violations),
            (is_mismatch, &mut self.mismatches),
            (!record.findings.is_empty(), &mut self.findings),
        ];
        for (_, cases) in kinds.into_iter().filter(|(is_one, _)| *is_one) {
            cases.add(Case::new(record, judgement));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one() -> Stretch {
        Stretch { exchanges: 1, ..Stretch::default() }
    }

    fn timeline(seconds: &[i64]) -> Timeline {
        let mut timeline = Timeline { seconds: 1, stretches: BTreeMap::new() };
        for second in seconds {
            timeline.add(Timestamp::from_nanos(second * 1_000_000_000), &one());
        }
        timeline
    }

    #[test]
    fn long_targets_are_cut_between_characters() {
        let text = "ä".repeat(MAX_TEXT);
        assert_eq!(cut(&text), format!("{}…", "ä".repeat(MAX_TEXT / 2)));
        assert_eq!(cut("short"), "short");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_timeline_holds_all_there_is_and_does_not_depend_on_the_order(
            mut seconds in prop::collection::vec(-5_000_000_i64..5_000_000, 1..50),
        ) {
            let told = timeline(&seconds);
            seconds.sort_unstable();
            let sorted = timeline(&seconds);
            prop_assert_eq!(told.stretches(), sorted.stretches());
            let stretches = told.stretches();
            prop_assert!(stretches.len() <= MAX_STRETCHES);
            let all: u64 = stretches.iter().map(|(_, stretch)| stretch.exchanges).sum();
            prop_assert_eq!(all, seconds.len() as u64);
            let (first, _) = stretches[0];
            prop_assert!(first.as_nanos() <= seconds[0] * 1_000_000_000);
        }
    }
}
