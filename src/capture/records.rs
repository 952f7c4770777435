//! From the bytes of a capture file to its packets, where they lie.
//!
//! [`Records`] takes what follows in a file and says what stands there: a packet, something else,
//! or that more bytes are needed to tell. It reads pcap 2.4 and pcapng 1.0 as libpcap does, and
//! beyond it files whose interfaces differ in link type or snapshot length, and whose sections
//! differ in byte order.

use super::LinkType;
use super::formats::{
    ENHANCED_PACKET, Format, INTERFACE_DESCRIPTION, OBSOLETE_PACKET, Order, SECTION_HEADER,
    SIMPLE_PACKET, check_block, check_captured, check_room, format, max_packet, snapshot,
};
use super::interface::Interface;
use crate::net::Timestamp;
use std::ops::Range;

/// More interfaces than any capture has; each is kept.
const MAX_INTERFACES: usize = 1 << 16;
/// The largest first section header that libpcap takes for one (`BT_SHB_INSANE_MAX`).
const MAX_FIRST_SECTION: u32 = 1 << 20;
const RECORD_HEADER: usize = 16;

/// What stands next in a file.
#[derive(Debug)]
pub(super) enum Record {
    /// A packet.
    Packet(Place),
    /// Something else, so many bytes long; an interface, where it is one.
    Other { len: usize, interface: Option<LinkType> },
    /// That cannot be told from fewer than so many bytes.
    Needs(usize),
    /// It cannot be what it says.
    Impossible(String),
}

/// A packet, and where it lies in the bytes that begin with its record.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) time: Timestamp,
    pub(super) link_type: LinkType,
    pub(super) data: Range<usize>,
    pub(super) wire_len: u32,
    /// How long the record is.
    pub(super) len: usize,
}

/// Why a file is to be read by libpcap.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusual;

/// What a file's records look like, as far as it told.
#[derive(Debug)]
pub(super) enum Records {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl Records {
    /// By a file's first 24 bytes.
    pub(super) fn new(start: &[u8; 24]) -> Result<Self, Unusual> {
        let magic = [start[0], start[1], start[2], start[3]];
        match format(magic) {
            Some((Format::PcapNg, order)) => {
                Ok(Self::PcapNg(PcapNg { order, interfaces: Vec::new(), begun: false }))
            }
            Some((Format::Pcap { record_header: RECORD_HEADER, nanos }, order)) => {
                Pcap::new(start, order, nanos).map(Self::Pcap)
            }
            _ => Err(Unusual),
        }
    }

    /// How many bytes come before the first record.
    pub(super) const fn header_len(&self) -> usize {
        match self {
            Self::Pcap(_) => 24,
            Self::PcapNg(_) => 0,
        }
    }

    /// What `bytes` begin with.
    #[inline]
    pub(super) fn next(&mut self, bytes: &[u8]) -> Record {
        match self {
            Self::Pcap(pcap) => pcap.next(bytes),
            Self::PcapNg(pcapng) => pcapng.next(bytes).unwrap_or_else(Record::Impossible),
        }
    }
}

/// A pcap file, by its header.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    nanos: bool,
    pub(super) link_type: LinkType,
    max_packet: u32,
    snapshot: u32,
}

impl Pcap {
    fn new(header: &[u8; 24], order: Order, nanos: bool) -> Result<Self, Unusual> {
        let version = (order.u16(header, 4), order.u16(header, 6));
        let link = order.u32(header, 20);
        let link_type = LinkType::in_file(i32::try_from(link).map_err(|_| Unusual)?);
        // Of other versions lengths are in another order, and the upper bits of the link type hold
        // flags.
        if version != (2, 4) || !link_type.is_decoded() {
            return Err(Unusual);
        }
        let max_packet = max_packet(link);
        let snapshot = snapshot(order.u32(header, 16), link);
        Ok(Self { order, nanos, link_type, max_packet, snapshot })
    }

    #[inline]
    fn next(&self, bytes: &[u8]) -> Record {
        let Some(header) = bytes.first_chunk::<RECORD_HEADER>() else {
            return Record::Needs(RECORD_HEADER);
        };
        let captured = self.order.u32(header, 8);
        if let Err(reason) = check_captured(captured, self.max_packet) {
            return Record::Impossible(reason);
        }
        let len = RECORD_HEADER + captured as usize;
        if bytes.len() < len {
            return Record::Needs(len);
        }
        // Without a sign, as the format says; libpcap gives times from 2038 on one in files of the
        // machine's own byte order.
        let seconds = self.order.u32(header, 0);
        let fraction = i64::from(self.order.u32(header, 4));
        let nanos = if self.nanos { fraction } else { fraction * 1_000 };
        // What is captured beyond the snapshot length is not given by libpcap either.
        let given = captured.min(self.snapshot);
        Record::Packet(Place {
            time: Timestamp::from_parts(seconds.into(), nanos),
            link_type: self.link_type,
            data: RECORD_HEADER..RECORD_HEADER + given as usize,
            wire_len: self.order.u32(header, 12).max(given),
            len,
        })
    }
}

/// A pcapng file, as far as it was read.
#[derive(Debug)]
pub(super) struct PcapNg {
    order: Order,
    /// Of the section that is being read.
    interfaces: Vec<Interface>,
    /// Whether there was an interface anywhere.
    pub(super) begun: bool,
}

impl PcapNg {
    fn next(&mut self, bytes: &[u8]) -> Result<Record, String> {
        const HEADER: usize = 12;
        let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(Record::Needs(HEADER)) };
        let kind = self.order.u32(header, 0);
        // A section's type reads the same in either order, and its length does not.
        let is_section = kind == SECTION_HEADER;
        let order = if is_section { Order::of_section(&header[8..])? } else { self.order };
        let len = order.u32(header, 4);
        check_block(kind, len)?;
        let Some(block) = bytes.get(..len as usize) else {
            return Ok(Record::Needs(len as usize));
        };
        match order.u32(block, block.len() - 4) {
            repeated if repeated == len => {}
            other => return Err(format!("a block of {len} bytes ends as one of {other}")),
        }
        let other = Record::Other { len: block.len(), interface: None };
        match kind {
            SECTION_HEADER => self.section(order, block).map(|()| other),
            INTERFACE_DESCRIPTION => self.interface(block),
            OBSOLETE_PACKET => self.packet(block, order.u16(block, 8).into()),
            ENHANCED_PACKET => self.packet(block, order.u32(block, 8)),
            SIMPLE_PACKET => self.simple_packet(block),
            _ => Ok(other),
        }
    }

    fn section(&mut self, order: Order, block: &[u8]) -> Result<(), String> {
        let version = (order.u16(block, 12), order.u16(block, 14));
        // libpcap looks closely at the first one alone.
        let is_known = if self.begun { version.0 == 1 } else { matches!(version, (1, 0 | 2)) };
        if !is_known {
            return Err(format!("a section of version {}.{}", version.0, version.1));
        }
        if !self.begun && block.len() > MAX_FIRST_SECTION as usize {
            return Err(format!("a block of {} bytes", block.len()));
        }
        self.order = order;
        self.interfaces.clear();
        Ok(())
    }

    fn interface(&mut self, block: &[u8]) -> Result<Record, String> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(format!("more than {MAX_INTERFACES} interfaces"));
        }
        let interface = Interface::read(self.order, &block[8..block.len() - 4])?;
        let link_type = interface.link_type;
        self.interfaces.push(interface);
        self.begun = true;
        Ok(Record::Other { len: block.len(), interface: Some(link_type) })
    }

    fn interface_of(&self, number: u32) -> Result<&Interface, String> {
        let found = self.interfaces.get(number as usize);
        found.ok_or_else(|| format!("a packet of interface {number}, which is not described"))
    }

    /// An enhanced packet, or an obsolete one: they differ in how the interface is numbered.
    fn packet(&self, block: &[u8], interface: u32) -> Result<Record, String> {
        let captured = self.order.u32(block, 20);
        let interface = self.interface_of(interface)?;
        let units = u64::from(self.order.u32(block, 12)) << 32;
        let units = units | u64::from(self.order.u32(block, 16));
        check_captured(captured, interface.snapshot)?;
        check_room(captured, block.len() as u32, 32)?;
        let wire_len = self.order.u32(block, 24).max(captured);
        Ok(interface.packet(interface.time(units), 28, captured, wire_len, block))
    }

    /// A packet of the first interface without a time; how much of it was captured follows from
    /// the snapshot length.
    fn simple_packet(&self, block: &[u8]) -> Result<Record, String> {
        let interface = self.interface_of(0)?;
        let wire_len = self.order.u32(block, 8);
        let captured = wire_len.min(interface.snapshot);
        check_room(captured, block.len() as u32, 16)?;
        Ok(interface.packet(interface.time(0), 12, captured, wire_len, block))
    }
}

impl Interface {
    fn packet(
        &self,
        time: Timestamp,
        at: usize,
        captured: u32,
        wire_len: u32,
        block: &[u8],
    ) -> Record {
        let data = at..at + captured as usize;
        let link_type = self.link_type;
        Record::Packet(Place { time, link_type, data, wire_len, len: block.len() })
    }
}
