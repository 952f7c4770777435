//! Reads captures of any kind as Ethernet frames, which can be sent over a wire.

use super::pcap::{PACKET_HEADER, header};
use pcap::{Capture, Linktype, Precision};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET: u32 = 1;

/// A frame, its time in nanoseconds, and how long it was on the wire.
#[derive(Clone, Debug)]
pub struct Frame {
    pub time: i64,
    pub data: Vec<u8>,
    pub wire_len: u32,
}

/// What is in those files, one after the other.
pub fn frames(files: &[PathBuf]) -> Vec<Frame> {
    files.iter().flat_map(|file| frames_of(file)).collect()
}

fn frames_of(file: &Path) -> Vec<Frame> {
    let unpacked = tempfile::NamedTempFile::new().expect("a file can be made");
    fs::write(unpacked.path(), unpack(file)).expect("a file can be written");
    let capture = Capture::from_file_with_precision(unpacked.path(), Precision::Nano);
    let mut capture = capture.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let link = capture.get_datalink();
    let mut frames = Vec::new();
    loop {
        match capture.next_packet() {
            Ok(packet) => {
                let (head, data) = ethernet(link, packet.data);
                let longer = head.len() as i64 + data.len() as i64 - packet.data.len() as i64;
                // With this precision these are nanoseconds.
                let nanos = packet.header.ts.tv_usec;
                frames.push(Frame {
                    time: packet.header.ts.tv_sec * 1_000_000_000 + nanos,
                    data: [&head, data].concat(),
                    wire_len: (i64::from(packet.header.len) + longer) as u32,
                });
            }
            Err(pcap::Error::NoMorePackets) => return frames,
            Err(error) => panic!("{}: {error}", file.display()),
        }
    }
}

/// A file's bytes, whatever it is packed by.
fn unpack(file: &Path) -> Vec<u8> {
    let bytes = fs::read(file).expect("a capture can be read");
    let mut unpacked = Vec::new();
    match &bytes[..] {
        [0x1f, 0x8b, ..] => {
            let read = flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked);
            read.expect("a capture can be unpacked");
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            unpacked = zstd::decode_all(&bytes[..]).expect("a capture can be unpacked");
        }
        _ => unpacked = bytes,
    }
    unpacked
}

/// An Ethernet header for a packet of that link type, and what follows it.
fn ethernet(link: Linktype, data: &[u8]) -> (Vec<u8>, &[u8]) {
    let header = |kind: u16| [&[2; 12][..], &kind.to_be_bytes()].concat();
    let kind_at = |at| header(u16::from_be_bytes([data[at], data[at + 1]]));
    match link {
        Linktype::ETHERNET => (Vec::new(), data),
        Linktype::LINUX_SLL => (kind_at(14), &data[16..]),
        Linktype::LINUX_SLL2 => (kind_at(0), &data[20..]),
        Linktype(12 | 14 | 101) if data[0] >> 4 == 4 => (header(IPV4), data),
        Linktype(12 | 14 | 101) => (header(IPV6), data),
        other => panic!("link type {} cannot be sent over Ethernet", other.0),
    }
}

/// A pcap file of frames; what was captured short stays short.
pub fn pcap_of_frames(frames: &[Frame]) -> Vec<u8> {
    let mut file = header(ETHERNET);
    for frame in frames {
        let mut head = [0; PACKET_HEADER];
        let words = [
            frame.time.div_euclid(1_000_000_000) as u32,
            frame.time.rem_euclid(1_000_000_000) as u32,
            frame.data.len() as u32,
            frame.wire_len,
        ];
        for (place, word) in head.chunks_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        file.extend(head);
        file.extend(&frame.data);
    }
    file
}
