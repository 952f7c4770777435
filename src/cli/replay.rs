//! `sealwatch replay`: answers from capture files.

use super::Exit;
use super::output::{Output, WriteError, is_same_file};
use super::problems::{Problems, message};
use super::progress::{Bar, Watched};
use super::traffic::Traffic;
use crate::capture::{CaptureFiles, First, Severity};
use crate::pipeline::{self, Event, Pace};
use crate::s3::{Finding, Observation};
use crate::tally::{self, Tally};
use crate::{export, report};
use clap::ValueEnum;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

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

    /// With jsonl: every HTTP exchange, not only those of object stores
    #[arg(long)]
    all: bool,

    /// Count at most so many hosts by name; the rest count as __other__
    #[arg(long, value_name = "HOSTS", default_value = "65536")]
    max_hosts: NonZeroUsize,

    #[command(flatten)]
    traffic: Traffic,

    /// When to use colour
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,

    /// No progress bar and no notes; only warnings and errors
    #[arg(short, long)]
    quiet: bool,
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
    let files = CaptureFiles::open(&arguments.paths(), arguments.traffic.filter.clone());
    let bar = Bar::new(files.progress(), arguments.quiet);
    let exit = answer(&arguments, files, &bar);
    bar.finish();
    exit.unwrap_or_else(|error| {
        if error.is_broken_pipe() {
            return Exit::Done;
        }
        bar.say(&format!("error: {error}"));
        Exit::Failed
    })
}

fn answer(arguments: &Arguments, files: CaptureFiles, bar: &Bar) -> Result<Exit, WriteError> {
    let mut output = Output::open(arguments.output.as_deref())?;
    let tally = Mutex::new(Tally::new(arguments.traffic.limits(arguments.max_hosts)));
    let mut run = Run { arguments, bar, problems: Problems::default(), line: Vec::new() };
    let source = First::new(Watched::new(files, bar.clone()), arguments.count.unwrap_or(u64::MAX));
    let ran =
        pipeline::run(vec![source], &arguments.traffic.pipeline(Pace::Lossless), &tally, |event| {
            let told = run.tell(event, &mut output);
            if let Err(error) = &told
                && error.is_broken_pipe()
            {
                // Nobody reads on. The input may be a pipe on which nothing comes for long: do not
                // wait for it.
                bar.finish();
                std::process::exit(Exit::Done as i32);
            }
            told
        });
    ran?;
    bar.finish();
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut problems = run.problems;
    let discrepancy = tally.ledger.discrepancy();
    if discrepancy != 0 {
        let defect = format!("error: a defect: {discrepancy} payload bytes are not accounted for");
        bar.say(&defect);
        problems.add(Severity::Error, defect);
    }
    let exit = problems.exit();
    let text = match arguments.format {
        Format::Jsonl => Ok(String::new()),
        Format::Table => {
            let colour = use_colour(arguments.color, &output);
            Ok(report::table(&report::Summary::new(&tally, problems.messages()), colour))
        }
        Format::Json => json(&report::Summary::new(&tally, problems.messages())),
        Format::Prometheus => metrics(tally),
    };
    let text = text.map_err(|error| output.failed(error))?;
    output.write(text.as_bytes())?;
    output.flush()?;
    Ok(exit)
}

fn json(summary: &report::Summary) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(summary)? + "\n")
}

fn metrics(tally: Tally) -> io::Result<String> {
    let shared = Arc::new(Mutex::new(tally));
    let text = tally::registry(shared).and_then(|registry| export::text(&registry));
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

/// What happens while packets are read.
struct Run<'a> {
    arguments: &'a Arguments,
    bar: &'a Bar,
    problems: Problems,
    line: Vec<u8>,
}

impl Run<'_> {
    fn tell(&mut self, event: Event<'_>, output: &mut Output) -> Result<(), WriteError> {
        match event {
            Event::Problem(problem) => {
                let severity = problem.severity();
                let message = message(&problem);
                if severity > Severity::Notice || !self.arguments.quiet {
                    self.bar.say(&message);
                }
                self.problems.add(severity, message);
            }
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
                if let Some(note) = self.problems.unknown_value(&subject.host, value) {
                    self.bar.say(&format!("note: {note}"));
                }
            }
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
