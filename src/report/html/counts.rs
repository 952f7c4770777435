//! Counts of hosts as pages show them: what is alarming, and the cells of tables by mode.

use super::words::{key, number, text};
use crate::report::{self, Counts, HostSummary, PlaceSummary};
use crate::s3::{Finding, INVALID_HOST, Mode};
use crate::tally::OVERFLOW;
use maud::{Markup, html};

/// What a name that is ours stands for.
pub(crate) fn stand_in(host: &str) -> Option<&'static str> {
    match host {
        OVERFLOW => Some(
            "Stands for every host that came after the limit of --max-hosts: they are counted \
             together.",
        ),
        INVALID_HOST => Some(
            "Stands for requests whose Host header is missing, repeated, or no host name: they are \
             counted together.",
        ),
        _ => None,
    }
}

/// What is alarming about a host, the worst first.
pub(crate) fn alarms(host: &HostSummary) -> Markup {
    html! {
        @if host.violation_count() + host.counts.mismatch_count() + host.finding_count() > 0 {
            ul.alarms {
                @for (rule, n) in host.policy_violations.iter().flatten() {
                    li.bad { b { (number(*n)) " ×" } " broke the rule " b { (text(rule)) } }
                }
                (mismatches(&host.counts))
                @for finding in Finding::ALL {
                    @if let Some(n) = host.findings.get(finding.as_str()) {
                        li.warn {
                            b { (number(*n)) " ×" } " " (report::meaning(finding)) " "
                            code { (finding.as_str()) }
                        }
                    }
                }
            }
        }
    }
}

/// Mismatches, as items of a list.
pub(crate) fn mismatches(counts: &PlaceSummary) -> Markup {
    html! {
        @for mismatch in &counts.mismatches {
            li.bad {
                b { (number(mismatch.count)) " ×" } " asked " b { (mismatch.requested) }
                ", applied " b { (mismatch.applied) }
            }
        }
    }
}

/// The modes that either column has.
pub(crate) fn present<'c>(
    left: Option<&'c Counts>,
    right: Option<&'c Counts>,
) -> impl Iterator<Item = Mode> + use<'c> {
    let has = |counts: Option<&Counts>, mode: Mode| {
        counts.is_some_and(|counts| counts.contains_key(mode.as_str()))
    };
    Mode::ALL.into_iter().filter(move |mode| has(left, *mode) || has(right, *mode))
}

/// A mode, at the head of a row; the longest may be broken on a narrow screen.
pub(crate) fn named(mode: Mode) -> Markup {
    let (name, rest) = match mode {
        Mode::KmsDsse => mode.as_str().split_at("aws:kms:".len()),
        _ => (mode.as_str(), ""),
    };
    html! { th.(key(mode)) scope="row" { (name) @if !rest.is_empty() { wbr; (rest) } } }
}

/// A count of a mode, or that there is none.
pub(crate) fn cell(counts: Option<&Counts>, mode: Mode, show: impl Fn(u64) -> String) -> Markup {
    match counts.and_then(|counts| counts.get(mode.as_str())) {
        Some(n) => html! { td { (show(*n)) } },
        None => html! { td { "–" } },
    }
}
