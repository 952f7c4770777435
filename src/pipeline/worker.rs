//! A worker: from batches to observations.

use super::Config;
use super::batch::{Batch, Message, Numbered, Outcome};
use super::dedup::Dedup;
use super::merge::{Merge, Step};
use super::skips::Teller;
use super::sums::Sums;
use crate::flow::{self, FlowTable, QuicTable};
use crate::http::Http;
use crate::s3::S3Reader;
use ahash::RandomState;
use crossbeam_channel::{Receiver, Sender};

/// The packet number of what happens after a batch's last packet.
pub(super) const AFTER_ALL: u64 = u64::MAX;

/// What a worker works with.
pub(super) struct Worker {
    number: usize,
    table: FlowTable<Http<S3Reader>>,
    quic: QuicTable,
    dedup: Option<Dedup>,
    /// Tells capture threads what need not be copied.
    teller: Option<Teller>,
    /// What was observed in each source's batch that is being worked on.
    observations: Vec<Sums>,
}

impl Worker {
    /// `hasher` is what the flows of batches are hashed by; what need not be copied of them is told by
    /// `teller`.
    pub(super) fn new(
        config: &Config,
        number: usize,
        sources: usize,
        hasher: RandomState,
        teller: Option<Teller>,
    ) -> Self {
        let limits = config.flow.shared_among(config.workers);
        let http = Http::new(S3Reader::new(&config.s3), config.http);
        Self {
            number,
            table: FlowTable::with_hasher(http, limits, hasher),
            quic: QuicTable::new(limits),
            dedup: config.dedup_segments.map(|max| Dedup::new(max.div_ceil(config.workers.max(1)))),
            teller,
            observations: (0..sources).map(|_| Sums::new(config.s3.sums_only)).collect(),
        }
    }

    /// Works until there are no more batches, or nobody takes what comes of them.
    pub(super) fn work(
        mut self,
        batches: &Receiver<Batch>,
        results: &Sender<Message>,
        spare: &Sender<Batch>,
    ) {
        let mut merge = Merge::new(self.observations.len());
        for batch in batches {
            merge.add(batch);
            while let Some(step) = merge.next() {
                match step {
                    Step::Segments { source, count } => {
                        let segments = merge.segments(source, count);
                        segments.for_each(|numbered| self.segment(source, &numbered));
                    }
                    Step::Done(mut batch) => {
                        self.quic(&batch);
                        self.pass_time(batch.source, &merge);
                        if results
                            .send(Message::Outcome(Box::new(self.outcome(&mut batch))))
                            .is_err()
                        {
                            return;
                        }
                        batch.clear();
                        // Where there are enough, it is not needed.
                        let _ = spare.try_send(batch);
                    }
                }
            }
        }
    }

    fn segment(&mut self, source: usize, numbered: &Numbered<'_>) {
        let Numbered { packet, hash, segment } = numbered;
        if self.dedup.as_mut().is_some_and(|dedup| dedup.is_copy(segment)) {
            return;
        }
        let unwanted = self.table.segment_hashed(*hash, segment);
        if let Some(teller) = &mut self.teller {
            teller.note(source, numbered, unwanted);
        }
        self.drain(source, *packet);
    }

    fn quic(&mut self, batch: &Batch) {
        batch.quic.iter().for_each(|datagram| self.quic.datagram(datagram));
    }

    /// Ends what time has ended.
    fn pass_time(&mut self, source: usize, merge: &Merge) {
        if merge.has_ended() {
            self.table.close();
        } else {
            self.table.sweep(merge.now());
            self.quic.sweep(merge.now());
        }
        self.drain(source, AFTER_ALL);
    }

    /// Notes what was observed, and in which packet.
    fn drain(&mut self, source: usize, packet: u64) {
        let reader = &mut self.table.consumer().reader;
        if !reader.has_observed() {
            return;
        }
        let sums = &mut self.observations[source];
        reader.drain().for_each(|what| sums.add(packet, what));
    }

    fn outcome(&mut self, batch: &mut Batch) -> Outcome {
        Outcome {
            source: batch.source,
            batch: batch.number,
            worker: self.number,
            dealt: batch.dealt.take(),
            observations: self.observations[batch.source].take(),
            dedup: self.dedup.as_ref().map(Dedup::counts).unwrap_or_default(),
            flow: flow::Counts { quic: self.quic.counts(), ..self.table.counts() },
            http: self.table.consumer().counts(),
            tls: self.table.consumer().take_tls().collect(),
        }
    }
}
