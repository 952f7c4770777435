//! Hosts: those with violations, those with mismatches, those with findings, and the rest.
//!
//! A host is one line that opens: bars of what was asked and what was applied, and inside it the
//! numbers. A host with nothing odd about it takes no more room than that line.

use super::keys;
use crate::report::html::bars::{bar, by_mode};
use crate::report::html::counts::{alarms, cell, mismatches, named, present, stand_in};
use crate::report::html::words::{bytes, counted, key, meaning, number, time};
use crate::report::{Counts, CountsBy, HostSummary, PlaceSummary, Summary};
use crate::s3::Mode;
use crate::tally::OVERFLOW;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// How many hosts are shown, the most alarming first.
const HOSTS: usize = 1024;
/// How many buckets of a host are shown.
const BUCKETS: usize = 100;
/// So many hosts with violations, and with mismatches, are open from the start.
const OPEN: usize = 3;
/// Up to so many hosts, all are.
const FEW: usize = 2;
/// From so many hosts on, they can be searched.
const MANY: usize = 6;

pub(super) fn section(summary: &Summary) -> Markup {
    let hosts = summary.hosts_by_alarm();
    let shown = &hosts[..hosts.len().min(HOSTS)];
    let broke = shown.partition_point(|host| host.violation_count() > 0);
    let mismatched =
        broke + shown[broke..].partition_point(|host| host.counts.mismatch_count() > 0);
    let odd = mismatched + shown[mismatched..].partition_point(|host| host.finding_count() > 0);
    let open = |of: usize| if hosts.len() <= FEW { FEW } else { of };
    html! {
        section #hosts tabindex="-1" aria-labelledby="hosts-title" {
            h2 #hosts-title { "Hosts" }
            (reading())
            @if hosts.is_empty() {
                p.empty {
                    "No host yet. Hosts appear with the first exchange that an object store takes "
                    "part in; a store behind a name of its own is told by " code { "--s3-host" } "."
                }
            }
            @if hosts.len() >= MANY { (search(summary)) }
            (group("Broke the policy", "g-violation", &shown[..broke], open(OPEN)))
            (group("With mismatches", "g-mismatch", &shown[broke..mismatched], open(OPEN)))
            (group("With findings", "g-finding", &shown[mismatched..odd], open(0)))
            (group("Nothing odd", "g-rest", &shown[odd..], open(0)))
            @if hosts.len() > HOSTS {
                p.note {
                    "And " (counted((hosts.len() - HOSTS) as u64, "more host", "more hosts"))
                    ": see " a href="api/v1/summary" { "all counts" } "."
                }
            }
            (overflow(summary))
        }
    }
}

/// What the words mean.
fn reading() -> Markup {
    html! {
        p.reading {
            strong.(key(Mode::None)) { (Mode::None.as_str()) } " means that no header was seen. It does not mean "
            "“unencrypted”: a store may encrypt by default, or below, and say nothing of it."
        }
        details.legend data-key="legend" {
            summary { "What the modes and columns mean" }
            dl {
                @for of in Mode::ALL {
                    div { dt.(key(of)) { (of.as_str()) } dd { (meaning(of)) } }
                }
                div { dt { "Asked" } dd { "requests, of operations that can ask for a mode" } }
                div {
                    dt { "Applied" }
                    dd { "successful answers, of operations whose answer can name a mode" }
                }
            }
        }
    }
}

/// Works with the script only, which shows it.
fn search(summary: &Summary) -> Markup {
    let only = match &summary.policy {
        Some(_) => "Only violations, mismatches and findings",
        None => "Only mismatches and findings",
    };
    html! {
        div.search role="search" data-own hidden {
            label for="filter" { "Find hosts" }
            input #filter type="search" autocomplete="off" spellcheck="false";
            label.check { input #odd type="checkbox"; (only) }
            output #found for="filter odd" {}
        }
    }
}

fn group(title: &str, id: &str, hosts: &[&HostSummary], open: usize) -> Markup {
    html! {
        @if !hosts.is_empty() {
            div.group data-key=(id) {
                h3 { (title) " " span.count { (number(hosts.len() as u64)) } }
                ul.hosts {
                    @for (i, host) in hosts.iter().enumerate() { (item(host, i < open)) }
                }
            }
        }
    }
}

fn item(host: &HostSummary, is_open: bool) -> Markup {
    let (asked, applied) = (by_mode(&host.counts.requests), by_mode(&host.counts.responses));
    html! {
        li data-key={ "h:" (host.host) } {
            details open[is_open] {
                summary {
                    h4 { (host.host) }
                    (tags(host))
                    span.bars { (bar("asked", &asked)) (bar("applied", &applied)) }
                }
                div.body { (body(host, &asked, &applied)) }
            }
        }
    }
}

fn tags(host: &HostSummary) -> Markup {
    let (mismatches, findings) = (host.counts.mismatch_count(), host.finding_count());
    let violations = host.violation_count();
    html! {
        @if violations + mismatches + findings > 0 {
            span.tags {
                @if violations > 0 {
                    span.tag.bad { (counted(violations, "violation", "violations")) }
                }
                @if mismatches > 0 {
                    span.tag.bad { (counted(mismatches, "mismatch", "mismatches")) }
                }
                @if findings > 0 { span.tag.warn { (counted(findings, "finding", "findings")) } }
            }
        }
    }
}

fn body(host: &HostSummary, asked: &Counts, applied: &Counts) -> Markup {
    html! {
        @if let Some(what) = stand_in(&host.host) { p.note { (what) } }
        (alarms(host))
        div.tables {
            (modes(asked, applied, host))
            (data(&host.counts.object_bytes))
            (operations(&host.counts))
            (refusals(host))
        }
        (keys::inside(host.kms_keys.as_ref()))
        @if let Some(buckets) = &host.buckets {
            details.more {
                summary { "By bucket (" (number(buckets.len() as u64)) ")" }
                @for (name, counts) in buckets.iter().take(BUCKETS) { (bucket(name, counts)) }
                @if buckets.len() > BUCKETS {
                    p.note {
                        "And " (number((buckets.len() - BUCKETS) as u64)) " more: see "
                        a href="api/v1/summary" { "all counts" } "."
                    }
                }
            }
        }
    }
}

/// Asked and applied by mode, whatever the operation.
fn modes(asked: &Counts, applied: &Counts, host: &HostSummary) -> Markup {
    html! {
        table {
            caption { "By mode" }
            thead { tr { th { "Mode" } th { "Asked" }
                th { "Applied" } th { "Last seen" } } }
            tbody {
                @for of in present(Some(asked), Some(applied)) {
                    tr {
                        (named(of))
                        (cell(Some(asked), of, number)) (cell(Some(applied), of, number))
                        td { @if let Some(at) = host.last_seen.get(of.as_str()) { (time(at)) } }
                    }
                }
            }
        }
    }
}

/// Bytes of objects.
fn data(moved: &CountsBy) -> Markup {
    let (read, written) = (moved.get("read"), moved.get("write"));
    html! {
        @if read.or(written).is_some() {
            table {
                caption { "Object data" }
                thead { tr { th { "Mode" } th { "Read" }
                    th { "Written" } } }
                tbody {
                    @for of in present(read, written) {
                        tr {
                            (named(of))
                            (cell(read, of, bytes)) (cell(written, of, bytes))
                        }
                    }
                }
            }
        }
    }
}

fn operations(counts: &PlaceSummary) -> Markup {
    let names: BTreeSet<_> = counts.requests.keys().chain(counts.responses.keys()).collect();
    html! {
        @if !names.is_empty() {
            details.more {
                summary { "By operation (" (number(names.len() as u64)) ")" }
                table {
                    caption.unseen { "By operation" }
                    thead { tr { th { "Mode" } th { "Asked" }
                        th { "Applied" } } }
                    @for name in names {
                        (operation(name, counts.requests.get(name), counts.responses.get(name)))
                    }
                }
            }
        }
    }
}

fn operation(name: &str, asked: Option<&Counts>, applied: Option<&Counts>) -> Markup {
    html! {
        tbody {
            tr { th.over scope="rowgroup" colspan="3" { (name) } }
            @for of in present(asked, applied) {
                tr {
                    (named(of))
                    (cell(asked, of, number)) (cell(applied, of, number))
                }
            }
        }
    }
}

fn refusals(host: &HostSummary) -> Markup {
    html! {
        @if !host.refusals.is_empty() {
            details.more {
                summary { "Refused (" (number(host.refusals.values().flat_map(|by| by.values()).sum())) ")" }
                table {
                    caption.unseen { "Refused" }
                    thead { tr { th { "Operation" } th { "Status" }
                        th { "Answers" } } }
                    tbody {
                        @for (operation, statuses) in &host.refusals {
                            @for (status, n) in statuses {
                                tr { th scope="row" { (operation) } td { (status) }
                                    td { (number(*n)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bucket(name: &str, counts: &PlaceSummary) -> Markup {
    let (asked, applied) = (by_mode(&counts.requests), by_mode(&counts.responses));
    html! {
        div.bucket {
            h5 { @if name.is_empty() { "(bucket not known)" } @else { (name) } }
            @if counts.mismatch_count() > 0 { ul.alarms { (mismatches(counts)) } }
            @let (read, written) = (counts.object_bytes.get("read"), counts.object_bytes.get("write"));
            table {
                caption.unseen { "Bucket" }
                thead { tr { th { "Mode" } th { "Asked" }
                    th { "Applied" } th { "Read" }
                    th { "Written" } } }
                tbody {
                    @for of in Mode::ALL {
                        @let columns = [Some(&asked), Some(&applied), read, written];
                        @if columns.iter().flatten().any(|counts| counts.contains_key(of.as_str())) {
                            tr {
                                (named(of))
                                (cell(Some(&asked), of, number)) (cell(Some(&applied), of, number))
                                (cell(read, of, bytes)) (cell(written, of, bytes))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How much was counted under a name that stands for others.
fn overflow(summary: &Summary) -> Markup {
    html! {
        @for (label, n) in &summary.label_overflow {
            @if *n > 0 {
                p.note {
                    "Too many " (label.replace('_', " ")) "s: "
                    (counted(*n, "observation", "observations")) " counted under "
                    code { (OVERFLOW) } "."
                }
            }
        }
    }
}
