//! A real S3 server and client, `tests/s3`, and what is to be counted of what the client says that
//! it sent and got.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// Where the server listens, on every address.
pub const PORT: u16 = 5000;

const SSE: &str = "x-amz-server-side-encryption";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer-algorithm";

/// Operations whose request can ask for a mode, and whose answer can name one, by the API
/// reference.
const CAN_ASK: [&str; 3] = ["PutObject", "CopyObject", "CreateMultipartUpload"];
const CAN_NAME: [&str; 7] = [
    "PutObject",
    "CopyObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "GetObject",
    "HeadObject",
];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The Python in which they are installed.
fn python() -> String {
    let python = project("target/python/bin/python");
    assert!(python.exists(), "{} is not there; `make test-deps` makes it", python.display());
    python.to_str().expect("paths here are UTF-8").to_owned()
}

/// The server, running.
pub struct Server(Child);

impl Server {
    /// Starts it in a namespace, through a command that runs a program there.
    pub fn start(inside: impl Fn(&str) -> Command) -> Self {
        let mut command = inside(&python());
        command.arg(project("tests/s3/server.py")).arg(PORT.to_string());
        let server = Self(command.spawn().expect("the server starts"));
        let url = format!("http://127.0.0.1:{PORT}/");
        let begun = std::time::Instant::now();
        loop {
            let asked = inside("curl").args(["--silent", "--output", "/dev/null", &url]).status();
            if asked.expect("curl starts").success() {
                return server;
            }
            assert!(begun.elapsed().as_secs() < 120, "the server does not answer");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One exchange, as the client tells it.
#[derive(Debug)]
pub struct Told(Value);

/// Parts of an upload: at least 5 MiB, but for the last.
pub const PARTS: &[&str] = &["5242880", "1000"];
/// One part: nothing slows a burst of megabytes down for a mirror, whose copies may then be late, or
/// lost.
pub const SMALL_PARTS: &[&str] = &["1000"];

/// Lets the client talk to the server at `host`, and gives what it tells.
pub fn talk(inside: impl Fn(&str) -> Command, host: &str, parts: &[&str]) -> Vec<Told> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let record = folder.path().join("record");
    let endpoint = format!("http://{host}");
    let mut client = inside(&python());
    client.arg(project("tests/s3/client.py")).arg(endpoint).arg(&record).args(parts);
    let Output { status, stderr, .. } = client.output().expect("the client starts");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let record = fs::read_to_string(record).expect("the client writes a record");
    record.lines().map(|line| Told(serde_json::from_str(line).expect("JSON"))).collect()
}

impl Told {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} of {}", self.0))
    }

    fn status(&self) -> u64 {
        self.0["status"].as_u64().expect("a status is a number")
    }

    fn mode(&self, side: &str) -> Option<&str> {
        let fields = &self.0[side];
        fields[SSE].as_str().or_else(|| fields[CUSTOMER].as_str().map(|_| "SSE-C"))
    }

    fn asked(&self) -> Option<&str> {
        let can = CAN_ASK.contains(&self.text("operation"));
        self.mode("asked").or(can.then_some("none"))
    }

    fn applied(&self) -> Option<&str> {
        let can = CAN_NAME.contains(&self.text("operation")) && self.status() < 300;
        can.then(|| self.mode("answered").unwrap_or("none"))
    }

    fn is_mismatch(&self) -> bool {
        let asked = self.asked().filter(|asked| *asked != "none");
        asked.is_some() && self.applied().is_some() && asked != self.applied()
    }

    /// Bytes of the bodies, sent and got. A HEAD's answer has a length and no body.
    fn bodies(&self) -> (u64, u64) {
        let length = |name: &str| self.0[name].as_str().map_or(0, |n| n.parse().expect("a number"));
        let got = if self.text("method") == "HEAD" { 0 } else { length("heard_length") };
        (length("sent_length"), got)
    }

    /// Which way it moved how much of an object.
    fn moved(&self) -> Option<(&str, u64)> {
        let (sent, got) = self.bodies();
        match self.text("operation") {
            "PutObject" | "UploadPart" => Some(("write", sent)),
            "GetObject" => Some(("read", got)),
            _ => None,
        }
    }

    /// Bytes of both bodies.
    pub fn body_bytes(&self) -> u64 {
        let (sent, got) = self.bodies();
        sent + got
    }

    /// The fields that its record must have.
    pub fn record(&self) -> Value {
        let (sent, got) = self.bodies();
        // What compares equal is a mismatch or none; where nothing was asked there is neither.
        let can_differ = self.asked().is_some() && self.applied().is_some();
        serde_json::json!({
            "client_port": self.0["client_port"],
            "method": self.text("method"),
            "host": self.text("host"),
            "target": self.text("target"),
            "status": self.status(),
            "operation": self.text("operation"),
            "requested_mode": self.asked(),
            "applied_mode": self.applied(),
            "mismatch": can_differ.then(|| self.is_mismatch()),
            "request_body_bytes": sent,
            "response_body_bytes": got,
            "request_seen": true,
            "response_seen": true,
        })
    }
}

/// The fields of a record that the client tells, too.
pub fn told_fields(record: &Value) -> Value {
    const FIELDS: [&str; 13] = [
        "client_port",
        "method",
        "host",
        "target",
        "status",
        "operation",
        "requested_mode",
        "applied_mode",
        "mismatch",
        "request_body_bytes",
        "response_body_bytes",
        "request_seen",
        "response_seen",
    ];
    FIELDS.iter().map(|field| ((*field).to_owned(), record[*field].clone())).collect()
}

/// What is to be served to Prometheus of what clients told: `requests_total` and its like, with
/// their labels.
pub fn counts(told: &[Told]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut count = |series: String, n: u64| *counts.entry(series).or_default() += n;
    for told in told {
        let (host, operation) = (told.text("host"), told.text("operation"));
        count("http_exchanges_total{kind=\"object_store\"}".to_owned(), 1);
        if let Some(mode) = told.asked() {
            let labels = format!("host=\"{host}\",operation=\"{operation}\",mode=\"{mode}\"");
            count(format!("requests_total{{{labels}}}"), 1);
        }
        if let Some(mode) = told.applied() {
            let labels = format!("host=\"{host}\",operation=\"{operation}\",mode=\"{mode}\"");
            count(format!("responses_total{{{labels}}}"), 1);
        }
        if told.is_mismatch() {
            let (asked, applied) = (told.asked().expect("asked"), told.applied().expect("applied"));
            let labels = format!("host=\"{host}\",requested=\"{asked}\",applied=\"{applied}\"");
            count(format!("mismatches_total{{{labels}}}"), 1);
        }
        if told.status() >= 400 && CAN_NAME.contains(&operation) {
            let status = told.status();
            let labels = format!("host=\"{host}\",operation=\"{operation}\",status=\"{status}\"");
            count(format!("refusals_total{{{labels}}}"), 1);
        }
        if let (Some(mode), Some((direction, bytes))) = (told.applied(), told.moved()) {
            let labels = format!("host=\"{host}\",direction=\"{direction}\",mode=\"{mode}\"");
            count(format!("object_bytes_total{{{labels}}}"), bytes);
        }
        if told.mode("asked") == Some("SSE-C") {
            let labels = format!("host=\"{host}\",finding=\"customer_key_in_clear\"");
            count(format!("findings_total{{{labels}}}"), 1);
        }
    }
    counts
}
