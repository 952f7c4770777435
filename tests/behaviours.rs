//! Every behaviour in `tests/behaviours`, by the real binary.
//!
//! A directory there is a behaviour: `packets` is what was captured (a script, see
//! `support/steps.rs`; or `packets.pcap`, a capture), `why` says in a line what it shows and by
//! what that is right, `expected.jsonl` holds the records and `expected.ledger` the ledger. In
//! both, what is usual is left out. Whatever the behaviour, the ledger balances, counts agree with
//! records, nothing is said on standard error, and one worker says what four say.
//!
//! `UPDATE=1` writes down what is said as what is expected: to be read, line by line, before it
//! is believed. `ONLY=word` tries those with that word in their names.

mod support;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use support::behaviour::Behaviour;

const AT_ONCE: usize = 4;

/// How a behaviour in a directory that holds these files is not as it is written down.
fn wrong(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a directory can be made");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    Behaviour::new(folder.path().to_owned()).check(false).err().unwrap_or_default()
}

#[test]
fn a_directory_holds_four_files_and_no_other() {
    let why = ("why", "Nothing is said where nothing was sent.\n");
    let ledger = ("expected.ledger", "examined 100 % of payload bytes, 0 gaps\n");
    let files = [("packets", ""), why, ("expected.jsonl", ""), ledger];
    assert_eq!(wrong(&files), "");
    for left_out in 0..files.len() {
        let mut fewer = files.to_vec();
        let (name, _) = fewer.remove(left_out);
        let told = wrong(&fewer);
        assert!(told.contains(name), "without {name}: {told:?}");
    }
    let told = wrong(&[&files[..], &[("packets.txt", "")]].concat());
    assert!(told.contains("packets.txt"), "{told:?}");
    let told = wrong(&[files[0], ("why", "It is so.\n"), files[2], files[3]]);
    assert!(told.contains("why"), "{told:?}");
}

#[test]
fn what_differs_is_shown_beside_what_was_expected() {
    let told = wrong(&[
        ("packets", "c `GET /1 HTTP/1.1 | Host: h`\n"),
        ("why", "A request is told, though nothing answers it.\n"),
        ("expected.jsonl", "{\"method\": \"GET\"}\n"),
        ("expected.ledger", "examined 100 % of payload bytes, 0 gaps\nflows.total 2\n"),
    ]);
    for line in [
        "- {\"method\": \"GET\"}",
        "+ {\"time\": \"2026-01-01T00:00:00.001000Z\", \"method\": \"GET\", \"target\": \"/1\", \
         \"request_body_bytes\": 0, \"response_seen\": false}",
        "- flows.total 2",
        "+ exchanges.other 1",
        "+ payload_bytes.head 28",
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
}

#[test]
fn a_script_that_cannot_be_read_says_which_line_and_why() {
    let why = ("why", "No script says this in any way that could be read.\n");
    for (line, how) in [
        ("x", "x is no word of a script"),
        ("c `GET", "a ` is not closed"),
        ("c \"a\" * b", "no number follows *"),
        ("c \"a\" hurry", "hurry says nothing about a segment"),
        ("s seq=now", "now is no number here"),
        ("wait 5", "5 is neither seconds nor milliseconds"),
        ("repeat 2", "a repeat without an end"),
    ] {
        let files = [("packets", line), why, ("expected.jsonl", ""), ("expected.ledger", "")];
        let told = wrong(&files);
        assert!(told.contains(how), "{line}: {told:?}");
    }
}

#[test]
fn every_behaviour_is_as_it_is_written_down() {
    let update = env::var_os("UPDATE").is_some_and(|value| value == "1");
    let only = env::var("ONLY").unwrap_or_default();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/behaviours");
    let entries = fs::read_dir(&folder).expect("there are behaviours");
    let mut behaviours: Vec<_> = entries
        .map(|entry| Behaviour::new(entry.expect("an entry can be read").path()))
        .filter(|behaviour| behaviour.name.contains(&only))
        .collect();
    assert!(!behaviours.is_empty(), "there is a behaviour to try");
    behaviours.sort_by(|a, b| b.name.cmp(&a.name));
    let (left, wrong) = (Mutex::new(behaviours), Mutex::new(Vec::new()));
    let try_all = || {
        loop {
            let Some(behaviour) = left.lock().expect("nobody panicked").pop() else { return };
            let tried = std::panic::catch_unwind(|| behaviour.check(update));
            let tried = tried.unwrap_or_else(|_| Err("it panicked, see above".to_owned()));
            if let Err(how) = tried {
                let told = format!("tests/behaviours/{}: {how}", behaviour.name);
                wrong.lock().expect("nobody panicked").push(told);
            }
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(try_all))));
    let mut wrong = wrong.into_inner().expect("nobody panicked");
    wrong.sort();
    assert!(wrong.is_empty(), "{} not as written down:\n{}", wrong.len(), wrong.join("\n"));
}
