//! Which response answers which request.
//!
//! Takes request heads and response heads with their places in both streams. Gives exchanges.
//!
//! On an unbroken connection responses come in the order of the requests (RFC 9112 §9.3.2).
//! Two numbers hold this true across losses:
//!
//! - a response's acknowledgement number says how far its server had read: it cannot answer a
//!   request beyond that;
//! - a request's acknowledgement number says how much its client had been answered: a response
//!   that begins before that answers an earlier request.
//!
//! Where these leave more than one possibility the response stays without a request.

use super::Exchange;
use crate::net::Position;
use std::collections::VecDeque;

/// The most exchanges of one connection that are unfinished at once; over that, the oldest is
/// ended as it is.
pub const MAX_PENDING_EXCHANGES: usize = 1024;

/// What of a request's method decides about its response's body (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
}

/// Where a message head stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Its first byte.
    pub(super) start: Position,
    /// The byte after its last one.
    pub(super) end: Position,
    /// How much of the other direction its sender had received.
    pub(super) ack: Option<Position>,
}

/// A name for an exchange, while it is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Serial(u64);

/// One message of an exchange.
#[derive(Debug)]
struct Message<T> {
    facts: T,
    /// Body bytes so far; `None` once they cannot be known.
    body_bytes: Option<u64>,
    over: bool,
}

impl<T> Message<T> {
    fn new(facts: T) -> Self {
        Self { facts, body_bytes: Some(0), over: false }
    }
}

/// What matters of a request that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Question {
    place: Place,
    method: Method,
    /// The position behind its body, once that is reached.
    end: Option<Position>,
    /// The client's direction was lost behind it: unseen requests may follow.
    lost_after: bool,
    /// An interim response to it was seen.
    interim: bool,
    answered: bool,
}

#[derive(Debug)]
struct Entry<Q, P> {
    question: Option<Question>,
    request: Option<Message<Q>>,
    response: Option<Message<P>>,
    /// It was given on; it stays only to keep its place.
    given: bool,
}

impl<Q, P> Entry<Q, P> {
    fn unanswered(&self) -> Option<&Question> {
        self.question.as_ref().filter(|question| !question.answered && !self.given)
    }

    fn is_over(&self) -> bool {
        let request = self.request.as_ref().is_none_or(|message| message.over);
        request && self.response.as_ref().is_some_and(|message| message.over)
    }

    fn give(&mut self) -> Option<Exchange<Q, P>> {
        if std::mem::replace(&mut self.given, true) {
            return None;
        }
        let (request, request_body_bytes) = Message::split(self.request.take());
        let (response, response_body_bytes) = Message::split(self.response.take());
        Some(Exchange { request, response, request_body_bytes, response_body_bytes })
    }
}

impl<T> Message<T> {
    fn split(message: Option<Self>) -> (Option<T>, Option<u64>) {
        message.map_or((None, None), |message| (Some(message.facts), message.body_bytes))
    }
}

/// The exchanges of one connection that are not over.
#[derive(Debug)]
pub(super) struct Pending<Q, P> {
    entries: VecDeque<Entry<Q, P>>,
    /// The serial of the first entry.
    first: u64,
    /// This client has sent a request before the answer to the last one began.
    pipelines: bool,
}

impl<Q, P> Default for Pending<Q, P> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), first: 0, pipelines: false }
    }
}

/// What an answered request says about its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) serial: Serial,
    /// `None` when the request was not seen.
    pub(super) method: Option<Method>,
}

impl<Q, P> Pending<Q, P> {
    /// A request head was read. `answers_known`: the server's direction is not lost.
    pub(super) fn ask(
        &mut self,
        place: Place,
        method: Method,
        facts: Q,
        answers_known: bool,
    ) -> Serial {
        let waiting = self.entries.iter().any(|entry| entry.unanswered().is_some());
        self.pipelines |= answers_known && waiting;
        self.push(Entry {
            question: Some(Question {
                place,
                method,
                end: None,
                lost_after: false,
                interim: false,
                answered: false,
            }),
            request: Some(Message::new(facts)),
            response: None,
            given: false,
        })
    }

    fn push(&mut self, entry: Entry<Q, P>) -> Serial {
        self.entries.push_back(entry);
        Serial(self.first + self.entries.len() as u64 - 1)
    }

    fn entry(&mut self, serial: Serial) -> Option<&mut Entry<Q, P>> {
        let index = usize::try_from(serial.0.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(index)
    }

    /// Which request the response at `place` answers, as an index; `hole` is where the server's
    /// direction was lost, if it was lost since its last response.
    fn match_request(&self, place: Place, hole: Option<Position>) -> Match {
        let fits = |question: &Question| {
            place.ack.is_none_or(|ack| question.place.end <= ack)
                && question.place.ack.is_none_or(|had| had <= place.start)
        };
        let mut unanswered = (0..)
            .zip(&self.entries)
            .filter_map(|(index, entry)| Some((index, entry.unanswered()?)));
        match hole {
            None => match unanswered.next() {
                Some((index, question)) if fits(question) => Match::Request(index),
                _ => Match::Unseen,
            },
            Some(hole) => {
                let candidates: Vec<_> =
                    unanswered.filter(|(_, question)| fits(question)).collect();
                self.match_after_loss(&candidates, place, hole)
            }
        }
    }

    /// Among the requests that the numbers allow, the last is the one that was answered if all
    /// others were answered within the hole: each was followed by another request only after
    /// its client had received bytes of the hole, and this client takes turns.
    fn match_after_loss(
        &self,
        candidates: &[(usize, &Question)],
        place: Place,
        hole: Position,
    ) -> Match {
        let Some((index, last)) = candidates.last() else { return Match::Unseen };
        let read_to_its_end = place.ack.is_some() && place.ack == last.end;
        let took_turns = candidates.windows(2).all(|pair| {
            let (had, next_had) = (pair[0].1.place.ack, pair[1].1.place.ack);
            next_had > had && next_had > Some(hole)
        });
        let alone = candidates.len() == 1 || (took_turns && !self.pipelines);
        let (first, _) = candidates[0];
        if alone && (read_to_its_end || !last.lost_after) {
            Match::After { index: *index, first }
        } else {
            Match::Ambiguous { first, last: *index }
        }
    }

    /// A final response head was read: settles which request it answers. Requests that were
    /// passed over are over, without a response.
    pub(super) fn answer(
        &mut self,
        place: Place,
        hole: Option<Position>,
        over: &mut Vec<Exchange<Q, P>>,
    ) -> Answered {
        let index = match self.match_request(place, hole) {
            Match::Request(index) => Some(index),
            Match::After { index, first } => {
                self.give_unanswered(first..index, over);
                Some(index)
            }
            Match::Ambiguous { first, last } => {
                self.give_unanswered(first..last + 1, over);
                None
            }
            Match::Unseen => None,
        };
        let asked = index.and_then(|index| {
            let question = self.entries.get_mut(index)?.question.as_mut()?;
            question.answered = true;
            Some((Serial(self.first + index as u64), question.method))
        });
        match asked {
            Some((serial, method)) => Answered { serial, method: Some(method) },
            None => {
                let entry = Entry { question: None, request: None, response: None, given: false };
                Answered { serial: self.push(entry), method: None }
            }
        }
    }

    fn give_unanswered(&mut self, range: std::ops::Range<usize>, over: &mut Vec<Exchange<Q, P>>) {
        for entry in self.entries.range_mut(range) {
            if entry.unanswered().is_some() {
                over.extend(entry.give());
            }
        }
    }

    /// An interim response was read.
    pub(super) fn interim(&mut self, place: Place, hole: Option<Position>) {
        if let Match::Request(index) | Match::After { index, .. } = self.match_request(place, hole)
            && let Some(question) = self.entries[index].question.as_mut()
        {
            question.interim = true;
        }
    }

    /// The request that a response answers.
    pub(super) fn request(&mut self, serial: Serial) -> Option<&mut Q> {
        Some(&mut self.entry(serial)?.request.as_mut()?.facts)
    }

    /// What the reader made of the response.
    pub(super) fn set_response(&mut self, serial: Serial, facts: P) {
        if let Some(entry) = self.entry(serial) {
            entry.response = Some(Message::new(facts));
        }
    }

    /// Whether `serial`'s request was answered for good, and whether it was told to go on.
    pub(super) fn progress(&mut self, serial: Serial) -> (bool, bool) {
        self.entry(serial)
            .and_then(|entry| entry.question)
            .map_or((false, false), |question| (question.answered, question.interim))
    }

    /// More body bytes of the request.
    pub(super) fn add_request_body(&mut self, serial: Serial, bytes: u64) {
        add_body(self.entry(serial).and_then(|entry| entry.request.as_mut()), bytes);
    }

    /// More body bytes of the response.
    pub(super) fn add_response_body(&mut self, serial: Serial, bytes: u64) {
        add_body(self.entry(serial).and_then(|entry| entry.response.as_mut()), bytes);
    }

    /// The request ended at `end`.
    pub(super) fn request_over(&mut self, serial: Serial, end: Position) {
        if let Some(entry) = self.entry(serial) {
            if let Some(question) = entry.question.as_mut() {
                question.end = Some(end);
            }
            if let Some(request) = entry.request.as_mut() {
                request.over = true;
            }
        }
    }

    /// The response ended.
    pub(super) fn response_over(&mut self, serial: Serial) {
        if let Some(response) = self.entry(serial).and_then(|entry| entry.response.as_mut()) {
            response.over = true;
        }
    }

    /// The client's direction was lost: the last request may be followed by unseen ones, and if
    /// its body was under way, its length stays unknown.
    pub(super) fn requests_lost(&mut self) {
        let last = self.entries.iter_mut().rev().find(|entry| entry.question.is_some());
        if let Some(Entry { question: Some(question), request, .. }) = last {
            question.lost_after = true;
            if let Some(request) = request.as_mut().filter(|request| !request.over) {
                request.body_bytes = None;
                request.over = true;
            }
        }
    }

    /// The server's direction was lost: the body that was under way stays of unknown length.
    pub(super) fn responses_lost(&mut self) {
        for response in self.entries.iter_mut().filter_map(|entry| entry.response.as_mut()) {
            if !response.over {
                response.body_bytes = None;
                response.over = true;
            }
        }
    }

    /// A new request begins: the ones before it have been sent, whatever their bodies promised.
    pub(super) fn requests_superseded(&mut self) {
        for request in self.entries.iter_mut().filter_map(|entry| entry.request.as_mut()) {
            request.over = true;
        }
    }

    /// A new response begins: the ones before it are over.
    pub(super) fn responses_superseded(&mut self) {
        for response in self.entries.iter_mut().filter_map(|entry| entry.response.as_mut()) {
            response.over = true;
        }
    }

    /// Whether a response at `place` could answer a request that waits.
    pub(super) fn awaits(&self, place: Place) -> bool {
        matches!(self.match_request(place, None), Match::Request(_))
    }

    /// Takes out what is over.
    pub(super) fn take_over(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        for entry in &mut self.entries {
            if entry.is_over() {
                over.extend(entry.give());
            }
        }
        while self.entries.len() > MAX_PENDING_EXCHANGES
            && let Some(entry) = self.entries.front_mut()
        {
            over.extend(entry.give());
            self.drop_given();
        }
        self.drop_given();
    }

    fn drop_given(&mut self) {
        while self.entries.front().is_some_and(|entry| entry.given) {
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// Takes out everything: the connection is over.
    pub(super) fn take_all(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        for entry in &mut self.entries {
            if entry.request.is_some() || entry.response.is_some() {
                over.extend(entry.give());
            }
        }
        self.first += self.entries.len() as u64;
        self.entries.clear();
    }
}

fn add_body<T>(message: Option<&mut Message<T>>, bytes: u64) {
    if let Some(total) = message.and_then(|message| message.body_bytes.as_mut()) {
        *total = total.saturating_add(bytes);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// The next in order.
    Request(usize),
    /// The one at `index`; those from `first` on before it went unanswered in a hole.
    After { index: usize, first: usize },
    /// One of those from `first` to `last`, or one that was never seen.
    Ambiguous { first: usize, last: usize },
    /// One that was not seen.
    Unseen,
}
