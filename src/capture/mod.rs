//! capture: from a place where packets are to packets.
//!
//! Takes capture files and interfaces. Gives [`Packet`]s in the order in which they happened, through
//! [`PacketSource`]. Interfaces, streams, and files that are packed, filtered or of an unusual format
//! are read through libpcap, by the `pcap` crate; all other files in large blocks, in which packets
//! stay where they are, and ahead, where nothing is read beside them. Files are read as fast as can be, or at the pace at which they were captured
//! ([`Paced`]), and where nobody may wait for them, on a thread of their own ([`Apart`]).
//! Promises that a file that cannot be read whole is reported with its name and the byte offset
//! of the fault, that what came before the fault was given, and that the next file follows; and
//! that an interface that goes away is reported, and read again when it is back.
//! Knows nothing of TCP or HTTP.

use crate::net::Timestamp;
use std::ops::{AddAssign, ControlFlow};

mod activate;
mod ahead;
mod apart;
mod block;
mod blocks;
mod error;
mod file;
mod files;
mod filter;
mod find;
mod formats;
mod framing;
mod held;
mod inputs;
mod interface;
mod interfaces;
mod live;
mod paced;
mod progress;
mod received;
mod records;
mod socket;
mod stream;

pub use activate::{Awaited, InterfaceConfig, open_when_there};
pub use apart::Apart;
pub use block::Block;
pub use error::{CaptureError, ErrorKind, Severity};
pub use files::CaptureFiles;
pub use filter::{FilterError, check_filter};
pub use inputs::{Contents, Input, inputs};
pub use interfaces::{FoundInterface, interfaces};
pub use live::{Interface, InterfaceStatus, Opened};
pub use paced::{NotARate, Paced, Rate, Schedule};
pub use progress::Progress;

/// The first packets of a source, so many and no more; or all.
#[derive(Debug)]
pub struct First<S> {
    source: S,
    left: Option<u64>,
}

impl<S> First<S> {
    /// The first `count` packets of `source`, or all of them.
    pub fn new(source: S, count: Option<u64>) -> Self {
        Self { source, left: count }
    }
}

impl<S: PacketSource> PacketSource for First<S> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        let Some(left) = &mut self.left else { return self.source.next(take) };
        if *left == 0 {
            return Ok(Next::End);
        }
        self.source.next(&mut |packet| {
            if *left == 0 {
                return ControlFlow::Break(());
            }
            *left -= 1;
            let more = take(packet);
            if *left == 0 { ControlFlow::Break(()) } else { more }
        })
    }

    fn drops(&mut self) -> Drops {
        self.source.drops()
    }
}

/// Takes a packet, and says whether more may follow at once.
pub type Take<'t> = dyn FnMut(&Packet<'_>) -> ControlFlow<()> + 't;

/// What came of asking for packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Some were given, and there may be more.
    Packets,
    /// There is none just now, and none from before this time will come: an interface is quiet.
    Idle(Timestamp),
    /// There will be no more than were given.
    End,
}

/// Packets that were lost before they could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The kernel's buffer was full.
    pub kernel: u64,
    /// The interface or its driver dropped them.
    pub interface: u64,
}

impl AddAssign for Drops {
    fn add_assign(&mut self, other: Self) {
        self.kernel += other.kernel;
        self.interface += other.interface;
    }
}

/// Where packets come from.
pub trait PacketSource {
    /// Gives the next packets to `take`, as many as are at hand, until it breaks off: at least one,
    /// if there is one. What was read together with the last may come after it all the same.
    ///
    /// # Errors
    ///
    /// A problem with one of the places where packets are read. What was given before it stays given, and
    /// it ends nothing: call again for what there is besides.
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError>;

    /// How many packets were lost so far.
    fn drops(&mut self) -> Drops {
        Drops::default()
    }
}

impl<S: PacketSource + ?Sized> PacketSource for Box<S> {
    fn next(&mut self, take: &mut Take<'_>) -> Result<Next, CaptureError> {
        (**self).next(take)
    }

    fn drops(&mut self) -> Drops {
        (**self).drops()
    }
}

/// A link-layer header type, as numbered in capture files (`LINKTYPE_*`,
/// <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub i32);

/// Those that sealwatch decodes.
impl LinkType {
    /// BSD loopback, address family in the writer's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without address and control.
    pub const PPP: Self = Self(9);
    /// Raw IP, as libpcap numbers it on most systems.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, as libpcap numbers it on OpenBSD.
    pub const RAW_OPENBSD: Self = Self(14);
    /// PPP in HDLC-like framing.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE without an Ethernet header.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP, as it is written in files.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// OpenBSD loopback, address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// PPP after a byte that gives the direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// As libpcap numbers what files call `number`: among those that are decoded, raw IP alone has
    /// another one.
    pub(crate) const fn in_file(number: i32) -> Self {
        match Self(number) {
            Self::RAW => Self::RAW_BSD,
            other => other,
        }
    }

    /// Whether it is one of those above.
    pub const fn is_decoded(self) -> bool {
        matches!(
            self,
            Self::NULL
                | Self::ETHERNET
                | Self::PPP
                | Self::RAW_BSD
                | Self::RAW_OPENBSD
                | Self::PPP_HDLC
                | Self::PPP_ETHER
                | Self::RAW
                | Self::C_HDLC
                | Self::LOOP
                | Self::LINUX_SLL
                | Self::PPP_WITH_DIR
                | Self::IPV4
                | Self::IPV6
                | Self::LINUX_SLL2
        )
    }
}

/// One packet as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// What the first byte of `data` belongs to.
    pub link_type: LinkType,
    /// The bytes that were captured, from the link-layer header on.
    pub data: &'a [u8],
    /// How many bytes the packet had on the wire; more than `data.len()` when the capture was
    /// cut short (snaplen). Never less: a capture file that claims so is corrected here.
    pub wire_len: u32,
    /// The block of a file that `data` is a part of: who keeps that keeps `data`, without copying it.
    pub block: Option<&'a Block>,
}

#[cfg(test)]
mod tests;
