//! How sure the verdict is: each measure, and what it could hide.

use super::tables::{stack_cell, stack_columns};
use super::words::{bytes, counted, share};
use crate::report::scope::Report;
use crate::report::{LedgerSummary, Summary};
use maud::{Markup, html};

/// Something that limits what can be said.
struct Measure {
    name: &'static str,
    value: String,
    /// What it is called among doubts; `None` where all is well.
    doubt: Option<String>,
    /// What it can hide, or that it hides nothing.
    hides: &'static str,
}

impl Measure {
    /// One that is well where `n` is 0.
    fn count(name: &'static str, n: u64, value: String, hides: &'static str) -> Self {
        let doubt = (n > 0).then(|| value.clone());
        Self { name, value, doubt, hides: if n > 0 { hides } else { "Nothing." } }
    }
}

/// What limits the verdict, in a few words each.
pub(super) fn doubts(report: &Report<'_>) -> Vec<String> {
    measures(report).into_iter().filter_map(|measure| measure.doubt).collect()
}

pub(super) fn section(report: &Report<'_>) -> Markup {
    html! {
        section #sure aria-labelledby="sure-title" {
            h2 #sure-title { "How sure is that?" }
            table.sure.stack role="table" {
                caption { "What limits the verdict, and what it could hide" }
                (stack_columns(["Measure", "Here", "What that could hide"]))
                tbody role="rowgroup" {
                    @for measure in measures(report) {
                        tr.well[measure.doubt.is_none()].unwell[measure.doubt.is_some()] role="row" {
                            th scope="row" role="rowheader" { (measure.name) }
                            td role="cell" { (measure.value) }
                            (stack_cell("Could hide:", &html! { (measure.hides) }))
                        }
                    }
                }
            }
            p.note {
                (counted(report.summary.exchanges.other, "other HTTP exchange was", "other HTTP exchanges were"))
                " seen that showed no sign of an object store. A store that shows none is known only "
                "where it is named (" code { "--s3-host" } "). Traffic that did not pass where the "
                "capture was made is not in it at all."
            }
        }
    }
}

fn measures(report: &Report<'_>) -> Vec<Measure> {
    let ledger = &report.summary.ledger;
    let mut measures = vec![examined(ledger), blind(ledger), gaps(ledger)];
    measures.extend(packets(ledger));
    measures.push(Measure::count(
        "Repeated bytes that differed",
        ledger.conflicting_bytes,
        counted(
            ledger.conflicting_bytes,
            "byte that differed when repeated",
            "bytes that differed when repeated",
        ),
        "What the receiver took, if it took the later bytes: the first ones were examined.",
    ));
    if let Some(policy) = &report.summary.policy {
        let n = policy.undecided_count();
        measures.push(Measure::count(
            "Undecided exchanges",
            n,
            counted(n, "exchange undecided", "exchanges undecided"),
            "Violations: what would decide it was not seen, as a message is missing.",
        ));
    }
    measures.extend(given_up(report.summary));
    measures.push(left_out(report));
    measures.push(input(report));
    measures
}

fn examined(ledger: &LedgerSummary) -> Measure {
    let (examined, all) = ledger.examined();
    let value = match share(examined, all) {
        Some(share) => format!("{share} of {} of TCP payload examined", bytes(all)),
        None => "no TCP payload".to_owned(),
    };
    let hides = "Exchanges in what was encrypted, is HTTP/2, or was passed over after a gap.";
    Measure::count("Examined", all - examined, value, hides)
}

fn blind(ledger: &LedgerSummary) -> Measure {
    let n = ledger.blind.connections();
    let (blind, all) = ledger.blind_share();
    let mut value = counted(n, "blind connection", "blind connections");
    if let Some(share) = share(blind, all).filter(|_| n > 0) {
        value = format!("{value}, {} ({share} of what can hold exchanges)", bytes(blind));
    }
    let hides =
        "Any number of exchanges, under any mode: TLS, HTTP/2 and QUIC are not looked into.";
    Measure::count("Blind", n, value, hides)
}

fn gaps(ledger: &LedgerSummary) -> Measure {
    let mut value = counted(ledger.gaps, "gap", "gaps");
    if ledger.gap_bytes > 0 {
        value = format!("{value} ({})", counted(ledger.gap_bytes, "byte", "bytes"));
    }
    let lost = ledger.payload_bytes.get("lost").copied().unwrap_or_default();
    if lost > 0 {
        value = format!("{value}, {} passed over", counted(lost, "byte", "bytes"));
    }
    let hides = match (lost, ledger.losses) {
        (0, 0) => "Little: as far as can be seen they are inside bodies, whose length is known.",
        _ => "Exchanges whose heads were there, and those until the next sure head.",
    };
    Measure::count("Gaps", ledger.gaps + ledger.losses + lost, value, hides)
}

fn packets(ledger: &LedgerSummary) -> [Measure; 2] {
    let undecodable = ["unknown_link", "truncated", "malformed", "bad_checksum", "fragment_lost"];
    let undecoded =
        undecodable.iter().map(|fate| ledger.packets.get(fate).copied().unwrap_or_default()).sum();
    let drops = ledger.drops;
    let dropped = drops.kernel + drops.interface + drops.queue;
    [
        Measure::count(
            "Packets not decoded",
            undecoded,
            counted(undecoded, "packet not decoded", "packets not decoded"),
            "Any part of any exchange.",
        ),
        Measure::count(
            "Packets dropped",
            dropped,
            counted(dropped, "packet dropped", "packets dropped"),
            "Any part of any exchange.",
        ),
    ]
}

/// What was given up for want of room.
fn given_up(summary: &Summary) -> [Measure; 2] {
    let names = ["hosts", "buckets", "server_names", "label_bytes", "kms_keys", "kms_contexts"];
    let hit = summary.bounds.iter().filter(|(name, bound)| bound.hits > 0 && !names.contains(name));
    let hit: Vec<_> = hit.map(|(name, _)| name.replace('_', " ")).collect();
    let value = match &hit[..] {
        [] => "no bound hit".to_owned(),
        hit => format!("{} hit: {}", counted(hit.len() as u64, "bound", "bounds"), hit.join(", ")),
    };
    let overflow: u64 = summary.label_overflow.values().sum();
    let together = counted(overflow, "observation", "observations");
    [
        Measure::count(
            "Bounds on memory",
            hit.len() as u64,
            value,
            "Exchanges, or which answer belongs to which request: see the ledger.",
        ),
        Measure::count(
            "Names counted together",
            overflow,
            format!("{together} counted under __other__"),
            "Which hosts, buckets and keys these were: the counts are complete, the names are not.",
        ),
    ]
}

/// What options kept from being examined.
fn left_out(report: &Report<'_>) -> Measure {
    let given = report.scope.options.iter().map(|(name, _)| name.as_str());
    let given: Vec<_> = given.filter(|name| ["count", "filter"].contains(name)).collect();
    let options: Vec<_> = given.iter().map(|name| format!("--{name}")).collect();
    let there: Option<u64> = report.scope.files.iter().map(|file| file.packets).sum();
    let examined = report.summary.ledger.packets.values().sum();
    let value = match there.map(|there| there.saturating_sub(examined)) {
        _ if given.is_empty() => "no packet left out on purpose".to_owned(),
        Some(n) => {
            format!("{} left out, by {}", counted(n, "packet", "packets"), options.join(" and "))
        }
        None => format!("what {} left out", options.join(" and ")),
    };
    let n = given.len() as u64;
    Measure::count("Left out", n, value, "Everything that was in packets that were not looked at.")
}

/// Whether everything that was named could be read.
fn input(report: &Report<'_>) -> Measure {
    let serious = |problem: &&str| problem.starts_with("error") || problem.starts_with("warning");
    let problems = report.problems().into_iter().filter(serious).count() as u64;
    let value = match (problems, report.scope.was_stopped) {
        (0, false) => "everything that was named could be read".to_owned(),
        (0, true) => "reading was stopped early".to_owned(),
        (n, _) => format!("{} with the files", counted(n, "problem", "problems")),
    };
    let n = problems + u64::from(report.scope.was_stopped);
    Measure::count(
        "Files",
        n,
        value,
        "Everything that was in what could not be read: see Problems.",
    )
}
