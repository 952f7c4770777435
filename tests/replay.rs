//! The real binary, driven from outside: `sealwatch replay`.

mod support;

use etherparse::PacketBuilder;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::binary::{Run, captures, run, sealwatch};
use support::conversation::{Faults, Random, Shape, endpoint, spoil, talk};
use support::pcap::{Timed, connection, pcap, pcap_of, split};
use support::prometheus::check_metrics;
use support::script::Script;
use support::traffic::client_hello;
use tempfile::TempDir;

/// A folder of files for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("paths here are UTF-8").to_owned()
    }

    fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }
}

/// `sealwatch replay ARGUMENTS`.
fn replay<S: AsRef<str>>(arguments: &[&str], paths: &[S]) -> Run {
    let paths = paths.iter().map(AsRef::as_ref);
    run(["replay"].into_iter().chain(arguments.iter().copied()).chain(paths))
}

fn head(lines: &[&str]) -> String {
    lines.join("\r\n") + "\r\n\r\n"
}

/// A PUT of nothing that asks for `mode`, and the answer that it was applied.
fn put(script: Script, host: &str, target: &str, mode: &str) -> Script {
    let header = format!("x-amz-server-side-encryption: {mode}");
    let request = head(&[
        &format!("PUT {target} HTTP/1.1"),
        &format!("Host: {host}"),
        &header,
        "Content-Length: 0",
    ]);
    script.c(request).s(head(&["HTTP/1.1 200 OK", &header, "Content-Length: 0"]))
}

fn packets(script: &Script, port: u16) -> Vec<Timed> {
    connection(endpoint(1, port), endpoint(2, 80), &script.packets)
}

/// Forty conversations at once, with losses, repetitions and packets out of order.
fn busy() -> Vec<u8> {
    let mut all = Vec::new();
    for seed in 0..40 {
        let mut random = Random(seed);
        let shape = Shape {
            exchanges: 30,
            max_body: 30_000,
            mss: 1448,
            treacherous: false,
            handshake: seed % 3 != 0,
        };
        let conversation = talk(&mut random, &shape);
        let faults = Faults { loss: 50, reorder: 100, depth: 5, duplicate: 100, overlap: 50 };
        let mut packets = spoil(&mut random, &conversation, faults);
        let mut times: Vec<_> = packets.iter().map(|packet| packet.time).collect();
        times.sort_unstable();
        packets.iter_mut().zip(times).for_each(|(packet, time)| packet.time = time);
        all.extend(connection(endpoint(1, 40_000 + seed as u16), endpoint(2, 80), &packets));
    }
    all.sort_by_key(|(time, _)| *time);
    pcap(&all)
}

/// A connection in which three objects are written.
fn three_puts() -> Vec<Timed> {
    let mut script = Script::opened();
    for (key, mode) in [("a", "AES256"), ("b", "aws:kms"), ("c", "aws:kms:dsse")] {
        script = put(script, "store.test", &format!("/bucket/{key}"), mode);
    }
    packets(&script.c_fin().s_fin(), 40_000)
}

fn project_captures() -> Vec<PathBuf> {
    let files = fs::read_dir(captures()).expect("captures/ is read");
    let mut files: Vec<_> = files.map(|file| file.expect("an entry is read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pcap"));
    assert!(files.len() > 10);
    files.sort();
    files
}

const EVERYTHING: [&str; 4] = ["--quiet", "--format", "jsonl", "--all"];

#[test]
fn answers_do_not_depend_on_the_number_of_workers() {
    let folder = Folder::new();
    let busy = folder.write("busy.pcap", &busy());
    let captures = captures().to_str().expect("paths here are UTF-8").to_owned();
    for format in ["jsonl", "json", "table", "prometheus"] {
        let with = |workers| {
            let arguments = ["--quiet", "--format", format, "--workers", workers];
            replay(&arguments, &[&busy, &captures]).ok().sorted().join("\n")
        };
        let one = with("1");
        assert!(one.len() > 1000, "{one}");
        assert_eq!(without_process(&one), without_process(&with("8")), "{format}");
    }
    let all = |workers| {
        let arguments = [&EVERYTHING[..], &["--workers", workers]].concat();
        replay(&arguments, &[&busy]).ok().sorted().join("\n")
    };
    let one = all("1");
    assert!(one.lines().count() > 500, "{}", one.lines().count());
    assert_eq!(one, all("8"));
}

#[test]
fn a_packet_from_the_future_ends_no_connection_but_its_own() {
    let day = 86_400_000_000_000;
    let mut all = Vec::new();
    for port in 1..=20 {
        let mut script = Script::opened();
        for i in 0..300 {
            script = put(script, "store.test", &format!("/b/{port}-{i}"), "AES256");
        }
        all.extend(packets(&script, port));
    }
    all.sort_by_key(|(time, _)| *time);
    let others = |run: &Run| {
        let others = run.records().into_iter().filter(|record| record["client_port"] != 7);
        others.filter(|record| record["status"] == 200).count()
    };
    let of_seven = all.iter().position(|(_, packet)| packet.len() > 100 && packet[21] == 7);
    for at in [of_seven.expect("it speaks"), all.len() / 2] {
        let mut all = all.clone();
        let later = all[at..].iter().position(|(_, packet)| packet[21] == 7);
        all[at + later.expect("it speaks on")].0 += 300 * day;
        let folder = Folder::new();
        let file = folder.write("future", &pcap(&all));
        let with = |workers| replay(&["--format", "jsonl", "--workers", workers], &[&file]).ok();
        let (one, eight) = (with("1"), with("8"));
        assert_eq!(others(&one), 19 * 300);
        let flows = |workers| {
            let arguments = ["--format", "json", "--workers", workers];
            replay(&arguments, &[&file]).ok().json()["ledger"]["flows"].clone()
        };
        assert_eq!(flows("1"), json!({"total": 21, "timed_out": 1, "evicted": 0}));
        assert_eq!(flows("1"), flows("8"));
        assert_eq!(one.sorted(), eight.sorted());
    }
}

/// Without what the process says of itself.
fn without_process(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("process_")).collect()
}

#[test]
fn one_file_and_the_same_in_three_give_the_same() {
    let folder = Folder::new();
    let busy = folder.write("busy.pcap", &busy());
    let files = project_captures();
    let files = files.iter().map(|file| file.to_str().expect("paths here are UTF-8"));
    for whole in files.chain([busy.as_str()]) {
        let parts = split(&fs::read(whole).expect("a capture is read"), 3);
        assert_eq!(parts.len(), 3, "{whole}");
        let write = |(i, part): (usize, &Vec<u8>)| folder.write(&format!("{i}.pcap"), part);
        // Named in the wrong order: the packets' times decide.
        let parts: Vec<_> = parts.iter().enumerate().rev().map(write).collect();
        let (one, three) = (replay(&EVERYTHING, &[whole]).ok(), replay(&EVERYTHING, &parts).ok());
        assert!(!one.out.is_empty(), "{whole}");
        assert_eq!(one.sorted(), three.sorted(), "{whole}");
        let summary = |paths: &[&str]| replay(&["--quiet", "--format", "json"], paths).ok().json();
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        assert_eq!(summary(&[whole]), summary(&parts), "{whole}");
    }
}

#[test]
fn a_dozen_hosts_whose_labels_run_together_alike_are_counted_apart() {
    const LABELS: &str = "abcdefghijklmnopqrstuvwxyz";
    let mut all = Vec::new();
    for n in 1..=12u16 {
        let (host, bucket) = LABELS.split_at(usize::from(n));
        let mut script = Script::opened();
        for i in 0..n {
            script = put(script, host, &format!("/{bucket}/{i}"), "AES256");
        }
        all.extend(packets(&script, 40_000 + n));
    }
    let folder = Folder::new();
    let file = folder.write("hosts.pcap", &pcap(&all));
    let counted = |n: u16| {
        let (host, bucket) = LABELS.split_at(usize::from(n));
        format!(
            "sealwatch_requests_total{{host=\"{host}\",bucket=\"{bucket}\",operation=\"PutObject\",\
             mode=\"AES256\"}} {n}\n"
        )
    };
    let metrics = replay(&["--format", "prometheus", "--label", "bucket"], &[&file]).ok().out;
    for n in 1..=12 {
        assert!(metrics.contains(&counted(n)), "{}\n{metrics}", counted(n));
    }
    let summary = replay(&["--format", "json", "--label", "bucket"], &[&file]).ok().json();
    let hosts = summary["hosts"].as_array().expect("hosts are a list");
    assert_eq!(hosts.len(), 12);
    for (n, host) in (1..=12).zip(hosts) {
        let (name, bucket) = LABELS.split_at(n);
        let put = |counts: &Value| counts["requests"]["PutObject"]["AES256"].clone();
        assert_eq!((&host["host"], put(host)), (&json!(name), json!(n)));
        assert_eq!(put(&host["buckets"][bucket]), json!(n));
    }
}

#[test]
fn hosts_beyond_the_bound_are_counted_together_and_it_is_said() {
    let mut all = Vec::new();
    for n in 0..5u16 {
        all.extend(packets(&put(Script::opened(), &format!("h{n}"), "/b/k", "AES256"), 40_000 + n));
    }
    all.sort_by_key(|(time, _)| *time);
    let folder = Folder::new();
    let file = folder.write("hosts.pcap", &pcap(&all));
    let run = replay(&["--format", "json", "--max-hosts", "2"], &[&file]).ok().json();
    let hosts: Vec<_> =
        run["hosts"].as_array().expect("a list").iter().map(|h| &h["host"]).collect();
    assert_eq!(hosts.len(), 3, "{hosts:?}");
    let others = run["hosts"].as_array().expect("a list").iter().find(|h| h["host"] == "__other__");
    assert_eq!(others.expect("there are others")["requests"]["PutObject"]["AES256"], 3);
    assert!(run["label_overflow"]["host"].as_u64() >= Some(3), "{run}");
    let table = replay(&["--max-hosts", "2"], &[&file]).ok().out;
    assert!(table.contains("__other__") && table.contains("Too many hosts"), "{table}");
}

#[test]
fn bad_input_is_named_with_what_is_wrong_and_ends_in_the_documented_code() {
    let folder = Folder::new();
    let good = pcap(&three_puts());
    let mut long = good.clone();
    long[24 + 8..24 + 12].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    let mut past_the_end = good.clone();
    let last = past_the_end.len() - three_puts().last().expect("there are packets").1.len();
    past_the_end[last - 8..last - 4].copy_from_slice(&5000u32.to_le_bytes());
    past_the_end[last - 4..last].copy_from_slice(&5000u32.to_le_bytes());
    fs::create_dir(folder.path("folder")).expect("a folder can be made");
    folder.write("folder/notes", b"nothing");
    let cut = &good[..good.len() - 3];
    let packet = last - 16;
    let table: &[(&str, String, i32, String)] = &[
        ("empty", folder.write("empty", b""), 1, "is empty, not a capture file".into()),
        (
            "no capture",
            folder.write("text", b"text and nothing else"),
            1,
            "is not a capture file".into(),
        ),
        ("folder", folder.path("folder"), 1, "no capture file in ".into()),
        ("absent", folder.path("absent"), 1, "No such file or directory".into()),
        // Even root gets no byte of it.
        ("unreadable", "/proc/self/mem".into(), 1, "cannot read /proc/self/mem: ".into()),
        ("short header", folder.write("header", &good[..20]), 1, "is damaged at byte 0".into()),
        ("impossible length", folder.write("long", &long), 1, "is damaged at byte 24".into()),
        (
            "unknown link",
            folder.write("link", &pcap_of(147, &three_puts())),
            1,
            "is of link type 147".into(),
        ),
        ("cut", folder.write("cut", cut), 0, format!("ends within the packet at byte {packet}")),
        (
            "past the end",
            folder.write("past", &past_the_end),
            0,
            format!("ends within the packet at byte {packet}"),
        ),
    ];
    let good = folder.write("good", &good);
    for (what, path, code, message) in table {
        let alone = replay(&[], &[path]);
        assert_eq!(alone.code, Some(*code), "{what}: {}", alone.err);
        assert!(alone.err.contains(message.as_str()), "{what}: {}", alone.err);
        assert!(alone.err.contains(path.as_str()), "{what}: {}", alone.err);
        assert!(
            alone.err.starts_with(if *code == 0 {
                "sealwatch: warning: "
            } else {
                "sealwatch: error: "
            }) || alone.err.starts_with("sealwatch: note: "),
            "{what}: {}",
            alone.err
        );
        assert!(alone.out.contains("object-store exchange"), "{what}: {}", alone.out);
        // What stands beside it is read all the same.
        let both = replay(&["--format", "jsonl"], &[path, &good]);
        assert_eq!(both.code, Some(*code), "{what}");
        assert!(both.records().len() >= 3, "{what}: {}", both.out);
        // And the problem is in the object, too.
        let json = replay(&["--format", "json"], &[path]).json();
        assert!(json["problems"].to_string().contains(message.as_str()), "{what}: {json}");
    }
}

#[test]
fn arguments_that_make_no_sense_end_in_2_and_touch_nothing() {
    let folder = Folder::new();
    let content = pcap(&three_puts());
    let good = folder.write("good", &content);
    let link = folder.path("link");
    std::os::unix::fs::symlink(&good, &link).expect("a link can be made");
    for (arguments, message) in [
        (vec!["--filter", "tcp prot 80", &good], "cannot use the filter \"tcp prot 80\""),
        (vec!["--output", &good, &good], "is to be read and written at once"),
        (vec!["--output", &link, &good], "is to be read and written at once"),
        (vec!["--all", &good], "--all has a meaning only with --format jsonl"),
        (vec!["--loop", &good], "--serve"),
        (vec!["--serve", "--loop", "-"], "- cannot be read again"),
        (vec!["--serve", "--loop", "/dev/null"], "/dev/null cannot be read again"),
        (vec!["--web.listen-address", "127.0.0.1:0", &good], "only with --serve"),
        (vec!["--pace", "fast", &good], "neither max, realtime nor a factor"),
        (vec!["--pace", "0", &good], "neither max, realtime nor a factor"),
        (vec!["--workers", "0", &good], "--workers"),
        (vec!["--max-hosts", "0", &good], "--max-hosts"),
        (vec!["--format", "xml", &good], "xml"),
        (vec![], "PATH"),
        (vec!["--no-such", &good], "--no-such"),
    ] {
        let run = replay(&arguments, &[] as &[&str]);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(message), "{arguments:?}: {}", run.err);
    }
    assert_eq!(fs::read(&good).expect("it is still there"), content);
    assert_eq!(run([] as [&str; 0]).code, Some(2));
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let good = folder.write("good", &pcap(&three_puts()));
    for output in ["/dev/full", "/no/such/folder/file"] {
        let run = replay(&["--output", output], &[&good]);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.err.contains(&format!("cannot write {output}: ")), "{}", run.err);
    }
    let answer = folder.path("answer");
    let to_file = replay(&["--output", &answer], &[&good]).ok();
    let to_stdout = replay(&[], &[&good]).ok();
    assert_eq!(to_file.out, "");
    assert_eq!(fs::read_to_string(&answer).expect("it was written"), to_stdout.out);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let file = folder.write("busy", &busy());
    let mut child = sealwatch(["replay", "--format", "jsonl", "--all", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn standard_input_is_read_packed_or_not() {
    let content = pcap(&three_puts());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&content).expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    let zstd = zstd::encode_all(&content[..], 0).expect("it can be packed");
    for input in [content, gzip, zstd] {
        let mut child = sealwatch(["replay", "--format", "jsonl", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        child.stdin.take().expect("it is piped").write_all(&input).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 3);
    }
}

#[test]
fn records_come_as_exchanges_end_not_at_the_end_of_input() {
    let mut child = sealwatch(["replay", "--quiet", "--format", "jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let content = busy_puts(20_000);
    let mut input = child.stdin.take().expect("it is piped");
    let writer = std::thread::spawn(move || {
        input.write_all(&content).expect("it reads");
        input
    });
    let mut output = child.stdout.take().expect("it is piped");
    // The input is still open.
    let mut first = [0; 1];
    output.read_exact(&mut first).expect("a record comes");
    assert_eq!(&first, b"{");
    let mut rest = String::new();
    let reader = std::thread::spawn(move || output.read_to_string(&mut rest).map(|_| rest));
    drop(writer.join().expect("the writer ends"));
    let rest = reader.join().expect("the reader ends").expect("it is text");
    assert_eq!(rest.lines().count(), 20_000);
    assert!(child.wait().expect("it ends").success());
}

fn busy_puts(n: usize) -> Vec<u8> {
    let mut script = Script::opened();
    for i in 0..n {
        script = put(script, "store.test", &format!("/bucket/{i}"), "AES256");
    }
    pcap(&packets(&script, 40_000))
}

#[test]
fn the_table_is_80_columns_wide_and_coloured_only_when_told() {
    let arguments = ["--quiet", "--label", "bucket"];
    let plain = replay(
        &arguments,
        &project_captures().iter().map(|p| p.to_str().expect("UTF-8")).collect::<Vec<_>>(),
    )
    .ok()
    .out;
    for line in plain.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!plain.contains('\x1b'), "{plain}");
    let verdict = plain.lines().last().expect("there is a last line");
    assert!(verdict.starts_with("Ledger: examined "), "{verdict}");
    let folder = Folder::new();
    let file = folder.write("good", &pcap(&three_puts()));
    assert!(replay(&["--color", "always"], &[&file]).ok().out.contains("\x1b["));
    for host in ["a\x1b[31m", &"a b".repeat(200)] {
        let odd = packets(&put(Script::opened(), host, "/b/k\x1b[31m", "AES256"), 40_000);
        let table = replay(&["--label", "bucket"], &[&folder.write("odd", &pcap(&odd))]).out;
        assert!(!table.contains('\x1b') && !table.contains("a b"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    }
}

#[test]
fn nothing_secret_is_in_any_answer() {
    const SECRETS: [&str; 7] = [
        "U0VDUkVUU0VDUkVUU0VDUkVUU0VDUkVU",
        "md5OfTheKey",
        "signaturesecret",
        "tokensecret",
        "AKIDSECRET",
        "sessionsecret",
        "bearersecret",
    ];
    let [key, md5, signature, token, id, session, bearer] = SECRETS;
    let target = format!(
        "/b/k?X-Amz-Signature={signature}&X-Amz-Security-Token={token}&X-Amz-Credential={id}%2F20260101\
         &AWSAccessKeyId={id}&Signature={signature}&%58-Amz-Signature={signature}"
    );
    let request = head(&[
        &format!("PUT {target} HTTP/1.1"),
        "Host: store.test",
        "x-amz-server-side-encryption-customer-algorithm: AES256",
        &format!("x-amz-server-side-encryption-customer-key: {key}"),
        &format!("x-amz-server-side-encryption-customer-key-MD5: {md5}"),
        &format!("Authorization: AWS4-HMAC-SHA256 Credential={id}/x, Signature={signature}"),
        &format!("X-Amz-Security-Token: {session}"),
        &format!("Cookie: {bearer}"),
        "Content-Length: 0",
    ]);
    let answer = head(&[
        "HTTP/1.1 200 OK",
        &format!("x-amz-server-side-encryption-customer-key-MD5: {md5}"),
        "Content-Length: 0",
    ]);
    let folder = Folder::new();
    let file =
        folder.write("secret", &pcap(&packets(&Script::opened().c(request).s(answer), 40_000)));
    for format in ["table", "json", "jsonl", "prometheus"] {
        let run = replay(&["--format", format, "--label", "bucket"], &[&file]).ok();
        assert!(run.out.contains("store.test"), "{}", run.out);
        for secret in SECRETS {
            assert!(!run.out.contains(secret), "{secret} is in {}", run.out);
        }
    }
    let record = &replay(&["--format", "jsonl"], &[&file]).records()[0];
    assert_eq!(record["findings"], json!(["customer_key_in_clear"]));
    assert_eq!(record["requested_mode"], "SSE-C");
    assert!(record["target"].as_str().expect("text").contains("X-Amz-Signature=REDACTED"));
}

#[test]
fn prometheus_takes_the_metrics_whatever_the_hosts_are_called() {
    let names = [
        "a\"b",
        "a\\b",
        "ü.test",
        "a\nb",
        &"x".repeat(10_000),
        "[::1]:9000",
        "%41",
        "a{b=\"c\"} 1",
    ];
    let mut all: Vec<Timed> = Vec::new();
    for (n, name) in (0u16..).zip(names) {
        all.extend(packets(&put(Script::opened(), name, "/bu%22cket/k", "AES256"), 40_000 + n));
    }
    // What is no text at all: as a host, as a bucket, as the name that TLS is asked for.
    let mode = "x-amz-server-side-encryption: AES256\r\nContent-Length: 0\r\n\r\n";
    let answer = format!("HTTP/1.1 200 OK\r\n{mode}");
    for (n, bytes) in (0u16..).zip([&b"\xff\xfe"[..], b"a\xc3", b"\xed\xa0\x80\"", b"a\\\xf0\x9f"])
    {
        let request = [b"PUT /", bytes, b"/%0A%22 HTTP/1.1\r\nHost: ", bytes, b"\r\n"].concat();
        let script = Script::opened().c([&request, mode.as_bytes()].concat()).s(&answer);
        all.extend(packets(&script, 41_000 + n));
    }
    let names = ["a\"b\\c\nd", "ü\u{85}\u{2028}", &"y".repeat(10_000)];
    for (n, name) in (0u16..).zip(names) {
        all.extend(packets(&Script::opened().c(client_hello(name)), 42_000 + n));
    }
    all.sort_by_key(|(time, _)| *time);
    let folder = Folder::new();
    let odd = folder.write("odd", &pcap(&all));
    let mut files: Vec<_> =
        project_captures().iter().map(|p| p.to_str().expect("UTF-8").to_owned()).collect();
    files.push(odd);
    let arguments = ["--quiet", "--format", "prometheus", "--label", "bucket"];
    let metrics = replay(&arguments, &files).ok().out;
    let longest = metrics.lines().map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 2_000), "{longest:?}");
    check_metrics(&metrics);
}

#[test]
fn filters_and_counts_leave_out_packets() {
    let folder = Folder::new();
    let file = folder.write("good", &pcap(&three_puts()));
    let records = |arguments: &[&str]| {
        replay(&[&["--format", "jsonl"], arguments].concat(), &[&file]).ok().records().len()
    };
    assert_eq!(records(&[]), 3);
    assert_eq!(records(&["--filter", "tcp port 80"]), 3);
    assert_eq!(records(&["-f", "tcp port 81"]), 0);
    assert_eq!(records(&["-c", "0"]), 0);
    // The handshake, and the first exchange.
    assert_eq!(records(&["--count", "5"]), 1);
    assert_eq!(replay(&["--format", "jsonl", "-r", &file], &[] as &[&str]).ok().records().len(), 3);
}

#[test]
fn wrong_checksums_count_unless_they_are_to_be_verified() {
    let mut wrong = three_puts();
    let last =
        wrong.iter_mut().rev().find(|(_, packet)| packet.len() > 60).expect("one has a payload");
    let end = last.1.len() - 1;
    // A digit of the content's length.
    last.1[end - 4] ^= 1;
    let folder = Folder::new();
    let file = folder.write("wrong", &pcap(&wrong));
    let fate = |arguments: &[&str]| {
        let json = replay(&[&["--format", "json"], arguments].concat(), &[&file]).ok().json();
        (json["ledger"]["packets"]["bad_checksum"].clone(), json["ledger"]["gaps"].clone())
    };
    assert_eq!(fate(&[]), (json!(0), json!(0)));
    assert_eq!(fate(&["--verify-checksums"]), (json!(1), json!(1)));
}

#[test]
fn stores_that_show_no_sign_are_known_when_they_are_named() {
    let get = |host: &str, target: &str| {
        let request = head(&[&format!("GET {target} HTTP/1.1"), &format!("Host: {host}")]);
        let answer = head(&["HTTP/1.1 200 OK", "ETag: \"1\"", "Content-Length: 0"]);
        Script::opened().c(request).s(answer)
    };
    let folder = Folder::new();
    let plain = folder.write("plain", &pcap(&packets(&get("files.example", "/bucket/key"), 1)));
    let suffixed = folder.write("suffixed", &pcap(&packets(&get("b.u.store.example", "/key"), 1)));
    let record = |arguments: &[&str], file: &String| {
        let run = replay(&[&EVERYTHING[..], arguments].concat(), &[file]).ok();
        let record = &run.records()[0];
        ["object_store", "operation", "bucket", "applied_mode"].map(|field| record[field].clone())
    };
    let nothing = [Value::Null, Value::Null, Value::Null, Value::Null];
    assert_eq!(record(&[], &plain), nothing);
    assert_eq!(record(&["--s3-host", "other.*"], &plain), nothing);
    let known = |bucket: Value| [json!("s3"), json!("GetObject"), bucket, json!("none")];
    assert_eq!(record(&["--s3-host", "FILES.*"], &plain), known(Value::Null), "of either style");
    assert_eq!(record(&[], &suffixed), nothing);
    assert_eq!(record(&["--endpoint-suffix", "store.example"], &suffixed), known(json!("b.u")));
}

#[test]
fn a_pipe_gets_no_progress_bar() {
    let captures = project_captures();
    let files: Vec<_> = captures.iter().map(|p| p.to_str().expect("UTF-8")).collect();
    let run = replay(&[], &files);
    assert_eq!(run.code, Some(0));
    assert!(!run.err.contains(['\r', '\x1b']), "{}", run.err);
}

#[test]
fn the_readme_shows_what_the_demo_shows() {
    let folder = captures().to_str().expect("paths here are UTF-8").to_owned();
    let table = replay(&["--quiet", "--color", "never"], &[folder]).ok().out;
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("README.md is read");
    assert!(readme.contains(&table), "{table}");
}

#[test]
fn the_version_and_the_help_are_told() {
    assert_eq!(run(["--version"]).ok().out, format!("sealwatch {}\n", env!("CARGO_PKG_VERSION")));
    let help = run(["replay", "--help"]).ok().out + &run(["live", "--help"]).ok().out;
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("README.md is read");
    let options = help.split_whitespace().filter(|word| word.starts_with("--"));
    // A value may be left out: [=VALUE].
    let names = options.map(|word| word.split('[').next().unwrap_or(word));
    for option in names.map(|word| word.trim_end_matches([',', '.', ':'])) {
        assert!(readme.contains(option), "README.md does not know {option}");
    }
}

#[test]
fn a_connection_seen_twice_counts_once_and_copies_can_be_left_out() {
    let folder = Folder::new();
    let once = three_puts();
    let second = |(time, packet): &Timed| (time + 3_000, packet.clone());
    let twice: Vec<_> = once.iter().flat_map(|one| [one.clone(), second(one)]).collect();
    let file = folder.write("twice", &pcap(&twice));
    let of = |arguments: &[&str]| {
        replay(&[&["--format", "json"], arguments].concat(), &[&file]).ok().json()
    };
    let (kept, left_out) = (of(&[]), of(&["--dedup"]));
    assert_eq!(kept["hosts"], left_out["hosts"]);
    assert_eq!(kept["hosts"][0]["requests"]["PutObject"]["AES256"], 1);
    let n = once.len();
    let fates =
        |json: &Value| ["segment", "copy"].map(|fate| json["ledger"]["packets"][fate].clone());
    assert_eq!(fates(&kept), [json!(2 * n), json!(0)]);
    assert_eq!(fates(&left_out), [json!(n), json!(n)]);
    assert_eq!(left_out["ledger"]["payload_bytes"]["duplicate"], 0);
    assert_eq!(left_out, of(&["--dedup", "--workers", "8"]));
}

#[test]
fn encrypted_connections_are_counted_by_the_name_they_ask_for() {
    let answer = [22, 3, 3, 0, 4, 2, 0, 0, 0];
    let data = [&[23, 3, 3, 1, 0][..], &[9; 256]].concat();
    let hello = client_hello("S3.Example.com");
    let (a, b) = hello.split_at(30);
    let plain = Script::opened();
    let tunnel =
        plain.clone().c(head(&["CONNECT s3.example.com:443 HTTP/1.1", "Host: s3.example.com"]));
    let tunnel = tunnel.s(head(&["HTTP/1.1 200 OK"]));
    let scripts = [
        plain.clone().c(&hello).s(answer).c(&data).s(&data),
        // In two segments, and after CONNECT.
        plain.clone().c(a).c(b).s(answer).c(&data),
        tunnel.c(&hello).s(answer),
        // Half of it was not captured; there was no more of it; it was joined later.
        plain.clone().c(a).lose().c(b).s(answer).c(&data),
        plain.clone().c(a),
        Script::joined().c(&data).s(&data),
    ];
    let mut all = Vec::new();
    for (port, script) in (1..).zip(&scripts) {
        all.extend(packets(script, port));
    }
    let folder = Folder::new();
    let file = folder.write("tls", &pcap(&all));
    let of = |arguments: &[&str]| {
        let json = replay(&[&["--format", "json"], arguments].concat(), &[&file]).ok().json();
        json["ledger"].clone()
    };
    let ledger = of(&[]);
    let named = 3 * hello.len() + 3 * answer.len() + 3 * data.len();
    let unnamed = 2 * a.len() + answer.len() + 3 * data.len();
    assert_eq!(
        ledger["blind"]["tls_server_names"],
        json!({"s3.example.com": {"connections": 3, "bytes": named}})
    );
    assert_eq!(ledger["blind"]["tls_connections"], 6);
    assert_eq!(ledger["payload_bytes"]["blind"], named + unnamed);
    assert_eq!(ledger, of(&["--workers", "8"]));
    let metrics = replay(&["--format", "prometheus"], &[&file]).ok().out;
    for line in [
        "sealwatch_blind_connections_total{kind=\"tls\",server_name=\"s3.example.com\"} 3"
            .to_owned(),
        "sealwatch_blind_connections_total{kind=\"tls\",server_name=\"\"} 3".to_owned(),
        format!("sealwatch_blind_bytes_total{{kind=\"tls\",server_name=\"\"}} {unnamed}"),
    ] {
        assert!(metrics.contains(&(line.clone() + "\n")), "{line}\n{metrics}");
    }
    let table = replay(&[], &[&file]).ok().out;
    assert!(table.contains("    s3.example.com: 3 connections, "), "{table}");
}

/// A UDP datagram between endpoint 1 at `port` and endpoint 2 at 443, one of the two ways.
fn quic(time: i64, port: u16, from_client: bool, payload: &[u8]) -> Timed {
    let ends = [([192, 0, 2, 1], port), ([192, 0, 2, 2], 443)];
    let [(from, from_port), (to, to_port)] = if from_client { ends } else { [ends[1], ends[0]] };
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(from, to, 64).udp(from_port, to_port);
    builder.write(&mut packet, payload).expect("a packet can be written");
    (time, packet)
}

#[test]
fn quic_is_counted_as_a_blind_spot_and_the_ledger_still_closes() {
    let initial = [&[0xc3, 0, 0, 0, 1, 8][..], &[9; 8], &[0], &[7; 1_185]].concat();
    let negotiation = [&[0xaf, 0, 0, 0, 0, 0, 8][..], &[9; 8], &[0, 0, 0, 1]].concat();
    let short = [&[0x5c][..], &[0xfe; 99]].concat();
    let maybe_turn = [&[0x4c][..], &[0xfe; 49]].concat();
    let dtls = [&[22, 0xfe, 0xfd][..], &[0; 60]].concat();
    let second = 1_000_000_000;
    let mut all = three_puts();
    let tcp = all.len();
    // Seen from the beginning; once more with the same port, much later.
    for start in [0, 300] {
        all.push(quic(start * second, 1, true, &initial));
        all.push(quic(start * second + 1, 1, false, &negotiation));
        all.push(quic((start + 59) * second, 1, false, &maybe_turn));
    }
    // Thirty that are joined later, in turns.
    for i in 0..4 {
        all.extend((0..30).map(|n| quic(second + i, 100 + n, i % 2 == 0, &short)));
    }
    // Something else.
    all.extend([&dtls, &short, &short, &short].map(|data| quic(2, 3, true, data)));
    all.extend([&maybe_turn; 9].map(|data| quic(2, 4, true, data)));
    all.sort_by_key(|(time, _)| *time);
    let folder = Folder::new();
    let file = folder.write("quic", &pcap(&all));
    let of =
        |workers: &str| replay(&["--format", "json", "--workers", workers], &[&file]).ok().json();
    let json = of("1");
    let (ledger, blind) = (&json["ledger"], &json["ledger"]["blind"]);
    let bytes = 2 * (initial.len() + negotiation.len() + maybe_turn.len()) + 120 * short.len();
    assert_eq!((&blind["quic_connections"], &blind["quic_bytes"]), (&json!(32), &json!(bytes)));
    assert_eq!(blind["quic_evicted"], 0);
    // Packets and payload have the fates that they would have without it.
    assert_eq!(ledger["packets"]["segment"], tcp);
    assert_eq!(ledger["packets"]["not_tcp"], all.len() - tcp);
    let fates = ledger["packets"].as_object().expect("fates").values();
    assert_eq!(fates.filter_map(Value::as_u64).sum::<u64>(), all.len() as u64);
    assert_eq!(ledger["payload_bytes"]["blind"], 0);
    assert_eq!(ledger["flows"]["total"], 1);
    let verdict = "examined 100 % of payload bytes, 0 gaps, 32 blind connections";
    assert_eq!(json["verdict"], verdict);
    assert_eq!(json["exchanges"]["object_store"], 3);
    assert_eq!(json, of("8"));
    let metrics = replay(&["--format", "prometheus"], &[&file]).ok().out;
    for (name, n) in [("connections", 32), ("bytes", bytes)] {
        let line = format!("sealwatch_blind_{name}_total{{kind=\"quic\",server_name=\"\"}} {n}\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    let table = replay(&[], &[&file]).ok().out;
    assert!(
        table.contains("not looked into: QUIC (UDP port 443)\n    32 connections, "),
        "{table}"
    );
}
