//! Target: captures of conversations whose truth is known, through everything.
//!
//! The script says what is said on a few connections ([`talk`]) and what becomes of the packets on
//! their way ([`wire`]). What is reported is held against what was said ([`truth`]). Besides, it
//! must not matter whether one worker examines the packets or three do, nor into how many files
//! they are cut.

pub mod talk;
mod truth;
pub mod wire;

use crate::capture_file::{memory_file, path};
use crate::support::conversation::Packet;
use crate::support::pcap;
use crate::tape::Tape;
use sealwatch::capture::{CaptureError, CaptureFiles, LinkType, Next, PacketSource, Take};
use sealwatch::net::{Endpoint, Timestamp};
use sealwatch::pipeline::{self, Config, Event, Pace};
use sealwatch::s3::{Observation, Record};
use sealwatch::tally::{Ledger, Limits, Tally};
use sealwatch::{capture, decode, flow, s3};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use talk::Said;
use wire::Tapped;

/// What the first byte says, besides how many connections there are: one more than its two lowest
/// bits, and three at most.
pub struct Options;

impl Options {
    /// The connections follow each other on the same ports; else they go on at the same time.
    pub const SAME_PORTS: u8 = 4;
    /// IPv6.
    pub const V6: u8 = 8;
}

/// When the first packet was captured.
const BEGIN: i64 = 1_764_000_000_000_000_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// The target.
pub fn run(data: &[u8]) {
    let mut tape = Tape::new(data);
    let options = tape.u8();
    let part = usize::from(tape.u8());
    let count = 1 + usize::from(options & 3).min(2);
    let same_ports = options & Options::SAME_PORTS != 0;
    let mut connections: Vec<(Said, Tapped)> = Vec::new();
    let mut first = 0;
    for number in 0..count {
        let said = talk::talk(&mut tape, first, same_ports && number > 0);
        first += said.facts.len();
        let mut tapped = wire::tap(&mut tape, &said);
        let earlier = || connections.iter().any(|(_, earlier)| !earlier.clean);
        tapped.disturbed = same_ports && number > 0 && (!tapped.clean || earlier());
        tapped.forgotten &= have_pauses(count, same_ports);
        connections.push((said, tapped));
    }
    let frames = frames(&connections, options);
    let whole = memory_file(&file(&frames));
    let one = examine(vec![CaptureFiles::open(&[path(&whole)], None)], 1);
    truth::check(&connections, &frames, &one);
    let three = examine(vec![Memory { frames: frames.clone(), next: 0 }], 3);
    one.assert_same(&three, "three workers");
    let (before, after) = frames.split_at(frames.len() * part / 256);
    let parts = [after, before].map(|frames| memory_file(&file(frames)));
    let two = examine(vec![CaptureFiles::open(&parts.each_ref().map(path), None)], 1);
    one.assert_same(&two, "two files");
}

/// A packet as it is captured: its time, its bytes, how many there were, how many of these are
/// payload of TCP.
#[derive(Clone, Debug)]
struct Frame {
    time: i64,
    data: Vec<u8>,
    wire_len: u32,
    payload: u64,
}

/// Who talks to whom on a connection.
fn ends(number: usize, options: u8) -> (Endpoint, Endpoint) {
    let address = |host: u8| match options & Options::V6 != 0 {
        true => IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]),
        false => IpAddr::from([192, 0, 2, host]),
    };
    let port = if options & Options::SAME_PORTS != 0 { 4000 } else { 4000 + number as u16 };
    (Endpoint::new(address(1 + number as u8 % 2 * 4), port), Endpoint::new(address(3), 80))
}

/// Whether connections pause: a pause of one would delay what is under way on others.
fn have_pauses(connections: usize, same_ports: bool) -> bool {
    same_ports || connections == 1
}

/// The packets of all connections, in the order in which they are captured.
fn frames(connections: &[(Said, Tapped)], options: u8) -> Vec<Frame> {
    let in_turns = options & Options::SAME_PORTS == 0;
    let mut captured: Vec<_> = connections
        .iter()
        .enumerate()
        .flat_map(|(number, (_, tapped))| tapped.captured.iter().map(move |c| (number, c)))
        .collect();
    if in_turns {
        captured.sort_by_key(|(_, captured)| captured.key);
    }
    let pauses = have_pauses(connections.len(), !in_turns);
    let mut time = BEGIN;
    let mut frames = Vec::new();
    for (number, captured) in captured {
        time += MILLISECOND + if pauses { captured.pause * SECOND } else { 0 };
        let number = if in_turns { number } else { 0 };
        let (client, server) = ends(number, options);
        let mut whole = captured.packet.clone();
        whole.time = time;
        whole.payload.resize(whole.payload.len() + captured.cut as usize, 0);
        frames.extend(frame(client, server, whole, captured.cut));
    }
    frames
}

fn frame(client: Endpoint, server: Endpoint, packet: Packet, cut: u32) -> Option<Frame> {
    let payload = packet.payload.len() as u64 - u64::from(cut);
    let (time, mut data) = pcap::connection(client, server, &[packet]).pop()?;
    let wire_len = data.len() as u32;
    data.truncate(data.len() - cut as usize);
    Some(Frame { time, data, wire_len, payload })
}

/// A pcap file of raw IP packets.
fn file(frames: &[Frame]) -> Vec<u8> {
    let mut file = pcap::header(LinkType::RAW.0 as u32);
    for Frame { time, data, wire_len, .. } in frames {
        let words = [time / SECOND, time % SECOND, data.len() as i64, i64::from(*wire_len)];
        words.iter().for_each(|word| file.extend((*word as u32).to_le_bytes()));
        file.extend(data);
    }
    file
}

/// Packets that are in no file.
struct Memory {
    frames: Vec<Frame>,
    next: usize,
}

impl PacketSource for Memory {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        let Some(Frame { time, data, wire_len, .. }) = self.frames.get(self.next) else {
            return Ok(Next::End);
        };
        self.next += 1;
        let (time, link_type) = (Timestamp::from_nanos(*time), LinkType::RAW);
        // One at a time: whether it has enough does not matter.
        let wire_len = *wire_len;
        let _ = take(&capture::Packet { time, link_type, data, wire_len, block: None });
        Ok(Next::Packets)
    }
}

/// What came of examining packets.
struct Outcome {
    /// Every observation, written out.
    observed: Vec<String>,
    records: Vec<Record>,
    ledger: Ledger,
}

impl Outcome {
    /// The same was observed. In which order, at the end, connections that had none are told, is a
    /// matter of who had them.
    #[track_caller]
    fn assert_same(&self, other: &Self, how: &str) {
        let sorted = |outcome: &Self| {
            let mut observed = outcome.observed.clone();
            observed.sort_unstable();
            observed
        };
        assert_eq!(sorted(self), sorted(other), "with {how}");
        assert_eq!(self.ledger, other.ledger, "with {how}");
    }
}

fn examine(sources: Vec<impl PacketSource + Send>, workers: usize) -> Outcome {
    let config = Config {
        workers,
        pace: Pace::Lossless,
        told_by: None,
        dedup_segments: None,
        http: sealwatch::http::Limits::default(),
        decode: decode::Config::default(),
        flow: flow::Limits::default(),
        s3: s3::Config { inventory: s3::Inventory::Values, ..s3::Config::default() },
        policy: None,
    };
    let tally = Mutex::new(Tally::new(Limits { max_hosts: 8, ..Limits::default() }));
    let (mut observed, mut records) = (Vec::new(), Vec::new());
    let Ok(()) = pipeline::run(sources, &config, &tally, |event| {
        match event {
            Event::Observed(observation, _) => {
                observed.push(format!("{observation:?}"));
                if let Observation::Over(record) = observation {
                    records.push((**record).clone());
                }
            }
            Event::Problem(problem) => panic!("{problem}"),
            Event::Counted { .. } => {}
        }
        Ok::<(), Infallible>(())
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome { observed, records, ledger: tally.ledger }
}
