use super::*;
use crate::capture::{ErrorKind, LinkType, Next, Packet, Take};
use crate::decode::PacketFate;
use crate::net::Timestamp;
use crate::tally::{Ledger, Limits};
use etherparse::PacketBuilder;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

/// Gives packets, and a problem after every hundredth.
struct Packets {
    packets: VecDeque<Vec<u8>>,
    given: u32,
    told: bool,
}

impl PacketSource for Packets {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        if self.given % 100 == 99 && !std::mem::replace(&mut self.told, true) {
            let path = format!("file-{}", self.given / 100).into();
            return Err(CaptureError { path, kind: ErrorKind::Empty });
        }
        let Some(data) = self.packets.pop_front() else { return Ok(Next::End) };
        self.told = false;
        self.given += 1;
        let _ = take(&Packet {
            time: Timestamp::from_nanos(i64::from(self.given)),
            link_type: LinkType::RAW,
            data: &data,
            wire_len: data.len() as u32,
            block: None,
        });
        Ok(Next::Packets)
    }
}

/// `exchanges` on each of `connections`, one request or answer a packet, in turns.
fn source(connections: u16, exchanges: u32) -> Packets {
    let request = b"GET /bucket/key HTTP/1.1\r\nHost: h\r\nx-amz-date: d\r\n\r\n";
    let answer = b"HTTP/1.1 200 OK\r\nx-amz-server-side-encryption: AES256\r\n\
                   Content-Length: 0\r\n\r\n";
    let [asked, answered] = [request.len() as u32, answer.len() as u32];
    let mut packets = VecDeque::new();
    for i in 0..exchanges {
        for port in 0..connections {
            let port = 40_000 + port;
            let mut push = |(from, to), (from_port, to_port), seq, ack, payload: &[u8]| {
                let builder = PacketBuilder::ipv4(from, to, 64);
                let builder = builder.tcp(from_port, to_port, seq, 1000).ack(ack);
                let mut packet = Vec::new();
                builder.write(&mut packet, payload).unwrap();
                packets.push_back(packet);
            };
            let (client, server) = ([192, 0, 2, 1], [192, 0, 2, 2]);
            push((client, server), (port, 80), i * asked, i * answered, request);
            push((server, client), (80, port), i * answered, (i + 1) * asked, answer);
        }
    }
    Packets { packets, given: 0, told: false }
}

fn config(workers: usize) -> Config {
    Config {
        workers,
        pace: Pace::Lossless,
        told_by: None,
        dedup_segments: None,
        decode: decode::Config::default(),
        flow: flow::Limits::default(),
        http: http::Limits::default(),
        s3: s3::Config::default(),
        policy: None,
    }
}

fn tally() -> Mutex<Tally> {
    Mutex::new(Tally::new(Limits { max_hosts: 10, ..Limits::default() }))
}

#[test]
fn events_come_in_the_order_of_packets_whatever_the_number_of_workers() {
    let told = |workers| {
        let tally = tally();
        let mut told = Vec::new();
        let ran: Result<(), ()> = run(vec![source(7, 3000)], &config(workers), &tally, |event| {
            if let Event::Observed(observation, _) = event {
                told.push(format!("{observation:?}"));
            }
            Ok(())
        });
        let tally = tally.into_inner().unwrap();
        assert_eq!((ran, tally.ledger.discrepancy()), (Ok(()), 0));
        assert_eq!(tally.exchanges(), (21_000, 0));
        told
    };
    let one = told(1);
    // Applied and over, of each; what ends with the input comes after it all.
    assert_eq!(one.len(), 42_000);
    for workers in [2, 8] {
        assert!(one == told(workers), "{workers} workers");
    }
}

#[test]
fn the_same_packets_in_as_many_runs_count_as_many_times() {
    let after = |runs| {
        let tally = tally();
        for _ in 0..runs {
            // Requests without an answer at the end, so that something is left open.
            let mut packets = source(7, 300);
            packets.packets.pop_back();
            let ran: Result<(), ()> = run(vec![packets], &config(2), &tally, |_| Ok(()));
            assert_eq!(ran, Ok(()));
        }
        tally.into_inner().unwrap()
    };
    let (one, three) = (after(1), after(3));
    assert_eq!((one.exchanges(), three.exchanges()), ((2_100, 0), (6_300, 0)));
    assert_eq!(three.period, one.period);
    let mut thrice = one.ledger.clone();
    for _ in 0..2 {
        thrice.received += one.ledger.received;
        thrice.packets += one.ledger.packets;
        thrice.flow += one.ledger.flow;
        thrice.http += one.ledger.http;
    }
    assert_eq!((&three.ledger, three.ledger.discrepancy()), (&thrice, 0));
    assert_eq!(three.ledger.flow.flows, 21);
}

#[test]
fn problems_reach_the_sink_and_end_nothing() {
    let tally = tally();
    let mut problems = Vec::new();
    let ran: Result<(), ()> = run(vec![source(1, 500)], &config(2), &tally, |event| {
        if let Event::Problem(problem) = event {
            problems.push(problem.to_string());
        }
        Ok(())
    });
    assert_eq!((ran, problems.len()), (Ok(()), 10));
    assert_eq!(problems[3], "file-3 is empty, not a capture file");
    assert_eq!(tally.into_inner().unwrap().exchanges(), (500, 0));
}

#[test]
fn a_sink_that_fails_ends_it_all() {
    let tally = tally();
    let mut seen = 0;
    let ran = run(vec![source(3, 20_000)], &config(2), &tally, |event| {
        seen += u32::from(matches!(event, Event::Observed(..)));
        if seen == 10 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((ran, seen), (Err("enough"), 10));
}

/// One direction of a link, as one of two taps sees it.
struct Tap<'a> {
    packets: VecDeque<(Timestamp, Vec<u8>)>,
    /// Whether the other one has given everything; `None` where it is not waited for.
    after: Option<&'a AtomicBool>,
    done: &'a AtomicBool,
}

impl PacketSource for Tap<'_> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        if self.after.is_some_and(|other| !other.load(Ordering::Relaxed)) {
            thread::sleep(Duration::from_millis(1));
            return Ok(Next::Idle(Timestamp::from_nanos(0)));
        }
        let Some((time, data)) = self.packets.pop_front() else {
            self.done.store(true, Ordering::Relaxed);
            return Ok(Next::End);
        };
        let wire_len = data.len() as u32;
        let link_type = LinkType::RAW;
        let _ = take(&Packet { time, link_type, data: &data, wire_len, block: None });
        Ok(Next::Packets)
    }
}

#[test]
fn each_direction_on_a_thread_of_its_own_is_as_good_as_both_on_one() {
    for pace in [Pace::Live, Pace::Prompt, Pace::Lossless] {
        let [ahead, behind] = [AtomicBool::new(false), AtomicBool::new(false)];
        let mut taps = [
            Tap { packets: VecDeque::new(), after: None, done: &ahead },
            Tap { packets: VecDeque::new(), after: Some(&ahead), done: &behind },
        ];
        for (i, data) in source(3, 2000).packets.into_iter().enumerate() {
            let time = Timestamp::from_nanos(1 + i as i64);
            taps[i % 2].packets.push_back((time, data));
        }
        let tally = tally();
        let config = Config { pace, ..config(2) };
        let ran: Result<(), ()> = run(taps.into(), &config, &tally, |_| Ok(()));
        let tally = tally.into_inner().unwrap();
        assert_eq!((ran, tally.ledger.discrepancy()), (Ok(()), 0));
        assert_eq!(tally.exchanges(), (6000, 0));
        let Ledger { flow, http, .. } = &tally.ledger;
        assert_eq!((flow.gaps, http.requests, http.responses), (0, 6000, 6000));
    }
}

#[test]
fn live_what_no_worker_has_room_for_is_dropped_and_counted() {
    let tally = tally();
    let config = Config { pace: Pace::Live, ..config(2) };
    let given = 2 * 16 * 14_000;
    let mut seen = 0_u64;
    let ran: Result<(), ()> = run(vec![source(16, 14_000)], &config, &tally, |event| {
        // Who reads on is slow, and so is then everyone before.
        seen += u64::from(matches!(event, Event::Observed(..)));
        if seen.is_multiple_of(100) && seen < 20_000 {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    });
    let tally = tally.into_inner().unwrap();
    let ledger = &tally.ledger;
    let [segments, dropped] =
        [PacketFate::Segment, PacketFate::Dropped].map(|fate| ledger.packets.get(fate));
    assert_eq!((ran, ledger.discrepancy()), (Ok(()), 0));
    assert!(dropped > 0 && segments > 0, "{dropped} of {given} dropped");
    assert_eq!((segments + dropped, ledger.packets.total()), (given, given));
    // Every segment holds a head. Where those before it are missing, it may not be sure that it does.
    let heads = ledger.http.requests + ledger.http.responses;
    assert!(heads <= segments && (heads < segments) == (ledger.http.lost_bytes > 0));
}

/// A source on which nothing comes, and which hangs as long as `hangs` is there.
struct Quiet {
    hangs: Option<crossbeam_channel::Receiver<()>>,
    left: u32,
}

impl PacketSource for Quiet {
    fn next(&mut self, _: &mut Take<'_>) -> Result<Next, CaptureError> {
        if let Some(hangs) = self.hangs.take() {
            let _ = hangs.recv();
        }
        self.left -= 1;
        if self.left == 0 {
            return Ok(Next::End);
        }
        Ok(Next::Idle(Timestamp::from_nanos(0)))
    }
}

#[test]
fn what_is_counted_is_told_of_each_source_also_where_nothing_comes() {
    let (release, hangs) = bounded(0);
    let mut release = Some(release);
    let mut counted = Vec::new();
    let sources = vec![Quiet { hangs: Some(hangs), left: 10 }, Quiet { hangs: None, left: 10 }];
    let config = Config { pace: Pace::Lossless, ..config(2) };
    let ran: Result<(), ()> = run(sources, &config, &tally(), |event| {
        if let Event::Counted { source } = event {
            counted.push(source);
        }
        // The one that hangs holds up neither the other nor, then, itself.
        if counted.len() == 10 {
            release.take();
        }
        Ok(())
    });
    assert_eq!(ran, Ok(()));
    assert_eq!(counted, [[1; 10], [0; 10]].concat());
}

/// A pcapng file in which `packets` follow a block of `size` bytes that means nothing.
fn behind_a_large_block(size: usize, packets: &VecDeque<Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, head: &[u32], body: &[u8]| {
        let body_len = body.len().next_multiple_of(4);
        let len = (12 + 4 * head.len() + body_len) as u32;
        [kind, len].iter().chain(head).for_each(|word| file.extend(word.to_le_bytes()));
        file.extend_from_slice(body);
        file.extend(std::iter::repeat_n(0, body_len - body.len()));
        file.extend(len.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]);
    block(1, &[LinkType::IPV4.0 as u32, 0], &[]);
    block(0x0bad, &[], &vec![0; size]);
    for packet in packets {
        let len = packet.len() as u32;
        block(6, &[0, 0, 0, len, len], packet);
    }
    file
}

#[test]
fn packets_in_a_block_that_fills_a_batch_by_itself_do_not_make_a_batch_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, behind_a_large_block(3 << 20, &source(1, 500).packets)).unwrap();
    let tally = tally();
    let mut counted = 0;
    let source = crate::capture::CaptureFiles::open(&[path], None);
    let ran: Result<(), ()> = run(vec![source], &config(1), &tally, |event| {
        counted += u32::from(matches!(event, Event::Counted { .. }));
        Ok(())
    });
    assert_eq!((ran, tally.into_inner().unwrap().exchanges()), (Ok(()), (500, 0)));
    assert!(counted <= 3, "{counted} batches");
}
