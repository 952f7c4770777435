//! How sure the answer is, in full: what was not looked into, what was lost on the way, and the
//! ledger of every packet and byte.

use super::View;
use crate::decode::PacketFate;
use crate::report::html::blind::{self, kinds, names_s3};
use crate::report::html::ledger::{bytes_mean, connection_counts};
use crate::report::html::words::{bytes, number};
use crate::report::{BlindSpots, BoundSummary, LedgerSummary, ServerName, Summary};
use crate::tally::ByteFate;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// How many server names are shown, those with most bytes first.
const SERVER_NAMES: usize = 100;

pub(super) fn sections(view: &View<'_>) -> Markup {
    let ledger = &view.summary.ledger;
    html! {
        div.columns {
            (blind(&ledger.blind))
            (capture(view))
            (accounts(view.summary))
        }
    }
}

fn blind(blind: &BlindSpots) -> Markup {
    html! {
        section #blind aria-labelledby="blind-title" {
            h2 #blind-title { "Not looked into" }
            @if blind.connections() == 0 {
                p.empty { "No TLS, no HTTP/2, no QUIC: nothing was hidden." }
            } @else {
                p { "What is encrypted, or not HTTP/1, can hold exchanges that nobody here sees." }
                table {
                    caption.unseen { "Connections that were not looked into" }
                    thead { tr { th { "Kind" } th { "Connections" }
                        th { "Bytes" } } }
                    tbody {
                        @for (kind, n, moved) in kinds(blind) {
                            tr { th scope="row" { (kind) } td { (number(n)) } td { (bytes(moved)) } }
                        }
                    }
                }
            }
            (server_names(blind))
            @if blind.other_connections > 0 {
                p.muted {
                    "Besides, " (number(blind.other_connections))
                    " that are neither of these nor HTTP: they hold no exchange."
                }
            }
        }
    }
}

/// Whom TLS was for.
fn server_names(blind: &BlindSpots) -> Markup {
    let names = blind::server_names(blind);
    let say_s3 = names.iter().filter(|(name, _)| names_s3(name)).count();
    html! {
        @if !names.is_empty() {
            details.more data-key="names" open[names.len() <= 8] {
                summary {
                    "TLS by server name (" (number(names.len() as u64))
                    @if say_s3 > 0 { ", " (number(say_s3 as u64)) " of S3" } ")"
                }
                table {
                    caption.unseen { "TLS by server name" }
                    thead { tr { th { "Server name" } th { "Connections" }
                        th { "Bytes" } } }
                    tbody { @for (name, counts) in names.iter().take(SERVER_NAMES) {
                        (server_name(name, counts))
                    } }
                }
                @if names.len() > SERVER_NAMES {
                    p.note {
                        "And " (number((names.len() - SERVER_NAMES) as u64)) " more: see "
                        a href="api/v1/summary" { "all counts" } "."
                    }
                }
            }
        }
    }
}

fn server_name(name: &str, counts: &ServerName) -> Markup {
    html! {
        tr {
            th.name scope="row" { (name) @if names_s3(name) { " " span.tag.warn { "S3" } } }
            td { (number(counts.connections)) }
            td { (bytes(counts.bytes)) }
        }
    }
}

/// Whether packets come in, and which did not.
fn capture(view: &View<'_>) -> Markup {
    let drops = view.summary.ledger.drops;
    let rows = [
        ("Kernel", drops.kernel, "its buffer was full"),
        ("Interface", drops.interface, "its driver had no room"),
        ("Queue", drops.queue, "no worker had room"),
    ];
    html! {
        section #capture aria-labelledby="capture-title" {
            h2 #capture-title { "Capture" }
            @if !view.interfaces.is_empty() {
                ul.interfaces {
                    @for interface in view.interfaces {
                        li {
                            span.name { (interface.name) } " "
                            @if interface.is_up { span.tag.good { "up" } }
                            @else { span.tag.bad { "down" } }
                        }
                    }
                }
            }
            @if !view.unready.is_empty() {
                ul.alarms { @for line in view.unready { li.bad { (line) } } }
            }
            table {
                caption { "Packets dropped" }
                thead { tr { th { "By" } th { "Packets" } } }
                tbody {
                    @for (by, n, why) in rows {
                        tr {
                            th scope="row" { (by) " " span.muted { (why) } }
                            td { (number(n)) }
                        }
                    }
                }
            }
            @if !view.summary.problems.is_empty() {
                h3 { "Problems" }
                ul.alarms { @for problem in &view.summary.problems { li.warn { (problem) } } }
            }
        }
    }
}

/// The ledger: every packet and every byte has one fate.
fn accounts(summary: &Summary) -> Markup {
    let Summary { ledger, verdict, bounds, .. } = summary;
    html! {
        section #ledger aria-labelledby="ledger-title" {
            h2 #ledger-title { "Ledger" }
            p { "Every packet and every byte of TCP payload has one fate: "
                (verdict.replace(" %", "\u{a0}%")) "." }
            table {
                caption { "Payload bytes" }
                thead { tr { th { "Fate" } th { "Bytes" } } }
                tbody {
                    @for fate in ByteFate::ALL {
                        tr {
                            th scope="row" { (fate.as_str()) " " span.muted { (bytes_mean(fate)) } }
                            td { (number(ledger.payload_bytes.get(fate.as_str()).copied().unwrap_or(0))) }
                        }
                    }
                }
            }
            details.more data-key="packets" {
                summary { "Packets and connections" }
                (packets(ledger))
                (flows(ledger))
                (these_bounds(bounds))
            }
        }
    }
}

fn packets(ledger: &LedgerSummary) -> Markup {
    html! {
        table {
            caption { "Packets" }
            thead { tr { th { "Fate" } th { "Packets" } } }
            tbody {
                @for fate in PacketFate::ALL {
                    tr {
                        th scope="row" { (fate.as_str().replace('_', " ")) }
                        td { (number(ledger.packets.get(fate.as_str()).copied().unwrap_or(0))) }
                    }
                }
            }
        }
    }
}

fn flows(ledger: &LedgerSummary) -> Markup {
    html! {
        table {
            caption { "Connections" }
            thead { tr { th { "What" } th { "Count" } } }
            tbody {
                @for (what, n) in connection_counts(ledger) { tr { th scope="row" { (what) } td { (number(n)) } } }
            }
        }
    }
}

/// How near what is bounded is to its bound, and what was given up for it.
fn these_bounds(bounds: &BTreeMap<&'static str, BoundSummary>) -> Markup {
    html! {
        table {
            caption { "Bounds on memory" }
            thead { tr { th { "What" } th { "Now" } th { "At most" } th { "Given up" } } }
            tbody {
                @for (name, bound) in bounds {
                    tr {
                        th scope="row" { (name.replace('_', " ")) }
                        td { @match bound.used { Some(used) => (number(used)), None => "–" } }
                        td { (number(bound.limit)) }
                        td { (number(bound.hits)) }
                    }
                }
            }
        }
    }
}
