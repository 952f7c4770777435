//! decode: from a packet to the TCP segment in it.
//!
//! Takes [`Packet`]s. Gives a [`Segment`] where the packet holds one, and otherwise the reason
//! why not. Link layers and IP are taken off here, IP fragments rebuilt within a bound.
//! Promises that every packet has exactly one [`PacketFate`], that bytes are only ever given as
//! payload when TCP carried them (no Ethernet padding, no trailer), and that no input makes it
//! panic or grow without bound. Knows nothing of flows: a segment is judged by itself.
//!
//! The way of a packet: [`link`] takes off layers in a bounded loop until an IP header stands
//! first, which is where an encapsulation finds its place; [`ip`] makes a datagram of it, and
//! [`fragment`] a whole one; [`tcp`] reads the segment.

mod checksum;
mod datagram;
mod fate;
mod fragment;
mod ip;
mod link;
mod segment;
mod tcp;

use crate::capture::Packet;
use fragment::Fragments;

pub use fate::{PacketCounts, PacketFate};
pub use segment::{Flags, Segment};

/// How packets are decoded.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Leave out packets with a wrong IPv4 header or TCP checksum. Off by default: captures made
    /// on the sending host hold packets whose checksums the hardware was to fill in.
    pub verify_checksums: bool,
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
    counts: PacketCounts,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            fragments: Fragments::new(config.max_fragment_bytes, config.fragment_nanos),
            counts: PacketCounts::default(),
        }
    }

    /// The segment in a packet.
    ///
    /// # Errors
    ///
    /// The packet's fate, where it holds no segment. Every fate is also counted.
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Segment<'a>, PacketFate> {
        let Self { config, fragments, counts } = self;
        let found = segment(config, fragments, counts, packet).map_err(|fate| match fate {
            // Nothing was cut off: the packet itself ends within its headers.
            PacketFate::Truncated if packet.data.len() as u64 >= u64::from(packet.wire_len) => {
                PacketFate::Malformed
            }
            fate => fate,
        });
        counts.add(found.as_ref().err().copied().unwrap_or(PacketFate::Segment));
        found
    }

    /// What became of the packets so far. A fragment that still waits for others counts as
    /// [`PacketFate::Fragment`].
    pub fn counts(&self) -> &PacketCounts {
        &self.counts
    }

    /// There will be no more packets: gives up what waits for fragments.
    pub fn finish(&mut self) {
        let lost = self.fragments.clear();
        self.counts.revise(PacketFate::Fragment, PacketFate::FragmentLost, lost);
    }
}

fn segment<'a>(
    config: &Config,
    fragments: &'a mut Fragments,
    counts: &mut PacketCounts,
    packet: &Packet<'a>,
) -> Result<Segment<'a>, PacketFate> {
    let network = link::network(packet)?;
    let datagram = ip::datagram(&network, config.verify_checksums)?;
    let datagram = match datagram.fragment {
        None => datagram,
        Some(place) => {
            let lost = fragments.expire(packet.time);
            counts.revise(PacketFate::Fragment, PacketFate::FragmentLost, lost);
            let (whole, lost) = fragments.add(packet.time, &datagram, place);
            counts.revise(PacketFate::Fragment, PacketFate::FragmentLost, lost);
            whole?
        }
    };
    let (protocol, payload) = ip::upper_layer(&datagram)?;
    if protocol != etherparse::IpNumber::TCP {
        return Err(PacketFate::NotTcp);
    }
    tcp::segment(packet.time, &datagram, payload, config.verify_checksums)
}

#[cfg(test)]
mod tests;
