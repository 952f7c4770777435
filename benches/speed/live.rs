//! `make bench-live`: what is dropped of live traffic at rising rates, by `sealwatch live` and by
//! `tcpdump -w /dev/null`, on a wire between two network namespaces. Needs root.

use crate::Problem;
use crate::measure::cpu;
use crate::traffic::speed::{Kind, capture};
use crate::wire::Wire;
use nix::sys::resource::UsageWho::RUSAGE_CHILDREN;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Packets a second; 0 is as fast as they can be sent.
const RATES: [u64; 6] = [25_000, 50_000, 100_000, 200_000, 400_000, 0];
/// How long each is sent, in seconds.
const SECONDS: u64 = 5;
/// How much of each kind is sent again and again, in percent of the full size: each time of other addresses,
/// so that it is other connections.
const SENT: [(Kind, u64); 2] = [(Kind::Small, 5), (Kind::Bulk, 2)];
/// What a tool needs to begin, and to take what is on its way when all is sent.
const WHILE: Duration = Duration::from_millis(500);

/// What a tool says at its end, and seconds of its CPU.
struct End {
    taken: u64,
    dropped: u64,
    cpu: f64,
}

/// What passes in the wire.
struct Load<'l> {
    file: &'l Path,
    packets: u64,
    rate: u64,
}

impl Load<'_> {
    /// Sends all of it: how many packets, and in how many seconds.
    fn send(&self, wire: &Wire) -> Result<(u64, f64), Problem> {
        let rate = if self.rate == 0 { 400_000 } else { self.rate };
        let rounds = (rate * SECONDS).div_ceil(self.packets);
        let pace = match self.rate {
            0 => "--topspeed".to_owned(),
            rate => format!("--pps={rate}"),
        };
        let mut command = wire.far("tcpreplay");
        command.args(["--quiet", "--intf1=far", "--preload-pcap", "--unique-ip", &pace]);
        let output = command.arg(format!("--loop={rounds}")).arg(self.file).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        // Actual: 304006 packets (195115084 bytes) sent in 3.04 seconds
        let said = said.split_once("Actual: ").ok_or("tcpreplay does not say what it sent")?.1;
        let packets = said.split(' ').next().unwrap_or_default().parse()?;
        let seconds = said.split_once("sent in ").ok_or("nor how long it took")?.1;
        Ok((packets, seconds.split(' ').next().unwrap_or_default().parse()?))
    }
}

/// The number before some words.
fn number_before(text: &str, words: &str) -> u64 {
    let before = text.split_once(words).map_or("", |(before, _)| before);
    before.rsplit([' ', '\n', '"']).next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn sealwatch(wire: &Wire, load: &Load<'_>) -> Result<((u64, f64), End), Problem> {
    let live = wire.live(&["--log-format", "json"]);
    let sent = load.send(wire)?;
    thread::sleep(WHILE);
    let before = cpu(RUSAGE_CHILDREN)?;
    let (_, said) = live.end();
    let cpu = cpu(RUSAGE_CHILDREN)? - before;
    let last: serde_json::Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
    let message = last["message"].as_str().unwrap_or_default();
    let taken = last["packets"].as_u64().ok_or("it does not say how many packets it took")?;
    Ok((sent, End { taken, dropped: number_before(message, " packets dropped"), cpu }))
}

fn tcpdump(wire: &Wire, load: &Load<'_>) -> Result<((u64, f64), End), Problem> {
    let mut command = wire.near("tcpdump");
    command.args(["-n", "-i", "tap", "-w", "/dev/null"]).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    thread::sleep(WHILE);
    let sent = load.send(wire)?;
    thread::sleep(WHILE);
    let before = cpu(RUSAGE_CHILDREN)?;
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    child.wait()?;
    let cpu = cpu(RUSAGE_CHILDREN)? - before;
    let taken = number_before(&said, " packets captured");
    Ok((sent, End { taken, dropped: number_before(&said, " packets dropped by kernel"), cpu }))
}

/// Prints a table of each kind.
pub(crate) fn tables(folder: &Path) -> Result<(), Problem> {
    for (kind, percent) in SENT {
        println!("\n{}:\n", kind.name());
        table(kind, percent, folder)?;
    }
    Ok(())
}

fn table(kind: Kind, percent: u64, folder: &Path) -> Result<(), Problem> {
    let capture = capture(kind, percent, folder)?;
    println!("| asked for, packets/s | sent, packets/s | | taken | dropped | CPU, µs a packet |");
    println!("|--:|--:|---|--:|--:|--:|");
    for rate in RATES {
        let load = Load { file: &capture.file, packets: capture.packets, rate };
        let asked = if rate == 0 { "all that go".to_owned() } else { rate.to_string() };
        for (name, run) in [
            ("sealwatch live", sealwatch as fn(&Wire, &Load<'_>) -> _),
            ("tcpdump -w /dev/null", tcpdump),
        ] {
            let wire = Wire::new("speed");
            let ((sent, seconds), End { taken, dropped, cpu }) = run(&wire, &load)?;
            println!(
                "| {asked} | {:.0} | {name} | {taken} of {sent} | {dropped} | {:.2} |",
                sent as f64 / seconds,
                cpu * 1e6 / taken.max(1) as f64,
            );
        }
    }
    Ok(())
}
