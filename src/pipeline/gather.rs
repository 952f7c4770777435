//! The calling thread: from outcomes to the tally and the sink, in the order of packets.

use super::batch::{Dealt, Message, Outcome};
use super::sums::Observed;
use super::{Config, Event, order};
use crate::capture::{Drops, Schedule};
use crate::decode::{FragmentCounts, PacketCounts, PacketFate};
use crate::http::TlsCounts;
use crate::net::Timestamp;
use crate::policy::{self, Judgement, Policy};
use crate::s3::Observation;
use crate::tally::{DedupCounts, Ledger, Tally};
use crate::{flow, http};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes messages until there are no more.
pub(super) fn gather<E>(
    inbox: Receiver<Message>,
    config: &Config,
    sources: usize,
    tally: &Mutex<Tally>,
    mut sink: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut books = Books::new(config, sources, tally);
    let mut incomplete: Vec<BTreeMap<u64, Gathered>> = vec![BTreeMap::new(); sources];
    for message in inbox {
        let source = match message {
            Message::Problem(problem) => {
                sink(Event::Problem(problem))?;
                continue;
            }
            Message::Dealt(dealt) => {
                let source = dealt.source;
                incomplete[source].entry(dealt.batch).or_default().dealt = Some(dealt);
                source
            }
            Message::Outcome(mut outcome) => {
                books.workers[outcome.worker] = (outcome.flow, outcome.http, outcome.dedup);
                let gathered = incomplete[outcome.source].entry(outcome.batch).or_default();
                let source = outcome.source;
                gathered.dealt = gathered.dealt.or(outcome.dealt.take().map(|dealt| *dealt));
                gathered.outcomes.push(*outcome);
                source
            }
        };
        while let Some(first) = incomplete[source].first_entry() {
            if !first.get().is_complete() {
                break;
            }
            let complete = first.remove();
            let (observations, judgements) = count(complete, &mut books, tally);
            for (at, observed) in observations.iter().enumerate() {
                sink(Event::Observed(&observed.what, judgement(&judgements, at)))?;
            }
            sink(Event::Counted { source })?;
        }
    }
    Ok(())
}

/// How each observation came out; empty where there is no policy.
type Judgements = Vec<Option<Judgement>>;

fn judgement(judgements: &Judgements, at: usize) -> Option<&Judgement> {
    judgements.get(at).and_then(Option::as_ref)
}

/// Counts a batch, and gives what was observed in it.
fn count(
    mut batch: Gathered,
    books: &mut Books,
    tally: &Mutex<Tally>,
) -> (Vec<Observed>, Judgements) {
    if let Some(dealt) = batch.dealt {
        books.sources[dealt.source] = Some(dealt);
    }
    let tls = batch.tls();
    let mut observations = batch.observations();
    if let Some(schedule) = &books.told_by {
        for observed in &mut observations {
            let time = observed.what.time_mut();
            *time = schedule.moment(*time);
        }
    }
    let policy = books.policy.as_ref().map(policy::Current::get);
    let judge = |policy: &Arc<Policy>| {
        let judge = |observed: &Observed| match &observed.what {
            Observation::Over(record) => policy.judge(record),
            _ => None,
        };
        observations.iter().map(judge).collect()
    };
    let judgements: Judgements = policy.as_ref().map(judge).unwrap_or_default();
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    books.enter(&mut tally);
    for (name, counts) in tls {
        tally.tls(&name, counts);
    }
    if let Some(policy) = &policy {
        tally.judge_by(policy);
    }
    for (at, Observed { what, times, .. }) in observations.iter().enumerate() {
        tally.observe_times(what, *times);
        if let (Observation::Over(record), Some(judgement)) = (what, judgement(&judgements, at)) {
            tally.judged(&record.host, judgement);
        }
    }
    (observations, judgements)
}

/// The latest counters of everyone, each since the beginning.
struct Books {
    workers: Vec<(flow::Counts, http::Counts, DedupCounts)>,
    sources: Vec<Option<Dealt>>,
    told_by: Option<Schedule>,
    policy: Option<policy::Current>,
    /// What there was before.
    before: Ledger,
}

impl Books {
    fn new(config: &Config, sources: usize, tally: &Mutex<Tally>) -> Self {
        Self {
            workers: vec![Default::default(); config.workers.max(1)],
            sources: vec![None; sources],
            told_by: config.told_by.clone(),
            policy: config.policy.clone(),
            before: tally.lock().unwrap_or_else(PoisonError::into_inner).ledger.clone(),
        }
    }

    /// Brings the ledger up to date.
    fn enter(&self, tally: &mut Tally) {
        let ledger = &mut tally.ledger;
        (ledger.flow, ledger.http) = (self.before.flow, self.before.http);
        ledger.dedup = self.before.dedup;
        let mut copies = 0;
        for (flow, http, dedup) in &self.workers {
            copies += dedup.copies;
            ledger.dedup += *dedup;
            ledger.flow += *flow;
            ledger.http += *http;
        }
        let (mut packets, mut drops) = (PacketCounts::default(), Drops::default());
        (ledger.received, ledger.fragments) = (self.before.received, FragmentCounts::default());
        for dealt in self.sources.iter().flatten() {
            ledger.received += dealt.received;
            ledger.fragments += dealt.fragments;
            packets += dealt.packets;
            drops += dealt.drops;
            tally.period = match (tally.period, dealt.period.map(|period| self.told(period))) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
        }
        // A batch can be counted before the packets in it.
        let segments = packets.get(PacketFate::Segment);
        packets.revise(PacketFate::Segment, PacketFate::Copy, copies.min(segments));
        (ledger.packets, ledger.drops) = (self.before.packets, self.before.drops);
        ledger.packets += packets;
        ledger.drops += drops;
        debug_assert_eq!(ledger.discrepancy(), 0, "every packet and byte has one fate: {ledger:?}");
    }

    /// A period as it is to be told.
    fn told(&self, (first, last): (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
        match &self.told_by {
            Some(schedule) => (schedule.moment(first), schedule.moment(last)),
            None => (first, last),
        }
    }
}

/// What has come in of a batch.
#[derive(Clone, Default)]
struct Gathered {
    outcomes: Vec<Outcome>,
    dealt: Option<Dealt>,
}

impl Gathered {
    fn is_complete(&self) -> bool {
        self.dealt.is_some_and(|dealt| self.outcomes.len() == dealt.sent)
    }

    /// What there was of TLS, by server name and in the order of names, so that it does not matter
    /// who saw it when names are too many.
    fn tls(&mut self) -> BTreeMap<Arc<str>, TlsCounts> {
        let mut tls: BTreeMap<Arc<str>, TlsCounts> = BTreeMap::new();
        for (name, counts) in self.outcomes.iter_mut().flat_map(|outcome| outcome.tls.drain(..)) {
            *tls.entry(name).or_default() += counts;
        }
        tls
    }

    /// The observations, in the order of packets.
    fn observations(mut self) -> Vec<Observed> {
        self.outcomes.sort_by_key(|outcome| outcome.worker);
        let mut outcomes = self.outcomes.into_iter();
        let mut all = outcomes.next().map(|outcome| outcome.observations).unwrap_or_default();
        outcomes.for_each(|outcome| all.extend(outcome.observations));
        order::by_packet(&mut all);
        all
    }
}
