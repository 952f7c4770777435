//! Requests of which nothing is remembered but that they were sent, or that they may have been:
//! their answers are nobody else's.

use super::{Entry, Method, Over, Pending, Place, Question, Run, Serial};
use crate::net::Position;

/// `GET / HTTP/1.1` and two line ends.
const LEAST_REQUEST: u64 = 18;

impl<Q, P> Pending<Q, P> {
    /// Whether the client had received no more at `place` than where it sent the last request that
    /// waits.
    pub(super) fn has_had_nothing_since(&self, place: Place) -> bool {
        let last = self.entries.iter().rev().find_map(Entry::unanswered);
        place.ack.is_some() && last.is_some_and(|last| last.place.ack == place.ack)
    }

    /// How many requests may have been sent from `hole` to `place`: as many as have room; any
    /// number where nothing was known before.
    pub(super) fn fit(&self, hole: Position, place: Place) -> u64 {
        if self.next == 0 { u64::MAX } else { place.start.since(hole) / LEAST_REQUEST + 1 }
    }

    /// This client turns out not to take turns: what answers the first request that waits may
    /// answer an unseen one before it.
    pub(super) fn doubt_first(&mut self, over: &mut Over<Q, P>) {
        let first = self.entries.iter().position(|entry| entry.unanswered().is_some());
        let Some(index) = first.filter(|_| self.unseen > 0) else { return };
        let Some(question) = self.entries[index].unanswered().copied() else { return };
        let serial = Serial(self.entries[index].serial);
        self.pass_over(index..index + 1, over);
        let most = question.answers().most.saturating_add(std::mem::take(&mut self.unseen));
        let run = Some(Run::up_to(most));
        self.insert_run(serial, Question { method: Method::Mixed, run, ..question });
    }

    /// Puts a run where the request of that serial was.
    pub(super) fn insert_run(&mut self, Serial(serial): Serial, run: Question) {
        let at = self.entries.partition_point(|entry| entry.serial < serial);
        let entry = Entry { serial, question: Some(run), request: None, response: None };
        self.entries.insert(at, entry);
        self.unanswered += 1;
    }

    /// What was sent unseen by a client that pipelines may be answered before what comes next.
    pub(super) fn doubt_next(&mut self) {
        let more = if self.rushes { std::mem::take(&mut self.unseen) } else { 0 };
        if more == 0 {
            return;
        }
        let last = self.entries.back_mut().and_then(|entry| entry.question.as_mut());
        if let Some(last) = last
            && let Some(run) = last.run.as_mut()
        {
            *run += Run::up_to(more);
            last.method = Method::Mixed;
            return;
        }
        let anywhere = Place { start: Position::default(), end: Position::default(), ack: None };
        let run = Some(Run::up_to(more));
        self.push(Some(Question { run, ..Question::new(anywhere, Method::Mixed) }), None);
    }

    /// The newest exchange is one too many: gives it as it is, and remembers only that there was
    /// a request.
    pub(in crate::http) fn forget_newest(&mut self, over: &mut Over<Q, P>) {
        let Some(newest) = self.entries.pop_back() else { return };
        self.heap -= newest.heap();
        let Some(mut question) = newest.question.filter(|question| !question.answered) else {
            over.add(newest.unfinished());
            return;
        };
        self.unanswered -= 1;
        over.add(Entry { question: None, ..newest }.unfinished());
        let before = self.entries.back_mut().and_then(|entry| entry.question.as_mut());
        if let Some(before) = before
            && let Some(run) = before.run.as_mut()
        {
            *run += Run::ONE;
            before.method = before.method.or(question.method);
        } else {
            question.run = Some(Run::ONE);
            self.push(Some(question), None);
        }
    }

    /// A client that takes turns asks again when everything before was answered.
    pub(super) fn drop_doubtful_run(&mut self) {
        let first = self.entries.front().filter(|_| !self.pipelines);
        if let Some(first) = first
            && first.unanswered().and_then(|question| question.run).is_some_and(|r| r.least == 0)
        {
            self.give(Serial(first.serial), &mut Over::default());
        }
    }

    /// Whether answers may follow each other without a request between them.
    pub(in crate::http) const fn client_pipelines(&self) -> bool {
        self.rushes
    }

    /// Takes out everything, as it is. What was asked and not answered is remembered as a number.
    pub(in crate::http) fn forget(&mut self, over: &mut Over<Q, P>) {
        let mut unanswered: Option<Question> = None;
        for mut entry in std::mem::take(&mut self.entries) {
            let question = entry.question.take().filter(|question| !question.answered);
            over.add(entry.unfinished());
            let Some(question) = question else { continue };
            let first = unanswered.get_or_insert(Question { run: Some(Run::NONE), ..question });
            if let Some(run) = first.run.as_mut() {
                *run += question.answers();
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
}
