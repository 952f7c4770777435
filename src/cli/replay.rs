//! `sealwatch replay`: answers from capture files.

mod options;
mod papers;
mod run;

use super::Exit;
use super::output::{Output, WriteError, is_read_from};
use super::policy::Judging;
use super::traffic::Traffic;
use super::web::Web;
use crate::capture::Rate;
use crate::export::ServerConfig;
use crate::policy::Current;
use anyhow::Result;
use clap::ValueEnum;
use papers::{Papers, Targets};
use run::Run;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

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

    #[command(flatten)]
    targets: Targets,

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
    judging: Judging,

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
        if let Some(nonsense) = self.targets.nonsense(self) {
            return Some(nonsense);
        }
        let output = self.output.as_deref()?;
        let input = self.paths().into_iter().find(|path| is_read_from(path, output))?;
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
    let policy = match arguments.judging.load() {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    answer(&arguments, web, policy).unwrap_or_else(|error| {
        if error.downcast_ref().is_some_and(WriteError::is_broken_pipe) {
            return Exit::Done;
        }
        eprintln!("sealwatch: error: {error:#}");
        Exit::Failed
    })
}

fn answer(
    arguments: &Arguments,
    web: Option<ServerConfig>,
    policy: Option<Current>,
) -> Result<Exit> {
    let papers = Papers::begin(arguments)?;
    let mut run = Run::new(arguments, policy, papers.is_some())?;
    let served = web.map(|web| run.serve(web)).transpose()?;
    let first = run.open()?;
    let mut output = Output::open(arguments.output.as_deref())?;
    run.read(first, &mut output)?;
    run.close_the_books();
    let filed = papers.as_ref().map_or(Ok(()), |papers| run.file(papers));
    match run.write(&mut output) {
        // Those who want papers have them.
        Err(error) if error.is_broken_pipe() && papers.is_some() => {}
        told => told?,
    }
    filed?;
    if let Some(served) = served {
        run.wait();
        served.end()?;
    }
    Ok(run.exit())
}

/// Whether a path can be read again; as far as can be seen now.
fn is_lasting(path: &Path) -> bool {
    let is_other = path.metadata().is_ok_and(|is| !is.is_file() && !is.is_dir());
    path != Path::new("-") && !is_other
}
