//! What was examined: files, times, options, policy.

use super::words::{number, text, time};
use crate::net::Timestamp;
use crate::report::scope::{Report, Scope, ScopeFile};
use crate::report::{PolicySummary, Summary, rfc3339};
use maud::{Markup, html};

/// How many files are shown.
const FILES: usize = 500;

pub(super) fn section(report: &Report<'_>) -> Markup {
    let Report { scope, summary, .. } = report;
    html! {
        section #scope aria-labelledby="scope-title" {
            h2 #scope-title { "What was examined" }
            (files(scope))
            (table(report, summary))
            @if scope.was_stopped {
                p.alarm-note { "Reading was stopped by a signal before all of it was read." }
            }
            p.note {
                "The same files, options and version give this document again, byte for byte. It does not "
                "say when, where or by whom it was made: that is for the signature."
            }
        }
    }
}

fn files(scope: &Scope) -> Markup {
    html! {
        ol.files {
            @for file in scope.files.iter().take(FILES) { li { (self::file(file)) } }
        }
        @if scope.files.is_empty() { p { "No file could be found." } }
        @if scope.files.len() > FILES {
            p.note {
                "And " (number((scope.files.len() - FILES) as u64)) " more files: see "
                code { "files.csv" } "."
            }
        }
    }
}

fn file(file: &ScopeFile) -> Markup {
    html! {
        span.name { (text(&file.path)) }
        @if let Some(note) = &file.note { " " strong.remark { (text(note)) } }
        @if let Some(size) = file.bytes {
            span.line {
                (number(size)) " bytes"
                @if let Some(packets) = file.packets { ", " (number(packets)) " packets" }
                @if let Some((first, last)) = file.period { ", " (at(first)) " to " (at(last)) }
            }
        }
        @if let Some(digest) = &file.sha256 { span.line { "SHA-256 " code { (digest) } } }
    }
}

fn at(time: Timestamp) -> Markup {
    self::time(&rfc3339(time))
}

fn table(report: &Report<'_>, summary: &Summary) -> Markup {
    let packets: u64 = summary.ledger.packets.values().sum();
    html! {
        table.scope {
            caption { "How" }
            tbody {
                tr { th scope="row" { "Packets" } td {
                    (number(packets)) " examined"
                    @if let (Some(first), Some(last)) = (&summary.first_packet, &summary.last_packet) {
                        ", from " (exact(first)) " to " (exact(last))
                    }
                } }
                tr { th scope="row" { "Program" } td { "sealwatch " (summary.sealwatch) } }
                tr { th scope="row" { "Options" } td { (options(report.scope)) } }
                tr { th scope="row" { "Policy" } td { (policy(summary.policy.as_ref())) } }
            }
        }
    }
}

/// A time as it is counted.
fn exact(rfc3339: &str) -> Markup {
    html! { time { (rfc3339.replace('T', " ")) } }
}

fn options(scope: &Scope) -> Markup {
    html! {
        @if scope.options.is_empty() { "as they are without any" }
        @else {
            ul {
                @for (name, values) in &scope.options {
                    @if values.is_empty() { li { code { "--" (name) } } }
                    @for value in values { li { code { "--" (name) "=" (text(value)) } } }
                }
            }
        }
    }
}

fn policy(policy: Option<&PolicySummary>) -> Markup {
    html! {
        @match policy {
            None => "none",
            Some(policy) => {
                b { (text(&policy.name)) }
                @if let Some(description) = &policy.description { span.line { (text(description)) } }
                span.line { "SHA-256 of its file " code { (policy.sha256) } }
            }
        }
    }
}
