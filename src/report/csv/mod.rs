//! The report as tables: for spreadsheets and for programs.
//!
//! Takes a [`Report`]. Gives each of its tables as CSV (RFC 4180: a line of names first, lines end in
//! CR LF, UTF-8), whole where the document shows a part. Promises that the same input and options make
//! the same bytes, and that no spreadsheet takes text for a formula: text that begins as one gets an
//! apostrophe before it.

mod counts;
mod exchanges;
mod keys;
mod ledger;

#[cfg(test)]
mod tests;

use super::scope::Report;
use csv::{Terminator, Writer, WriterBuilder};
use std::borrow::Cow;
use std::io;

/// The name of each table's file.
pub const TABLES: [&str; 16] = [
    "files.csv",
    "rules.csv",
    "violations.csv",
    "mismatches.csv",
    "findings.csv",
    "hosts.csv",
    "alarms.csv",
    "object_bytes.csv",
    "refusals.csv",
    "kms_keys.csv",
    "kms_key_changes.csv",
    "kms_contexts.csv",
    "timeline.csv",
    "blind.csv",
    "ledger.csv",
    "problems.csv",
];

impl Report<'_> {
    /// Each table by the name of its file, in the order of [`TABLES`].
    ///
    /// # Errors
    ///
    /// None that a table in memory can have.
    pub fn to_tables(&self) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
        let table = |name: &'static str| Ok((name, self.table(name)?));
        TABLES.into_iter().map(table).collect()
    }

    fn table(&self, name: &str) -> io::Result<Vec<u8>> {
        let table = match name {
            "files.csv" => ledger::files(self.scope),
            "rules.csv" => counts::rules(self.summary),
            "violations.csv" => exchanges::cases(&self.evidence.violations),
            "mismatches.csv" => exchanges::cases(&self.evidence.mismatches),
            "findings.csv" => exchanges::cases(&self.evidence.findings),
            "hosts.csv" => counts::hosts(self.summary),
            "alarms.csv" => counts::alarms(self.summary),
            "object_bytes.csv" => counts::object_bytes(self.summary),
            "refusals.csv" => counts::refusals(self.summary),
            "kms_keys.csv" => keys::keys(self.summary),
            "kms_key_changes.csv" => keys::changes(self.summary),
            "kms_contexts.csv" => keys::contexts(self.summary),
            "timeline.csv" => exchanges::timeline(&self.evidence.timeline),
            "blind.csv" => ledger::blind(&self.summary.ledger.blind),
            "ledger.csv" => ledger::ledger(self.summary),
            _ => ledger::problems(&self.problems()),
        };
        table.finish()
    }
}

/// A table that is being written.
struct Table {
    writer: Writer<Vec<u8>>,
    row: Vec<String>,
    /// What went wrong, if anything did.
    wrong: Option<csv::Error>,
}

impl Table {
    fn new(columns: &[&str]) -> Self {
        let writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let mut table = Self { writer, row: Vec::new(), wrong: None };
        columns.iter().for_each(|column| table.row.push((*column).to_owned()));
        table.end();
        table
    }

    /// The next cell, of text that others may have chosen.
    fn text(&mut self, text: &str) -> &mut Self {
        self.row.push(harmless(text).into_owned());
        self
    }

    /// The next cell: nothing where it is not known.
    fn maybe(&mut self, text: Option<&str>) -> &mut Self {
        self.text(text.unwrap_or_default())
    }

    /// The next cell.
    fn number(&mut self, n: impl Into<u64>) -> &mut Self {
        self.row.push(n.into().to_string());
        self
    }

    /// Ends the row.
    fn end(&mut self) {
        let written = self.writer.write_record(&self.row);
        self.row.clear();
        self.wrong = self.wrong.take().or(written.err());
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self.wrong {
            Some(error) => Err(io::Error::other(error)),
            None => self.writer.into_inner().map_err(|error| io::Error::other(error.to_string())),
        }
    }
}

/// Text that no spreadsheet takes for a formula (CWE-1236).
fn harmless(text: &str) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}
