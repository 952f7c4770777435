//! IP: from its header to the datagram it carries, and past extension headers to what is above.

use super::PacketFate;
use super::checksum;
use super::datagram::{Datagram, Place};
use super::link::Network;
use etherparse::err::ipv4::HeaderSliceError as V4Error;
use etherparse::err::ipv6::HeaderSliceError as V6Error;
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice,
};

/// The datagram in an IP packet.
pub(super) fn datagram<'a>(
    network: &Network<'a>,
    verify: bool,
) -> Result<Datagram<'a>, PacketFate> {
    match network.data.first().map(|byte| byte >> 4) {
        None => Err(PacketFate::Truncated),
        Some(4) => v4(network, verify),
        Some(6) => v6(network),
        Some(_) => Err(PacketFate::Malformed),
    }
}

/// RFC 791 §3.1.
fn v4<'a>(network: &Network<'a>, verify: bool) -> Result<Datagram<'a>, PacketFate> {
    let header = Ipv4HeaderSlice::from_slice(network.data).map_err(|error| match error {
        V4Error::Len(_) => PacketFate::Truncated,
        V4Error::Content(_) => PacketFate::Malformed,
    })?;
    if verify && !checksum::ipv4_header_is_right(&header) {
        return Err(PacketFate::BadChecksum);
    }
    let header_len = header.slice().len();
    let total_len = usize::from(header.total_len());
    let payload_len = match total_len {
        0 => unsaid_len(network)?.saturating_sub(header_len),
        _ => total_len.checked_sub(header_len).ok_or(PacketFate::Malformed)?,
    };
    let (payload, missing) = cut(&network.data[header_len..], payload_len);
    let fragment = header.is_fragmenting_payload().then(|| Place {
        id: u32::from(header.identification()),
        offset: usize::from(header.fragments_offset().byte_offset()),
        more: header.more_fragments(),
    });
    Ok(Datagram {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.protocol(),
        payload,
        missing,
        fragment,
    })
}

/// RFC 8200 §3, and §4 as far as a fragment header.
fn v6<'a>(network: &Network<'a>) -> Result<Datagram<'a>, PacketFate> {
    let header = Ipv6HeaderSlice::from_slice(network.data).map_err(|error| match error {
        V6Error::Len(_) => PacketFate::Truncated,
        V6Error::Content(_) => PacketFate::Malformed,
    })?;
    let header_len = header.slice().len();
    let payload_len = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), or a super-packet of more than 64 KiB (BIG TCP).
        0 => unsaid_len(network)?.saturating_sub(header_len),
        len => len,
    };
    let (payload, missing) = cut(&network.data[header_len..], payload_len);
    let datagram = Datagram {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        protocol: header.next_header(),
        payload,
        missing,
        fragment: None,
    };
    unfragment(datagram)
}

/// Goes through extension headers as far as a fragment header, if there is one.
fn unfragment(datagram: Datagram<'_>) -> Result<Datagram<'_>, PacketFate> {
    let (protocol, payload) = skip_extensions(datagram.protocol, datagram.payload)?;
    if protocol != IpNumber::IPV6_FRAGMENTATION_HEADER {
        return Ok(datagram);
    }
    let header = Ipv6FragmentHeaderSlice::from_slice(payload).map_err(|_| PacketFate::Truncated)?;
    // An atomic fragment (RFC 6946) is whole in itself.
    let fragment = header.is_fragmenting_payload().then(|| Place {
        id: header.identification(),
        offset: usize::from(header.fragment_offset().byte_offset()),
        more: header.more_fragments(),
    });
    let payload = &payload[header.slice().len()..];
    Ok(Datagram { protocol: header.next_header(), payload, fragment, ..datagram })
}

/// How long a packet is whose header says 0: segmentation was left to the hardware, and the
/// capture was made before it. Only the wire length can tell then, unless padding may be in it.
fn unsaid_len(network: &Network<'_>) -> Result<usize, PacketFate> {
    if network.maybe_padded { Err(PacketFate::Malformed) } else { Ok(network.wire_len) }
}

/// The first `len` bytes of `data`, and how many of them were not captured.
fn cut(data: &[u8], len: usize) -> (&[u8], usize) {
    let captured = data.len().min(len);
    (&data[..captured], len - captured)
}

/// The transport protocol in a whole datagram, and its bytes.
pub(super) fn upper_layer<'a>(datagram: &Datagram<'a>) -> Result<(IpNumber, &'a [u8]), PacketFate> {
    skip_extensions(datagram.protocol, datagram.payload)
}

/// RFC 8200 §4.1, and AH (RFC 4302 §2), which IPv4 can carry, too. Every header is at least 8
/// bytes long, so the loop ends.
fn skip_extensions(
    mut protocol: IpNumber,
    mut data: &[u8],
) -> Result<(IpNumber, &[u8]), PacketFate> {
    loop {
        let (next, len) = match protocol {
            IpNumber::IPV6_HEADER_HOP_BY_HOP
            | IpNumber::IPV6_ROUTE_HEADER
            | IpNumber::IPV6_DESTINATION_OPTIONS
            | IpNumber::MOBILITY_HEADER
            | IpNumber::HIP
            | IpNumber::SHIM6 => {
                let header =
                    Ipv6RawExtHeaderSlice::from_slice(data).map_err(|_| PacketFate::Truncated)?;
                (header.next_header(), header.slice().len())
            }
            IpNumber::AUTHENTICATION_HEADER => {
                let header =
                    IpAuthHeaderSlice::from_slice(data).map_err(|_| PacketFate::Truncated)?;
                (header.next_header(), header.slice().len())
            }
            _ => return Ok((protocol, data)),
        };
        (protocol, data) = (next, &data[len..]);
    }
}
