//! What a report is about: the files that were read, and the options that change the answer.

use super::evidence::Evidence;
use super::summary::Summary;
use crate::net::Timestamp;

/// Everything that a report and its tables are made from.
#[derive(Clone, Copy, Debug)]
pub struct Report<'r> {
    /// What it is about.
    pub scope: &'r Scope,
    /// What was counted.
    pub summary: &'r Summary,
    /// Exchanges one by one, and what happened when.
    pub evidence: &'r Evidence,
}

/// What was read, and how.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The files, sorted by path.
    pub files: Vec<ScopeFile>,
    /// The options that change the answer, by their names without dashes, in the order of the help;
    /// with what was given to each.
    pub options: Vec<(String, Vec<String>)>,
    /// Whether reading was ended by a signal before everything was read.
    pub was_stopped: bool,
}

/// A file that was read.
#[derive(Clone, Debug, Default)]
pub struct ScopeFile {
    /// As it was given or found.
    pub path: String,
    /// Bytes, as stored; `None` where it could not be read again.
    pub bytes: Option<u64>,
    /// SHA-256 of those, in hexadecimal.
    pub sha256: Option<String>,
    /// Packets in it, whether or not options leave some out.
    pub packets: Option<u64>,
    /// The times of the earliest and of the latest packet in it.
    pub period: Option<(Timestamp, Timestamp)>,
    /// What is to be said of it.
    pub note: Option<String>,
}

impl Report<'_> {
    /// The problems, in an order that does not depend on that of the files.
    pub(super) fn problems(&self) -> Vec<&str> {
        let mut problems: Vec<_> = self.summary.problems.iter().map(String::as_str).collect();
        problems.sort_unstable();
        problems
    }
}
