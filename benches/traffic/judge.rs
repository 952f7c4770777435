//! Holds what a tool reports to what was really said.
//!
//! An exchange is *whole* where every byte of its two heads is in the capture, wherever the packets
//! came. **Recall of pairs** is the share of whole exchanges that were reported as one, **recall of
//! heads** that of whole heads that were reported at all. A report is *wrong* if it names what nobody
//! sent, joins a request with the answer to another, or repeats a head; **precision** is the share of
//! reports that are not.
//!
//! A gap is *costly* where bytes of a head are in it: whoever read this direction must find its place
//! anew. **Relock** is how many captured segments with payload of this direction lie between such a gap
//! and the segment in which the next head begins that is reported; where none is until the
//! connection's end, all of them. *At best* is the same for whoever reports every whole head. Gaps
//! behind which no head is whole count in neither.

use super::truth::Truth;
use serde_json::Value;
use std::collections::HashSet;

/// What stands for a message that nobody sent.
const NOBODY: u64 = u64::MAX;

/// What a tool says of an exchange: the numbers of request and answer, where it says that there
/// were some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub heads: [Option<u64>; 2],
}

impl Report {
    pub const fn new(request: Option<u64>, answer: Option<u64>) -> Self {
        Self { heads: [request, answer] }
    }
}

/// The number in a request's target.
pub fn request_number(target: &str) -> u64 {
    target.rsplit_once("/bucket/").and_then(|(_, id)| id.parse().ok()).unwrap_or(NOBODY)
}

/// The number in an answer's `Content-Type`.
pub fn answer_number(content_type: &str) -> u64 {
    content_type.strip_prefix("application/x-").and_then(|id| id.parse().ok()).unwrap_or(NOBODY)
}

/// What sealwatch's records say (`--format jsonl --all`).
pub fn records(lines: &str) -> Result<Vec<Report>, serde_json::Error> {
    let report = |line: &str| {
        let record: Value = serde_json::from_str(line)?;
        let text = |field: &str| record[field].as_str().unwrap_or_default();
        let request = (record["request_seen"] == true).then(|| request_number(text("target")));
        let answer = (record["response_seen"] == true).then(|| answer_number(text("content_type")));
        Ok(Report::new(request, answer))
    };
    lines.lines().map(report).collect()
}

/// How good reports are.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub whole: u64,
    pub found: u64,
    pub whole_heads: u64,
    pub found_heads: u64,
    pub reports: u64,
    pub wrong: Vec<Report>,
    /// Whole exchanges that were not reported as one.
    pub missed: Vec<u64>,
    /// Costly gaps, and the segments until the next head that was reported, in all.
    pub gaps: u64,
    pub relock: u64,
    pub relock_at_best: u64,
}

impl Score {
    pub fn recall(&self) -> f64 {
        share(self.found, self.whole)
    }

    pub fn recall_of_heads(&self) -> f64 {
        share(self.found_heads, self.whole_heads)
    }

    pub fn precision(&self) -> f64 {
        share(self.reports - self.wrong.len() as u64, self.reports)
    }
}

/// A share in percent; all of nothing is all.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Judges reports.
pub fn judge(truth: &[Truth], reports: &[Report]) -> Score {
    let mut score = Score { reports: reports.len() as u64, ..Score::default() };
    let sent: HashSet<u64> =
        truth.iter().flat_map(|one| &one.exchanges).map(|exchange| exchange.id).collect();
    let mut pairs = HashSet::new();
    let mut heads = [HashSet::new(), HashSet::new()];
    for report in reports {
        let known = report.heads.iter().flatten().all(|id| sent.contains(id));
        let new = [0, 1].map(|side| report.heads[side].is_none_or(|id| heads[side].insert(id)));
        let [request, answer] = report.heads;
        let one = request.is_none() || answer.is_none() || request == answer;
        if !known || new.contains(&false) || !one {
            score.wrong.push(*report);
        } else if let (Some(id), Some(_)) = (request, answer) {
            pairs.insert(id);
        }
    }
    for one in truth {
        judge_connection(&mut score, one, &pairs, &heads);
    }
    score
}

fn judge_connection(
    score: &mut Score,
    truth: &Truth,
    pairs: &HashSet<u64>,
    heads: &[HashSet<u64>; 2],
) {
    for exchange in &truth.exchanges {
        let whole = [0, 1].map(|side| truth.is_whole(side, exchange.heads[side]));
        for (whole, heads) in whole.into_iter().zip(heads) {
            score.whole_heads += u64::from(whole);
            score.found_heads += u64::from(whole && heads.contains(&exchange.id));
        }
        if whole == [true, true] {
            score.whole += 1;
            if pairs.contains(&exchange.id) {
                score.found += 1;
            } else {
                score.missed.push(exchange.id);
            }
        }
    }
    for side in [0, 1] {
        let next = |gap: usize, reported: bool| {
            let mut behind = truth.exchanges.iter().filter(|exchange| {
                let place = exchange.heads[side];
                place.first as usize >= gap
                    && truth.is_whole(side, place)
                    && (!reported || heads[side].contains(&exchange.id))
            });
            behind.next().map(|exchange| exchange.heads[side].first as usize)
        };
        for gap in truth.costly_gaps(side) {
            let Some(best) = next(gap, false) else { continue };
            let end = truth.captured[side].len();
            let passed = |to: usize| {
                (truth.captured_before(side, to) - truth.captured_before(side, gap)) as u64
            };
            score.gaps += 1;
            score.relock_at_best += passed(best);
            score.relock += passed(next(gap, true).unwrap_or(end));
        }
    }
}
