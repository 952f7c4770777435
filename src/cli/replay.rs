//! `sealwatch replay`: answers from capture files.

use super::Exit;
use super::log;
use super::output::{Output, WriteError, is_same_file};
use super::problems::{Problems, message};
use super::progress::{Bar, Watched};
use super::serving;
use super::traffic::Traffic;
use super::web::{Serving, Web};
use crate::capture::{
    Apart, CaptureError, CaptureFiles, First, Paced, PacketSource, Progress, Rate, Severity,
};
use crate::export::{self, Server, ServerConfig, Site};
use crate::pipeline::{self, Event, Pace};
use crate::report;
use crate::s3::{Finding, Observation};
use crate::tally::{self, Tally};
use anyhow::{Context, Result};
use clap::ValueEnum;
use prometheus::IntCounter;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether it is to end.
const TICK: Duration = Duration::from_millis(20);
/// How long after its last packet a replay begins anew: long enough for small captures not to keep
/// a processor busy for nothing, and for whoever looks to see where a round ends.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Capture files (pcap or pcapng, plain or compressed by gzip or zstd), directories of them,
    /// or - for standard input; all together are one traffic
    #[arg(value_name = "PATH", required_unless_present = "read")]
    paths: Vec<PathBuf>,

    /// Another PATH, as tcpdump and tshark take it
    #[arg(short = 'r', long, value_name = "PATH")]
    read: Vec<PathBuf>,

    /// Stop after so many packets
    #[arg(short = 'c', long, value_name = "PACKETS")]
    count: Option<u64>,

    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Serve the counts over HTTP meanwhile, and afterwards until SIGTERM or SIGINT
    #[arg(long)]
    serve: bool,

    #[command(flatten)]
    web: Web,

    /// How fast to read: max; realtime, as it was captured; or so many times as fast, as in 10
    #[arg(long, value_name = "PACE", default_value = "max")]
    pace: Rate,

    /// With --serve: read everything again and again, each time as new connections
    #[arg(long = "loop", requires = "serve")]
    repeat: bool,

    /// With jsonl: every HTTP exchange, not only those of object stores
    #[arg(long)]
    all: bool,

    /// Count at most so many hosts by name; the rest count as __other__
    #[arg(long, value_name = "HOSTS", default_value = "65536", help_heading = "Bounds")]
    max_hosts: NonZeroUsize,

    /// When to use colour
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,

    /// No progress bar and no notes; only warnings and errors
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    traffic: Traffic,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal, 80 columns wide
    Table,
    /// One object with everything that was counted
    Json,
    /// One object per exchange, as it completes
    Jsonl,
    /// Prometheus text format
    Prometheus,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Arguments {
    fn paths(&self) -> Vec<PathBuf> {
        self.read.iter().chain(&self.paths).cloned().collect()
    }

    /// What makes no sense, though each argument for itself does.
    fn nonsense(&self) -> Option<String> {
        if let Some(nonsense) = self.traffic.nonsense() {
            return Some(nonsense);
        }
        if self.all && self.format != Format::Jsonl {
            return Some("--all has a meaning only with --format jsonl".to_owned());
        }
        if self.web.is_given() && !self.serve {
            return Some("--web.… has a meaning only with --serve".to_owned());
        }
        if let Some(path) = self.paths().into_iter().find(|path| self.repeat && !is_lasting(path)) {
            return Some(format!("{} cannot be read again, as --loop is to", path.display()));
        }
        let output = self.output.as_deref()?;
        let input = self.paths().into_iter().find(|path| is_same_file(path, output))?;
        Some(format!("{} is to be read and written at once", input.display()))
    }
}

/// Reads what the arguments name, and writes the answer.
pub(super) fn replay(arguments: Arguments) -> Exit {
    if let Some(nonsense) = arguments.nonsense() {
        eprintln!("sealwatch: {nonsense}");
        return Exit::Usage;
    }
    let web = match arguments.serve.then(|| arguments.web.config()).transpose() {
        Ok(web) => web,
        Err(exit) => return exit,
    };
    answer(&arguments, web).unwrap_or_else(|error| {
        if error.downcast_ref().is_some_and(WriteError::is_broken_pipe) {
            return Exit::Done;
        }
        eprintln!("sealwatch: error: {error:#}");
        Exit::Failed
    })
}

fn answer(arguments: &Arguments, web: Option<ServerConfig>) -> Result<Exit> {
    let mut run = Run::new(arguments)?;
    let serving = web.map(|web| run.serve(web)).transpose()?;
    let first = run.open()?;
    let mut output = Output::open(arguments.output.as_deref())?;
    run.read(first, &mut output)?;
    run.write(&mut output)?;
    if let Some(serving) = serving {
        while !run.is_stopped() {
            thread::sleep(TICK);
        }
        serving.end()?;
    }
    Ok(run.problems().exit())
}

/// Whether a path can be read again; as far as can be seen now.
fn is_lasting(path: &Path) -> bool {
    let is_other = path.metadata().is_ok_and(|is| !is.is_file() && !is.is_dir());
    path != Path::new("-") && !is_other
}

fn json(summary: &report::Summary) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(summary)? + "\n")
}

fn metrics(tally: &tally::Shared) -> io::Result<String> {
    let text = tally::registry(tally.clone()).and_then(|registry| export::text(&registry));
    text.map_err(io::Error::other)
}

fn use_colour(when: Colour, output: &Output) -> bool {
    match when {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            output.is_terminal()
                && anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
        }
    }
}

/// Where packets come from.
type Source = Box<dyn PacketSource + Send>;

/// A replay, as far as it has come.
struct Run<'a> {
    arguments: &'a Arguments,
    config: pipeline::Config,
    /// Set when it is to end.
    stop: Arc<AtomicBool>,
    tally: tally::Shared,
    problems: Arc<Mutex<Problems>>,
    /// How often all was read.
    rounds: IntCounter,
    bar: Bar,
    line: Vec<u8>,
}

impl<'a> Run<'a> {
    fn new(arguments: &'a Arguments) -> Result<Self> {
        let stop = if arguments.serve { serving::stop_on_signals()? } else { Arc::default() };
        // Who serves is asked at any time, and who paces has time.
        let hurries = !arguments.serve && arguments.pace == Rate::Max;
        let pace = if hurries { Pace::Lossless } else { Pace::Prompt };
        let limits = arguments.traffic.limits(arguments.max_hosts);
        let rounds = "How often the files were read to their end.";
        Ok(Self {
            arguments,
            config: arguments.traffic.pipeline(pace),
            stop,
            tally: Arc::new(Mutex::new(Tally::new(limits))),
            problems: Arc::default(),
            rounds: IntCounter::new("sealwatch_replay_rounds_total", rounds)?,
            bar: Bar::new(Progress::default(), true),
            line: Vec::new(),
        })
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to serve the counts.
    fn serve(&self, web: ServerConfig) -> Result<Serving> {
        log::warnings();
        let server = Server::bind(web)?;
        let urls = server.urls().context("cannot tell where metrics are served")?;
        let registry = serving::registry(&self.tally)?;
        registry.register(Box::new(self.rounds.clone()))?;
        let problems = self.problems.clone();
        let told = move || problems.lock().unwrap_or_else(PoisonError::into_inner).messages();
        let site = Site {
            registry,
            refresh: Box::new(|| {}),
            summary: serving::summary(&self.tally, told),
            interfaces: Box::new(Vec::new),
            unready: Box::new(Vec::new),
        };
        let serving = Serving::start(server, site)?;
        for url in urls {
            self.note(&format!("serving metrics at {url}"));
        }
        Ok(serving)
    }

    /// What is to be read, and how far that is, where that is known.
    fn open(&self) -> Result<(Source, Option<Progress>)> {
        let paths = self.arguments.paths();
        let filter = self.arguments.traffic.filter.clone();
        if self.arguments.serve && !paths.iter().all(|path| is_lasting(path)) {
            let open = move || CaptureFiles::open(&paths, filter);
            let source = Apart::read(open).context("cannot start a thread")?;
            return Ok((Box::new(source), None));
        }
        let files = CaptureFiles::open(&paths, filter);
        let progress = files.progress();
        Ok((Box::new(files), Some(progress)))
    }

    /// Reads all there is; with `--loop`, until it is stopped.
    fn read(&mut self, first: (Source, Option<Progress>), output: &mut Output) -> Result<()> {
        let mut first = Some(first);
        loop {
            let before = self.tally().ledger.packets.total();
            let (source, progress) = match first.take() {
                Some(first) => first,
                None => self.open()?,
            };
            let hidden = self.arguments.quiet || progress.is_none();
            self.bar = Bar::new(progress.unwrap_or_default(), hidden);
            self.read_once(source, output)?;
            if self.is_stopped() {
                return Ok(());
            }
            self.rounds.inc();
            if !self.arguments.repeat {
                return Ok(());
            }
            if self.tally().ledger.packets.total() == before {
                self.bar.say("warning: there are no packets to read again");
                return Ok(());
            }
            let over = Instant::now();
            while over.elapsed() < BETWEEN_ROUNDS && !self.is_stopped() {
                thread::sleep(TICK);
            }
        }
    }

    /// Reads from the first packet to the last. All connections end with it.
    fn read_once(&mut self, source: Source, output: &mut Output) -> Result<(), WriteError> {
        let first = First::new(source, self.arguments.count.unwrap_or(u64::MAX));
        let paced = Paced::new(first, self.arguments.pace, self.stop.clone());
        let told_by = self.arguments.repeat.then(|| paced.schedule());
        let config = pipeline::Config { told_by, ..self.config.clone() };
        let source = Watched::new(paced, self.bar.clone());
        let tally = self.tally.clone();
        let ran = pipeline::run(vec![source], &config, &tally, |event| {
            let told = self.tell(event, output);
            if let Err(error) = &told
                && error.is_broken_pipe()
            {
                // Nobody reads on. The input may be a pipe on which nothing comes for long: do not
                // wait for it.
                self.bar.finish();
                std::process::exit(Exit::Done as i32);
            }
            told
        });
        self.bar.finish();
        ran
    }

    /// Writes the answer.
    fn write(&self, output: &mut Output) -> Result<(), WriteError> {
        self.close_the_books();
        let summary = || report::Summary::new(&self.tally(), self.problems().messages());
        let text = match self.arguments.format {
            Format::Jsonl => Ok(String::new()),
            Format::Table => {
                let colour = use_colour(self.arguments.color, output);
                Ok(report::table(&summary(), colour))
            }
            Format::Json => json(&summary()),
            Format::Prometheus => metrics(&self.tally),
        };
        let text = text.map_err(|error| output.failed(error))?;
        output.write(text.as_bytes())?;
        output.flush()
    }

    /// Says what it came to, where that is not all that is said; and whether the sums are right.
    fn close_the_books(&self) {
        let tally = self.tally();
        if self.arguments.serve {
            let packets = tally.ledger.packets.total();
            let next = if self.is_stopped() { "" } else { "; serving until SIGTERM or SIGINT" };
            self.note(&format!("{packets} packets; {}{next}", tally.ledger.verdict()));
        }
        let discrepancy = tally.ledger.discrepancy();
        if discrepancy != 0 {
            let defect =
                format!("error: a defect: {discrepancy} packets or bytes are not accounted for");
            self.bar.say(&defect);
            self.problems().add(Severity::Error, defect);
        }
    }

    fn note(&self, text: &str) {
        if !self.arguments.quiet {
            self.bar.say(&format!("note: {text}"));
        }
    }

    fn problem(&self, problem: &CaptureError) {
        let severity = problem.severity();
        let message = message(problem);
        let mut problems = self.problems();
        // What is wrong with a file is wrong in each round.
        if self.rounds.get() > 0 && problems.is_known(&message) {
            return;
        }
        if severity > Severity::Notice || !self.arguments.quiet {
            self.bar.say(&message);
        }
        problems.add(severity, message);
    }

    fn tell(&mut self, event: Event<'_>, output: &mut Output) -> Result<(), WriteError> {
        match event {
            Event::Problem(problem) => self.problem(&problem),
            Event::Observed(Observation::Over(record)) => {
                let wanted = record.object_store || self.arguments.all;
                if wanted && self.arguments.format == Format::Jsonl {
                    self.line.clear();
                    report::json_line(record, &mut self.line)
                        .map_err(|error| output.failed(error.into()))?;
                    self.write_line(output)?;
                }
            }
            Event::Observed(Observation::Found { subject, finding, value: Some(value) })
                if *finding == Finding::UnknownValue && !self.arguments.quiet =>
            {
                let note = self.problems().unknown_value(&subject.host, value);
                if let Some(note) = note {
                    self.note(&note);
                }
            }
            // Nobody is to wait for what was observed at its pace.
            Event::Counted { .. } if self.config.pace == Pace::Prompt => output.flush()?,
            Event::Observed(_) | Event::Counted { .. } => {}
        }
        Ok(())
    }

    fn write_line(&self, output: &mut Output) -> Result<(), WriteError> {
        if self.bar.is_hidden() || !output.is_terminal() {
            return output.write(&self.line);
        }
        // Both on one terminal: one after the other.
        self.bar.aside(|| output.write(&self.line).and_then(|()| output.flush()))
    }
}
