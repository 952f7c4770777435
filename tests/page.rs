//! The page, in a real browser, of a real `sealwatch live`. Needs root.
//!
//! What is checked in the browser is in `tests/browser/page.mjs`; screenshots are in
//! `target/screenshots`.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use support::conversation::endpoint;
use support::pcap::connection;
use support::script::Script;
use support::traffic::{client_hello, frames, send};
use support::wire::{Live, Wire};

/// The longest name there is.
fn long_host() -> String {
    format!("{}.test", "very-long-".repeat(25))
}

/// A host that is none: markup where an IPv6 zone would be.
const MARKUP: &str = "[::1%<script>alert(1)</script>'\"&amp;<img/src=x/onerror=alert(2)>]";

/// A connection on which each host gets an object under what is asked for, and says what was
/// applied; empty is no header. It goes on.
fn puts<'h>(exchanges: impl IntoIterator<Item = (&'h str, &'h str, &'h str)>) -> Script {
    let header = |mode: &str| match mode {
        "" => String::new(),
        mode => format!("x-amz-server-side-encryption: {mode}\r\n"),
    };
    let put = |script: Script, (host, asked, applied): (&str, &str, &str)| {
        let asked = header(asked);
        let applied = header(applied);
        let request = format!(
            "PUT /bucket/key HTTP/1.1\r\nHost: {host}\r\nx-amz-date: 1\r\n{asked}Content-Length: 5\r\n\r\n12345"
        );
        let answer = format!("HTTP/1.1 200 OK\r\n{applied}Content-Length: 0\r\n\r\n");
        script.c(request).s(answer)
    };
    exchanges.into_iter().fold(Script::opened(), put)
}

/// A host as clients in good order use it: it is written to and read from.
fn in_order(host: &str) -> Script {
    let modes = ["AES256", "AES256", "aws:kms", "aws:kms", "aws:kms:dsse", ""];
    let get = format!("GET /bucket/key HTTP/1.1\r\nHost: {host}\r\nx-amz-date: 1\r\n\r\n");
    let head = "x-amz-server-side-encryption: AES256\r\nContent-Length: 1500";
    let body = "b".repeat(1500);
    puts(modes.map(|mode| (host, mode, mode)))
        .c(&get)
        .s(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"))
        .c(&get)
        .s("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
}

/// Encrypted connections, to a store and elsewhere.
fn encrypted() -> Vec<Script> {
    let data = [&[23, 3, 3, 1, 0][..], &[9; 256]].concat();
    let to = |name| Script::opened().c(client_hello(name)).c(&data).s(&data);
    vec![to("backups.s3.eu-west-1.amazonaws.com"), to("www.example.com")]
}

/// sealwatch, and a browser beside it.
struct Stage {
    wire: Wire,
    live: Live,
    folder: tempfile::TempDir,
    sent: std::cell::Cell<u16>,
}

impl Stage {
    fn new(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// The same, with arguments for sealwatch.
    fn with(name: &str, arguments: &[&str]) -> Self {
        let wire = Wire::new(name);
        let live = wire.live(arguments);
        let folder = tempfile::tempdir().expect("a folder can be made");
        Self { wire, live, folder, sent: 0.into() }
    }

    /// Sends connections, and waits until `until` is on the page.
    #[track_caller]
    fn send(&self, scripts: &[Script], until: &str) {
        let mut packets = Vec::new();
        for script in scripts {
            self.sent.set(self.sent.get() + 1);
            let client = endpoint(1, 4000 + self.sent.get());
            let script = script.clone().c_fin().s_fin();
            packets.extend(connection(client, endpoint(2, 80), &script.packets));
        }
        let file = self.folder.path().join("capture");
        fs::write(&file, frames(packets)).expect("a file can be written");
        send(&self.wire, &file);
        self.wire.wait("/", |_, text| text.contains(until));
    }

    fn browser(&self, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.mjs");
        let mut command = self.wire.near("node");
        command.arg(script).arg(arguments[0]).arg("http://127.0.0.1:10047/").args(&arguments[1..]);
        command
    }

    /// Has a browser look at it.
    #[track_caller]
    fn look(&self, arguments: &[&str]) {
        let output = self.browser(arguments).output();
        let output = output.expect("node starts; `make test` installs it");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        print!("{said}");
        // Nothing leaves the machine: there is a wire that nothing was sent on.
        let sent = "/sys/class/net/tap/statistics/tx_packets";
        let output = self.wire.near("cat").arg(sent).output().expect("cat starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "0\n");
    }

    fn end(self) {
        let (code, said) = self.live.end();
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn an_empty_page_says_so_and_is_accessible() {
    let stage = Stage::new("page0");
    stage.look(&["look", "empty"]);
    stage.look(&["plain", "No packet seen yet", "1 of 1", "No host yet."]);
    stage.look(&["keyboard"]);
    stage.end();
}

#[test]
fn three_hosts_are_shown_alarms_first_with_and_without_javascript() {
    let stage = Stage::new("page3");
    let mismatches = [("ceph.test:7480", "aws:kms", ""), ("ceph.test:7480", "aws:kms", "aws:kms")];
    let odd = [("minio.test:9000", "aes256", "AES256"), ("minio.test:9000", "secret", "")];
    let mut scripts = encrypted();
    scripts.extend([in_order("photos.s3.eu-central-1.amazonaws.com"), puts(mismatches), puts(odd)]);
    stage.send(&scripts, "2 mismatches on 2 hosts");
    stage.look(&["look", "small"]);
    let texts = [
        "2 mismatches on 2 hosts",
        "1 × asked aws:kms, applied none",
        "ceph.test:7480",
        "customer",
        "By operation (2)",
        "Refused (1)",
        "7.50 KiB",
        "www.example.com",
    ];
    stage.look(&[&["plain"], &texts[..3], &texts[4..6], &texts[7..]].concat());
    stage.look(&["keyboard"]);
    stage.end();
}

#[test]
fn what_breaks_a_policy_comes_first() {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/policies/cnssp-15.toml");
    let stage = Stage::with("pagep", &["--policy", policy.to_str().expect("paths here are UTF-8")]);
    stage.look(&["look", "policy-empty", "brief"]);
    let mismatches = [("ceph.test:7480", "aws:kms", ""), ("ceph.test:7480", "aws:kms", "aws:kms")];
    let kept = [("minio.test:9000", "aws:kms:dsse", "aws:kms:dsse")];
    let mut scripts = encrypted();
    let photos = in_order("photos.s3.eu-central-1.amazonaws.com");
    scripts.extend([photos, puts(mismatches), puts(kept)]);
    let headline = "8 exchanges broke the policy on 2 hosts; 1 mismatch on 1 host";
    stage.send(&scripts, headline);
    stage.look(&["look", "policy"]);
    let texts = [
        headline,
        "Policy: CNSSP 15",
        "written in two layers",
        "Broke the policy",
        "broke the rule read from two layers",
        "2 violations",
        "Undecided",
    ];
    stage.look(&[&["plain"], &texts[..]].concat());
    stage.look(&["keyboard"]);
    stage.end();
}

#[test]
fn what_hosts_are_called_is_text() {
    let stage = Stage::new("pageh");
    let hosts = [MARKUP.to_owned(), long_host(), "no host".to_owned()];
    let exchanges = hosts.iter().map(|host| (host.as_str(), "aws:kms", "AES256"));
    stage.send(&[puts(exchanges)], "3 mismatches on 2 hosts");
    stage.look(&["look", "hostile"]);
    stage.look(&["hostile", &long_host(), "__invalid__"]);
    stage.end();
}

#[test]
fn as_many_hosts_as_are_counted_are_a_light_page_that_can_be_searched() {
    let stage = Stage::new("page5");
    let hosts: Vec<_> =
        (0..520).map(|n| format!("bucket-{n:03}.s3.eu-west-1.amazonaws.com")).collect();
    let mode = |n: usize| match n % 40 {
        7 => ("aws:kms", "AES256"),
        9 => ("aes256", "AES256"),
        n if n % 2 == 0 => ("aws:kms", "aws:kms"),
        _ => ("AES256", "AES256"),
    };
    let put = |(n, host): (usize, &String)| {
        let (asked, applied) = mode(n);
        puts((0..n % 5 + 1).flat_map(|_| [(host.as_str(), asked, applied), (host, "", "AES256")]))
    };
    let mut scripts: Vec<_> = hosts.iter().enumerate().map(put).collect();
    scripts.extend(encrypted());
    stage.send(&scripts, "www.example.com");
    let page = stage.wire.wait("/", |_, text| text.contains("with 513 hosts"));
    println!("the page with 512 hosts has {} bytes", page.len());
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    stage.look(&["look", "many", "brief"]);
    stage.look(&["find", "bucket-01", "10", "513"]);
    stage.end();
}

#[test]
fn counts_change_in_place_and_a_page_that_is_left_behind_says_so() {
    let stage = Stage::new("pageu");
    let odd = [("ceph.test:7480", "aws:kms", "")];
    stage.send(&[in_order("photos.s3.eu-central-1.amazonaws.com")], "No mismatch seen");
    let mut command = stage.browser(&["update", "No mismatch seen", "1 mismatch on 1 host"]);
    let mut browser = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node");
    let mut told = BufReader::new(browser.stdout.take().expect("it is piped")).lines();
    let mut next = || told.next().and_then(Result::ok);
    assert_eq!(next().as_deref(), Some("before"));
    stage.send(&[puts(odd)], "1 mismatch on 1 host");
    assert_eq!(next().as_deref(), Some("after"));
    let mut stdin = browser.stdin.take().expect("it is piped");
    stage.end();
    writeln!(stdin, "ended").expect("it listens");
    assert!(browser.wait().expect("it ends").success());
}
