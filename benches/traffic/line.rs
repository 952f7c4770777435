//! One connection, on the wire: what its ends say, as the capture has it.

use super::frame::{self, End, Header};
use super::random::Random;
use super::talk::{Segment, Talk};
use super::truth::Truth;
use super::{Shape, Wire};
use std::ops::Range;

/// A silence after which nothing is late any more, in nanoseconds.
const SILENCE: u64 = 100_000_000;

/// When a packet that is late is captured after all.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// When so many packets were sent.
    Sent(u64),
    /// When the end (0: the client) has sent so many.
    SentBy(usize, u64),
}

/// One connection.
#[derive(Debug)]
pub struct Line {
    talk: Talk,
    wire: Wire,
    random: Random,
    ends: [End; 2],
    time: i64,
    late: Vec<(Due, Segment)>,
    /// Packets that were sent, in all and by each end.
    sent: u64,
    sent_by: [u64; 2],
    skip: u64,
    captured: [Vec<bool>; 2],
}

impl Line {
    pub fn new(
        shape: &Shape,
        wire: Wire,
        seed: u64,
        number: u64,
        exchanges: Range<u64>,
        time: i64,
    ) -> Self {
        let mut random = Random(seed);
        let [high, low] = ((number / 50_000) as u16).to_be_bytes();
        let client = ([10, shape.net, high, low], 10_000 + (number % 50_000) as u16);
        let server = ([192, 0, 2, 1 + (random.below(shape.hosts.min(200))) as u8], 9000);
        let skip = if wire.joined > 0 { random.between(1, wire.joined) } else { 0 };
        Self {
            talk: Talk::new(shape, random.next(), exchanges),
            wire,
            random,
            ends: [client, server],
            time,
            late: Vec::new(),
            sent: 0,
            sent_by: [0, 0],
            skip,
            captured: [Vec::new(), Vec::new()],
        }
    }

    /// The time of its latest packet.
    pub const fn time(&self) -> i64 {
        self.time
    }

    /// Writes the next packet that is captured; gives its time.
    pub fn next(&mut self, shape: &Shape, frame: &mut Vec<u8>) -> Option<i64> {
        loop {
            if let Some(segment) = self.take_late() {
                return Some(self.capture(&segment, frame));
            }
            let Some(segment) = self.talk.next(shape) else {
                let (_, segment) = (!self.late.is_empty()).then(|| self.late.remove(0))?;
                return Some(self.capture(&segment, frame));
            };
            if segment.after > SILENCE && !self.late.is_empty() {
                self.talk.put_back(segment);
                let (_, segment) = self.late.remove(0);
                return Some(self.capture(&segment, frame));
            }
            self.time += segment.after as i64;
            self.note(&segment);
            if self.is_captured_now(&segment) {
                return Some(self.capture(&segment, frame));
            }
        }
    }

    fn note(&mut self, segment: &Segment) {
        self.sent += 1;
        self.sent_by[segment.side] += 1;
        if segment.length > 0 {
            self.captured[segment.side].push(false);
        }
    }

    fn take_late(&mut self) -> Option<Segment> {
        let is_due = |due: &Due| match *due {
            Due::Sent(count) => self.sent >= count,
            Due::SentBy(side, count) => self.sent_by[side] >= count,
        };
        let index = self.late.iter().position(|(due, _)| is_due(due))?;
        Some(self.late.remove(index).1)
    }

    /// Whether a packet that was sent is captured at once; it may be late, or not at all.
    fn is_captured_now(&mut self, segment: &Segment) -> bool {
        if self.sent <= self.skip || self.random.chance(self.wire.loss) {
            return false;
        }
        let depth = self.wire.depth;
        if self.random.chance(self.wire.reorder) {
            let due = Due::Sent(self.sent + self.random.between(1, depth));
            self.late.push((due, segment.clone()));
            return false;
        }
        if segment.length > 0 && self.random.chance(self.wire.overtaken) {
            let other = 1 - segment.side;
            let due = Due::SentBy(other, self.sent_by[other] + self.random.between(1, 3));
            self.late.push((due, segment.clone()));
            return false;
        }
        if self.random.chance(self.wire.duplicates) {
            let due = Due::Sent(self.sent + self.random.between(1, depth.max(2)));
            self.late.push((due, segment.clone()));
        }
        true
    }

    fn capture(&mut self, segment: &Segment, frame: &mut Vec<u8>) -> i64 {
        // No two packets of a connection have one time: their order is that of the times.
        self.time += 1000;
        if segment.length > 0 {
            self.captured[segment.side][segment.number as usize] = true;
        }
        let header = Header {
            from: self.ends[segment.side],
            to: self.ends[1 - segment.side],
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
        };
        frame::tcp(frame, header, segment.payload());
        self.time
    }

    pub fn into_truth(self) -> Truth {
        Truth { exchanges: self.talk.exchanges, captured: self.captured }
    }
}
