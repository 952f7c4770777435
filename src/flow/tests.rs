//! The short way of a segment leads to where the long way leads, and so does one of which only the length
//! came where nobody looks.

use super::*;
use crate::decode::{Flags, Segment};
use crate::net::{Direction, Endpoint, FlowKey, Position, Seq, Timestamp, Tunnel};
use proptest::prelude::*;

/// Looks at some bytes and passes others by, as what it looks at says.
#[derive(Default)]
struct Choosy {
    folded: Vec<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    skip: [u64; 2],
    blind: [bool; 2],
    looked_at: u8,
    chunks: Vec<(Position, Option<Position>, u64, Vec<u8>)>,
}

impl Heard {
    fn is_unwanted(&self, direction: Direction, length: u64) -> bool {
        self.blind[direction.index()] || self.skip[direction.index()] >= length
    }
}

impl Consumer for Choosy {
    type Connection = Heard;

    fn open(&mut self, _: &FlowKey, _: Option<Tunnel>) -> Heard {
        Heard::default()
    }

    fn chunk(&mut self, heard: &mut Heard, _: &FlowKey, chunk: Chunk<'_>) -> Demand {
        let Chunk { direction, position, ack, content, .. } = chunk;
        let (length, looked_at) = match content {
            Content::Data { bytes, .. } if !heard.is_unwanted(direction, bytes.len() as u64) => {
                heard.looked_at = heard.looked_at.saturating_add(1);
                heard.blind[direction.index()] = bytes[0] == 0;
                heard.skip[direction.index()] = u64::from(bytes[0] % 4 * 5);
                (0, bytes.to_vec())
            }
            Content::Data { bytes, .. } => (bytes.len() as u64, Vec::new()),
            Content::Passed(n) | Content::Gap(n) => (n, Vec::new()),
        };
        heard.chunks.push((position, ack, length, looked_at));
        let skip = &mut heard.skip[direction.index()];
        *skip = skip.saturating_sub(length);
        match *skip {
            _ if heard.blind[direction.index()] => Demand::Nothing,
            0 => Demand::Look,
            n => Demand::Skip(n),
        }
    }

    fn pass(&mut self, heard: &mut Heard, key: &FlowKey, chunk: Chunk<'_>) -> Option<Demand> {
        let Content::Passed(n) = chunk.content else { return None };
        heard.is_unwanted(chunk.direction, n).then(|| self.chunk(heard, key, chunk))
    }

    fn standing(&self, heard: &Heard) -> Standing {
        let memory = if heard.skip == [0, 0] { 0 } else { 7 };
        Standing { memory, unsettled: 0, wanted: heard.looked_at > 2 }
    }

    fn shed(&mut self, _: &mut Heard, _: &FlowKey) {}

    fn fold(&mut self, heard: &mut Heard, to: &mut Folding) -> bool {
        to.number(self.folded.len() as u64);
        self.folded.push(std::mem::take(heard));
        true
    }

    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Heard {
        std::mem::take(&mut self.folded[from.number() as usize])
    }

    fn end(&mut self, _: &mut Heard, _: &FlowKey, _: Direction) {}
    fn close(&mut self, _: Heard, _: &FlowKey) {}
}

/// What is sent next: which way, how many bytes, and what is odd about it.
type Step = (bool, u32, u8, u8);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((any::<bool>(), 0..9_u32, any::<u8>(), any::<u8>()), 1..80)
}

fn segment<'a>(number: i64, step: Step, next: &mut [u32; 2], bytes: &'a [u8]) -> Segment<'a> {
    let (up, length, oddity, value) = step;
    let end = |port| Endpoint::new([192, 0, 2, 1].into(), port);
    let (from, to) = if up { (end(1), end(2)) } else { (end(2), end(1)) };
    let (flow, direction) = FlowKey::new(from, to);
    let (me, you) = (direction.index(), direction.reverse().index());
    let ahead = u32::from(value % 16);
    let (mut seq, mut ack, mut flags, mut missing, mut wait) =
        (next[me], Some(next[you]), Flags::ACK, 0, 1);
    match oddity {
        0..4 => seq = seq.wrapping_sub(ahead),
        4..8 => seq = seq.wrapping_add(ahead),
        8..16 => ack = ack.map(|ack| ack.wrapping_sub(ahead)),
        16..20 => ack = ack.map(|ack| ack.wrapping_add(ahead)),
        20..22 => ack = None,
        22..24 => flags = Flags(Flags::ACK.0 | Flags::FIN.0),
        24 => flags = Flags(Flags::ACK.0 | Flags::SYN.0),
        25 => flags = Flags::SYN,
        26 => flags = Flags::RST,
        27..30 => missing = ahead,
        30 => wait = 3_000 * i64::from(ahead),
        31 => seq = seq.wrapping_add(1 << 29),
        _ => {}
    }
    let time = Timestamp::from_nanos((number + wait) * 1_000_000);
    let payload = &bytes[..length as usize];
    if !(4..8).contains(&oddity) && oddity != 31 {
        next[me] = seq.wrapping_add(length + missing + u32::from(flags.has(Flags::SYN)));
    }
    let (seq, ack) = (Seq(seq), ack.map(Seq));
    Segment { time, flow, tunnel: None, direction, seq, ack, flags, payload, unseen: 0, missing }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_connection_that_was_folded_up_goes_on_as_if_it_had_not_been(steps in steps()) {
        let mut folded = FlowTable::new(Choosy::default(), Limits::default());
        let mut flat = FlowTable::new(Choosy::default(), Limits::default());
        let mut next = [u32::MAX - 30, 1_000];
        for (number, step) in (0..).zip(steps) {
            let bytes = [step.3; 9];
            let segment = segment(number, step, &mut next, &bytes);
            folded.fold_and_unfold(&segment.flow);
            folded.segment(&segment);
            flat.segment(&segment);
            prop_assert_eq!(folded.counts(), flat.counts());
            if number % 8 == 0 {
                prop_assert_eq!(folded.look_into(&segment.flow), flat.look_into(&segment.flow));
            }
        }
    }

    #[test]
    fn both_ways_of_a_segment_leave_the_same_behind(steps in steps()) {
        let mut short = FlowTable::new(Choosy::default(), Limits::default());
        let mut long = FlowTable::new(Choosy::default(), Limits::default());
        long.long_way = true;
        let mut next = [u32::MAX - 30, 1_000];
        for (number, step) in (0..).zip(steps) {
            let bytes = [step.3; 9];
            let segment = segment(number, step, &mut next, &bytes);
            short.segment(&segment);
            long.segment(&segment);
            prop_assert_eq!(short.counts(), long.counts());
            // In words, all of it takes a while.
            if number % 8 == 0 {
                prop_assert_eq!(short.look_into(&segment.flow), long.look_into(&segment.flow));
            }
        }
    }

    #[test]
    fn the_length_of_what_nobody_looks_at_is_as_good_as_its_bytes(steps in steps()) {
        let mut whole = FlowTable::new(Choosy::default(), Limits::default());
        let mut lengths = FlowTable::new(Choosy::default(), Limits::default());
        // Of one connection, by direction: from where on, and how many bytes.
        let mut unwanted = [None; 2];
        let mut next = [u32::MAX - 30, 1_000];
        for (number, step) in (0..).zip(steps) {
            let bytes = [step.3; 9];
            let segment = segment(number, step, &mut next, &bytes);
            let (mut length, before) = (segment, lengths.counts());
            let covers = |(start, n): (Seq, u64)| {
                let from = segment.seq.minus(start);
                from >= 0 && from as u64 + segment.sent() <= n
            };
            let is_plain = segment.flags == Flags::ACK && segment.missing == 0 && step.2 != 30;
            if is_plain && unwanted[segment.direction.index()].is_some_and(covers) {
                (length.payload, length.unseen) = (&[], segment.payload.len() as u32);
            }
            whole.segment(&segment);
            let n = lengths.segment(&length);
            if lengths.counts().flows != before.flows || !is_plain {
                unwanted = [None; 2];
            }
            if n > 0 {
                unwanted[segment.direction.index()] = Some((segment.end(), n.min(1_000)));
            }
            // What nobody looks at is not compared either.
            let counts = [&whole, &lengths].map(|it| Counts { conflicting_bytes: 0, ..it.counts() });
            prop_assert_eq!(counts[0], counts[1]);
            if number % 8 == 0 {
                prop_assert_eq!(whole.look_into(&segment.flow), lengths.look_into(&segment.flow));
            }
        }
    }

    #[test]
    fn a_length_where_bytes_are_looked_at_is_missing_but_for_what_has_another_fate(
        steps in steps()
    ) {
        let mut whole = FlowTable::new(Choosy::default(), Limits::default());
        let mut lengths = FlowTable::new(Choosy::default(), Limits::default());
        let mut next = [u32::MAX - 30, 1_000];
        for (number, step) in (0..).zip(steps) {
            // Such that all is looked at.
            let bytes = [(step.3 & !3) | 4; 9];
            let mut segment = segment(number, step, &mut next, &bytes);
            whole.segment(&segment);
            if step.3 & 1 == 1 {
                (segment.payload, segment.unseen) = (&[], segment.payload.len() as u32);
            }
            lengths.segment(&segment);
        }
        whole.close();
        lengths.close();
        let (whole, lengths) = (whole.counts(), lengths.counts());
        let fates = |counts: Counts| {
            let Counts { duplicate_bytes, stray_bytes, late_bytes, flows, .. } = counts;
            let sent = counts.payload_bytes + counts.gap_bytes;
            (duplicate_bytes, stray_bytes, late_bytes, flows, sent)
        };
        prop_assert_eq!(fates(whole), fates(lengths));
        prop_assert_eq!((whole.unsettled_bytes, lengths.unsettled_bytes), (0, 0));
    }
}
