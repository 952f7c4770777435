//! The calling thread: from outcomes to the tally and the sink, in the order of packets.

use super::Event;
use super::batch::{Dealt, Message, Outcome};
use crate::http::TlsCounts;
use crate::s3::Observation;
use crate::tally::Tally;
use crate::{flow, http};
use crossbeam_channel::Receiver;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Takes messages until there are no more.
pub(super) fn gather<E>(
    inbox: Receiver<Message>,
    workers: usize,
    tally: &mut Tally,
    mut sink: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut counters = vec![(flow::Counts::default(), http::Counts::default()); workers];
    let mut incomplete: BTreeMap<u64, Gathered> = BTreeMap::new();
    for message in inbox {
        match message {
            Message::Problem(problem) => sink(Event::Problem(problem))?,
            Message::Dealt(dealt) => {
                let gathered = incomplete.entry(dealt.batch).or_default();
                gathered.dealt = Some(dealt);
            }
            Message::Outcome(outcome) => {
                incomplete.entry(outcome.batch).or_default().outcomes.push(outcome);
            }
        }
        while let Some(first) = incomplete.first_entry() {
            if !first.get().is_complete(workers) {
                break;
            }
            let mut complete = first.remove();
            complete.counters(&mut counters, tally);
            for (name, counts) in complete.tls() {
                tally.tls(&name, counts);
            }
            for observation in complete.observations() {
                tally.observe(&observation);
                sink(Event::Observed(&observation))?;
            }
        }
    }
    Ok(())
}

/// What has come in of a batch.
#[derive(Default)]
struct Gathered {
    outcomes: Vec<Outcome>,
    dealt: Option<Dealt>,
}

impl Gathered {
    fn is_complete(&self, workers: usize) -> bool {
        self.outcomes.len() == workers && self.dealt.is_some()
    }

    /// Brings the ledger up to this batch.
    fn counters(&self, counters: &mut [(flow::Counts, http::Counts)], tally: &mut Tally) {
        for outcome in &self.outcomes {
            counters[outcome.worker] = (outcome.flow, outcome.http);
        }
        tally.ledger.flow = flow::Counts::default();
        tally.ledger.http = http::Counts::default();
        for (flow, http) in counters {
            tally.ledger.flow += *flow;
            tally.ledger.http += *http;
        }
        if let Some(dealt) = &self.dealt {
            tally.ledger.packets = dealt.packets;
            tally.period = dealt.period;
        }
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
