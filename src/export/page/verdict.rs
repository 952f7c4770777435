//! The verdict: what was seen in one line, and beside it how sure that is.

use super::View;
use crate::report::html::tone::Tone;
use crate::report::html::words::{bytes, counted, number, share, time};
use crate::report::{DropSummary, HostSummary, LedgerSummary, PolicySummary, Summary};
use maud::{Markup, html};

/// How it stands.
pub(super) struct Verdict<'v> {
    view: &'v View<'v>,
    /// In a few words.
    pub(super) headline: String,
    tone: Tone,
}

impl<'v> Verdict<'v> {
    pub(super) fn new(view: &'v View<'v>) -> Self {
        let summary = view.summary;
        let (violations, mismatches, findings) =
            (summary.violation_count(), summary.mismatch_count(), summary.finding_count());
        let on =
            |count: fn(&HostSummary) -> u64| counted(summary.hosts_with(count), "host", "hosts");
        let mismatched = || {
            let n = counted(mismatches, "mismatch", "mismatches");
            format!("{n} on {}", on(|host| host.counts.mismatch_count()))
        };
        let (tone, headline) = if violations > 0 {
            let n = counted(violations, "exchange", "exchanges");
            let broken = format!("{n} broke the policy on {}", on(HostSummary::violation_count));
            let also = if mismatches > 0 { format!("; {}", mismatched()) } else { String::new() };
            (Tone::Alarm, broken + &also)
        } else if mismatches > 0 {
            (Tone::Alarm, mismatched())
        } else if findings > 0 {
            let n = counted(findings, "finding", "findings");
            let odd = on(HostSummary::finding_count);
            (Tone::Odd, format!("No {} seen; {n} on {odd}", alarm(summary)))
        } else if !summary.hosts.is_empty() {
            (Tone::Calm, format!("No {} seen", alarm(summary)))
        } else if summary.first_packet.is_some() {
            (Tone::Nothing, "No object-store traffic seen yet".to_owned())
        } else {
            (Tone::Nothing, "No packet seen yet".to_owned())
        };
        Self { view, headline, tone }
    }

    pub(super) fn section(&self) -> Markup {
        html! {
            section #verdict class={ "verdict " (self.tone.class()) } aria-labelledby="headline" {
                div.said {
                    span.sign aria-hidden="true" { (self.tone.sign()) }
                    div {
                        h2 #headline { (self.headline) }
                        (seen(self.view.summary))
                    }
                }
                div.sure {
                    h3 #sure { "How sure is that?" }
                    dl aria-labelledby="sure" { (tiles(self.view)) }
                }
            }
        }
    }
}

/// What was looked for.
fn alarm(summary: &Summary) -> &'static str {
    if summary.policy.is_some() { "violation, no mismatch" } else { "mismatch" }
}

/// How much that is about, and of when.
fn seen(summary: &Summary) -> Markup {
    let exchanges = &summary.exchanges;
    html! {
        @if summary.first_packet.is_some() { p {
            (counted(exchanges.object_store, "object-store exchange", "object-store exchanges"))
            " with " (counted(summary.hosts.len() as u64, "host", "hosts")) "; "
            (counted(exchanges.other, "other HTTP exchange", "other HTTP exchanges"))
        } }
        @if let (Some(first), Some(last)) = (&summary.first_packet, &summary.last_packet) {
            p.muted { "Packets from " (time(first)) " to " (time(last)) }
        }
        p.muted {
            "A mismatch: a request asked for a mode, was answered with success, and got another, "
            "or no word of any."
        }
    }
}

fn tiles(view: &View<'_>) -> Markup {
    let ledger = &view.summary.ledger;
    html! {
        (examined(ledger))
        (blind_share(ledger))
        (gaps(ledger))
        (drops(ledger.drops))
        @if let Some(policy) = &view.summary.policy { (undecided(policy)) }
        (capture(view))
    }
}

/// One measure: its name, its value, what that is about, and whether all is well, if that can be
/// said.
fn tile(name: &str, value: &str, about: &str, is_well: Option<bool>) -> Markup {
    html! {
        div.tile.well[is_well == Some(true)].unwell[is_well == Some(false)] {
            dt { (name) }
            dd { b { (value) } span { (about) } }
        }
    }
}

fn examined(ledger: &LedgerSummary) -> Markup {
    let (examined, all) = ledger.examined();
    match share(examined, all) {
        Some(share) => {
            let about = format!("of {} of TCP payload", bytes(all));
            tile("Examined", &share, &about, Some(examined == all))
        }
        None => tile("Examined", "–", "no payload yet", None),
    }
}

/// The share of what may hold exchanges that could not be looked into.
fn blind_share(ledger: &LedgerSummary) -> Markup {
    let (blind, all) = ledger.blind_share();
    let connections = ledger.blind.connections();
    let about = match connections {
        0 => "no TLS, HTTP/2 or QUIC".to_owned(),
        n => format!("of bytes, in {}", counted(n, "connection", "connections")),
    };
    let share = share(blind, all);
    let is_well = share.is_some().then_some(connections == 0);
    tile("Blind", share.as_deref().unwrap_or("–"), &about, is_well)
}

fn gaps(ledger: &LedgerSummary) -> Markup {
    let about = match ledger.gap_bytes {
        0 => "nothing is missing".to_owned(),
        n => format!("{} not captured", bytes(n)),
    };
    tile("Gaps", &number(ledger.gaps), &about, Some(ledger.gaps == 0))
}

fn drops(drops: DropSummary) -> Markup {
    let dropped = drops.kernel + drops.interface + drops.queue;
    let about = if dropped == 0 { "no packet" } else { "packets: see Capture" };
    tile("Dropped", &number(dropped), about, Some(dropped == 0))
}

/// How many exchanges the policy has no answer for.
fn undecided(policy: &PolicySummary) -> Markup {
    let n = policy.undecided_count();
    let about = if n == 0 { "every exchange was judged" } else { "too little of them was seen" };
    tile("Undecided", &number(n), about, Some(n == 0))
}

/// Whether it captures, where there is something to capture on.
fn capture(view: &View<'_>) -> Markup {
    let up = view.interfaces.iter().filter(|interface| interface.is_up).count();
    let all = view.interfaces.len();
    let is_ready = view.unready.is_empty();
    let about = if is_ready { "all is well" } else { "see Capture" };
    match all {
        0 => tile("Ready", if is_ready { "yes" } else { "no" }, about, Some(is_ready)),
        _ => {
            let interfaces = if all == 1 { "interface up" } else { "interfaces up" };
            tile("Capturing", &format!("{up} of {all}"), interfaces, Some(is_ready))
        }
    }
}
