//! What may come before the first message of a connection: the header of the PROXY protocol.
//!
//! Takes the first bytes of a direction whose start was captured. Passes over a header, exactly; what
//! comes behind it is read as if that was not there, and so is all where there is none.

use super::Reader;
use super::half::{State, Why};
use super::head::Kind;
use super::proxy::{self, Header};
use super::session::{Cursor, Session, Turned};
use crate::flow::Turn;

impl<R: Reader> Session<'_, R> {
    /// Reads the first bytes of a direction, as far as they are there. Returns how many it took.
    pub(super) fn preface(&mut self, cursor: &Cursor, rest: &[u8]) -> usize {
        let mut held = std::mem::take(&mut self.half().partial);
        let turned = self.half().take_turned(cursor);
        let before = held.len();
        let header = if before == 0 {
            proxy::read(rest)
        } else {
            held.extend_from_slice(rest);
            proxy::read(&held)
        };
        let is_answers = self.kind() == Some(Kind::Response);
        match header {
            Header::Undecided if !is_answers => {
                if before == 0 {
                    // What is tried as a head where it is none begins here.
                    self.half().start = cursor.start;
                    held = rest.to_vec();
                }
                self.half().partial = held;
                self.half().note_turned(turned, before, cursor);
                rest.len()
            }
            Header::Of(length) if !is_answers && !self.is_too_long(length) => {
                self.http.counts.head_bytes += before as u64;
                self.half().state = State::Proxied(length - before);
                0
            }
            Header::Of(_) | Header::Malformed if !is_answers => {
                self.close_half(Why::Other);
                self.pass_closed(Why::Other, before);
                0
            }
            _ => {
                held.truncate(before);
                self.no_preface(&held, turned);
                0
            }
        }
    }

    /// Takes what there is of a header, of which `left` bytes are to come.
    pub(super) fn proxied(&mut self, left: usize, there: usize) -> usize {
        let taken = left.min(there);
        self.http.counts.head_bytes += taken as u64;
        self.half().state = State::Proxied(left - taken);
        taken
    }

    /// No more comes behind what may have been the beginning of a header.
    pub(super) fn settle_preface(&mut self) {
        if self.half().state == State::Preface {
            let held = std::mem::take(&mut self.half().partial);
            let turned = self.half().turned.take();
            self.no_preface(&held, turned);
        }
    }

    /// Reads what was held as what else it is, and what of it took its turn as that.
    fn no_preface(&mut self, held: &[u8], turned: Option<Box<Turned>>) {
        let start = self.half().start;
        self.half().state = State::Proxied(0);
        let mut cursor = Cursor { start, turn: Turn::Continues, had: None, starts_stream: true };
        let (before, behind) = held.split_at(turned.as_ref().map_or(held.len(), |t| t.behind));
        self.read(&mut cursor, before);
        self.read_turned(turned, behind);
    }
}
