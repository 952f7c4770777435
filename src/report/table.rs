//! The table: for someone in a hurry, in 80 columns.
//!
//! What is alarming comes first: what broke the policy, hosts with mismatches, then those with
//! findings; and in each host those before its counts.

mod policy;

use super::keys_table;
use super::summary::{Counts, CountsBy, HostSummary, PlaceSummary, Summary};
use crate::s3::{Finding, Mode};
use anstyle::{AnsiColor, Style};
use indicatif::HumanBytes;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::{self, Write};

/// How wide a terminal is at least.
pub(super) const WIDTH: usize = 80;
/// Where the columns of counts end.
pub(super) const LABEL: usize = 26;
pub(super) const MODE: usize = 14;
pub(super) const COUNT: usize = 14;
/// How many server names are shown.
const SERVER_NAMES: usize = 5;

/// The table, as text for a terminal; with colours if `colour`.
pub fn table(summary: &Summary, colour: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = Table { summary, colour }.write(&mut text);
    text
}

struct Table<'s> {
    summary: &'s Summary,
    colour: bool,
}

impl Table<'_> {
    fn write(&self, out: &mut String) -> fmt::Result {
        self.heading(out)?;
        self.policy(out)?;
        let hosts = self.summary.hosts_by_alarm();
        for host in &hosts {
            writeln!(out)?;
            self.host(out, host)?;
        }
        self.blind(out)?;
        writeln!(out)?;
        if hosts.iter().any(|host| host.last_seen.contains_key(Mode::None.as_str())) {
            writeln!(out, "none: no header was seen. It does not mean \"unencrypted\": a bucket")?;
            writeln!(out, "may encrypt by default, or below the store, and say nothing of it.")?;
        }
        for (label, n) in &self.summary.label_overflow {
            if *n > 0 {
                writeln!(
                    out,
                    "Too many {}s: {n} observations count under __other__.",
                    label.replace('_', " ")
                )?;
            }
        }
        self.verdict(out)
    }

    fn heading(&self, out: &mut String) -> fmt::Result {
        let Summary { exchanges, hosts, .. } = self.summary;
        let period = match (&self.summary.first_packet, &self.summary.last_packet) {
            (Some(first), Some(last)) => format!("{} to {}", seconds(first), seconds(last)),
            _ => "no packets".to_owned(),
        };
        writeln!(out, "{period}")?;
        writeln!(
            out,
            "{}, {} other HTTP; {}",
            counted(exchanges.object_store, "object-store exchange"),
            exchanges.other,
            counted(hosts.len() as u64, "host")
        )
    }

    fn host(&self, out: &mut String, host: &HostSummary) -> fmt::Result {
        self.styled(out, Style::new().bold(), &host.host)?;
        for (rule, n) in host.policy_violations.iter().flatten() {
            let line = format!("  ! {n} × broke the rule {rule}");
            self.styled(out, AnsiColor::Red.on_default().bold(), &line)?;
        }
        for mismatch in &host.counts.mismatches {
            let times = counted(mismatch.count, "mismatch");
            let line =
                format!("  ! {times}: asked {}, applied {}", mismatch.requested, mismatch.applied);
            self.styled(out, AnsiColor::Red.on_default().bold(), &line)?;
        }
        for finding in Finding::ALL {
            if let Some(n) = host.findings.get(finding.as_str()) {
                let line = format!("  ! {n} × {}: {}", finding.as_str(), meaning(finding));
                self.styled(out, AnsiColor::Yellow.on_default(), &line)?;
            }
        }
        match &host.buckets {
            None => self.counts(out, &host.counts)?,
            Some(buckets) => {
                for (bucket, counts) in buckets {
                    let bucket = if bucket.is_empty() { "(bucket not known)" } else { bucket };
                    self.styled(out, Style::new().underline(), &format!("  {bucket}"))?;
                    self.counts(out, counts)?;
                }
            }
        }
        if let Some(keys) = &host.kms_keys {
            keys_table::write(out, keys)?;
        }
        let mut refused = Vec::new();
        for (operation, statuses) in &host.refusals {
            refused
                .extend(statuses.iter().map(|(status, n)| format!("{operation} {status} × {n}")));
        }
        list(out, "refused", &refused)
    }

    /// What could not be looked into.
    fn blind(&self, out: &mut String) -> fmt::Result {
        self.tls(out)?;
        let blind = &self.summary.ledger.blind;
        if blind.quic_connections == 0 {
            return Ok(());
        }
        writeln!(out)?;
        self.styled(out, Style::new().bold(), "not looked into: QUIC (UDP port 443)")?;
        let connections = counted(blind.quic_connections, "connection");
        writeln!(out, "    {connections}, {}", HumanBytes(blind.quic_bytes))
    }

    /// Whom encrypted connections were for, those with most bytes first.
    fn tls(&self, out: &mut String) -> fmt::Result {
        let mut names: Vec<_> = self.summary.ledger.blind.tls_server_names.iter().collect();
        if names.is_empty() {
            return Ok(());
        }
        names.sort_by_key(|(name, counts)| (Reverse(counts.bytes), *name));
        writeln!(out)?;
        self.styled(out, Style::new().bold(), "not looked into: TLS")?;
        for (name, counts) in names.iter().take(SERVER_NAMES) {
            let connections = counted(counts.connections, "connection");
            let bytes = HumanBytes(counts.bytes);
            writeln!(out, "{}", wrapped(&format!("    {name}: {connections}, {bytes}")))?;
        }
        match names.len().saturating_sub(SERVER_NAMES) {
            0 => Ok(()),
            more => writeln!(out, "    and {more} more"),
        }
    }

    fn counts(&self, out: &mut String, counts: &PlaceSummary) -> fmt::Result {
        let operations = names(&counts.requests, &counts.responses);
        if !operations.is_empty() {
            row(out, "operation", "mode", "asked", "applied")?;
        }
        for operation in operations {
            let (asked, applied) =
                (counts.requests.get(operation), counts.responses.get(operation));
            rows(out, operation, asked, applied, |n| n.to_string())?;
        }
        let (read, write) = (counts.object_bytes.get("read"), counts.object_bytes.get("write"));
        if read.or(write).is_some() {
            row(out, "", "", "read", "written")?;
            rows(out, "object data", read, write, |n| HumanBytes(n).to_string())?;
        }
        Ok(())
    }

    fn verdict(&self, out: &mut String) -> fmt::Result {
        let ledger = &self.summary.ledger;
        let escaped = ledger.gaps > 0
            || ledger.blind.quic_connections > 0
            || !self.summary.verdict.starts_with("examined 100 % ");
        let colour = if escaped { AnsiColor::Yellow } else { AnsiColor::Green };
        let verdict = &self.summary.verdict;
        self.styled(out, colour.on_default(), &format!("Ledger: {verdict}."))?;
        for (name, bound) in self.summary.bounds.iter().filter(|(_, bound)| bound.hits > 0) {
            let times = if bound.hits == 1 { "once" } else { "times" };
            let hits = if bound.hits == 1 { String::new() } else { format!("{} ", bound.hits) };
            let line = format!("Bound hit: {name}, {hits}{times} (--{}).", bound.option);
            self.styled(out, AnsiColor::Yellow.on_default(), &line)?;
        }
        Ok(())
    }

    fn styled(&self, out: &mut String, style: Style, line: &str) -> fmt::Result {
        if self.colour {
            writeln!(out, "{}{}{}", style.render(), wrapped(line), style.render_reset())
        } else {
            writeln!(out, "{}", wrapped(line))
        }
    }
}

/// A line that holds a name of any length, broken where it has to be.
pub(super) fn wrapped(line: &str) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for character in line.chars() {
        if column == WIDTH {
            text.push_str("\n        ");
            column = 8;
        }
        text.push(character);
        column += 1;
    }
    text
}

/// A label's rows: one for each mode that either column has, in the order of the modes.
fn rows(
    out: &mut String,
    label: &str,
    left: Option<&Counts>,
    right: Option<&Counts>,
    show: impl Fn(u64) -> String,
) -> fmt::Result {
    let mut label = label;
    for mode in Mode::ALL.map(Mode::as_str) {
        let count = |counts: Option<&Counts>| counts.and_then(|counts| counts.get(mode)).copied();
        let cell = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), &show);
        let (left, right) = (count(left), count(right));
        if left.or(right).is_some() {
            row(out, label, mode, &cell(left), &cell(right))?;
            label = "";
        }
    }
    Ok(())
}

fn row(out: &mut String, label: &str, mode: &str, left: &str, right: &str) -> fmt::Result {
    let line = format!("    {label:<LABEL$}{mode:<MODE$}{left:>COUNT$}{right:>COUNT$}");
    writeln!(out, "{}", line.trim_end())
}

/// `label: a, b, c`, broken into lines between items.
fn list(out: &mut String, label: &str, items: &[String]) -> fmt::Result {
    let mut line = format!("    {label}: ");
    let indent = line.len();
    for (i, item) in items.iter().enumerate() {
        let separator = if i + 1 < items.len() { ", " } else { "" };
        if line.chars().count() + item.chars().count() + separator.len() > WIDTH
            && line.len() > indent
        {
            writeln!(out, "{}", line.trim_end())?;
            line = " ".repeat(indent);
        }
        line.push_str(item);
        line.push_str(separator);
    }
    if items.is_empty() { Ok(()) } else { writeln!(out, "{line}") }
}

fn names(requests: &CountsBy, responses: &CountsBy) -> BTreeSet<&'static str> {
    requests.keys().chain(responses.keys()).copied().collect()
}

pub(super) fn counted(n: u64, what: &str) -> String {
    let plural = match (n, what.ends_with("tch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{n} {what}{plural}")
}

/// A time to the second.
pub(super) fn seconds(rfc3339: &str) -> String {
    format!("{}Z", rfc3339.split('.').next().unwrap_or_default())
}

/// What a finding means, in a few words.
pub(crate) fn meaning(finding: Finding) -> &'static str {
    match finding {
        Finding::CustomerKeyInClear => "SSE-C keys sent in clear text",
        Finding::ConflictingHeaders => "headers contradict each other",
        Finding::NonstandardCase => "a mode in the wrong case",
        Finding::UnknownValue => "a mode outside the known ones",
        Finding::UnprefixedName => "header names without X-",
        Finding::MisplacedHeader => "sent where it means nothing",
        Finding::ModeInQuery => "a mode in a URL, where it means nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::TlsCounts;
    use crate::net::Timestamp;
    use crate::s3::{Observation, Operation, Subject};
    use crate::tally::{Limits, Tally};

    fn summary(max_buckets: Option<usize>) -> Summary {
        let mut tally = Tally::new(Limits { max_hosts: 10, max_buckets, ..Limits::default() });
        let at = |host: &str| Subject {
            time: Timestamp::from_nanos(0),
            host: host.into(),
            bucket: Some("photos".into()),
            operation: Operation::PUT_OBJECT,
        };
        let (requested, applied) = (Mode::KmsDsse, Mode::None);
        for (host, mode) in [("quiet", Mode::Aes256), ("alarming", requested)] {
            tally.observe(&Observation::Requested { subject: at(host), mode });
        }
        let subject = at("alarming");
        tally.observe(&Observation::Applied { subject: subject.clone(), mode: applied });
        tally.observe(&Observation::Mismatch { subject: subject.clone(), requested, applied });
        let finding = Finding::CustomerKeyInClear;
        tally.observe(&Observation::Found { subject: subject.clone(), finding, value: None });
        for status in 400..420 {
            tally.observe(&Observation::Refused { subject: subject.clone(), status });
        }
        tally.observe(&Observation::Applied { subject: at(&"long.".repeat(50)), mode: applied });
        for name in ["a", "b", "c", "d", "e", "f", &"g".repeat(200)] {
            tally.tls(&name.into(), TlsCounts { connections: 1, bytes: name.len() as u64 });
        }
        tally.ledger.flow.quic.connections = 2;
        tally.ledger.flow.quic.bytes = 2_048;
        tally.period = Some((Timestamp::from_nanos(0), Timestamp::from_nanos(1)));
        Summary::new(&tally, Vec::new())
    }

    #[test]
    fn alarms_come_first_and_every_line_fits() {
        for max_buckets in [None, Some(5)] {
            let text = table(&summary(max_buckets), false);
            let order = ["alarming", "! 1 mismatch: asked aws:kms:dsse, applied none", "quiet"];
            let found = order.map(|part| text.find(part).expect(part));
            assert!(found.is_sorted(), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert_eq!(text.contains("photos"), max_buckets.is_some());
            assert!(text.contains("does not mean \"unencrypted\""));
            assert!(!text.contains('\u{1b}'));
            assert!(text.contains("    and 2 more\n"), "{text}");
            assert!(text.contains("QUIC (UDP port 443)\n    2 connections, 2.00 KiB\n"), "{text}");
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let summary = summary(None);
        let coloured = table(&summary, true);
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), table(&summary, false));
    }
}
