//! Traffic between S3 clients and stores, made up by the packet, of which everything is known.
//!
//! Takes a [`Shape`] (what is said), a [`Wire`] (what the capture does to it) and a seed. Gives
//! Ethernet frames in the order of their times, one by one, in memory that does not grow with their
//! number, and of each connection that ended the [`Truth`](truth::Truth): its exchanges, and which of
//! their heads are whole in the capture. Promises that the same shape, wire and seed are the same
//! frames.
//!
//! Connections are opened and closed with handshake and FIN; data is cut to segments of `mss`
//! bytes and acknowledged every second segment, with what is said next, or late. Clients take
//! turns, but for those that pipeline. Each request names itself in its target (`/bucket/N`), each
//! answer in `Content-Type` (`application/x-N`, which records show) and `X-Id`.
#![allow(dead_code, unreachable_pub, reason = "each bench and test uses a part")]

pub mod floods;
pub mod frame;
pub mod honest;
pub mod judge;
pub mod line;
#[path = "../../tests/support/random.rs"]
#[allow(clippy::duplicate_mod, reason = "a test that makes traffic has what tests share, too")]
pub mod random;
pub mod run;
pub mod speed;
pub mod talk;
pub mod truth;
pub mod tunnel;

use honest::Expected;
use line::Line;
use random::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use truth::Truth;

/// What gives frames, in the order of their times.
pub trait Source {
    /// Writes the next Ethernet frame to `frame`, which it empties before, and gives its time in
    /// nanoseconds; `None` after the last.
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64>;
}

/// A share of 10,000.
pub type Share = u64;

/// How many of 10,000 bodies have from so many to so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub share: Share,
    pub from: u64,
    pub to: u64,
}

/// Objects as stores hold them: many small ones, few large.
pub const MIXED: &[Size] = &[
    Size { share: 3000, from: 0, to: 0 },
    Size { share: 4000, from: 1, to: 4096 },
    Size { share: 2500, from: 4096, to: 32_768 },
    Size { share: 500, from: 32_768, to: 262_144 },
];

/// What bodies hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Random bytes.
    Noise,
    /// The text of requests and responses, each segment beginning with a start-line.
    Messages,
}

/// What is said.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub seed: u64,
    /// How many exchanges in all.
    pub exchanges: u64,
    /// How many connections are open at once.
    pub connections: usize,
    /// How many exchanges a connection has, on average.
    pub keep_alive: u64,
    pub hosts: u64,
    pub sizes: &'static [Size],
    pub bodies: Bodies,
    /// Requests that send an object; the others fetch one.
    pub uploads: Share,
    /// Of those that fetch: by HEAD, whose answer has no body, whatever it says.
    pub peeks: Share,
    /// Bodies that come in chunks.
    pub chunked: Share,
    /// Uploads with `Expect: 100-continue`.
    pub expects: Share,
    /// Of these: refused before the body is sent.
    pub refused: Share,
    /// Connections whose client sends requests before the answers came.
    pub pipelined: Share,
    /// Uploads that ask for a mode, each as often.
    pub asked: Share,
    /// Of these: answered with another mode.
    pub differs: Share,
    /// The largest segment, in bytes.
    pub mss: usize,
    /// The longest that a client thinks before it asks again, in nanoseconds.
    pub think: u64,
    /// Within how long the first connections open, in nanoseconds, if that is not `think`.
    pub opening: Option<u64>,
    /// When it begins, in nanoseconds.
    pub from: i64,
    /// Which network clients are in: `10.net.…` and on. The hosts of network 0 are
    /// `store-N.example`, those of others `net-N.example`.
    pub net: u8,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            seed: 1,
            exchanges: 10_000,
            connections: 16,
            keep_alive: 30,
            hosts: 4,
            sizes: MIXED,
            bodies: Bodies::Noise,
            uploads: 5000,
            peeks: 1000,
            chunked: 2000,
            expects: 2000,
            refused: 1000,
            pipelined: 0,
            asked: 6000,
            differs: 200,
            mss: 1448,
            think: 50_000_000,
            opening: None,
            from: 1_795_600_000_000_000_000,
            net: 0,
        }
    }
}

/// What the capture does to what is said. Losses are in the capture alone: ends got everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wire {
    /// Packets that are not captured.
    pub loss: Share,
    /// Packets that are captured late, behind up to `depth` later ones of their connection.
    pub reorder: Share,
    pub depth: u64,
    /// Packets that are captured twice.
    pub duplicates: Share,
    /// Packets with payload that are captured behind one to three packets of the other end, which
    /// acknowledge or answer them.
    pub overtaken: Share,
    /// The capture begins in the middle: up to so many packets of each connection came before.
    pub joined: u64,
}

/// Frames, and what became of them.
pub struct Traffic {
    shape: Shape,
    wire: Wire,
    random: Random,
    /// The connections, each with the frame that is its next.
    lines: Vec<(Option<Line>, Vec<u8>)>,
    /// Which line is next, by the time of its next frame.
    due: BinaryHeap<Reverse<(i64, usize)>>,
    /// The next exchange's number.
    exchange: u64,
    /// The next connection's number.
    connection: u64,
    over: Vec<Truth>,
    /// What is to be counted, where that is all that is kept of connections that ended.
    expected: Option<Expected>,
}

impl Traffic {
    pub fn new(shape: Shape, wire: Wire) -> Self {
        let mut traffic = Self {
            shape,
            wire,
            random: Random(shape.seed),
            lines: (0..shape.connections).map(|_| (None, Vec::new())).collect(),
            due: BinaryHeap::new(),
            exchange: 0,
            connection: 0,
            over: Vec::new(),
            expected: None,
        };
        for slot in 0..shape.connections {
            let opening = shape.opening.unwrap_or(shape.think);
            let start = shape.from + traffic.random.below(opening) as i64;
            traffic.open(slot, start);
        }
        traffic
    }

    /// The same, of which only what is to be counted is kept.
    pub fn counting(shape: Shape, wire: Wire) -> Self {
        let mut traffic = Self::new(shape, wire);
        let mut expected = Expected::default();
        expected.add(&traffic.take_truth());
        traffic.expected = Some(expected);
        traffic
    }

    /// What is to be counted of the connections that ended.
    pub fn expected(&self) -> Expected {
        self.expected.clone().unwrap_or_default()
    }

    fn open(&mut self, slot: usize, time: i64) {
        let left = self.shape.exchanges - self.exchange;
        let most = self.shape.keep_alive * 2 - 1;
        let count = (1 + self.random.below(most)).min(left);
        if count == 0 {
            return;
        }
        let seed = self.random.next();
        let exchanges = self.exchange..self.exchange + count;
        let line = Line::new(&self.shape, self.wire, seed, self.connection, exchanges, time);
        self.exchange += count;
        self.connection += 1;
        self.lines[slot].0 = Some(line);
        self.make_ready(slot);
    }

    /// Makes the next frame of a line; where there is none, opens another.
    fn make_ready(&mut self, slot: usize) {
        let (place, frame) = &mut self.lines[slot];
        let Some(line) = place.as_mut() else { return };
        if let Some(time) = line.next(&self.shape, frame) {
            self.due.push(Reverse((time, slot)));
            return;
        }
        let time = line.time() + self.random.below(self.shape.think) as i64;
        let over = place.take().map(Line::into_truth);
        match self.expected.as_mut() {
            Some(expected) => expected.add(over.as_slice()),
            None => self.over.extend(over),
        }
        self.open(slot, time);
    }

    /// The connections that ended since the last call.
    pub fn take_truth(&mut self) -> Vec<Truth> {
        std::mem::take(&mut self.over)
    }
}

impl Source for Traffic {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        let Reverse((time, slot)) = self.due.pop()?;
        std::mem::swap(frame, &mut self.lines[slot].1);
        self.make_ready(slot);
        Some(time)
    }
}

/// Several sources as one.
pub struct Merged<'s> {
    sources: Vec<(&'s mut dyn Source, Option<i64>, Vec<u8>)>,
}

impl<'s> Merged<'s> {
    pub fn new(sources: Vec<&'s mut dyn Source>) -> Self {
        let first = |source: &'s mut dyn Source| {
            let mut frame = Vec::new();
            let time = source.next(&mut frame);
            (source, time, frame)
        };
        Self { sources: sources.into_iter().map(first).collect() }
    }
}

impl Source for Merged<'_> {
    fn next(&mut self, frame: &mut Vec<u8>) -> Option<i64> {
        let earliest = self.sources.iter_mut().filter(|(_, time, _)| time.is_some());
        let (source, time, ready) = earliest.min_by_key(|(_, time, _)| *time)?;
        std::mem::swap(frame, ready);
        std::mem::replace(time, source.next(ready))
    }
}
