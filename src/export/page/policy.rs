//! The policy: each rule, what it asks for, and how exchanges came out by it.

use crate::report::html::words::{number, text};
use crate::report::{PolicySummary, Summary};
use maud::{Markup, html};

/// How many rules are shown, the broken ones first.
const RULES: usize = 200;

/// The policy, where there is one.
pub(super) fn section(summary: &Summary) -> Markup {
    html! {
        @if let Some(policy) = &summary.policy {
            section #policy aria-labelledby="policy-title" {
                h2 #policy-title { "Policy: " (text(&policy.name)) }
                @if let Some(description) = &policy.description { p { (text(description)) } }
                (rules(policy))
                p.muted { "Undecided: too little was seen of an exchange. Exempt: its rule asks "
                    "nothing of it, or it moved no object." }
            }
        }
    }
}

fn rules(policy: &PolicySummary) -> Markup {
    let rules = policy.rules_by_alarm();
    html! {
        table.rules {
            caption.unseen { "Exchanges by rule" }
            thead { tr { th { "Rule" } th { "Met" } th { "Violated" } th { "Undecided" } th { "Exempt" } } }
            tbody {
                @for rule in rules.iter().take(RULES) {
                    tr {
                        th scope="row" {
                            b { (text(&rule.rule)) } " "
                            span.muted {
                                @match &rule.asks {
                                    Some(asks) => { "asks: " (text(asks)) }
                                    None => "is not in the policy any more",
                                }
                            }
                        }
                        td { (number(rule.met)) }
                        td { @if rule.violated > 0 { span.tag.bad { (number(rule.violated)) } }
                            @else { "0" } }
                        td { (number(rule.undecided)) }
                        td { (number(rule.exempt)) }
                    }
                }
            }
        }
        @if rules.len() > RULES {
            p.note {
                "And " (number((rules.len() - RULES) as u64)) " more: see "
                a href="api/v1/summary" { "all counts" } "."
            }
        }
    }
}
