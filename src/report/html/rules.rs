//! The policy, rule by rule: what each asks, how exchanges came out, and those that broke it.

use super::cases::{self, Why};
use super::tables::{stack_cell, stack_columns};
use super::words::{counted, number, text};
use crate::report::scope::Report;
use crate::report::{Case, PolicySummary, RuleSummary};
use maud::{Markup, html};

/// How many rules are shown, the broken ones first.
const RULES: usize = 200;

pub(super) fn section(report: &Report<'_>) -> Markup {
    html! {
        @if let Some(policy) = &report.summary.policy {
            section #policy aria-labelledby="policy-title" {
                h2 #policy-title { "Policy: " (text(&policy.name)) }
                @if let Some(description) = &policy.description { p { (text(description)) } }
                p.muted { "The first rule that is about an exchange judges it." }
                (rules(report, policy))
            }
        }
    }
}

fn rules(report: &Report<'_>, policy: &PolicySummary) -> Markup {
    let rules = policy.rules_by_alarm();
    let shown = &rules[..rules.len().min(RULES)];
    let violations = report.evidence.violations.first();
    html! {
        table.rules.stack role="table" {
            caption { "Exchanges by rule" }
            (stack_columns(["Rule", "Violated", "Met", "Undecided", "Exempt"]))
            tbody role="rowgroup" { @for rule in shown { (row(rule)) } }
        }
        @if rules.len() > RULES {
            p.note { "And " (number((rules.len() - RULES) as u64)) " more: see " code { "rules.csv" } "." }
        }
        @for rule in shown.iter().filter(|rule| rule.violated > 0) { (broken(rule, &violations)) }
    }
}

fn row(rule: &RuleSummary) -> Markup {
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                b { (text(&rule.rule)) }
                span.line {
                    @match &rule.asks {
                        Some(asks) => { "asks: " (text(asks)) }
                        None => "is not in the policy any more",
                    }
                }
            }
            (stack_cell("Violated", &html! {
                @if rule.violated > 0 { b.bad { (number(rule.violated)) " ✗" } } @else { "0" }
            }))
            @for (label, n) in [("Met", rule.met), ("Undecided", rule.undecided), ("Exempt", rule.exempt)] {
                (stack_cell(label, &html! { (number(n)) }))
            }
        }
    }
}

/// The exchanges that broke a rule.
fn broken(rule: &RuleSummary, violations: &[Case]) -> Markup {
    let is_its = |case: &&Case| case.policy_rule.as_deref() == Some(&rule.rule);
    let its: Vec<_> = violations.iter().filter(is_its).collect();
    let title = html! {
        (counted(rule.violated, "exchange", "exchanges")) " broke: " (text(&rule.rule))
    };
    html! {
        h3 { (title) }
        (cases::table(&title, &its, rule.violated, Why::Policy, "violations.csv"))
    }
}
