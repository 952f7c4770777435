//! What `make bench` measures with is right itself: traffic of each kind is counted as it was said, by
//! the real binary, and its other parts do what they say.

#[path = "../benches/speed/loops.rs"]
mod loops;
#[path = "../benches/speed/plot.rs"]
mod plot;
#[path = "../benches/speed/sums.rs"]
mod sums;
mod support;
#[path = "../benches/traffic/mod.rs"]
mod traffic;

use std::path::Path;
use sums::Sums;
use support::binary::run;
use traffic::honest::{Expected, differences};
use traffic::speed::{Capture, Kind, capture};

const KINDS: [Kind; 5] =
    [Kind::Small, Kind::SmallPcapng, Kind::Bulk, Kind::Tunnelled, Kind::Flows(500)];

fn made(kind: Kind, folder: &Path) -> Capture {
    // Of a million connections, a percent is a lot.
    let percent = if kind == Kind::Bulk { 2 } else { 1 };
    capture(kind, percent, folder).expect("a capture can be written")
}

#[test]
fn traffic_without_loss_is_counted_exactly_as_it_was_said() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for kind in KINDS {
        let Capture { file, packets, expected, .. } = made(kind, folder.path());
        let file = file.to_str().expect("paths here are UTF-8");
        let said = run(["replay", "--quiet", "--format", "json", file]).ok().out;
        let summary: serde_json::Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!(differences(&expected, &summary), [], "{kind:?}");
        assert_eq!(expected.counts, expected.whole, "{kind:?}");
        assert_eq!(summary["ledger"]["packets"]["segment"], packets, "{kind:?}");
    }
}

#[test]
fn a_capture_that_is_there_is_not_made_again_and_its_truth_is_kept() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let first = made(Kind::Small, folder.path());
    let when = || first.file.metadata().and_then(|file| file.modified()).expect("it is there");
    let made_at = when();
    let second = made(Kind::Small, folder.path());
    assert_eq!(when(), made_at);
    assert_eq!((second.packets, second.bytes), (first.packets, first.bytes));
    assert_eq!(second.expected.counts, first.expected.counts);
}

#[test]
fn both_loops_touch_every_packet() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for kind in KINDS {
        let Capture { file, packets, .. } = made(kind, folder.path());
        let by_libpcap = loops::libpcap(&file).expect("it can be read");
        let by_blocks = loops::blocks(&file).expect("it can be read");
        assert_eq!(by_libpcap.packets, packets, "{kind:?}");
        assert_eq!((by_blocks.packets, by_blocks.sum), (packets, by_libpcap.sum), "{kind:?}");
    }
}

#[test]
fn with_loss_what_is_whole_is_the_least_and_what_was_said_the_most() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Expected { counts, whole, exchanges } = made(Kind::Lossy, folder.path()).expected;
    assert_eq!(exchanges, 2500);
    let all = |counts: &traffic::honest::Counts| counts.values().sum::<u64>();
    // A head or two of some fifty are not whole.
    assert!(all(&whole) < all(&counts) && all(&whole) > all(&counts) * 9 / 10);
    assert!(whole.iter().all(|(what, count)| *count <= counts[what]));
}

#[test]
fn sums_that_are_wrong_are_called_wrong() {
    let counts = [
        ("store-0.example requests PutObject none", 2),
        ("store-1.example requests PutObject aws:kms", 3),
        ("store-1.example responses PutObject aws:kms", 3),
        ("store-0.example responses PutObject none", 1),
        ("store-0.example refusals PutObject 403", 1),
    ];
    let counts: traffic::honest::Counts =
        counts.into_iter().map(|(what, count)| (what.to_owned(), count)).collect();
    let expected = Expected { whole: counts.clone(), counts, exchanges: 5 };
    let mut sums = Sums::default();
    for _ in 0..3 {
        sums.add("PUT", "", "aws:kms");
        sums.add("", "100", "");
        sums.add("", "200", "aws:kms");
    }
    for status in ["200", "403"] {
        sums.add("PUT", "", "");
        sums.add("", status, "");
    }
    assert_eq!(sums.wrong(&expected), None);
    sums.add("PUT", "", "AES256");
    assert_eq!(sums.wrong(&expected).as_deref(), Some("6 of 5 requests"));
    sums.requests = 5;
    assert_eq!(sums.wrong(&expected).as_deref(), Some("1 of 0 PUTs with AES256"));
}

#[test]
fn a_chart_holds_its_points_within_its_bounds() {
    let chart = plot::Chart {
        title: "t",
        across: "a",
        up: "u",
        by_tens: true,
        lines: vec![("one", vec![(1000.0, 0.0), (1e6, 420.0)])],
    };
    let svg = chart.svg();
    assert!(svg.contains(r#"points="90.0,304.0 620.0,85.6""#), "{svg}");
    assert!(svg.contains(">1,000,000</text>") && svg.contains(">500</text>"), "{svg}");
}
