//! Taking link layers off, until an IP header stands first.
//!
//! Layouts by <https://www.tcpdump.org/linktypes.html> unless another source is named.

use super::PacketFate;
use crate::capture::{LinkType, Packet};
use crate::net::{Tunnel, TunnelKind};
use etherparse::{EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};

/// More layers than any network has: stops a packet that is nothing but tags.
const MAX_LAYERS: usize = 16;

/// The least an Ethernet frame carries; shorter payload is padded (IEEE 802.3 §3.2.7).
const ETHERNET_MIN_PAYLOAD: usize = 46;

const PPPOE_SESSION: EtherType = EtherType(0x8864);
const MPLS: EtherType = EtherType(0x8847);
const MPLS_MULTICAST: EtherType = EtherType(0x8848);

/// What is left of a packet once its link layers are off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network<'a> {
    /// The bytes that were captured, from the IP header on; possibly padding at their end.
    pub(super) data: &'a [u8],
    /// How many bytes there were on the wire.
    pub(super) wire_len: usize,
    /// Whether the end may be padding, so that the IP header alone can say how long it is.
    pub(super) maybe_padded: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Ethernet,
    EtherType(EtherType),
    /// IEEE 802.2 logical link control.
    Llc,
    /// PPP: protocol field, with or without address and control before it.
    Ppp,
    Pppoe,
    /// A stack of MPLS labels, of which the next stands first.
    Mpls,
    /// What follows the bottom of the stack, which nothing tells but its first bytes.
    BelowMpls,
    Ip,
}

/// A packet as it was captured, or one out of a tunnel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) layer: Layer,
    /// The bytes that were captured.
    pub(super) data: &'a [u8],
    /// How many bytes there were on the wire.
    pub(super) wire_len: usize,
}

/// A captured packet, its link type's pseudo-header taken off.
///
/// # Errors
///
/// `UnknownLink`, `Truncated`.
pub(super) fn frame<'a>(packet: &Packet<'a>) -> Result<Frame<'a>, PacketFate> {
    let (layer, data) = first(packet.link_type, packet.data)?;
    let off = packet.data.len() - data.len();
    let wire_len = (packet.wire_len as usize).saturating_sub(off).max(data.len());
    Ok(Frame { layer, data, wire_len })
}

/// The IP packet in a frame, and the innermost tunnel among the link layers.
///
/// # Errors
///
/// `NotTcp` for other protocols, `Truncated` where the data ends too early.
pub(super) fn network<'a>(frame: &Frame<'a>) -> Result<(Network<'a>, Option<Tunnel>), PacketFate> {
    let Frame { mut layer, data: mut rest, wire_len } = *frame;
    let mut ethernet = false;
    let mut tunnel = None;
    for _ in 0..MAX_LAYERS {
        ethernet |= layer == Layer::Ethernet;
        if layer == Layer::Ip {
            let wire_len = wire_len.saturating_sub(frame.data.len() - rest.len()).max(rest.len());
            let maybe_padded = ethernet && wire_len <= ETHERNET_MIN_PAYLOAD;
            return Ok((Network { data: rest, wire_len, maybe_padded }, tunnel));
        }
        tunnel = entered(layer, rest)?.or(tunnel);
        (layer, rest) = peel(layer, rest)?;
    }
    Err(PacketFate::Malformed)
}

/// The tunnel that a layer is.
fn entered(layer: Layer, data: &[u8]) -> Result<Option<Tunnel>, PacketFate> {
    let (kind, id) = match layer {
        Layer::Mpls => {
            let label = u32::from(u16_at(data, 0)?) << 4 | u32::from(take(data, 3)?[2] >> 4);
            (TunnelKind::Mpls, label)
        }
        Layer::Pppoe => (TunnelKind::Pppoe, u32::from(u16_at(data, 2)?)),
        _ => return Ok(None),
    };
    Ok(Some(Tunnel { kind, id: Some(id) }))
}

/// The first layer of a link type, its pseudo-header taken off.
fn first(link: LinkType, data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    match link {
        LinkType::ETHERNET => Ok((Layer::Ethernet, data)),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => Ok((Layer::Ip, data)),
        LinkType::IPV4 | LinkType::IPV6 => Ok((Layer::Ip, data)),
        LinkType::NULL | LinkType::LOOP => loopback(data),
        LinkType::LINUX_SLL => cooked(data, 14, 16),
        LinkType::LINUX_SLL2 => cooked(data, 0, 20),
        LinkType::PPP | LinkType::PPP_HDLC => Ok((Layer::Ppp, data)),
        // One byte says which way the packet went.
        LinkType::PPP_WITH_DIR => Ok((Layer::Ppp, after(data, 1)?)),
        LinkType::PPP_ETHER => Ok((Layer::Pppoe, data)),
        // Address, control, then an EtherType.
        LinkType::C_HDLC => Ok((ether_type_at(data, 2)?, after(data, 4)?)),
        _ => Err(PacketFate::UnknownLink),
    }
}

/// Takes one layer off.
fn peel(layer: Layer, data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    match layer {
        Layer::Ethernet => {
            let header =
                Ethernet2HeaderSlice::from_slice(data).map_err(|_| PacketFate::Truncated)?;
            Ok((by_type_or_length(header.ether_type()), after(data, header.slice().len())?))
        }
        Layer::EtherType(EtherType::IPV4 | EtherType::IPV6) => Ok((Layer::Ip, data)),
        Layer::EtherType(MPLS | MPLS_MULTICAST) => Ok((Layer::Mpls, data)),
        Layer::EtherType(PPPOE_SESSION) => Ok((Layer::Pppoe, data)),
        Layer::EtherType(kind) if is_vlan_tag(kind) => {
            let tag = SingleVlanHeaderSlice::from_slice(data).map_err(|_| PacketFate::Truncated)?;
            Ok((by_type_or_length(tag.ether_type()), after(data, tag.slice().len())?))
        }
        Layer::EtherType(_) => Err(PacketFate::NotTcp),
        Layer::Llc => llc(data),
        Layer::Ppp => ppp(data),
        Layer::Pppoe => pppoe(data),
        Layer::Mpls => mpls(data),
        Layer::BelowMpls => below_mpls(data),
        Layer::Ip => Ok((Layer::Ip, data)),
    }
}

/// 802.1Q, 802.1ad, and the numbers that were used for stacked tags before it.
fn is_vlan_tag(kind: EtherType) -> bool {
    const VLAN_9200: EtherType = EtherType(0x9200);
    matches!(
        kind,
        EtherType::VLAN_TAGGED_FRAME
            | EtherType::PROVIDER_BRIDGING
            | EtherType::VLAN_DOUBLE_TAGGED_FRAME
    ) || kind == VLAN_9200
}

/// A length below 1,536 means that 802.2 follows (IEEE 802.3 §3.2.6).
fn by_type_or_length(kind: EtherType) -> Layer {
    if kind.0 < 0x0600 { Layer::Llc } else { Layer::EtherType(kind) }
}

/// 802.2 with SNAP (RFC 1042), or the IP service access point.
fn llc(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    match take(data, 3)? {
        [0xaa, 0xaa, 0x03] => match take(after(data, 3)?, 3)? {
            [0, 0, 0] => Ok((ether_type_at(data, 6)?, after(data, 8)?)),
            _ => Err(PacketFate::NotTcp),
        },
        [0x06, 0x06, 0x03] => Ok((Layer::Ip, after(data, 3)?)),
        _ => Err(PacketFate::NotTcp),
    }
}

/// RFC 1661 §2, RFC 1662 §3.1: address and control may be left out, and the protocol's first
/// byte when it is zero.
fn ppp(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    let data = data.strip_prefix(&[0xff, 0x03]).unwrap_or(data);
    let first = take(data, 1)?[0];
    let (protocol, rest) = if first & 1 == 1 {
        (u16::from(first), after(data, 1)?)
    } else {
        (u16_at(data, 0)?, after(data, 2)?)
    };
    match protocol {
        0x0021 | 0x0057 => Ok((Layer::Ip, rest)),
        _ => Err(PacketFate::NotTcp),
    }
}

/// RFC 2516 §4: a session packet has code 0.
fn pppoe(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    match take(data, 6)? {
        [0x11, 0, ..] => Ok((Layer::Ppp, after(data, 6)?)),
        _ => Err(PacketFate::NotTcp),
    }
}

/// RFC 3032 §2.1: one entry of the label stack.
fn mpls(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    let is_bottom = take(data, 4)?[2] & 1 == 1;
    Ok((if is_bottom { Layer::BelowMpls } else { Layer::Mpls }, after(data, 4)?))
}

/// RFC 4928 §3: IP shows its version; a pseudo-wire's control word begins with 0 (RFC 4385 §3).
/// One without a control word begins with an Ethernet address, which may begin with 0, 4 or 6,
/// too: what follows in the IP header, or behind the address, decides.
fn below_mpls(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    let version = take(data, 1)?[0] >> 4;
    let is_frame = is_ethernet_with_ip(data);
    let said_len = match version {
        4 => u16_at(data, 2).map(usize::from),
        6 => u16_at(data, 4).map(|len| usize::from(len) + 40),
        _ => Err(PacketFate::NotTcp),
    };
    match version {
        4 | 6 if !is_frame || said_len == Ok(data.len()) => Ok((Layer::Ip, data)),
        0 if !is_frame || data.get(4..).is_some_and(is_ethernet_with_ip) => {
            Ok((Layer::Ethernet, after(data, 4)?))
        }
        _ => Ok((Layer::Ethernet, data)),
    }
}

/// Whether this looks like a frame around IP, or around another layer that leads to it.
fn is_ethernet_with_ip(data: &[u8]) -> bool {
    let (Ok(kind), Some(first)) = (u16_at(data, 12), data.get(14)) else { return false };
    match EtherType(kind) {
        EtherType::IPV4 => first >> 4 == 4,
        EtherType::IPV6 => first >> 4 == 6,
        PPPOE_SESSION => *first == 0x11,
        MPLS | MPLS_MULTICAST => true,
        kind => is_vlan_tag(kind),
    }
}

/// NULL and LOOP: an address family in the writer's byte order, or in network order. The
/// families that mean IP are small numbers, so either order shows itself.
fn loopback(data: &[u8]) -> Result<(Layer, &[u8]), PacketFate> {
    let bytes = take(data, 4)?;
    let family = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        2 | 10 | 23 | 24 | 28 | 30 => Ok((Layer::Ip, after(data, 4)?)),
        _ => Err(PacketFate::NotTcp),
    }
}

/// Linux cooked: the protocol at `protocol_at`; small numbers are Linux's own.
fn cooked(data: &[u8], protocol_at: usize, len: usize) -> Result<(Layer, &[u8]), PacketFate> {
    const LLC_8022: u16 = 0x0004;
    let rest = after(data, len)?;
    match u16_at(data, protocol_at)? {
        LLC_8022 => Ok((Layer::Llc, rest)),
        small if small < 0x0600 => Err(PacketFate::NotTcp),
        kind => Ok((Layer::EtherType(EtherType(kind)), rest)),
    }
}

fn ether_type_at(data: &[u8], at: usize) -> Result<Layer, PacketFate> {
    Ok(Layer::EtherType(EtherType(u16_at(data, at)?)))
}

pub(super) fn u16_at(data: &[u8], at: usize) -> Result<u16, PacketFate> {
    let bytes = take(after(data, at)?, 2)?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

pub(super) fn take(data: &[u8], n: usize) -> Result<&[u8], PacketFate> {
    data.get(..n).ok_or(PacketFate::Truncated)
}

pub(super) fn after(data: &[u8], n: usize) -> Result<&[u8], PacketFate> {
    data.get(n..).ok_or(PacketFate::Truncated)
}
