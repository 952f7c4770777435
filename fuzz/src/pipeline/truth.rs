//! What was said, against what is reported.
//!
//! Always:
//! - no exchange is reported that was not there, none twice, and no request with another's answer;
//! - what is said of an exchange is true: its status, its modes, bodies no longer than they were;
//! - every packet and every payload byte has one fate, and no more is called missing than is;
//! - what is not reported though its heads were captured, is not missed silently: its halves are
//!   reported apart, or the ledger tells of a loss.
//!
//! Where nothing was lost, every exchange is reported, with its bodies; and where nothing was
//! lost but content of bodies, every one is, too. (But for connections on ports on which there was
//! another before, of which not all was captured: what is there of that may pass for their beginning.
//! And for those that were silent for a minute before their first data: by then their handshake is
//! forgotten, so that they are joined there; an answer to one of several requests under way may be to
//! one that was sent before.)
//!
//! Where more was lost, two ends that take turns are understood again with the second exchange
//! that was captured whole, at the latest.
//!
//! Not asked for is what nobody can tell who joined a connection later: that text in a body is no
//! message, and which request is answered first where several were under way. (Behind a loss of
//! requests, too, this is known only of a client that was seen to pipeline before.) Nor the former where
//! the first bytes of a direction are missing, or a `100 Continue`, or anything of a pipeline: behind that,
//! a body of which the head is missing, too, is like a request. (About one in 70,000 scripts that are made
//! for it still shows a request that was none.) Nor, where anything was lost, that text in an answer's body
//! is no answer to a request that was not captured (about one in 10,000 shows one), and how long a body was
//! that was refused.

use super::talk::{self, Facts, Said};
use super::wire::Tapped;
use super::{Frame, Outcome};
use crate::support::listener::Heard;
use crate::support::oracle::check_precision;
use sealwatch::decode::PacketFate;
use sealwatch::s3::{Mode, Record};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Checks everything.
pub(super) fn check(connections: &[(Said, Tapped)], frames: &[Frame], outcome: &Outcome) {
    check_ledger(connections, frames, outcome);
    let heard: Vec<Heard> = outcome.records.iter().map(heard).collect();
    let exchanges = connections.iter().map(|(said, _)| said.facts.len()).sum();
    // What a body imitates, cut off from all that tells what it is, cannot be told apart.
    let is_blurred =
        |(said, tapped): &(Said, Tapped)| said.treacherous && tells_too_little(said, tapped);
    if connections.iter().any(is_blurred) {
        return;
    }
    let mut judged = apart(connections, &heard);
    if connections.iter().any(|(said, tapped)| said.treacherous && !tapped.clean) {
        judged.retain(|one| one.target.is_some() || one.status != Some(talk::FALSE_STATUS));
    }
    if let Err(wrong) = check_precision(exchanges, &judged) {
        let lists = connections.iter().map(|(said, tapped)| tapped.listing(said));
        panic!("{wrong} in {heard:#?}\n{}", lists.collect::<Vec<_>>().join("\n"));
    }
    let by_id: HashMap<usize, (&Heard, &Record)> = heard
        .iter()
        .zip(&outcome.records)
        .filter_map(|(heard, record)| Some((id(heard)?, (heard, record))))
        .filter(|(_, (heard, _))| heard.target.is_some() && heard.answer.is_some())
        .collect();
    for (said, tapped) in connections {
        for (at, truth) in said.conversation.truth.iter().enumerate() {
            match by_id.get(&truth.id) {
                Some(_) if at < unknowable(said, tapped) => {}
                Some((heard, record)) => check_pair(said, tapped, at, heard, record),
                None => check_missed(said, tapped, at, outcome, &heard),
            }
        }
    }
    outcome.records.iter().for_each(|record| check_modes(connections, record));
}

/// Whether what tells a body that imitates messages from messages was not captured: how a direction
/// begins, or a `100 Continue`. In a pipeline, a turn tells little.
fn tells_too_little(said: &Said, tapped: &Tapped) -> bool {
    let begins = |missing: &Vec<Range<u64>>| missing.first().is_none_or(|range| range.start > 0);
    let lost = |leave: &Range<u64>| tapped.missing[1].iter().any(|range| overlaps(range, leave));
    said.joined
        || said.pipelined
        || !tapped.missing.iter().all(begins)
        || said.leave.iter().any(lost)
}

/// What was heard; requests and answers each by themselves, where they are [`unknowable`].
fn apart(connections: &[(Said, Tapped)], heard: &[Heard]) -> Vec<Heard> {
    let ids: HashSet<String> = connections
        .iter()
        .flat_map(|(said, tapped)| &said.conversation.truth[..unknowable(said, tapped)])
        .map(|truth| truth.id.to_string())
        .collect();
    let halves = |one: &Heard| match (&one.target, &one.answer) {
        (Some(_), Some(answer)) if ids.contains(answer) => {
            vec![Heard { answer: None, ..one.clone() }, Heard { target: None, ..one.clone() }]
        }
        _ => vec![one.clone()],
    };
    heard.iter().flat_map(halves).collect()
}

/// Of how many exchanges, from the first on, nobody can tell which request was answered. Where a
/// connection that was joined pipelines, whether the first answer is to the first request that was
/// captured, or to one that was sent before. Where requests were lost, the same, until the client was
/// seen to pipeline: before, it is taken to take turns.
fn unknowable(said: &Said, tapped: &Tapped) -> usize {
    let truth = &said.conversation.truth;
    if said.joined && said.pipelined {
        return truth.len();
    }
    let [asked, answered] = &tapped.missing;
    let shown = truth.windows(2).position(|pair| {
        let [(from, _), (second, to)] = [pair[0].request_head, pair[1].request_head];
        said.had(from) == said.had(second)
            && !asked.iter().any(|range| overlaps(range, &(from..to)))
            && !answered.iter().any(|range| range.start < pair[0].response_head.0)
    });
    let shown = shown.map_or(truth.len(), |first| first + 1);
    let end = truth.get(shown).map_or(u64::MAX, |truth| truth.request_head.0);
    let lost = said.framing[0]
        .iter()
        .any(|span| span.start < end && asked.iter().any(|range| overlaps(range, span)));
    if said.pipelined && lost { shown } else { 0 }
}

fn id(heard: &Heard) -> Option<usize> {
    heard.answer.as_ref()?.parse().ok()
}

/// A record as what the tests compare. An answer's number is in its content type.
fn heard(record: &Record) -> Heard {
    let target = record.target.as_ref().map(|target| target.replacen("/b/", "/", 1));
    let kind = record.content_type.as_ref();
    let answer = record.status.map(|status| {
        let number = kind.and_then(|kind| kind.strip_prefix("id/"));
        number.map_or_else(|| format!("status {status}"), str::to_owned)
    });
    Heard {
        target,
        answer,
        status: record.status,
        request_body: record.request_body_bytes,
        response_body: record.response_body_bytes,
    }
}

fn check_ledger(connections: &[(Said, Tapped)], frames: &[Frame], outcome: &Outcome) {
    let ledger = &outcome.ledger;
    assert_eq!(ledger.packets.total(), frames.len() as u64, "{ledger:?}");
    assert_eq!(ledger.packets.get(PacketFate::Segment), frames.len() as u64, "{ledger:?}");
    assert_eq!(ledger.discrepancy(), 0, "{ledger:?}");
    let payload: u64 = frames.iter().map(|frame| frame.payload).sum();
    assert_eq!(ledger.flow.payload_bytes, payload, "{ledger:?}");
    assert_eq!(ledger.flow.buffered_bytes, 0, "{ledger:?}");
    let missing: u64 = connections.iter().map(|(_, tapped)| sum(&tapped.missing)).sum();
    // A FIN that was acknowledged and not captured looks like one more byte.
    let missing = missing + 2 * connections.len() as u64;
    // Where a connection, or one before it on the same ports, was captured in part only, the one may
    // look like a part of the other, far behind.
    let looks_far = connections.iter().any(|(_, tapped)| tapped.disturbed);
    let lists =
        || connections.iter().map(|(said, tapped)| tapped.listing(said)).collect::<String>();
    assert!(
        looks_far || ledger.flow.gap_bytes <= missing,
        "{missing} bytes are missing: {ledger:?}\n{}",
        lists()
    );
}

fn sum(missing: &[Vec<Range<u64>>; 2]) -> u64 {
    missing.iter().flatten().map(|range| range.end - range.start).sum()
}

/// What is said of an exchange that was heard as one.
fn check_pair(said: &Said, tapped: &Tapped, at: usize, heard: &Heard, record: &Record) {
    let (truth, facts) = (&said.conversation.truth[at], &said.facts[at]);
    assert_eq!(heard.target, Some(format!("/{}", truth.id)), "{record:?}");
    assert_eq!(record.status, Some(facts.status), "{truth:?}");
    assert_eq!(record.requested_mode, facts.requested, "{facts:?} {record:?}");
    assert_eq!(record.applied_mode, facts.applied, "{facts:?} {record:?}");
    let bodies =
        [(heard.request_body, truth.request_body), (heard.response_body, truth.response_body)];
    for (end, (heard, true_one)) in bodies.into_iter().enumerate() {
        let whole = !tapped.missing[end].iter().any(|range| overlaps(range, &facts.spans[end]));
        // A FIN that was acknowledged and not captured looks like one more byte.
        let most = true_one + u64::from(!tapped.clean);
        // What is far behind may be of another connection on the same ports.
        let is_unknown = tapped.disturbed || (said.treacherous && !tapped.clean);
        let is_true = is_unknown || heard.is_none_or(|heard| heard <= most);
        assert!(is_true, "{truth:?}: {record:?}\n{}", tapped.listing(said));
        if whole && tapped.clean {
            assert_eq!(heard, Some(true_one), "{truth:?}: {record:?}");
        }
    }
}

/// What is said of a request or an answer alone.
fn check_modes(connections: &[(Said, Tapped)], record: &Record) {
    let facts = connections.iter().flat_map(|(said, _)| {
        said.conversation.truth.iter().map(|truth| truth.id).zip(&said.facts)
    });
    let facts: HashMap<usize, &Facts> = facts.collect();
    let of = |text: Option<&str>| text.and_then(|id| facts.get(&id.parse().ok()?).copied());
    let asked = of(record.target.as_deref().and_then(|target| target.strip_prefix("/b/")));
    let answered = of(record.content_type.as_deref().and_then(|kind| kind.strip_prefix("id/")));
    if let Some(facts) = asked {
        assert_eq!(record.requested_mode, facts.requested, "{record:?}");
    }
    if let (Some(facts), None) = (answered, asked) {
        let named = facts.applied.filter(|mode| *mode != Mode::None);
        assert_eq!(record.applied_mode, named, "{record:?}");
    }
}

fn overlaps(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// An exchange that was not heard as one: there must be a reason.
fn check_missed(said: &Said, tapped: &Tapped, at: usize, outcome: &Outcome, heard: &[Heard]) {
    let truth = &said.conversation.truth[at];
    let lost = |end: usize, span: &Range<u64>| {
        tapped.missing[end].iter().any(|range| overlaps(range, span))
    };
    let heads = [truth.request_head, truth.response_head].map(|(start, end)| start..end);
    if lost(0, &heads[0]) || lost(1, &heads[1]) {
        return;
    }
    let tell = || format!("{truth:?}\n{heard:#?}\n{}", tapped.listing(said));
    if !said.joined && !tapped.forgotten && !tapped.disturbed {
        let framing_lost = (0..2).any(|end| said.framing[end].iter().any(|span| lost(end, span)));
        assert!(framing_lost, "nothing but content of bodies was lost: {}", tell());
    }
    let ledger = &outcome.ledger;
    let told = ledger.http.losses + ledger.http.lost_bytes + ledger.flow.late_bytes;
    let loss = told + ledger.flow.gaps > 0;
    // Both halves, apart: who joined a connection cannot tell what else was asked before.
    let asked = Some(format!("/{}", truth.id));
    let apart = heard.iter().any(|one| one.target == asked)
        && heard.iter().any(|one| id(one) == Some(truth.id));
    // Where answers cannot be paired, whether a refused body comes is not known either.
    let unknowable = at < unknowable(said, tapped);
    assert!(loss || apart || unknowable, "missed silently: {} {ledger:?}", tell());
    let whole = |at: usize| (0..2).all(|end| !lost(end, &said.facts[at].spans[end]));
    if !said.pipelined && !tapped.disturbed && at > 0 {
        // What came too late where a connection was joined was captured, and is told in the ledger.
        let before = Some(said.conversation.truth[at - 1].id);
        let is_late = ledger.flow.late_bytes > 0 && !heard.iter().any(|one| id(one) == before);
        assert!(is_late || !(whole(at - 1) && whole(at)), "not understood again: {}", tell());
    }
}
