//! What everybody counts, in all: messages, and those of each mode. And whether that is right.

use crate::traffic::honest::{Counts, Expected};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(crate) type ByMode = BTreeMap<String, u64>;

/// What a tool counted; of answers, only final ones.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) responses: u64,
    /// Requests that name a mode, by mode.
    pub(crate) asked: ByMode,
    /// Answers that name a mode, by mode.
    pub(crate) applied: ByMode,
}

impl Sums {
    /// Adds a message by what a tool says of it, empty where that is nothing: the method of a request,
    /// the status of an answer, and the mode.
    pub(crate) fn add(&mut self, method: &str, status: &str, mode: &str) {
        let by_mode = if !method.is_empty() {
            self.requests += 1;
            &mut self.asked
        } else if !status.is_empty() && !status.starts_with('1') {
            self.responses += 1;
            &mut self.applied
        } else {
            return;
        };
        if !mode.is_empty() {
            *by_mode.entry(mode.to_owned()).or_default() += 1;
        }
    }

    fn of(counts: &Counts, exchanges: u64) -> Self {
        let mut sums = Self { requests: exchanges, responses: exchanges, ..Self::default() };
        for (text, count) in counts {
            let mut words = text.split(' ').skip(1);
            let (what, mode) = (words.next(), words.nth(1).unwrap_or_default());
            let by_mode = match what {
                Some("requests") => &mut sums.asked,
                Some("responses") => &mut sums.applied,
                _ => continue,
            };
            if mode != "none" {
                *by_mode.entry(mode.to_owned()).or_default() += count;
            }
        }
        sums
    }

    /// Where this is not what was said: what, how often it was counted, and how often at least and at
    /// most it was to be counted.
    pub(crate) fn wrong(&self, expected: &Expected) -> Option<String> {
        let whole = |what: &str| {
            let is_it = |text: &&String| text.split(' ').nth(1) == Some(what);
            expected.whole.keys().filter(is_it).map(|text| expected.whole[text]).sum::<u64>()
        };
        let least = Self::of(&expected.whole, whole("responses") + whole("refusals"));
        let most = Self::of(&expected.counts, expected.exchanges);
        let mut rows = vec![
            ("requests".to_owned(), self.requests, least.requests, most.requests),
            ("answers".to_owned(), self.responses, least.responses, most.responses),
        ];
        let of = |counts: &ByMode, mode: &str| counts.get(mode).copied().unwrap_or(0);
        let said = self.asked.keys().chain(self.applied.keys());
        let modes: std::collections::BTreeSet<_> =
            said.chain(most.asked.keys()).chain(most.applied.keys()).collect();
        for mode in modes {
            let asked = [self, &least, &most].map(|sums| of(&sums.asked, mode));
            rows.push((format!("PUTs with {mode}"), asked[0], asked[1], asked[2]));
            let applied = [self, &least, &most].map(|sums| of(&sums.applied, mode));
            rows.push((format!("answers with {mode}"), applied[0], applied[1], applied[2]));
        }
        let is_wrong = |(_, counted, least, most): &&(String, u64, u64, u64)| {
            counted < least || counted > most
        };
        rows.iter().find(is_wrong).map(|(what, counted, least, most)| {
            let due = if least == most { most.to_string() } else { format!("{least} to {most}") };
            format!("{counted} of {due} {what}")
        })
    }
}
