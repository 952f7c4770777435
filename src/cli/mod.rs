//! cli: from arguments to one validated configuration per command, and back to exit codes.
//!
//! Takes argv. Gives a configuration to the command's rooms, and what they say to the terminal.
//! Promises that nothing downstream sees a command-line type, that every error is on standard
//! error with what was being done and to what, and that the exit code says how it ended
//! ([`Exit`]).

mod bounds;
mod config;
mod confined;
mod events;
mod interfaces;
mod keys;
mod live;
mod log;
mod output;
mod patience;
mod policy;
mod problems;
mod progress;
mod replay;
mod service;
mod serving;
mod teller;
mod traffic;
mod web;
mod whole;

use crate::confine;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All was done. A reader who went away early (broken pipe) had all that it wanted.
    Done = 0,
    /// Something could not be read or written. What could be was still reported.
    Failed = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// A rule of `--policy` is broken. This is told also where something could not be read.
    Violated = 3,
}

#[derive(Parser)]
#[command(
    name = "sealwatch",
    version,
    about = "Which S3 server-side encryption modes clients ask for, and which stores apply",
    long_about = "Watches plaintext HTTP and answers, per host: which S3 server-side encryption \
                  modes do clients ask for, which do stores say they applied, where do the two \
                  differ, and how much could not be judged.",
    after_help = "Exit codes: 0 done; 1 something could not be read or written; 2 arguments or configuration make no sense; \
                  3 a rule of --policy is broken.",
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer from capture files
    Replay(replay::Arguments),
    /// Count what passes on interfaces, and serve the counts to Prometheus
    Live(live::Arguments),
    /// Look after files for `live --config`
    Config(config::Arguments),
    /// Look after files for `--policy`
    Policy(policy::Arguments),
    /// List the interfaces that can be captured on
    Interfaces,
}

/// Runs what the process's arguments say.
pub fn main() -> ExitCode {
    if let Err(error) = confine::forbid_core_files() {
        eprintln!("sealwatch: warning: {error}");
    }
    let argv: Vec<_> = std::env::args_os().collect();
    let arguments = match config::parse(&argv) {
        Ok(arguments) => arguments,
        Err(exit) => return ExitCode::from(exit as u8),
    };
    let exit = match arguments.command {
        Command::Replay(arguments) => replay::replay(arguments),
        Command::Live(arguments) => live::live(arguments),
        Command::Config(arguments) => config::config(&arguments),
        Command::Policy(arguments) => policy::policy(&arguments),
        Command::Interfaces => interfaces::interfaces(),
    };
    ExitCode::from(exit as u8)
}
