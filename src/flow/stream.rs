//! One direction of a connection: what was given, what is held, what was acknowledged.

use super::fold::{Folding, Unfolding};
use super::{Counts, Demand, Turn};
use crate::net::{Direction, Position, Seq, Timestamp};
use crate::queue::give_back;
use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};

/// What holding something takes beside its bytes: its place in a queue that grows by doubling.
const HELD_COST: usize = 2 * size_of::<Held>();
/// A direction of which nothing is held keeps room for so many.
const SPARE: usize = 2;

/// What is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    /// Memory, in bytes.
    pub(super) memory: usize,
    /// Payload bytes that came in and were not given yet.
    pub(super) payload: u64,
}

impl AddAssign for Holdings {
    fn add_assign(&mut self, other: Self) {
        self.memory += other.memory;
        self.payload += other.payload;
    }
}

impl SubAssign for Holdings {
    fn sub_assign(&mut self, other: Self) {
        self.memory -= other.memory;
        self.payload -= other.payload;
    }
}

/// The most that is waited for before what comes first of a direction, in bytes: what may be under
/// way at once, on most networks.
const MAX_OVERTAKEN: u64 = 1 << 20;

/// Bytes that wait for the ones before them.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) ack: Option<Position>,
    pub(super) starts_segment: bool,
    pub(super) turn: Turn,
    pub(super) content: HeldContent,
}

#[derive(Debug)]
pub(super) enum HeldContent {
    /// Bytes.
    Kept(Box<[u8]>),
    /// This many bytes that nobody will look at.
    Passed(u64),
    /// This many bytes that the capture cut off.
    Short(u64),
}

impl Held {
    pub(super) fn len(&self) -> u64 {
        match &self.content {
            HeldContent::Kept(bytes) => bytes.len() as u64,
            HeldContent::Passed(n) | HeldContent::Short(n) => *n,
        }
    }

    fn end(&self) -> Position {
        self.position.plus(self.len())
    }

    pub(super) fn holdings(&self) -> Holdings {
        let (bytes, payload) = match &self.content {
            HeldContent::Kept(bytes) => (bytes.len(), bytes.len() as u64),
            HeldContent::Passed(n) => (0, *n),
            HeldContent::Short(_) => (0, 0),
        };
        Holdings { memory: bytes + HELD_COST, payload }
    }
}

/// A run of bytes of one segment, or what the capture cut off behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) position: Position,
    pub(super) time: Timestamp,
    pub(super) ack: Option<Position>,
    pub(super) starts_segment: bool,
    pub(super) turn: Turn,
    pub(super) content: PieceContent<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum PieceContent<'a> {
    Captured(&'a [u8]),
    /// This many bytes that were captured and left behind, as nobody will look at them.
    Unseen(u64),
    /// The same, but they will be looked at: what is new of them is missing, and did not come in.
    Lost(u64),
    Short(u64),
}

impl<'a> Piece<'a> {
    fn len(&self) -> u64 {
        match self.content {
            PieceContent::Captured(bytes) => bytes.len() as u64,
            PieceContent::Unseen(n) | PieceContent::Lost(n) | PieceContent::Short(n) => n,
        }
    }

    /// How long it is, if it was captured.
    pub(super) fn captured(&self) -> Option<u64> {
        (!matches!(self.content, PieceContent::Short(_))).then(|| self.len())
    }

    pub(super) fn end(&self) -> Position {
        self.position.plus(self.len())
    }

    /// The part from `from` to `to`, both within the piece.
    pub(super) fn part(&self, from: Position, to: Position) -> Self {
        let skip = from.since(self.position);
        let length = to.since(from);
        let content = match self.content {
            PieceContent::Captured(bytes) => {
                PieceContent::Captured(&bytes[skip as usize..(skip + length) as usize])
            }
            PieceContent::Unseen(_) => PieceContent::Unseen(length),
            PieceContent::Lost(_) => PieceContent::Lost(length),
            PieceContent::Short(_) => PieceContent::Short(length),
        };
        let whole_start = skip == 0;
        Self {
            position: from,
            starts_segment: self.starts_segment && whole_start,
            turn: if whole_start { self.turn } else { Turn::Continues },
            content,
            ..*self
        }
    }
}

/// What both directions' numbers tell about who had received how much when, seen from one of
/// them.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// "When this direction stood at the first, the other had been received up to the second":
    /// the newest few, newest first, both numbers rising.
    moments: [Option<(Position, Position)>; 3],
    /// The newest place at which the sender stood, and the least it had received there.
    stood: Option<(Position, Position)>,
    /// The most that it had received there, as far as it said.
    stood_with: Option<Position>,
    /// Where it last acknowledged and said nothing.
    listened: Option<Position>,
    /// The newest two places up to which the other end had received when it sent bytes.
    heard: [Option<Position>; 2],
    /// How much the sender of the bytes that were given last had received; none after a gap.
    given: Option<Position>,
    /// How much of this direction the other end had received when it sent what was given last.
    given_heard: Option<Position>,
}

impl Turns {
    /// A segment of this direction, never seen before, begins at `from` and ends at `to`; its
    /// sender had received up to `peer`.
    pub(super) fn note_own(&mut self, from: Position, to: Position, peer: Position) {
        self.note(from, peer);
        if from == to {
            self.listened = Some(from);
        }
        for place in [from, to] {
            if self.stood.is_none_or(|(stood, _)| place > stood) {
                self.stood = Some((place, peer));
                self.stood_with = None;
            }
            if self.stood.is_some_and(|(stood, _)| place == stood) {
                self.stood_with = self.stood_with.max(Some(peer));
            }
        }
    }

    /// The other end sent bytes up to `peer`, having received this direction up to `own`.
    pub(super) fn note_other(&mut self, own: Position, peer: Position) {
        self.note(own, peer);
        self.note_heard(own);
    }

    /// The other end spoke when it had received this direction up to `own`.
    pub(super) fn note_heard(&mut self, own: Position) {
        if self.heard[0].is_none_or(|heard| own > heard) {
            self.heard = [Some(own), self.heard[0]];
        }
    }

    /// The other end, which stood at `peer`, had received this direction up to `own`: beyond where
    /// the sender stood when it had received as much. So it has spoken since, though nothing of it
    /// was captured yet.
    pub(super) fn spoke_unseen(&self, own: Position, peer: Position) -> bool {
        self.stood.is_some_and(|(stood, _)| stood < own) && self.stood_with == Some(peer)
    }

    /// When this direction stood at `own`, the other had been received up to `peer`.
    pub(super) fn note(&mut self, own: Position, peer: Position) {
        while let Some((last_own, last_peer)) = self.moments[0] {
            if peer < last_peer || (peer == last_peer && own >= last_own) {
                return;
            }
            if own > last_own {
                break;
            }
            self.moments.rotate_left(1);
            self.moments[2] = None;
        }
        self.moments.rotate_right(1);
        self.moments[0] = Some((own, peer));
    }

    /// The most, below `peer`, that the sender is known to have received by the time it stood at
    /// `own`.
    pub(super) fn had_before(&self, own: Position, peer: Position) -> Option<Position> {
        let known = self.moments.iter().chain([&self.stood]).flatten();
        known.filter(|(s, a)| *s <= own && *a < peer).map(|(_, a)| *a).max()
    }

    /// What bytes at `own` are, now that all before them, and all that their sender had received,
    /// was given: what came late is judged as if it had come in order.
    pub(super) fn judge_given(&self, own: Position, peer: Position) -> Turn {
        let had_less = self.given.is_some_and(|had| had < peer);
        match self.judge(own, peer) {
            Turn::Possible if had_less || self.given_heard == Some(own) => Turn::Opens,
            turn => turn,
        }
    }

    /// Bytes from `own` on are given; their sender had received up to `peer`.
    pub(super) fn note_given(&mut self, own: Position, peer: Position) {
        self.note(own, peer);
        self.given = Some(peer);
    }

    /// A gap is given.
    pub(super) fn note_gap(&mut self) {
        self.given = None;
    }

    /// Bytes of the other direction are given, whose sender had received this one up to `own`.
    pub(super) fn note_given_other(&mut self, own: Position) {
        self.given_heard = Some(own);
    }

    /// What bytes at `own` are, whose sender had received up to `peer`.
    pub(super) fn judge(&self, own: Position, peer: Position) -> Turn {
        if self.moments.iter().flatten().any(|(s, a)| *s < own && *a >= peer) {
            return Turn::Continues;
        }
        let had_less = self.stood.is_some_and(|(stood, had)| stood == own && had < peer);
        let gave_way = self.heard.contains(&Some(own)) || self.listened == Some(own);
        if had_less || gave_way { Turn::Opens } else { Turn::Possible }
    }
}

/// At rest, what is known is folded up.
impl Turns {
    fn fold(&self, direction: Direction, to: &mut Folding) {
        let Self { moments, stood, stood_with, listened, heard, given, given_heard } = *self;
        let other = direction.reverse();
        for pair in moments.into_iter().chain([stood]) {
            to.place(direction, pair.map(|(own, _)| own));
            if let Some((_, peer)) = pair {
                to.place(other, Some(peer));
            }
        }
        for own in [listened, heard[0], heard[1], given_heard] {
            to.place(direction, own);
        }
        to.place(other, stood_with);
        to.place(other, given);
    }

    fn unfold(direction: Direction, from: &mut Unfolding<'_>) -> Self {
        let other = direction.reverse();
        let [one, two, three, stood] = [(); 4].map(|()| {
            let own = from.place(direction)?;
            Some((own, from.place(other)?))
        });
        let [listened, heard, heard_before, given_heard] = [(); 4].map(|()| from.place(direction));
        let [stood_with, given] = [(); 2].map(|()| from.place(other));
        let (moments, heard) = ([one, two, three], [heard, heard_before]);
        Self { moments, stood, stood_with, listened, heard, given, given_heard }
    }
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// A position that is known to be near what is sent now, to unwrap sequence numbers by.
    pub(super) near: Option<Position>,
    /// The next byte to give.
    pub(super) next: Option<Position>,
    /// Nothing was given yet, and what comes first may be late.
    pub(super) may_begin_later: bool,
    /// Where it was joined, if it was: bytes before that may come late, and were never seen.
    pub(super) joined: Option<Position>,
    /// The first byte of the stream, where the SYN was seen.
    pub(super) first: Option<Position>,
    /// The byte behind the highest one seen.
    pub(super) highest: Option<Position>,
    /// How far the other end has acknowledged.
    pub(super) acked: Option<Position>,
    /// The byte behind the last one, where the FIN was seen.
    pub(super) fin: Option<Position>,
    /// Where a FIN seems to be that was not captured: one more than the bytes was acknowledged.
    pub(super) silent_fin: Option<Position>,
    /// The end was given.
    pub(super) ended: bool,
    /// Nobody looks at bytes before this position.
    pub(super) skip_to: Position,
    /// Nobody looks at anything.
    pub(super) blind: bool,
    /// What waits, in order, without overlap.
    pub(super) held: VecDeque<Held>,
    pub(super) turns: Turns,
}

impl Stream {
    pub(super) fn unwrap(&self, seq: Seq) -> Position {
        self.near.map_or(Position::origin(seq), |near| seq.unwrap_near(near))
    }

    /// How far beyond what was given the other end has acknowledged, in bytes; zero for an
    /// acknowledged FIN.
    pub(super) fn acked_beyond(&self) -> u64 {
        match (self.acked, self.next) {
            (Some(acked), Some(next)) => self.without_fin(acked).since(next),
            _ => 0,
        }
    }

    /// An acknowledgement, less the one that a FIN counts (RFC 9293 §3.4).
    pub(super) fn without_fin(&self, acked: Position) -> Position {
        let mut fins = [self.fin, self.silent_fin].into_iter().flatten();
        fins.find(|fin| fin.plus(1) == acked).unwrap_or(acked)
    }

    /// Where a direction that is joined in the middle begins, of which the first segment that
    /// comes is at `position`. What was sent since the other end's last acknowledgement may have been
    /// overtaken.
    pub(super) fn join(&mut self, position: Position) {
        let overtaken =
            self.acked.filter(|acked| (1..=MAX_OVERTAKEN).contains(&position.since(*acked)));
        self.may_begin_later = overtaken.is_some();
        self.join_at(overtaken.unwrap_or(position));
    }

    /// It begins at `position`, as far as the capture goes.
    pub(super) fn join_at(&mut self, position: Position) {
        self.next = Some(position);
        self.joined = self.next;
    }

    /// How many of the bytes from `position` to `end`, all of them before what comes next, were never
    /// seen. (One byte there is a probe of a connection that is kept alive, RFC 1122 §4.2.3.6.)
    pub(super) fn late(&self, position: Position, end: Position) -> u64 {
        let before = self.joined.map_or(0, |joined| joined.min(end).since(position));
        if end.since(position) > 1 { before } else { 0 }
    }

    /// Notes what is wanted of it from `next` on.
    pub(super) fn heed(&mut self, demand: Demand, next: Position) {
        match demand {
            Demand::Look => {}
            Demand::Skip(n) => self.skip_to = next.plus(n),
            Demand::Nothing => self.blind = true,
        }
    }

    /// Whether bytes up to `to` may be kept as a number only.
    pub(super) fn is_unwanted(&self, to: Position) -> bool {
        self.blind || to <= self.skip_to
    }

    /// How many bytes from what comes next on nobody will look at.
    pub(super) fn unwanted(&self) -> u64 {
        if self.blind {
            return u64::MAX;
        }
        self.next.map_or(0, |next| self.skip_to.since(next))
    }

    /// Holds the parts of `piece` that are not held yet. First bytes win.
    pub(super) fn hold(&mut self, piece: &Piece<'_>, counts: &mut Counts) -> Holdings {
        let mut more = Holdings::default();
        let mut from = piece.position;
        let end = piece.end();
        let mut index = self.held.partition_point(|held| held.end() <= from);
        while from < end {
            let next = self.held.get(index);
            let free_to = next.map_or(end, |held| held.position.min(end));
            if from < free_to {
                let part = piece.part(from, free_to);
                if let PieceContent::Lost(n) = part.content {
                    counts.payload_bytes -= n;
                }
                let held = self.to_held(&part);
                more += held.holdings();
                self.held.insert(index, held);
                index += 1;
                from = free_to;
                continue;
            }
            let Some(held) = next else { break };
            let overlap = piece.part(from, held.end().min(end));
            count_overlap(&overlap, held, counts);
            from = overlap.end();
            index += 1;
        }
        more
    }

    /// Takes out what is held in front.
    pub(super) fn take_front(&mut self) -> Option<Held> {
        let front = self.held.pop_front();
        give_back(&mut self.held, SPARE);
        front
    }

    /// Gives back what is kept for speed alone.
    pub(super) fn rest(&mut self) {
        give_back(&mut self.held, 0);
    }

    /// Folds up what is known of it. Nothing is held.
    pub(super) fn fold(&self, direction: Direction, to: &mut Folding) {
        to.flags([self.may_begin_later, self.ended, self.blind]);
        let Self { near, next, joined, first, highest, acked, fin, silent_fin, .. } = *self;
        let skip_to = Some(self.skip_to).filter(|place| *place != Position::default());
        for place in [near, next, joined, first, highest, acked, fin, silent_fin, skip_to] {
            to.place(direction, place);
        }
        self.turns.fold(direction, to);
    }

    /// The same again.
    pub(super) fn unfold(direction: Direction, from: &mut Unfolding<'_>) -> Self {
        let [may_begin_later, ended, blind] = from.flags();
        let places = [(); 9].map(|()| from.place(direction));
        let [near, next, joined, first, highest, acked, fin, silent_fin, skip_to] = places;
        Self {
            near,
            next,
            may_begin_later,
            joined,
            first,
            highest,
            acked,
            fin,
            silent_fin,
            ended,
            skip_to: skip_to.unwrap_or_default(),
            blind,
            held: VecDeque::new(),
            turns: Turns::unfold(direction, from),
        }
    }

    fn to_held(&self, piece: &Piece<'_>) -> Held {
        let content = match piece.content {
            PieceContent::Short(n) | PieceContent::Lost(n) => HeldContent::Short(n),
            PieceContent::Unseen(n) => HeldContent::Passed(n),
            PieceContent::Captured(bytes) if self.is_unwanted(piece.end()) => {
                HeldContent::Passed(bytes.len() as u64)
            }
            PieceContent::Captured(bytes) => HeldContent::Kept(bytes.into()),
        };
        let Piece { position, time, ack, starts_segment, turn, .. } = *piece;
        Held { position, time, ack, starts_segment, turn, content }
    }
}

fn count_overlap(piece: &Piece<'_>, held: &Held, counts: &mut Counts) {
    counts.duplicate_bytes += piece.captured().unwrap_or(0);
    // What nobody looks at is not compared either.
    if let (PieceContent::Captured(bytes), HeldContent::Kept(first)) =
        (piece.content, &held.content)
    {
        let at = piece.position.since(held.position) as usize;
        let differing = bytes.iter().zip(&first[at..]).filter(|(a, b)| a != b).count();
        counts.conflicting_bytes += differing as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u64) -> Position {
        Position::origin(Seq(0)).plus(n)
    }

    fn piece(position: u64, bytes: &[u8]) -> Piece<'_> {
        Piece {
            position: at(position),
            time: Timestamp::default(),
            ack: None,
            starts_segment: true,
            turn: Turn::Opens,
            content: PieceContent::Captured(bytes),
        }
    }

    fn contents(stream: &Stream) -> Vec<(u64, Vec<u8>, bool)> {
        let bytes = |held: &Held| match &held.content {
            HeldContent::Kept(bytes) => bytes.to_vec(),
            _ => Vec::new(),
        };
        let entry = |held: &Held| (held.position.since(at(0)), bytes(held), held.starts_segment);
        stream.held.iter().map(entry).collect()
    }

    #[test]
    fn held_bytes_never_overlap_and_the_first_win() {
        let mut stream = Stream::default();
        let mut counts = Counts::default();
        let holdings = |held: usize, bytes: usize| Holdings {
            memory: bytes + held * HELD_COST,
            payload: bytes as u64,
        };
        assert_eq!(stream.hold(&piece(4, b"EF"), &mut counts), holdings(1, 2));
        assert_eq!(stream.hold(&piece(8, b"IJ"), &mut counts), holdings(1, 2));
        assert_eq!(stream.hold(&piece(2, b"cdeFghijk"), &mut counts), holdings(3, 5));
        let expected = [
            (2, b"cd".to_vec(), true),
            (4, b"EF".to_vec(), true),
            (6, b"gh".to_vec(), false),
            (8, b"IJ".to_vec(), true),
            (10, b"k".to_vec(), false),
        ];
        assert_eq!(contents(&stream), expected);
        assert_eq!((counts.duplicate_bytes, counts.conflicting_bytes), (4, 3));
        assert_eq!(stream.hold(&piece(2, b"cd"), &mut counts), holdings(0, 0));
        assert_eq!(counts.duplicate_bytes, 6);
    }

    #[test]
    fn what_was_given_leaves_no_room_behind() {
        let mut stream = Stream::default();
        for n in 0..1_000 {
            stream.hold(&piece(2 * n, b"x"), &mut Counts::default());
        }
        while let Some(left) = stream.take_front().map(|_| stream.held.len()) {
            assert!(stream.held.capacity() <= SPARE.max(4 * left));
        }
    }

    #[test]
    fn unwanted_bytes_are_held_as_a_number() {
        let mut stream = Stream { skip_to: at(10), ..Stream::default() };
        let mut counts = Counts::default();
        let passed = Holdings { memory: HELD_COST, payload: 5 };
        assert_eq!(stream.hold(&piece(5, b"fghij"), &mut counts), passed);
        let kept = Holdings { memory: HELD_COST + 1, payload: 1 };
        assert_eq!(stream.hold(&piece(10, b"k"), &mut counts), kept);
    }

    #[test]
    fn a_turn_opens_where_the_sender_first_spoke_after_receiving_as_much() {
        let mut turns = Turns::default();
        assert_eq!(turns.judge(at(50), at(900)), Turn::Possible);
        turns.note_own(at(100), at(200), at(1000));
        turns.note_own(at(200), at(300), at(1000));
        assert_eq!(turns.judge(at(200), at(1000)), Turn::Continues);
        assert_eq!(turns.judge(at(300), at(1000)), Turn::Continues);
        assert_eq!(turns.judge(at(300), at(1001)), Turn::Opens);
        assert_eq!(turns.judge(at(350), at(1001)), Turn::Possible);
        // The other end answered when it had received up to 400, and 350 was before that.
        turns.note_other(at(400), at(2000));
        assert_eq!(turns.judge(at(400), at(2000)), Turn::Opens);
        assert_eq!(turns.judge(at(450), at(2000)), Turn::Continues);
        // Learning of an earlier place with as much received narrows it.
        turns.note(at(350), at(2000));
        assert_eq!(turns.judge(at(400), at(2000)), Turn::Continues);
        // Older news changes nothing.
        turns.note(at(500), at(500));
        assert_eq!(turns.judge(at(350), at(2000)), Turn::Possible);
    }
}
