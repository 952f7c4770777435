//! What went wrong, as it is told on standard error.

use super::Exit;
use crate::capture::{CaptureError, Severity};
use std::collections::{BTreeSet, HashSet};

/// How many unknown values are shown.
const MAX_UNKNOWN_VALUES: usize = 10;

/// A problem as it is told.
pub(super) fn message(problem: &CaptureError) -> String {
    let severity = match problem.severity() {
        Severity::Notice => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    format!("{severity}: {problem}")
}

/// Says what is wrong with a file of settings, a line each, and how that ends.
pub(super) fn refused(wrong: &str, is_unreadable: bool) -> Exit {
    let kind = if is_unreadable { "error: " } else { "" };
    for line in wrong.lines() {
        eprintln!("sealwatch: {kind}{line}");
    }
    if is_unreadable { Exit::Failed } else { Exit::Usage }
}

/// What went wrong, or was worth a note.
#[derive(Default)]
pub(super) struct Problems {
    messages: Vec<String>,
    known: HashSet<String>,
    failed: bool,
    unknown_values: BTreeSet<(String, String)>,
}

impl Problems {
    pub(super) fn add(&mut self, severity: Severity, message: String) {
        self.failed |= severity == Severity::Error;
        self.known.insert(message.clone());
        self.messages.push(message);
    }

    /// Whether that was told before.
    pub(super) fn is_known(&self, message: &str) -> bool {
        self.known.contains(message)
    }

    pub(super) fn messages(&self) -> Vec<String> {
        self.messages.clone()
    }

    pub(super) fn exit(&self) -> Exit {
        if self.failed { Exit::Failed } else { Exit::Done }
    }

    /// A note on a value outside the closed set; not on every one.
    pub(super) fn unknown_value(&mut self, host: &str, value: &str) -> Option<String> {
        let known = self.unknown_values.len();
        let new = known <= MAX_UNKNOWN_VALUES
            && self.unknown_values.insert((host.to_owned(), value.to_owned()));
        match (new, known) {
            (false, _) => None,
            (true, MAX_UNKNOWN_VALUES) => {
                Some("further unknown encryption modes are counted, not shown".to_owned())
            }
            (true, _) => Some(format!("unknown encryption mode \"{value}\" on {host}")),
        }
    }
}
