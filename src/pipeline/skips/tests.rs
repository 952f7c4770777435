//! What stays behind is told of rightly, and changes nothing.

use super::super::batch::{Batch, Keep};
use super::*;
use crate::flow::{self, FlowTable};
use crate::http::{self, Http};
use crate::net::Endpoint;
use crate::s3::{self, S3Reader};
use ahash::RandomState;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::fmt::Write as _;

/// A packet of one of a few connections.
#[derive(Clone, Debug)]
struct Packet {
    millis: i64,
    port: u16,
    is_request: bool,
    seq: u32,
    ack: u32,
    flags: u8,
    payload: Vec<u8>,
}

impl Packet {
    fn segment(&self) -> Segment<'_> {
        let [client, server] =
            [(1, self.port), (2, 80)].map(|(n, port)| Endpoint::new([192, 0, 2, n].into(), port));
        let (from, to) = if self.is_request { (client, server) } else { (server, client) };
        let (flow, direction) = FlowKey::new(from, to);
        let flags = Flags(self.flags);
        Segment {
            time: Timestamp::from_nanos(self.millis * 1_000_000),
            flow,
            tunnel: None,
            direction,
            seq: Seq(self.seq),
            ack: flags.has(Flags::ACK).then_some(Seq(self.ack)),
            flags,
            payload: &self.payload,
            unseen: 0,
            missing: 0,
        }
    }
}

const SEGMENT: u32 = 100;

/// Both ends of a connection that talk.
struct Talk {
    millis: i64,
    port: u16,
    next: [u32; 2],
    packets: Vec<Packet>,
}

impl Talk {
    fn say(&mut self, is_request: bool, flags: u8, payload: &[u8]) {
        let me = usize::from(!is_request);
        let ([seq, ack], port) = ([self.next[me], self.next[1 - me]], self.port);
        self.millis += 1;
        let Self { millis, .. } = *self;
        let payload = payload.to_vec();
        let ends = u32::from(flags & (Flags::SYN.0 | Flags::FIN.0) != 0);
        self.next[me] = seq.wrapping_add(payload.len() as u32).wrapping_add(ends);
        self.packets.push(Packet { millis, port, is_request, seq, ack, flags, payload });
    }

    fn send(&mut self, is_request: bool, bytes: &[u8]) {
        for part in bytes.chunks(SEGMENT as usize) {
            self.say(is_request, Flags::ACK.0, part);
            self.say(!is_request, Flags::ACK.0, b"");
        }
    }

    fn begin(&mut self, isn: u32) {
        self.next = [isn, isn.wrapping_add(77)];
        self.say(true, Flags::SYN.0, b"");
        self.say(false, Flags::SYN.0 | Flags::ACK.0, b"");
        self.say(true, Flags::ACK.0, b"");
    }

    /// An exchange, or what becomes of one.
    fn go_on(&mut self, step: Step) {
        let Step { what, body, after } = step;
        // Text that would be an answer, were it looked at.
        let answer = "HTTP/1.1 200 OK\r\nx-amz-server-side-encryption: AES256\r\nContent-Length: ";
        let content = format!("{:.<100}", format!("{answer}0\r\n\r\n")).repeat(1 + body / 100);
        let content = &content.as_bytes()[..body];
        let get = b"GET /bucket/key HTTP/1.1\r\nHost: h\r\nx-amz-date: d\r\n\r\n";
        let head = format!("{answer}{body}\r\n\r\n");
        self.millis += after;
        match what {
            0..8 => {
                self.send(true, get);
                self.send(false, head.as_bytes());
                self.send(false, content);
            }
            8..12 => {
                let put = format!(
                    "PUT /bucket/key HTTP/1.1\r\nHost: h\r\nContent-Length: {body}\r\n\r\n"
                );
                self.send(true, put.as_bytes());
                self.send(true, content);
                self.send(false, format!("{answer}0\r\n\r\n").as_bytes());
            }
            12 => {
                // The server gives up in the middle, and another connection follows.
                self.send(true, get);
                self.send(false, head.as_bytes());
                self.send(false, &content[..body / 2]);
                self.begin(self.next[1].wrapping_add(body as u32 / 4));
            }
            13 => self.say(false, Flags::RST.0, b""),
            14 => self.begin(self.next[0].wrapping_add(0x1234_5678)),
            _ => {
                self.send(true, get);
                self.send(false, &head.as_bytes().repeat(2)[..head.len() + 20]);
                self.say(false, Flags::ACK.0 | Flags::FIN.0, content);
                self.say(true, Flags::ACK.0 | Flags::FIN.0, b"");
            }
        }
    }
}

/// What happens on a connection.
#[derive(Clone, Copy, Debug)]
struct Step {
    what: u8,
    body: usize,
    /// After so many milliseconds.
    after: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let after = prop_oneof![8 => 0..3_i64, 1 => Just(3_000), 1 => Just(700_000)];
    (0..16_u8, 0..4_000_usize, after).prop_map(|(what, body, after)| Step { what, body, after })
}

/// Packets of two connections in the order of time, some of them lost, repeated or late.
fn traffic() -> impl Strategy<Value = Vec<Packet>> {
    let talk = |port| {
        (prop::collection::vec(step(), 1..8), any::<u32>()).prop_map(move |(steps, isn)| {
            let mut talk = Talk { millis: 0, port, next: [0; 2], packets: Vec::new() };
            talk.begin(isn);
            steps.into_iter().for_each(|step| talk.go_on(step));
            talk.packets
        })
    };
    let faults = prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, 1..20_usize), 0..12);
    (talk(40_000), talk(40_001), faults).prop_map(|(one, other, faults)| {
        let mut packets = [one, other].concat();
        packets.sort_by_key(|packet| packet.millis);
        for (index, fault, far) in faults {
            let at = index.index(packets.len());
            let until = (at + far).min(packets.len() - 1);
            // What comes so late that another connection has begun may end that, by no packet of its own.
            let begins = |packet: &Packet| Flags(packet.flags).has(Flags::SYN);
            let late = packets[at..=until].iter().skip(1).position(begins);
            let late = late.map_or(until, |n| at + n);
            match fault {
                0 if packets.len() > 1 => drop(packets.remove(at)),
                1 => packets.insert(late + 1, packets[at].clone()),
                2 => packets[at..=late].rotate_left(1),
                // Lost together.
                _ => drop(packets.drain(at..until)),
            }
        }
        packets
    })
}

/// What is found in packets, in batches of so many that wait in a queue for their worker; and how many
/// bytes stayed behind, where that is wanted.
fn examine(packets: &[Packet], size: usize, queue: usize, skip: bool) -> (String, u64) {
    let hasher = RandomState::new();
    let (tell, skips) = Skips::new();
    let mut skips = skip.then_some(skips);
    let mut teller = Teller { enough: 1, again: 1, ..Teller::new(vec![tell]) };
    let http = Http::new(S3Reader::new(&s3::Config::default()), http::Limits::default());
    let mut table = FlowTable::with_hasher(http, flow::Limits::default(), hasher.clone());
    let (mut found, mut stayed, mut number) = (String::new(), 0, 0);
    let mut work = |table: &mut FlowTable<Http<S3Reader>>, batch: Batch| {
        for numbered in batch.segments(0..batch.len() as usize) {
            stayed += u64::from(numbered.segment.unseen);
            let unwanted = table.segment_hashed(numbered.hash, &numbered.segment);
            teller.note(0, &numbered, unwanted);
            for what in table.consumer().reader.drain() {
                writeln!(found, "{} {what:?}", numbered.packet).expect("to write");
            }
        }
        table.sweep(batch.now);
    };
    let mut waiting = VecDeque::new();
    for part in packets.chunks(size) {
        skips.iter_mut().for_each(Skips::hear);
        let mut batch = Batch::default();
        for packet in part {
            let segment = packet.segment();
            let hash = hasher.hash_one(segment.flow);
            let may_stay = skips.as_mut().is_some_and(|s| s.may_stay(number, hash, &segment));
            batch.push(number, hash, &segment, if may_stay { Keep::Length } else { Keep::Copy });
            batch.now = segment.time;
            number += 1;
        }
        waiting.push_back(batch);
        if waiting.len() > queue {
            waiting.drain(..1).for_each(|batch| work(&mut table, batch));
        }
    }
    waiting.into_iter().for_each(|batch| work(&mut table, batch));
    table.close();
    let reader = &mut table.consumer().reader;
    let last: Vec<_> = reader.drain().collect();
    let (flow, http) = (table.counts(), table.consumer().counts());
    (format!("{found}{last:#?}\n{flow:#?}\n{http:#?}"), stayed)
}

/// A segment of a body: from the server, at `seq`, after so many milliseconds.
fn part(seq: u32, millis: i64) -> Packet {
    let payload = vec![b'x'; SEGMENT as usize];
    let flags = Flags::ACK.0;
    Packet { millis, port: 40_000, is_request: false, seq, ack: 7, flags, payload }
}

/// Of that connection nobody looks at 10,000 bytes behind sequence number 1,000, as packet 20 showed.
fn told() -> Skips {
    let (tell, mut skips) = Skips::new();
    let packet = part(900, 0);
    let numbered = Numbered { packet: 20, hash: 5, segment: packet.segment() };
    assert!(!skips.may_stay(20, 5, &packet.segment()));
    Teller { enough: 10_000, ..Teller::new(vec![tell]) }.note(0, &numbered, 10_000);
    skips.hear();
    skips
}

#[test]
fn what_is_within_what_was_told_stays_behind() {
    let mut skips = told();
    for (seq, stays) in [(1_000, true), (1_500, true), (10_900, true), (10_901, false)] {
        assert_eq!(skips.may_stay(30, 5, &part(seq, 1).segment()), stays, "{seq}");
    }
    assert!(!skips.may_stay(30, 5, &part(1_000, 1).segment()), "it is over");
    assert!(!told().may_stay(30, 5, &part(999, 1).segment()));
    assert!(!told().may_stay(30, 5, &Packet { port: 40_001, ..part(1_000, 1) }.segment()));
    assert!(!told().may_stay(30, 5, &Packet { is_request: true, ..part(1_000, 1) }.segment()));
    assert!(!told().may_stay(30, 5, &Packet { ack: 7 + (1 << 27), ..part(1_000, 1) }.segment()));
    assert!(!told().may_stay(30, 5, &Segment { missing: 1, ..part(1_000, 1).segment() }));
}

#[test]
fn a_silence_ends_what_was_told() {
    let mut skips = told();
    assert!(skips.may_stay(30, 5, &part(1_000, 900).segment()));
    assert!(skips.may_stay(30, 5, &part(1_100, 1_900).segment()));
    assert!(!skips.may_stay(30, 5, &part(1_200, 2_901).segment()));
}

#[test]
fn a_leap_of_time_ends_all_that_was_told() {
    for leap in [2_000, -2_000] {
        let mut skips = told();
        assert!(skips.may_stay(30, 5, &part(1_000, 0).segment()));
        assert!(!skips.may_stay(31, 6, &part(1_100, leap).segment()));
        assert!(!skips.may_stay(32, 5, &part(1_100, 0).segment()));
    }
}

#[test]
fn what_was_told_of_packets_before_an_end_does_not_hold() {
    for flags in [Flags::SYN, Flags::FIN, Flags::RST] {
        for is_request in [false, true] {
            let (tell, mut skips) = Skips::new();
            let end = Packet { flags: flags.0, is_request, ..part(1, 0) };
            assert!(!skips.may_stay(20, 5, &end.segment()));
            let packet = part(900, 0);
            let mut teller = Teller { again: 1, ..Teller::new(vec![tell]) };
            for (number, holds) in [(20, false), (21, true)] {
                let numbered = Numbered { packet: number, hash: 5, segment: packet.segment() };
                teller.note(0, &numbered, ENOUGH);
                skips.hear();
                let stays = skips.may_stay(30, 5, &part(1_000, 1).segment());
                assert_eq!(stays, holds, "{flags:?} {number}");
            }
            assert!(!skips.may_stay(31, 5, &end.segment()));
            assert!(!skips.may_stay(32, 5, &part(1_100, 1).segment()));
        }
    }
}

#[test]
fn what_a_worker_cannot_place_ends_what_was_told() {
    let [whole, after, later] = [part(900, 0), part(1_000, 1), part(1_100, 2)];
    let left = Segment { payload: &[], unseen: SEGMENT, ..after.segment() };
    for (packet, unwanted, ends) in [(30, 0, true), (30, 1, false), (19, 0, false)] {
        let (tell, mut skips) = Skips::new();
        assert!(!skips.may_stay(18, 5, &whole.segment()));
        let mut teller = Teller::new(vec![tell]);
        let mut note = |packet, segment, unwanted| {
            teller.note(0, &Numbered { packet, hash: 5, segment }, unwanted);
            skips.hear();
        };
        note(20, whole.segment(), ENOUGH);
        // Told of a packet before, it says nothing of what was told since.
        note(packet, left, unwanted);
        assert_eq!(skips.may_stay(31, 5, &later.segment()), !ends, "{packet} {unwanted}");
    }
}

#[test]
fn the_same_is_not_told_again_and_again() {
    let (tell, skips) = Skips::new();
    let mut teller = Teller::new(vec![tell]);
    let parts = [part(900, 0), Packet { is_request: true, ..part(900, 0) }];
    for packet in 0..2 * AGAIN {
        let segment = parts[packet as usize % 2].segment();
        teller.note(0, &Numbered { packet, hash: 5, segment }, u64::MAX);
        teller.note(0, &Numbered { packet, hash: 6, segment }, ENOUGH - 1);
    }
    let told: Vec<_> = skips.heard.try_iter().collect();
    assert_eq!(told.iter().map(|skip| skip.packet).collect::<Vec<_>>(), [0, 1, 4096, 4097]);
    assert!(told.iter().all(|skip| u64::from(skip.len) == MOST));
}

#[test]
fn most_of_a_long_body_stays_behind() {
    let mut talk = Talk { millis: 0, port: 40_000, next: [0; 2], packets: Vec::new() };
    talk.begin(u32::MAX - 1_000);
    talk.go_on(Step { what: 0, body: 100_000, after: 0 });
    for (size, queue, least) in [(1, 0, 99_000), (20, 0, 95_000), (20, 3, 90_000)] {
        let (_, stayed) = examine(&talk.packets, size, queue, true);
        assert!((least..=100_000).contains(&stayed), "{stayed} with {size} and {queue}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    })]
    #[test]
    fn nothing_depends_on_what_stays_behind_and_when_that_is_told(
        packets in traffic(), size in 1..40_usize, queue in 0..4_usize,
    ) {
        let (whole, _) = examine(&packets, size, queue, false);
        let (lengths, _) = examine(&packets, size, queue, true);
        prop_assert_eq!(whole, lengths);
    }
}
