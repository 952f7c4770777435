//! Captures with flipped bytes, cut packets and files, and packets in any order: sealwatch never
//! panics, and the ledger accounts for every packet and byte that it read.
//!
//! `SEALWATCH_VARIANTS` is how many variants there are (300); `SEALWATCH_MORE_CAPTURES` is a folder
//! (or several, parted by `:`) of further captures.

#[path = "../benches/traffic/mod.rs"]
mod traffic;

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use support::binary::{captures, run};
use support::counts::{packets, sum};
use traffic::random::Random;
use traffic::{Bodies, Shape, Size, Wire};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

/// A capture file, in parts where it is a plain pcap file.
struct Capture {
    name: String,
    bytes: Vec<u8>,
    /// Where each packet begins, its header included.
    packets: Vec<usize>,
}

impl Capture {
    fn new(name: String, bytes: Vec<u8>) -> Self {
        let mut packets = Vec::new();
        let is_plain = bytes.len() > FILE_HEADER
            && (bytes.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1])
                || bytes.starts_with(&[0x4d, 0x3c, 0xb2, 0xa1]));
        let mut at = FILE_HEADER;
        while is_plain && at + PACKET_HEADER <= bytes.len() {
            packets.push(at);
            at += PACKET_HEADER + word(&bytes, at + 8);
        }
        packets.retain(|from| from + PACKET_HEADER + word(&bytes, from + 8) <= bytes.len());
        Self { name, bytes, packets }
    }

    fn packet(&self, index: usize) -> &[u8] {
        let from = self.packets[index];
        &self.bytes[from..from + PACKET_HEADER + word(&self.bytes, from + 8)]
    }

    /// A spoiled copy.
    fn spoil(&self, random: &mut Random) -> Vec<u8> {
        if self.packets.is_empty() || random.chance(1000) {
            return self.spoil_file(random);
        }
        let mut order: Vec<usize> = (0..self.packets.len()).collect();
        if random.chance(5000) {
            shuffle(random, &mut order);
        }
        let flips = if random.chance(8000) { 1 + random.below(300) } else { 0 };
        let cuts = if random.chance(4000) { random.below(2000) } else { 0 };
        let mut file = self.bytes[..FILE_HEADER].to_vec();
        for index in order {
            let mut packet = self.packet(index).to_vec();
            if random.chance(flips) {
                flip(random, &mut packet[PACKET_HEADER..]);
            }
            if random.chance(cuts) {
                let length = random.below((packet.len() - PACKET_HEADER) as u64) as usize;
                packet.truncate(PACKET_HEADER + length);
                packet[8..12].copy_from_slice(&(length as u32).to_le_bytes());
            }
            file.extend(packet);
        }
        file
    }

    fn spoil_file(&self, random: &mut Random) -> Vec<u8> {
        let mut file = self.bytes.clone();
        for _ in 0..random.below(20) {
            flip(random, &mut file);
        }
        if random.chance(5000) {
            file.truncate(random.below(file.len() as u64 + 1) as usize);
        }
        file
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word = bytes[at..].first_chunk().copied().unwrap_or_default();
    u32::from_le_bytes(word) as usize
}

/// Changes one to eight bytes; more often where headers are.
fn flip(random: &mut Random, bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    let reach = if random.chance(5000) { length.min(80) } else { length };
    for _ in 0..=random.below(8) {
        if let Some(byte) = bytes.get_mut(random.below(reach) as usize) {
            *byte ^= 1 << random.below(8);
        }
    }
}

/// Moves packets; leaves some out, and gives some twice.
fn shuffle(random: &mut Random, order: &mut Vec<usize>) {
    let far = if random.chance(3000) { order.len() as u64 } else { 1 + random.below(40) };
    for at in 0..order.len() {
        let to = at + random.below(far.min((order.len() - at) as u64)) as usize;
        order.swap(at, to);
    }
    let (left_out, twice) = (random.below(1000), random.below(1000));
    let copies = |at: &usize| {
        let count = if random.chance(left_out) { 0 } else { 1 + usize::from(random.chance(twice)) };
        vec![*at; count]
    };
    *order = order.iter().flat_map(copies).collect();
}

fn made(seed: u64) -> Vec<u8> {
    const SMALL: &[Size] = &[Size { share: 10_000, from: 0, to: 6000 }];
    let bodies = if seed.is_multiple_of(2) { Bodies::Noise } else { Bodies::Messages };
    let shape =
        Shape { seed, exchanges: 40, sizes: SMALL, bodies, pipelined: 3000, ..Shape::default() };
    let wire = Wire { loss: 100, reorder: 300, depth: 20, duplicates: 300, ..Wire::default() };
    let mut file = Vec::new();
    let mut traffic = traffic::Traffic::new(shape, wire);
    traffic::frame::pcap(&mut traffic, &mut file).expect("memory can be written");
    file
}

/// Every file in a folder, all the way down.
fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() { find(&path, files) } else { files.push(path) }
    }
}

/// Whether a file is pcap, of either byte order, pcapng, or packed.
fn is_capture(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 7] = [
        &[0xd4, 0xc3, 0xb2, 0xa1],
        &[0x4d, 0x3c, 0xb2, 0xa1],
        &[0xa1, 0xb2, 0xc3, 0xd4],
        &[0xa1, 0xb2, 0x3c, 0x4d],
        &[0x0a, 0x0d, 0x0d, 0x0a],
        &[0x1f, 0x8b],
        &[0x28, 0xb5, 0x2f, 0xfd],
    ];
    magics.iter().any(|magic| bytes.starts_with(magic))
}

fn all() -> Vec<Capture> {
    let more = std::env::var("SEALWATCH_MORE_CAPTURES").unwrap_or_default();
    let folders = more.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut files = Vec::new();
    for folder in [captures()].into_iter().chain(folders) {
        find(&folder, &mut files);
    }
    files.sort();
    let read = |path: &PathBuf| {
        let bytes = fs::read(path).expect("a capture can be read");
        is_capture(&bytes).then(|| Capture::new(path.display().to_string(), bytes))
    };
    let made = (0..4).map(|seed| Capture::new(format!("made {seed}"), made(seed)));
    files.iter().filter_map(read).chain(made).collect()
}

/// Holds one variant to what is promised.
fn try_variant(capture: &Capture, seed: u64, file: &Path) {
    fs::write(file, capture.spoil(&mut Random(seed))).expect("a file can be written");
    let path = file.to_str().expect("paths here are UTF-8");
    let mut arguments = vec!["replay", "--quiet", "--format", "prometheus", path];
    arguments.extend(if seed.is_multiple_of(3) { &["--dedup"][..] } else { &[] });
    let what = format!("variant {seed} of {}", capture.name);
    let run = run(arguments);
    assert!(matches!(run.code, Some(0 | 1)), "{what}: {:?} {}", run.code, run.err);
    for word in ["panicked", "a defect"] {
        assert!(!run.err.contains(word), "{what}: {}", run.err);
    }
    if run.code == Some(0) || !run.out.is_empty() {
        assert_eq!(packets(&run.out), sum(&run.out, "packets_total"), "{what}: {}", run.out);
        assert!(run.out.contains("\nsealwatch_ledger_discrepancy 0\n"), "{what}: {}", run.out);
    }
}

#[test]
fn spoiled_captures_are_read_without_a_panic_and_with_an_exact_ledger() {
    let captures = all();
    assert!(captures.len() > 15, "{}", captures.len());
    println!("{} captures", captures.len());
    let variants = std::env::var("SEALWATCH_VARIANTS")
        .map_or(300, |variants| variants.parse().expect("SEALWATCH_VARIANTS is a number"));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (next, captures) = (AtomicU64::new(0), &captures);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (next, file) = (&next, folder.path().join(thread.to_string()));
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= variants {
                        return;
                    }
                    try_variant(&captures[seed as usize % captures.len()], seed, &file);
                }
            });
        }
    });
}
