//! What live says and records of what happens.
//!
//! Takes the pipeline's events. Gives messages, no more of one cause than anyone reads; records;
//! and signs of life. Holds up nothing but for the time that it takes to write a message.

use super::events::Events;
use super::log::Limiter;
use super::service::Service;
use crate::capture::{CaptureError, Severity};
use crate::decode::PacketFate;
use crate::pipeline::Event;
use crate::s3::{Finding, Observation};
use crate::tally::{self, Ledger};
use std::convert::Infallible;
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};

/// How often to look whether packets were lost.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Says what happens on standard error, and records it.
pub(super) struct Teller {
    /// Whether every HTTP exchange is recorded, not only those with object stores.
    all: bool,
    limiter: Limiter,
    tally: tally::Shared,
    events: Option<Events>,
    service: Service,
    lost: Lost,
    looked: Instant,
}

/// Packets that were lost, by where.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Lost {
    kernel: u64,
    interface: u64,
    queue: u64,
}

impl Lost {
    const NONE: Self = Self { kernel: 0, interface: 0, queue: 0 };

    fn of(ledger: &Ledger) -> Self {
        Self {
            kernel: ledger.drops.kernel,
            interface: ledger.drops.interface,
            queue: ledger.packets.get(PacketFate::Dropped),
        }
    }
}

impl Teller {
    pub(super) fn new(
        all: bool,
        tally: tally::Shared,
        events: Option<Events>,
        service: Service,
    ) -> Self {
        let (lost, looked) = (Lost::NONE, Instant::now());
        Self { all, limiter: Limiter::default(), tally, events, service, lost, looked }
    }

    pub(super) fn tell(&mut self, event: Event<'_>) -> Result<(), Infallible> {
        match event {
            Event::Problem(problem) => self.problem(&problem),
            Event::Observed(Observation::Found { subject, finding, value: Some(value) }, _)
                if *finding == Finding::UnknownValue =>
            {
                if let Some(more) = self.limiter.admit("unknown value") {
                    let host = &subject.host;
                    warn!(%host, "unknown encryption mode \"{value}\" on {host}{more}");
                }
            }
            Event::Observed(Observation::Over(record), judgement) => {
                if let Some(events) = &mut self.events
                    && (record.object_store || self.all)
                {
                    events.record(record, judgement);
                }
            }
            Event::Observed(..) => {}
            Event::Counted { source } => {
                self.service.beat(source);
                if self.looked.elapsed() >= LOOK_EVERY {
                    self.looked = Instant::now();
                    self.losses();
                }
            }
        }
        Ok(())
    }

    fn problem(&mut self, problem: &CaptureError) {
        let text = problem.to_string();
        let Some(more) = self.limiter.admit(&text) else { return };
        let interface = problem.path.display();
        match problem.severity() {
            Severity::Notice => info!(%interface, "{text}{more}"),
            Severity::Warning => warn!(%interface, "{text}{more}"),
            Severity::Error => error!(%interface, "{text}{more}"),
        }
    }

    /// Says how many packets were lost since this was said last.
    fn losses(&mut self) {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = Lost::of(&tally.ledger);
        drop(tally);
        if lost == self.lost {
            return;
        }
        let Some(more) = self.limiter.admit("lost packets") else { return };
        let since = std::mem::replace(&mut self.lost, lost);
        let Lost { kernel, interface, queue } = Lost {
            kernel: lost.kernel - since.kernel,
            interface: lost.interface - since.interface,
            queue: lost.queue - since.queue,
        };
        let all = kernel + interface + queue;
        warn!(
            kernel,
            interface,
            queue,
            "{all} packets were lost: {kernel} in the kernel's buffer, {interface} at \
             the interface, {queue} for want of room{more}"
        );
    }

    /// Writes the last records, and says that it is over.
    pub(super) fn end(mut self) {
        self.losses();
        if let Some(events) = self.events {
            events.close();
        }
        self.service.end();
    }
}
