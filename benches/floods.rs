//! `make floods`: floods at full size beside honest clients, as a Markdown table: the most memory that
//! was resident, which bound was hit how often, and whether what honest clients did was counted
//! exactly. Then what a million connections take each.
//!
//! `SEALWATCH_PERCENT` is how much of the full size (100).

mod traffic;

use traffic::floods::{EMPTY, IDLE, KINDS, Kind};
use traffic::honest::differences;
use traffic::run::{Answer, replay};
use traffic::{Merged, Shape, Size, Source, Traffic, Wire};

type Problem = Box<dyn std::error::Error>;

/// How long a flood is, in seconds of packet time.
const SECONDS: u64 = 100;
const BINARY: &str = env!("CARGO_BIN_EXE_sealwatch");

/// Clients that think for up to ten seconds, before, during and after a flood.
fn honest() -> Traffic {
    const SMALL: &[Size] =
        &[Size { share: 8000, from: 0, to: 3000 }, Size { share: 2000, from: 3000, to: 60_000 }];
    let shape = Shape {
        seed: 5,
        exchanges: 5000,
        connections: 200,
        keep_alive: 6,
        hosts: 5,
        sizes: SMALL,
        think: 10_000_000_000,
        ..Shape::default()
    };
    Traffic::counting(shape, Wire::default())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

/// A flood (or none) beside honest clients: a row of the table. The peak.
fn row(kind: Option<&Kind>, percent: u64) -> Result<u64, Problem> {
    let mut honest = honest();
    let frames = kind.map_or(0, |kind| kind.frames * percent / 100);
    let from = Shape::default().from + 20_000_000_000;
    let mut flood = kind.map(|kind| kind.flood(frames, from, SECONDS));
    let sources: Vec<&mut dyn Source> = match flood.as_mut() {
        Some(flood) => vec![&mut honest, flood],
        None => vec![&mut honest],
    };
    let Answer { summary, peak, .. } = replay(BINARY, &[], &mut Merged::new(sources), i64::MAX)?;
    let expected = honest.expected();
    let wrong = differences(&expected, &summary);
    let name = kind.map_or("none", |kind| kind.name);
    let exact = if wrong.is_empty() { "exact" } else { "**wrong**" };
    let hits = summary["bounds"].as_object().into_iter().flatten();
    let hits: Vec<_> = hits
        .filter(|(_, bound)| bound["hits"].as_u64() > Some(0))
        .map(|(name, bound)| format!("`{name}` {} ×", bound["hits"]))
        .collect();
    let discrepancy = &summary["ledger"]["discrepancy"];
    println!(
        "| {name} | {frames} | {:.0} MiB | {} | {exact} ({} exchanges) | {discrepancy} |",
        mebibytes(peak),
        if hits.is_empty() { "–".to_owned() } else { hits.join(", ") },
        expected.exchanges,
    );
    for (what, counted, said) in wrong {
        eprintln!("{name}: {what}: {counted} instead of {said}");
    }
    Ok(peak)
}

/// What each of a million connections takes, in bytes, when they begin within so many seconds of packet
/// time: for a few, each takes what one takes that is at work.
fn each(kind: &Kind, percent: u64, base: u64, seconds: u64) -> Result<(), Problem> {
    let frames = kind.frames * percent / 100;
    let mut flood = kind.flood(frames, Shape::default().from, seconds);
    let Answer { summary, peak, .. } = replay(BINARY, kind.tight, &mut flood, i64::MAX)?;
    let connections = summary["ledger"]["flows"]["total"].as_u64().unwrap_or(1);
    let bytes = peak.saturating_sub(base) / connections.max(1);
    let (name, peak) = (kind.name, mebibytes(peak));
    println!("{connections} {name} within {seconds} s: {peak:.0} MiB, {bytes} bytes each");
    Ok(())
}

fn main() -> Result<(), Problem> {
    let percent = std::env::var("SEALWATCH_PERCENT").map_or(Ok(100), |text| text.parse())?;
    println!(
        "| flood | packets | most resident | bounds that were hit | honest clients | discrepancy |"
    );
    println!("|---|--:|--:|---|---|--:|");
    let base = row(None, percent)?;
    for kind in &KINDS {
        row(Some(kind), percent)?;
    }
    println!();
    each(&IDLE, percent, base, 20)?;
    each(&IDLE, percent, base, 5 * SECONDS)?;
    each(&EMPTY, percent, base, 20)
}
