//! A worker: from batches to observations.

use super::Config;
use super::batch::{Batch, Message, Outcome};
use super::dedup::Dedup;
use crate::flow::FlowTable;
use crate::http::Http;
use crate::s3::{Observation, S3Reader};
use crossbeam_channel::{Receiver, Sender};

/// The packet number of what happens after a batch's last packet.
const AFTER_ALL: u64 = u64::MAX;

/// Works until there are no more batches, or nobody takes what comes of them.
pub(super) fn work(
    config: &Config,
    number: usize,
    sources: usize,
    batches: &Receiver<Batch>,
    results: &Sender<Message>,
) {
    let mut table = FlowTable::new(
        Http::new(S3Reader::new(&config.s3)),
        config.flow.shared_among(config.workers),
    );
    let mut ended = 0;
    let mut dedup = Dedup::default();
    for batch in batches {
        let mut observations = Vec::new();
        let mut drain = |table: &mut FlowTable<Http<S3Reader>>, packet| {
            let drained = table.consumer().reader.drain();
            observations.extend(drained.map(|observation: Observation| (packet, observation)));
        };
        for (packet, segment) in batch.segments() {
            if config.dedup && dedup.is_copy(&segment) {
                continue;
            }
            table.segment(&segment);
            drain(&mut table, packet);
        }
        ended += usize::from(batch.last);
        if ended == sources {
            table.close();
        } else {
            table.sweep(batch.now);
        }
        drain(&mut table, AFTER_ALL);
        let outcome = Outcome {
            source: batch.source,
            batch: batch.number,
            worker: number,
            observations,
            copies: dedup.dropped(),
            flow: table.counts(),
            http: table.consumer().counts(),
            tls: table.consumer().take_tls().collect(),
        };
        if results.send(Message::Outcome(outcome)).is_err() {
            return;
        }
    }
}
