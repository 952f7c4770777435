//! TCP: from its header to the segment.

use super::datagram::Datagram;
use super::{Flags, PacketFate, Segment, checksum};
use crate::net::{Endpoint, FlowKey, Seq, Timestamp};
use etherparse::TcpHeaderSlice;

const MIN_HEADER: usize = 20;

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
        missing: (wire_len - header_len - payload.len()) as u32,
    })
}
