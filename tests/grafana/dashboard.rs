//! The dashboard, as its file says it, and its queries, as Grafana would send them.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What is in it.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The dashboard's file.
pub(crate) const FILE: &str = "grafana/dashboards/sealwatch.json";

/// The dashboard.
pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&text(FILE)).expect("it is JSON")
}

/// A list within it.
#[track_caller]
pub(crate) fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("there is no list {pointer} in {value}"))
}

/// A text within it.
#[track_caller]
pub(crate) fn string<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no text {pointer} in {value}"))
}

/// Those panels that ask Prometheus something.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let asks = |panel: &&Value| !matches!(string(panel, "/type"), "row" | "text");
    list(dashboard, "/panels").iter().filter(asks)
}

/// A panel's number.
pub(crate) fn id(panel: &Value) -> i64 {
    panel["id"].as_i64().unwrap_or_else(|| panic!("{panel} has no number"))
}

/// What is chosen above the dashboard. `.+` and `.*` are All.
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'c> {
    pub(crate) instance: &'c str,
    pub(crate) host: &'c str,
    pub(crate) bucket: &'c str,
}

/// The selected time, in seconds: a day, so that what `$__rate_interval` looks back on is a minute.
pub(crate) const RANGE: u64 = 24 * 3600;
/// The distance of points in a panel of 1440 of them.
pub(crate) const STEP: u64 = RANGE / 1440;
/// How often the test scrapes, in seconds.
pub(crate) const SCRAPE: u64 = 2;

/// A query with its variables replaced, as Grafana does it: values that are chosen are matched as they
/// are, `$__rate_interval` is the distance of points and one scrape, and four scrapes at least.
#[track_caller]
pub(crate) fn fill(query: &str, chosen: Chosen<'_>) -> String {
    let rate = (STEP + SCRAPE).max(4 * SCRAPE);
    let exact = |value: &str| match value {
        ".+" | ".*" => value.to_owned(),
        _ => value.replace('.', r"\\.").replace('[', r"\\[").replace(']', r"\\]"),
    };
    let mut filled = query.to_owned();
    // The longer ones first: some begin like others.
    for (variable, value) in [
        ("$__rate_interval_ms", format!("{}", rate * 1000)),
        ("$__rate_interval", format!("{rate}s")),
        ("$__range_s", RANGE.to_string()),
        ("$__range", format!("{RANGE}s")),
        ("$job", ".+".to_owned()),
        ("$instance", exact(chosen.instance)),
        ("$host", exact(chosen.host)),
        ("$bucket", exact(chosen.bucket)),
    ] {
        filled = filled.replace(variable, &value);
    }
    assert!(!filled.contains('$'), "{filled} has a variable that nobody knows");
    filled
}
