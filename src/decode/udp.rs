//! UDP: from its header to the payload.

use super::PacketFate;
use super::link::after;
use etherparse::UdpHeaderSlice;

/// A UDP datagram (RFC 768).
#[derive(Clone, Copy, Debug)]
pub(super) struct Udp<'a> {
    pub(super) source: u16,
    pub(super) destination: u16,
    /// The payload bytes that were captured.
    pub(super) payload: &'a [u8],
    /// How many more there were on the wire.
    pub(super) missing: usize,
}

/// The datagram whose header starts at `data`, after which `missing` bytes were not captured.
pub(super) fn datagram(data: &[u8], missing: usize) -> Result<Udp<'_>, PacketFate> {
    let header = UdpHeaderSlice::from_slice(data).map_err(|_| PacketFate::Truncated)?;
    let rest = after(data, header.slice().len())?;
    let there = rest.len() + missing;
    // 0 where segmentation was left to the hardware.
    let said = usize::from(header.length()).checked_sub(header.slice().len());
    let len = said.filter(|len| *len <= there).unwrap_or(there);
    let payload = &rest[..len.min(rest.len())];
    Ok(Udp {
        source: header.source_port(),
        destination: header.destination_port(),
        payload,
        missing: len - payload.len(),
    })
}
