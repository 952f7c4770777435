//! pipeline: the rooms, joined by threads and channels.
//!
//! Takes a [`PacketSource`] and a [`Config`]. Gives every observation in an order that does not
//! depend on the number of workers, and a filled [`Tally`].
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
//! Channels are bounded, and a full one blocks who sends: nothing is dropped. When the caller's
//! sink fails, it all ends: nobody is left to read.

mod batch;
mod deal;
mod gather;
mod worker;

use crate::capture::{CaptureError, PacketSource};
use crate::s3::Observation;
use crate::tally::Tally;
use crate::{decode, flow, s3};
use crossbeam_channel::bounded;
use std::thread;

/// How many batches wait for a worker at most.
const QUEUE: usize = 4;

/// How traffic is examined.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many threads parse; at least one.
    pub workers: usize,
    /// How packets are decoded.
    pub decode: decode::Config,
    /// Bounds and time-outs of connections.
    pub flow: flow::Limits,
    /// What is known of stores beforehand.
    pub s3: s3::Config,
}

/// What happens on the way.
#[derive(Debug)]
pub enum Event<'e> {
    /// Something was observed. It has been counted.
    Observed(&'e Observation),
    /// Something could not be read. What follows is read all the same.
    Problem(CaptureError),
}

/// Examines everything that `source` gives, fills `tally`, and tells `sink` what happens.
///
/// # Errors
///
/// The sink's. After it, `tally` holds only what was counted so far.
pub fn run<E>(
    source: impl PacketSource + Send,
    config: &Config,
    tally: &mut Tally,
    sink: impl FnMut(Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let workers = config.workers.max(1);
    thread::scope(|scope| {
        let (results, inbox) = bounded(workers * QUEUE);
        let mut queues = Vec::with_capacity(workers);
        for number in 0..workers {
            let (queue, batches) = bounded(QUEUE);
            queues.push(queue);
            let results = results.clone();
            spawn(scope, &format!("worker-{number}"), move || {
                worker::work(config, number, &batches, &results);
            });
        }
        let decode = config.decode.clone();
        spawn(scope, "capture", move || deal::deal(source, decode, queues, &results));
        gather::gather(inbox, workers, tally, sink)
    })
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
