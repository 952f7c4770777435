//! What IP carries besides transport: whole packets in tunnels and mirror encapsulations.

use super::PacketFate;
use super::link::{Layer, after, take, u16_at};
use super::udp::{self, Udp};
use crate::net::{Tunnel, TunnelKind};
use etherparse::{EtherType, IpNumber};

/// Ports of VXLAN (RFC 7348 §8.1), and of Linux before that was assigned.
pub(super) const VXLAN_PORTS: [u16; 2] = [4789, 8472];
/// RFC 8926 §3.3.
const GENEVE_PORT: u16 = 6081;
/// 3GPP TS 29.281 §4.4.2.
const GTP_U_PORT: u16 = 2152;

/// Ethernet in something else (transparent Ethernet bridging).
const TEB: u16 = 0x6558;
/// ERSPAN types I and II.
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
/// PPP in GRE version 1 (RFC 2637 §4.1).
const PPP: u16 = 0x880b;
const MPLS_IN_IP: IpNumber = IpNumber(137);

/// A packet within a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner<'a> {
    /// What it starts with.
    pub(super) layer: Layer,
    /// Its bytes that were captured.
    pub(super) data: &'a [u8],
    pub(super) tunnel: Tunnel,
}

impl<'a> Inner<'a> {
    fn new(layer: Layer, data: &'a [u8], kind: TunnelKind, id: Option<u32>) -> Self {
        Self { layer, data, tunnel: Tunnel { kind, id } }
    }
}

/// The packet in what IP carries, which begins at `data`.
///
/// # Errors
///
/// `NotTcp` where there is none that is known here; `Truncated` where the data ends too early.
pub(super) fn inner<'a>(
    protocol: IpNumber,
    data: &'a [u8],
    vxlan_ports: &[u16],
) -> Result<Inner<'a>, PacketFate> {
    match protocol {
        IpNumber::IPV4 => Ok(Inner::new(Layer::Ip, data, TunnelKind::IpIp, None)),
        IpNumber::IPV6 => Ok(Inner::new(Layer::Ip, data, TunnelKind::SixIn4, None)),
        IpNumber::GRE => gre(data),
        IpNumber::UDP => udp(data, vxlan_ports),
        // RFC 4023 §3.
        MPLS_IN_IP => Ok(Inner::new(Layer::Mpls, data, TunnelKind::Mpls, None)),
        _ => Err(PacketFate::NotTcp),
    }
}

/// Which tunnel a datagram belongs to, its destination port tells.
fn udp<'a>(data: &'a [u8], vxlan_ports: &[u16]) -> Result<Inner<'a>, PacketFate> {
    let Udp { destination, payload, .. } = udp::datagram(data, 0)?;
    match destination {
        GENEVE_PORT => geneve(payload),
        GTP_U_PORT => gtp_u(payload),
        _ if is_port(destination, vxlan_ports) => vxlan(payload),
        _ => Err(PacketFate::NotTcp),
    }
}

/// Whether datagrams to that UDP port belong to a tunnel.
pub(super) fn is_port(destination: u16, vxlan_ports: &[u16]) -> bool {
    [GENEVE_PORT, GTP_U_PORT].contains(&destination)
        || VXLAN_PORTS.contains(&destination)
        || vxlan_ports.contains(&destination)
}

/// RFC 7348 §5.
fn vxlan(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    const HAS_VNI: u8 = 0x08;
    let header = take(data, 8)?;
    if header[0] & HAS_VNI == 0 {
        return Err(PacketFate::NotTcp);
    }
    let vni = u24(&header[4..]);
    Ok(Inner::new(Layer::Ethernet, after(data, 8)?, TunnelKind::Vxlan, Some(vni)))
}

/// RFC 8926 §3.4. Options are passed over, whatever they say: nothing is delivered here.
fn geneve(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    let header = take(data, 8)?;
    let (version, options) = (header[0] >> 6, usize::from(header[0] & 0x3f) * 4);
    if version != 0 {
        return Err(PacketFate::NotTcp);
    }
    let layer = by_type(u16_at(data, 2)?);
    let vni = u24(&header[4..]);
    Ok(Inner::new(layer, after(data, 8 + options)?, TunnelKind::Geneve, Some(vni)))
}

/// 3GPP TS 29.281 §5.1, §5.2: only G-PDUs carry packets.
fn gtp_u(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    const VERSION_1_GTP: u8 = 0b0011_0000;
    const OPTIONAL_FIELDS: u8 = 0b111;
    const EXTENSION: u8 = 0b100;
    const G_PDU: u8 = 255;
    let header = take(data, 8)?;
    if header[0] & 0xf0 != VERSION_1_GTP || header[1] != G_PDU {
        return Err(PacketFate::NotTcp);
    }
    let teid = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let mut rest = after(data, 8)?;
    if header[0] & OPTIONAL_FIELDS != 0 {
        let mut next = take(rest, 4)?[3];
        rest = after(rest, 4)?;
        while header[0] & EXTENSION != 0 && next != 0 {
            let len = usize::from(take(rest, 1)?[0]) * 4;
            next = *take(rest, len)?.last().ok_or(PacketFate::Malformed)?;
            rest = after(rest, len)?;
        }
    }
    Ok(Inner::new(Layer::Ip, rest, TunnelKind::GtpU, Some(teid)))
}

/// RFC 2784 §2, RFC 2890 §2; version 1 by RFC 2637 §4.1.
fn gre(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;
    let (flags, protocol) = (u16_at(data, 0)?, u16_at(data, 2)?);
    let version = flags & VERSION;
    if version > 1 || flags & ROUTING != 0 {
        return Err(PacketFate::NotTcp);
    }
    let mut rest = after(data, 4)?;
    let mut field = |present: bool| -> Result<Option<u32>, PacketFate> {
        if !present {
            return Ok(None);
        }
        let value = u32::from(u16_at(rest, 0)?) << 16 | u32::from(u16_at(rest, 2)?);
        rest = after(rest, 4)?;
        Ok(Some(value))
    };
    field(version == 0 && flags & CHECKSUM != 0)?;
    let key = field(flags & KEY != 0)?;
    let sequence = field(flags & SEQUENCE != 0)?;
    field(version == 1 && flags & ACKNOWLEDGEMENT != 0)?;
    match protocol {
        ERSPAN if sequence.is_some() => erspan_2(rest),
        ERSPAN => Ok(Inner::new(Layer::Ethernet, rest, TunnelKind::Erspan, None)),
        ERSPAN_3 => erspan_3(rest),
        // The low half of the key is a length and a call's number.
        PPP => Ok(Inner::new(Layer::Ppp, rest, TunnelKind::Gre, key.map(|key| key & 0xffff))),
        TEB if flags & (CHECKSUM | SEQUENCE) == 0 && key.is_some_and(is_nvgre) => {
            let vsid = key.map(|key| key >> 8);
            Ok(Inner::new(Layer::Ethernet, rest, TunnelKind::Nvgre, vsid))
        }
        kind => Ok(Inner::new(by_type(kind), rest, TunnelKind::Gre, key)),
    }
}

/// RFC 7637 §3.2: the upper 24 bits are a virtual subnet, of which the first 4,096 and the last
/// are reserved. (Nothing else tells it from Ethernet in GRE with a key.)
fn is_nvgre(key: u32) -> bool {
    (0x1000..=0xff_fffe).contains(&(key >> 8))
}

/// draft-foschiano-erspan §4.2: without this header it is type I, which has no sequence number.
fn erspan_2(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    let session = erspan_session(data, 1)?;
    Ok(Inner::new(Layer::Ethernet, after(data, 8)?, TunnelKind::Erspan, Some(session)))
}

/// draft-foschiano-erspan §4.3.
fn erspan_3(data: &[u8]) -> Result<Inner<'_>, PacketFate> {
    const IP_FRAME: u16 = 2;
    let session = erspan_session(data, 2)?;
    let flags = u16_at(data, 10)?;
    let has_platform_header = flags & 1 != 0;
    let layer = if (flags >> 10) & 0x1f == IP_FRAME { Layer::Ip } else { Layer::Ethernet };
    let rest = after(data, if has_platform_header { 20 } else { 12 })?;
    Ok(Inner::new(layer, rest, TunnelKind::Erspan, Some(session)))
}

fn erspan_session(data: &[u8], version: u16) -> Result<u32, PacketFate> {
    if u16_at(data, 0)? >> 12 != version {
        return Err(PacketFate::NotTcp);
    }
    Ok(u32::from(u16_at(data, 2)? & 0x3ff))
}

fn by_type(kind: u16) -> Layer {
    if kind == TEB { Layer::Ethernet } else { Layer::EtherType(EtherType(kind)) }
}

fn u24(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]])
}
