//! Captures, sent over a wire and captured live, give the answer that they give offline. Needs root.
//!
//! The folder that `SEALWATCH_MORE_CAPTURES` names is sent, too.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use support::binary::{run, scenarios};
use support::counts::{counts, packets};
use support::frames::{Frame, frames, pcap_of_frames};
use support::wire::Wire;

/// An answer: the counts that Prometheus is served, the records, and the last word.
struct Answer {
    counts: BTreeMap<String, u64>,
    records: Vec<String>,
    verdict: String,
}

/// Records without their times, which are those of the sending, sorted.
fn untimed(records: Vec<Value>) -> Vec<String> {
    let untimed = |mut record: Value| {
        record["time"] = Value::Null;
        record.to_string()
    };
    let mut records: Vec<_> = records.into_iter().map(untimed).collect();
    records.sort();
    records
}

fn offline(files: &[PathBuf]) -> Answer {
    let replay = |format: &[&str]| {
        let names = files.iter().map(|file| file.to_str().expect("paths here are UTF-8"));
        run(["replay", "--quiet", "--kms-keys", "--format"]
            .iter()
            .chain(format)
            .copied()
            .chain(names))
        .ok()
    };
    let verdict = replay(&["json"]).json()["verdict"].as_str().expect("it is text").to_owned();
    let metrics = replay(&["prometheus"]).out;
    let records = untimed(replay(&["jsonl", "--all"]).records());
    let verdict = format!("{} packets; {verdict}", packets(&metrics));
    Answer { counts: counts(&metrics), records, verdict }
}

/// What is said live of frames that are sent over the wire. Records and the verdict are those at
/// the end, counts are as they stand when all is read and `settled`.
fn live(wire: &Wire, frames: &[Frame], settled: impl Fn(&str) -> bool) -> Answer {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (file, events) = (folder.path().join("frames"), folder.path().join("events"));
    fs::write(&file, pcap_of_frames(frames)).expect("a file can be written");
    let events_name = events.to_str().expect("paths here are UTF-8");
    let live = wire.live(&["--kms-keys", "--events", events_name, "--all", "--log-format", "json"]);
    wire.send(&file, "--pps=2000");
    let all = frames.len() as u64;
    let metrics = wire.wait("/metrics", |_, text| packets(text) >= all && settled(text));
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    let records = fs::read_to_string(&events).expect("records are written");
    let json = |line: &str| serde_json::from_str::<Value>(line).expect("a line is JSON");
    let last = json(said.lines().last().expect("it says something"));
    Answer {
        counts: counts(&metrics),
        records: untimed(records.lines().map(json).collect()),
        verdict: last["message"].as_str().expect("it is text").to_owned(),
    }
}

/// Holds what is said live of a capture to what is said of it offline. Gives the last word.
fn same(wire: &Wire, name: &str, files: &[PathBuf]) -> String {
    let offline = offline(files);
    // What is behind a gap counts when the connection has gone on for long enough, or ends; here
    // it may do neither. What is counted by then is only ever less.
    let is_whole = offline.verdict.ends_with(" 0 gaps");
    let settled = |text: &str| !is_whole || counts(text) == offline.counts;
    let live = live(wire, &frames(files), settled);
    for (line, count) in &live.counts {
        assert!(offline.counts.get(line) >= Some(count), "{name}: {line} {count}");
    }
    assert_eq!(live.records, offline.records, "{name}");
    assert_eq!(live.verdict, offline.verdict, "{name}");
    live.verdict
}

#[test]
fn every_capture_counts_the_same_live_as_offline() {
    let wire = Wire::new("same");
    for (name, files) in scenarios() {
        let files: Vec<_> = files.iter().map(PathBuf::from).collect();
        same(&wire, &name, &files);
    }
}

#[test]
fn so_does_every_capture_of_the_folder_that_is_named() {
    let Some(folder) = std::env::var_os("SEALWATCH_MORE_CAPTURES") else { return };
    let wire = Wire::new("more");
    let files = fs::read_dir(&folder).expect("the folder can be read");
    let mut files: Vec<_> = files.map(|file| file.expect("it can be read").path()).collect();
    files.sort();
    let is_capture = |file: &Path| {
        file.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng")
    };
    for file in files.into_iter().filter(|file| is_capture(file)) {
        let name = file.display().to_string();
        println!("{name}: {}", same(&wire, &name, &[file]));
    }
}
