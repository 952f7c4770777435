//! decode: from a packet to the TCP segment in it.
//!
//! Takes [`Packet`]s. Gives a [`Segment`] where the packet holds one, and otherwise the reason
//! why not; beside it, what a UDP datagram shows of QUIC ([`QuicDatagram`]). Link layers, tunnels
//! and IP are taken off here, IP fragments rebuilt within a bound.
//! Promises that every packet has exactly one [`PacketFate`], that bytes are only ever given as
//! payload when TCP carried them (no Ethernet padding, no trailer), and that no input makes it
//! panic or grow without bound. Knows nothing of flows: a segment is judged by itself.
//!
//! The way of a packet: [`link`] takes off layers in a bounded loop until an IP header stands
//! first; [`ip`] makes a datagram of it, and [`fragment`] a whole one; [`tcp`] reads the segment, [`quic`] looks at UDP.
//! Where there is another packet instead, [`tunnel`] finds its beginning, and it goes the same
//! way: the innermost connection is the one that counts. What most packets are, [`plain`] reads
//! beforehand, in a few steps.

mod checksum;
mod datagram;
mod fate;
mod fragment;
mod ip;
mod link;
mod plain;
mod quic;
mod segment;
mod tcp;
mod tunnel;
mod udp;

use crate::capture::Packet;
use etherparse::IpNumber;
use fragment::Fragments;

pub use fate::{PacketCounts, PacketFate};
pub use fragment::FragmentCounts;
pub use quic::{QuicDatagram, QuicSign};
pub use segment::{Flags, Segment};

/// More IP headers than any sane nesting of tunnels has.
const MAX_NESTING: usize = 8;
/// Fragments in fragments in fragments are not looked into.
const MAX_REBUILT: usize = 2;

/// How packets are decoded.
#[derive(Clone, Debug)]
pub struct Config {
    /// Leave out packets with a wrong IPv4 header or TCP checksum. Off by default: captures made
    /// on the sending host hold packets whose checksums the hardware was to fill in.
    pub verify_checksums: bool,
    /// UDP ports of VXLAN, besides its own (4789, and 8472 of old).
    pub vxlan_ports: Vec<u16>,
    /// Whether connections between the same endpoints in different tunnels are different ones.
    /// Off by default: the same connection is often mirrored through several tunnels.
    pub key_holds_tunnel: bool,
    /// The most bytes of fragments that wait for the rest of their datagrams.
    pub max_fragment_bytes: usize,
    /// How long a datagram waits for its fragments, in nanoseconds of packet time. RFC 8200
    /// §4.5 gives 60 s; Linux waits 30.
    pub fragment_nanos: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verify_checksums: false,
            vxlan_ports: Vec::new(),
            key_holds_tunnel: false,
            max_fragment_bytes: 4 << 20,
            fragment_nanos: 30_000_000_000,
        }
    }
}

/// Decodes packets, and counts what became of them.
#[derive(Debug)]
pub struct Decoder {
    config: Config,
    fragments: Fragments,
    /// The datagrams that were completed last, of the outer one to the inner.
    rebuilt: [Vec<u8>; MAX_REBUILT],
    counts: PacketCounts,
    /// What the last packet held instead of a segment.
    quic: Option<QuicDatagram>,
}

/// What a packet is examined for.
enum Found<'a> {
    Segment(Segment<'a>),
    Quic(QuicDatagram),
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            fragments: Fragments::new(config.max_fragment_bytes, config.fragment_nanos),
            config,
            rebuilt: Default::default(),
            counts: PacketCounts::default(),
            quic: None,
        }
    }

    /// The segment in a packet. (For QUIC, see [`take_quic`](Self::take_quic).)
    ///
    /// # Errors
    ///
    /// The packet's fate, where it holds no segment. Every fate is also counted.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, PacketFate> {
        self.decode_plain(packet).map_or_else(|| self.decode_any(packet), Ok)
    }

    /// The segment in a packet that is as common as can be; of any other, nothing is counted yet.
    #[inline]
    pub(crate) fn decode_plain<'a>(&mut self, packet: &Packet<'a>) -> Option<Segment<'a>> {
        self.quic = None;
        if self.config.verify_checksums {
            return None;
        }
        let segment = plain::segment(packet)?;
        self.counts.add(PacketFate::Segment);
        Some(segment)
    }

    /// The segment in a packet, by the long way, as [`decode`](Self::decode) gives it.
    pub(crate) fn decode_any<'a>(
        &'a mut self,
        packet: &Packet<'a>,
    ) -> Result<Segment<'a>, PacketFate> {
        let Self { config, fragments, rebuilt, counts, quic } = self;
        let mut cut_short = (packet.data.len() as u64) < u64::from(packet.wire_len);
        let found = match find(config, fragments, rebuilt, counts, packet, &mut cut_short) {
            Ok(Found::Segment(segment)) => Ok(segment),
            Ok(Found::Quic(datagram)) => {
                *quic = Some(datagram);
                Err(PacketFate::NotTcp)
            }
            // Nothing was cut off: the packet itself ends within its headers.
            Err(PacketFate::Truncated) if !cut_short => Err(PacketFate::Malformed),
            Err(fate) => Err(fate),
        };
        counts.add(found.as_ref().err().copied().unwrap_or(PacketFate::Segment));
        found
    }

    /// The datagram to or from UDP port 443 in the last packet that was decoded, whose fate is
    /// [`PacketFate::NotTcp`]. Given once.
    pub fn take_quic(&mut self) -> Option<QuicDatagram> {
        self.quic.take()
    }

    /// What became of the packets so far. A fragment that still waits for others counts as
    /// [`PacketFate::Fragment`].
    pub fn counts(&self) -> &PacketCounts {
        &self.counts
    }

    /// The fragments that wait.
    pub const fn fragments(&self) -> FragmentCounts {
        self.fragments.counts()
    }

    /// So many packets that held a segment were dropped.
    pub fn dropped(&mut self, packets: u64) {
        self.counts.revise(PacketFate::Segment, PacketFate::Dropped, packets);
    }

    /// So many packets that held a [`QuicDatagram`] were dropped.
    pub fn dropped_quic(&mut self, packets: u64) {
        self.counts.revise(PacketFate::NotTcp, PacketFate::Dropped, packets);
    }

    /// There will be no more packets: gives up what waits for fragments.
    pub fn finish(&mut self) {
        let lost = self.fragments.clear();
        self.counts.revise(PacketFate::Fragment, PacketFate::FragmentLost, lost);
    }
}

/// The way of a packet, through every tunnel to the segment. `cut_short` becomes true where other
/// fragments of it were.
fn find<'a>(
    config: &Config,
    fragments: &mut Fragments,
    rebuilt: &'a mut [Vec<u8>; MAX_REBUILT],
    counts: &mut PacketCounts,
    packet: &Packet<'a>,
    cut_short: &mut bool,
) -> Result<Found<'a>, PacketFate> {
    let mut frame = link::frame(packet)?;
    let mut tunnel = None;
    let mut rebuilt = rebuilt.iter_mut();
    for _ in 0..MAX_NESTING {
        let (network, label) = link::network(&frame)?;
        tunnel = label.or(tunnel);
        let mut datagram = ip::datagram(&network, config.verify_checksums)?;
        if let Some(place) = datagram.fragment {
            let rebuilt = rebuilt.next().ok_or(PacketFate::Malformed)?;
            let expired = fragments.expire(packet.time);
            let (whole, lost) = fragments.add(packet.time, &datagram, place, rebuilt);
            counts.revise(PacketFate::Fragment, PacketFate::FragmentLost, expired + lost);
            datagram = whole?;
            *cut_short |= datagram.missing > 0;
        }
        let (protocol, payload) = ip::upper_layer(&datagram)?;
        let key_tunnel = if config.key_holds_tunnel { tunnel } else { None };
        if protocol == IpNumber::TCP {
            let segment = tcp::segment(packet.time, &datagram, payload, config.verify_checksums)?;
            let flow = segment.flow.within(key_tunnel);
            return Ok(Found::Segment(Segment { tunnel, flow, ..segment }));
        }
        let inner = match tunnel::inner(protocol, payload, &config.vxlan_ports) {
            Err(PacketFate::NotTcp) if protocol == IpNumber::UDP => {
                let seen = quic::datagram(packet.time, &datagram, payload, &config.vxlan_ports)?;
                let flow = seen.flow.within(key_tunnel);
                return Ok(Found::Quic(QuicDatagram { flow, ..seen }));
            }
            inner => inner?,
        };
        tunnel = Some(inner.tunnel);
        let wire_len = inner.data.len() + datagram.missing;
        frame = link::Frame { layer: inner.layer, data: inner.data, wire_len };
    }
    Err(PacketFate::Malformed)
}

#[cfg(test)]
mod tests;
