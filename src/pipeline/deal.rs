//! The capture thread: from packets to batches.

use super::batch::{Batch, Dealt, FULL_BYTES, FULL_PACKETS, Keep, Message};
use super::skips::Skips;
use super::{DELAY, Pace};
use crate::capture::{Block, Next, Packet, PacketSource};
use crate::decode::{self, Decoder, QuicDatagram, Segment};
use crate::net::Timestamp;
use ahash::RandomState;
use crossbeam_channel::{Receiver, SendError, Sender, TrySendError};
use std::ops::ControlFlow;
use std::time::Instant;

/// What the dealers of all sources have in common.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) pace: Pace,
    pub(super) workers: Vec<Sender<Batch>>,
    pub(super) results: Sender<Message>,
    /// Batches that workers are done with, whose room is used again.
    pub(super) spare: Receiver<Batch>,
    /// One flow goes to one worker, whichever source it is seen on. Workers know flows by the same
    /// hash.
    pub(super) hasher: RandomState,
}

impl Table {
    /// Which worker a flow with that hash goes to, without a division: by other bits than the lowest, which
    /// are its place in the worker's table, and the seven highest, by which it is told from others there.
    fn worker_of(&self, hash: u64) -> usize {
        let share = u64::from((hash >> 24) as u32);
        ((share * self.workers.len() as u64) >> 32) as usize
    }
}

/// Reads `source` to its end, and deals its segments to workers. Ends early when nobody listens
/// any more.
pub(super) fn deal(
    mut source: impl PacketSource,
    number: usize,
    config: decode::Config,
    table: Table,
    skips: Option<Skips>,
) {
    let mut dealer = Dealer::new(number, config, table, skips);
    let mut listening = true;
    while listening {
        dealer.hands.hear();
        let next = source.next(&mut |packet| {
            dealer.take(packet);
            if dealer.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        listening = match next {
            Ok(Next::Packets) if dealer.is_due() => dealer.close(&mut source, false).is_ok(),
            Ok(Next::Packets) => true,
            Ok(Next::Idle(now)) => {
                dealer.now = dealer.now.then(now);
                dealer.close(&mut source, false).is_ok()
            }
            Ok(Next::End) => break,
            Err(problem) => dealer.hands.table.results.send(Message::Problem(problem)).is_ok(),
        };
    }
    if listening {
        dealer.decoder.finish();
        // Nobody listens: then nobody misses it.
        let _ = dealer.close(&mut source, true);
    }
}

struct Dealer {
    source: usize,
    decoder: Decoder,
    hands: Hands,
    number: u64,
    /// How many packets came in, and how many with the open batches.
    packets: u64,
    batch_packets: u64,
    opened: Instant,
    /// The earliest and the latest packet time.
    first: Timestamp,
    last: Timestamp,
    /// How far time has come: as two packets in a row say, so that a single time that is wrong
    /// does not end every connection.
    now: Timestamp,
    previous: Timestamp,
}

/// The open batches, one a worker, and whose they will be.
struct Hands {
    table: Table,
    open: Vec<Batch>,
    bytes: usize,
    /// The block that the last segment lay in: it was counted, if in a batch before this.
    block: Option<Block>,
    /// What need not be copied, where workers tell.
    skips: Option<Skips>,
}

impl Hands {
    /// Hears what workers told.
    fn hear(&mut self) {
        self.skips.iter_mut().for_each(Skips::hear);
    }

    /// Adds the segment in the packet of that number, which may lie in `block`.
    #[inline(always)]
    fn add(&mut self, number: u64, segment: &Segment<'_>, block: Option<&Block>) {
        let hash = self.table.hasher.hash_one(segment.flow);
        let keep = match block {
            Some(block) => Keep::In(block),
            None if self.may_stay(number, hash, segment) => Keep::Length,
            None => Keep::Copy,
        };
        self.open[self.table.worker_of(hash)].push(number, hash, segment, keep);
        match keep {
            Keep::Length => {}
            Keep::Copy => self.bytes += segment.payload.len(),
            Keep::In(block) if self.block.as_ref().is_some_and(|last| last.is(block)) => {}
            Keep::In(block) => {
                self.bytes += block.bytes().len();
                self.block = Some(block.clone());
            }
        }
    }

    fn may_stay(&mut self, number: u64, hash: u64, segment: &Segment<'_>) -> bool {
        self.skips.as_mut().is_some_and(|skips| skips.may_stay(number, hash, segment))
    }

    fn add_quic(&mut self, datagram: QuicDatagram) {
        let hash = self.table.hasher.hash_one(datagram.flow);
        self.open[self.table.worker_of(hash)].quic.push(datagram);
    }

    /// The open batch of a worker, for which an empty one is opened.
    fn swap(&mut self, worker: usize) -> Batch {
        let empty = self.table.spare.try_recv().unwrap_or_default();
        std::mem::replace(&mut self.open[worker], empty)
    }
}

impl Dealer {
    fn new(source: usize, config: decode::Config, table: Table, skips: Option<Skips>) -> Self {
        let open = table.workers.iter().map(|_| Batch::default()).collect();
        Self {
            source,
            decoder: Decoder::new(config),
            hands: Hands { table, open, bytes: 0, block: None, skips },
            number: 0,
            packets: 0,
            batch_packets: 0,
            opened: Instant::now(),
            first: Timestamp::LATEST,
            last: Timestamp::EARLIEST,
            now: Timestamp::EARLIEST,
            previous: Timestamp::EARLIEST,
        }
    }

    #[inline]
    fn take(&mut self, packet: &Packet<'_>) {
        let number = self.packets;
        self.packets += 1;
        self.batch_packets += 1;
        self.first = self.first.min(packet.time);
        self.last = self.last.max(packet.time);
        self.now = self.now.max(packet.time.min(self.previous));
        self.previous = packet.time;
        // Each way its own, so that the commonest segment goes from its packet into the batch without being
        // put together in between.
        if let Some(segment) = self.decoder.decode_plain(packet) {
            self.hands.add(number, &segment, packet.block);
        } else if let Ok(segment) = &self.decoder.decode_any(packet) {
            self.hands.add(number, segment, packet.block);
        } else if let Some(datagram) = self.decoder.take_quic() {
            self.hands.add_quic(datagram);
        }
    }

    /// Whether the open batches should leave.
    fn is_due(&self) -> bool {
        let is_prompt = self.hands.table.pace != Pace::Lossless;
        self.is_full() || (is_prompt && self.opened.elapsed() >= DELAY)
    }

    fn is_full(&self) -> bool {
        self.hands.bytes >= FULL_BYTES || self.batch_packets >= FULL_PACKETS
    }

    /// Sends the open batches, and begins new ones. Live, those that no worker has room for are
    /// dropped and counted, but for the last.
    fn close(&mut self, source: &mut impl PacketSource, last: bool) -> Result<(), SendError<()>> {
        let gone = SendError(());
        let mut sent = 0;
        for worker in (0..self.hands.open.len()).rev() {
            let mut batch = self.hands.swap(worker);
            (batch.source, batch.number) = (self.source, self.number);
            (batch.now, batch.last) = (self.now, last);
            // What is known of all of them goes with the last, so that nobody is woken for it alone.
            batch.dealt = (worker == 0).then(|| Box::new(self.dealt(source, sent + 1)));
            let table = &self.hands.table;
            if table.pace != Pace::Live || last {
                table.workers[worker].send(batch).map_err(|_| gone)?;
                sent += 1;
                continue;
            }
            match table.workers[worker].try_send(batch) {
                Ok(()) => sent += 1,
                Err(TrySendError::Full(batch)) => {
                    self.decoder.dropped(batch.len());
                    self.decoder.dropped_quic(batch.quic.len() as u64);
                    if worker == 0 {
                        let dealt = Message::Dealt(self.dealt(source, sent));
                        self.hands.table.results.send(dealt).map_err(|_| gone)?;
                    }
                }
                Err(TrySendError::Disconnected(_)) => return Err(gone),
            }
        }
        self.number += 1;
        self.batch_packets = 0;
        self.hands.bytes = 0;
        self.opened = Instant::now();
        Ok(())
    }

    /// What is known when the open batches, `sent` of them, are closed.
    fn dealt(&self, source: &mut impl PacketSource, sent: usize) -> Dealt {
        Dealt {
            source: self.source,
            batch: self.number,
            sent,
            received: self.packets,
            packets: *self.decoder.counts(),
            fragments: self.decoder.fragments(),
            drops: source.drops(),
            period: (self.packets > 0).then_some((self.first, self.last)),
        }
    }
}
