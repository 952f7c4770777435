//! Collecting a head, and what becomes of bytes that were taken for one and are none.

use super::Reader;
use super::body::Body;
use super::half::{Otherwise, State, Why};
use super::head::{self, Guess};
use super::method::Methods;
use super::parse::{Text, Unreadable};
use super::session::{Cursor, Session, Turned};
use crate::flow::Turn;

impl<R: Reader> Session<'_, R> {
    /// Adds bytes to the head that is being collected, and reads it when it is complete.
    pub(super) fn collect(
        &mut self,
        cursor: &mut Cursor,
        otherwise: Otherwise,
        rest: &[u8],
    ) -> usize {
        if let Some(taken) = self.read_at_once(otherwise, rest) {
            cursor.turn = Turn::Continues;
            return taken;
        }
        let (mut partial, scanned, turned) = {
            let half = self.half();
            (std::mem::take(&mut half.partial), half.scanned, half.take_turned(cursor))
        };
        let held = partial.len();
        let found = if held == 0 {
            head::find_end(rest, 0)
        } else {
            partial.extend_from_slice(rest);
            head::find_end(&partial, scanned)
        };
        let bytes: &[u8] = if held == 0 { rest } else { &partial };
        let guess = head::guess(&bytes[..found.unwrap_or(bytes.len())]);
        match found {
            // What HTTP/2 begins with looks like a whole head before it is all there.
            Ok(end) if guess != Guess::Undecided || head::guess(bytes) != guess => {
                if self.is_too_long(end)
                    || !still_opens(otherwise, bytes)
                    || !self.promising(guess, &bytes[..end])
                    || !self.read_whole(guess, &bytes[..end])
                {
                    return self.reject(cursor, otherwise, bytes, held, turned);
                }
                cursor.turn = Turn::Continues;
                end - held
            }
            found => {
                if !still_opens(otherwise, bytes)
                    || !self.promising(guess, bytes)
                    || self.is_too_long(bytes.len())
                {
                    return self.reject(cursor, otherwise, bytes, held, turned);
                }
                let scanned = found.err().unwrap_or(0);
                if held == 0 {
                    partial = rest.to_vec();
                }
                let half = self.half();
                half.note_turned(turned, held, cursor);
                half.partial = partial;
                half.scanned = scanned;
                rest.len()
            }
        }
    }

    /// Reads a head where all of it is here and nothing about it is odd, as nearly all are: then its end
    /// need not be looked for before. How long it is.
    fn read_at_once(&mut self, otherwise: Otherwise, rest: &[u8]) -> Option<usize> {
        let limit = self.http.limits.max_head_bytes;
        if !self.half().partial.is_empty() || !still_opens(otherwise, rest) {
            return None;
        }
        let text = Text::Plain(&rest[..rest.len().min(limit)]);
        self.read_head(head::plain_kind(rest)?, text).ok()
    }

    /// Reads a head that is whole, however odd. `false` when it is none.
    fn read_whole(&mut self, guess: Guess, head: &[u8]) -> bool {
        let Guess::Http(kind) = guess else { return false };
        let read = self.read_head(kind, Text::Whole(head));
        let too_many = read == Err(Unreadable::TooManyFields);
        self.http.counts.heads_with_too_many_fields += u64::from(too_many);
        read.is_ok()
    }

    /// Whether a head of so many bytes is longer than any that is read.
    pub(super) fn is_too_long(&mut self, bytes: usize) -> bool {
        let too_long = bytes > self.http.limits.max_head_bytes;
        self.http.counts.heads_too_long += u64::from(too_long);
        too_long
    }

    /// Whether a head that begins as `guess` says may be one by its first line, as far as that is there.
    /// (Lines that follow may fold; what a first line would become by that, does not count: RFC 9112 §5.2
    /// is about fields.)
    fn promising(&self, guess: Guess, bytes: &[u8]) -> bool {
        match (guess, self.kind()) {
            (Guess::Undecided, _) => true,
            (Guess::Http(kind), expected) => {
                // What was whole before is not read again with every byte that follows.
                let scanned = self.connection.halves[self.direction.index()].scanned;
                let known =
                    bytes.get(..scanned).is_some_and(|b| memchr::memchr(b'\n', b).is_some());
                expected.is_none_or(|expected| expected == kind)
                    && (known || head::first_line_fits(kind, bytes))
            }
            _ => false,
        }
    }

    /// The collected bytes are no head. `held` of them came with earlier chunks; of the rest
    /// nothing is taken, so that it is read again as what it is. So is a segment that began among
    /// those and may still go on: whether it came in one piece must not matter.
    pub(super) fn reject(
        &mut self,
        cursor: &mut Cursor,
        otherwise: Otherwise,
        bytes: &[u8],
        held: usize,
        turned: Option<Box<Turned>>,
    ) -> usize {
        if held == 0 {
            // The same place is not tried twice.
            cursor.turn = Turn::Continues;
        }
        let behind = turned.as_ref().map_or(held, |turned| turned.behind);
        let n = behind as u64;
        let start = self.half().start;
        match otherwise {
            Otherwise::NotHttp if self.is_http(bytes) => {
                self.lose(start.position);
                self.pass_lost(n);
            }
            Otherwise::NotHttp => {
                self.close_half(match head::guess(bytes) {
                    Guess::Tls => {
                        self.half().greet(&bytes[..held]);
                        return 0;
                    }
                    Guess::Http2 => Why::Http2,
                    _ if self.other_half_is_http2() => Why::Http2,
                    _ => Why::Other,
                });
                if let State::Closed(why) = self.half().state {
                    self.pass_closed(why, held);
                }
                return 0;
            }
            Otherwise::Broken | Otherwise::Instead => {
                self.lose(start.position);
                self.pass_lost(n);
            }
            Otherwise::StillLost { .. } => {
                self.half().state = State::Lost;
                self.pass_lost(n);
            }
            Otherwise::Content(of) => {
                self.half().state = State::Body { body: Body::UntilClose, of, doubtful: false };
                self.http.counts.body_bytes += n;
                self.connection.pending.add_response_body(of, n);
            }
        }
        self.read_turned(turned, &bytes[behind..held]);
        0
    }

    /// Reads what was held from the segment on that took its turn, if there is one, as that.
    pub(super) fn read_turned(&mut self, turned: Option<Box<Turned>>, bytes: &[u8]) {
        if let Some(mut turned) = turned {
            self.half().last_ack = turned.last_ack;
            self.read(&mut turned.cursor, bytes);
        }
    }

    /// Whether the first bytes of a direction, which are no head, are still of an HTTP connection:
    /// they began like a head, or the other direction is HTTP and these are nothing else that is
    /// known.
    fn is_http(&mut self, bytes: &[u8]) -> bool {
        let none_else = !matches!(head::guess(bytes), Guess::Tls | Guess::Http2);
        self.shows_http(bytes) || (self.connection.client.is_some() && none_else)
    }

    fn other_half_is_http2(&self) -> bool {
        let other = &self.connection.halves[self.direction.reverse().index()];
        other.state == State::Closed(Why::Http2)
    }
}

/// Whether a head that was begun on its first bytes alone, which may have been few, is one by all
/// that there are now: else it would depend on how segments are cut what is taken for a message.
fn still_opens(otherwise: Otherwise, bytes: &[u8]) -> bool {
    let asks = match otherwise {
        Otherwise::StillLost { asks } => asks,
        _ => Some(Methods::Known),
    };
    !otherwise.is_doubted()
        || asks.is_some_and(|methods| head::may_ask(methods, bytes))
        || head::may_answer(bytes)
}
