//! Where in a capture file reading it came to an end.
//!
//! libpcap says what is wrong with a file, but not where. [`Framing`] goes from record to record
//! through the same bytes, looks at nothing but their framing, and gives the offset of the first
//! record that is cut off or impossible.
//!
//! Formats: pcap (draft-ietf-opsawg-pcap) and its variants with nanoseconds and with a longer
//! record header, and pcapng (draft-ietf-opsawg-pcapng).

use super::formats::{
    ENHANCED_PACKET, Format, INTERFACE_DESCRIPTION, MAX_PACKET, OBSOLETE_PACKET, Order,
    SECTION_HEADER, SIMPLE_PACKET, check_block, check_captured, check_room, format, max_packet,
    snapshot,
};
use std::io::{self, Read};

/// What is wrong with a record, and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Bytes from the beginning of the file.
    pub(super) offset: u64,
    pub(super) kind: FaultKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// The file ends within it.
    CutOff,
    /// It cannot be what it says.
    Impossible(String),
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The first 4 bytes of a file.
    Magic,
    /// The rest of a pcap file header.
    FileHeader { record_header: usize },
    /// A pcap record header.
    Record { len: usize },
    /// A pcapng block's type and length.
    Block,
    /// A section header block's byte order mark, without which its length cannot be read; after
    /// the length, where that was not gathered with the type.
    Section { len: Option<[u8; 4]> },
    /// Link type and snapshot length of an interface.
    Interface { len: u32 },
    /// Interface, time and captured length of a packet.
    Packet { len: u32, obsolete: bool },
    /// A packet's length, where that is all that is said of it.
    SimplePacket { len: u32 },
    /// The length, repeated at a block's end.
    BlockEnd { len: u32 },
}

impl Next {
    fn len(self) -> usize {
        match self {
            Self::Magic
            | Self::BlockEnd { .. }
            | Self::SimplePacket { .. }
            | Self::Section { len: Some(_) } => 4,
            Self::FileHeader { .. } => 20,
            Self::Record { len } => len,
            Self::Block | Self::Section { len: None } | Self::Interface { .. } => 8,
            Self::Packet { .. } => 20,
        }
    }

    fn starts_record(self) -> bool {
        matches!(self, Self::Magic | Self::Record { .. } | Self::Block)
    }
}

/// Follows a capture file's framing. It takes the file in pieces of any size.
#[derive(Debug)]
pub(super) struct Framing {
    next: Next,
    order: Order,
    max_packet: u32,
    /// Link type and snapshot length of the file's first interface.
    first_interface: Option<(u16, u32)>,
    /// How many interfaces the section has.
    interfaces: u32,
    /// Where the record that is being read starts.
    record: u64,
    /// How many bytes were taken.
    taken: u64,
    /// How many bytes to pass over before `next`.
    skip: u64,
    /// What was gathered of `next`.
    gathered: Vec<u8>,
    fault: Option<Fault>,
}

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            next: Next::Magic,
            order: Order::Little,
            max_packet: MAX_PACKET,
            first_interface: None,
            interfaces: 0,
            record: 0,
            taken: 0,
            skip: 0,
            gathered: Vec::new(),
            fault: None,
        }
    }

    /// The first fault of a whole file.
    pub(super) fn first_fault(mut file: impl Read) -> io::Result<Option<Fault>> {
        let mut framing = Self::new();
        let mut block = vec![0; 1 << 16];
        while framing.fault.is_none() {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(n) => framing.take(&block[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(framing.finish())
    }

    /// Takes the next bytes of the file.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while self.fault.is_none() && !bytes.is_empty() {
            let passed = self.skip.min(bytes.len() as u64);
            self.skip -= passed;
            self.taken += passed;
            bytes = &bytes[passed as usize..];
            if self.skip > 0 {
                return;
            }
            if self.gathered.is_empty() && self.next.starts_record() {
                self.record = self.taken;
            }
            let n = (self.next.len() - self.gathered.len()).min(bytes.len());
            self.gathered.extend_from_slice(&bytes[..n]);
            self.taken += n as u64;
            bytes = &bytes[n..];
            if self.gathered.len() == self.next.len() {
                self.read_gathered();
            }
        }
    }

    /// The file is over. Gives its first fault.
    pub(super) fn finish(self) -> Option<Fault> {
        let within = self.skip > 0 || !self.gathered.is_empty() || !self.next.starts_record();
        let cut = within.then_some(Fault { offset: self.record, kind: FaultKind::CutOff });
        self.fault.or(cut)
    }

    fn read_gathered(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        if let Err(reason) = self.read(&gathered) {
            let kind = FaultKind::Impossible(reason);
            self.fault = Some(Fault { offset: self.record, kind });
        }
        gathered.clear();
        self.gathered = gathered;
    }

    /// Reads what was gathered, and settles what comes after it.
    fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        match self.next {
            Next::Magic => self.magic(bytes),
            Next::FileHeader { record_header } => {
                // The upper bits of the link type hold flags.
                self.max_packet = max_packet(self.u32(bytes, 16) & 0xffff);
                self.next = Next::Record { len: record_header };
                Ok(())
            }
            Next::Record { .. } => {
                let captured = self.u32(bytes, 8);
                self.skip = captured.into();
                check_captured(captured, self.max_packet)
            }
            Next::Block => self.block(bytes),
            Next::Section { len } => self.section(len, bytes),
            Next::Interface { len } => self.interface(len, bytes),
            Next::Packet { len, obsolete } => self.packet(len, obsolete, bytes),
            Next::SimplePacket { len } => self.simple_packet(len, bytes),
            Next::BlockEnd { len } => {
                self.next = Next::Block;
                match self.u32(bytes, 0) {
                    repeated if repeated == len => Ok(()),
                    other => Err(format!("a block of {len} bytes ends as one of {other}")),
                }
            }
        }
    }

    fn magic(&mut self, bytes: &[u8]) -> Result<(), String> {
        let magic = [bytes[0], bytes[1], bytes[2], bytes[3]];
        let (format, order) = format(magic).ok_or("it does not start as a capture file")?;
        self.order = order;
        self.next = match format {
            Format::Pcap { record_header, .. } => Next::FileHeader { record_header },
            Format::PcapNg => Next::Section { len: None },
        };
        Ok(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<(), String> {
        let kind = self.u32(bytes, 0);
        if kind == SECTION_HEADER {
            self.next = Next::Section { len: Some([bytes[4], bytes[5], bytes[6], bytes[7]]) };
            return Ok(());
        }
        let len = self.u32(bytes, 4);
        check_block(kind, len)?;
        match kind {
            INTERFACE_DESCRIPTION => self.next = Next::Interface { len },
            OBSOLETE_PACKET => self.next = Next::Packet { len, obsolete: true },
            ENHANCED_PACKET => self.next = Next::Packet { len, obsolete: false },
            SIMPLE_PACKET => self.next = Next::SimplePacket { len },
            _ => self.block_ends(len, 8),
        }
        Ok(())
    }

    fn section(&mut self, len: Option<[u8; 4]>, bytes: &[u8]) -> Result<(), String> {
        let (len, order) = match len {
            Some(len) => (len, bytes),
            None => ([bytes[0], bytes[1], bytes[2], bytes[3]], &bytes[4..]),
        };
        self.order = Order::of_section(order)?;
        let len = self.u32(&len, 0);
        check_block(SECTION_HEADER, len)?;
        self.interfaces = 0;
        self.block_ends(len, 12);
        Ok(())
    }

    /// libpcap gives every packet of a file the same link type and snapshot length.
    fn interface(&mut self, len: u32, bytes: &[u8]) -> Result<(), String> {
        let link = self.u16(bytes, 0);
        let snapshot = self.u32(bytes, 4);
        let first = *self.first_interface.get_or_insert((link, snapshot));
        self.interfaces += 1;
        self.max_packet = self::snapshot(snapshot, link.into());
        self.block_ends(len, 16);
        if first != (link, snapshot) {
            return Err(format!(
                "an interface of link type {link} and snapshot length {snapshot} after one of \
                 {} and {}: libpcap reads no such mixture",
                first.0, first.1
            ));
        }
        Ok(())
    }

    fn packet(&mut self, len: u32, obsolete: bool, bytes: &[u8]) -> Result<(), String> {
        let interface = if obsolete { self.u16(bytes, 0).into() } else { self.u32(bytes, 0) };
        let captured = self.u32(bytes, 12);
        self.block_ends(len, 28);
        check_captured(captured, self.max_packet)?;
        self.check_interface(interface)?;
        check_room(captured, len, 32)
    }

    fn simple_packet(&mut self, len: u32, bytes: &[u8]) -> Result<(), String> {
        let captured = self.u32(bytes, 0).min(self.max_packet);
        self.block_ends(len, 12);
        self.check_interface(0)?;
        check_room(captured, len, 16)
    }

    fn check_interface(&self, interface: u32) -> Result<(), String> {
        if interface < self.interfaces {
            return Ok(());
        }
        Err(format!("a packet of interface {interface}, which is not described"))
    }

    /// A block of `len` bytes, of which `read` were read, ends with its length.
    fn block_ends(&mut self, len: u32, read: u32) {
        self.skip = u64::from(len - read - 4);
        self.next = Next::BlockEnd { len };
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        self.order.u32(bytes, at)
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        self.order.u16(bytes, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two packets of 5 and 3 bytes.
    fn pcap() -> Vec<u8> {
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
        file.extend([0; 8]);
        file.extend([0, 0, 4, 0, 1, 0, 0, 0]);
        for len in [5u8, 3] {
            file.extend([1, 0, 0, 0, 2, 0, 0, 0, len, 0, 0, 0, len, 0, 0, 0]);
            file.extend(vec![7; len.into()]);
        }
        file
    }

    /// A section, an interface, and two packets of 5 and 3 bytes, in big-endian order.
    fn pcapng() -> Vec<u8> {
        let block = |kind: u32, body: &[u8]| {
            let len = (12 + body.len().next_multiple_of(4)) as u32;
            let mut block = [kind.to_be_bytes(), len.to_be_bytes()].concat();
            block.extend_from_slice(body);
            block.resize(len as usize - 4, 0);
            block.extend(len.to_be_bytes());
            block
        };
        let mut file =
            block(SECTION_HEADER, &[0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(block(INTERFACE_DESCRIPTION, &[0, 1, 0, 0, 0, 4, 0, 0]));
        for len in [5u8, 3] {
            let mut body = vec![0; 12];
            body.extend([0, 0, 0, len, 0, 0, 0, len]);
            body.extend(vec![7; len.into()]);
            file.extend(block(ENHANCED_PACKET, &body));
        }
        file
    }

    fn fault(file: &[u8]) -> Option<Fault> {
        let whole = Framing::first_fault(file).unwrap();
        let mut bytewise = Framing::new();
        file.chunks(1).for_each(|byte| bytewise.take(byte));
        assert_eq!(bytewise.finish(), whole);
        whole
    }

    #[test]
    fn a_whole_file_has_no_fault() {
        assert_eq!(fault(&pcap()), None);
        assert_eq!(fault(&pcapng()), None);
        assert_eq!(fault(&[]), None);
        let twice = [pcapng(), pcapng()].concat();
        assert_eq!(fault(&twice), None);
    }

    #[test]
    fn a_cut_gives_the_offset_of_the_record_it_cuts() {
        for (file, starts) in [(pcap(), vec![0, 24, 45]), (pcapng(), vec![0, 28, 48, 88])] {
            for end in 1..file.len() {
                let start = starts.iter().rev().find(|&&start| start < end).unwrap();
                let expected = if starts.contains(&end) && end > 0 {
                    None
                } else {
                    Some(Fault { offset: *start as u64, kind: FaultKind::CutOff })
                };
                assert_eq!(fault(&file[..end]), expected, "cut at {end}");
            }
        }
    }

    #[test]
    fn an_impossible_record_gives_its_offset() {
        let mut too_long = pcap();
        too_long[45 + 10] = 0xff;
        assert_eq!(fault(&too_long).map(|fault| fault.offset), Some(45));
        let mut no_interface = pcapng();
        no_interface[88 + 11] = 1;
        assert_eq!(fault(&no_interface).map(|fault| fault.offset), Some(88));
        let mut mixed = pcapng();
        let mut other = mixed[28..48].to_vec();
        other[9] = 113;
        mixed.extend(other);
        assert_eq!(fault(&mixed).map(|fault| fault.offset), Some(128 - 4));
        let mut end = pcapng();
        end[47] = 9;
        assert_eq!(fault(&end).map(|fault| fault.offset), Some(28));
        let mut nonsense = pcap();
        nonsense[0] = b'x';
        assert_eq!(fault(&nonsense).map(|fault| fault.offset), Some(0));
    }
}
