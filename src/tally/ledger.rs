//! What became of every packet and every payload byte.

use crate::capture::Drops;
use crate::decode::{FragmentCounts, PacketCounts, PacketFate};
use crate::{flow, http};
use std::fmt;
use std::ops::AddAssign;

/// The fates of packets, payload bytes and connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Packets that were lost before they could be read.
    pub drops: Drops,
    /// Packets that came in, as counted where they did.
    pub received: u64,
    /// What became of packets.
    pub packets: PacketCounts,
    /// Fragments that wait for others.
    pub fragments: FragmentCounts,
    /// Segments that are remembered, to know their copies.
    pub dedup: DedupCounts,
    /// What became of payload bytes and connections on their way to streams; and what there was
    /// of QUIC, whose bytes are none of TCP's and so none of [`bytes`](Self::bytes).
    pub flow: flow::Counts,
    /// What became of the streams' bytes.
    pub http: http::Counts,
}

/// Segments that are remembered, to know their copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DedupCounts {
    /// Copies that were left out.
    pub copies: u64,
    /// Segments that are remembered now.
    pub remembered: u64,
    /// Segments that were forgotten for want of room, before their time was over.
    pub overruns: u64,
}

impl AddAssign for DedupCounts {
    fn add_assign(&mut self, other: Self) {
        self.copies += other.copies;
        self.remembered += other.remembered;
        self.overruns += other.overruns;
    }
}

/// What became of a payload byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ByteFate {
    /// Part of a message head, of chunk framing or of trailers.
    Head,
    /// Part of a message body.
    Body,
    /// It had been seen before (a retransmission).
    Duplicate,
    /// Not HTTP, or no part of any connection as it stood.
    Ignored,
    /// Encrypted by TLS, or HTTP/2.
    Blind,
    /// Passed over while looking for the next message after a loss; or come after what follows
    /// them, where a connection was joined.
    Lost,
}

impl ByteFate {
    /// Every fate, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Head, Self::Body, Self::Duplicate, Self::Ignored, Self::Blind, Self::Lost];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Blind => "blind",
            Self::Lost => "lost",
        }
    }
}

impl Ledger {
    /// How many payload bytes met `fate`.
    pub fn bytes(&self, fate: ByteFate) -> u64 {
        match fate {
            ByteFate::Head => self.http.head_bytes,
            ByteFate::Body => self.http.body_bytes,
            ByteFate::Duplicate => self.flow.duplicate_bytes,
            ByteFate::Ignored => self.http.ignored_bytes + self.flow.stray_bytes,
            ByteFate::Blind => self.http.tls_bytes + self.http.http2_bytes,
            ByteFate::Lost => self.http.lost_bytes + self.flow.late_bytes,
        }
    }

    /// How many connections could not be looked into: TLS, HTTP/2 and QUIC.
    pub fn blind_connections(&self) -> u64 {
        self.http.tls_connections + self.http.http2_connections + self.flow.quic.connections
    }

    /// How many packets could not be decoded.
    pub fn undecodable_packets(&self) -> u64 {
        use PacketFate::{BadChecksum, FragmentLost, Malformed, Truncated, UnknownLink};
        [UnknownLink, Truncated, Malformed, BadChecksum, FragmentLost]
            .map(|fate| self.packets.get(fate))
            .iter()
            .sum()
    }

    /// How many packets were dropped: by the interface, by the kernel, or here for want of room.
    pub fn dropped_packets(&self) -> u64 {
        self.drops.kernel + self.drops.interface + self.packets.get(PacketFate::Dropped)
    }

    /// Packets and payload bytes that do not have exactly one fate each: zero at any time, or a
    /// defect of this program. What is held has none yet, and is known.
    pub fn discrepancy(&self) -> u64 {
        let fates: u64 = ByteFate::ALL.iter().map(|fate| self.bytes(*fate)).sum();
        let bytes = self.flow.payload_bytes.abs_diff(fates + self.flow.unsettled_bytes);
        bytes + self.received.abs_diff(self.packets.total())
    }

    /// How much of the payload could be judged.
    pub fn verdict(&self) -> Verdict<'_> {
        Verdict(self)
    }
}

/// The ledger in one line.
#[derive(Clone, Copy, Debug)]
pub struct Verdict<'l>(&'l Ledger);

impl Verdict<'_> {
    /// The part of all payload bytes that was examined, 0 to 1: all but those that were blind or
    /// lost. 1 where there were none.
    pub fn examined(&self) -> f64 {
        let (examined, all) = self.parts();
        if all == 0 { 1.0 } else { examined as f64 / all as f64 }
    }

    /// Whether nothing at all escaped: no gap, no byte blind or lost, no connection blind, no
    /// packet undecoded or dropped.
    pub fn is_whole(&self) -> bool {
        let (examined, all) = self.parts();
        let escaped = [
            self.0.flow.gaps,
            self.0.blind_connections(),
            self.0.undecodable_packets(),
            self.0.dropped_packets(),
        ];
        examined == all && escaped == [0; 4]
    }

    fn parts(&self) -> (u64, u64) {
        let blind_or_lost = self.0.bytes(ByteFate::Blind) + self.0.bytes(ByteFate::Lost);
        let all = self.0.flow.payload_bytes;
        (all - blind_or_lost, all)
    }
}

/// `examined 100 % of payload bytes, 0 gaps`; and what escaped, where something did.
impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (examined, all) = self.parts();
        let Ledger { flow, .. } = self.0;
        // Never rounded up to 100 %.
        let per_mille =
            if all == 0 { 1000 } else { (u128::from(examined) * 1000 / u128::from(all)) as u64 };
        match (per_mille / 10, per_mille % 10) {
            (percent, 0) => write!(f, "examined {percent} % of payload bytes, ")?,
            (percent, tenth) => write!(f, "examined {percent}.{tenth} % of payload bytes, ")?,
        }
        let plural = |n: u64| if n == 1 { "" } else { "s" };
        write!(f, "{} gap{}", flow.gaps, plural(flow.gaps))?;
        if flow.gap_bytes > 0 {
            write!(f, " ({} bytes)", flow.gap_bytes)?;
        }
        let blind = self.0.blind_connections();
        if blind > 0 {
            write!(f, ", {blind} blind connection{}", plural(blind))?;
        }
        let undecoded = self.0.undecodable_packets();
        if undecoded > 0 {
            write!(f, ", {undecoded} packet{} not decoded", plural(undecoded))?;
        }
        let dropped = self.0.dropped_packets();
        if dropped > 0 {
            write!(f, ", {dropped} packet{} dropped", plural(dropped))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_what_escaped_and_never_rounds_up() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.verdict().to_string(), "examined 100 % of payload bytes, 0 gaps");
        assert!(ledger.verdict().is_whole());
        ledger.flow.payload_bytes = 100_000;
        ledger.http.body_bytes = 99_999;
        ledger.http.lost_bytes = 1;
        assert_eq!(ledger.verdict().to_string(), "examined 99.9 % of payload bytes, 0 gaps");
        ledger.flow.gaps = 1;
        ledger.flow.gap_bytes = 1460;
        ledger.http.tls_connections = 2;
        ledger.packets.add(PacketFate::Malformed);
        ledger.packets.add(PacketFate::Dropped);
        ledger.drops.kernel = 2;
        assert_eq!(
            ledger.verdict().to_string(),
            "examined 99.9 % of payload bytes, 1 gap (1460 bytes), 2 blind connections, \
             1 packet not decoded, 3 packets dropped"
        );
        assert!(!ledger.verdict().is_whole());
    }

    #[test]
    fn a_discrepancy_is_what_has_no_fate_or_two() {
        let mut ledger = Ledger::default();
        ledger.flow.payload_bytes = 100;
        ledger.http.body_bytes = 90;
        assert_eq!(ledger.discrepancy(), 10);
        ledger.flow.unsettled_bytes = 10;
        assert_eq!(ledger.discrepancy(), 0);
        ledger.http.lost_bytes = 1;
        ledger.received = 5;
        ledger.packets.add(PacketFate::Segment);
        assert_eq!(ledger.discrepancy(), 5);
    }

    #[test]
    fn quic_is_blind_and_takes_nothing_from_the_payload_of_tcp() {
        let mut ledger = Ledger::default();
        ledger.flow.quic.connections = 1;
        ledger.flow.quic.bytes = 5_000;
        let verdict = ledger.verdict().to_string();
        assert_eq!(verdict, "examined 100 % of payload bytes, 0 gaps, 1 blind connection");
        assert_eq!((ledger.verdict().is_whole(), ledger.discrepancy()), (false, 0));
    }
}
