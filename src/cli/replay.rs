//! `sealwatch replay`: answers from capture files.

use super::Exit;
use super::output::{Output, WriteError, is_same_file};
use super::progress::{Bar, Watched};
use crate::capture::{self, CaptureFiles, First, Severity};
use crate::pipeline::{self, Event, Pace};
use crate::s3::{self, Finding, HostPattern, Observation};
use crate::tally::{self, Limits, Tally};
use crate::{decode, export, flow, report};
use clap::ValueEnum;
use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// How many pairs of host and bucket get labels of their own.
const MAX_BUCKETS: usize = 65_536;
/// How many unknown values are shown.
const MAX_UNKNOWN_VALUES: usize = 10;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Capture files (pcap or pcapng, plain or compressed by gzip or zstd), directories of them,
    /// or - for standard input; all together are one traffic
    #[arg(value_name = "PATH", required_unless_present = "read")]
    paths: Vec<PathBuf>,

    /// Another PATH, as tcpdump and tshark take it
    #[arg(short = 'r', long, value_name = "PATH")]
    read: Vec<PathBuf>,

    /// Examine only packets that pass this filter (pcap-filter(7))
    #[arg(short, long, value_name = "EXPRESSION")]
    filter: Option<String>,

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

    /// Count by bucket, too
    #[arg(long, value_enum, value_name = "LABEL")]
    label: Vec<Label>,

    /// Hosts that are object stores, whatever their traffic shows; * stands for any text
    #[arg(long, value_name = "PATTERN")]
    s3_host: Vec<String>,

    /// A name under which buckets are hosts: bucket.SUFFIX
    #[arg(long, value_name = "SUFFIX")]
    endpoint_suffix: Vec<String>,

    /// Count at most so many hosts by name; the rest count as __other__
    #[arg(long, value_name = "HOSTS", default_value = "65536")]
    max_hosts: NonZeroUsize,

    /// Parse on so many threads [default: as many as there are processors]
    #[arg(short = 'j', long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,

    /// A UDP port of VXLAN, besides 4789 and 8472
    #[arg(long, value_name = "PORT")]
    vxlan_port: Vec<u16>,

    /// What tells connections apart: their endpoints, or also the tunnel that they are seen in
    #[arg(long, value_enum, default_value_t = Key::Endpoints, value_name = "KEY")]
    flow_key: Key,

    /// Leave out packets with a wrong IP or TCP checksum
    #[arg(long)]
    verify_checksums: bool,

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
enum Key {
    /// The same connection, mirrored through several tunnels, is one
    Endpoints,
    /// Networks in tunnels may use the same addresses
    Tunnel,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Label {
    /// The bucket
    Bucket,
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
        if let Some(filter) = &self.filter
            && let Err(error) = capture::check_filter(filter)
        {
            return Some(format!("cannot use the filter \"{filter}\": {error}"));
        }
        if self.all && self.format != Format::Jsonl {
            return Some("--all has a meaning only with --format jsonl".to_owned());
        }
        let output = self.output.as_deref()?;
        let input = self.paths().into_iter().find(|path| is_same_file(path, output))?;
        Some(format!("{} is to be read and written at once", input.display()))
    }

    fn pipeline(&self) -> pipeline::Config {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        pipeline::Config {
            workers: self.workers.map_or(processors.min(256), usize::from),
            pace: Pace::Lossless,
            decode: decode::Config {
                verify_checksums: self.verify_checksums,
                vxlan_ports: self.vxlan_port.clone(),
                key_holds_tunnel: self.flow_key == Key::Tunnel,
                ..decode::Config::default()
            },
            flow: flow::Limits::default(),
            s3: s3::Config {
                s3_hosts: self.s3_host.iter().map(|pattern| HostPattern::new(pattern)).collect(),
                endpoint_suffixes: self.endpoint_suffix.clone(),
            },
        }
    }

    fn limits(&self) -> Limits {
        let by_bucket = self.label.contains(&Label::Bucket);
        Limits { max_hosts: self.max_hosts.get(), max_buckets: by_bucket.then_some(MAX_BUCKETS) }
    }
}

/// Reads what the arguments name, and writes the answer.
pub(super) fn replay(arguments: Arguments) -> Exit {
    if let Some(nonsense) = arguments.nonsense() {
        eprintln!("sealwatch: {nonsense}");
        return Exit::Usage;
    }
    let files = CaptureFiles::open(&arguments.paths(), arguments.filter.clone());
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
    let tally = Mutex::new(Tally::new(arguments.limits()));
    let mut run = Run { arguments, bar, problems: Problems::default(), line: Vec::new() };
    let source = First::new(Watched::new(files, bar.clone()), arguments.count.unwrap_or(u64::MAX));
    let ran = pipeline::run(vec![source], &arguments.pipeline(), &tally, |event| {
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
            Ok(report::table(&report::Summary::new(&tally, problems.messages), colour))
        }
        Format::Json => json(&report::Summary::new(&tally, problems.messages)),
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
                let message = match severity {
                    Severity::Notice => format!("note: {problem}"),
                    Severity::Warning => format!("warning: {problem}"),
                    Severity::Error => format!("error: {problem}"),
                };
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
                    self.bar.say(&note);
                }
            }
            Event::Observed(_) => {}
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

/// What went wrong, or was worth a note.
#[derive(Default)]
struct Problems {
    messages: Vec<String>,
    failed: bool,
    unknown_values: BTreeSet<(String, String)>,
}

impl Problems {
    fn add(&mut self, severity: Severity, message: String) {
        self.failed |= severity == Severity::Error;
        self.messages.push(message);
    }

    fn exit(&self) -> Exit {
        if self.failed { Exit::Failed } else { Exit::Done }
    }

    /// A note on a value outside the closed set; not on every one.
    fn unknown_value(&mut self, host: &str, value: &str) -> Option<String> {
        let known = self.unknown_values.len();
        let new = known <= MAX_UNKNOWN_VALUES
            && self.unknown_values.insert((host.to_owned(), value.to_owned()));
        match (new, known) {
            (false, _) => None,
            (true, MAX_UNKNOWN_VALUES) => {
                Some("note: further unknown encryption modes are counted, not shown".to_owned())
            }
            (true, _) => Some(format!("note: unknown encryption mode \"{value}\" on {host}")),
        }
    }
}
