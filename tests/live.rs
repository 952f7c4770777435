//! `sealwatch live`, on a wire between two network namespaces. Needs root.

mod support;

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use support::binary::run;
use support::conversation::endpoint;
use support::counts::packets;
use support::pcap::connection;
use support::traffic::{frames, put, send};
use support::wire::Wire;

fn offline(file: &Path) -> String {
    let file = file.to_str().expect("paths here are UTF-8");
    run(["replay", "--quiet", "--format", "prometheus", file]).ok().out
}

#[test]
fn any_and_an_interface_twice_are_captured_on() {
    let wire = Wire::new("any");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    fs::write(
        &file,
        frames(connection(endpoint(1, 4000), endpoint(2, 80), &put(50, "AES256").packets)),
    )
    .expect("a file can be written");
    let live = wire.live(&["--interface", "any", "--dedup"]);
    let whole = packets(&offline(&file));
    send(&wire, &file);
    // Every packet is seen twice, and left out once. (So that the metrics are asked for is seen, too.)
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 50\n";
    wire.wait("/metrics", |_, text| text.contains(line));
    let copies = format!("sealwatch_packets_total{{fate=\"copy\"}} {whole}\n");
    wire.wait("/metrics", |_, text| text.contains(&copies));
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_interface_that_goes_away_is_missed_and_taken_up_again() {
    let wire = Wire::new("away");
    let live = wire.live(&[]);
    wire.unplug();
    wire.wait("/-/ready", |status, text| status == "503" && text == "not capturing on tap\n");
    let metrics = wire.wait("/metrics", |_, text| text.contains("sealwatch_capture_up"));
    assert!(metrics.contains("sealwatch_capture_up{interface=\"tap\"} 0\n"), "{metrics}");
    wire.plug();
    wire.wait("/-/ready", |status, _| status == "200");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    fs::write(
        &file,
        frames(connection(endpoint(1, 4000), endpoint(2, 80), &put(3, "AES256").packets)),
    )
    .expect("a file can be written");
    send(&wire, &file);
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 3\n";
    wire.wait("/metrics", |_, text| text.contains(line));
    let (code, said) = live.end();
    assert_eq!(code, Some(0));
    assert_eq!(said.matches("cannot capture on tap: ").count(), 1, "{said}");
    assert_eq!(said.matches("capturing on tap again").count(), 1, "{said}");
}

#[test]
fn a_filter_is_the_kernels_and_the_snapshot_length_cuts() {
    let wire = Wire::new("filter");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    let mut all = connection(endpoint(1, 4000), endpoint(2, 80), &put(5, "AES256").packets);
    all.extend(connection(endpoint(1, 4000), endpoint(2, 81), &put(5, "aws:kms").packets));
    fs::write(&file, frames(all)).expect("a file can be written");
    let live = wire.live(&["--filter", "tcp port 80", "--snaplen", "100"]);
    send(&wire, &file);
    let metrics = wire.wait("/metrics", |_, text| packets(text) >= 15);
    assert!(!metrics.contains("aws:kms"), "{metrics}");
    let (_, said) = live.end();
    // The heads are longer than what was captured of them.
    assert!(said.contains("15 packets; examined ") && said.contains(" gap"), "{said}");
    assert!(!metrics.contains("sealwatch_requests_total"), "{metrics}");
}

#[test]
fn what_cannot_begin_says_why() {
    let wire = Wire::new("begin");
    let live = wire.live(&[]);
    let binary = env!("CARGO_BIN_EXE_sealwatch");
    for (arguments, code, message) in [
        (&["--interface", "tap"][..], 1, "cannot listen on 127.0.0.1:10047: "),
        (&["--interface", "tap", "--filter", "tcp prot"], 2, "cannot use the filter \"tcp prot\""),
        (&[], 2, "--interface"),
        (&["--interface", "tap", "-i", "tap"], 2, "tap is to be captured on twice"),
        (&["--interface", "tap", "--snaplen", "1"], 2, "--snaplen"),
        (&["--interface", "tap", "--web.listen-address", "nowhere"], 2, "nowhere"),
    ] {
        let output = wire.near(binary).arg("live").args(arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(message), "{said}");
    }
    // Without root, and without its capabilities.
    let mut unprivileged = wire.near("setpriv");
    unprivileged.args(["--reuid=65534", "--clear-groups", binary, "live", "--interface", "tap"]);
    let output = unprivileged.output().expect("setpriv starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no permission to capture on tap: "), "{said}");
    drop(live);
}

#[test]
fn messages_are_objects_when_that_is_asked_for() {
    let wire = Wire::new("log");
    let live = wire.live(&["--log-format", "json"]);
    wire.unplug();
    wire.wait("/-/ready", |status, _| status == "503");
    let (_, said) = live.end();
    let message = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let messages: Vec<_> = said.lines().map(message).collect();
    let warning = messages.iter().find(|message| message["level"] == "WARN");
    assert_eq!(warning.expect("there is a warning")["interface"], "tap");
    let end = messages.last().expect("there is a last message");
    assert_eq!((&end["level"], &end["packets"]), (&"INFO".into(), &0.into()));
    let wire = Wire::new("quiet");
    let (code, said) = wire.live(&["--log-level", "warn"]).end();
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn messages_that_nobody_reads_hold_up_nothing() {
    let wire = Wire::new("mute");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    let packets = connection(endpoint(1, 4000), endpoint(2, 80), &put(40, "unheard-of").packets);
    fs::write(&file, frames(packets)).expect("a file can be written");
    // Standard error is full from the start.
    let (reader, mut stderr) = UnixStream::pair().expect("sockets can be made");
    stderr.set_nonblocking(true).expect("it takes that");
    while stderr.write(&[b'-'; 4096]).is_ok() {}
    stderr.set_nonblocking(false).expect("it takes that");
    let mut command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["live", "--interface", "tap"]).stderr(OwnedFd::from(stderr));
    let mut live = command.spawn().expect("the binary starts");
    wire.wait("/-/ready", |status, _| status == "200");
    send(&wire, &file);
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"other\"} 40\n";
    wire.wait("/metrics", |_, text| text.contains(line));
    let term = std::process::Command::new("kill").arg(live.id().to_string()).status();
    assert!(term.expect("kill starts").success());
    assert_eq!(live.wait().expect("it ends").code(), Some(0));
    drop(reader);
}

#[test]
fn interfaces_are_listed() {
    let wire = Wire::new("list");
    let output = wire.near(env!("CARGO_BIN_EXE_sealwatch")).arg("interfaces").output();
    let output = output.expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for line in
        ["tap              up; can be captured on\n", "any              up; can be captured on\n"]
    {
        assert!(text.contains(line), "{text}");
    }
}

#[test]
fn records_are_written_as_exchanges_end_and_a_rotated_file_is_left() {
    let wire = Wire::new("events");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let packets = connection(endpoint(1, 4000), endpoint(2, 80), &put(4, "AES256").packets);
    fs::write(path("puts"), frames(packets)).expect("a file can be written");
    let live = wire.live(&["--events", &path("events")]);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    let wait = |name: &str, lines: usize| {
        wire.wait("/metrics", |_, _| read(name).lines().count() >= lines);
    };
    send(&wire, Path::new(&path("puts")));
    wait("events", 4);
    fs::rename(path("events"), path("events.1")).expect("it can be renamed");
    live.signal("HUP");
    wire.wait("/metrics", |_, _| Path::new(&path("events")).exists());
    // The same packets again are a new connection: a SYN with another sequence number.
    let packets = connection(endpoint(1, 4001), endpoint(2, 80), &put(3, "aws:kms").packets);
    fs::write(path("more"), frames(packets)).expect("a file can be written");
    send(&wire, Path::new(&path("more")));
    wait("events", 3);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    for (name, lines, mode) in [("events.1", 4, "AES256"), ("events", 3, "aws:kms")] {
        let text = read(name);
        assert_eq!(text.lines().count(), lines, "{name}: {text}");
        for line in text.lines() {
            let record: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
            assert_eq!(record["requested_mode"], mode);
        }
    }
}

#[test]
fn a_file_that_cannot_be_opened_anew_is_tried_again_and_the_old_one_left_alone() {
    let wire = Wire::new("stale");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let live = wire.live(&["--events", &path("events")]);
    let lines = |name: &str| fs::read_to_string(path(name)).unwrap_or_default().lines().count();
    fs::rename(path("events"), path("events.1")).expect("it can be renamed");
    // In its place is what cannot be opened for writing.
    fs::create_dir(path("events")).expect("a folder can be made");
    live.signal("HUP");
    let lost = |n: usize| format!("sealwatch_events_total{{outcome=\"lost\"}} {n}\n");
    let file = support::traffic::puts(folder.path(), 3);
    // The signal may come after the first packets.
    std::thread::sleep(std::time::Duration::from_millis(300));
    send(&wire, &file);
    wire.wait("/metrics", |_, text| text.contains(&lost(3)));
    fs::remove_dir(path("events")).expect("it can be removed");
    wire.wait("/metrics", |_, _| Path::new(&path("events")).is_file());
    send(&wire, &support::traffic::puts(folder.path(), 4));
    wire.wait("/metrics", |_, _| lines("events") == 4);
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((lines("events.1"), said.matches("cannot open ").count()), (0, 1), "{said}");
    assert!(said.contains(" again"), "{said}");
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_at_once() {
    let wire = Wire::new("pipe");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let mut command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["live", "--interface", "tap", "--events"]).arg(&pipe);
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write ") && said.contains("pipe: "), "{said}");
}

#[test]
fn what_cannot_be_recorded_is_counted_and_holds_up_nothing() {
    let wire = Wire::new("full");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    let packets = connection(endpoint(1, 4000), endpoint(2, 80), &put(40, "AES256").packets);
    fs::write(&file, frames(packets)).expect("a file can be written");
    let live = wire.live(&["--events", "/dev/full"]);
    send(&wire, &file);
    let lost = "sealwatch_events_total{outcome=\"lost\"} 40\n";
    let metrics = wire.wait("/metrics", |_, text| text.contains(lost));
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 40\n";
    assert!(metrics.contains(line), "{metrics}");
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("cannot write /dev/full: ").count(), 1, "{said}");
    assert!(said.contains("40 records could not be written"), "{said}");
}

#[test]
fn a_reader_that_does_not_read_holds_up_nothing() {
    let wire = Wire::new("stuck");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("puts");
    // More than a pipe holds, so that the writer waits; the end must not wait for it.
    let packets = connection(endpoint(1, 4000), endpoint(2, 80), &put(400, "AES256").packets);
    fs::write(&file, frames(packets)).expect("a file can be written");
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo starts").success());
    let unread = fs::OpenOptions::new().read(true).write(true).open(&pipe).expect("it opens");
    let live = wire.live(&["--events", pipe.to_str().expect("UTF-8")]);
    send(&wire, &file);
    let line = "sealwatch_requests_total{host=\"h\",operation=\"PutObject\",mode=\"AES256\"} 400\n";
    wire.wait("/metrics", |_, text| text.contains(line));
    let (code, said) = live.end();
    assert_eq!(code, Some(0), "{said}");
    // All that the pipe does not hold.
    let lost = said.lines().find_map(|line| {
        let n = line.split_once(" records could not be written")?.0.rsplit(' ').next()?;
        n.parse::<u64>().ok()
    });
    assert!(lost.is_some_and(|lost| (200..400).contains(&lost)), "{said}");
    drop(unread);
}
