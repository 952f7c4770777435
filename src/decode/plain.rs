//! The commonest packet, by a short way: Ethernet, then IPv4 without options or IPv6 without extension
//! headers, then TCP, all of it captured.
//!
//! Takes a packet. Gives the segment in it, or nothing where it is anything else, or not as it should
//! be: the long way tells what, then. Promises the very segment that the long way gives, which a
//! property test and the `decode` fuzz target hold it to.

use super::Segment;
use super::tcp::{self, Transport};
use crate::capture::{LinkType, Packet};
use std::net::IpAddr;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: u8 = 6;
/// "More fragments", and the offset (RFC 791 §3.1).
const FRAGMENT: u16 = 0x3fff;

/// The segment in a packet that is as common as can be.
#[inline]
pub(super) fn segment<'a>(packet: &Packet<'a>) -> Option<Segment<'a>> {
    let data = packet.data;
    if packet.link_type != LinkType::ETHERNET || packet.wire_len as usize != data.len() {
        return None;
    }
    let (header, network) = data.split_first_chunk::<ETHERNET>()?;
    // Each its own way, so that it is known from here on which addresses there are.
    match [header[12], header[13]] {
        [0x08, 0x00] => tcp::whole_segment(packet.time, v4(network)?),
        [0x86, 0xdd] => tcp::whole_segment(packet.time, v6(network)?),
        _ => None,
    }
}

#[inline(always)]
fn v4(network: &[u8]) -> Option<Transport<'_>> {
    let header = network.first_chunk::<IPV4>()?;
    let is_plain = header[0] == 0x45
        && u16::from_be_bytes([header[6], header[7]]) & FRAGMENT == 0
        && header[9] == TCP;
    if !is_plain {
        return None;
    }
    let total_len = u16::from_be_bytes([header[2], header[3]]);
    let data = network.get(IPV4..usize::from(total_len))?;
    let address =
        |at: usize| IpAddr::from([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    Some(Transport { source: address(12), destination: address(16), data })
}

#[inline(always)]
fn v6(network: &[u8]) -> Option<Transport<'_>> {
    let (header, rest) = network.split_first_chunk::<IPV6>()?;
    let payload_len = u16::from_be_bytes([header[4], header[5]]);
    if header[0] >> 4 != 6 || header[6] != TCP || payload_len == 0 {
        return None;
    }
    let data = rest.get(..usize::from(payload_len))?;
    let (source, destination) = (header[8..].first_chunk()?, header[24..].first_chunk()?);
    let [source, destination] = [source, destination].map(|bytes: &[u8; 16]| IpAddr::from(*bytes));
    Some(Transport { source, destination, data })
}
