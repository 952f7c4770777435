//! Frames, and capture files of them.

use super::Source;
use std::io::{self, Write};

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

const HEADERS: usize = 14 + 20 + 20;
const SNAPLEN: u32 = 262_144;
const ETHERNET: u32 = 1;

/// An IPv4 address and a port.
pub type End = ([u8; 4], u16);

/// What a TCP packet says beside its payload.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub from: End,
    pub to: End,
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: u8,
}

/// Writes a TCP packet with right checksums to `frame`, in place of what is there.
pub fn tcp(frame: &mut Vec<u8>, header: Header, payload: &[u8]) {
    let Header { from, to, seq, ack, flags } = header;
    let flags = if ack.is_some() { flags | ACK } else { flags };
    frame.clear();
    frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    let length = (HEADERS - 14 + payload.len()) as u16;
    frame.extend([0x45, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([seq as u8, (seq >> 8) as u8, 0x40, 0, 64, 6, 0, 0]);
    frame.extend(from.0);
    frame.extend(to.0);
    let sum = checksum(&[&frame[14..34]]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend(from.1.to_be_bytes());
    frame.extend(to.1.to_be_bytes());
    frame.extend(seq.to_be_bytes());
    frame.extend(ack.unwrap_or(0).to_be_bytes());
    frame.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend(payload);
    let pseudo = [0, 6, ((length - 20) >> 8) as u8, (length - 20) as u8];
    let sum = checksum(&[&frame[26..34], &pseudo, &frame[34..]]);
    frame[50..52].copy_from_slice(&sum.to_be_bytes());
}

/// The Internet checksum (RFC 1071) of parts of even length, but for the last.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u64;
    for part in parts {
        let (words, odd) = part.as_chunks::<2>();
        sum += words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        sum += odd.first().map_or(0, |byte| u64::from(*byte) << 8);
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Writes what a source gives to a pcapng file with nanoseconds, as Wireshark does: one section, one
/// interface, enhanced packet blocks. How many packets that was.
pub fn pcapng(source: &mut dyn Source, out: &mut impl Write) -> io::Result<u64> {
    // Section header; interface description with if_tsresol (9: ten to the minus nine).
    for word in [0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, !0, !0, 28] {
        out.write_all(&u32::to_le_bytes(word))?;
    }
    for word in [1, 32, ETHERNET, SNAPLEN, 0x0001_0009, 9, 0, 32] {
        out.write_all(&u32::to_le_bytes(word))?;
    }
    let mut frame = Vec::new();
    let mut packets = 0;
    while let Some(time) = source.next(&mut frame) {
        let length = frame.len() as u32;
        frame.resize(frame.len().next_multiple_of(4), 0);
        let block = 32 + frame.len() as u32;
        for word in [6, block, 0, (time >> 32) as u32, time as u32, length, length] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&frame)?;
        out.write_all(&block.to_le_bytes())?;
        packets += 1;
    }
    out.flush()?;
    Ok(packets)
}

/// Writes what a source gives to a pcap file with nanoseconds. How many packets that was.
pub fn pcap(source: &mut dyn Source, out: &mut impl Write) -> io::Result<u64> {
    for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, SNAPLEN, ETHERNET] {
        out.write_all(&u32::to_le_bytes(word))?;
    }
    let mut frame = Vec::new();
    let mut packets = 0;
    while let Some(time) = source.next(&mut frame) {
        let length = frame.len() as u32;
        let (seconds, nanos) = (time / 1_000_000_000, time % 1_000_000_000);
        for word in [seconds as u32, nanos as u32, length, length] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&frame)?;
        packets += 1;
    }
    out.flush()?;
    Ok(packets)
}
