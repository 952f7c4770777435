//! Every capture in `captures/`, against what its exchanges were.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use support::binary::{captures, run, scenarios};

/// One line of an expectation, or of what was reported.
type Line = BTreeMap<String, Value>;

const FIELDS: [&str; 6] = ["method", "host", "target", "status", "requested_mode", "applied_mode"];

/// The fields that are compared. A target's query is left out: it can hold what is redacted.
fn line(record: &Value) -> Line {
    let mut line: Line =
        FIELDS.iter().map(|field| ((*field).to_owned(), record[field].clone())).collect();
    if let Some(target) = record["target"].as_str() {
        let path = target.split('?').next().unwrap_or_default();
        line.insert("target".to_owned(), path.into());
    }
    line
}

fn sorted(mut lines: Vec<Line>) -> Vec<String> {
    let mut lines: Vec<_> = lines.drain(..).map(|line| format!("{line:?}")).collect();
    lines.sort();
    lines
}

#[test]
fn every_exchange_is_what_it_was() {
    let scenarios = scenarios();
    assert!(scenarios.len() >= 12, "{scenarios:?}");
    for (name, files) in scenarios {
        let expected = captures().join(format!("{name}.expected.jsonl"));
        let expected = fs::read_to_string(expected).expect("an expectation is read");
        let expected: Vec<Line> =
            expected.lines().map(|text| line(&serde_json::from_str(text).expect("JSON"))).collect();
        let arguments = ["replay", "--quiet", "--format", "jsonl", "--all"].map(str::to_owned);
        let got = run(arguments.into_iter().chain(files)).ok();
        let got: Vec<Line> = got.records().iter().map(line).collect();
        assert!(!expected.is_empty(), "{name} expects nothing");
        assert_eq!(sorted(got), sorted(expected), "{name}");
    }
}

#[test]
fn every_byte_is_accounted_for_and_gaps_are_only_where_something_is_missing() {
    for (name, files) in scenarios() {
        let arguments = ["replay", "--quiet", "--format", "json"].map(str::to_owned);
        let summary = run(arguments.into_iter().chain(files)).ok().json();
        let ledger = &summary["ledger"];
        let lost = &ledger["payload_bytes"]["lost"];
        assert_eq!(lost, 0, "{name}: no head was lost in the making");
        let incomplete = ["loss", "snaplen"].contains(&name.as_str());
        assert_eq!(ledger["gap_bytes"].as_u64() > Some(0), incomplete, "{name}: {ledger}");
    }
}

#[test]
fn every_capture_is_explained() {
    let readme = fs::read_to_string(captures().join("README.md")).expect("README.md is read");
    for (name, _) in scenarios() {
        assert!(readme.contains(&format!("`{name}`")), "{name} is not explained");
    }
}
