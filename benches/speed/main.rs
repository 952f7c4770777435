//! `make bench`: how fast sealwatch reads, beside what only reads and what counts the same.
//!
//! Makes seeded traffic of each kind (`traffic::speed`) in `target/bench`, once; runs everybody on it,
//! in turns, each in a process of its own, with the file in the page cache; and writes a Markdown
//! table for each kind to standard output and `target/bench/speed.md`: medians of time, the most
//! anonymous memory, ratios to the bare libpcap loop, and whether what was counted is right. Then,
//! sealwatch by itself: cost by open connections, speed by workers; with plots in
//! `benches/plots`.
//!
//! Memory is `RssAnon`, looked at every 2 ms in a run that is not timed.

mod compare;
mod instructions;
mod live;
mod loops;
mod measure;
mod plot;
mod scaling;
mod sums;
mod tools;
#[path = "../traffic/mod.rs"]
mod traffic;
#[path = "../../tests/support/wire.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests use more of it")]
mod wire;

use clap::{Parser, Subcommand};
use std::fs;
use std::path::PathBuf;
use traffic::speed::{self, Kind};

type Problem = Box<dyn std::error::Error>;

/// Measure how fast sealwatch is, beside others
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Percent of the full size: a gigabyte of small objects, 2.2 of large ones
    #[arg(long, default_value_t = 25)]
    size: u64,
    /// How often each is run
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these kinds: small, small-pcapng, bulk, lossy, tunnelled, flows, workers
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Where captures are kept
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
    /// What cargo says
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a capture of a kind: as above, or flows-N with N connections open at once
    Generate { kind: String, file: PathBuf },
    /// Touch each packet, by libpcap
    Libpcap { file: PathBuf },
    /// Touch each packet in blocks that are read
    Blocks { file: PathBuf },
    /// Count instructions, by valgrind
    Instructions,
    /// Count what live capture drops, by sealwatch and tcpdump; needs root
    Live,
}

fn main() -> Result<(), Problem> {
    let arguments = Arguments::parse();
    match &arguments.command {
        None => bench(&arguments),
        Some(Command::Generate { kind, file }) => {
            let kind = Kind::named(kind).ok_or("there is no such kind")?;
            let made = speed::write(kind, arguments.size, file)?;
            println!("{} packets, {} exchanges", made.packets, made.expected.exchanges);
            Ok(())
        }
        Some(Command::Libpcap { file }) => print(loops::libpcap(file)?),
        Some(Command::Blocks { file }) => print(loops::blocks(file)?),
        Some(Command::Instructions) => instructions::table(&arguments.folder),
        Some(Command::Live) => live::tables(&arguments.folder),
    }
}

fn print(touched: loops::Touched) -> Result<(), Problem> {
    println!("{} packets, sum {}", touched.packets, touched.sum);
    Ok(())
}

fn bench(arguments: &Arguments) -> Result<(), Problem> {
    let Arguments { size, rounds, kinds, folder, .. } = arguments;
    let is_wanted = |name: &str| kinds.is_empty() || kinds.iter().any(|kind| kind == name);
    let mut report = String::new();
    let mut tell = |text: String| {
        println!("{text}");
        report += &text;
        report += "\n";
    };
    for kind in Kind::COMPARED.into_iter().filter(|kind| is_wanted(&kind.name())) {
        tell(compare::table(kind, *size, *rounds, folder)?);
    }
    if is_wanted("flows") {
        tell(scaling::flows(*rounds, folder)?);
    }
    if is_wanted("workers") {
        tell(scaling::workers(*size, *rounds, folder)?);
    }
    fs::write(folder.join("speed.md"), report)?;
    Ok(())
}
