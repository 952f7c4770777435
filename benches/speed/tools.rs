//! What is measured: sealwatch, the two floors, and other tools that count the same.
//!
//! Each is asked, as its manual says, in the way that takes it least to tell how many requests and
//! answers there were, and how many of each named which mode. Servers listen on port 9000, and tools
//! that go by ports are told so.

use crate::measure::{self, Taken, median};
use crate::sums::Sums;
use crate::traffic::honest::differences;
use crate::traffic::speed::Capture;
use nix::sys::resource::UsageWho;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const HEADER: &str = "x-amz-server-side-encryption";
/// Where `make bench` builds `benches/flowscope`.
pub(crate) const FLOWSCOPE: &str = "target/flowscope/release/flowscope-counts";
const ZEEK_SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/count.zeek");

/// One run: what it took, and what was wrong with what it counted.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) taken: Taken,
    pub(crate) wrong: Option<String>,
}

/// Several runs of the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    timed: Vec<Taken>,
    /// The most, in bytes.
    pub(crate) anonymous: u64,
    /// What was wrong in the first that was.
    pub(crate) wrong: Option<String>,
}

impl Runs {
    pub(crate) fn add(&mut self, run: Run, is_timed: bool) {
        self.anonymous = self.anonymous.max(run.taken.anonymous);
        self.wrong = self.wrong.take().or(run.wrong);
        if is_timed {
            self.timed.push(run.taken);
        }
    }

    /// Seconds, the median.
    pub(crate) fn cpu(&self) -> f64 {
        median(self.timed.iter().map(|taken| taken.cpu))
    }

    /// Seconds, the median.
    pub(crate) fn wall(&self) -> f64 {
        median(self.timed.iter().map(|taken| taken.wall))
    }

    /// How many times as much of something these took as `base`: the median of what each took beside the
    /// one of the same round, as a host that is slow for a while is so for both. Where not all were run
    /// as often, that of the medians.
    pub(crate) fn ratio(&self, base: &Self, of: fn(&Taken) -> f64) -> f64 {
        let all = |runs: &Self| median(runs.timed.iter().map(of));
        if self.timed.len() != base.timed.len() {
            return all(self) / all(base);
        }
        median(self.timed.iter().zip(&base.timed).map(|(own, base)| of(own) / of(base)))
    }

    /// How the counts were, in a table.
    pub(crate) fn verdict(&self) -> String {
        self.wrong.as_ref().map_or_else(|| "right".to_owned(), |it| format!("**wrong**: {it}"))
    }
}

/// Something that reads a capture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// It is run once, on a smaller capture if need be.
    pub(crate) is_slow: bool,
    /// Whether it counts, or only touches packets.
    pub(crate) counts: bool,
    /// Whether memory is looked at.
    pub(crate) run: fn(&Capture, watches: bool) -> io::Result<Run>,
    /// What must be there for it.
    needs: &'static str,
}

pub(crate) const SEALWATCH: &str = "sealwatch";
pub(crate) const LIBPCAP: &str = "libpcap loop";

pub(crate) const TOOLS: [Tool; 8] = [
    Tool { name: SEALWATCH, is_slow: false, counts: true, run: sealwatch, needs: "" },
    Tool { name: LIBPCAP, is_slow: false, counts: false, run: libpcap, needs: "" },
    Tool { name: "block reads", is_slow: false, counts: false, run: blocks, needs: "" },
    Tool { name: "flowscope", is_slow: false, counts: true, run: flowscope, needs: FLOWSCOPE },
    Tool { name: "httpry", is_slow: false, counts: true, run: httpry, needs: "httpry" },
    Tool { name: "Zeek", is_slow: true, counts: true, run: zeek, needs: "zeek" },
    Tool {
        name: "tcpflow and search",
        is_slow: true,
        counts: true,
        run: tcpflow,
        needs: "tcpflow",
    },
    Tool { name: "tshark", is_slow: true, counts: true, run: tshark, needs: "tshark" },
];

impl Tool {
    /// Whether it can be run here.
    pub(crate) fn is_here(&self) -> bool {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        self.needs.is_empty()
            || Path::new(self.needs).exists() && self.needs.contains('/')
            || std::env::split_paths(&folders).any(|folder| folder.join(self.needs).is_file())
    }
}

fn file(capture: &Capture) -> &Path {
    &capture.file
}

/// `sealwatch replay OPTIONS FILE`: what it took, and where its counts differ.
pub(crate) fn sealwatch_with(
    options: &[&str],
    capture: &Capture,
    watches: bool,
) -> io::Result<Run> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["replay", "--quiet", "--format", "json"]).args(options).arg(file(capture));
    let (taken, said) = measure::run(&mut command, watches)?;
    let wrong = differences(&capture.expected, &serde_json::from_str(&said)?);
    let is_wrong = |(what, counted, said): &&(String, u64, u64)| {
        // Where packets are lost, it is a range, and the operation may not be known.
        let least = capture.expected.whole.get(what).copied().unwrap_or(0);
        counted < &least || counted > said && !what.contains(" unknown ")
    };
    let first = wrong.iter().find(is_wrong);
    let wrong = first.map(|(what, counted, said)| format!("{counted} of {said} {what}"));
    Ok(Run { taken, wrong })
}

fn sealwatch(capture: &Capture, watches: bool) -> io::Result<Run> {
    sealwatch_with(&[], capture, watches)
}

/// This program's own commands.
fn own(name: &str, capture: &Capture, watches: bool) -> io::Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    let (taken, said) = measure::run(command.arg(name).arg(file(capture)), watches)?;
    let packets = said.split(' ').next().and_then(|count| count.parse().ok());
    let wrong = (packets != Some(capture.packets)).then(|| said.trim().to_owned());
    Ok(Run { taken, wrong })
}

fn libpcap(capture: &Capture, watches: bool) -> io::Result<Run> {
    own("libpcap", capture, watches)
}

fn blocks(capture: &Capture, watches: bool) -> io::Result<Run> {
    own("blocks", capture, watches)
}

/// Runs what says its sums as JSON.
fn summing(command: &mut Command, capture: &Capture, watches: bool) -> io::Result<Run> {
    let (taken, said) = measure::run(command.arg(file(capture)), watches)?;
    let sums: Sums = serde_json::from_str(&said)?;
    Ok(Run { taken, wrong: sums.wrong(&capture.expected) })
}

fn flowscope(capture: &Capture, watches: bool) -> io::Result<Run> {
    let mut command = Command::new(FLOWSCOPE);
    // It is to be told what to take off.
    command.args(capture.is_tunnelled.then_some("--vxlan"));
    summing(&mut command, capture, watches)
}

/// Zeek without its scripts, but for the one that counts.
fn zeek(capture: &Capture, watches: bool) -> io::Result<Run> {
    let mut command = Command::new("zeek");
    summing(command.args(["-b", "-C", ZEEK_SCRIPT, "-r"]), capture, watches)
}

/// Runs what writes a message a line, method, status and mode with tabs between.
fn listing(command: &mut Command, capture: &Capture, watches: bool) -> io::Result<Run> {
    let (taken, said) = measure::run(command, watches)?;
    let mut sums = Sums::default();
    for line in said.lines() {
        let mut fields = line.split('\t').map(|field| field.trim().trim_start_matches('-'));
        let mut field = || fields.next().unwrap_or_default();
        sums.add(field(), field(), field());
    }
    Ok(Run { taken, wrong: sums.wrong(&capture.expected) })
}

/// httpry reads each packet alone.
fn httpry(capture: &Capture, watches: bool) -> io::Result<Run> {
    let mut command = Command::new("httpry");
    let fields = format!("method,status-code,{HEADER}");
    command.args(["-q", "-f", &fields, "-r"]).arg(file(capture)).arg("tcp port 9000");
    listing(&mut command, capture, watches)
}

/// Wireshark's HTTP dissector, with a field for the header.
fn tshark(capture: &Capture, watches: bool) -> io::Result<Run> {
    let mut command = Command::new("tshark");
    let field = format!(r#"uat:custom_http_header_fields:"{HEADER}","mode""#);
    command.arg("-r").arg(file(capture)).args(["-d", "tcp.port==9000,http", "-o", &field]);
    command.args(["-Y", "http.request or http.response", "-T", "fields"]);
    command.args(["-e", "http.request.method", "-e", "http.response.code"]);
    command.arg("-e").arg(format!("http.header.{HEADER}"));
    listing(&mut command, capture, watches)
}

/// tcpflow puts streams together and writes each to a file; what looks like a start-line in one is
/// taken for a message.
fn tcpflow(capture: &Capture, watches: bool) -> io::Result<Run> {
    let folder = tempfile::tempdir_in("target")?;
    let mut command = Command::new("tcpflow");
    command.arg("-r").arg(file(capture)).arg("-o").arg(folder.path());
    command.args(["-q", "-S", "enable_report=NO"]);
    let (mut taken, _) = measure::run(&mut command, watches)?;
    let (begun, before) = (Instant::now(), measure::cpu(UsageWho::RUSAGE_SELF)?);
    let mut sums = Sums::default();
    for entry in fs::read_dir(folder.path())? {
        search(&fs::read(entry?.path())?, &mut sums);
    }
    taken.wall += begun.elapsed().as_secs_f64();
    taken.cpu += measure::cpu(UsageWho::RUSAGE_SELF)? - before;
    Ok(Run { taken, wrong: sums.wrong(&capture.expected) })
}

/// Looks for heads in a stream.
fn search(stream: &[u8], sums: &mut Sums) {
    for at in memchr::memmem::find_iter(stream, "HTTP/1.1") {
        let is_answer = stream.get(at + 8) == Some(&b' ');
        let Some(length) = memchr::memmem::find(&stream[at..], b"\r\n\r\n") else { continue };
        let Ok(head) = std::str::from_utf8(&stream[at..at + length]) else { continue };
        let is_mode = |line: &&str| {
            line.len() > HEADER.len()
                && line.as_bytes()[..HEADER.len()].eq_ignore_ascii_case(HEADER.as_bytes())
        };
        let mode = head.lines().find(is_mode).and_then(|line| line.split_once(": "));
        let mode = mode.map_or("", |(_, mode)| mode);
        if is_answer {
            sums.add("", head.split(' ').nth(1).unwrap_or_default(), mode);
        } else {
            sums.add("?", "", mode);
        }
    }
}
