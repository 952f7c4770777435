//! Where a message may begin although the framing alone does not say so: after a loss, and in
//! place of a body that need not come.

use super::Reader;
use super::body::Body;
use super::half::Otherwise;
use super::head::{self, Kind};
use super::method::Methods;
use super::pairing::Serial;
use super::session::{Cursor, Session, place};
use crate::flow::Turn;
use crate::net::Position;

/// An interim response is at most this long, in bytes: what is longer and could not be read was
/// a final one. (Servers send `100 Continue` without fields, or with a date and a name.)
const MAX_INTERIM: u64 = 200;

/// Which methods a request may begin with here: where nothing proves that its sender begins one, what
/// is left of a method could be another.
pub(super) fn methods(cursor: &Cursor) -> Methods {
    if cursor.turn == Turn::Opens { Methods::Known } else { Methods::Whole }
}

/// Whether a sender had received so little since an interim response began that it can have been no
/// more than that.
fn follows(interim: Option<Position>, cursor: &Cursor) -> bool {
    let since = interim.zip(cursor.start.ack).map_or(0, |(interim, ack)| ack.since(interim));
    (1..=MAX_INTERIM).contains(&since)
}

impl<R: Reader> Session<'_, R> {
    /// Whether a lost direction may find its place here. Where the other direction is seen, only
    /// where the numbers prove a turn: a body could hold the text of a message. Where the
    /// message that this one follows was seen, they do.
    pub(super) fn may_relock(&self, cursor: &Cursor, bytes: &[u8]) -> bool {
        let half = &self.connection.halves[self.direction.index()];
        let other = &self.connection.halves[self.direction.reverse().index()];
        let joined_here = half.hole == Some(cursor.start.position);
        let proof_is_due = other.seen && !joined_here;
        let enough = if proof_is_due { Turn::Opens } else { Turn::Possible };
        cursor.turn >= enough
            && match self.follows_unproven(cursor) {
                true => self.kind() != Some(Kind::Request) && head::may_answer(bytes),
                false => self.may_open_message(cursor, bytes),
            }
    }

    fn may_open_message(&self, cursor: &Cursor, bytes: &[u8]) -> bool {
        let request = || head::may_ask(methods(cursor), bytes) && !self.follows_interim(cursor);
        let response = || head::may_answer(bytes);
        match self.kind() {
            Some(Kind::Request) => request(),
            Some(Kind::Response) => response(),
            None => request() || response(),
        }
    }

    /// Whether what a client sends here is the rest of a
    /// request that it was told to go on with (or may have been told, where so little is missing
    /// that it can have been an interim response).
    pub(super) fn follows_interim(&self, cursor: &Cursor) -> bool {
        follows(self.connection.interim, cursor)
            || self.unseen_answer(cursor).is_some_and(|n| (1..=MAX_INTERIM).contains(&n))
    }

    /// Whether it may be that, of a request that was not captured.
    pub(super) fn follows_unproven(&self, cursor: &Cursor) -> bool {
        follows(self.connection.unproven_interim, cursor)
    }

    /// Notes what may be an interim response, though nothing proves that a message begins here: what the
    /// client sends then, told to go on, is no request for that matter.
    pub(super) fn note_interim(&mut self, cursor: &Cursor, bytes: &[u8]) {
        let is_first = cursor.turn != Turn::Continues;
        if is_first && self.kind() != Some(Kind::Request) && head::looks_interim(bytes) {
            self.connection.unproven_interim = Some(cursor.start.position);
        }
    }

    /// How many bytes of answers came since the client last spoke, where some of them were not
    /// captured and the server's direction is lost; `None` elsewhere.
    fn unseen_answer(&self, cursor: &Cursor) -> Option<u64> {
        self.unseen_since(cursor, cursor.had)
    }

    /// How many came since the client's latest bytes that were captured, and since it had
    /// received up to `had`.
    fn unseen_since(&self, cursor: &Cursor, had: Option<Position>) -> Option<u64> {
        let half = &self.connection.halves[self.direction.index()];
        let answers = &self.connection.halves[self.direction.reverse().index()];
        let seen = [half.last_ack, had].into_iter().flatten();
        let seen = seen.fold(answers.hole?, Position::max);
        (answers.gap_end? > seen).then_some(cursor.start.ack?.since(seen))
    }

    /// The same, where none of the answers was captured so far.
    fn unheard(&self, cursor: &Cursor) -> Option<u64> {
        let half = &self.connection.halves[self.direction.index()];
        let answers = &self.connection.halves[self.direction.reverse().index()];
        if answers.seen { None } else { Some(cursor.start.ack?.since(half.last_ack?)) }
    }

    /// Answers that its sender has received by now are missing, where none was captured so far.
    fn note_unheard(&mut self, cursor: &Cursor) {
        if self.unheard(cursor).is_none() {
            return;
        }
        let from = self.half().last_ack.unwrap_or_default();
        let answers = &mut self.connection.halves[self.direction.reverse().index()];
        answers.gap_end = cursor.start.ack;
        answers.lose(from);
    }

    /// Whether a body gives way to a new message: it may turn out not to be there, or ends with
    /// its direction but the server went on.
    pub(super) fn opens_instead(
        &mut self,
        cursor: &Cursor,
        rest: &[u8],
        body: Body,
        of: Serial,
        doubtful: bool,
    ) -> bool {
        if cursor.turn != Turn::Opens || !(doubtful || body == Body::UntilClose) {
            return false;
        }
        let opens = match self.kind() {
            // Its client was not told to go on: it was told the end, and a part of that is missing.
            Some(Kind::Request) if self.connection.pending.progress(of).0 => {
                head::may_ask(methods(cursor), rest)
            }
            _ => self.may_open_message(cursor, rest),
        };
        if !opens {
            return false;
        }
        match self.kind() {
            Some(Kind::Request) => {
                if self.follows_unproven(cursor) || !self.answered_for_good(cursor, of) {
                    return false;
                }
                self.note_unheard(cursor);
                let (pending, over) = (&mut self.connection.pending, &mut self.http.over);
                pending.request_replaced(of, cursor.start.position, over);
                self.half().begin(cursor.start, Otherwise::Instead);
            }
            Some(Kind::Response) if doubtful => {
                self.message_over(of, cursor.start.position);
                self.half().begin(cursor.start, Otherwise::Instead);
            }
            _ => {
                let place = place(cursor.start, 1);
                if !self.connection.pending.awaits(place) {
                    return false;
                }
                self.half().begin(cursor.start, Otherwise::Content(of));
            }
        }
        true
    }

    /// Whether a message begins here rather than that the first line of one goes on, which was begun
    /// on its first bytes alone.
    pub(super) fn begins_anew(&self, cursor: &Cursor, otherwise: Otherwise, rest: &[u8]) -> bool {
        let held = &self.connection.halves[self.direction.index()].partial;
        cursor.turn == Turn::Opens
            && otherwise.is_doubted()
            && !held.is_empty()
            && memchr::memchr(b'\n', held).is_none()
            && self.may_open_message(cursor, rest)
    }

    /// Whether nobody can tell if this is the body of a request or the next request, or the body of one
    /// that was not captured: whether that was answered is not known, and this looks like one.
    pub(super) fn may_be_either(&mut self, cursor: &Cursor, rest: &[u8], of: Serial) -> bool {
        cursor.turn == Turn::Opens
            && self.kind() == Some(Kind::Request)
            && (!self.connection.pending.remembers(of) || self.follows_unproven(cursor))
            && self.may_open_message(cursor, rest)
    }

    /// Whether something else than the body of a request was sent after it and not captured: what
    /// comes now was sent after an answer that leaves the body no reason to come.
    pub(super) fn gave_way(&mut self, cursor: &Cursor, of: Serial) -> bool {
        cursor.turn != Turn::Continues
            && self.connection.pending.is_doubted(of)
            && self.answered_for_good(cursor, of)
    }

    /// Whether the request whose body is due was answered before the body came, so that the
    /// body need not come (RFC 9110 §10.1.1).
    fn answered_for_good(&mut self, cursor: &Cursor, of: Serial) -> bool {
        let (answered, interim) = self.connection.pending.progress(of);
        let unseen = self.unseen_since(cursor, None).or_else(|| self.unheard(cursor));
        answered || (!interim && unseen.is_some_and(|n| n > MAX_INTERIM))
    }

    /// Whether missing bytes where a doubtful body would begin are of that body: its sender was
    /// told to send it.
    pub(super) fn must_come(&mut self, of: Serial) -> bool {
        let (answered, interim) = self.connection.pending.progress(of);
        self.kind() == Some(Kind::Request) && !answered && interim
    }

    /// Whether anyone was told to go on since the request was sent: its sender, or who sent one before.
    pub(super) fn was_given_leave(&mut self, of: Serial) -> bool {
        let asked = self.connection.pending.head(of).and_then(|head| head.ack);
        asked.is_some() && self.connection.interim >= asked
    }

    /// Whether they may be: nothing that was seen gave its sender a reason to leave it out. What
    /// is missing of the answers, and is not passed over yet, may have.
    pub(super) fn may_come(&mut self, of: Serial) -> bool {
        let answers_known = self.connection.halves[self.direction.reverse().index()].hole.is_none();
        let (answered, _) = self.connection.pending.progress(of);
        self.kind() == Some(Kind::Request) && !answered && answers_known
    }
}
