//! What a service manager is told (sd_notify(3)): that sealwatch is ready, how it does, that it is
//! still at work, that it ends.
//!
//! Takes a beat for every batch that went all the way through the pipeline, from each source. Gives
//! datagrams to `$NOTIFY_SOCKET`; without one, nothing at all. Promises that the watchdog is fed only
//! while beats come from every source, so that a thread of the pipeline that hangs gets the process
//! restarted; and that a manager that does not listen holds up nothing.

use super::patience::within;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sd_notify::NotifyState;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::{error, warn};

/// How often to look, at least.
const TICK: Duration = Duration::from_millis(50);
/// How often to say how it goes.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// How long to wait at the end for a manager that does not listen.
const LAST_PATIENCE: Duration = Duration::from_millis(300);

/// The service manager's view of this process.
pub(super) struct Service {
    beats: Beats,
    speaker: Option<(Sender<()>, JoinHandle<()>)>,
}

/// How many batches of each source went all the way through.
type Beats = Arc<[AtomicU64]>;

impl Service {
    /// Begins to tell the service manager, if there is one, of a pipeline of so many sources.
    /// `status` says how it goes; `stop` is set when it is to end.
    pub(super) fn start(
        sources: usize,
        stop: Arc<AtomicBool>,
        status: impl Fn() -> String + Send + 'static,
    ) -> Result<Self> {
        let beats: Beats = (0..sources).map(|_| AtomicU64::new(0)).collect();
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self { beats, speaker: None });
        }
        let speaker = Speaker {
            pulse: Pulse::new(beats.clone()),
            watchdog: sd_notify::watchdog_enabled(),
            stop,
            status: Box::new(status),
            ready: false,
            fed: Instant::now(),
            told: Instant::now(),
            failing: false,
        };
        let (alive, over) = bounded(0);
        let thread = thread::Builder::new()
            .name("service".to_owned())
            .spawn(move || speaker.speak(&over))
            .context("cannot start a thread")?;
        Ok(Self { beats, speaker: Some((alive, thread)) })
    }

    /// A batch of that source went all the way through.
    pub(super) fn beat(&self, source: usize) {
        if let Some(beats) = self.beats.get(source) {
            beats.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes sure that the end has been told.
    pub(super) fn end(self) {
        let Some((alive, thread)) = self.speaker else { return };
        drop(alive);
        if !within(LAST_PATIENCE, || thread.is_finished()) {
            warn!("the service manager does not take what it is told");
            return;
        }
        if thread.join().is_err() {
            error!("the thread that talks to the service manager ended in a panic");
        }
    }
}

/// Whether every source makes progress.
struct Pulse {
    beats: Beats,
    seen: Vec<u64>,
}

impl Pulse {
    fn new(beats: Beats) -> Self {
        Self { seen: vec![0; beats.len()], beats }
    }

    /// Whether each source had a beat since this was last true.
    fn beats(&mut self) -> bool {
        let now: Vec<_> = self.beats.iter().map(|beats| beats.load(Ordering::Relaxed)).collect();
        let all = now.iter().zip(&self.seen).all(|(now, seen)| now != seen);
        if all {
            self.seen = now;
        }
        all
    }
}

/// The thread that tells.
struct Speaker {
    pulse: Pulse,
    /// How long the manager waits for a sign of life.
    watchdog: Option<Duration>,
    stop: Arc<AtomicBool>,
    status: Box<dyn Fn() -> String + Send>,
    ready: bool,
    fed: Instant,
    told: Instant,
    /// Whether it was said that telling fails.
    failing: bool,
}

impl Speaker {
    fn speak(mut self, over: &Receiver<()>) {
        let tick = self.watchdog.map_or(TICK, |watchdog| TICK.min(watchdog / 6));
        loop {
            let ended = over.recv_timeout(tick) == Err(RecvTimeoutError::Disconnected);
            if ended || self.stop.load(Ordering::Relaxed) {
                let status = NotifyState::Status("counting what was read");
                return self.tell(&[NotifyState::Stopping, status]);
            }
            self.look();
        }
    }

    /// Tells what there is to tell now.
    fn look(&mut self) {
        let becomes_ready = !self.ready && self.pulse.beats();
        self.ready |= becomes_ready;
        if !self.ready {
            return;
        }
        if becomes_ready || self.told.elapsed() >= STATUS_EVERY {
            self.told = Instant::now();
            let status = (self.status)();
            let status = NotifyState::Status(&status);
            match becomes_ready {
                true => self.tell(&[NotifyState::Ready, status]),
                false => self.tell(&[status]),
            }
        }
        // Twice before the time is up, as one may come late.
        let is_due = |watchdog: Duration| self.fed.elapsed() >= watchdog / 3;
        if self.watchdog.is_some_and(is_due) && self.pulse.beats() {
            self.fed = Instant::now();
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&mut self, states: &[NotifyState<'_>]) {
        match sd_notify::notify(states) {
            Ok(()) => self.failing = false,
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                warn!("cannot tell the service manager how it goes: {error}");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_one_of_every_source() {
        let beats: Beats = [0, 0].map(AtomicU64::new).into();
        let mut pulse = Pulse::new(beats.clone());
        let beat = |source: usize| beats[source].fetch_add(1, Ordering::Relaxed);
        assert!(!pulse.beats());
        beat(0);
        beat(0);
        assert!(!pulse.beats(), "the other one hangs");
        beat(1);
        assert!(pulse.beats());
        assert!(!pulse.beats(), "nothing happened since");
        beat(1);
        assert!(!pulse.beats());
        beat(0);
        assert!(pulse.beats());
    }
}
