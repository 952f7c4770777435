//! What the decode room gives: a TCP segment.

use crate::net::{Direction, FlowKey, Seq, Timestamp, Tunnel};

/// TCP control bits (RFC 9293 §3.1) that matter to a passive observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field is significant.
    pub const ACK: Self = Self(0x10);

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One TCP segment, as far as a passive observer needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The time of the packet that carried (or completed) it.
    pub time: Timestamp,
    /// Its connection.
    pub flow: FlowKey,
    /// What its packet was wrapped in.
    pub tunnel: Option<Tunnel>,
    /// Which way it travels on `flow`.
    pub direction: Direction,
    /// The sequence number of the first payload byte, or of the SYN.
    pub seq: Seq,
    /// The acknowledgement number; `None` without the ACK flag.
    pub ack: Option<Seq>,
    /// Control bits.
    pub flags: Flags,
    /// The payload bytes that were captured.
    pub payload: &'a [u8],
    /// How many payload bytes were captured and left behind, as nobody would look at them: there is no
    /// `payload` then. Never so in what is decoded.
    pub unseen: u32,
    /// How many payload bytes follow on the wire that the capture cut off (snaplen).
    pub missing: u32,
}

impl Segment<'_> {
    /// How many payload bytes were captured.
    pub const fn captured(&self) -> u64 {
        self.payload.len() as u64 + self.unseen as u64
    }

    /// How many payload bytes were sent.
    pub const fn sent(&self) -> u64 {
        self.captured() + self.missing as u64
    }

    /// The sequence number right behind its payload, where it has no SYN.
    pub const fn end(&self) -> Seq {
        self.seq.plus(self.sent() as u32)
    }
}
