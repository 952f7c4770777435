//! `sealwatch replay --serve`, `--pace` and `--loop`, asked from outside.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};
use support::binary::{Run, captures, run, sealwatch};
use support::conversation::endpoint;
use support::counts::{counts, family, sum};
use support::pcap::{Timed, connection, pcap};
use support::served::Served;
use support::traffic::put;

const HOUR: i64 = 3_600_000_000_000;

fn folder() -> String {
    captures().to_str().expect("paths here are UTF-8").to_owned()
}

/// The captures, as `replay` counts them.
fn offline(format: &str) -> String {
    run(["replay", "--quiet", "--format", format, &folder()]).ok().out
}

/// Two connections, an hour apart: three objects are put, and five.
fn with_a_silence() -> Vec<Timed> {
    let puts =
        |port, n, mode| connection(endpoint(1, port), endpoint(2, 80), &put(n, mode).packets);
    let mut packets = puts(4000, 3, "AES256");
    packets.extend(puts(4001, 5, "aws:kms").into_iter().map(|(time, data)| (time + HOUR, data)));
    packets
}

const FIRST: &str =
    "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 3\n";

#[test]
fn the_counts_are_served_as_live_does_and_go_on_being_served() {
    let served = Served::start(&[&folder()]);
    let whole = sum(&offline("prometheus"), "packets_total");
    let metrics = served.wait(|text| {
        sum(text, "packets_total") == whole && text.contains("replay_rounds_total 1\n")
    });
    assert_eq!(counts(&metrics), counts(&offline("prometheus")));
    let at = |path| served.get(path);
    assert_eq!(at("/-/healthy").0, "200");
    assert_eq!(at("/-/ready").0, "200");
    let (status, page) = at("/");
    assert!(status == "200" && page.contains("href=\"metrics\""), "{page}");
    let (_, summary) = at("/api/v1/summary");
    // What is told is told there, too.
    let json = run(["replay", "--format", "json", &folder()]);
    let with_notes = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(with_notes(&summary), with_notes(&json.out));
    let Run { code, out, err } = served.end();
    let table = run(["replay", "--quiet", &folder()]).ok().out;
    assert_eq!((code, out), (Some(0), table), "{err}");
    let verdict = format!("note: {whole} packets; examined 100 % of payload bytes, 24 gaps");
    assert!(err.contains(&verdict), "{err}");
    assert!(err.contains("; serving until SIGTERM or SIGINT\n"), "{err}");
}

#[test]
fn each_round_counts_as_the_first_and_faults_are_told_once() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for file in fs::read_dir(captures()).expect("captures/ is read") {
        let file = file.expect("an entry is read").path();
        let name = file.file_name().expect("a file has a name");
        if file.extension().is_some_and(|extension| extension == "pcap") {
            fs::copy(&file, folder.path().join(name)).expect("a file can be copied");
        }
    }
    // Cut off within its last packet, and within a connection.
    let cut = pcap(&with_a_silence()[..9]);
    fs::write(folder.path().join("cut"), &cut[..cut.len() - 10]).expect("a file can be written");
    let path = folder.path().to_str().expect("paths here are UTF-8");
    let once = run(["replay", "--quiet", "--format", "prometheus", path]).out;
    let whole = sum(&once, "packets_total");
    for workers in ["1", "3"] {
        let before = now();
        let served = Served::start(&["--loop", "--workers", workers, path]);
        let rounds = |text: &str| sum(text, "replay_rounds_total");
        // A moment passes between rounds, in which nothing is counted of the next.
        let metrics = served
            .wait(|text| rounds(text) >= 3 && sum(text, "packets_total") == rounds(text) * whole);
        let mut expected = counts(&once);
        expected.values_mut().for_each(|count| *count *= rounds(&metrics));
        assert!(expected.len() > 30, "{expected:?}");
        assert_eq!(counts(&metrics), expected);
        for name in ["gap_bytes_total", "flows_total", "capture_packets_received_total"] {
            assert_eq!(sum(&metrics, name), rounds(&metrics) * sum(&once, name), "{name}");
        }
        // Seen last: in this replay, whenever it was captured.
        let seen = times(&metrics, "last_seen_timestamp_seconds");
        assert!(seen.len() > 5, "{metrics}");
        assert!(seen.iter().all(|seen| (before..=now()).contains(seen)), "{seen:?}");
        let Run { code, err, .. } = served.end();
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(err.matches("warning: ").count(), 1, "{err}");
    }
}

/// Seconds since the epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64()
}

fn times(metrics: &str, name: &str) -> Vec<f64> {
    let name = format!("sealwatch_{name}{{");
    let lines = metrics.lines().filter(|line| line.starts_with(&name));
    lines.map(|line| line.rsplit_once(' ').expect("a value").1.parse().expect("one")).collect()
}

#[test]
fn at_a_pace_the_same_is_told_as_without() {
    let records = |arguments: &[&str]| {
        let always = ["replay", "--quiet", "--format", "jsonl", "--all"];
        let folder = folder();
        let all = always.iter().chain(arguments).copied().chain([folder.as_str()]);
        run(all).ok().sorted().join("\n")
    };
    let plain = records(&[]);
    assert!(plain.len() > 10_000);
    // Four and a half hours, in a second.
    assert_eq!(records(&["--pace", "15000"]), plain);
}

#[test]
fn at_a_pace_records_come_when_their_turn_is() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("silence");
    fs::write(&file, pcap(&with_a_silence())).expect("a file can be written");
    let file = file.to_str().expect("paths here are UTF-8");
    let mut command = sealwatch(["replay", "--pace", "realtime", "--format", "jsonl", file]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
    let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    // The others are an hour away.
    for line in lines.take(3) {
        assert!(line.expect("it is UTF-8").contains("\"requested_mode\":\"AES256\""));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

#[test]
fn what_was_captured_later_is_counted_later_and_is_not_waited_for_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("silence");
    fs::write(&file, pcap(&with_a_silence())).expect("a file can be written");
    let file = file.to_str().expect("paths here are UTF-8");
    let served = Served::start(&["--pace", "realtime", "--format", "json", file]);
    let metrics = served.wait(|text| text.contains(FIRST));
    assert!(!metrics.contains("aws:kms"), "{metrics}");
    let run = served.end();
    assert_eq!(run.code, Some(0), "{}", run.err);
    let json = run.json();
    assert_eq!(json["exchanges"]["object_store"], 3);
    // Told by the times of the capture.
    let plain = support::binary::run(["replay", "--format", "json", "--count", "9", file]).json();
    assert_eq!(json["first_packet"], plain["first_packet"]);
    // An hour goes by in a moment.
    let served = Served::start(&["--pace", "1000000", file]);
    served.wait(|text| text.contains("mode=\"aws:kms\"} 5\n"));
}

#[test]
fn a_pipe_on_which_nothing_comes_does_not_hold_up_the_end() {
    let (served, mut stdin) = Served::fed(&["--format", "json", "-"]);
    let packets = with_a_silence();
    stdin.write_all(&pcap(&packets)).expect("it reads");
    served.wait(|text| sum(text, "packets_total") > 0);
    // In the middle of the next packet.
    stdin.write_all(&[0; 20]).expect("it reads");
    let run = served.end();
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert_eq!(run.json()["exchanges"]["object_store"], 8);
    assert!(!run.err.contains("warning"), "{}", run.err);
    // Nothing at all.
    let (served, stdin) = Served::fed(&["-"]);
    let run = served.end();
    assert_eq!(run.code, Some(0), "{}", run.err);
    drop(stdin);
}

#[test]
fn what_cannot_be_served_or_read_again_says_so() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().to_str().expect("paths here are UTF-8");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let run = run(["replay", "--serve", "--web.listen-address", &address, path]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.contains(&format!("error: cannot listen on {address}: ")), "{}", run.err);
    let served = Served::start(&["--loop", path]);
    served.wait_for(|served| {
        served.said().contains("warning: there are no packets to read again").then_some(())
    });
    assert_eq!(family(&served.get("/metrics").1, "packets_total").values().sum::<u64>(), 0);
    assert_eq!(served.end().code, Some(1), "a folder without captures is an error");
}
