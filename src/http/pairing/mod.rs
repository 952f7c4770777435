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
//!
//! Whether a client takes turns (asks again only once it was answered) or pipelines is seen from what
//! it does. As long as it was not seen to pipeline, it is taken to take turns: of one that does
//! pipeline, the first pair after a loss in its own direction can be wrong, before the numbers tell.

mod matching;
mod over;
mod progress;
mod runs;

use super::Exchange;
use crate::flow::{Folding, Unfolding};
use crate::net::Position;
use crate::queue::give_back;
use std::collections::VecDeque;
use std::ops::AddAssign;

pub(super) use over::Over;

/// What of a request's method decides about its response's body (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
    /// Of several requests, one of which it is not known to be.
    Mixed,
}

impl Method {
    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Head, Self::Head) | (Self::Connect, Self::Connect) => self,
            (Self::Other, Self::Other) => self,
            _ => Self::Mixed,
        }
    }
}

/// How much of the server's direction was captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    /// Nothing so far.
    Unseen,
    /// All that there was, as far as it was looked at.
    Known,
    /// Not all: its place in the framing is lost.
    Lost,
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
    /// Memory that the facts take on the heap, in bytes.
    heap: usize,
    /// Body bytes so far; `None` once they cannot be known.
    body_bytes: Option<u64>,
    over: bool,
}

impl<T> Message<T> {
    fn new(facts: T, heap: usize) -> Self {
        Self { facts, heap, body_bytes: Some(0), over: false }
    }

    /// The body will not be known, unless it is.
    fn doubt_body(&mut self) {
        if !self.over {
            self.body_bytes = None;
        }
    }

    /// It is over, wherever its body stands.
    fn break_off(&mut self) {
        self.doubt_body();
        self.over = true;
    }

    fn split(message: Option<Self>) -> (Option<T>, Option<u64>) {
        message.map_or((None, None), |message| (Some(message.facts), message.body_bytes))
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
    /// How much the client had been sent before this request was answered, but for interim
    /// responses that were seen: what begins there is the first answer after it.
    answer_at: Option<Position>,
    answered: bool,
    /// Where this stands for requests in a row of which nothing else is remembered: the first at
    /// `place`, the last until `end`.
    run: Option<Run>,
}

impl Question {
    fn new(place: Place, method: Method) -> Self {
        Self {
            place,
            method,
            end: None,
            lost_after: false,
            interim: false,
            answer_at: place.ack,
            answered: false,
            run: None,
        }
    }

    /// How many answers are still to come to it, where none has.
    fn answers(&self) -> Run {
        self.run.unwrap_or(Run::ONE)
    }
}

/// How many answers are still to come to requests of which nothing is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    least: u64,
    most: u64,
}

impl Run {
    const NONE: Self = Self { least: 0, most: 0 };
    const ONE: Self = Self { least: 1, most: 1 };

    /// None, or as many as `most`.
    const fn up_to(most: u64) -> Self {
        Self { least: 0, most }
    }
}

impl AddAssign for Run {
    fn add_assign(&mut self, other: Self) {
        self.least = self.least.saturating_add(other.least);
        self.most = self.most.saturating_add(other.most);
    }
}

#[derive(Debug)]
struct Entry<Q, P> {
    serial: u64,
    question: Option<Question>,
    request: Option<Message<Q>>,
    response: Option<Message<P>>,
}

impl<Q, P> Entry<Q, P> {
    fn unanswered(&self) -> Option<&Question> {
        self.question.as_ref().filter(|question| !question.answered)
    }

    fn is_over(&self) -> bool {
        let request = self.request.as_ref().is_none_or(|message| message.over);
        request && self.response.as_ref().is_some_and(|message| message.over)
    }

    fn heap(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |message| message.heap);
        request + self.response.as_ref().map_or(0, |message| message.heap)
    }

    /// The exchange, of which there may be more to come than will be known.
    fn unfinished(mut self) -> Option<Exchange<Q, P>> {
        self.request.iter_mut().for_each(Message::doubt_body);
        self.response.iter_mut().for_each(Message::doubt_body);
        self.exchange()
    }

    /// The exchange, unless nothing is remembered of it.
    fn exchange(mut self) -> Option<Exchange<Q, P>> {
        if self.request.is_none() && self.response.is_none() {
            return None;
        }
        // What is missing was taken for its body so far, and may be something else.
        if self.question.is_some_and(|question| question.lost_after) {
            self.request.iter_mut().for_each(Message::doubt_body);
        }
        let (request, request_body_bytes) = Message::split(self.request);
        let (response, response_body_bytes) = Message::split(self.response);
        Some(Exchange { request, response, request_body_bytes, response_body_bytes })
    }
}

/// The exchanges of one connection that are not over.
///
/// Invariants: serials rise; `heap` and `unanswered` are the sums over all entries; at most one
/// request and one response are under way.
#[derive(Debug)]
pub(super) struct Pending<Q, P> {
    entries: VecDeque<Entry<Q, P>>,
    /// The serial of the next entry.
    next: u64,
    heap: usize,
    unanswered: usize,
    /// The request whose body is being sent, and the response.
    sending: Option<Serial>,
    answering: Option<Serial>,
    /// This client has sent a request before the answer to the last one began.
    pipelines: bool,
    /// And it surely did, as it had been sent nothing between the two.
    rushes: bool,
    /// How many requests it may have sent unseen, and not been answered yet if it pipelines.
    unseen: u64,
}

impl<Q, P> Default for Pending<Q, P> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            next: 0,
            heap: 0,
            unanswered: 0,
            sending: None,
            answering: None,
            pipelines: false,
            rushes: false,
            unseen: 0,
        }
    }
}

/// What an answered request says about its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) serial: Serial,
    /// `None` when the request was not seen, or is not remembered.
    pub(super) method: Option<Method>,
}

impl<Q, P> Pending<Q, P> {
    /// How many exchanges there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The memory that they take, in bytes.
    pub(super) fn memory(&self) -> usize {
        match (self.entries.len(), self.entries.front().and_then(Entry::unanswered)) {
            (0, _) => 0,
            (1, Some(question)) if question.run.is_some() => 0,
            _ => self.entries.capacity() * size_of::<Entry<Q, P>>() + self.heap,
        }
    }

    /// A request head was read, whose facts take `heap` bytes besides. The ones before it have been
    /// sent, whatever their bodies promised. `hole`: where the client's was, if it was lost since its
    /// last request.
    pub(super) fn ask(
        &mut self,
        place: Place,
        method: Method,
        (facts, heap): (Q, usize),
        answers: Answers,
        hole: Option<Position>,
        over: &mut Over<Q, P>,
    ) -> Serial {
        self.request_sent(over);
        self.drop_doubtful_run();
        let rushes = answers != Answers::Lost && self.has_had_nothing_since(place);
        // What it had been sent meanwhile may have been the answer, where none is captured.
        self.pipelines |= rushes || (answers == Answers::Known && self.unanswered > 0);
        if !self.rushes && rushes {
            self.rushes = true;
            self.doubt_first(over);
        }
        self.unseen = self.unseen.saturating_add(hole.map_or(0, |hole| self.fit(hole, place)));
        self.doubt_next();
        let question = Question::new(place, method);
        over.furnish(&mut self.entries);
        let serial = self.push(Some(question), Some(Message::new(facts, heap)));
        self.sending = Some(serial);
        serial
    }

    fn push(&mut self, question: Option<Question>, request: Option<Message<Q>>) -> Serial {
        let serial = self.next;
        self.next += 1;
        self.heap += request.as_ref().map_or(0, |request| request.heap);
        self.unanswered += usize::from(question.is_some());
        if self.entries.capacity() == 0 {
            self.entries.reserve_exact(1);
        }
        self.entries.push_back(Entry { serial, question, request, response: None });
        Serial(serial)
    }

    #[inline(always)]
    fn index(&self, serial: Serial) -> Option<usize> {
        // Most clients take turns: there is no other.
        if self.entries.front()?.serial == serial.0 { Some(0) } else { self.search(serial) }
    }

    #[inline(never)]
    fn search(&self, Serial(serial): Serial) -> Option<usize> {
        self.entries.binary_search_by_key(&serial, |entry| entry.serial).ok()
    }

    fn entry(&mut self, serial: Serial) -> Option<&mut Entry<Q, P>> {
        self.index(serial).map(|index| &mut self.entries[index])
    }

    /// Gives an exchange as it is.
    fn give(&mut self, serial: Serial, over: &mut Over<Q, P>) {
        let entry = self.take(serial, over);
        over.add(entry.and_then(Entry::exchange));
    }

    fn take(&mut self, serial: Serial, over: &mut Over<Q, P>) -> Option<Entry<Q, P>> {
        let entry = self.index(serial).and_then(|index| self.entries.remove(index))?;
        self.heap -= entry.heap();
        self.unanswered -= usize::from(entry.unanswered().is_some());
        over.clear_out(&mut self.entries);
        give_back(&mut self.entries, 0);
        Some(entry)
    }

    fn give_if_over(&mut self, serial: Serial, over: &mut Over<Q, P>) {
        if self.entry(serial).is_some_and(|entry| entry.is_over()) {
            self.give(serial, over);
        }
    }

    /// Whether there are no exchanges.
    pub(super) fn rests(&self) -> bool {
        self.entries.is_empty()
    }

    /// Folds it up while there are none. (What was sent last is over.)
    pub(super) fn fold(&self, to: &mut Folding) {
        to.flags([self.pipelines, self.rushes]);
        to.number(self.next);
        to.number(self.unseen);
    }

    /// The same again.
    pub(super) fn unfold(from: &mut Unfolding<'_>) -> Self {
        let [pipelines, rushes] = from.flags();
        let (next, unseen) = (from.number(), from.number());
        Self { next, pipelines, rushes, unseen, ..Self::default() }
    }

    /// Takes out everything: the connection is over.
    pub(super) fn take_all(&mut self, over: &mut Over<Q, P>) {
        std::mem::take(&mut self.entries).into_iter().for_each(|entry| over.add(entry.exchange()));
        (self.heap, self.unanswered) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seq;

    #[test]
    fn a_pipeline_that_was_answered_takes_no_more_room_than_what_is_left_of_it() {
        let at = |n| Position::origin(Seq(0)).plus(n);
        let (mut pending, mut over) = (Pending::default(), Over::default());
        for n in 0..1_000 {
            let place = Place { start: at(n), end: at(n + 1), ack: Some(at(0)) };
            let serial =
                pending.ask(place, Method::Other, ((), 10), Answers::Known, None, &mut over);
            pending.request_over(serial, at(n + 1), &mut over);
        }
        for n in 0..999 {
            let place = Place { start: at(n), end: at(n + 1), ack: Some(at(1_000)) };
            let answered = pending.answer(place, None, &mut over);
            pending.set_response(answered.serial, (), 10);
            pending.response_over(answered.serial, &mut over);
            let room = size_of::<Entry<(), ()>>() * 4 * pending.len();
            assert!(pending.memory() <= room + 10 * pending.len(), "{n}: {}", pending.memory());
        }
        assert_eq!((over.drain().count(), pending.len()), (999, 1));
        assert!(pending.entries.capacity() <= 4);
    }
}
