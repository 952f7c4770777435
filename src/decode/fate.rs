//! What becomes of packets.

use std::ops::AddAssign;

/// What became of a packet. Every packet has exactly one fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketFate {
    /// It held a TCP segment, or completed one.
    Segment,
    /// It is a fragment that was kept, and became part of a rebuilt datagram.
    Fragment,
    /// It was decoded, and holds no TCP: another protocol (QUIC among them), an ARP message, an
    /// ICMP error.
    NotTcp,
    /// It is of a link type that is not known here.
    UnknownLink,
    /// The capture cut it off before the end of its headers.
    Truncated,
    /// Its headers contradict themselves or the standard.
    Malformed,
    /// Its checksum is wrong (only where checksums are verified).
    BadChecksum,
    /// It is a fragment of a datagram that never became complete, or for which there was no room.
    FragmentLost,
    /// It held a segment that had passed a moment before (only where copies are left out).
    Copy,
    /// It held a segment, or what may be QUIC, and no worker had room for it.
    Dropped,
}

impl PacketFate {
    /// Every fate, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Segment,
        Self::Fragment,
        Self::NotTcp,
        Self::UnknownLink,
        Self::Truncated,
        Self::Malformed,
        Self::BadChecksum,
        Self::FragmentLost,
        Self::Copy,
        Self::Dropped,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Fragment => "fragment",
            Self::NotTcp => "not_tcp",
            Self::UnknownLink => "unknown_link",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::BadChecksum => "bad_checksum",
            Self::FragmentLost => "fragment_lost",
            Self::Copy => "copy",
            Self::Dropped => "dropped",
        }
    }
}

/// How many packets met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts([u64; PacketFate::ALL.len()]);

impl AddAssign for PacketCounts {
    fn add_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }
}

impl PacketCounts {
    /// One more packet of `fate`.
    pub(crate) fn add(&mut self, fate: PacketFate) {
        self.0[fate as usize] += 1;
    }

    /// `packets` were counted under `from` and turn out to belong under `to`.
    pub(crate) fn revise(&mut self, from: PacketFate, to: PacketFate, packets: u64) {
        self.0[from as usize] -= packets;
        self.0[to as usize] += packets;
    }

    /// How many packets met `fate`.
    pub fn get(&self, fate: PacketFate) -> u64 {
        self.0[fate as usize]
    }

    /// How many packets came in.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
