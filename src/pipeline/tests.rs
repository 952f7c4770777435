use super::*;
use crate::capture::{ErrorKind, LinkType, Next, Packet};
use crate::net::Timestamp;
use crate::tally::Limits;
use etherparse::PacketBuilder;
use std::collections::VecDeque;

/// Gives packets, and a problem after every hundredth.
struct Packets {
    packets: VecDeque<Vec<u8>>,
    given: u32,
    told: bool,
}

impl PacketSource for Packets {
    fn next(&mut self, take: &mut dyn FnMut(&Packet<'_>)) -> Result<Next, CaptureError> {
        if self.given % 100 == 99 && !std::mem::replace(&mut self.told, true) {
            let path = format!("file-{}", self.given / 100).into();
            return Err(CaptureError { path, kind: ErrorKind::Empty });
        }
        let Some(data) = self.packets.pop_front() else { return Ok(Next::End) };
        self.told = false;
        self.given += 1;
        take(&Packet {
            time: Timestamp::from_nanos(i64::from(self.given)),
            link_type: LinkType::RAW,
            data: &data,
            wire_len: data.len() as u32,
        });
        Ok(Next::Packet)
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
        dedup: false,
        decode: decode::Config::default(),
        flow: flow::Limits::default(),
        s3: s3::Config::default(),
    }
}

fn tally() -> Mutex<Tally> {
    Mutex::new(Tally::new(Limits { max_hosts: 10, max_buckets: None }))
}

#[test]
fn events_come_in_the_order_of_packets_whatever_the_number_of_workers() {
    let told = |workers| {
        let tally = tally();
        let mut told = Vec::new();
        let ran: Result<(), ()> = run(vec![source(7, 3000)], &config(workers), &tally, |event| {
            if let Event::Observed(observation) = event {
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
        seen += u32::from(matches!(event, Event::Observed(_)));
        if seen == 10 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((ran, seen), (Err("enough"), 10));
}
