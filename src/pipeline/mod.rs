//! pipeline: the rooms, joined by threads and channels.
//!
//! Takes [`PacketSource`]s and a [`Config`]. Gives every observation, in the order of packets, and a
//! filled [`Tally`]. Which observations, and all counts, do not depend on the number of workers; nor
//! does their order, but for those that time or the end of a capture brings about, which follow
//! the packets of their batch.
//!
//! ```text
//!  capture thread            workers                        calling thread
//!  source ► decode ► deal ══ batches ══► flow ► http ► s3 ══ outcomes ══► gather ► tally, sink
//! ```
//!
//! One connection belongs to one worker, by a keyed hash. The capture thread deals segments into
//! numbered batches, one a worker, and closes all of them at once; so a batch's number and its
//! clock mean the same to every worker, and what happens at its end (time-outs) happens at the
//! same packet however many workers there are. The calling thread waits for all outcomes of a
//! batch and puts their observations back into the order of packets.
//!
//! Live, a worker tells the capture thread which bytes of a connection nobody will look at, and of those only
//! the length comes ([`skips`]).
//!
//! There is one capture thread a source. A worker puts what several of them saw into the order of
//! time, so that it does not matter which thread saw which direction of a connection. Channels are
//! bounded, and a full one blocks who sends; live, a capture thread that finds a worker's queue full
//! drops the batch and counts it. When the caller's sink fails, it all ends: nobody is left to read.
//!
//! What is counted comes on top of what the [`Tally`] holds, and nothing else is left of a run: the
//! same packets again, in another run, count exactly as often again.

mod batch;
mod deal;
mod dedup;
mod gather;
mod merge;
mod order;
mod skips;
mod sums;
mod worker;

use crate::capture::{CaptureError, PacketSource, Schedule};
use crate::policy::{self, Judgement};
use crate::s3::Observation;
use crate::tally::{RoomLimits, Tally};
use crate::{decode, flow, http, s3};
use ahash::RandomState;
use crossbeam_channel::bounded;
use deal::Table;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use worker::Worker;

/// How many batches wait for a worker at most.
const QUEUE: usize = 4;

/// The same, live, for each source: room for what comes while a worker is held up.
const LIVE_QUEUE: usize = 32;
/// How long a packet waits for its batch to leave, where somebody waits for it.
const DELAY: Duration = Duration::from_millis(10);

/// What happens when packets come faster than they can be examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Reading waits: nothing is dropped.
    Lossless,
    /// The same, and packets are examined within milliseconds.
    Prompt,
    /// Reading goes on; what no worker has room for is dropped and counted. Packets are examined
    /// within milliseconds.
    Live,
}

/// How traffic is examined.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many threads parse; at least one.
    pub workers: usize,
    /// What happens when packets come too fast.
    pub pace: Pace,
    /// Where times are to be told, and counted, as those at which packets were given: when that
    /// is. They are examined by their own times all the same.
    pub told_by: Option<Schedule>,
    /// Where the second copy of a packet, a moment after the first, is to be left out: how many
    /// are remembered for it.
    pub dedup_segments: Option<usize>,
    /// How packets are decoded.
    pub decode: decode::Config,
    /// Bounds and time-outs of connections.
    pub flow: flow::Limits,
    /// Bounds of what is read of a connection.
    pub http: http::Limits,
    /// What is known of stores beforehand.
    pub s3: s3::Config,
    /// What exchanges are judged by.
    pub policy: Option<policy::Current>,
}

impl Config {
    /// Whether what nobody looks at need not be copied. A second copy of a packet is known by what it
    /// carries. Where nothing is dropped, nothing may depend on which thread was faster, be it only what is
    /// missing of connections that were given up.
    fn may_skip(&self) -> bool {
        self.pace == Pace::Live && self.dedup_segments.is_none()
    }
}

/// What happens on the way.
#[derive(Debug)]
pub enum Event<'e> {
    /// Something was observed. It has been counted; and judged, where it is an exchange with an
    /// object store that is over, and there is a policy. Where only sums are wanted
    /// ([`s3::Config::sums_only`]), the same may have been observed often, and is told once.
    Observed(&'e Observation, Option<&'e Judgement>),
    /// All is counted that a source gave up to some moment, and what was observed in it is told:
    /// it goes all the way through. Live, this happens every few milliseconds, also where no packets
    /// come.
    Counted {
        /// Its place among the sources.
        source: usize,
    },
    /// Something could not be read. What follows is read all the same.
    Problem(CaptureError),
}

/// Examines everything that `sources` give, adds it to `tally`, and tells `sink` what happens.
/// `tally` is held for no longer than it takes to count one batch.
///
/// # Errors
///
/// The sink's. After it, `tally` holds only what was counted so far.
pub fn run<E>(
    sources: Vec<impl PacketSource + Send>,
    config: &Config,
    tally: &Mutex<Tally>,
    sink: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let count = config.workers.max(1);
    let sources_count = sources.len();
    let limits = RoomLimits {
        flow: config.flow,
        http: config.http,
        fragment_bytes: config.decode.max_fragment_bytes * sources_count,
        dedup_segments: config.dedup_segments,
    };
    begin(tally, limits);
    let queue = match config.pace {
        Pace::Live => LIVE_QUEUE * sources_count.max(1),
        Pace::Lossless | Pace::Prompt => QUEUE,
    };
    thread::scope(|scope| {
        let (results, inbox) = bounded(count * queue);
        let (give_back, spare) = bounded(count * QUEUE);
        let hasher = RandomState::new();
        let mut workers = Vec::with_capacity(count);
        let (teller, skips) = skips::channels(sources_count, config.may_skip());
        for number in 0..count {
            let (worker, batches) = bounded(queue);
            workers.push(worker);
            let (results, spare) = (results.clone(), give_back.clone());
            let (hasher, teller) = (hasher.clone(), teller.clone());
            let worker = Worker::new(config, number, sources_count, hasher, teller);
            spawn(scope, &format!("worker-{number}"), move || {
                worker.work(&batches, &results, &spare);
            });
        }
        let table = Table { pace: config.pace, workers, results, spare, hasher };
        for (number, (source, skips)) in sources.into_iter().zip(skips).enumerate() {
            let (decode, table) = (config.decode.clone(), table.clone());
            spawn(scope, &format!("capture-{number}"), move || {
                deal::deal(source, number, decode, table, skips);
            });
        }
        // The inbox ends with the last of the threads.
        drop(table);
        gather::gather(inbox, config, sources_count, tally, sink)
    })
}

fn begin(tally: &Mutex<Tally>, limits: RoomLimits) {
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.room_limits = Some(limits);
    tally.begin();
}

/// # Panics
///
/// When the system has no thread left to give, as [`std::thread::spawn`] does.
fn spawn<'s>(scope: &'s thread::Scope<'s, '_>, name: &str, work: impl FnOnce() + Send + 's) {
    let thread = thread::Builder::new().name(name.to_owned());
    if let Err(error) = thread.spawn_scoped(scope, work) {
        panic!("cannot start thread {name}: {error}");
    }
}

#[cfg(test)]
mod tests;
