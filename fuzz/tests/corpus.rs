//! Replays what is known to be worth a try: the corpus, and everything that was once wrong.

use sealwatch_fuzz::{TARGETS, replay};
use std::path::Path;

/// Replays a target's files; at least one of them must be there.
fn replay(name: &str) {
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    let (_, body) = found.expect("the target is in the list");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        ["corpus", "regressions"].map(|kind| replay::folder(*body, &here.join(kind).join(name)));
    assert!(files[0] > 0, "there is no corpus of {name}");
}

#[test]
fn capture_files_keep_what_is_promised() {
    replay("capture_file");
}

#[test]
fn decoding_keeps_what_is_promised() {
    replay("decode");
}

#[test]
fn streams_keep_what_is_promised() {
    replay("stream");
}

#[test]
fn http_keeps_what_is_promised() {
    replay("http");
}

#[test]
fn s3_keeps_what_is_promised() {
    replay("s3");
}

#[test]
fn the_pipeline_reports_what_was_said() {
    replay("pipeline");
}

#[test]
fn every_target_is_replayed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = std::fs::read_dir(here.join("fuzz_targets")).expect("they are listed");
    let mut names: Vec<_> = targets
        .map(|entry| entry.expect("it is listed").path())
        .map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut listed = TARGETS.map(|(name, _)| name);
    listed.sort_unstable();
    assert_eq!(names, listed);
}
