//! The options that change the answer, as they were given.
//!
//! All of them do, but for those that are named here: a new one is told without a word about it.

use crate::cli;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};
use std::ffi::OsString;

/// Those that do not: where packets come from and where answers go, which are told otherwise; and
/// how it is done.
const OTHERS: [&str; 15] = [
    "paths", "read", "format", "output", "serve", "pace", "repeat", "all", "color", "quiet",
    "policy", "workers", "report", "csv", "help",
];

/// Each option's name without its dashes, in the order of the help, and the values given to it.
pub(super) fn given(argv: impl IntoIterator<Item = OsString>) -> Vec<(String, Vec<String>)> {
    let mut command = cli::Arguments::command();
    let Ok(matches) = command.try_get_matches_from_mut(argv) else { return Vec::new() };
    match (command.find_subcommand("replay"), matches.subcommand_matches("replay")) {
        (Some(command), Some(matches)) => told(command, matches),
        _ => Vec::new(),
    }
}

fn told(command: &Command, matches: &ArgMatches) -> Vec<(String, Vec<String>)> {
    let mut options = Vec::new();
    for argument in command.get_arguments() {
        let id = argument.get_id().as_str();
        let Some(name) = argument.get_long().filter(|name| !name.starts_with("web.")) else {
            continue;
        };
        if OTHERS.contains(&id) || matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let is_switch = !argument.get_action().takes_values();
        let values = matches.get_raw(id).into_iter().flatten().filter(|_| !is_switch);
        let values = values.map(|value| value.to_string_lossy().into_owned()).collect();
        options.push((name.to_owned(), values));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_answer_is_told_and_nothing_else() {
        let argv = "sealwatch replay -r a --quiet -j 3 --dedup --s3-host b --s3-host=c -c 9 \
                    --report r.html --csv d --policy p --format json --max-buffer 7 e";
        let told = given(argv.split_whitespace().map(OsString::from));
        let told: Vec<_> = told.iter().map(|(n, v)| format!("{n} {}", v.join(" "))).collect();
        assert_eq!(told, ["count 9", "s3-host b c", "dedup ", "max-buffer 7"]);
    }

    #[test]
    fn those_that_are_left_out_exist() {
        let mut command = cli::Arguments::command();
        command.build();
        let replay = command.find_subcommand("replay").unwrap();
        for id in OTHERS {
            assert!(replay.get_arguments().any(|argument| argument.get_id() == id), "{id}");
        }
    }
}
