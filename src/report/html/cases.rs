//! Exchanges one by one.

use super::tables::{columns, stack_columns};
use super::words::{counted, text};
use crate::report::scope::Report;
use crate::report::{Case, rfc3339};
use crate::s3::Finding;
use maud::{Markup, html};

/// How many exchanges of a kind are shown.
const SHOWN: usize = 50;

/// What an exchange is shown for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It broke a rule.
    Policy,
    /// Another mode was applied than the one asked for.
    Mismatch,
    /// It has findings.
    Finding,
}

/// Mismatches and findings.
pub(super) fn sections(report: &Report<'_>) -> Markup {
    let evidence = report.evidence;
    let (mismatches, findings) = (evidence.mismatches.first(), evidence.findings.first());
    html! {
        section #mismatches aria-labelledby="mismatches-title" {
            h2 #mismatches-title { "Mismatches" }
            p { "A request asked for a mode, was answered with success, and got another, or no word of any." }
            (all(&mismatches, evidence.mismatches.count(), Why::Mismatch))
        }
        section #findings aria-labelledby="findings-title" {
            h2 #findings-title { "Findings" }
            p { "What was odd about exchanges, whether or not a policy forbids it." }
            @if !report.summary.hosts.iter().all(|host| host.findings.is_empty()) { (kinds(report)) }
            (all(&findings, evidence.findings.count(), Why::Finding))
        }
    }
}

fn all(cases: &[Case], count: u64, why: Why) -> Markup {
    let (name, file) = match why {
        Why::Mismatch => ("Exchanges with a mismatch", "mismatches.csv"),
        _ => ("Exchanges with findings", "findings.csv"),
    };
    let cases: Vec<_> = cases.iter().collect();
    html! {
        @if count == 0 { p { b { "None was seen." } } }
        @else { (table(&html! { (name) }, &cases, count, why, file)) }
    }
}

/// How many findings of each kind.
fn kinds(report: &Report<'_>) -> Markup {
    let count = |finding: Finding| -> u64 {
        let hosts = report.summary.hosts.iter();
        hosts.filter_map(|host| host.findings.get(finding.as_str())).sum()
    };
    html! {
        table {
            caption { "Findings by kind" }
            (columns(["Finding", "Exchanges"]))
            tbody {
                @for (finding, n) in Finding::ALL.map(|finding| (finding, count(finding))) {
                    @if n > 0 {
                        tr {
                            th scope="row" { (crate::report::meaning(finding)) " " code { (finding.as_str()) } }
                            td { (n) }
                        }
                    }
                }
            }
        }
    }
}

/// The first of some exchanges, of which there are `count`.
///
/// On a narrow screen its cells stand below each other: the roles say that it is a table all the same.
pub(super) fn table(title: &Markup, cases: &[&Case], count: u64, why: Why, file: &str) -> Markup {
    let shown = &cases[..cases.len().min(SHOWN)];
    let last = if why == Why::Finding { "Findings" } else { "Why" };
    html! {
        @if !shown.is_empty() {
            table.cases.stack role="table" {
                caption.unseen[why == Why::Policy] { (title) }
                (stack_columns(["When and who", "What", "Asked and applied", last]))
                tbody role="rowgroup" {
                    @for case in shown {
                        tr role="row" {
                            td role="cell" { (when(case)) }
                            td role="cell" { (what(case)) }
                            td role="cell" { (modes(case)) }
                            td role="cell" { (reasons(case, why)) }
                        }
                    }
                }
            }
        }
        @let more = count.saturating_sub(shown.len() as u64);
        @if more > 0 {
            p.note {
                @if shown.is_empty() { (counted(more, "exchange", "exchanges")) ", none among the first that are kept: " }
                @else { "And " (counted(more, "more exchange", "more exchanges")) ", later ones: " }
                code { (file) } " has the first 1,000, " code { "--format jsonl" } " all."
            }
        }
    }
}

fn when(case: &Case) -> Markup {
    let end = |ip: std::net::IpAddr, port| std::net::SocketAddr::new(ip, port).to_string();
    html! {
        time { (rfc3339(case.time).replace('T', " ")) }
        span.line { (end(case.client_ip, case.client_port)) " to " (end(case.server_ip, case.server_port)) }
    }
}

fn what(case: &Case) -> Markup {
    html! {
        b.name { (text(&case.host)) }
        span.line {
            (case.operation.unwrap_or("unknown"))
            @if let Some(bucket) = &case.bucket { " in bucket " span.name { (text(bucket)) } }
            @if let Some(status) = case.status { ", answered " (status) } @else { ", answer not seen" }
        }
        @match (&case.method, &case.target) {
            (Some(method), Some(target)) => span.line.name { (text(method)) " " (text(target)) },
            _ => span.line { "request not seen" },
        }
    }
}

fn modes(case: &Case) -> Markup {
    let said = |mode: Option<&'static str>| mode.unwrap_or("–");
    html! {
        span.pair { "asked " b { (said(case.requested_mode)) } }
        span.pair { "applied " b { (said(case.applied_mode)) } }
        @if let Some(key) = &case.kms_key_id { span.line { "key " span.name { (text(key)) } } }
    }
}

fn reasons(case: &Case, why: Why) -> Markup {
    html! {
        @match why {
            Why::Policy => @for why in case.why() { span.pair { "not allowed: " (why) } },
            Why::Mismatch if case.applied_mode == Some("none") => "no header in the answer",
            Why::Mismatch => "another mode in the answer",
            Why::Finding => @for finding in &case.findings { code.pair { (finding) } },
        }
    }
}
