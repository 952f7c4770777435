//! `make soak HOURS=…`: hours of packet time, made on the way: honest clients whose packets come out of
//! order and twice, beside clients and hosts that come and go in a capture that loses. Resident memory
//! stays flat, the ledger balances, and what honest clients did is counted exactly; else it ends with 1.
//!
//! Memory is looked at two hundred times. Flat is: the most in the second half is not above the most in
//! the first by more than [`MARGIN`].

mod traffic;

use traffic::honest::differences;
use traffic::run::{Answer, replay};
use traffic::{Merged, Shape, Size, Source, Traffic, Wire};

type Problem = Box<dyn std::error::Error>;

const HOUR: i64 = 3_600_000_000_000;
/// Bytes: what an allocator may keep more or less of.
const MARGIN: u64 = 4 << 20;
const SMALL: &[Size] = &[
    Size { share: 3000, from: 0, to: 0 },
    Size { share: 6000, from: 1, to: 3000 },
    Size { share: 1000, from: 3000, to: 60_000 },
];

/// A source, for so long.
struct Until<'s> {
    source: &'s mut dyn Source,
    end: i64,
}

impl Source for Until<'_> {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        self.source.next(frame).filter(|time| *time < self.end)
    }
}

fn main() -> Result<(), Problem> {
    let hours: i64 = std::env::var("SEALWATCH_HOURS").map_or(Ok(1), |text| text.parse())?;
    let duration = hours * HOUR;
    // Exchanges come every ten seconds on each connection, on average.
    let exchanges = |connections: i64| (duration / 10_000_000_000 * connections) as u64;
    let honest = Shape {
        seed: 21,
        exchanges: exchanges(50) * 9 / 10,
        connections: 50,
        keep_alive: 20,
        sizes: SMALL,
        think: 20_000_000_000,
        ..Shape::default()
    };
    let churn = Shape {
        seed: 22,
        exchanges: u64::MAX / 2,
        connections: 400,
        keep_alive: 4,
        hosts: 1000,
        pipelined: 1000,
        net: 1,
        ..honest
    };
    let disorder = Wire { reorder: 100, depth: 20, duplicates: 100, ..Wire::default() };
    let faults = Wire { loss: 50, overtaken: 100, joined: 10, ..disorder };
    let mut honest = Traffic::counting(honest, disorder);
    let mut churn = Traffic::counting(churn, faults);
    let mut churn = Until { source: &mut churn, end: Shape::default().from + duration };
    let mut both = Merged::new(vec![&mut honest, &mut churn]);
    let answer = replay(env!("CARGO_BIN_EXE_sealwatch"), &[], &mut both, duration / 200)?;
    let Answer { summary, packets, resident, peak } = answer;

    let expected = honest.expected();
    let wrong = differences(&expected, &summary);
    let (first, second) = resident.split_at(resident.len() / 2);
    let most = |half: &[u64]| half.iter().copied().max().unwrap_or(0);
    let (first, second) = (most(first), most(second));
    let discrepancy = &summary["ledger"]["discrepancy"];
    println!("{hours} h of packet time, {packets} packets, {} samples", resident.len());
    println!("{}", summary["verdict"]);
    println!("exchanges: {}; bounds hit: {}", summary["exchanges"], hits(&summary));
    println!("honest: {} exchanges, {} counts differ", expected.exchanges, wrong.len());
    println!(
        "resident: {first} bytes at most in the first half, {second} in the second, {peak} in all"
    );
    println!("ledger: {discrepancy} bytes not accounted for");
    for (what, counted, said) in &wrong {
        println!("{what}: {counted} instead of {said}");
    }
    if !wrong.is_empty() || second > first + MARGIN || discrepancy != 0 || expected.exchanges == 0 {
        return Err("this is not what it should be".into());
    }
    Ok(())
}

fn hits(summary: &serde_json::Value) -> u64 {
    let bounds = summary["bounds"].as_object().into_iter().flatten();
    bounds.filter_map(|(_, bound)| bound["hits"].as_u64()).sum()
}
