//! Conversations, and what the wire does to them.

use crate::Seed;
use sealwatch_fuzz::pipeline::Options;
use sealwatch_fuzz::pipeline::talk::{Answer, Ask, Talk};
use sealwatch_fuzz::pipeline::wire::Fault;
use sealwatch_fuzz::tape::Pen;

/// An exchange: its request and answer, the sizes of their bodies (as [square roots][1] of eight
/// times as many bytes), which of the segment sizes.
///
/// [1]: sealwatch_fuzz::pipeline::talk
type Exchange = [u8; 5];

const GET: Exchange = [0, Answer::MODE | Answer::ACKED, 0, 100, 0];
const PUT: Exchange = [Ask::PUT | Ask::MODE, Answer::MODE, 120, 0, 0];
const PUT_KMS: Exchange =
    [Ask::PUT | Ask::MODE | Ask::KMS, Answer::MODE | Answer::KMS | Answer::CHATTY, 250, 10, 1];
const CHUNKED: Exchange = [0, Answer::CHUNKED | Answer::CHATTY, 0, 130, 2];
const HEAD: Exchange = [Ask::HEAD, Answer::MODE, 0, 50, 0];
const DELETED: Exchange = [0, Answer::NO_CONTENT, 0, 0, 0];
const MISSING: Exchange = [0, Answer::NOT_FOUND, 0, 40, 3];
const EXPECTS: Exchange = [Ask::PUT | Ask::EXPECT | Ask::MODE, Answer::MODE, 150, 0, 0];
const REFUSED: Exchange = [Ask::PUT | Ask::EXPECT | Ask::REFUSED, 0, 150, 20, 0];
const AHEAD: Exchange = [Ask::PIPELINED, Answer::MODE, 0, 60, 2];
const STALE: Exchange = [Ask::PIPELINED | Ask::STALE, 0, 0, 30, 2];
const LAST: Exchange = [0, Answer::UNTIL_CLOSE, 0, 90, 0];

fn connection(pen: Pen, options: u8, exchanges: &[Exchange], faults: &[[u8; 3]]) -> Pen {
    let pen = pen.bytes(&[options, exchanges.len() as u8 - 1]).bytes(&exchanges.concat());
    pen.bytes(&[faults.len() as u8]).bytes(&faults.concat())
}

fn one(options: u8, exchanges: &[Exchange], faults: &[[u8; 3]]) -> Vec<u8> {
    connection(Pen::default().bytes(&[0, 128]), options, exchanges, faults).0
}

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let many = [PUT, GET, CHUNKED, HEAD, PUT_KMS, DELETED, MISSING, GET];
    let pipelined = [AHEAD, AHEAD, STALE, GET, AHEAD, STALE, PUT, LAST];
    let expecting = [EXPECTS, REFUSED, GET, EXPECTS, REFUSED, PUT];
    let disorder = [
        [Fault::DELAY, 60, 5],
        [Fault::REPEAT, 90, 9],
        [Fault::SPLIT, 120, 100],
        [Fault::OVERLAP, 150, 200],
        [Fault::CONTRADICT, 170, 3],
        [Fault::DELAY, 190, 11],
        [Fault::NO_ACKS, 0, 0],
    ];
    let losses = [[Fault::LOSE, 70, 0], [Fault::LOSE, 140, 1], [Fault::CUT, 180, 30]];
    let pauses = [[Fault::PAUSE, 100, 2], [Fault::LOSE, 101, 0], [Fault::PAUSE, 200, 100]];
    let finished = Talk::FINISHED;
    let mut seeds = vec![
        ("plain", one(finished, &many, &[])),
        ("pipelined", one(finished, &pipelined, &[])),
        ("expecting", one(finished, &expecting, &[])),
        ("disorder", one(finished, &many, &disorder)),
        ("disorder-pipelined", one(Talk::RESET, &pipelined, &disorder)),
        ("treacherous", one(finished | Talk::TREACHEROUS, &many, &disorder)),
        ("losses", one(finished, &many, &losses)),
        ("losses-expecting", one(finished, &expecting, &losses)),
        ("losses-pipelined", one(finished, &pipelined, &losses)),
        ("joined", one(Talk::JOINED, &many, &[[Fault::LOSE, 0, 3]])),
        ("pauses", one(finished, &many, &pauses)),
        ("one-sided", one(finished, &many, &[[Fault::ONE_SIDED, 255, 0]])),
    ];
    for (name, options) in [("same-ports", Options::SAME_PORTS), ("at-once", Options::V6)] {
        let pen = Pen::default().bytes(&[options | 2, 100]);
        let pen = connection(pen, finished, &[PUT, GET], &disorder);
        let pen = connection(pen, 0, &[CHUNKED, PUT_KMS, GET], &losses);
        seeds.push((name, connection(pen, Talk::RESET, &[GET, PUT], &[]).0));
    }
    seeds.into_iter().map(|(name, bytes)| ("pipeline", name.to_owned(), bytes)).collect()
}
