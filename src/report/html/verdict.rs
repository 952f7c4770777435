//! The verdict, in plain words.

use super::tone::Tone;
use super::words::{counted, number, text, time};
use crate::report::scope::Report;
use crate::report::{HostSummary, PolicySummary, Summary};
use maud::{Markup, html};

/// How it came out.
pub(super) struct Verdict<'r> {
    report: &'r Report<'r>,
    headline: String,
    tone: Tone,
}

impl<'r> Verdict<'r> {
    pub(super) fn new(report: &'r Report<'r>) -> Self {
        let summary = report.summary;
        let (tone, headline) = match &summary.policy {
            Some(policy) => by_policy(policy, summary.first_packet.is_some()),
            None => (Tone::Calm, without_policy(summary)),
        };
        let tone = match tone {
            _ if summary.violation_count() + summary.mismatch_count() > 0 => Tone::Alarm,
            _ if summary.exchanges.object_store == 0 => Tone::Nothing,
            Tone::Calm if summary.finding_count() > 0 => Tone::Odd,
            tone => tone,
        };
        Self { report, headline, tone }
    }

    pub(super) fn title(&self) -> String {
        format!("{} · sealwatch report", self.headline)
    }

    pub(super) fn section(&self) -> Markup {
        let summary = self.report.summary;
        html! {
            section #verdict class={ "verdict " (self.tone.class()) } aria-labelledby="verdict-title" {
                div.said {
                    span.sign aria-hidden="true" { (self.tone.sign()) }
                    div {
                        h2 #verdict-title { (self.headline) }
                        (about(summary))
                        p.muted { (caveat(self.report)) }
                    }
                }
                dl.facts { (policy_fact(summary)) (mismatches(summary)) (findings(summary)) }
            }
        }
    }
}

fn by_policy(policy: &PolicySummary, has_packets: bool) -> (Tone, String) {
    let (violated, undecided) = (policy.violation_count(), policy.undecided_count());
    let met: u64 = policy.rules.iter().map(|rule| rule.met).sum();
    let exchanges = |n| counted(n, "exchange", "exchanges");
    match (violated, met, undecided) {
        (1.., _, _) => (Tone::Alarm, format!("Policy broken, by {}", exchanges(violated))),
        (0, 0, 0) if policy.rules.iter().all(|rule| rule.total() == 0) => {
            let nothing =
                if has_packets { "no object-store traffic was seen" } else { "no packet was read" };
            (Tone::Nothing, format!("Policy not judged: {nothing}"))
        }
        (0, 0, 0) => {
            (Tone::Nothing, "Policy not judged: it asks nothing of what was seen".to_owned())
        }
        (0, 0, _) => (
            Tone::Odd,
            format!("Policy not judged: too little was seen of {}", exchanges(undecided)),
        ),
        (0, _, 0) => (Tone::Calm, format!("Policy kept, by all that was seen: {}", exchanges(met))),
        (0, _, _) => {
            let open = format!("{} undecided", exchanges(undecided));
            (Tone::Odd, format!("Policy not broken by anything seen; {open}"))
        }
    }
}

fn without_policy(summary: &Summary) -> String {
    let seen = match (summary.mismatch_count(), summary.exchanges.object_store) {
        (0, 0) => "No object-store traffic seen".to_owned(),
        (0, _) => "No mismatch seen".to_owned(),
        (n, _) => format!("{} seen", counted(n, "mismatch", "mismatches")),
    };
    seen + "; not judged by a policy"
}

/// How much that is about, and of when.
fn about(summary: &Summary) -> Markup {
    let exchanges = &summary.exchanges;
    html! {
        p {
            (counted(exchanges.object_store, "object-store exchange", "object-store exchanges"))
            " with " (counted(summary.hosts.len() as u64, "host", "hosts"))
            @if let (Some(first), Some(last)) = (&summary.first_packet, &summary.last_packet) {
                ", in packets from " (time(first)) " to " (time(last))
            } @else { "; no packet was read" }
            "."
        }
    }
}

/// That it is about what was seen, and whether that is all there was.
fn caveat(report: &Report<'_>) -> String {
    let doubts = super::sure::doubts(report);
    match &doubts[..] {
        [] => "Everything in the files could be examined.".to_owned(),
        doubts => format!(
            "This is about what was seen, and not everything could be: {}. “How sure is that?” says \
             what that could hide.",
            doubts.join(", ")
        ),
    }
}

fn fact(name: &str, value: &Markup, about: &Markup, class: &str) -> Markup {
    html! {
        div.fact.(class) { dt { (name) } dd { b { (value) } span { (about) } } }
    }
}

fn policy_fact(summary: &Summary) -> Markup {
    let Some(policy) = &summary.policy else {
        let about = html! { "There was none: " code { "--policy" } " gives one." };
        return fact("Policy", &html! { "not judged" }, &about, "plain");
    };
    let (violated, judged) = (policy.violation_count(), policy.judged_count());
    let (value, class) = match (violated, judged) {
        (1.., _) => ("broken", "unwell"),
        (0, 0) => ("not judged", "plain"),
        (0, _) => ("kept, as seen", "well"),
    };
    let about = html! {
        (text(&policy.name)) ": " (number(violated)) " of "
        (counted(judged, "judged exchange", "judged exchanges")) " broke it"
        @if policy.undecided_count() > 0 { "; " (number(policy.undecided_count())) " undecided" }
    };
    fact("Policy", &html! { (value) }, &about, class)
}

fn mismatches(summary: &Summary) -> Markup {
    let n = summary.mismatch_count();
    let on = summary.hosts_with(|host| host.counts.mismatch_count());
    let about = html! {
        @if n > 0 { "on " (counted(on, "host", "hosts")) ": " }
        "another mode applied than asked for, or no word of any"
    };
    fact("Mismatches", &html! { (number(n)) }, &about, if n > 0 { "unwell" } else { "well" })
}

fn findings(summary: &Summary) -> Markup {
    let n = summary.finding_count();
    let on = summary.hosts_with(HostSummary::finding_count);
    let about = html! {
        @if n > 0 { "on " (counted(on, "host", "hosts")) ": " }
        "keys in clear text, headers that contradict each other or mean nothing"
    };
    fact("Findings", &html! { (number(n)) }, &about, if n > 0 { "odd" } else { "well" })
}
