//! TCP: from its header to the segment.

use super::datagram::Datagram;
use super::{Flags, PacketFate, Segment, checksum};
use crate::net::{Endpoint, FlowKey, Seq, Timestamp};
use etherparse::TcpHeaderSlice;
use std::net::IpAddr;

const MIN_HEADER: usize = 20;

/// What IP carries between two addresses, all of it.
pub(super) struct Transport<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) data: &'a [u8],
}

/// The segment that is all of `transport`; nothing where its header cannot be.
#[inline(always)]
pub(super) fn whole_segment<'a>(
    time: Timestamp,
    Transport { source, destination, data }: Transport<'a>,
) -> Option<Segment<'a>> {
    let header: &[u8; MIN_HEADER] = data.first_chunk()?;
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < MIN_HEADER {
        return None;
    }
    let payload = data.get(header_len..)?;
    let u16_at = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
    let (flow, direction) =
        FlowKey::new(Endpoint::new(source, u16_at(0)), Endpoint::new(destination, u16_at(2)));
    let flags = Flags(header[13]);
    Some(Segment {
        time,
        flow,
        tunnel: None,
        direction,
        seq: Seq(u32_at(4)),
        ack: flags.has(Flags::ACK).then(|| Seq(u32_at(8))),
        flags,
        payload,
        unseen: 0,
        missing: 0,
    })
}

/// The segment in a datagram whose transport header starts at `data` (RFC 9293 §3.1).
pub(super) fn segment<'a>(
    time: Timestamp,
    datagram: &Datagram<'a>,
    data: &'a [u8],
    verify: bool,
) -> Result<Segment<'a>, PacketFate> {
    let fixed: &[u8; MIN_HEADER] = data.first_chunk().ok_or(PacketFate::Truncated)?;
    let header_len = usize::from(fixed[12] >> 4) * 4;
    let wire_len = data.len() + datagram.missing;
    if header_len < MIN_HEADER || header_len > wire_len {
        return Err(PacketFate::Malformed);
    }
    if verify && datagram.missing == 0 && !checksum::tcp_is_right(datagram, data) {
        return Err(PacketFate::BadChecksum);
    }
    // Options that the capture cut short do not matter: read the header as if it had none.
    let mut plain = *fixed;
    plain[12] = 5 << 4;
    let header = TcpHeaderSlice::from_slice(&plain).map_err(|_| PacketFate::Malformed)?;
    let payload = data.get(header_len..).unwrap_or_default();
    let (flow, direction) = FlowKey::new(
        Endpoint::new(datagram.source, header.source_port()),
        Endpoint::new(datagram.destination, header.destination_port()),
    );
    Ok(Segment {
        time,
        flow,
        tunnel: None,
        direction,
        seq: Seq(header.sequence_number()),
        ack: header.ack().then(|| Seq(header.acknowledgment_number())),
        flags: Flags(fixed[13]),
        payload,
        unseen: 0,
        missing: (wire_len - header_len - payload.len()) as u32,
    })
}
