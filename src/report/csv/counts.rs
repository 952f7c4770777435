//! Tables of counts: by rule, and by host.

use super::Table;
use crate::report::{Counts, CountsBy, HostSummary, PlaceSummary, Summary};
use crate::s3::Mode;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn rules(summary: &Summary) -> Table {
    let columns =
        ["policy", "policy_sha256", "rule", "asks", "met", "violated", "undecided", "exempt"];
    let mut table = Table::new(&columns);
    if let Some(policy) = &summary.policy {
        for rule in &policy.rules {
            table.text(&policy.name).text(&policy.sha256);
            table.text(&rule.rule).maybe(rule.asks.as_deref());
            table.number(rule.met).number(rule.violated);
            table.number(rule.undecided).number(rule.exempt).end();
        }
    }
    table
}

/// A host's places: its buckets where they are told apart, else all of it under the empty name.
fn places(host: &HostSummary) -> Vec<(&str, &PlaceSummary)> {
    match &host.buckets {
        Some(buckets) => buckets.iter().map(|(name, counts)| (name.as_str(), counts)).collect(),
        None => vec![("", &host.counts)],
    }
}

pub(super) fn hosts(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "bucket", "operation", "mode", "requests", "responses"]);
    for host in &summary.hosts {
        for (bucket, PlaceSummary { requests, responses, .. }) in places(host) {
            let operations: BTreeSet<_> = requests.keys().chain(responses.keys()).collect();
            for operation in operations {
                let (asked, applied) = (requests.get(operation), responses.get(operation));
                for (mode, asked, applied) in by_mode(asked, applied) {
                    table.text(&host.host).text(bucket).text(operation).text(mode);
                    table.number(asked).number(applied).end();
                }
            }
        }
    }
    table
}

/// Both counts of each mode that either has.
fn by_mode(left: Option<&Counts>, right: Option<&Counts>) -> Vec<(&'static str, u64, u64)> {
    let count =
        |counts: Option<&Counts>, mode: &str| counts.and_then(|counts| counts.get(mode)).copied();
    let both = |mode: Mode| {
        let (left, right) = (count(left, mode.as_str()), count(right, mode.as_str()));
        let is_there = left.or(right).is_some();
        is_there.then(|| (mode.as_str(), left.unwrap_or_default(), right.unwrap_or_default()))
    };
    Mode::ALL.into_iter().filter_map(both).collect()
}

/// What is alarming: how often, for each host.
pub(super) fn alarms(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "bucket", "kind", "what", "count"]);
    for host in &summary.hosts {
        for (rule, n) in host.policy_violations.iter().flatten() {
            table.text(&host.host).text("").text("violation").text(rule).number(*n).end();
        }
        for (bucket, counts) in places(host) {
            for mismatch in &counts.mismatches {
                let what = format!("asked {}, applied {}", mismatch.requested, mismatch.applied);
                table.text(&host.host).text(bucket).text("mismatch").text(&what);
                table.number(mismatch.count).end();
            }
        }
        for (finding, n) in &host.findings {
            table.text(&host.host).text("").text("finding").text(finding).number(*n).end();
        }
    }
    table
}

pub(super) fn object_bytes(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "bucket", "direction", "mode", "bytes"]);
    for host in &summary.hosts {
        for (bucket, counts) in places(host) {
            for (direction, mode, bytes) in each(&counts.object_bytes) {
                table.text(&host.host).text(bucket).text(direction).text(mode).number(bytes).end();
            }
        }
    }
    table
}

fn each(counts: &CountsBy) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    let of = |(first, counts): (&&'static str, _)| {
        let (first, counts): (_, &Counts) = (*first, counts);
        counts.iter().map(move |(second, n)| (first, *second, *n))
    };
    counts.iter().flat_map(of)
}

pub(super) fn refusals(summary: &Summary) -> Table {
    let mut table = Table::new(&["host", "operation", "status", "count"]);
    for HostSummary { host, refusals, .. } in &summary.hosts {
        for (operation, statuses) in refusals {
            let statuses: &BTreeMap<u16, u64> = statuses;
            for (status, n) in statuses {
                table.text(host).text(operation).number(*status).number(*n).end();
            }
        }
    }
    table
}
