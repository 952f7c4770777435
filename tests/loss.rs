//! Lossy captures of traffic that is known, through the real binary: every exchange whose two heads
//! are whole in the capture is reported, and nothing that was not said. `make loss` is the same
//! with more of it, and beside other tools.

#[path = "../benches/traffic/mod.rs"]
mod traffic;

mod support;

use support::binary::run;
use traffic::judge::{Score, judge, records};
use traffic::{Bodies, Shape, Wire};

const REORDERED: Wire =
    Wire { loss: 0, reorder: 100, depth: 20, duplicates: 100, overtaken: 0, joined: 0 };

fn score(shape: Shape, wire: Wire) -> Score {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("capture");
    let (truth, _) = traffic::run::write(shape, wire, &file).expect("a capture can be written");
    let file = file.to_str().expect("paths here are UTF-8");
    let run = run(["replay", "--quiet", "--format", "jsonl", "--all", file]).ok();
    judge(&truth, &records(&run.out).expect("records are JSON"))
}

fn assert_all_and_nothing_else(what: &str, shape: Shape, wire: Wire) {
    let score = score(Shape { exchanges: 2000, connections: 8, ..shape }, wire);
    assert_eq!(score.wrong, [], "{what}: wrong");
    assert_eq!(score.missed, [0; 0], "{what}: of {} whole, missed", score.whole);
    assert!(score.whole > 1000, "{what}: {} whole", score.whole);
}

#[test]
fn what_is_whole_at_any_loss_is_reported_and_nothing_else() {
    for loss in [1, 10, 100, 500] {
        let what = format!("{loss} of 10,000 lost");
        assert_all_and_nothing_else(
            &what,
            Shape { seed: loss, ..Shape::default() },
            Wire { loss, ..REORDERED },
        );
    }
}

#[test]
fn what_is_whole_though_acknowledgements_overtake_data_is_reported() {
    let wire = Wire { loss: 100, overtaken: 1000, ..REORDERED };
    assert_all_and_nothing_else("overtaken", Shape { seed: 5, ..Shape::default() }, wire);
}

#[test]
fn what_is_whole_in_connections_that_are_joined_in_the_middle_is_reported() {
    let wire = Wire { loss: 100, joined: 60, ..REORDERED };
    assert_all_and_nothing_else("joined", Shape { seed: 6, ..Shape::default() }, wire);
}

#[test]
fn text_of_messages_in_bodies_never_counts() {
    for (seed, loss) in [(7, 0), (8, 100), (9, 500)] {
        let shape = Shape { seed, bodies: Bodies::Messages, ..Shape::default() };
        let wire = Wire { loss, ..REORDERED };
        assert_all_and_nothing_else(&format!("messages in bodies, {loss}"), shape, wire);
    }
}
