//! The calling thread: from outcomes to the tally and the sink, in the order of packets.

use super::Event;
use super::batch::{Dealt, Message, Outcome};
use crate::capture::Drops;
use crate::decode::{PacketCounts, PacketFate};
use crate::http::TlsCounts;
use crate::net::Timestamp;
use crate::s3::Observation;
use crate::tally::Tally;
use crate::{flow, http};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Takes messages until there are no more.
pub(super) fn gather<E>(
    inbox: Receiver<Message>,
    workers: usize,
    sources: usize,
    tally: &Mutex<Tally>,
    mut sink: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut books = Books::new(workers, sources);
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
            Message::Outcome(outcome) => {
                books.workers[outcome.worker] = (outcome.flow, outcome.http, outcome.copies);
                let gathered = incomplete[outcome.source].entry(outcome.batch).or_default();
                let source = outcome.source;
                gathered.outcomes.push(outcome);
                source
            }
        };
        while let Some(first) = incomplete[source].first_entry() {
            if !first.get().is_complete() {
                break;
            }
            let complete = first.remove();
            let observations = count(complete, &mut books, tally);
            for observation in &observations {
                sink(Event::Observed(observation))?;
            }
            sink(Event::Counted { source })?;
        }
    }
    Ok(())
}

/// Counts a batch, and gives what was observed in it.
fn count(mut batch: Gathered, books: &mut Books, tally: &Mutex<Tally>) -> Vec<Observation> {
    if let Some(dealt) = batch.dealt {
        books.sources[dealt.source] = Some(dealt);
    }
    let tls = batch.tls();
    let observations: Vec<_> = batch.observations().collect();
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    books.enter(&mut tally);
    for (name, counts) in tls {
        tally.tls(&name, counts);
    }
    for observation in &observations {
        tally.observe(observation);
    }
    observations
}

/// The latest counters of everyone, each since the beginning.
struct Books {
    workers: Vec<(flow::Counts, http::Counts, u64)>,
    sources: Vec<Option<Dealt>>,
}

impl Books {
    fn new(workers: usize, sources: usize) -> Self {
        Self { workers: vec![Default::default(); workers], sources: vec![None; sources] }
    }

    /// Brings the ledger up to date.
    fn enter(&self, tally: &mut Tally) {
        let ledger = &mut tally.ledger;
        (ledger.flow, ledger.http) = Default::default();
        let mut copies = 0;
        for (flow, http, copied) in &self.workers {
            copies += copied;
            ledger.flow += *flow;
            ledger.http += *http;
        }
        ledger.packets = PacketCounts::default();
        ledger.drops = Drops::default();
        let mut period: Option<(Timestamp, Timestamp)> = None;
        for dealt in self.sources.iter().flatten() {
            ledger.packets += dealt.packets;
            ledger.drops += dealt.drops;
            period = match (period, dealt.period) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
        }
        // A batch can be counted before the packets in it.
        let segments = ledger.packets.get(PacketFate::Segment);
        ledger.packets.revise(PacketFate::Segment, PacketFate::Copy, copies.min(segments));
        tally.period = period;
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

    /// The observations in the order of packets. A packet belongs to one worker, so that its
    /// observations stay in their order; those after all packets follow worker by worker.
    fn observations(mut self) -> impl Iterator<Item = Observation> {
        self.outcomes.sort_by_key(|outcome| outcome.worker);
        let mut all: Vec<_> =
            self.outcomes.into_iter().flat_map(|outcome| outcome.observations).collect();
        all.sort_by_key(|(packet, _)| *packet);
        all.into_iter().map(|(_, observation)| observation)
    }
}
