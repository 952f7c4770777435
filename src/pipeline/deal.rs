//! The capture thread: from packets to batches.

use super::batch::{Batch, Dealt, FULL_BYTES, FULL_PACKETS, Message};
use crate::capture::{Packet, PacketSource};
use crate::decode::{self, Decoder};
use crate::net::Timestamp;
use ahash::RandomState;
use crossbeam_channel::{SendError, Sender};

/// Reads `source` to its end, and deals its segments to `workers`. Ends early when nobody listens
/// any more.
pub(super) fn deal(
    mut source: impl PacketSource,
    config: decode::Config,
    workers: Vec<Sender<Batch>>,
    results: &Sender<Message>,
) {
    let mut dealer = Dealer::new(config, workers, results);
    let mut listening = true;
    while listening {
        listening = match source.next(&mut |packet| dealer.take(packet)) {
            Ok(true) if dealer.is_full() => dealer.close(false).is_ok(),
            Ok(true) => true,
            Ok(false) => break,
            Err(problem) => results.send(Message::Problem(problem)).is_ok(),
        };
    }
    if listening {
        dealer.decoder.finish();
        // Nobody listens: then nobody misses it.
        let _ = dealer.close(true);
    }
}

struct Dealer<'r> {
    decoder: Decoder,
    workers: Vec<Sender<Batch>>,
    results: &'r Sender<Message>,
    hasher: RandomState,
    /// The open batches, one a worker.
    open: Vec<Batch>,
    number: u64,
    /// How many packets came in, and how many with the open batches.
    packets: u64,
    batch_packets: u64,
    batch_bytes: usize,
    period: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
}

impl<'r> Dealer<'r> {
    fn new(
        config: decode::Config,
        workers: Vec<Sender<Batch>>,
        results: &'r Sender<Message>,
    ) -> Self {
        Self {
            decoder: Decoder::new(config),
            open: workers.iter().map(|_| Batch::default()).collect(),
            workers,
            results,
            hasher: RandomState::new(),
            number: 0,
            packets: 0,
            batch_packets: 0,
            batch_bytes: 0,
            period: None,
            now: Timestamp::from_nanos(i64::MIN),
        }
    }

    fn take(&mut self, packet: &Packet<'_>) {
        let number = self.packets;
        self.packets += 1;
        self.batch_packets += 1;
        let (first, last) = self.period.unwrap_or((packet.time, packet.time));
        self.period = Some((first.min(packet.time), last.max(packet.time)));
        self.now = self.now.max(packet.time);
        if let Ok(segment) = self.decoder.decode(packet) {
            let worker = match self.open.len() {
                1 => 0,
                n => (self.hasher.hash_one(segment.flow) % n as u64) as usize,
            };
            self.open[worker].push(number, &segment);
            self.batch_bytes += segment.payload.len();
        }
    }

    fn is_full(&self) -> bool {
        self.batch_bytes >= FULL_BYTES || self.batch_packets >= FULL_PACKETS
    }

    /// Sends the open batches, and begins new ones.
    fn close(&mut self, last: bool) -> Result<(), SendError<()>> {
        let gone = SendError(());
        for (open, worker) in self.open.iter_mut().zip(&self.workers) {
            let mut batch = std::mem::take(open);
            batch.number = self.number;
            batch.now = self.now;
            batch.last = last;
            worker.send(batch).map_err(|_| gone)?;
        }
        let packets = *self.decoder.counts();
        let dealt = Dealt { batch: self.number, packets, period: self.period };
        self.results.send(Message::Dealt(dealt)).map_err(|_| gone)?;
        self.number += 1;
        self.batch_packets = 0;
        self.batch_bytes = 0;
        Ok(())
    }
}
