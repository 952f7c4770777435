//! Reads what sealwatch serves to Prometheus.

use std::collections::BTreeMap;

/// The metrics that do not depend on when, and how, packets were read.
pub fn counts(metrics: &str) -> BTreeMap<String, u64> {
    const LASTING: [&str; 11] = [
        "requests_total",
        "responses_total",
        "mismatches_total",
        "object_bytes_total",
        "refusals_total",
        "findings_total",
        "kms_keys_total",
        "http_exchanges_total",
        "blind_connections_total",
        "payload_bytes_total",
        "packets_total",
    ];
    LASTING.iter().flat_map(|name| family(metrics, name)).collect()
}

/// The series of one metric, without the prefix of all.
pub fn family(metrics: &str, name: &str) -> BTreeMap<String, u64> {
    let series = |line: &str| {
        let line = line.strip_prefix("sealwatch_")?;
        let (series, value) = line.rsplit_once(' ')?;
        let is_of_it = series.strip_prefix(name)?.starts_with('{') || series == name;
        is_of_it.then(|| (series.to_owned(), value.parse().unwrap_or(0)))
    };
    metrics.lines().filter_map(series).collect()
}

/// The sum of one metric's series.
pub fn sum(metrics: &str, name: &str) -> u64 {
    family(metrics, name).values().sum()
}

/// How many packets were received.
pub fn packets(metrics: &str) -> u64 {
    sum(metrics, "capture_packets_received_total")
}
