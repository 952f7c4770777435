//! How far the messages of each exchange have come, and when it is over.

use super::{Message, Over, Pending, Place, Serial};
use crate::net::Position;

impl<Q, P> Pending<Q, P> {
    /// The request that a response answers.
    pub(in crate::http) fn request(&mut self, serial: Serial) -> Option<&mut Q> {
        Some(&mut self.entry(serial)?.request.as_mut()?.facts)
    }

    /// What the reader made of the response; its facts take `heap` bytes besides.
    pub(in crate::http) fn set_response(&mut self, serial: Serial, facts: P, heap: usize) {
        let Some(entry) = self.entry(serial) else { return };
        entry.response = Some(Message::new(facts, heap));
        self.heap += heap;
        self.answering = Some(serial);
    }

    /// Whether `serial`'s request was answered for good, and whether it was told to go on. One that
    /// was given on, since an answer came that may be its own, counts as answered.
    pub(in crate::http) fn progress(&mut self, serial: Serial) -> (bool, bool) {
        match self.entry(serial).map(|entry| entry.question) {
            Some(question) => {
                question.map_or((false, false), |question| (question.answered, question.interim))
            }
            // It was passed over for an answer that came after it: to it, or, where the client
            // takes turns, to one that was asked once it was answered.
            None => (!self.pipelines, false),
        }
    }

    /// Where the head of the request stands, while that is remembered.
    pub(in crate::http) fn head(&mut self, serial: Serial) -> Option<Place> {
        self.entry(serial)?.question.map(|question| question.place)
    }

    /// Whether `serial` was not given on.
    pub(in crate::http) fn remembers(&self, serial: Serial) -> bool {
        self.index(serial).is_some()
    }

    /// More body bytes of the request.
    pub(in crate::http) fn add_request_body(&mut self, serial: Serial, bytes: u64) {
        add_body(self.entry(serial).and_then(|entry| entry.request.as_mut()), bytes);
    }

    /// More body bytes of the response.
    pub(in crate::http) fn add_response_body(&mut self, serial: Serial, bytes: u64) {
        add_body(self.entry(serial).and_then(|entry| entry.response.as_mut()), bytes);
    }

    /// The request ended at `end`.
    pub(in crate::http) fn request_over(
        &mut self,
        serial: Serial,
        end: Position,
        over: &mut Over<Q, P>,
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
    pub(in crate::http) fn response_over(&mut self, serial: Serial, over: &mut Over<Q, P>) {
        if let Some(response) = self.entry(serial).and_then(|entry| entry.response.as_mut()) {
            response.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// Another request is found at `at`, where the body of this one may have been.
    pub(in crate::http) fn request_replaced(
        &mut self,
        serial: Serial,
        at: Position,
        over: &mut Over<Q, P>,
    ) {
        if self.is_doubted(serial) {
            self.requests_lost(over);
        } else {
            self.request_over(serial, at, over);
        }
    }

    /// Whether unseen requests may follow this one.
    pub(in crate::http) fn is_doubted(&mut self, serial: Serial) -> bool {
        self.entry(serial).is_none_or(|entry| entry.question.is_some_and(|q| q.lost_after))
    }

    /// What followed the request is missing, and may have been its body or another request.
    pub(in crate::http) fn request_doubted(&mut self, serial: Serial) {
        if let Some(question) = self.entry(serial).and_then(|entry| entry.question.as_mut()) {
            question.lost_after = true;
        }
    }

    /// The client's direction was lost: the last request may be followed by unseen ones, and if
    /// its body was under way, its length stays unknown.
    pub(in crate::http) fn requests_lost(&mut self, over: &mut Over<Q, P>) {
        let last = self.entries.iter_mut().rev().find_map(|entry| entry.question.as_mut());
        if let Some(question) = last {
            question.lost_after = true;
        }
        let Some(serial) = self.sending.take() else { return };
        if let Some(request) = self.entry(serial).and_then(|entry| entry.request.as_mut()) {
            request.break_off();
            self.give_if_over(serial, over);
        }
    }

    /// The server's direction was lost: the body that was under way stays of unknown length.
    pub(in crate::http) fn responses_lost(&mut self, over: &mut Over<Q, P>) {
        let Some(serial) = self.answering.take() else { return };
        if let Some(response) = self.entry(serial).and_then(|entry| entry.response.as_mut()) {
            response.break_off();
            self.give_if_over(serial, over);
        }
    }

    /// A new request begins: the one before it has been sent, whatever its body promised.
    pub(in crate::http) fn request_sent(&mut self, over: &mut Over<Q, P>) {
        let Some(serial) = self.sending.take() else { return };
        if let Some(request) = self.entry(serial).and_then(|entry| entry.request.as_mut()) {
            request.over = true;
            self.give_if_over(serial, over);
        }
    }

    /// A new response begins: the one before it is over.
    pub(super) fn response_sent(&mut self, over: &mut Over<Q, P>) {
        if let Some(serial) = self.answering.take() {
            self.response_over(serial, over);
        }
    }
}

fn add_body<T>(message: Option<&mut Message<T>>, bytes: u64) {
    if let Some(total) = message.and_then(|message| message.body_bytes.as_mut()) {
        *total = total.saturating_add(bytes);
    }
}
