//! Several sealwatches in one network, and Debian's Prometheus, which scrapes them by the
//! configuration and the rules of `grafana/`, in haste: every other second, and with seconds where the
//! rules wait for minutes.

use super::dashboard::{SCRAPE, project, text};
use super::support::binary::captures;
use super::support::conversation::endpoint;
use super::support::pcap::{Timed, connection, pcap};
use super::support::prometheus::Prometheus;
use super::support::script::Script;
use super::support::traffic::{client_hello, put};
use super::support::wire::{Live, Wire};
use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Every capture, read once: its counts stand still.
pub(crate) const STILL: &str = "127.0.0.1:10050";
/// Every capture and [`TLS_BYTES`] of TLS, again and again, by bucket.
pub(crate) const ROUND: &str = "127.0.0.1:10051";
/// Live capture, of a wire on which nothing is sent yet.
pub(crate) const LIVE: &str = "127.0.0.1:10047";
/// Every capture, again and again, with room for one name.
pub(crate) const TIGHT: &str = "127.0.0.1:10052";
/// Two captures with nothing to find fault with, again and again.
pub(crate) const CLEAN: &str = "127.0.0.1:10053";
/// Plain HTTP; after a while, TLS beside it.
pub(crate) const TURNING: &str = "127.0.0.1:10054";
/// Every capture, read once, by the policy in `packaging/policies/kms-only.toml`, and by KMS key.
pub(crate) const JUDGED: &str = "127.0.0.1:10055";
/// All of these.
pub(crate) const ALL: [&str; 7] = [STILL, ROUND, LIVE, TIGHT, CLEAN, TURNING, JUDGED];

/// How much TLS there is in a round, and for whom.
pub(crate) const TLS_BYTES: usize = 300_000;
pub(crate) const TLS_NAME: &str = "secret.test";

/// For how long there is no TLS among it, in seconds.
const PLAIN: u64 = 18;

/// Runs a program where all of them are.
type Near<'w> = Box<dyn Fn(&str) -> Command + 'w>;

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All of them.
pub(crate) struct Stage<'w> {
    pub(crate) wire: &'w Wire,
    pub(crate) prometheus: Prometheus<Near<'w>>,
    live: Live,
    clean: Running,
    judged: Running,
    over: Arc<AtomicBool>,
    feeder: Option<JoinHandle<()>>,
    _others: Vec<Running>,
    folder: TempDir,
}

impl<'w> Stage<'w> {
    /// Starts them. Those whose counts stand still, last: what Prometheus first sees of them is new.
    pub(crate) fn set(wire: &'w Wire) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("tls.pcap"), pcap(&tls(4001, TLS_BYTES))).expect("a file can be written");
        let all = captures().display().to_string();
        let [s3cmd, rclone] = ["s3cmd", "rclone"].map(|name| format!("{all}/{name}.pcap"));
        let live = wire.live(&["--buffer-size", "1"]);
        let looped = ["--loop", "--pace", "1000000"];
        let mut others = Vec::new();
        let mut start =
            |address: &str, arguments: &[&str]| others.push(replay(wire, address, arguments).0);
        start(ROUND, &[&looped[..], &["--label", "bucket", &all, &at("tls.pcap")]].concat());
        start(TIGHT, &[&looped[..], &["--max-hosts", "1", &all]].concat());
        start(STILL, &[&all]);
        fs::copy(project("packaging/policies/kms-only.toml"), at("policy.toml"))
            .expect("it is there");
        let (judged, _) =
            replay(wire, JUDGED, &["--kms-keys", "--policy", &at("policy.toml"), &all]);
        let (clean, _) = replay(wire, CLEAN, &[&looped[..], &[&s3cmd, &rclone]].concat());
        let (turning, stdin) = replay(wire, TURNING, &["-"]);
        others.push(turning);
        let over = Arc::new(AtomicBool::new(false));
        let feeder = Some(feed(stdin, over.clone()));
        for address in ALL {
            wait(wire, address);
        }
        let rules = tempfile::tempdir().expect("a folder can be made");
        for name in ["rules.yml", "alerts.yml"] {
            let file = rules.path().join(name);
            fs::write(file, hasty(&text(&format!("grafana/{name}")))).expect("it can be written");
        }
        fs::write(rules.path().join("prometheus.yml"), configuration(&ALL, ""))
            .expect("so can this");
        let near: Near<'w> = Box::new(move |program| wire.near(program));
        let prometheus = Prometheus::over(near, rules);
        // On a busy machine, the first scrapes take a while: that is no target that is gone.
        prometheus.wait("up == 1", |up| up.len() == ALL.len());
        prometheus.reconfigure(&configuration(&ALL, RULES));
        Self { wire, prometheus, live, clean, judged, over, feeder, _others: others, folder }
    }

    /// Holds live capture up, sends it more than its buffer has room for, and lets it go on.
    pub(crate) fn flood(&self) {
        let file = self.folder.path().join("flood.pcap");
        fs::write(&file, super::support::traffic::frames(tls(4002, 8 << 20)))
            .expect("it is written");
        self.live.signal("STOP");
        self.wire.send(&file, "--topspeed");
        self.live.signal("CONT");
    }

    /// Writes something into the policy that means nothing, and has it read again.
    pub(crate) fn spoil_policy(&self) {
        let file = self.folder.path().join("policy.toml");
        fs::write(file, "[[rule]]\nmode = 1\n").expect("a file can be written");
        let sent = Command::new("kill").args(["-HUP", &self.judged.0.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// Ends the one that nobody finds fault with, and takes the wire away.
    pub(crate) fn break_two(&mut self) {
        let _ = self.clean.0.kill();
        let _ = self.clean.0.wait();
        self.wire.unplug();
    }

    /// Takes every target out of Prometheus's configuration.
    pub(crate) fn forget(&self) {
        self.prometheus.reconfigure(&configuration(&[], RULES));
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

/// The rules that the configuration names.
const RULES: &str = "rules.yml, alerts.yml";

/// Prometheus's configuration, with these targets and rules, and in haste.
fn configuration(targets: &[&str], rules: &str) -> String {
    let targets: Vec<_> = targets.iter().map(|target| format!("{target:?}")).collect();
    let mut hasty = text("grafana/prometheus.yml");
    for (from, to) in [
        ("scrape_interval: 15s", format!("scrape_interval: {SCRAPE}s")),
        ("evaluation_interval: 15s", "evaluation_interval: 1s".to_owned()),
        ("[\"127.0.0.1:10047\"]", format!("[{}]", targets.join(", "))),
        (RULES, rules.to_owned()),
    ] {
        assert_eq!(hasty.matches(from).count(), 1, "{from} is not in {hasty}");
        hasty = hasty.replace(from, &to);
    }
    hasty
}

/// Rules that do not wait: for each minute two seconds, and thirty at most.
fn hasty(rules: &str) -> String {
    let mut hasty = String::new();
    let mut rest = rules;
    while let Some(begin) = rest.find(['[', ' ']) {
        let (before, after) = rest.split_at(begin + 1);
        hasty += before;
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let ends = |end: &str| end.starts_with(|c: char| !c.is_alphanumeric());
        let minutes = after[..digits].parse::<u64>().ok();
        let minutes = minutes.filter(|_| after[digits..].strip_prefix('m').is_some_and(ends));
        rest = match minutes {
            Some(minutes) => {
                hasty += &format!("{}s", (2 * minutes).min(30));
                &after[digits + 1..]
            }
            None => after,
        };
    }
    hasty += rest;
    let hasty = hasty.replace("time() - 900", "time() - 60");
    assert!(!hasty.contains("15m]") && !hasty.contains("offset 15m") && hasty != rules, "{hasty}");
    hasty
}

/// `sealwatch replay --serve`, at that address, and its standard input.
fn replay(wire: &Wire, address: &str, arguments: &[&str]) -> (Running, ChildStdin) {
    let mut command = wire.near(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["replay", "--serve", "--quiet", "--web.listen-address", address]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary starts");
    let stdin = child.stdin.take().expect("it is piped");
    (Running(child), stdin)
}

/// Waits until somebody serves metrics there, and has counted something.
fn wait(wire: &Wire, address: &str) {
    let begun = Instant::now();
    let url = format!("http://{address}/metrics");
    loop {
        let output = wire.near("curl").args(["--silent", "--max-time", "5", &url]).output();
        let text = output.expect("curl starts").stdout;
        let text = String::from_utf8_lossy(&text);
        let counts = |line: &str| line.starts_with("sealwatch_responses_total{");
        if text.lines().any(counts) || (address == LIVE && !text.is_empty()) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{address} serves nothing:\n{text}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A connection under TLS, of so many bytes, at a time at which the captures have others.
fn tls(port: u16, bytes: usize) -> Vec<Timed> {
    let hello = client_hello(TLS_NAME);
    let mut rest = bytes - hello.len();
    let mut script = Script::opened().c(&hello);
    while rest > 0 {
        let part = rest.min(1400);
        // Each begins as a record of application data does.
        let mut record = vec![23; part];
        record.splice(..part.min(3), [23, 3, 3].into_iter().take(part));
        script = script.s(record);
        rest -= part;
    }
    let script = script.c_fin().s_fin();
    let mut packets = connection(endpoint(7, port), endpoint(8, 443), &script.packets);
    let first = packets.first().map_or(0, |(time, _)| *time);
    packets.iter_mut().for_each(|(time, _)| *time += 1_795_520_000_000_000_000 - first);
    packets
}

/// Writes a capture to whoever reads it: new connections every fifth of a second.
fn feed(mut to: ChildStdin, over: Arc<AtomicBool>) -> JoinHandle<()> {
    thread::spawn(move || {
        let begun = Instant::now();
        let mut written = pcap(&[]);
        for n in 0_u16.. {
            let client = endpoint(3, 10_000 + n);
            let mut packets = connection(client, endpoint(4, 80), &put(20, "AES256").packets);
            if begun.elapsed().as_secs() >= PLAIN {
                packets.extend(tls(10_000 + n, 3000));
            }
            // What is said at one time is said within a fifth of a second.
            for (i, (time, _)) in packets.iter_mut().enumerate() {
                *time = 1_795_600_000_000_000_000 + i64::from(n) * 200_000_000 + i as i64 * 1000;
            }
            written.extend(&pcap(&packets)[24..]);
            if over.load(Ordering::Relaxed) || to.write_all(&written).is_err() {
                break;
            }
            written.clear();
            thread::sleep(Duration::from_millis(200));
        }
    })
}
