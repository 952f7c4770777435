//! How exchanges came out by a policy.

use super::evidence::{Case, Evidence};
use crate::policy::DEFAULT;
use crate::tally::{RuleCounts, Tally};
use serde::Serialize;
use std::cmp::Reverse;

/// How exchanges came out by a policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicySummary {
    /// What the policy is called.
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// Its rules, in their order; then those of policies before it.
    pub rules: Vec<RuleSummary>,
    /// The first exchanges that broke a rule, by time. `null` where exchanges are not kept.
    pub violations: Option<Vec<Case>>,
}

/// How exchanges came out by a rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleSummary {
    /// The rule's name.
    pub rule: String,
    /// What it asks for, in words; `null` where it is not in the policy any more.
    pub asks: Option<String>,
    /// Exchanges in which all of that was seen.
    pub met: u64,
    /// Exchanges in which something was seen that it does not allow.
    pub violated: u64,
    /// Exchanges of which too little was seen.
    pub undecided: u64,
    /// Exchanges of which it asks nothing.
    pub exempt: u64,
}

impl PolicySummary {
    /// Of a tally that counts by a policy.
    pub(super) fn new(tally: &Tally) -> Option<Self> {
        let policy = tally.policy()?;
        let counts = tally.rules();
        let mut rules: Vec<_> = policy
            .rules()
            .map(|(rule, asks)| {
                let counts = counts.get(rule).copied().unwrap_or_default();
                RuleSummary::new(rule, Some(asks), counts)
            })
            .collect();
        let known = rules.len();
        for (rule, counts) in counts {
            if rules[..known].iter().all(|known| known.rule != **rule) {
                rules.push(RuleSummary::new(rule, None, *counts));
            }
        }
        Some(Self {
            name: policy.name().to_owned(),
            description: policy.description().map(str::to_owned),
            sha256: policy.digest().to_owned(),
            rules,
            violations: None,
        })
    }

    /// The same, with the exchanges that broke a rule.
    pub(super) fn with(self, evidence: &Evidence) -> Self {
        Self { violations: Some(evidence.violations.first()), ..self }
    }

    /// The rules as a person wants them: those that were broken first; the default only where it was
    /// about anything.
    pub fn rules_by_alarm(&self) -> Vec<&RuleSummary> {
        let is_about_any = |rule: &&RuleSummary| rule.rule != DEFAULT || rule.total() > 0;
        let mut rules: Vec<_> = self.rules.iter().filter(is_about_any).collect();
        rules.sort_by_key(|rule| Reverse(rule.violated > 0));
        rules
    }

    /// The rules of the policy itself: those that have something to ask.
    fn in_force(&self) -> impl Iterator<Item = &RuleSummary> {
        self.rules.iter().filter(|rule| rule.asks.is_some())
    }

    /// How many exchanges broke a rule of the policy in force.
    pub fn violation_count(&self) -> u64 {
        self.in_force().map(|rule| rule.violated).sum()
    }

    /// How many exchanges kept or broke a rule.
    pub fn judged_count(&self) -> u64 {
        self.in_force().map(|rule| rule.met + rule.violated).sum()
    }

    /// How many exchanges could not be judged.
    pub fn undecided_count(&self) -> u64 {
        self.in_force().map(|rule| rule.undecided).sum()
    }
}

impl RuleSummary {
    /// How many exchanges it was about.
    pub fn total(&self) -> u64 {
        self.met + self.violated + self.undecided + self.exempt
    }

    fn new(rule: &str, asks: Option<String>, counts: RuleCounts) -> Self {
        let RuleCounts { met, violated, undecided, exempt } = counts;
        Self { rule: rule.to_owned(), asks, met, violated, undecided, exempt }
    }
}
