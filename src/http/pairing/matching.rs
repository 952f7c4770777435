//! Which of the waiting requests a response answers, by order and by both ends' numbers.

use super::{Answered, Entry, Method, Over, Pending, Place, Question, Run, Serial};
use crate::net::Position;
use std::ops::Range;

/// After a loss, an interim response is for one of so many waiting requests, or for nobody knows
/// which.
const MOST_WITH_LEAVE: usize = 8;

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

impl<Q, P> Pending<Q, P> {
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
    pub(in crate::http) fn answer(
        &mut self,
        place: Place,
        hole: Option<Position>,
        over: &mut Over<Q, P>,
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
        over.furnish(&mut self.entries);
        Answered { serial: serial.unwrap_or_else(|| self.push(None, None)), method }
    }

    /// Gives requests that were answered unseen.
    pub(super) fn pass_over(&mut self, range: Range<usize>, over: &mut Over<Q, P>) {
        let unanswered = |entry: &&Entry<Q, P>| entry.unanswered().is_some();
        let serials: Vec<_> =
            self.entries.range(range).filter(unanswered).map(|entry| entry.serial).collect();
        for serial in serials {
            let entry = self.take(Serial(serial), over);
            over.add(entry.and_then(Entry::unfinished));
        }
    }

    /// Gives requests one of which was answered now, and those before it unseen. It is not known
    /// which one: so many answers may still come.
    fn pass_over_one_of(&mut self, range: Range<usize>, over: &mut Over<Q, P>) {
        let questions: Vec<_> =
            self.entries.range(range.clone()).filter_map(Entry::unanswered).copied().collect();
        let serial = Serial(self.entries[range.start].serial);
        self.pass_over(range, over);
        let mut all = Run::NONE;
        questions.iter().for_each(|question| all += question.answers());
        let (Some(first), Some(last), 2..) = (questions.first(), questions.last(), all.most) else {
            return;
        };
        let run = Some(Run::up_to(all.most - 1));
        let Question { end, lost_after, .. } = *last;
        let method = questions.iter().fold(first.method, |method, q| method.or(q.method));
        self.insert_run(serial, Question { end, lost_after, method, run, ..*first });
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
                self.give(serial, &mut Over::default());
            }
            return (None, known.then_some(method));
        }
        question.answered = true;
        self.unanswered -= 1;
        (Some(serial), Some(method))
    }

    /// An interim response was read.
    pub(in crate::http) fn interim(&mut self, place: Place, hole: Option<Position>) {
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

    /// Whether a response at `place` could answer a request that waits.
    pub(in crate::http) fn awaits(&self, place: Place) -> bool {
        matches!(self.match_request(place, None), Match::Request(_))
    }
}
