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
