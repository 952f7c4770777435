//! Small floods, under tight bounds, through the real binary: what honest clients beside them do
//! counts exactly, the bound is hit and says so, and the ledger balances. `make floods` is the same at
//! full size, with what it takes of memory.

#[path = "../benches/traffic/mod.rs"]
mod traffic;

use serde_json::Value;
use traffic::floods::{KINDS, Kind};
use traffic::honest::{Expected, differences};
use traffic::run::{Answer, replay};
use traffic::{Merged, Shape, Traffic, Wire};

const HONEST: Shape = Shape {
    seed: 3,
    exchanges: 600,
    connections: 30,
    keep_alive: 5,
    hosts: 3,
    sizes: &[traffic::Size { share: 10_000, from: 0, to: 3000 }],
    bodies: traffic::Bodies::Noise,
    uploads: 6000,
    peeks: 1000,
    chunked: 2000,
    expects: 2000,
    refused: 1000,
    pipelined: 1000,
    asked: 6000,
    differs: 500,
    mss: 1448,
    think: 1_000_000_000,
    opening: None,
    from: 1_795_600_000_000_000_000,
    net: 0,
};

/// A flood beside honest clients, and what was to be counted of those.
fn beside(kind: &Kind) -> (Answer, Expected) {
    let mut honest = Traffic::new(HONEST, Wire::default());
    let mut flood = kind.flood(kind.small, HONEST.from + 3_000_000_000, 5);
    let mut both = Merged::new(vec![&mut honest, &mut flood]);
    let answer = replay(env!("CARGO_BIN_EXE_sealwatch"), kind.tight, &mut both, i64::MAX)
        .unwrap_or_else(|error| panic!("{}: {error}", kind.name));
    let mut expected = Expected::default();
    expected.add(&honest.take_truth());
    (answer, expected)
}

#[test]
fn honest_exchanges_count_exactly_beside_each_flood() {
    for kind in &KINDS {
        let (Answer { summary, packets, .. }, expected) = beside(kind);
        assert_eq!(expected.exchanges, HONEST.exchanges);
        assert_eq!(differences(&expected, &summary), [], "{}", kind.name);
        let hits = summary["bounds"][kind.bound]["hits"].as_u64();
        assert!(hits > Some(0), "{}: {} was not hit", kind.name, kind.bound);
        let ledger = &summary["ledger"];
        assert_eq!([&ledger["discrepancy"], &ledger["unsettled_bytes"]], [0, 0], "{}", kind.name);
        let fates = ledger["packets"].as_object().into_iter().flatten();
        let fates: u64 = fates.filter_map(|(_, count): (_, &Value)| count.as_u64()).sum();
        assert_eq!(fates, packets, "{}", kind.name);
    }
}
