//! How exchanges came out by a policy: the rules that were broken first, and some that broke them.

use super::{Table, counted, seconds};
use crate::report::evidence::Case;
use crate::report::policy::{PolicySummary, RuleSummary};
use crate::report::time::rfc3339;
use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write};

/// How many exchanges are shown.
const CASES: usize = 5;

impl Table<'_> {
    /// The verdict of the policy, if there is one.
    pub(super) fn policy(&self, out: &mut String) -> fmt::Result {
        let Some(policy) = &self.summary.policy else { return Ok(()) };
        writeln!(out)?;
        let (violated, undecided) = (policy.violation_count(), policy.undecided_count());
        let verdict = match violated {
            0 => "not broken by anything seen".to_owned(),
            1 => "broken by 1 exchange".to_owned(),
            n => format!("broken by {n} exchanges"),
        };
        let colour = match (violated, undecided) {
            (0, 0) => AnsiColor::Green,
            (0, _) => AnsiColor::Yellow,
            (_, _) => AnsiColor::Red,
        };
        let style = colour.on_default().bold();
        self.styled(out, style, &format!("policy {}: {verdict}", policy.name))?;
        for rule in policy.rules_by_alarm() {
            self.rule(out, rule)?;
        }
        self.cases(out, policy)
    }

    fn rule(&self, out: &mut String, rule: &RuleSummary) -> fmt::Result {
        let RuleSummary { met, violated, undecided, exempt, .. } = rule;
        let (mark, style) = match violated {
            0 => (" ", Style::new()),
            _ => ("!", AnsiColor::Red.on_default().bold()),
        };
        let mut counts = Vec::new();
        let words =
            [(violated, "broken"), (met, "kept"), (undecided, "undecided"), (exempt, "exempt")];
        for (n, word) in words.into_iter().filter(|(n, _)| **n > 0) {
            counts.push(format!("{n} {word}"));
        }
        let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
        self.styled(out, style, &format!("  {mark} {}: {counts}", rule.rule))?;
        match &rule.asks {
            Some(asks) if *violated > 0 => {
                self.styled(out, Style::new(), &format!("      asks: {asks}"))
            }
            None => self.styled(out, Style::new(), "      not in the policy any more"),
            _ => Ok(()),
        }
    }

    fn cases(&self, out: &mut String, policy: &PolicySummary) -> fmt::Result {
        let Some(cases) = &policy.violations else { return Ok(()) };
        for case in cases.iter().take(CASES) {
            self.case(out, case)?;
        }
        match policy.violation_count().saturating_sub(cases.len().min(CASES) as u64) {
            0 => Ok(()),
            more if cases.is_empty() => writeln!(out, "    {}", counted(more, "exchange")),
            more => writeln!(out, "    and {more} more (--format jsonl has all)"),
        }
    }

    fn case(&self, out: &mut String, case: &Case) -> fmt::Result {
        let time = seconds(&rfc3339(case.time));
        let what = case.operation.or(case.method.as_deref()).unwrap_or("unknown");
        let target = case.target.as_deref().unwrap_or("(request not seen)");
        let (client, host) = (case.client_ip, &case.host);
        self.styled(out, Style::new(), &format!("    {time} {client} to {host}"))?;
        self.styled(out, Style::new(), &format!("      {what} {target}"))?;
        let said = |mode: Option<&'static str>| mode.unwrap_or("-");
        let (asked, applied) = (said(case.requested_mode), said(case.applied_mode));
        self.styled(out, Style::new(), &format!("      asked {asked}, applied {applied}"))?;
        let reasons = case.why();
        let rule = case.policy_rule.as_deref().unwrap_or_default();
        let line = format!("      breaks {rule}: {}", reasons.join(", "));
        self.styled(out, Style::new(), &line)
    }
}
