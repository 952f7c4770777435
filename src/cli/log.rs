//! What a service says: one line an event, on standard error, and not without end of one cause.

use super::patience::within;
use clap::ValueEnum;
use crossbeam_channel::{Sender, bounded};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(clap::Args)]
pub(super) struct Log {
    /// How messages are written
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    log_format: Format,

    /// Which messages are written
    #[arg(long, value_enum, default_value_t = Level::Info, value_name = "LEVEL")]
    log_level: Level,

    /// Hold at most so many messages that nobody has read; the rest are counted as lost
    #[arg(long, value_name = "MESSAGES", default_value_t = 1024, help_heading = "Bounds",
        value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    pub(super) max_log_messages: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One object a line
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// What ends the program
    Error,
    /// Also what is missing or lost
    Warn,
    /// Also what begins and ends
    Info,
}

impl Log {
    /// From now on, events are written so.
    pub(super) fn start(&self) -> Lines {
        let level = match self.log_level {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
        };
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_max_level(level)
            .with_span_events(FmtSpan::NONE)
            .with_target(false)
            .with_ansi(false);
        match self.log_format {
            Format::Text => log.init(),
            Format::Json => log.json().flatten_event(true).init(),
        }
        lines
    }
}

/// From now on, warnings and errors are written, for who does not say how ([`Log`]).
pub(super) fn warnings() {
    let log = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false);
    log.with_max_level(LevelFilter::WARN).with_ansi(false).init();
}

/// How long to wait at the end for whoever reads standard error.
const LAST_PATIENCE: Duration = Duration::from_millis(300);

/// Standard error. Once detached, nobody waits for it: a thread of its own writes, and what it has
/// no room for is lost, and counted.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: OnceLock<Sender<Vec<u8>>>,
    /// Messages that were queued and are not written yet.
    waiting: AtomicU64,
    lost: AtomicU64,
}

impl Lines {
    /// From now on, messages are written by a thread of their own, which the calling thread starts;
    /// at most `max` wait.
    ///
    /// # Errors
    ///
    /// The system's, where it has no thread to give.
    pub(super) fn detach(&self, max: usize) -> io::Result<()> {
        let (queue, lines) = bounded::<Vec<u8>>(max);
        let shared = self.0.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            for line in lines {
                if io::stderr().write_all(&line).is_err() {
                    shared.lost.fetch_add(1, Ordering::Relaxed);
                }
                shared.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        // There is one at most: who comes second has nothing to add.
        let _ = self.0.queue.set(queue);
        Ok(())
    }

    /// How many messages could not be written.
    pub(super) fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Waits for the last messages, but not for long.
    pub(super) fn end(&self) {
        within(LAST_PATIENCE, || self.0.waiting.load(Ordering::Relaxed) == 0);
    }
}

impl io::Write for Lines {
    /// Takes a message, which comes whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Some(queue) = self.0.queue.get() else { return io::stderr().write(line) };
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        if queue.try_send(line.to_vec()).is_err() {
            self.0.waiting.fetch_sub(1, Ordering::Relaxed);
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many messages of one cause may follow each other at once.
const BURST: u32 = 10;
/// How often there may be one more.
const REFILL: Duration = Duration::from_secs(60);
/// How many causes are told apart; there are a few for each interface and file.
const MAX_CAUSES: usize = 1_024;

/// Lets messages through, cause by cause, as long as they are not too many. What is lasting shows in
/// metrics.
#[derive(Default)]
pub(super) struct Limiter(HashMap<String, Cause>);

struct Cause {
    left: u32,
    /// When `left` was last brought up to date.
    since: Instant,
    left_out: u64,
}

/// How many messages of the same cause were left out before this one: what to add to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeftOut(u64);

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, " ({n} more like this were left out)"),
        }
    }
}

impl Limiter {
    /// Whether a message of that cause may be written.
    pub(super) fn admit(&mut self, cause: &str) -> Option<LeftOut> {
        self.admit_at(cause, Instant::now())
    }

    fn admit_at(&mut self, cause: &str, now: Instant) -> Option<LeftOut> {
        if self.0.len() >= MAX_CAUSES && !self.0.contains_key(cause) {
            return None;
        }
        let new = || Cause { left: BURST, since: now, left_out: 0 };
        let cause = self.0.entry(cause.to_owned()).or_insert_with(new);
        let refilled = now.duration_since(cause.since).as_secs() / REFILL.as_secs();
        if refilled > 0 {
            cause.left = cause.left.saturating_add(refilled as u32).min(BURST);
            cause.since = now;
        }
        if cause.left == 0 {
            cause.left_out += 1;
            return None;
        }
        cause.left -= 1;
        Some(LeftOut(std::mem::take(&mut cause.left_out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cause_is_told_a_few_times_and_then_now_and_then() {
        let mut limiter = Limiter::default();
        let begun = Instant::now();
        let mut admit = |cause: &str, seconds| {
            limiter.admit_at(cause, begun + Duration::from_secs(seconds)).map(|out| out.to_string())
        };
        for _ in 0..BURST {
            assert_eq!(admit("a", 0).as_deref(), Some(""));
        }
        assert_eq!((admit("a", 1), admit("a", 59)), (None, None));
        assert_eq!(admit("b", 59).as_deref(), Some(""), "another cause");
        assert_eq!(admit("a", 60).as_deref(), Some(" (2 more like this were left out)"));
        assert_eq!(admit("a", 61), None);
        // After an hour of quiet no more than at first.
        let told = (0..20).filter(|_| admit("a", 3_600).is_some()).count();
        assert_eq!(told as u32, BURST);
    }
}
