//! A replay, from its first packet to its answer.

use super::papers::Papers;
use super::{Arguments, Colour, Format, is_lasting};
use crate::capture::{
    Apart, CaptureError, CaptureFiles, First, Paced, PacketSource, Progress, Rate, Severity,
};
use crate::cli::Exit;
use crate::cli::log;
use crate::cli::output::{Output, WriteError};
use crate::cli::policy::Reloading;
use crate::cli::problems::{Problems, message};
use crate::cli::progress::{Bar, Watched};
use crate::cli::serving;
use crate::cli::web::Serving;
use crate::export::{self, Server, ServerConfig, Site};
use crate::pipeline::{self, Event, Pace};
use crate::policy::{Current, Judgement};
use crate::report::{self, Evidence, Report};
use crate::s3::{Finding, Observation, Record};
use crate::tally::{self, Tally};
use anyhow::{Context, Result};
use prometheus::IntCounter;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often to look whether it is to end.
const TICK: Duration = Duration::from_millis(20);
/// How long after its last packet a replay begins anew: long enough for small captures not to keep
/// a processor busy for nothing, and for whoever looks to see where a round ends.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);
/// How many exchanges of each kind are kept to be shown one by one.
const MOST_CASES: usize = 1_000;

/// Where packets come from.
type Source = Box<dyn PacketSource + Send>;

/// What serves meanwhile.
pub(super) struct Served {
    serving: Serving,
    reloading: Option<Reloading>,
}

impl Served {
    /// Ends it.
    pub(super) fn end(self) -> Result<()> {
        self.serving.end()?;
        self.reloading.map_or(Ok(()), Reloading::end)
    }
}

/// A replay, as far as it has come.
pub(super) struct Run<'a> {
    arguments: &'a Arguments,
    config: pipeline::Config,
    /// Set when it is to end.
    stop: Arc<AtomicBool>,
    tally: tally::Shared,
    problems: Arc<Mutex<Problems>>,
    /// Exchanges to be shown one by one, where somebody wants them.
    evidence: Option<Evidence>,
    /// Whether somebody waits for more than what goes to the output.
    has_papers: bool,
    /// Whether it ended before everything was read.
    was_stopped: bool,
    /// How often all was read.
    rounds: IntCounter,
    bar: Bar,
    line: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        arguments: &'a Arguments,
        policy: Option<Current>,
        has_papers: bool,
    ) -> Result<Self> {
        let stop = if arguments.serve { serving::stop_on_signals()? } else { Arc::default() };
        // Who serves is asked at any time, and who paces has time.
        let hurries = !arguments.serve && arguments.pace == Rate::Max;
        let pace = if hurries { Pace::Lossless } else { Pace::Prompt };
        let limits = arguments.traffic.limits(arguments.max_hosts);
        let rounds = "How often the files were read to their end.";
        let evidence = (policy.is_some() || has_papers).then(|| Evidence::new(MOST_CASES));
        let mut config = pipeline::Config { policy, ..arguments.traffic.pipeline(pace) };
        // Nobody looks at records, then.
        config.s3.sums_only = evidence.is_none() && arguments.format != Format::Jsonl;
        Ok(Self {
            arguments,
            evidence,
            has_papers,
            was_stopped: false,
            config,
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

    /// Waits until it is to end.
    pub(super) fn wait(&self) {
        while !self.is_stopped() {
            thread::sleep(TICK);
        }
    }

    /// How it ends.
    pub(super) fn exit(&self) -> Exit {
        match self.violations() {
            0 => self.problems().exit(),
            _ => Exit::Violated,
        }
    }

    /// How many exchanges broke the policy.
    fn violations(&self) -> u64 {
        self.tally().rules().values().map(|counts| counts.violated).sum()
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to serve the counts.
    pub(super) fn serve(&self, web: ServerConfig) -> Result<Served> {
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
        // A report is about one policy.
        let policy = self.config.policy.clone().filter(|_| !self.has_papers);
        let reloading = policy.map(|policy| Reloading::start(policy, &site.registry));
        let reloading = reloading.transpose()?;
        let serving = Serving::start(server, site)?;
        for url in urls {
            self.note(&format!("serving metrics at {url}"));
        }
        Ok(Served { serving, reloading })
    }

    /// What is to be read, and how far that is, where that is known.
    pub(super) fn open(&self) -> Result<(Source, Option<Progress>)> {
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
    pub(super) fn read(
        &mut self,
        first: (Source, Option<Progress>),
        output: &mut Output,
    ) -> Result<()> {
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
                self.was_stopped = true;
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
        let first = First::new(source, self.arguments.count);
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
                if self.has_papers {
                    output.give_up();
                    return Ok(());
                }
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

    fn summary(&self) -> report::Summary {
        let summary = report::Summary::new(&self.tally(), self.problems().messages());
        match &self.evidence {
            Some(evidence) => summary.with(evidence),
            None => summary,
        }
    }

    /// Writes the report and its tables, whatever becomes of the answer.
    pub(super) fn file(&self, papers: &Papers) -> Result<()> {
        let Some(evidence) = &self.evidence else { return Ok(()) };
        let scope = papers.scope(self.was_stopped, |severity, message| {
            self.bar.say(&message);
            self.problems().add(severity, message);
        });
        let summary = &self.summary();
        papers.write(&Report { scope: &scope, summary, evidence })
    }

    /// Writes the answer.
    pub(super) fn write(&self, output: &mut Output) -> Result<(), WriteError> {
        let text = match self.arguments.format {
            Format::Jsonl => Ok(String::new()),
            Format::Table => {
                let colour = use_colour(self.arguments.color, output);
                Ok(report::table(&self.summary(), colour))
            }
            Format::Json => json(&self.summary()),
            Format::Prometheus => metrics(&self.tally),
        };
        let text = text.map_err(|error| output.failed(error))?;
        output.write(text.as_bytes())?;
        output.flush()
    }

    /// Says what it came to, where that is not all that is said; and whether the sums are right.
    pub(super) fn close_the_books(&self) {
        let violations = self.violations();
        if violations > 0 && self.arguments.format != Format::Table {
            let broken = format!("warning: {violations} exchanges broke the policy");
            self.bar.say(&broken);
        }
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
            Event::Observed(Observation::Over(record), judgement) => {
                if let Some(evidence) = &mut self.evidence {
                    evidence.add(record, judgement);
                }
                let wanted = record.object_store || self.arguments.all;
                if wanted && self.arguments.format == Format::Jsonl {
                    self.record(record, judgement, output)?;
                }
            }
            Event::Observed(Observation::Found { subject, finding, value: Some(value) }, _)
                if *finding == Finding::UnknownValue && !self.arguments.quiet =>
            {
                let note = self.problems().unknown_value(&subject.host, value);
                if let Some(note) = note {
                    self.note(&note);
                }
            }
            // Nobody is to wait for what was observed at its pace.
            Event::Counted { .. } if self.config.pace == Pace::Prompt => output.flush()?,
            Event::Observed(..) | Event::Counted { .. } => {}
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: &Record,
        judgement: Option<&Judgement>,
        output: &mut Output,
    ) -> Result<(), WriteError> {
        self.line.clear();
        report::json_line(record, judgement, &mut self.line)
            .map_err(|error| output.failed(error.into()))?;
        if self.bar.is_hidden() || !output.is_terminal() {
            return output.write(&self.line);
        }
        // Both on one terminal: one after the other.
        self.bar.aside(|| output.write(&self.line).and_then(|()| output.flush()))
    }
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
