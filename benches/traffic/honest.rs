//! What the summary (`--format json`) must say of traffic that is known.

use super::truth::Truth;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Counts by what is counted: `store-1.example requests PutObject AES256`.
pub type Counts = BTreeMap<String, u64>;

/// What is to be counted of connections of which nothing was lost; where something was, the most.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Expected {
    pub counts: Counts,
    /// The least: of exchanges whose heads are whole in the capture.
    pub whole: Counts,
    pub exchanges: u64,
}

impl Expected {
    pub fn add(&mut self, truth: &[Truth]) {
        for (one, exchange) in
            truth.iter().flat_map(|one| one.exchanges.iter().map(move |it| (one, it)))
        {
            self.exchanges += 1;
            let host = format!("store-{}.example", exchange.host);
            let is_whole = [0, 1].iter().all(|side| one.is_whole(*side, exchange.heads[*side]));
            let mut count = |text: String| {
                if is_whole {
                    *self.whole.entry(text.clone()).or_default() += 1;
                }
                *self.counts.entry(text).or_default() += 1;
            };
            let operation = match exchange.method {
                "PUT" => "PutObject",
                "HEAD" => "HeadObject",
                _ => "GetObject",
            };
            if exchange.method == "PUT" {
                let asked = exchange.asked.unwrap_or("none");
                count(format!("{host} requests {operation} {asked}"));
            }
            if exchange.status == 200 {
                let applied = exchange.applied.unwrap_or("none");
                count(format!("{host} responses {operation} {applied}"));
            } else {
                count(format!("{host} refusals {operation} {}", exchange.status));
            }
        }
    }
}

/// What a summary counts of honest hosts.
pub fn counted(summary: &Value) -> Counts {
    let mut counts = Counts::new();
    let hosts = summary["hosts"].as_array().into_iter().flatten();
    for host in
        hosts.filter(|host| host["host"].as_str().is_some_and(|name| name.starts_with("store-")))
    {
        let name = host["host"].as_str().unwrap_or_default();
        for what in ["requests", "responses", "refusals"] {
            let operations = host[what].as_object().into_iter().flatten();
            for (operation, by_label) in operations {
                for (label, count) in by_label.as_object().into_iter().flatten() {
                    let count = count.as_u64().unwrap_or_default();
                    counts.insert(format!("{name} {what} {operation} {label}"), count);
                }
            }
        }
    }
    counts
}

/// Where what was counted differs: what, how often it was counted, how often it was said.
pub fn differences(expected: &Expected, summary: &Value) -> Vec<(String, u64, u64)> {
    let counted = counted(summary);
    let all: std::collections::BTreeSet<_> = counted.keys().chain(expected.counts.keys()).collect();
    let get = |counts: &Counts, what: &String| counts.get(what).copied().unwrap_or(0);
    all.into_iter()
        .map(|what| (what.clone(), get(&counted, what), get(&expected.counts, what)))
        .filter(|(_, counted, said)| counted != said)
        .collect()
}
