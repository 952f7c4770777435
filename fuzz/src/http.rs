//! Target: chunks of one connection through the HTTP room.
//!
//! The script is a list of steps: a byte of kinds ([`Step`]), a byte of length, and for data as
//! many bytes. Positions and acknowledgements follow from what was given, so that the room is
//! promised what the flow room promises it.
//!
//! What must hold:
//! - every byte has one fate, or is held and counted as that, at any time; when memory is needed,
//!   none is held;
//! - every head that was read ends in one exchange, and no exchange has other ones;
//! - answers come in the order of what they answer;
//! - a body is no longer than what passed of its direction;
//! - what was not to be looked at can as well be looked at: the same is heard;
//! - the short way of reading a head reads what `httparse` does, or nothing;
//! - however the bytes are cut into chunks, the same is heard, but for first pieces of a few bytes.

mod plain;
mod recorder;

use crate::tape::Tape;
use recorder::{Event, Recorder};
use sealwatch::flow::{Chunk, Consumer, Content, Demand, Turn};
use sealwatch::http::{Http, Limits};
use sealwatch::net::{Direction, Endpoint, FlowKey, Position, Seq, Timestamp};
use std::net::IpAddr;

/// How many steps are taken at most.
const MAX_STEPS: usize = 300;

/// So many bytes tell whether a message may begin with them: a method, a space, and one more. Where
/// the framing does not say that one does, a segment that begins with fewer is judged by those: when
/// they are followed by others than those of a message, its place is lost, where all at once would
/// have been read on as a body.
const TELLING: usize = 26;

/// What a step's first byte says.
pub struct Step;

impl Step {
    /// The server's direction.
    pub const SERVER: u8 = 1;
    /// Bytes are missing; with [`FAR`](Self::FAR), eight times as many as the length says.
    pub const GAP: u8 = 2;
    /// The direction ends.
    pub const END: u8 = 4;
    /// In the middle of a segment. With [`GAP`](Self::GAP): others need the memory instead.
    pub const INSIDE: u8 = 8;
    /// It may open a turn.
    pub const POSSIBLE: u8 = 16;
    /// It opens a turn.
    pub const OPENS: u8 = 32;
    /// Its sender has received nothing new; else all that there was.
    pub const STALE: u8 = 64;
    /// Its bytes are the first of the connection, or its gap is a long one.
    pub const FAR: u8 = 128;
}

/// The target.
pub fn run(data: &[u8]) {
    let steps = steps(data);
    plain::check(data);
    for (.., bytes) in &steps {
        plain::check(bytes);
    }
    let heard = listen(&steps, Way::AsAsked);
    let looked = listen(&steps, Way::LookAlways);
    assert_eq!(heard, looked, "looking changes what is heard");
    let cut = listen(&steps, Way::Cut);
    // What a chunk ends is told at the chunk's end, behind what it begins.
    let sorted = |events: Vec<Event>| -> (Vec<_>, Vec<_>) {
        events.into_iter().partition(|event| matches!(event, Event::Over { .. }))
    };
    assert_eq!(sorted(heard), sorted(cut), "cutting changes what is heard");
}

/// A step: its kinds, and its bytes or how many there are.
type Taken<'a> = (u8, u64, &'a [u8]);

fn steps(data: &[u8]) -> Vec<Taken<'_>> {
    let mut tape = Tape::new(data);
    let mut steps = Vec::new();
    while !tape.is_over() && steps.len() < MAX_STEPS {
        let kind = tape.u8();
        let len = tape.u8();
        if kind & Step::GAP != 0 {
            let times = if kind & Step::FAR != 0 { 8 } else { 1 };
            steps.push((kind, (1 + u64::from(len)) * times, &[][..]));
        } else {
            let bytes = tape.bytes(usize::from(len));
            steps.push((kind, bytes.len() as u64, bytes));
        }
    }
    steps
}

/// How the steps are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As the room asks for it.
    AsAsked,
    /// Every byte.
    LookAlways,
    /// Every byte, in pieces.
    Cut,
}

/// Gives the steps to a room of their own; checks what it promises. Returns what it said.
fn listen(steps: &[Taken<'_>], way: Way) -> Vec<Event> {
    let end = |host, port| Endpoint::new(IpAddr::from([192, 0, 2, host]), port);
    let (key, _) = FlowKey::new(end(1, 4000), end(2, 80));
    let mut http = Http::new(Recorder::default(), Limits::default());
    let mut giver = Giver {
        connection: http.open(&key, None),
        http,
        key,
        next: [1 << 20, 1 << 24].map(|seq| Position::origin(Seq(seq))),
        had: [None; 2],
        skip_to: [Position::default(); 2],
        blind: [false; 2],
        ended: [false; 2],
        begun: [false; 2],
        bytes: 0,
        passed: [0; 2],
    };
    for step in steps {
        giver.step(*step, way);
        let unsettled = giver.http.standing(&giver.connection).unsettled;
        assert_eq!(fates(&giver.http) + unsettled, giver.bytes, "{unsettled} are unsettled");
    }
    let Giver { mut http, connection, bytes, passed, .. } = giver;
    http.close(connection, &key);
    let counts = http.counts();
    assert_eq!(fates(&http), bytes, "{counts:?}");
    let named: u64 = http.take_tls().map(|(_, tls)| tls.bytes).sum();
    assert!(named <= counts.tls_bytes, "{counts:?}");
    http.reader.check(&counts, passed);
    http.reader.events
}

/// How many bytes have a fate.
fn fates(http: &Http<Recorder>) -> u64 {
    let counts = http.counts();
    counts.head_bytes
        + counts.body_bytes
        + counts.ignored_bytes
        + counts.tls_bytes
        + counts.http2_bytes
        + counts.lost_bytes
}

/// What the flow room knows of a connection; each pair by direction.
struct Giver {
    http: Http<Recorder>,
    connection: <Http<Recorder> as Consumer>::Connection,
    key: FlowKey,
    next: [Position; 2],
    /// What each end had received when it last spoke.
    had: [Option<Position>; 2],
    skip_to: [Position; 2],
    blind: [bool; 2],
    ended: [bool; 2],
    begun: [bool; 2],
    bytes: u64,
    /// Bytes and gaps.
    passed: [u64; 2],
}

impl Giver {
    fn step(&mut self, (kind, len, bytes): Taken<'_>, way: Way) {
        let is = |what| kind & what != 0;
        let direction = if is(Step::SERVER) { Direction::Down } else { Direction::Up };
        let at = direction.index();
        if self.ended[at] {
            return;
        }
        if is(Step::GAP) && is(Step::INSIDE) {
            self.http.shed(&mut self.connection, &self.key);
            assert_eq!(self.http.standing(&self.connection).memory, 0, "not shed");
        } else if is(Step::GAP) {
            self.give(direction, len, None, Content::Gap(len));
        } else if len > 0 {
            let all = self.next[1 - at];
            let ack = if is(Step::STALE) { self.had[at] } else { Some(all) };
            let had = self.had[at].filter(|had| Some(*had) < ack);
            let turn = match (is(Step::INSIDE), is(Step::OPENS), is(Step::POSSIBLE)) {
                (true, ..) => Turn::Continues,
                (_, true, _) => Turn::Opens,
                (_, _, true) => Turn::Possible,
                _ => Turn::Continues,
            };
            let starts_stream = is(Step::FAR) && !self.begun[at];
            self.had[at] = ack;
            self.data(direction, bytes, ack, way, |bytes, first| Content::Data {
                bytes,
                starts_segment: first && !is(Step::INSIDE),
                turn: if first { turn } else { Turn::Continues },
                had,
                starts_stream: first && starts_stream,
            });
        }
        if is(Step::END) {
            self.ended[at] = true;
            self.http.end(&mut self.connection, &self.key, direction);
        }
    }

    /// Gives data in one of the ways.
    fn data<'b>(
        &mut self,
        direction: Direction,
        bytes: &'b [u8],
        ack: Option<Position>,
        way: Way,
        content: impl Fn(&'b [u8], bool) -> Content<'b>,
    ) {
        let at = direction.index();
        let len = bytes.len() as u64;
        self.bytes += len;
        let unwanted = self.blind[at] || self.next[at].plus(len) <= self.skip_to[at];
        match way {
            Way::AsAsked if unwanted => self.give(direction, len, ack, Content::Passed(len)),
            Way::AsAsked | Way::LookAlways => self.give(direction, len, ack, content(bytes, true)),
            Way::Cut => {
                // In pieces of other lengths each time.
                let mut rest = bytes;
                while !rest.is_empty() {
                    let size = 1 + (self.next[at].since(Position::default()) * 7 % 13) as usize;
                    let first = rest.len() == bytes.len();
                    let size = if first { size.max(TELLING) } else { size };
                    let (piece, later) = rest.split_at(size.min(rest.len()));
                    self.give(direction, piece.len() as u64, ack, content(piece, first));
                    rest = later;
                }
            }
        }
    }

    fn give(
        &mut self,
        direction: Direction,
        len: u64,
        ack: Option<Position>,
        content: Content<'_>,
    ) {
        let at = direction.index();
        let position = self.next[at];
        let chunk = Chunk { direction, position, time: Timestamp::default(), ack, content };
        self.next[at] = position.plus(len);
        self.passed[at] += len;
        self.begun[at] = true;
        match self.http.chunk(&mut self.connection, &self.key, chunk) {
            Demand::Look => {}
            Demand::Skip(n) => self.skip_to[at] = self.next[at].plus(n),
            Demand::Nothing => self.blind[at] = true,
        }
    }
}
