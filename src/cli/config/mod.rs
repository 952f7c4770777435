//! `--config FILE`: what the options of `sealwatch live` say, from a file.
//!
//! Takes argv and a TOML file. Gives argv with the file's settings put in, and what is wrong with
//! the file: where, which key, and what would be right. Promises that each option of the command
//! is a key, with no word about it here; that an option on the command line wins over the file,
//! and the file over defaults; and that nothing is captured where the file is wrong, also in what
//! the command line overrides.
//!
//! Settings become arguments, and clap judges them as it judges those of the command line. Who is
//! to blame for a contradiction among many is found by leaving out one at a time.

mod settings;

use super::output::print;
use super::{Exit, live};
use crate::toml_text::{self, Mistake};
use anyhow::{Context as _, Result};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use settings::Setting;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use tracing::info;

/// The command whose options a file may set.
const COMMAND: &str = "live";
/// The option that names the file, by its id.
const OPTION: &str = "config";

/// Where settings come from besides the command line.
#[derive(clap::Args)]
pub(super) struct Source {
    /// Take what the command line does not say from FILE (TOML): its keys are these options' names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Source {
    /// Says, in the log, that there is a file.
    pub(super) fn tell(&self) {
        if let Some(path) = &self.config {
            info!(file = %path.display(), "settings are those of {}", path.display());
        }
    }
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the settings of a file for `live --config`, or all that is wrong with it
    Check {
        /// The file
        file: PathBuf,
    },
}

/// What argv says, with the settings of the file that it names. Ends the process where clap does:
/// after help, and where argv is wrong.
pub(super) fn parse(argv: &[OsString]) -> Result<super::Arguments, Exit> {
    let Some((path, given)) = named(argv) else { return Ok(super::Arguments::parse_from(argv)) };
    let read = read(&path).map_err(|error| {
        eprintln!("sealwatch: error: {error:#}");
        Exit::Failed
    })?;
    refuse(&path, &read.mistakes)?;
    let mut settings = read.settings;
    settings.retain(|setting| !given.contains(&setting.id));
    // The first word is the program's name, whatever that is.
    let name = argv.iter().skip(1).position(|word| word == COMMAND);
    let (before, own) = argv.split_at(name.map_or(argv.len(), |name| name + 2));
    if let Some(contradiction) = contradiction(&settings, own) {
        refuse(&path, &[contradiction])?;
    }
    let words = settings.iter().flat_map(|setting| setting.words.clone());
    Ok(super::Arguments::parse_from(before.iter().cloned().chain(words).chain(own.to_vec())))
}

/// The file that argv names, and the ids of all options in argv. Nothing where help is asked for.
fn named(argv: &[OsString]) -> Option<(PathBuf, Vec<String>)> {
    // What is wrong in argv is told when all of it is parsed.
    let command = super::Arguments::command().ignore_errors(true);
    let matches = command.try_get_matches_from(argv).ok()?;
    let matches = matches.subcommand_matches(COMMAND)?;
    let path = matches.get_one::<PathBuf>(OPTION)?.clone();
    let given =
        |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    Some((path, matches.ids().filter(given).map(ToString::to_string).collect()))
}

/// Says what is wrong, if anything is.
fn refuse(path: &Path, mistakes: &[Mistake]) -> Result<(), Exit> {
    for mistake in mistakes {
        eprintln!("sealwatch: {}{mistake}", path.display());
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Exit::Usage) }
}

/// `sealwatch config`.
pub(super) fn config(arguments: &Arguments) -> Exit {
    let Command::Check { file } = &arguments.command;
    check(file).unwrap_or_else(|error| {
        eprintln!("sealwatch: error: {error:#}");
        Exit::Failed
    })
}

fn check(path: &Path) -> Result<Exit> {
    let mut read = read(path)?;
    if read.mistakes.is_empty() {
        read.mistakes.extend(contradiction(&read.settings, &[]));
    }
    if let Err(exit) = refuse(path, &read.mistakes) {
        return Ok(exit);
    }
    let mut text = format!("# {} is valid.\n", path.display());
    for setting in &read.settings {
        text += &format!("{} = {}\n", setting.key, setting.value);
    }
    for argument in command().get_arguments().filter(|argument| argument.is_required_set()) {
        if let Some(key) = argument.get_long()
            && read.settings.iter().all(|setting| setting.key != key)
        {
            text += &format!("# {key} is not set: the command line has to say --{key}.\n");
        }
    }
    Ok(print(&text))
}

/// What a file holds.
struct Read {
    /// In the order of the file.
    settings: Vec<Setting>,
    /// Likewise.
    mistakes: Vec<Mistake>,
}

/// Reads a file. Whether its settings go together is not looked at.
fn read(path: &Path) -> Result<Read> {
    let text = match toml_text::read(path) {
        Ok(Ok(text)) => text,
        Ok(Err(mistake)) => return Ok(Read { settings: Vec::new(), mistakes: vec![mistake] }),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut command = command();
    command.build();
    let (settings, mut mistakes) = settings::read(&text, &command);
    for setting in &settings {
        mistakes.extend(wrong([setting], &[], Judged::Alone).map(|text| setting.wrong(text)));
    }
    mistakes.sort_by_key(|mistake| mistake.place);
    Ok(Read { settings, mistakes })
}

/// The command as its options describe it.
fn command() -> clap::Command {
    live::Arguments::augment_args(clap::Command::new(COMMAND)).no_binary_name(true)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// What else it needs is not looked at.
    Alone,
    Together,
}

/// What makes no sense in `settings` and the command's `own` arguments. That required ones may be
/// missing is not looked at.
fn wrong<'s>(
    settings: impl IntoIterator<Item = &'s Setting>,
    own: &[OsString],
    judged: Judged,
) -> Option<String> {
    let words = settings.into_iter().flat_map(|setting| setting.words.clone());
    let words = words.chain(own.iter().cloned());
    let command = command().mut_args(|argument| argument.required(false));
    let parsed = command.try_get_matches_from(words);
    match parsed.and_then(|matches| live::Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments.nonsense(),
        Err(error) if judged == Judged::Alone && is_on_others(error.kind()) => None,
        Err(error) => Some(reason(&error)),
    }
}

/// Whether an error is about what else is there.
fn is_on_others(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict)
}

/// What in `settings` does not go together with the others or with the command's `own` arguments.
/// Nothing where none of `settings` is to blame alone and `own` may be.
fn contradiction(settings: &[Setting], own: &[OsString]) -> Option<Mistake> {
    let text = wrong(settings, own, Judged::Together)?;
    let without = |left_out: usize| {
        let others = settings.iter().enumerate().filter(move |(n, _)| *n != left_out);
        wrong(others.map(|(_, setting)| setting), own, Judged::Together)
    };
    let culprit = (0..settings.len()).find(|n| without(*n).is_none());
    match culprit {
        Some(n) => Some(settings[n].mistake(text)),
        None if own.is_empty() => Some(Mistake { place: None, key: None, text }),
        None => None,
    }
}

/// What clap has against an argument, without the words that only a command line needs.
fn reason(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    };
    let value = context(ContextKind::InvalidValue).unwrap_or_default();
    match (error.kind(), error.source()) {
        (ErrorKind::ValueValidation, Some(source)) => match source.to_string() {
            source if source.contains(&value) => source,
            source => format!("{value:?} cannot be used: {source}"),
        },
        (ErrorKind::InvalidValue, _) => match context(ContextKind::ValidValue) {
            Some(valid) => format!("{value:?} is not one of {valid}"),
            None => "a value must not be empty".to_owned(),
        },
        (ErrorKind::MissingRequiredArgument, _) => {
            let missing = context(ContextKind::InvalidArg).unwrap_or_default();
            format!("has a meaning only with {missing}")
        }
        (ErrorKind::ArgumentConflict, _) => {
            let other = context(ContextKind::PriorArg).unwrap_or_default();
            format!("cannot be used together with {other}")
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            line.strip_prefix("error: ").unwrap_or(line).to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
