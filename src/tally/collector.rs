//! The counts as Prometheus metrics.
//!
//! The `prometheus` crate's own `*Vec` types key their children by an unkeyed hash of the
//! concatenated label values and never compare them, so that ("a", "1b") and ("a1", "b") become
//! one series. What the wire can choose therefore lives in this room's maps, and reaches a
//! registry through [`Metrics`].

use super::{ByteFate, OVERFLOW, Tally};
use crate::decode::PacketFate;
use crate::s3::Side;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What [`Metrics`] collects from: one who counts, and those who ask.
pub type Shared = Arc<Mutex<Tally>>;

/// A Prometheus collector for a tally.
///
/// | name (prefix `sealwatch_`) | labels |
/// |---|---|
/// | `requests_total`, `responses_total` | `host`, `operation`, `mode` |
/// | `mismatches_total` | `host`, `requested`, `applied` |
/// | `object_bytes_total` | `host`, `direction`, `mode` |
/// | `refusals_total` | `host`, `operation`, `status` |
/// | `findings_total` | `host`, `finding` |
/// | `last_seen_timestamp_seconds` | `host`, `mode` |
/// | `policy_violations_total` | `rule`, `host` |
/// | `policy_exchanges_total` | `rule`, `outcome` |
/// | `kms_keys_total` | `host`, `side`, `key_id`; where keys are counted |
/// | `http_exchanges_total` | `kind` |
/// | `blind_connections_total`, `blind_bytes_total` | `kind`, `server_name` |
/// | `packets_total`, `payload_bytes_total` | `fate` |
/// | `gap_bytes_total` | |
/// | `capture_packets_received_total` | |
/// | `capture_packets_dropped_total` | `reason` |
/// | `flows_active`, `flows_total` | |
/// | `buffered_bytes`, `buffered_bytes_limit` | |
/// | `unsettled_bytes`, `ledger_discrepancy` | |
/// | `bound_limit`, `bound_used`, `bound_hits_total` | `bound` |
/// | `flows_evicted_total` | `reason` |
/// | `label_overflow_total` | `label` |
/// | `build_info` | `version` |
///
/// The first four also have `bucket`, where buckets are told apart.
pub struct Metrics(Shared);

impl Metrics {
    /// Collects from `tally`.
    pub fn new(tally: Shared) -> Self {
        Self(tally)
    }
}

impl Collector for Metrics {
    /// None: names and labels are fixed here, and nothing else registers them.
    fn desc(&self) -> Vec<&Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut families = Vec::new();
        families.extend(of_places(&tally));
        families.extend(of_hosts(&tally));
        families.extend(of_rules(&tally));
        families.extend(of_keys(&tally));
        families.extend(of_ledger(&tally));
        families.extend(of_bounds(&tally));
        families.retain(|family| !family.get_metric().is_empty());
        families
    }
}

const NONE_MEANS: &str = "Mode none means that no header was seen, not that nothing is encrypted.";

fn of_places(tally: &Tally) -> Vec<MetricFamily> {
    let requests =
        "Requests whose operation can ask for an encryption mode, by the mode asked for.";
    let responses = "Responses that can say an encryption mode, by the mode said to be applied.";
    let mut requests = Family::counter("requests_total", &format!("{requests} {NONE_MEANS}"));
    let mut responses = Family::counter("responses_total", &format!("{responses} {NONE_MEANS}"));
    let mut mismatches = Family::counter(
        "mismatches_total",
        "Exchanges in which another mode was applied than the one asked for.",
    );
    let mut object_bytes = Family::counter(
        "object_bytes_total",
        "Bytes of objects read and written, by the mode said to be applied.",
    );
    for (place, counts) in tally.places() {
        let at = |labels: &[(&str, &str)]| {
            let bucket = place.bucket.as_deref().map(|bucket| ("bucket", bucket));
            let host = [("host", &*place.host)];
            pairs(host.into_iter().chain(bucket).chain(labels.iter().copied()))
        };
        for ((operation, mode), n) in &counts.requests {
            requests.add(at(&[("operation", operation.as_str()), ("mode", mode.as_str())]), *n);
        }
        for ((operation, mode), n) in &counts.responses {
            responses.add(at(&[("operation", operation.as_str()), ("mode", mode.as_str())]), *n);
        }
        for ((requested, applied), n) in &counts.mismatches {
            let labels = [("requested", requested.as_str()), ("applied", applied.as_str())];
            mismatches.add(at(&labels), *n);
        }
        for ((direction, mode), n) in &counts.object_bytes {
            let labels = [("direction", direction.as_str()), ("mode", mode.as_str())];
            object_bytes.add(at(&labels), *n);
        }
    }
    [requests, responses, mismatches, object_bytes].map(Family::done).into()
}

fn of_hosts(tally: &Tally) -> Vec<MetricFamily> {
    let mut refusals = Family::counter(
        "refusals_total",
        "4xx and 5xx to operations whose messages can carry an encryption mode.",
    );
    let mut findings = Family::counter("findings_total", "Odd things seen, by kind.");
    let mut last_seen = Family::gauge(
        "last_seen_timestamp_seconds",
        "When a mode was last seen in a request or response, as Unix time of the packet.",
    );
    for (host, counts) in tally.hosts() {
        for ((operation, status), n) in &counts.refusals {
            let status = status.to_string();
            let labels =
                [("host", host), ("operation", operation.as_str()), ("status", status.as_str())];
            refusals.add(pairs(labels), *n);
        }
        for (finding, n) in &counts.findings {
            findings.add(pairs([("host", host), ("finding", finding.as_str())]), *n);
        }
        for (mode, time) in &counts.last_seen {
            let labels = pairs([("host", host), ("mode", mode.as_str())]);
            last_seen.set(labels, time.as_nanos() as f64 / 1e9);
        }
    }
    [refusals, findings, last_seen].map(Family::done).into()
}

/// How exchanges came out by the rules of a policy; nothing where there is none.
fn of_rules(tally: &Tally) -> [MetricFamily; 2] {
    let mut violations = Family::counter(
        "policy_violations_total",
        "Exchanges that broke a rule of the policy, by the first rule that is about them.",
    );
    let mut exchanges = Family::counter(
        "policy_exchanges_total",
        "Exchanges with object stores, by the first rule that is about them and how they came out.",
    );
    for (host, counts) in tally.hosts() {
        for (rule, n) in &counts.violations {
            violations.add(pairs([("rule", &**rule), ("host", host)]), *n);
        }
    }
    for (rule, counts) in tally.rules() {
        for (outcome, n) in counts.by_name() {
            exchanges.add(pairs([("rule", &**rule), ("outcome", outcome)]), n);
        }
    }
    [violations, exchanges].map(Family::done)
}

/// KMS keys, where they are counted.
fn of_keys(tally: &Tally) -> Option<MetricFamily> {
    let mut keys = Family::counter(
        "kms_keys_total",
        "Requests that named a KMS key, and successful answers that did, by key.",
    );
    for (host, counts) in tally.keys()? {
        for (key_id, sides) in &counts.keys {
            let sides = [(Side::Requested, sides.requested), (Side::Applied, sides.applied)];
            for (side, used) in sides.into_iter().filter(|(_, used)| used.count > 0) {
                let labels = [("host", host), ("side", side.as_str()), ("key_id", key_id)];
                keys.add(pairs(labels), used.count);
            }
        }
    }
    Some(keys.done())
}

fn of_ledger(tally: &Tally) -> Vec<MetricFamily> {
    let ledger = &tally.ledger;
    let (object_store, other) = tally.exchanges();
    let by = |name: &str, help: &str, label: &str, values: &[(&str, u64)]| {
        let mut family = Family::counter(name, help);
        for (value, n) in values {
            family.add(pairs([(label, *value)]), *n);
        }
        family.done()
    };
    let alone = |name: &str, help: &str, n: u64| {
        let mut family = Family::counter(name, help);
        family.add(Vec::new(), n);
        family.done()
    };
    let now = |name: &str, help: &str, n: u64| {
        let mut family = Family::gauge(name, help);
        family.set(Vec::new(), n as f64);
        family.done()
    };
    let dropped = [
        ("kernel", ledger.drops.kernel),
        ("interface", ledger.drops.interface),
        ("queue", ledger.packets.get(PacketFate::Dropped)),
    ];
    let packets = PacketFate::ALL.map(|fate| (fate.as_str(), ledger.packets.get(fate)));
    let bytes = ByteFate::ALL.map(|fate| (fate.as_str(), ledger.bytes(fate)));
    let evicted = [
        ("idle", ledger.flow.flows_timed_out),
        ("table_full", ledger.flow.flows_evicted),
        ("quic_table_full", ledger.flow.quic.evicted),
        ("half_open_per_source", ledger.flow.flows_evicted_by_source),
    ];
    let exchanges = [("object_store", object_store), ("other", other)];
    let [blind_connections, blind_bytes] = blind(tally);
    let mut build = Family::gauge("build_info", "Which sealwatch this is; always 1.");
    build.set(pairs([("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    let overflow = "Observations counted under a stand-in, as there were too many names.";
    let overflow = format!("{overflow} The stand-in is {OVERFLOW}.");
    let buffered_bytes_limit = tally.room_limits.map_or(0, |l| l.flow.max_buffered_bytes);
    vec![
        by("http_exchanges_total", "HTTP exchanges that are over.", "kind", &exchanges),
        blind_connections,
        blind_bytes,
        by("packets_total", "Packets, by what became of them.", "fate", &packets),
        by("payload_bytes_total", "TCP payload, by what became of it.", "fate", &bytes),
        alone("gap_bytes_total", "Payload known to be missing.", ledger.flow.gap_bytes),
        alone("capture_packets_received_total", "Packets taken in.", ledger.packets.total()),
        by("capture_packets_dropped_total", "Packets lost unread.", "reason", &dropped),
        alone("flows_total", "TCP connections seen.", ledger.flow.flows),
        now("flows_active", "TCP connections known now.", ledger.flow.flows_active),
        now("buffered_bytes", "Memory that connections hold.", ledger.flow.buffered_bytes),
        now("buffered_bytes_limit", "How much they can hold.", buffered_bytes_limit as u64),
        now("unsettled_bytes", "Payload held that has no fate yet.", ledger.flow.unsettled_bytes),
        now(
            "ledger_discrepancy",
            "Packets and payload bytes without exactly one fate: 0, or a defect of sealwatch.",
            ledger.discrepancy(),
        ),
        by("flows_evicted_total", "Connections given up: TCP, and QUIC.", "reason", &evicted),
        by("label_overflow_total", &overflow, "label", &tally.overflows()),
        build.done(),
    ]
}

/// Every bound on memory.
fn of_bounds(tally: &Tally) -> Vec<MetricFamily> {
    let mut limit = Family::gauge("bound_limit", "Bounds: the most there can be.");
    let mut used = Family::gauge("bound_used", "Bounds: how much there is.");
    let mut hits =
        Family::counter("bound_hits_total", "Bounds: how often something was given up for one.");
    for bound in tally.bounds() {
        let labels = || pairs([("bound", bound.name)]);
        limit.set(labels(), bound.limit as f64);
        hits.add(labels(), bound.hits);
        if let Some(n) = bound.used {
            used.set(labels(), n as f64);
        }
    }
    [limit, used, hits].map(Family::done).into()
}

/// Connections that could not be looked into, and their bytes.
fn blind(tally: &Tally) -> [MetricFamily; 2] {
    let mut connections = Family::counter(
        "blind_connections_total",
        "Connections that were not looked into: of TCP, and QUIC on UDP port 443.",
    );
    let mut bytes = Family::counter(
        "blind_bytes_total",
        "Payload that was not looked into: of TCP, and of UDP where it is QUIC.",
    );
    // Those of no name are there from the beginning, at 0: a rate needs something to rise from.
    let mut add = |kind: &str, server_name: &str, n: u64, b: u64| {
        let labels = pairs([("kind", kind), ("server_name", server_name)]);
        connections.add(labels.clone(), n);
        bytes.add(labels, b);
    };
    let http = &tally.ledger.http;
    let (mut unnamed_connections, mut unnamed_bytes) = (http.tls_connections, http.tls_bytes);
    for (name, counts) in tally.server_names() {
        add("tls", name, counts.connections, counts.bytes);
        unnamed_connections -= counts.connections;
        unnamed_bytes -= counts.bytes;
    }
    add("tls", "", unnamed_connections, unnamed_bytes);
    add("http2", "", http.http2_connections, http.http2_bytes);
    let quic = &tally.ledger.flow.quic;
    add("quic", "", quic.connections, quic.bytes);
    add("other", "", http.other_connections, http.ignored_bytes);
    [connections, bytes].map(Family::done)
}

/// A metric family that is being filled.
struct Family(MetricFamily, Vec<Metric>);

impl Family {
    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(format!("sealwatch_{name}"));
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self(family, Vec::new())
    }

    fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    fn add(&mut self, labels: Vec<LabelPair>, value: u64) {
        let mut counter = Counter::default();
        counter.set_value(value as f64);
        let mut metric = Metric::from_label(labels);
        metric.set_counter(counter);
        self.1.push(metric);
    }

    fn set(&mut self, labels: Vec<LabelPair>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = Metric::from_label(labels);
        metric.set_gauge(gauge);
        self.1.push(metric);
    }

    fn done(mut self) -> MetricFamily {
        self.0.set_metric(self.1);
        self.0
    }
}

fn pairs<'l>(labels: impl IntoIterator<Item = (&'l str, &'l str)>) -> Vec<LabelPair> {
    let pair = |(name, value): (&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    };
    labels.into_iter().map(pair).collect()
}

/// A registry that holds a tally's metrics, and nothing else.
///
/// # Errors
///
/// What the `prometheus` crate has against it.
pub fn registry(tally: Shared) -> prometheus::Result<prometheus::Registry> {
    let registry = prometheus::Registry::new_custom(None, Some(HashMap::new()))?;
    registry.register(Box::new(Metrics::new(tally)))?;
    Ok(registry)
}
