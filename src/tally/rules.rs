//! Counts by the rules of a policy.
//!
//! Names of rules come from who runs sealwatch, not from the wire: there are as many as the policies
//! have that were in force.

use crate::policy::{Judgement, Outcome, Policy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Exchanges that a rule was about, by how they came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleCounts {
    /// The rule was kept.
    pub met: u64,
    /// It was broken.
    pub violated: u64,
    /// What would decide it was not seen.
    pub undecided: u64,
    /// It asked nothing of them.
    pub exempt: u64,
}

impl RuleCounts {
    /// Each with its name, in the order of [`Outcome::NAMES`].
    pub fn by_name(self) -> [(&'static str, u64); 4] {
        let [met, violated, undecided, exempt] = Outcome::NAMES;
        [
            (met, self.met),
            (violated, self.violated),
            (undecided, self.undecided),
            (exempt, self.exempt),
        ]
    }

    /// How many exchanges that is.
    pub fn total(self) -> u64 {
        self.met + self.violated + self.undecided + self.exempt
    }
}

/// What was judged.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// The policy in force.
    pub(super) policy: Option<Arc<Policy>>,
    /// By the names of its rules, and of those before it.
    pub(super) counts: BTreeMap<Arc<str>, RuleCounts>,
}

impl Rules {
    /// Judges by `policy` from now on. Its rules are there with nothing counted, as a rate needs
    /// something to rise from.
    pub(super) fn enter(&mut self, policy: &Arc<Policy>) {
        if self.policy.as_ref().is_some_and(|known| Arc::ptr_eq(known, policy)) {
            return;
        }
        for (rule, _) in policy.rules() {
            self.counts.entry(rule.clone()).or_default();
        }
        self.policy = Some(policy.clone());
    }

    pub(super) fn count(&mut self, judgement: &Judgement) {
        let counts = self.counts.entry(judgement.rule.clone()).or_default();
        *match judgement.outcome {
            Outcome::Met => &mut counts.met,
            Outcome::Violated(_) => &mut counts.violated,
            Outcome::Undecided => &mut counts.undecided,
            Outcome::Exempt => &mut counts.exempt,
        } += 1;
    }
}
