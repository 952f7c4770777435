//! The ledger: every packet and byte has one fate. And the problems that were met.

use super::tables::columns;
use super::words::{number, text};
use crate::decode::PacketFate;
use crate::report::scope::Report;
use crate::report::{LedgerSummary, Summary};
use crate::tally::ByteFate;
use maud::{Markup, html};

/// How many problems are shown.
const PROBLEMS: usize = 200;

pub(super) fn sections(report: &Report<'_>) -> Markup {
    let ledger = &report.summary.ledger;
    html! {
        section #ledger aria-labelledby="ledger-title" {
            h2 #ledger-title { "Ledger" }
            p {
                "Every packet and every byte of TCP payload has one fate: "
                (report.summary.verdict.replace(" %", "\u{a0}%")) ". "
                @match ledger.discrepancy {
                    0 => "The sums are exact.",
                    n => b { "A defect: " (number(n)) " packets or bytes are not accounted for." },
                }
            }
            div.tables { (payload(ledger)) (packets(ledger)) (connections(ledger)) }
            (bounds(report.summary))
        }
        section #problems aria-labelledby="problems-title" {
            h2 #problems-title { "Problems" }
            (problems(&report.problems()))
        }
    }
}

fn problems(problems: &[&str]) -> Markup {
    html! {
        @if problems.is_empty() { p { "Everything that was named could be read." } }
        @else {
            ul.problems { @for problem in problems.iter().take(PROBLEMS) { li { (text(problem)) } } }
        }
        @if problems.len() > PROBLEMS {
            p.note { "And " (number((problems.len() - PROBLEMS) as u64)) " more: see "
                code { "problems.csv" } "." }
        }
    }
}

fn payload(ledger: &LedgerSummary) -> Markup {
    let bytes =
        |fate: ByteFate| ledger.payload_bytes.get(fate.as_str()).copied().unwrap_or_default();
    html! {
        table {
            caption { "TCP payload" }
            (columns(["Fate", "Bytes"]))
            tbody {
                @for fate in ByteFate::ALL {
                    tr {
                        th scope="row" { (fate.as_str()) " " span.muted { (bytes_mean(fate)) } }
                        td { (number(bytes(fate))) }
                    }
                }
                @if ledger.unsettled_bytes > 0 {
                    tr { th scope="row" { "none yet" } td { (number(ledger.unsettled_bytes)) } }
                }
            }
        }
    }
}

fn packets(ledger: &LedgerSummary) -> Markup {
    let packets = |fate: PacketFate| ledger.packets.get(fate.as_str()).copied().unwrap_or_default();
    html! {
        table {
            caption { "Packets" }
            (columns(["Fate", "Packets"]))
            tbody {
                @for fate in PacketFate::ALL {
                    tr { th scope="row" { (fate.as_str().replace('_', " ")) } td { (number(packets(fate))) } }
                }
                tr { th scope="row" { "lost before they could be read: kernel" } td { (number(ledger.drops.kernel)) } }
                tr { th scope="row" { "the same: interface" } td { (number(ledger.drops.interface)) } }
            }
        }
    }
}

/// What was counted of connections: its name for people, and how often.
pub(crate) fn connection_counts(ledger: &LedgerSummary) -> [(&'static str, u64); 7] {
    [
        ("TCP connections", ledger.flows.total),
        ("given up after a silence", ledger.flows.timed_out),
        ("given up for want of room", ledger.flows.evicted),
        ("gaps", ledger.gaps),
        ("bytes in gaps", ledger.gap_bytes),
        ("times the place between messages was lost", ledger.losses),
        ("repeated bytes that differed", ledger.conflicting_bytes),
    ]
}

fn connections(ledger: &LedgerSummary) -> Markup {
    html! {
        table {
            caption { "Connections" }
            (columns(["What", "Count"]))
            tbody {
                @for (what, n) in connection_counts(ledger) {
                    tr { th scope="row" { (what) } td { (number(n)) } }
                }
            }
        }
    }
}

fn bounds(summary: &Summary) -> Markup {
    html! {
        table {
            caption { "Bounds on memory" }
            (columns(["What", "Option", "At most", "Given up"]))
            tbody {
                @for (name, bound) in &summary.bounds {
                    tr {
                        th scope="row" { (name.replace('_', " ")) }
                        td { code { "--" (bound.option) } }
                        td { (number(bound.limit)) }
                        td { @if bound.hits > 0 { b { (number(bound.hits)) } } @else { "0" } }
                    }
                }
            }
        }
    }
}

/// What it means for a byte to have a fate.
pub(crate) const fn bytes_mean(fate: ByteFate) -> &'static str {
    match fate {
        ByteFate::Head => "of HTTP messages: examined",
        ByteFate::Body => "of HTTP messages: skipped, its length is known",
        ByteFate::Duplicate => "seen before",
        ByteFate::Ignored => "not HTTP",
        ByteFate::Blind => "TLS, HTTP/2",
        ByteFate::Lost => "after a gap, until the next sure head",
    }
}
