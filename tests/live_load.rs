//! `sealwatch live` when there is more than it can take, or it is held up: nothing is lost without
//! being counted, nothing is invented, and it ends when it is told to. Needs root.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use support::conversation::endpoint;
use support::counts::{family, packets, sum};
use support::pcap::{Timed, connection};
use support::script::Script;
use support::traffic::frames;
use support::wire::Wire;

const MODES: [&str; 3] = ["AES256", "aws:kms", "aws:kms:dsse"];
/// How long sealwatch is stopped, in seconds, unless `SEALWATCH_PAUSE` says otherwise.
const PAUSE: u64 = 3;

/// Uploads on one connection: `/b/NAME-NUMBER`, under modes in turns, answered alike.
fn uploads(name: &str, n: usize) -> Script {
    let upload = |script: Script, i: usize| {
        let mode = format!("x-amz-server-side-encryption: {}\r\n", MODES[i % 3]);
        let head = format!("PUT /b/{name}-{i} HTTP/1.1\r\nHost: h\r\n{mode}");
        let body = vec![b'b'; 1400];
        script
            .c(format!("{head}Content-Length: 4200\r\n\r\n"))
            .c(&body)
            .c(&body)
            .s("")
            .c(&body)
            .s(format!("HTTP/1.1 200 OK\r\n{mode}Content-Length: 0\r\n\r\n"))
    };
    (0..n).fold(Script::opened(), upload).c_fin().s_fin()
}

/// Connections from those ports with so many uploads each, packet by packet in turns, in a file.
fn many(folder: &Path, name: &str, ports: Range<u16>, n: usize) -> (PathBuf, u64) {
    let one = |port: u16| {
        let script = uploads(&format!("{name}{port}"), n);
        connection(endpoint(1, port), endpoint(2, 80), &script.packets)
    };
    let mut all: Vec<Timed> = ports.flat_map(one).collect();
    all.sort_by_key(|(time, _)| *time);
    let count = all.len() as u64;
    let file = folder.join(name);
    fs::write(&file, frames(all)).expect("a file can be written");
    (file, count)
}

/// Sends a capture again and again, as fast as it goes, up to a bound.
fn flood(wire: &Wire, file: &Path) -> Child {
    wire.far("tcpreplay")
        .args(["--quiet", "--intf1=far", "--topspeed", "--preload-pcap", "--loop=2000"])
        .arg(file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("tcpreplay starts; `make test` installs it")
}

/// How many packets have arrived where sealwatch listens, by the interface's own count.
fn arrived(wire: &Wire) -> u64 {
    let count = wire.near("cat").arg("/sys/class/net/tap/statistics/rx_packets").output();
    let count = String::from_utf8(count.expect("cat starts").stdout).expect("it is a number");
    count.trim().parse().expect("it is a number")
}

/// What the last message says, which is an object.
fn last_word(said: &str) -> Value {
    let last = said.lines().last().expect("it says something");
    serde_json::from_str(last).expect("a line is JSON")
}

/// Packets that were received, and those that were lost before that.
fn taken_and_lost(metrics: &str) -> (u64, u64) {
    let lost = family(metrics, "capture_packets_dropped_total");
    let lost =
        |reason: &str| lost[&format!("capture_packets_dropped_total{{reason=\"{reason}\"}}")];
    (packets(metrics), lost("kernel") + lost("interface"))
}

#[test]
fn in_heavy_traffic_it_ends_when_told_to_and_accounts_for_what_it_took() {
    let wire = Wire::new("term");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (file, all) = many(folder.path(), "heavy", 20_000..20_100, 20);
    let live = wire.live(&["--log-format", "json"]);
    let mut sender = flood(&wire, &file);
    let metrics = wire.wait("/metrics", |_, text| packets(text) > 5 * all);
    assert_eq!(packets(&metrics), sum(&metrics, "packets_total"), "{metrics}");
    assert!(sender.try_wait().expect("it is there").is_none(), "the traffic is over too early");
    let told = Instant::now();
    let (code, said) = live.end();
    let took = told.elapsed();
    println!("ended in {took:?}");
    sender.kill().expect("it runs");
    sender.wait().expect("it ends");
    assert_eq!(code, Some(0), "{said}");
    // A promise, not a measurement: whoever stops a service waits for it.
    assert!(took <= Duration::from_secs(2), "it took {took:?} to end");
    let last = last_word(&said);
    assert!(last["packets"].as_u64() >= Some(packets(&metrics)), "{said}");
    assert!(last["message"].as_str().is_some_and(|m| m.contains(" packets; examined ")), "{said}");
}

#[test]
fn removed_and_made_anew_under_traffic_an_interface_is_taken_up_again() {
    let wire = Wire::new("anew");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (during, all) = many(folder.path(), "during", 20_000..20_100, 20);
    let (after, m) = many(folder.path(), "after", 30_000..30_005, 3);
    let events = folder.path().join("events");
    let events_name = events.to_str().expect("paths here are UTF-8");
    for threads in ["1", "2"] {
        let _ = fs::remove_file(&events);
        let live = wire.live(&["--capture-threads", threads, "--events", events_name]);
        let mut sender = flood(&wire, &during);
        wire.wait("/metrics", |_, text| packets(text) > all);
        wire.unplug();
        wire.wait("/-/ready", |status, _| status == "503");
        // Its own end of the wire is gone, too.
        let _ = sender.kill();
        sender.wait().expect("it ends");
        wire.plug();
        wire.wait("/-/ready", |status, _| status == "200");
        let (before, lost) = taken_and_lost(&wire.get("/metrics").1);
        wire.send(&after, "--pps=500");
        let metrics = wire.wait("/metrics", |_, text| packets(text) >= before + m);
        assert_eq!(taken_and_lost(&metrics), (before + m, lost), "{metrics}");
        assert_eq!(packets(&metrics), sum(&metrics, "packets_total"), "{metrics}");
        let (code, said) = live.end();
        assert_eq!(code, Some(0), "{said}");
        // What was sent again and again is there more than once.
        let text = fs::read_to_string(&events).expect("records are written");
        let whole = |line: &&str| line.contains("/b/after") && line.contains("\"status\":200");
        assert_eq!(text.lines().filter(whole).count(), 15, "{said}");
    }
}

#[test]
fn held_up_under_traffic_it_counts_each_packet_that_it_lost_and_invents_nothing() {
    let pause = std::env::var("SEALWATCH_PAUSE").map_or(Ok(PAUSE), |seconds| seconds.parse());
    let pause = pause.expect("SEALWATCH_PAUSE is a number of seconds");
    let wire = Wire::new("stop");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (during, n) = many(folder.path(), "during", 20_000..20_100, 60);
    let (after, m) = many(folder.path(), "after", 30_000..30_005, 3);
    let events = folder.path().join("events");
    let events_name = events.to_str().expect("paths here are UTF-8");
    let before = arrived(&wire);
    let live = wire.live(&["--buffer-size", "1", "--events", events_name, "--log-format", "json"]);
    live.signal("STOP");
    wire.send(&during, &format!("--pps={}", n / pause));
    live.signal("CONT");
    // What came through is more than one buffer holds.
    let counted = |all: u64| {
        wire.wait("/metrics", |_, text| {
            let (taken, lost) = taken_and_lost(text);
            taken + lost >= all
        })
    };
    let (taken, lost) = taken_and_lost(&counted(n));
    assert!(lost > 0 && taken > 0, "{taken} taken, {lost} lost");
    println!("{taken} packets taken, {lost} lost");
    wire.send(&after, "--pps=500");
    let metrics = counted(n + m);
    assert_eq!(arrived(&wire) - before, n + m, "packets on the wire");
    assert_eq!(taken_and_lost(&metrics), (taken + m, lost), "{metrics}");
    assert_eq!(packets(&metrics), sum(&metrics, "packets_total"), "{metrics}");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    let last = last_word(&said);
    let dropped = format!("{lost} packets dropped");
    assert!(last["message"].as_str().is_some_and(|m| m.ends_with(&dropped)), "{said}");
    assert_eq!(last["packets"], taken + m);
    let seen = observed(&events);
    // What passed when it was no longer held up is all there.
    let are_after = |(target, _): &(&String, &Vec<Value>)| target.starts_with("/b/after");
    assert_eq!(seen.iter().filter(are_after).count(), 15);
}

/// The records by target, held to what was sent.
fn observed(events: &Path) -> BTreeMap<String, Vec<Value>> {
    let text = fs::read_to_string(events).expect("records are written");
    let mut seen: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in text.lines() {
        let record: Value = serde_json::from_str(line).expect("a line is JSON");
        let Some(target) = record["target"].as_str().map(str::to_owned) else {
            assert_eq!(record["request_seen"], false, "{record}");
            continue;
        };
        let number = target.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        let mode = MODES[number.expect("a target has a number") % 3];
        assert_eq!(record["requested_mode"], mode, "{record}");
        // An answer that belongs to it, or none.
        let applied = [Value::from(mode), Value::Null];
        assert!(applied.contains(&record["applied_mode"]), "{record}");
        seen.entry(target).or_default().push(record);
    }
    for (target, records) in &seen {
        assert_eq!(records.len(), 1, "{target} was sent once");
    }
    seen
}
