//! Traffic as a file, or through a pipe into sealwatch.

use super::frame;
use super::truth::Truth;
use super::{Shape, Source, Traffic, Wire};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Writes traffic down as a pcap file. What was said, and how many packets were captured.
pub fn write(shape: Shape, wire: Wire, file: &Path) -> io::Result<(Vec<Truth>, u64)> {
    let mut traffic = Traffic::new(shape, wire);
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let packets = frame::pcap(&mut traffic, &mut out)?;
    Ok((traffic.take_truth(), packets))
}

/// What sealwatch said of traffic that came through a pipe.
#[derive(Debug)]
pub struct Answer {
    /// Its summary.
    pub summary: Value,
    /// How many packets it was given.
    pub packets: u64,
    /// Its resident size, in bytes, every so many nanoseconds of packet time.
    pub resident: Vec<u64>,
    /// The most that its resident size was, until all packets were read.
    pub peak: u64,
}

/// Gives `source` to `binary replay OPTIONS --format json -`, and looks at its memory every `every`
/// nanoseconds of packet time.
///
/// # Errors
///
/// Where it cannot be run, or does not end well; what it said is in the message.
pub fn replay(
    binary: &str,
    options: &[&str],
    source: &mut dyn Source,
    every: i64,
) -> io::Result<Answer> {
    let mut command = Command::new(binary);
    command.arg("replay").args(options).args(["--quiet", "--format", "json", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(io::Error::other("a pipe is missing"));
    };
    let (stdout, stderr) = (read_all(stdout), read_all(stderr));
    let mut watched =
        Watched { source, process: child.id(), every, next: i64::MIN, resident: Vec::new() };
    let mut out = BufWriter::with_capacity(1 << 18, stdin);
    let packets = frame::pcap(&mut watched, &mut out);
    let Watched { resident, process, .. } = watched;
    let peak = memory(process, "VmHWM").unwrap_or(0);
    drop(out);
    let status = child.wait()?;
    let text = |said: thread::JoinHandle<io::Result<String>>| {
        said.join().map_err(|_| io::Error::other("a thread panicked"))?
    };
    let (said, complained) = (text(stdout)?, text(stderr)?);
    if !status.success() {
        return Err(io::Error::other(format!("{status}: {complained}")));
    }
    Ok(Answer { summary: serde_json::from_str(&said)?, packets: packets?, resident, peak })
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    })
}

/// A line of a process's status that is so many kB, in bytes (proc_pid_status(5)).
fn memory(process: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// A source, and the memory of the process that reads it.
struct Watched<'s> {
    source: &'s mut dyn Source,
    process: u32,
    every: i64,
    next: i64,
    resident: Vec<u64>,
}

impl Source for Watched<'_> {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        let time = self.source.next(frame)?;
        if time >= self.next {
            self.next = time.saturating_add(self.every);
            self.resident.extend(memory(self.process, "VmRSS"));
        }
        Some(time)
    }
}
