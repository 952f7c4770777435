//! What each query of each panel promises, of traffic that is known: `captures/README.md` says what
//! is in the captures, README what they come to.

use super::dashboard::Chosen;
use super::stage::{ALL, CLEAN, JUDGED, LIVE, ROUND, STILL, TIGHT, TLS_BYTES, TLS_NAME};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a query is to answer. Series are written `label=value,label=value`.
pub(crate) enum Is {
    /// These, and nothing else.
    Exactly(Vec<(String, f64)>),
    /// These shares, give or take a tenth of it, or of what it lacks to 1.
    About(Vec<(String, f64)>),
    /// These each round, as many rounds as there are: for what rises by the second.
    Rising(Vec<(String, f64)>),
    /// These, times the number of rounds, give or take two.
    EachRound(Vec<(String, f64)>),
    /// At its highest in the last ten minutes.
    AtMost(Vec<(String, f64)>),
    /// These series, within these limits.
    Within(Vec<String>, f64, f64),
    /// No series at all: a panel that says in words why.
    Nothing,
}

/// A panel's query, what is chosen, and what is to be answered.
pub(crate) struct Promise {
    pub(crate) panel: i64,
    pub(crate) query: &'static str,
    pub(crate) chosen: Chosen<'static>,
    pub(crate) is: Is,
}

pub(crate) fn of(panel: i64, query: &'static str, instance: &'static str, is: Is) -> Promise {
    Promise { panel, query, chosen: Chosen { instance, host: ".*", bucket: ".*" }, is }
}

pub(crate) fn all(series: &[(&str, f64)]) -> Vec<(String, f64)> {
    series.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect()
}

pub(crate) fn exactly(series: &[(&str, f64)]) -> Is {
    Is::Exactly(all(series))
}

pub(crate) fn one(value: f64) -> Is {
    exactly(&[("", value)])
}

pub(crate) fn each(label: &str, values: &[(&str, f64)]) -> Vec<(String, f64)> {
    values.iter().map(|(of, value)| (format!("{label}={of}"), *value)).collect()
}

pub(crate) const ASKED: [(&str, f64); 6] = [
    ("AES256", 10.0),
    ("SSE-C", 5.0),
    ("aws:kms", 11.0),
    ("aws:kms:dsse", 1.0),
    ("none", 3.0),
    ("other", 2.0),
];
pub(crate) const APPLIED: [(&str, f64); 6] = [
    ("AES256", 26.0),
    ("SSE-C", 3.0),
    ("aws:kms", 21.0),
    ("aws:kms:dsse", 3.0),
    ("none", 2.0),
    ("other", 1.0),
];
/// Those of the captures, and those of TLS: handshakes, its first message, and parts of 1400 bytes.
const PACKETS: f64 = 624.0 + 3.0 + 1.0 + 215.0 + 2.0;
pub(crate) const HEADS: f64 = 99_046.0;
pub(crate) const BODIES: f64 = 153_678.0;
pub(crate) const GAPS: f64 = 21_144.0;
pub(crate) const BLIND: f64 = TLS_BYTES as f64;
pub(crate) const BLIND_SHARE: f64 = BLIND / (BLIND + HEADS + BODIES);

/// All of them.
pub(crate) fn promises() -> Vec<Promise> {
    let groups =
        [verdict(), modes(), hosts(), policy(), findings(), blind(), capture(), instances()];
    groups.into_iter().flatten().collect()
}

fn verdict() -> Vec<Promise> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    // The last answer of rotated-2, the capture that was made last.
    let age = now.as_secs_f64() - 1_795_531_294.07;
    let within = |low, high| Is::Within(vec![String::new()], low, high);
    let at_5000 = Chosen { instance: STILL, host: "127.0.0.1:5000", bucket: ".*" };
    vec![
        of(1, "A", STILL, one(1.0)),
        of(1, "A", ".+", one(1.0)),
        of(1, "A", "never.seen:1", one(-1.0)),
        of(2, "A", STILL, one(2.0)),
        of(2, "A", LIVE, one(1.0)),
        of(2, "A", "never.seen:1", one(-1.0)),
        of(3, "A", STILL, one(0.0)),
        of(3, "A", ROUND, within(100.0, 10_000.0)),
        of(3, "A", "never.seen:1", Is::Nothing),
        of(4, "A", STILL, within(age, age + 300.0)),
        of(4, "A", ROUND, within(-1.0, 30.0)),
        of(5, "A", STILL, one(3.0)),
        of(5, "A", CLEAN, one(0.0)),
        of(5, "A", "never.seen:1", Is::Nothing),
        Promise { panel: 5, query: "A", chosen: at_5000, is: one(2.0) },
        of(6, "A", STILL, one(5.0)),
        of(6, "A", CLEAN, one(0.0)),
        Promise { panel: 6, query: "A", chosen: at_5000, is: one(2.0) },
        of(7, "A", STILL, Is::Nothing),
        of(7, "A", JUDGED, one(32.0)),
        of(8, "A", ROUND, Is::About(all(&[("", 1.0 - BLIND_SHARE)]))),
        of(8, "A", CLEAN, one(1.0)),
        of(9, "A", ROUND, Is::About(all(&[("", BLIND_SHARE)]))),
        of(9, "A", CLEAN, one(0.0)),
        of(10, "A", STILL, one(0.0)),
        of(11, "A", STILL, one(0.0)),
        of(11, "A", "never.seen:1", Is::Nothing),
        of(12, "A", CLEAN, one(0.0)),
        of(12, "A", "never.seen:1", Is::Nothing),
        of(14, "A", CLEAN, Is::Nothing),
    ]
}

fn modes() -> Vec<Promise> {
    let moved = [
        ("direction=read,mode=AES256", 12_034.0),
        ("direction=read,mode=SSE-C", 500.0),
        ("direction=read,mode=aws:kms", 68_500.0),
        ("direction=read,mode=aws:kms:dsse", 500.0),
        ("direction=read,mode=none", 100.0),
        ("direction=write,mode=AES256", 12_749.0),
        ("direction=write,mode=SSE-C", 500.0),
        ("direction=write,mode=aws:kms", 72_400.0),
        ("direction=write,mode=aws:kms:dsse", 500.0),
        ("direction=write,mode=none", 100.0),
        ("direction=write,mode=other", 3.0),
    ];
    vec![
        of(20, "A", ROUND, Is::Rising(each("mode", &ASKED))),
        of(21, "A", ROUND, Is::Rising(each("mode", &APPLIED))),
        of(22, "asked", STILL, Is::Exactly(each("mode", &ASKED))),
        of(22, "applied", STILL, Is::Exactly(each("mode", &APPLIED))),
        of(22, "applied", ROUND, Is::EachRound(each("mode", &APPLIED))),
        of(23, "A", ROUND, Is::About(all(&[("", 54.0 / 56.0)]))),
        of(23, "A", CLEAN, one(1.0)),
        of(24, "A", ROUND, Is::Rising(all(&moved))),
    ]
}

fn hosts() -> Vec<Promise> {
    let applied = [
        ("host=127.0.0.1:4566,mode=AES256", 24.0),
        ("host=127.0.0.1:4566,mode=SSE-C", 3.0),
        ("host=127.0.0.1:4566,mode=aws:kms", 20.0),
        ("host=127.0.0.1:4566,mode=aws:kms:dsse", 3.0),
        ("host=127.0.0.1:4566,mode=other", 1.0),
        ("host=127.0.0.1:5000,mode=aws:kms", 1.0),
        ("host=127.0.0.1:5000,mode=none", 2.0),
        ("host=[::1]:4566,mode=AES256", 2.0),
    ];
    let asked = [
        ("host=127.0.0.1:4566,mode=AES256", 9.0),
        ("host=127.0.0.1:4566,mode=SSE-C", 3.0),
        ("host=127.0.0.1:4566,mode=aws:kms", 10.0),
        ("host=127.0.0.1:4566,mode=aws:kms:dsse", 1.0),
        ("host=127.0.0.1:4566,mode=none", 3.0),
        ("host=127.0.0.1:4566,mode=other", 2.0),
        ("host=127.0.0.1:5000,mode=SSE-C", 2.0),
        ("host=127.0.0.1:5000,mode=aws:kms", 1.0),
        ("host=[::1]:4566,mode=AES256", 1.0),
    ];
    let seen = [
        ("host=127.0.0.1:5000,mode=SSE-C", 1_795_515_324_239.881),
        ("host=127.0.0.1:5000,mode=aws:kms", 1_795_515_324_238.465),
        ("host=127.0.0.1:5000,mode=none", 1_795_515_324_241.513),
    ];
    let refused =
        [("host=127.0.0.1:4566,status=400", 1.0), ("host=127.0.0.1:4566,status=404", 1.0)];
    let keys = [
        ("host=127.0.0.1:4566,key_id=a834f8cc-77e5-4db7-b31b-91a5229b6a63,side=applied", 12.0),
        ("host=127.0.0.1:4566,key_id=f6f50c38-a003-456c-bc19-36dc51fd46b0,side=applied", 8.0),
    ];
    let v6 = Chosen { instance: STILL, host: "[::1]:4566", bucket: ".*" };
    let only = Chosen { instance: STILL, host: "127.0.0.1:5000", bucket: ".*" };
    let bucket = Chosen { instance: ROUND, host: ".*", bucket: "careless" };
    let careless = [("bucket=careless,mode=aws:kms", 1.0), ("bucket=careless,mode=none", 2.0)];
    vec![
        of(30, "A", STILL, exactly(&applied)),
        Promise { panel: 30, query: "A", chosen: v6, is: exactly(&applied[7..]) },
        of(31, "A", STILL, exactly(&asked)),
        of(32, "A", STILL, Is::Nothing),
        Promise { panel: 32, query: "A", chosen: bucket, is: Is::EachRound(all(&careless)) },
        Promise { panel: 33, query: "A", chosen: only, is: exactly(&seen) },
        of(34, "A", ROUND, Is::Rising(all(&refused))),
        of(35, "A", STILL, Is::Nothing),
        of(35, "A", JUDGED, exactly(&keys)),
    ]
}

fn policy() -> Vec<Promise> {
    let violations = [
        ("host=127.0.0.1:4566,rule=under a KMS key", 28.0),
        ("host=127.0.0.1:5000,rule=under a KMS key", 2.0),
        ("host=[::1]:4566,rule=under a KMS key", 2.0),
    ];
    let outcomes = [
        ("outcome=exempt,rule=under a KMS key", 24.0),
        ("outcome=met,rule=under a KMS key", 24.0),
        ("outcome=violated,rule=under a KMS key", 32.0),
    ];
    vec![
        of(40, "A", JUDGED, one(1.0)),
        of(40, "A", STILL, Is::Nothing),
        of(41, "A", JUDGED, exactly(&violations)),
        of(41, "A", STILL, Is::Nothing),
        of(42, "A", JUDGED, Is::AtMost(all(&[("rule=under a KMS key", 32.0)]))),
        of(43, "A", JUDGED, exactly(&outcomes)),
    ]
}

fn findings() -> Vec<Promise> {
    let mismatches = [
        ("applied=AES256,host=127.0.0.1:4566,requested=other", 1.0),
        ("applied=none,host=127.0.0.1:5000,requested=SSE-C", 2.0),
    ];
    let findings = [
        ("finding=conflicting_headers,host=127.0.0.1:4566", 1.0),
        ("finding=customer_key_in_clear,host=127.0.0.1:4566", 3.0),
        ("finding=customer_key_in_clear,host=127.0.0.1:5000", 2.0),
        ("finding=misplaced_header,host=127.0.0.1:4566", 1.0),
        ("finding=nonstandard_case,host=127.0.0.1:4566", 1.0),
        ("finding=unknown_value,host=127.0.0.1:4566", 1.0),
        ("finding=unprefixed_name,host=127.0.0.1:4566", 1.0),
    ];
    let kinds = [
        ("conflicting_headers", 1.0),
        ("customer_key_in_clear", 5.0),
        ("misplaced_header", 1.0),
        ("nonstandard_case", 1.0),
        ("unknown_value", 1.0),
        ("unprefixed_name", 1.0),
    ];
    let at = |series: &[(&str, f64)]| {
        let at = |(labels, n): &(&str, f64)| (format!("{labels},instance={STILL}"), *n);
        Is::Exactly(series.iter().map(at).collect())
    };
    let round = format!(
        "applied=none,bucket=careless,host=127.0.0.1:5000,instance={ROUND},requested=SSE-C"
    );
    let careless = Chosen { instance: ROUND, host: ".*", bucket: "careless" };
    vec![
        of(50, "A", STILL, at(&mismatches)),
        of(50, "A", CLEAN, Is::Nothing),
        Promise { panel: 50, query: "A", chosen: careless, is: Is::EachRound(vec![(round, 2.0)]) },
        of(51, "A", STILL, Is::AtMost(all(&mismatches))),
        of(52, "A", STILL, at(&findings)),
        of(53, "A", STILL, Is::AtMost(each("finding", &kinds))),
    ]
}

fn blind() -> Vec<Promise> {
    let kinds = [("http2", 0.0), ("other", 0.0), ("quic", 0.0), ("tls", BLIND)];
    let fates = [
        ("blind", BLIND),
        ("body", BODIES),
        ("duplicate", 0.0),
        ("head", HEADS),
        ("ignored", 0.0),
        ("lost", 0.0),
    ];
    let name = |n| Is::EachRound(vec![(format!("server_name={TLS_NAME}"), n)]);
    vec![
        of(60, "A", ROUND, Is::Rising(each("kind", &kinds))),
        of(61, "A", ROUND, Is::About(all(&[("", BLIND_SHARE)]))),
        of(62, "bytes", ROUND, name(BLIND)),
        of(62, "connections", ROUND, name(1.0)),
        of(62, "connections", STILL, Is::Nothing),
        of(63, "A", ROUND, Is::Rising(each("fate", &fates))),
        of(64, "A", ROUND, Is::Rising(all(&[("kind=object_store", 80.0), ("kind=other", 0.0)]))),
    ]
}

fn capture() -> Vec<Promise> {
    let fates = [
        "bad_checksum",
        "copy",
        "dropped",
        "fragment",
        "fragment_lost",
        "malformed",
        "not_tcp",
        "segment",
        "truncated",
        "unknown_link",
    ];
    let fates = fates.map(|fate| (fate, if fate == "segment" { PACKETS } else { 0.0 }));
    let reasons = [("interface", 0.0), ("kernel", 0.0), ("queue", 0.0)];
    let full = [
        ("buffered_bytes", 0.0),
        ("connections", 0.0),
        ("fragment_bytes", 0.0),
        ("hosts", 3.0 / 65_536.0),
        ("server_names", 0.0),
    ];
    let over = |at, n: f64| {
        let of = |label, n| (format!("instance={at},label={label}"), n);
        vec![of("bucket", 0.0), of("host", n), of("server_name", 0.0)]
    };
    let there = |name: &str, more: &str, at: &str| {
        format!("__name__={name},instance={at}{more},job=sealwatch")
    };
    let process = format!("instance={STILL},job=sealwatch");
    vec![
        of(71, "scraped", STILL, Is::Exactly(vec![(there("up", "", STILL), 1.0)])),
        of(
            71,
            "interfaces",
            LIVE,
            Is::Exactly(vec![(there("sealwatch_capture_up", ",interface=tap", LIVE), 1.0)]),
        ),
        of(72, "A", ROUND, Is::Rising(each("fate", &fates))),
        of(73, "A", ROUND, Is::Exactly(each("reason", &reasons))),
        of(74, "A", ROUND, Is::About(all(&[("", GAPS / (GAPS + HEADS + BODIES + BLIND))]))),
        of(74, "A", CLEAN, one(0.0)),
        of(75, "A", STILL, Is::Exactly(each("bound", &full))),
        of(76, "A", STILL, Is::Nothing),
        of(76, "A", TIGHT, Is::Within(vec!["bound=hosts".to_owned()], 18.0, 1000.0)),
        of(77, "A", STILL, Is::Exactly(over(STILL, 0.0))),
        of(77, "A", TIGHT, Is::EachRound(over(TIGHT, 18.0))),
        of(
            78,
            "process",
            STILL,
            Is::Within(vec![format!("__name__=process_resident_memory_bytes,{process}")], 1e6, 1e9),
        ),
        of(
            78,
            "held",
            STILL,
            Is::Exactly(vec![(format!("__name__=sealwatch_buffered_bytes,{process}"), 0.0)]),
        ),
        of(79, "discrepancy", STILL, one(0.0)),
        of(79, "held", STILL, one(0.0)),
    ]
}

fn instances() -> Vec<Promise> {
    let at = |instance: &str, n: f64| vec![(format!("instance={instance}"), n)];
    let ups = ALL.iter().flat_map(|instance| at(instance, 1.0)).collect();
    let version = format!("instance={STILL},version={}", env!("CARGO_PKG_VERSION"));
    let within =
        |instance: &str, low, high| Is::Within(vec![format!("instance={instance}")], low, high);
    vec![
        of(70, "up", ".+", Is::Exactly(ups)),
        of(70, "version", STILL, Is::Exactly(vec![(version, 1.0)])),
        of(70, "running", STILL, within(STILL, 0.0, 900.0)),
        of(70, "packets", STILL, Is::Exactly(at(STILL, 0.0))),
        of(70, "packets", ROUND, within(ROUND, 100.0, 10_000.0)),
        of(70, "down", LIVE, Is::Exactly(at(LIVE, 0.0))),
        of(70, "dropped", STILL, Is::Exactly(at(STILL, 0.0))),
        of(70, "examined", ROUND, Is::About(at(ROUND, 1.0 - BLIND_SHARE))),
        of(70, "discrepancy", STILL, Is::Exactly(at(STILL, 0.0))),
    ]
}
