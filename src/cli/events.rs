//! Records written while traffic passes: JSON Lines to a file or to standard output.
//!
//! A thread of its own writes. A full disk or a reader that does not read holds up nobody: what
//! cannot be written is counted.

use super::log::Limiter;
use super::patience::within;
use crate::policy::Judgement;
use crate::report;
use crate::s3::Record;
use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use prometheus::{IntCounterVec, Opts, Registry};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use signal_hook::consts::SIGHUP;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How many records wait at most; each has about 700 bytes.
const QUEUE: usize = 16_384;
/// How long a record waits in the buffer when no other follows.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// How often a path that cannot be opened is tried again.
const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// How long to wait at the end for a reader that does not read.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// Records hold addresses and object names: not for everyone.
const FILE_MODE: u32 = 0o640;

/// Where records go.
pub(super) struct Events {
    queue: Sender<Vec<u8>>,
    counts: Counts,
    /// How many records there were.
    given: u64,
    writer: JoinHandle<()>,
}

#[derive(Clone)]
struct Counts(IntCounterVec);

impl Counts {
    fn new(registry: &Registry) -> Result<Self> {
        let help = "Records, by whether they could be written.";
        let counts = IntCounterVec::new(Opts::new("sealwatch_events_total", help), &["outcome"])?;
        for outcome in ["written", "lost"] {
            counts.with_label_values(&[outcome]);
        }
        registry.register(Box::new(counts.clone()))?;
        Ok(Self(counts))
    }

    fn written(&self, records: u64) {
        self.0.with_label_values(&["written"]).inc_by(records);
    }

    fn lost(&self, records: u64) {
        self.0.with_label_values(&["lost"]).inc_by(records);
    }

    /// How many records were neither written nor given up.
    fn missing(&self, of: u64) -> u64 {
        let known = ["written", "lost"].map(|outcome| self.0.with_label_values(&[outcome]).get());
        of.saturating_sub(known.iter().sum())
    }
}

impl Events {
    /// Begins to write to `path`, `-` being standard output. SIGHUP makes it open the path anew.
    pub(super) fn open(path: &Path, registry: &Registry) -> Result<Self> {
        let reopen = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGHUP, reopen.clone()).context("cannot listen to SIGHUP")?;
        let counts = Counts::new(registry)?;
        let sink = sink(path).with_context(|| format!("cannot write {}", path.display()))?;
        let (queue, records) = bounded(QUEUE);
        let writer = Writer {
            path: path.to_owned(),
            sink: BufWriter::new(sink),
            pending: 0,
            reopen,
            counts: counts.clone(),
            failing: false,
            stale: None,
            limiter: Limiter::default(),
        };
        let writer = thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || writer.write(&records))
            .context("cannot start a thread")?;
        Ok(Self { queue, counts, given: 0, writer })
    }

    /// Hands a record over, if there is room.
    pub(super) fn record(&mut self, record: &Record, judgement: Option<&Judgement>) {
        self.given += 1;
        let mut line = Vec::with_capacity(1024);
        let queued = match report::json_line(record, judgement, &mut line) {
            Ok(()) => self.queue.try_send(line),
            Err(_) => Err(TrySendError::Full(line)),
        };
        if queued.is_err() {
            self.counts.lost(1);
        }
    }

    /// Writes what waits, as far as it can be written, and says what could not.
    pub(super) fn close(self) {
        let Self { queue, counts, given, writer } = self;
        // It ends when it has written all that is queued.
        drop(queue);
        within(LAST_PATIENCE, || writer.is_finished());
        counts.lost(counts.missing(given));
        let lost = counts.0.with_label_values(&["lost"]).get();
        if lost > 0 {
            warn!(lost, "{lost} records could not be written");
        }
    }
}

/// Where bytes go, and whether they end within a line there.
struct Sink {
    to: Box<dyn Write + Send>,
    torn: bool,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        if let Some(last) = bytes[..written].last() {
            self.torn = *last != b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What must stay open to be opened for the sake of `path`, now and whenever it is opened anew: its
/// folder, and that of the file which it leads to; or itself where it is no ordinary file.
pub(super) fn to_open(path: &Path) -> Result<Vec<PathBuf>> {
    if path.metadata().is_ok_and(|is| !is.is_file()) {
        return Ok(vec![path.to_owned()]);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder =
        folder.canonicalize().with_context(|| format!("cannot write {}", path.display()))?;
    let target = path.canonicalize().ok().and_then(|file| Some(file.parent()?.to_owned()));
    Ok([Some(folder), target].into_iter().flatten().collect())
}

fn sink(path: &Path) -> io::Result<Sink> {
    let to: Box<dyn Write + Send> = if path.as_os_str() == "-" {
        Box::new(io::stdout())
    } else {
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(FILE_MODE);
        // A pipe that nobody reads is an error, not something to wait for.
        let file = options.custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
        Box::new(file)
    };
    Ok(Sink { to, torn: false })
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    sink: BufWriter<Sink>,
    /// Records in the buffer.
    pending: u64,
    reopen: Arc<AtomicBool>,
    counts: Counts,
    /// Whether writing fails.
    failing: bool,
    /// Since when the path is to be opened, and cannot be.
    stale: Option<Instant>,
    limiter: Limiter,
}

impl Writer {
    fn write(mut self, records: &Receiver<Vec<u8>>) {
        loop {
            if self.reopen.swap(false, Ordering::Relaxed) {
                self.flush();
                self.open();
            } else if self.stale.is_some_and(|since| since.elapsed() >= REOPEN_AFTER) {
                self.open();
            }
            match records.recv_timeout(FLUSH_AFTER) {
                Ok(line) => self.add(&line),
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        if self.stale.is_some() {
            // Not to where it was: that was moved away for good.
            return self.counts.lost(1);
        }
        if self.sink.buffer().len() + line.len() > self.sink.capacity() {
            self.flush();
        }
        self.pending += 1;
        // What a full disk cut off must not spoil the line after it.
        let end: &[u8] = if self.sink.get_ref().torn { b"\n" } else { b"" };
        if let Err(error) = self.sink.write_all(end).and_then(|()| self.sink.write_all(line)) {
            self.fail(&error);
        }
    }

    fn flush(&mut self) {
        if self.pending == 0 {
            return;
        }
        match self.sink.flush() {
            Ok(()) => {
                self.counts.written(std::mem::take(&mut self.pending));
                if std::mem::take(&mut self.failing)
                    && let Some(more) = self.limiter.admit("again")
                {
                    info!("writing {} again{more}", self.path.display());
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    /// Gives up what is in the buffer, and tries again with what follows.
    fn fail(&mut self, error: &io::Error) {
        self.counts.lost(std::mem::take(&mut self.pending));
        if !std::mem::replace(&mut self.failing, true) {
            self.say("write", error);
        }
        let torn = self.sink.get_ref().torn;
        self.open();
        self.sink.get_mut().torn |= torn;
    }

    /// Opens the path anew. What is in the buffer is gone.
    fn open(&mut self) {
        let nowhere = Sink { to: Box::new(io::sink()), torn: false };
        let (sink, error) = match sink(&self.path) {
            Ok(sink) => (sink, None),
            Err(error) => (nowhere, Some(error)),
        };
        let old = std::mem::replace(&mut self.sink, BufWriter::new(sink));
        // Not flushed again: that has been tried.
        drop(old.into_parts());
        self.stale = error.as_ref().map(|_| Instant::now());
        if let Some(error) = error
            && !std::mem::replace(&mut self.failing, true)
        {
            self.say("open", &error);
        }
    }

    fn say(&mut self, what: &str, error: &io::Error) {
        if let Some(more) = self.limiter.admit("failing") {
            warn!("cannot {what} {}: {error}{more}", self.path.display());
        }
    }
}
