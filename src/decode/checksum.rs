//! Checksums, where they are to be verified.
//!
//! A capture made on the sending host holds what the kernel gave to the hardware, which was to
//! fill the checksums in: those are no errors of the wire. Linux leaves 0 in the IPv4 header
//! and the sum of the pseudo-header in TCP.

use super::datagram::Datagram;
use etherparse::{Ipv4HeaderSlice, TcpHeaderSlice};
use std::net::IpAddr;

/// Whether an IPv4 header's checksum is right, or was left to the hardware (RFC 791 §3.1).
pub(super) fn ipv4_header_is_right(header: &Ipv4HeaderSlice<'_>) -> bool {
    let said = header.header_checksum();
    said == 0 || fold(sum(header.slice())) == u16::MAX
}

/// Whether a whole TCP segment's checksum is right, or was left to the hardware, or cannot be
/// verified because the segment is a super-packet (RFC 9293 §3.1).
pub(super) fn tcp_is_right(datagram: &Datagram<'_>, data: &[u8]) -> bool {
    let Ok(header) = TcpHeaderSlice::from_slice(data) else { return false };
    let pseudo_header = match (datagram.source, datagram.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            sum(&source.octets()) + sum(&destination.octets())
        }
        _ => return false,
    };
    let Ok(len) = u16::try_from(data.len()) else { return true };
    let pseudo_header = pseudo_header + u64::from(etherparse::IpNumber::TCP.0) + u64::from(len);
    header.checksum() == fold(pseudo_header) || fold(pseudo_header + sum(data)) == u16::MAX
}

/// The sum of 16-bit words, the last byte padded with zero (RFC 1071).
fn sum(data: &[u8]) -> u64 {
    let words = data.chunks_exact(2);
    let last = words.remainder().first().map_or(0, |&byte| u64::from(byte) << 8);
    words.map(|word| u64::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u64>() + last
}

/// Adds the carries back in: one's complement.
fn fold(mut sum: u64) -> u16 {
    while sum > u64::from(u16::MAX) {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}
