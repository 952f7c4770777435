//! Hosts: all together, a line for each, and each by itself, the most alarming first.

use super::bars::{bar, by_mode};
use super::counts::{alarms, cell, mismatches, named, present, stand_in};
use super::keys;
use super::tables::{columns, stack_cell, stack_columns};
use super::words::{bytes, counted, key, number, text, time};
use crate::report::{Counts, CountsBy, HostSummary, PlaceSummary, Summary};
use crate::s3::Mode;
use crate::tally::OVERFLOW;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// How many hosts have a line.
const HOSTS: usize = 500;
/// How many of those are shown one by one.
const DETAILS: usize = 50;
/// How many buckets of a host are shown.
const BUCKETS: usize = 50;
/// How many kinds of refusals of a host are shown.
const REFUSALS: usize = 50;

pub(super) fn section(summary: &Summary) -> Markup {
    let hosts = summary.hosts_by_alarm();
    html! {
        section #hosts aria-labelledby="hosts-title" {
            h2 #hosts-title { "Hosts" }
            (reading())
            @if hosts.is_empty() {
                p { "No exchange with an object store was seen. A store behind a name of its own, which "
                    "shows no sign, has to be named by " code { "--s3-host" } "." }
            } @else {
                (together(summary))
                (lines(summary, &hosts))
                @for (i, host) in hosts.iter().take(DETAILS).enumerate() { (details(i, host)) }
                @if hosts.len() > DETAILS {
                    p.note { "Other hosts are not shown one by one: see " code { "hosts.csv" } "." }
                }
            }
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
}

fn reading() -> Markup {
    html! {
        p.reading {
            strong.(key(Mode::None)) { (Mode::None.as_str()) } " means that no header was seen. It does not "
            "mean “unencrypted”: a store may encrypt by default, or below, and say nothing of it."
        }
    }
}

/// What was counted of all hosts.
fn together(summary: &Summary) -> Markup {
    let mut all = [Counts::new(), Counts::new(), Counts::new(), Counts::new()];
    for PlaceSummary { requests, responses, object_bytes, .. } in
        summary.hosts.iter().map(|host| &host.counts)
    {
        let of = |direction| object_bytes.get(direction).cloned().unwrap_or_default();
        let parts = [by_mode(requests), by_mode(responses), of("read"), of("write")];
        for (sum, part) in all.iter_mut().zip(parts) {
            part.into_iter().for_each(|(mode, n)| *sum.entry(mode).or_default() += n);
        }
    }
    let [asked, applied, read, written] = &all;
    html! {
        div.bars { (bar("asked", asked)) (bar("applied", applied)) }
        table.modes {
            caption { "All hosts together, by mode" }
            (mode_columns(false))
            tbody {
                @for mode in Mode::ALL {
                    @if all.iter().any(|counts| counts.contains_key(mode.as_str())) {
                        tr {
                            (named(mode)) (cell(Some(asked), mode, number)) (cell(Some(applied), mode, number))
                            (cell(Some(read), mode, bytes)) (cell(Some(written), mode, bytes))
                        }
                    }
                }
            }
        }
    }
}

fn mode_columns(last_seen: bool) -> Markup {
    let last_seen = last_seen.then_some("Last seen");
    columns(["Mode", "Asked", "Applied", "Read", "Written"].into_iter().chain(last_seen))
}

/// A line for each host.
fn lines(summary: &Summary, hosts: &[&HostSummary]) -> Markup {
    let all = ["Host", "Violations", "Mismatches", "Findings", "Asked", "Applied"];
    let judged = summary.policy.is_some();
    let names = all.into_iter().filter(|name| judged || *name != "Violations");
    html! {
        table.lines.stack role="table" {
            caption { "Hosts, the most alarming first" }
            (stack_columns(names))
            tbody role="rowgroup" {
                @for (i, host) in hosts.iter().take(HOSTS).enumerate() { (line(i, host, judged)) }
            }
        }
        @if hosts.len() > HOSTS {
            p.note {
                "And " (counted((hosts.len() - HOSTS) as u64, "more host", "more hosts"))
                ", less alarming: " code { "hosts.csv" } " and " code { "alarms.csv" } " have all."
            }
        }
    }
}

fn line(i: usize, host: &HostSummary, judged: bool) -> Markup {
    let sum = |counts: &CountsBy| -> u64 { counts.values().flatten().map(|(_, n)| n).sum() };
    let alarming = |n| html! { @if n > 0 { b { (number(n)) } } @else { "0" } };
    let counts = &host.counts;
    html! {
        tr role="row" {
            th.name scope="row" role="rowheader" {
                @if i < DETAILS { a href={ "#h" (i) } { (text(&host.host)) } }
                @else { (text(&host.host)) }
            }
            @if judged { (stack_cell("Violations", &alarming(host.violation_count()))) }
            (stack_cell("Mismatches", &alarming(counts.mismatch_count())))
            (stack_cell("Findings", &alarming(host.finding_count())))
            (stack_cell("Asked", &html! { (number(sum(&counts.requests))) }))
            (stack_cell("Applied", &html! { (number(sum(&counts.responses))) }))
        }
    }
}

fn details(i: usize, host: &HostSummary) -> Markup {
    let (asked, applied) = (by_mode(&host.counts.requests), by_mode(&host.counts.responses));
    html! {
        div.host {
            h3.name id={ "h" (i) } { (text(&host.host)) }
            @if let Some(what) = stand_in(&host.host) { p.note { (what) } }
            (alarms(host))
            div.bars { (bar("asked", &asked)) (bar("applied", &applied)) }
            (modes(host, &asked, &applied))
            (operations(&host.counts))
            (refusals(host))
            (keys::inside(host.kms_keys.as_ref()))
            @if let Some(buckets) = &host.buckets {
                @for (name, counts) in buckets.iter().take(BUCKETS) { (bucket(name, counts)) }
                @if buckets.len() > BUCKETS {
                    p.note {
                        "And " (counted((buckets.len() - BUCKETS) as u64, "more bucket", "more buckets"))
                        ": see " code { "hosts.csv" } "."
                    }
                }
            }
        }
    }
}

fn modes(host: &HostSummary, asked: &Counts, applied: &Counts) -> Markup {
    let last_seen = |mode: Mode| {
        html! { td { @match host.last_seen.get(mode.as_str()) { Some(at) => (time(at)), None => "–" } } }
    };
    html! {
        table.modes {
            caption { "By mode" }
            (mode_columns(true))
            tbody {
                @for (mode, cells) in by_mode_of(&host.counts, asked, applied) {
                    tr { (named(mode)) (cells) (last_seen(mode)) }
                }
            }
        }
    }
}

/// The cells of each mode that was counted.
fn by_mode_of(counts: &PlaceSummary, asked: &Counts, applied: &Counts) -> Vec<(Mode, Markup)> {
    let (read, written) = (counts.object_bytes.get("read"), counts.object_bytes.get("write"));
    let all = [Some(asked), Some(applied), read, written];
    let is_there =
        |mode: &Mode| all.iter().flatten().any(|counts| counts.contains_key(mode.as_str()));
    let cells = |mode| {
        html! {
            (cell(Some(asked), mode, number)) (cell(Some(applied), mode, number))
            (cell(read, mode, bytes)) (cell(written, mode, bytes))
        }
    };
    Mode::ALL.into_iter().filter(is_there).map(|mode| (mode, cells(mode))).collect()
}

fn operations(counts: &PlaceSummary) -> Markup {
    let names: BTreeSet<_> = counts.requests.keys().chain(counts.responses.keys()).collect();
    html! {
        @if !names.is_empty() {
            table.operations {
                caption { "By operation" }
                (columns(["Operation", "Mode", "Asked", "Applied"]))
                @for name in names {
                    @let (asked, applied) = (counts.requests.get(name), counts.responses.get(name));
                    @let modes: Vec<_> = present(asked, applied).collect();
                    tbody {
                        @for (i, mode) in modes.iter().enumerate() {
                            tr {
                                @if i == 0 { th scope="rowgroup" rowspan=(modes.len()) { (name) } }
                                (named(*mode)) (cell(asked, *mode, number)) (cell(applied, *mode, number))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn refusals(host: &HostSummary) -> Markup {
    let of = |(operation, statuses): (&&str, _)| refused(operation, statuses);
    let rows: Vec<_> = host.refusals.iter().flat_map(of).collect();
    html! {
        @if !rows.is_empty() {
            table {
                caption { "Refused" }
                (columns(["Operation", "Status", "Answers"]))
                tbody { @for row in rows.iter().take(REFUSALS) { (row) } }
            }
            @if rows.len() > REFUSALS {
                p.note { "And more kinds: see " code { "refusals.csv" } "." }
            }
        }
    }
}

fn refused(operation: &str, statuses: &std::collections::BTreeMap<u16, u64>) -> Vec<Markup> {
    let row = |(status, n): (&u16, &u64)| {
        html! { tr { th scope="row" { (operation) } td { (status) } td { (number(*n)) } } }
    };
    statuses.iter().map(row).collect()
}

fn bucket(name: &str, counts: &PlaceSummary) -> Markup {
    let (asked, applied) = (by_mode(&counts.requests), by_mode(&counts.responses));
    html! {
        div.bucket {
            h4 { "Bucket " @if name.is_empty() { "not known" } @else { span.name { (text(name)) } } }
            @if counts.mismatch_count() > 0 { ul.alarms { (mismatches(counts)) } }
            table.modes {
                caption.unseen { "Bucket, by mode" }
                (mode_columns(false))
                tbody {
                    @for (mode, cells) in by_mode_of(counts, &asked, &applied) {
                        tr { (named(mode)) (cells) }
                    }
                }
            }
        }
    }
}
