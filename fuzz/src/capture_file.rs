//! Target: a capture file of any bytes, plain or packed, through the capture room and all that
//! follow it.
//!
//! What must hold:
//! - a packet is never longer than it was on the wire, and no longer than any file may say;
//! - a plain file has no more packets than it has room for their headers;
//! - every packet has one fate, every payload byte too, and there is no more payload than packets;
//! - what is wrong with a file is said of that file, and once;
//! - of a file that is cut off somewhere, the packets up to there are read, and no others;
//! - a file that is read in blocks has the packets that libpcap finds in it, and others only where
//!   libpcap says that it reads no further. (libpcap gives late times in pcap a sign, so that times
//!   are not compared.)

use rustix::fs::MemfdFlags;
use sealwatch::capture::{CaptureFiles, Drops, ErrorKind, First, Next, PacketSource, Take};
use sealwatch::pipeline::{self, Event, Pace};
use sealwatch::tally::{Limits, Tally};
use sealwatch::{capture::CaptureError, decode, flow, s3};
use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, PoisonError};

/// How many packets are read at most: a few packed bytes can hold millions.
const MAX_PACKETS: u64 = 4096;
/// The most that libpcap takes for one packet (`MAXIMUM_SNAPLEN` there, but for D-Bus and USB).
const MAX_PACKET: usize = 128 << 20;
/// The least that a packet takes in a file: a record header of pcap. (A block of pcapng is 12
/// bytes long at least, and one that holds a packet 16.)
const RECORD_HEADER: usize = 16;

/// The target.
pub fn run(data: &[u8]) {
    survive_closed_pipes();
    let read = read(data, None);
    let is_packed = matches!(data, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..])
        || matches!(data, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    if !is_packed {
        assert!(read.packets.len() * RECORD_HEADER <= data.len(), "packets from nowhere");
    }
    // One may be about the file's link type.
    assert!(read.problems.len() <= 2, "{:?}", read.problems);
    if is_packed && !read.problems.is_empty() {
        // What was unpacked in one step with the damage is lost with it, and a problem says so: how
        // far a cut file is read says nothing of one that is damaged later.
        return;
    }
    if !is_packed {
        compare_with_libpcap(data, &read);
    }
    let until = cut(data);
    let part = self::read(&data[..until], None).packets;
    assert!(
        read.packets.starts_with(&part),
        "of {until} of {} bytes: {part:?}, then {:?}",
        data.len(),
        read.packets
    );
}

/// A filter that passes everything asks for libpcap.
fn compare_with_libpcap(data: &[u8], blocks: &Read) {
    let libpcap = read(data, Some(String::new()));
    let without_time = |packets: &[Seen]| -> Vec<_> {
        packets.iter().map(|(_, link, wire_len, data)| (*link, *wire_len, data.clone())).collect()
    };
    let (ours, theirs) = (without_time(&blocks.packets), without_time(&libpcap.packets));
    assert!(ours.starts_with(&theirs), "{ours:?}, and libpcap {theirs:?}");
    let stopped = libpcap
        .problems
        .iter()
        .any(|problem| matches!(problem.kind, ErrorKind::Corrupt { .. } | ErrorKind::Filter(_)));
    assert!(stopped || ours.len() == theirs.len(), "{ours:?}, and libpcap {theirs:?}");
}

/// What unpacks a file writes to a pipe, which is closed where there is too much. A Rust program
/// gets an error for that; under libFuzzer, whose `main` is not Rust's, a signal would end it.
fn survive_closed_pipes() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let heeded = signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::default());
        heeded.expect("a signal can be caught");
    });
}

/// Where to cut a file off: anywhere, but for the same file at the same place.
fn cut(data: &[u8]) -> usize {
    let mix = |sum: usize, byte: &u8| sum.wrapping_mul(31).wrapping_add(usize::from(*byte));
    data.iter().fold(data.len(), mix) % (data.len() + 1)
}

/// A packet as far as it is compared: time, link type, wire length, bytes.
type Seen = (i64, i32, u32, Vec<u8>);

struct Read {
    packets: Vec<Seen>,
    problems: Vec<CaptureError>,
}

/// Reads a file through the whole pipeline.
fn read(data: &[u8], filter: Option<String>) -> Read {
    let file = memory_file(data);
    let source = First::new(CaptureFiles::open(&[path(&file)], filter), Some(MAX_PACKETS));
    let packets = Mutex::new(Vec::new());
    let tally = Mutex::new(Tally::new(Limits {
        max_hosts: 64,
        max_buckets: Some(64),
        ..Limits::default()
    }));
    let mut problems = Vec::new();
    let watched = Watched { source, packets: &packets };
    let Ok(()) = pipeline::run(vec![watched], &config(), &tally, |event| {
        if let Event::Problem(problem) = event {
            assert_eq!(problem.path, path(&file));
            problems.push(problem);
        }
        Ok::<(), Infallible>(())
    });
    let packets = packets.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ledger = tally.into_inner().unwrap_or_else(PoisonError::into_inner).ledger;
    let captured: usize = packets.iter().map(|(_, _, _, data): &Seen| data.len()).sum();
    assert_eq!(ledger.packets.total(), packets.len() as u64, "packets: {ledger:?}");
    assert_eq!(ledger.discrepancy(), 0, "payload bytes: {ledger:?}");
    assert_eq!(ledger.flow.buffered_bytes, 0, "{ledger:?}");
    assert!(ledger.flow.payload_bytes <= captured as u64, "payload from nowhere: {ledger:?}");
    Read { packets, problems }
}

fn config() -> pipeline::Config {
    pipeline::Config {
        workers: 1,
        pace: Pace::Lossless,
        told_by: None,
        dedup_segments: None,
        http: sealwatch::http::Limits::default(),
        decode: decode::Config::default(),
        flow: flow::Limits::default(),
        s3: s3::Config::default(),
        policy: None,
    }
}

/// A source, and what it gave.
struct Watched<'p, S> {
    source: S,
    packets: &'p Mutex<Vec<Seen>>,
}

impl<S: PacketSource> PacketSource for Watched<'_, S> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        let mut packets = self.packets.lock().unwrap_or_else(PoisonError::into_inner);
        let before = packets.len();
        let next = self.source.next(&mut |packet| {
            assert!(packet.data.len() <= packet.wire_len as usize, "more than there was");
            assert!(packet.data.len() <= MAX_PACKET, "too long");
            let (time, link) = (packet.time.as_nanos(), packet.link_type.0);
            packets.push((time, link, packet.wire_len, packet.data.to_vec()));
            take(packet)
        });
        let given = packets.len() > before;
        assert!(given || !matches!(next, Ok(Next::Packets)), "none was given");
        next
    }

    fn drops(&mut self) -> Drops {
        self.source.drops()
    }
}

/// A file without a name.
pub fn memory_file(data: &[u8]) -> File {
    let file = rustix::fs::memfd_create("capture", MemfdFlags::CLOEXEC);
    let mut file = File::from(file.expect("there is memory for a file"));
    file.write_all(data).expect("it can be written");
    file
}

/// How it can be opened all the same.
pub fn path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
