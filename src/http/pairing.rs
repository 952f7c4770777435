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
use std::ops::Range;

/// A queue keeps room for so many, and for four times as many as are in it.
const SPARE: usize = 1;

/// After a loss, an interim response is for one of so many waiting requests, or for nobody knows
/// which.
const MOST_WITH_LEAVE: usize = 8;

/// `GET / HTTP/1.1` and two line ends.
const LEAST_REQUEST: u64 = 18;

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

/// How many answers are still to come to requests of which nothing is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    least: u64,
    most: u64,
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
        if let Some(request) = self.request.as_mut().filter(|message| !message.over) {
            request.body_bytes = None;
        }
        if let Some(response) = self.response.as_mut().filter(|message| !message.over) {
            response.body_bytes = None;
        }
        self.exchange()
    }

    /// The exchange, unless nothing is remembered of it.
    fn exchange(mut self) -> Option<Exchange<Q, P>> {
        if self.request.is_none() && self.response.is_none() {
            return None;
        }
        // What is missing was taken for its body so far, and may be something else.
        let doubted = self.question.is_some_and(|question| question.lost_after);
        if let Some(request) = self.request.as_mut().filter(|request| doubted && !request.over) {
            request.body_bytes = None;
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
    /// sent, whatever their bodies promised. `answers_known`: the server's direction is not lost.
    /// `hole`: where the client's was, if it was lost since its last request.
    pub(super) fn ask(
        &mut self,
        place: Place,
        method: Method,
        (facts, heap): (Q, usize),
        answers_known: bool,
        hole: Option<Position>,
        over: &mut Vec<Exchange<Q, P>>,
    ) -> Serial {
        self.request_sent(over);
        self.drop_doubtful_run();
        self.pipelines |= answers_known && self.unanswered > 0;
        if !self.rushes && answers_known && self.has_had_nothing_since(place) {
            self.rushes = true;
            self.doubt_first(over);
        }
        self.unseen = self.unseen.saturating_add(hole.map_or(0, |hole| self.fit(hole, place)));
        self.doubt_next();
        let question = Question {
            place,
            method,
            end: None,
            lost_after: false,
            interim: false,
            answer_at: place.ack,
            answered: false,
            run: None,
        };
        let serial = self.push(Some(question), Some(Message::new(facts, heap)));
        self.sending = Some(serial);
        serial
    }

    /// Whether the client had received no more at `place` than where it sent the last request that
    /// waits.
    fn has_had_nothing_since(&self, place: Place) -> bool {
        let last = self.entries.iter().rev().find_map(Entry::unanswered);
        place.ack.is_some() && last.is_some_and(|last| last.place.ack == place.ack)
    }

    /// How many requests may have been sent from `hole` to `place`: as many as have room; any
    /// number where nothing was known before.
    fn fit(&self, hole: Position, place: Place) -> u64 {
        if self.next == 0 { u64::MAX } else { place.start.since(hole) / LEAST_REQUEST + 1 }
    }

    /// This client turns out not to take turns: what answers the first request that waits may
    /// answer an unseen one before it.
    fn doubt_first(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let first = self.entries.iter().position(|entry| entry.unanswered().is_some());
        let Some(index) = first.filter(|_| self.unseen > 0) else { return };
        let Some(question) = self.entries[index].unanswered().copied() else { return };
        let serial = self.entries[index].serial;
        self.pass_over(index..index + 1, over);
        let most = question.run.map_or(1, |run| run.most).saturating_add(self.unseen);
        let run = Some(Run { least: 0, most });
        let question = Some(Question { method: Method::Mixed, run, ..question });
        self.entries.insert(index, Entry { serial, question, request: None, response: None });
        self.unanswered += 1;
        self.unseen = 0;
    }

    /// What was sent unseen by a client that pipelines may be answered before what comes next.
    fn doubt_next(&mut self) {
        let more = if self.rushes { std::mem::take(&mut self.unseen) } else { 0 };
        if more == 0 {
            return;
        }
        let last = self.entries.back_mut().and_then(|entry| entry.question.as_mut());
        if let Some(last) = last
            && let Some(run) = last.run.as_mut()
        {
            run.most = run.most.saturating_add(more);
            last.method = Method::Mixed;
            return;
        }
        let anywhere = Place { start: Position::default(), end: Position::default(), ack: None };
        let question = Question {
            place: anywhere,
            method: Method::Mixed,
            end: None,
            lost_after: false,
            answer_at: None,
            interim: false,
            answered: false,
            run: Some(Run { least: 0, most: more }),
        };
        self.push(Some(question), None);
    }

    /// The newest exchange is one too many: gives it as it is, and remembers only that there was
    /// a request.
    pub(super) fn forget_newest(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let Some(newest) = self.entries.pop_back() else { return };
        self.heap -= newest.heap();
        let Some(mut question) = newest.question.filter(|question| !question.answered) else {
            over.extend(newest.unfinished());
            return;
        };
        self.unanswered -= 1;
        over.extend(Entry { question: None, ..newest }.unfinished());
        let before = self.entries.back_mut().and_then(|entry| entry.question.as_mut());
        if let Some(before) = before
            && let Some(run) = before.run.as_mut()
        {
            (run.least, run.most) = (run.least + 1, run.most.saturating_add(1));
            before.method = before.method.or(question.method);
        } else {
            question.run = Some(Run { least: 1, most: 1 });
            self.push(Some(question), None);
        }
    }

    /// A client that takes turns asks again when everything before was answered.
    fn drop_doubtful_run(&mut self) {
        let first = self.entries.front().filter(|_| !self.pipelines);
        if let Some(first) = first
            && first.unanswered().and_then(|question| question.run).is_some_and(|r| r.least == 0)
        {
            self.give(Serial(first.serial), &mut Vec::new());
        }
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

    fn index(&self, Serial(serial): Serial) -> Option<usize> {
        self.entries.binary_search_by_key(&serial, |entry| entry.serial).ok()
    }

    fn entry(&mut self, serial: Serial) -> Option<&mut Entry<Q, P>> {
        self.index(serial).map(|index| &mut self.entries[index])
    }

    /// Gives an exchange as it is.
    fn give(&mut self, serial: Serial, over: &mut Vec<Exchange<Q, P>>) {
        over.extend(self.take(serial).and_then(Entry::exchange));
    }

    fn take(&mut self, serial: Serial) -> Option<Entry<Q, P>> {
        let entry = self.index(serial).and_then(|index| self.entries.remove(index))?;
        self.heap -= entry.heap();
        self.unanswered -= usize::from(entry.unanswered().is_some());
        if self.entries.capacity() > SPARE.max(4 * self.entries.len()) {
            self.entries.shrink_to(2 * self.entries.len());
        }
        Some(entry)
    }

    fn give_if_over(&mut self, serial: Serial, over: &mut Vec<Exchange<Q, P>>) {
        if self.entry(serial).is_some_and(|entry| entry.is_over()) {
            self.give(serial, over);
        }
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
                Some((index, question)) if fits(question) => {
                    match (question.run, unanswered.next()) {
                        // Of the run, or of the next after it.
                        (Some(Run { least: 0, .. }), Some((next, after))) if fits(after) => {
                            Match::Ambiguous { first: index, last: next }
                        }
                        _ => Match::Request(index),
                    }
                }
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
        // It is the first thing that the client was sent after it had asked.
        let comes_first = last.answer_at == Some(place.start);
        let took_turns = candidates.windows(2).all(|pair| {
            let (had, next_had) = (pair[0].1.place.ack, pair[1].1.place.ack);
            next_had > had && next_had > Some(hole)
        });
        let alone = candidates.len() == 1 || (took_turns && !self.pipelines);
        let alone = alone && candidates.iter().all(|(_, question)| question.run.is_none());
        let (first, _) = candidates[0];
        if alone && (read_to_its_end || comes_first || !last.lost_after) {
            Match::After { index: *index, first }
        } else {
            Match::Ambiguous { first, last: *index }
        }
    }

    /// A final response head was read: settles which request it answers. Responses before it are
    /// over; so are requests that were passed over, without a response.
    pub(super) fn answer(
        &mut self,
        place: Place,
        hole: Option<Position>,
        over: &mut Vec<Exchange<Q, P>>,
    ) -> Answered {
        self.response_sent(over);
        let serial_at = |index: usize| Serial(self.entries[index].serial);
        let asked = match self.match_request(place, hole) {
            Match::Request(index) => Some(serial_at(index)),
            Match::After { index, first } => {
                let asked = serial_at(index);
                self.pass_over(first..index, over);
                Some(asked)
            }
            Match::Ambiguous { first, last } => {
                self.pass_over_one_of(first..last + 1, over);
                None
            }
            Match::Unseen => None,
        };
        let (serial, method) = asked.map_or((None, None), |serial| self.take_answered(serial));
        Answered { serial: serial.unwrap_or_else(|| self.push(None, None)), method }
    }

    /// Gives requests that were answered unseen.
    fn pass_over(&mut self, range: Range<usize>, over: &mut Vec<Exchange<Q, P>>) {
        let unanswered = |entry: &&Entry<Q, P>| entry.unanswered().is_some();
        let serials: Vec<_> =
            self.entries.range(range).filter(unanswered).map(|entry| entry.serial).collect();
        for serial in serials {
            over.extend(self.take(Serial(serial)).and_then(Entry::unfinished));
        }
    }

    /// Gives requests one of which was answered now, and those before it unseen. It is not known
    /// which one: so many answers may still come.
    fn pass_over_one_of(&mut self, range: Range<usize>, over: &mut Vec<Exchange<Q, P>>) {
        let questions: Vec<_> =
            self.entries.range(range.clone()).filter_map(Entry::unanswered).copied().collect();
        let serial = self.entries[range.start].serial;
        self.pass_over(range, over);
        let most = questions.iter().map(|q| q.run.map_or(1, |run| run.most));
        let all = most.fold(0, u64::saturating_add);
        let (Some(first), Some(last), 2..) = (questions.first(), questions.last(), all) else {
            return;
        };
        let run = Some(Run { least: 0, most: all - 1 });
        let Question { end, lost_after, .. } = *last;
        let method = questions.iter().fold(first.method, |method, q| method.or(q.method));
        let question = Some(Question { end, lost_after, method, run, ..*first });
        let at = self.entries.partition_point(|entry| entry.serial < serial);
        self.entries.insert(at, Entry { serial, question, request: None, response: None });
        self.unanswered += 1;
    }

    /// A request is answered. No serial where nothing else is remembered of it.
    fn take_answered(&mut self, serial: Serial) -> (Option<Serial>, Option<Method>) {
        let question = self.entry(serial).and_then(|entry| entry.question.as_mut());
        let Some(question) = question else { return (None, None) };
        let method = question.method;
        if let Some(run) = question.run.as_mut() {
            let known = run.least > 0 && method != Method::Mixed;
            *run = Run { least: run.least.saturating_sub(1), most: run.most.saturating_sub(1) };
            if run.most == 0 {
                self.give(serial, &mut Vec::new());
            }
            return (None, known.then_some(method));
        }
        question.answered = true;
        self.unanswered -= 1;
        (Some(serial), Some(method))
    }

    /// Whether answers may follow each other without a request between them.
    pub(super) const fn client_pipelines(&self) -> bool {
        self.rushes
    }

    /// An interim response was read.
    pub(super) fn interim(&mut self, place: Place, hole: Option<Position>) {
        // Nobody waits for leave to go on behind so many; and looking through all would cost more
        // than sending such a response does.
        if hole.is_some() && self.unanswered > MOST_WITH_LEAVE {
            return;
        }
        if let Match::Request(index) | Match::After { index, .. } = self.match_request(place, hole)
            && let Some(question) = self.entries[index].question.as_mut()
        {
            question.interim = true;
            if question.answer_at == Some(place.start) {
                question.answer_at = Some(place.end);
            }
        }
    }

    /// The request that a response answers.
    pub(super) fn request(&mut self, serial: Serial) -> Option<&mut Q> {
        Some(&mut self.entry(serial)?.request.as_mut()?.facts)
    }

    /// What the reader made of the response; its facts take `heap` bytes besides.
    pub(super) fn set_response(&mut self, serial: Serial, facts: P, heap: usize) {
        let Some(entry) = self.entry(serial) else { return };
        entry.response = Some(Message::new(facts, heap));
        self.heap += heap;
        self.answering = Some(serial);
    }

    /// Whether `serial`'s request was answered for good, and whether it was told to go on. One that
    /// was given on, since an answer came that may be its own, counts as answered.
    pub(super) fn progress(&mut self, serial: Serial) -> (bool, bool) {
        match self.entry(serial).map(|entry| entry.question) {
            Some(question) => {
                question.map_or((false, false), |question| (question.answered, question.interim))
            }
            // It was passed over for an answer that came after it: to it, or, where the client
            // takes turns, to one that was asked once it was answered.
            None => (!self.pipelines, false),
        }
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
    pub(super) fn request_over(
        &mut self,
        serial: Serial,
        end: Position,
        over: &mut Vec<Exchange<Q, P>>,
    ) {
        if let Some(entry) = self.entry(serial) {
            if let Some(question) = entry.question.as_mut() {
                question.end = Some(end);
            }
            if let Some(request) = entry.request.as_mut() {
                request.over = true;
            }
            self.give_if_over(serial, over);
        }
    }

    /// The response ended.
    pub(super) fn response_over(&mut self, serial: Serial, over: &mut Vec<Exchange<Q, P>>) {
        if let Some(response) = self.entry(serial).and_then(|entry| entry.response.as_mut()) {
            response.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// Another request is found at `at`, where the body of this one may have been.
    pub(super) fn request_replaced(
        &mut self,
        serial: Serial,
        at: Position,
        over: &mut Vec<Exchange<Q, P>>,
    ) {
        if self.is_doubted(serial) {
            self.requests_lost(over);
        } else {
            self.request_over(serial, at, over);
        }
    }

    /// Whether unseen requests may follow this one.
    pub(super) fn is_doubted(&mut self, serial: Serial) -> bool {
        self.entry(serial).is_none_or(|entry| entry.question.is_some_and(|q| q.lost_after))
    }

    /// What followed the request is missing, and may have been its body or another request.
    pub(super) fn request_doubted(&mut self, serial: Serial) {
        if let Some(question) = self.entry(serial).and_then(|entry| entry.question.as_mut()) {
            question.lost_after = true;
        }
    }

    /// The client's direction was lost: the last request may be followed by unseen ones, and if
    /// its body was under way, its length stays unknown.
    pub(super) fn requests_lost(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let last = self.entries.iter_mut().rev().find_map(|entry| entry.question.as_mut());
        if let Some(question) = last {
            question.lost_after = true;
        }
        let Some(serial) = self.sending.take() else { return };
        if let Some(request) = self.entry(serial).and_then(|entry| entry.request.as_mut())
            && !request.over
        {
            request.body_bytes = None;
            request.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// The server's direction was lost: the body that was under way stays of unknown length.
    pub(super) fn responses_lost(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let Some(serial) = self.answering.take() else { return };
        if let Some(response) = self.entry(serial).and_then(|entry| entry.response.as_mut())
            && !response.over
        {
            response.body_bytes = None;
            response.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// A new request begins: the one before it has been sent, whatever its body promised.
    pub(super) fn request_sent(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let Some(serial) = self.sending.take() else { return };
        if let Some(request) = self.entry(serial).and_then(|entry| entry.request.as_mut()) {
            request.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// A new response begins: the one before it is over.
    fn response_sent(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        if let Some(serial) = self.answering.take() {
            self.response_over(serial, over);
        }
    }

    /// Whether a response at `place` could answer a request that waits.
    pub(super) fn awaits(&self, place: Place) -> bool {
        matches!(self.match_request(place, None), Match::Request(_))
    }

    /// Takes out everything, as it is. What was asked and not answered is remembered as a number.
    pub(super) fn forget(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        let mut unanswered: Option<Question> = None;
        for mut entry in std::mem::take(&mut self.entries) {
            let question = entry.question.take().filter(|question| !question.answered);
            over.extend(entry.unfinished());
            let Some(question) = question else { continue };
            let none = Some(Run { least: 0, most: 0 });
            let first = unanswered.get_or_insert(Question { run: none, ..question });
            let more = question.run.unwrap_or(Run { least: 1, most: 1 });
            if let Some(run) = first.run.as_mut() {
                run.least += more.least;
                run.most = run.most.saturating_add(more.most);
            }
            (first.end, first.lost_after) = (question.end, question.lost_after);
            first.method = first.method.or(question.method);
        }
        (self.heap, self.unanswered) = (0, 0);
        (self.sending, self.answering) = (None, None);
        if unanswered.is_some() {
            self.push(unanswered, None);
        }
    }

    /// Gives back what is kept for speed alone.
    pub(super) fn rest(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Takes out everything: the connection is over.
    pub(super) fn take_all(&mut self, over: &mut Vec<Exchange<Q, P>>) {
        over.extend(std::mem::take(&mut self.entries).into_iter().filter_map(Entry::exchange));
        (self.heap, self.unanswered) = (0, 0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Seq;

    #[test]
    fn a_pipeline_that_was_answered_takes_no_more_room_than_what_is_left_of_it() {
        let at = |n| Position::origin(Seq(0)).plus(n);
        let (mut pending, mut over) = (Pending::default(), Vec::new());
        for n in 0..1_000 {
            let place = Place { start: at(n), end: at(n + 1), ack: Some(at(0)) };
            let serial = pending.ask(place, Method::Other, ((), 10), true, None, &mut over);
            pending.request_over(serial, at(n + 1), &mut over);
        }
        for n in 0..999 {
            let place = Place { start: at(n), end: at(n + 1), ack: Some(at(1_000)) };
            let answered = pending.answer(place, None, &mut over);
            pending.set_response(answered.serial, (), 10);
            pending.response_over(answered.serial, &mut over);
            let room = size_of::<Entry<(), ()>>() * 4 * pending.len().max(SPARE);
            assert!(pending.memory() <= room + 10 * pending.len(), "{n}: {}", pending.memory());
        }
        assert_eq!((over.len(), pending.len()), (999, 1));
        assert!(pending.entries.capacity() <= 4);
    }
}
