//! `make loss`: how much of what is whole in lossy captures is reported, how much of that is wrong, and
//! how soon the place is found again behind a gap; by sealwatch and by other tools, as a Markdown
//! table. `benches/traffic/judge.rs` says what each number is.
//!
//! `SEALWATCH_EXCHANGES` is how many exchanges each capture has (10,000). Where `SEALWATCH_KEEP` names a
//! folder, captures and what was missed are left there.

mod peers;
mod traffic;

use peers::PEERS;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use traffic::judge::{Report, Score, judge, records};
use traffic::truth::Truth;
use traffic::{Bodies, Shape, Wire};

type Problem = Box<dyn std::error::Error>;

const REORDERED: Wire =
    Wire { loss: 0, reorder: 100, depth: 20, duplicates: 100, overtaken: 0, joined: 0 };

/// What each row is called, what is said in it, and what the capture does to it.
fn rows(exchanges: u64) -> Vec<(&'static str, Shape, Wire)> {
    let shape = Shape { exchanges, ..Shape::default() };
    let row = |name, seed, loss| (name, Shape { seed, ..shape }, Wire { loss, ..REORDERED });
    let (_, plain, lossy) = row("", 15, 100);
    let overtaken = Wire { overtaken: 1000, ..lossy };
    let joined = Wire { joined: 60, ..lossy };
    let messages = Shape { bodies: Bodies::Messages, seed: 17, ..plain };
    let pipelined = Shape { pipelined: 5000, seed: 18, ..plain };
    vec![
        row("0.01 % lost", 11, 1),
        row("0.1 % lost", 12, 10),
        row("1 % lost", 13, 100),
        row("5 % lost", 14, 500),
        ("1 % lost, acknowledgements overtake data", plain, overtaken),
        ("1 % lost, joined in the middle", Shape { seed: 16, ..plain }, joined),
        ("1 % lost, bodies of messages", messages, lossy),
        ("1 % lost, half of the clients pipeline", pipelined, lossy),
    ]
}

fn sealwatch(file: &Path) -> Result<Vec<Report>, Problem> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealwatch"));
    command.args(["replay", "--quiet", "--format", "jsonl", "--all"]).arg(file);
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(records(&String::from_utf8(output.stdout)?)?)
}

fn print(tool: &str, pairs: bool, score: &Score) {
    let gaps = score.gaps.max(1) as f64;
    let recall = if pairs { format!("{:.2} %", score.recall()) } else { "–".to_owned() };
    println!(
        "| | {tool} | {recall} | {:.2} % | {:.2} % | {:.2} |",
        score.recall_of_heads(),
        score.precision(),
        score.relock as f64 / gaps,
    );
}

fn row(name: &str, file: &Path, truth: &[Truth], packets: u64) -> Result<Score, Problem> {
    let ours = judge(truth, &sealwatch(file)?);
    println!(
        "| **{name}**: {packets} packets, {} whole exchanges, {} gaps | at best | 100 % | 100 % | 100 % | {:.2} |",
        ours.whole,
        ours.gaps,
        ours.relock_at_best as f64 / ours.gaps.max(1) as f64,
    );
    print("sealwatch", true, &ours);
    for peer in PEERS {
        match (peer.ask)(file) {
            Ok(reports) => print(peer.name, peer.pairs, &judge(truth, &reports)),
            Err(error) => eprintln!("{}: {error}", peer.name),
        }
    }
    Ok(ours)
}

fn main() -> Result<(), Problem> {
    let exchanges = match std::env::var("SEALWATCH_EXCHANGES") {
        Ok(number) => number.parse()?,
        Err(_) => 10_000,
    };
    let scratch = tempfile::tempdir()?;
    let keep = std::env::var_os("SEALWATCH_KEEP").map(PathBuf::from);
    let folder = keep.as_deref().unwrap_or(scratch.path());
    println!("| capture | tool | recall: pairs | heads | precision | relock |");
    println!("|---|---|--:|--:|--:|--:|");
    for (name, shape, wire) in rows(exchanges) {
        let file = folder.join(format!("{}.pcap", shape.seed));
        let (truth, packets) = traffic::run::write(shape, wire, &file)?;
        let score = row(name, &file, &truth, packets)?;
        if keep.is_none() {
            std::fs::remove_file(&file)?;
        }
        if !score.missed.is_empty() || !score.wrong.is_empty() {
            eprintln!("{name}, seed {}: missed {:?}", shape.seed, score.missed);
            eprintln!("wrong: {:?}", score.wrong);
        }
    }
    Ok(())
}
