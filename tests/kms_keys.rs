//! The key inventory, by the real binary: `--kms-keys`.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::binary::{Run, captures, run};
use support::conversation::endpoint;
use support::counts::family;
use support::pcap::{Timed, connection, pcap};
use support::prometheus::check_metrics;
use support::script::Script;
use support::served::Served;
use tempfile::TempDir;

const SSE: &str = "x-amz-server-side-encryption";
const MINUTE: i64 = 60;
/// `{"app":"billing","team":"red"}`
const CONTEXT: &str = "eyJhcHAiOiJiaWxsaW5nIiwidGVhbSI6InJlZCJ9";

/// A capture file in a folder of its own.
struct Capture(TempDir);

impl Capture {
    fn of(mut packets: Vec<Timed>) -> Self {
        packets.sort_by_key(|(time, _)| *time);
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::write(folder.path().join("capture"), pcap(&packets)).expect("a file can be written");
        Self(folder)
    }

    fn path(&self) -> String {
        self.0.path().join("capture").to_str().expect("paths here are UTF-8").to_owned()
    }

    fn replay(&self, arguments: &[&str]) -> Run {
        let path = self.path();
        run(["replay", "--quiet"].iter().chain(arguments).chain([&path.as_str()])).ok()
    }

    /// What `json` says of keys, by host.
    fn keys(&self, arguments: &[&str]) -> BTreeMap<String, Value> {
        by_host(&self.replay(&[&["--format", "json", "--kms-keys"], arguments].concat()).json())
    }
}

fn by_host(summary: &Value) -> BTreeMap<String, Value> {
    let hosts = summary["hosts"].as_array().expect("hosts are a list").iter();
    let name = |host: &Value| host["host"].as_str().expect("a name is text").to_owned();
    hosts.map(|host| (name(host), host["kms_keys"].clone())).collect()
}

/// `key_id requested applied`, of one host.
fn counts(keys: &Value) -> Vec<String> {
    let keys = keys["keys"].as_array().expect("keys are a list").iter();
    let n = |used: &Value| used["count"].as_u64().unwrap_or(0);
    let line = |key: &Value| {
        let key_id = key["key_id"].as_str().expect("an id is text");
        format!("{key_id} {} {}", n(&key["requested"]), n(&key["applied"]))
    };
    keys.map(line).collect()
}

/// A field, or nothing where there is no value.
fn field(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{SSE}-{name}: {value}\r\n") }
}

/// A PUT of nothing under a key, and the answer that names one.
fn put(script: Script, place: &str, asked: &str, applied: &str) -> Script {
    put_in(script, place, asked, applied, "")
}

fn put_in(script: Script, place: &str, asked: &str, applied: &str, context: &str) -> Script {
    let (host, path) = place.split_once('/').expect("a place is a host and a path");
    let kms = format!("{SSE}: aws:kms\r\n");
    let (asked, applied) = (field("aws-kms-key-id", asked), field("aws-kms-key-id", applied));
    let context = field("context", context);
    let end = "Content-Length: 0\r\n\r\n";
    script
        .c(format!("PUT /{path} HTTP/1.1\r\nHost: {host}\r\n{kms}{asked}{context}{end}"))
        .s(format!("HTTP/1.1 200 OK\r\n{kms}{applied}{context}{end}"))
}

fn packets(script: &Script, port: u16) -> Vec<Timed> {
    connection(endpoint(1, port), endpoint(2, 80), &script.packets)
}

/// Two clients that take turns, while a bucket's key is rotated, and back.
fn rotated() -> Capture {
    let (mut one, mut other) = (Script::opened(), Script::opened().wait(MINUTE / 2));
    for (asked, key) in [("alias/a", "old"), ("alias/a", "new"), ("", "new"), ("", "old")] {
        let arn = |key: &str| format!("arn:aws:kms:eu-west-1:111122223333:key/{key}");
        one = put(one, "store/photos/1", asked, &arn(key)).wait(MINUTE);
        other = put(other, "store/other/2", "", &arn("another")).wait(MINUTE);
    }
    Capture::of([packets(&one, 1), packets(&other, 2)].concat())
}

#[test]
fn nothing_is_said_of_keys_without_the_option() {
    let capture = rotated();
    for format in ["table", "json", "prometheus"] {
        let text = capture.replay(&["--format", format]).out;
        assert!(text.contains("store") && !text.contains("another"), "{text}");
        assert!(!text.to_lowercase().contains("kms_") && !text.contains("KMS key"), "{text}");
    }
    // Records have the key as ever, with it or without.
    let records = |arguments: &[&str]| {
        capture.replay(&[&["--format", "jsonl"], arguments].concat()).sorted().join("\n")
    };
    assert_eq!(records(&[]), records(&["--kms-keys=full", "--kms-contexts=values"]));
    assert!(records(&[]).contains("111122223333:key/old"));
}

#[test]
fn the_captures_here_say_which_keys_their_store_applied() {
    let path = captures().to_str().expect("paths here are UTF-8").to_owned();
    let replay = |arguments: &[&str]| {
        run(["replay", "--quiet"].iter().chain(arguments).chain([&path.as_str()])).ok()
    };
    // No client there asks for a key, so that each record's is the answer's.
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for record in replay(&["--format", "jsonl"]).records() {
        if let Some(key) = record["kms_key_id"].as_str() {
            *expected.entry(key.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(expected.values().sum::<u64>(), 20);
    let keys = |option| by_host(&replay(&["--format", "json", option]).json());
    let lines = |short: bool| -> Vec<String> {
        let name = |key: &str| {
            if short { key.rsplit('/').next().unwrap_or(key).to_owned() } else { key.to_owned() }
        };
        let mut lines: Vec<_> =
            expected.iter().map(|(key, n)| format!("{} 0 {n}", name(key))).collect();
        lines.sort();
        lines
    };
    let store = "127.0.0.1:4566";
    assert_eq!(counts(&keys("--kms-keys=full")[store]), lines(false));
    assert_eq!(counts(&keys("--kms-keys")[store]), lines(true));
    let nothing = json!({
        "keys": [],
        "changes": {"count": 0, "latest": []},
        "contexts": {"names": [], "malformed": {"requested": 0, "applied": 0}},
    });
    assert_eq!(keys("--kms-keys")["[::1]:4566"], nothing);
}

#[test]
fn a_key_that_was_rotated_and_back_is_seen_with_its_times() {
    let capture = rotated();
    let keys = &capture.keys(&[])["store"];
    assert_eq!(counts(keys), ["alias/a 2 0", "another 0 4", "new 0 2", "old 0 2"]);
    let alias = &keys["keys"][0];
    assert_eq!(alias["applied"], Value::Null);
    assert_eq!(alias["requested"]["first_seen"], "1970-01-01T00:00:00.004000Z");
    assert_eq!(alias["requested"]["last_seen"], "1970-01-01T00:01:00.006000Z");
    let change = |time: &str, from: &str, to: &str, count: u64| json!({"time": time, "bucket": "photos", "from": from, "to": to, "count": count});
    let latest = [
        change("1970-01-01T00:01:00.007000Z", "old", "new", 2),
        change("1970-01-01T00:03:00.011000Z", "new", "old", 1),
    ];
    assert_eq!(keys["changes"], json!({"count": 2, "latest": latest}));
    let table = capture.replay(&["--kms-keys"]).out;
    for line in [
        "    KMS key                                          asked       applied\n",
        "    alias/a                                              2             -\n",
        "    2 changes of the key that a bucket's new objects get\n",
        "      1970-01-01T00:01:00Z photos: old to new, 2 answers\n",
    ] {
        assert!(table.contains(line), "{line}{table}");
    }
}

#[test]
fn buckets_that_the_address_does_not_show_are_taken_for_one() {
    let mut script = Script::opened();
    for (bucket, key) in [("a", "1"), ("b", "2"), ("a", "1")] {
        script = put(script, &format!("store.test/{bucket}/k"), "", key);
    }
    let capture = Capture::of(packets(&script, 1));
    let changes = |arguments: &[&str]| {
        let keys = &capture.keys(arguments)["store.test"];
        (keys["changes"]["count"].clone(), keys["changes"]["latest"][0]["bucket"].clone())
    };
    assert_eq!(changes(&[]), (json!(2), json!("")));
    assert_eq!(changes(&["--endpoint-suffix", "store.test"]), (json!(0), Value::Null));
    assert!(capture.replay(&["--kms-keys"]).out.contains("(bucket not known): 1 to 2, 1 answer"));
}

#[test]
fn what_one_worker_says_of_keys_eight_say() {
    let mut all = Vec::new();
    for n in 0..40_i64 {
        // Some are answered by nothing more than the end of the capture.
        let mut script = Script::opened().wait(n % 7);
        for i in 0..20 {
            let place = format!("h{}/b{}/k", n % 3, i % 5);
            let key = format!("key-{}", (n * i) % 11);
            script = put_in(script, &place, &key, &key, CONTEXT).wait((n + i) % 3);
            if (n + i) % 13 == 0 {
                script = script.lose();
            }
        }
        all.extend(packets(&script, 4000 + n as u16));
    }
    let capture = Capture::of(all);
    for limits in [&[][..], &["--max-kms-keys", "7"]] {
        let with = |workers| {
            let arguments = ["--kms-contexts=values", "--workers", workers];
            capture.keys(&[&arguments[..], limits].concat())
        };
        let one = with("1");
        assert!(one["h0"]["changes"]["count"].as_u64() > Some(50), "{one:?}");
        assert_eq!(one, with("8"));
    }
}

#[test]
fn keys_beyond_the_bound_count_together_and_it_is_said() {
    let mut script = Script::opened();
    for n in 0..5 {
        script = put(script, "store.test/b/k", &format!("k{n}"), "");
    }
    let capture = Capture::of(packets(&script, 1));
    let bound = ["--kms-keys", "--max-kms-keys", "2"];
    let json = capture.replay(&[&bound[..], &["--format", "json"]].concat()).json();
    let keys = &by_host(&json)["store.test"];
    assert_eq!(counts(keys), ["__other__ 3 0", "k0 1 0", "k1 1 0"]);
    let bounds = json!({"limit": 2, "used": 2, "hits": 3, "option": "max-kms-keys"});
    assert_eq!(json["bounds"]["kms_keys"], bounds);
    assert_eq!(json["label_overflow"]["kms_key"], 3);
    let table = capture.replay(&bound).out;
    assert!(table.contains("Bound hit: kms_keys, 3 times (--max-kms-keys)."), "{table}");
    let metrics = capture.replay(&[&bound[..], &["--format", "prometheus"]].concat()).out;
    for line in [
        "sealwatch_kms_keys_total{host=\"store.test\",side=\"requested\",key_id=\"__other__\"} 3\n",
        "sealwatch_label_overflow_total{label=\"kms_key\"} 3\n",
        "sealwatch_bound_hits_total{bound=\"kms_keys\"} 3\n",
        "sealwatch_bound_used{bound=\"kms_keys\"} 2\n",
    ] {
        assert!(metrics.contains(line), "{line}{metrics}");
    }
}

#[test]
fn contexts_show_their_names_and_values_only_where_they_are_asked_for() {
    let script = put_in(Script::opened(), "store.test/b/k", "k", "k", CONTEXT);
    let mut script = put_in(script, "store.test/b/k", "k", "k", CONTEXT);
    let many = |text: &str| text.repeat(6_000);
    for malformed in ["?", "e30", "bnVsbA==", "eyJhIjoxfQ==", "\u{ff}", &many("W1tb")] {
        script = put_in(script, "store.test/b/k", "k", "k", malformed);
    }
    let capture = Capture::of(packets(&script, 1));
    let contexts = |arguments: &[&str]| capture.keys(arguments)["store.test"]["contexts"].clone();
    let malformed = json!({"requested": 6, "applied": 6});
    let names = json!([
        {"name": "app", "requested": 2, "applied": 2},
        {"name": "team", "requested": 2, "applied": 2},
    ]);
    assert_eq!(contexts(&[]), json!({"names": names, "malformed": malformed}));
    let values = json!([
        {"name": "app", "value": "billing", "requested": 2, "applied": 2},
        {"name": "team", "value": "red", "requested": 2, "applied": 2},
    ]);
    let asked = contexts(&["--kms-contexts", "values"]);
    assert_eq!(asked, json!({"names": values, "malformed": malformed}));
    for format in ["table", "json", "prometheus", "jsonl"] {
        let text = capture.replay(&["--format", format, "--kms-keys"]).out;
        assert!(!text.contains("billing"), "{text}");
    }
    let metrics = ["--format", "prometheus", "--kms-keys", "--kms-contexts=values"];
    let metrics = capture.replay(&metrics).out;
    assert!(!metrics.contains("billing") && !metrics.contains("team"), "{metrics}");
}

/// Ids of keys that nobody should be called.
fn hostile() -> Vec<String> {
    let mut ids: Vec<_> = [
        "a\"b\\c",
        "} 1 # {key_id=\"",
        "tab\tin it",
        "\u{9b}31mred",
        "\u{202e}reversed",
        "<script>alert(1)</script>",
        "key/",
        ":",
        "//",
        "__other__",
    ]
    .map(str::to_owned)
    .into();
    ids.extend([300, 5_000].map(|n| "x".repeat(n)));
    ids.push(format!("alias/{}", "y".repeat(250)));
    ids
}

#[test]
fn no_key_is_called_what_a_terminal_or_prometheus_could_not_show() {
    let mut all = Vec::new();
    for (n, id) in (1..).zip(hostile()) {
        let script = put(Script::opened(), "store.test/b/k", &id, &id);
        all.extend(packets(&script, n));
    }
    let no_text = [b"HTTP/1.1 200 OK\r\n", field("aws-kms-key-id", "?").as_bytes()].concat();
    let no_text: Vec<_> = no_text.into_iter().map(|b| if b == b'?' { 0xff } else { b }).collect();
    let answer = [&no_text[..], b"Content-Length: 0\r\n\r\n"].concat();
    all.extend(packets(&Script::opened().c("GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n").s(answer), 99));
    let capture = Capture::of(all);
    for form in ["--kms-keys", "--kms-keys=full"] {
        let table = capture.replay(&[form]).out;
        let plain = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
        assert!(table.chars().all(plain), "{table:?}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        let json = capture.replay(&[form, "--format", "json"]).json();
        let ids = counts(&by_host(&json)["store.test"]);
        assert!(ids.contains(&"\\u{202e}reversed 1 1".to_owned()), "{ids:?}");
        assert!(ids.contains(&"tab\\tin it 1 1".to_owned()), "{ids:?}");
        // Beside the one that is called so, two of 300 and 5,000 bytes, and one of 256.
        assert!(ids.contains(&"__other__ 4 4".to_owned()), "{ids:?}");
        assert_eq!(counts(&by_host(&json)["h"]), ["\u{fffd} 0 1"]);
        let metrics = capture.replay(&[form, "--format", "prometheus"]).out;
        assert_eq!(family(&metrics, "kms_keys_total").values().sum::<u64>(), 27);
        check_metrics(&metrics);
    }
}

#[test]
fn each_round_of_a_replay_that_loops_counts_the_same_again() {
    let capture = rotated();
    let path = capture.path();
    let served = Served::start(&["--kms-keys", "--loop", &path]);
    served.wait_for(|served| {
        let rounds = family(&served.get("/metrics").1, "replay_rounds_total");
        (rounds.values().sum::<u64>() >= 2).then_some(())
    });
    let summary: Value = serde_json::from_str(&served.get("/api/v1/summary").1).expect("JSON");
    let keys = &by_host(&summary)["store"];
    let n = |value: &Value| value.as_u64().expect("a count");
    let rounds = n(&keys["keys"][0]["requested"]["count"]) / 2;
    assert_eq!(n(&keys["changes"]["count"]), 2 * rounds, "{keys}");
    // As the page shows it.
    let page = served.get("/").1;
    for part in ["KMS keys (4)", "alias/a", "Key changes (", "photos"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    served.end();
}

#[test]
fn options_on_keys_that_make_no_sense_end_in_2() {
    let capture = Path::new("/dev/null").to_str().expect("UTF-8");
    for (arguments, message) in [
        (&["--kms-contexts=values"][..], "--kms-keys"),
        (&["--kms-keys=long"], "[possible values: short, full]"),
        (&["--kms-keys", "--kms-contexts=all"], "[possible values: names, values]"),
        (&["--kms-keys", "--max-kms-keys=0"], "--max-kms-keys"),
    ] {
        let run = run(["replay"].iter().chain(arguments).chain([&capture]));
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(message), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_configuration_file_sets_how_keys_are_counted() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("sealwatch.toml");
    let path = file.to_str().expect("paths here are UTF-8");
    let check = |text: &str| {
        fs::write(&file, text).expect("a file can be written");
        run(["config", "check", path])
    };
    let valid = "interface = [\"eth1\"]\nkms-keys = \"full\"\nkms-contexts = \"values\"\n\
                 max-kms-keys = 5\n";
    assert_eq!(check(valid).ok().out.lines().skip(1).collect::<Vec<_>>().join("\n") + "\n", valid);
    for (text, wrong) in [
        ("kms-keys = true", ":1:12: kms-keys: \"true\" is not one of short, full"),
        ("kms-contexts = \"names\"", ":1:1: kms-contexts: has a meaning only with --kms-keys"),
    ] {
        let run = check(text);
        assert_eq!(run.code, Some(2), "{}", run.err);
        assert!(run.err.contains(wrong), "{}", run.err);
    }
}
