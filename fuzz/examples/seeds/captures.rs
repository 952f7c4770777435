//! Capture files of every kind.

use super::packets::segment;
use crate::Seed;
use std::io::Write;

/// A pcap file with that magic number, in either order of bytes.
fn pcap(magic: u32, big: bool, packets: &[&[u8]]) -> Vec<u8> {
    let u32s = |word: u32| if big { word.to_be_bytes() } else { word.to_le_bytes() };
    let version = if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] };
    let mut file = [&u32s(magic)[..], &version].concat();
    [0, 0, 65_535, 101].iter().for_each(|word| file.extend(u32s(*word)));
    for (at, packet) in packets.iter().enumerate() {
        let len = packet.len() as u32;
        [1_764_000_000, at as u32 * 1000, len, len]
            .iter()
            .for_each(|word| file.extend(u32s(*word)));
        file.extend(*packet);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = (body.len() as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &len, &body, &len].concat()
}

/// A pcapng file: a section, an interface with nanoseconds, packets, statistics.
fn pcapng(packets: &[&[u8]]) -> Vec<u8> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let interface = [101, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    let mut file = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for packet in packets {
        let len = packet.len() as u32;
        let words = [0, 410_000_000, 7, len, len].map(u32::to_le_bytes).concat();
        file.extend(block(6, &[&words, *packet].concat()));
    }
    file.extend(block(3, &[&60_u32.to_le_bytes()[..], packets[0]].concat()));
    file.extend(block(5, &[0; 12]));
    file
}

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let (v4, v6) = (segment(false), segment(true));
    let packets: [&[u8]; 2] = [&v4, &v6];
    let plain = pcap(0xa1b2_3c4d, false, &packets);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&plain).expect("memory can be written");
    let gzip = gzip.finish().expect("memory can be written");
    let zstd = zstd::encode_all(&plain[..], 3).expect("memory can be read");
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4][..], &zstd].concat();
    let files = [
        ("microseconds", pcap(0xa1b2_c3d4, false, &packets)),
        ("big-endian", pcap(0xa1b2_c3d4, true, &packets)),
        ("cut-off", plain[..plain.len() - 9].to_vec()),
        ("pcapng", pcapng(&packets)),
        ("gzip-cut-off", gzip[..gzip.len() - 12].to_vec()),
        ("gzip", gzip),
        ("zstd", zstd),
        ("zstd-skippable", skippable),
        ("nanoseconds", plain),
    ];
    files.map(|(name, bytes)| ("capture_file", name.to_owned(), bytes)).to_vec()
}
