//! A capture file, read in large blocks and taken apart where it lies.
//!
//! libpcap copies every packet out of a buffer of its own and returns from a call for each. Here a
//! file is read a block at a time, packets are parts of it, and whoever wants to keep one shares the
//! block ([`Block`]).

use super::block::{Block, Pool};
use super::error::ErrorKind;
use super::progress::Progress;
use super::records::{Place, Record, Records};
use super::{LinkType, Packet, Take};
use std::fs::File;
use std::io::{self, Read};

/// How much is read at once, in bytes: enough that the system's share does not count, and little
/// enough that the few blocks under way stay in the processor's cache.
const BLOCK: usize = 1 << 18;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    records: Records,
    pool: Pool,
    block: Block,
    /// What of the block was read from the file, and what of that was not looked at yet.
    filled: usize,
    at: usize,
    /// Where in the file the block begins.
    begins: u64,
    /// The link types of interfaces so far, each once.
    link_types: Vec<LinkType>,
    progress: Progress,
}

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// Whoever takes packets has enough.
    Enough,
    /// The file is over.
    End,
    /// Packets of another link type than before may follow, which is not decoded.
    Unknown(LinkType),
    /// The file cannot be read further.
    Fault(ErrorKind),
}

impl Blocks {
    /// A file of which nothing was read yet. Gives it back where libpcap is to read it.
    ///
    /// # Errors
    ///
    /// Where it ends, or is damaged, before its first packets' link type is known.
    pub(super) fn open(
        mut file: File,
        progress: Progress,
    ) -> Result<Result<Self, File>, ErrorKind> {
        let mut pool = Pool::default();
        let read = |bytes: &mut [u8]| fill(&mut file, bytes);
        let (block, filled) = pool.filled(BLOCK, read).map_err(ErrorKind::Unreadable)?;
        let Some(start) = block.bytes()[..filled].first_chunk() else { return Ok(Err(file)) };
        let Ok(records) = Records::new(start) else { return Ok(Err(file)) };
        let at = records.header_len();
        let (link_types, untold) = (Vec::new(), Progress::default());
        let mut blocks = Self {
            file,
            records,
            pool,
            block,
            filled,
            at,
            begins: 0,
            link_types,
            progress: untold,
        };
        blocks.find_first_interface()?;
        if !blocks.link_type().is_decoded() {
            return Ok(Err(blocks.file));
        }
        progress.add(blocks.begins + blocks.filled as u64);
        blocks.progress = progress;
        Ok(Ok(blocks))
    }

    /// The link type of the first interface.
    pub(super) fn link_type(&self) -> LinkType {
        match (&self.records, self.link_types.first()) {
            (Records::Pcap(pcap), _) => pcap.link_type,
            (_, first) => first.copied().unwrap_or(LinkType(-1)),
        }
    }

    /// Goes to behind the first interface of a pcapng file.
    fn find_first_interface(&mut self) -> Result<(), ErrorKind> {
        let no_interface = || "there is no interface before the first packet".to_owned();
        let wrong = |reason| ErrorKind::Corrupt { offset: Some(0), reason };
        while let Records::PcapNg(pcapng) = &self.records
            && !pcapng.begun
        {
            match self.records.next(&self.block.bytes()[self.at..self.filled]) {
                Record::Other { len, interface } => {
                    self.at += len;
                    self.link_types.extend(interface);
                }
                Record::Needs(len) if self.read_on(len).map_err(ErrorKind::Unreadable)? => {}
                Record::Needs(_) if self.at == self.filled => return Err(wrong(no_interface())),
                Record::Needs(_) => return Err(wrong("it is cut off".to_owned())),
                Record::Impossible(reason) => return Err(wrong(reason)),
                Record::Packet(_) => return Err(wrong(no_interface())),
            }
        }
        Ok(())
    }

    /// Gives packets until `take` has enough.
    pub(super) fn read(&mut self, take: &mut Take<'_>) -> Stop {
        loop {
            let bytes = &self.block.bytes()[self.at..self.filled];
            match self.records.next(bytes) {
                Record::Packet(Place { time, link_type, data, wire_len, len }) => {
                    self.at += len;
                    let block = Some(&self.block);
                    let packet = Packet { time, link_type, data: &bytes[data], wire_len, block };
                    if take(&packet).is_break() {
                        return Stop::Enough;
                    }
                }
                Record::Other { len, interface } => {
                    self.at += len;
                    if let Some(link_type) = interface.and_then(|link| self.note(link)) {
                        return Stop::Unknown(link_type);
                    }
                }
                Record::Needs(len) => match self.read_on(len) {
                    Ok(true) => {}
                    Ok(false) if self.at == self.filled => return Stop::End,
                    Ok(false) => return Stop::Fault(ErrorKind::CutOff { offset: self.offset() }),
                    Err(error) => return Stop::Fault(ErrorKind::Unreadable(error)),
                },
                Record::Impossible(reason) => {
                    let offset = Some(self.offset());
                    return Stop::Fault(ErrorKind::Corrupt { offset, reason });
                }
            }
        }
    }

    /// Notes an interface's link type; gives it where it is not decoded, and new.
    fn note(&mut self, link_type: LinkType) -> Option<LinkType> {
        if self.link_types.contains(&link_type) {
            return None;
        }
        self.link_types.push(link_type);
        (!link_type.is_decoded()).then_some(link_type)
    }

    /// Where in the file the next record begins.
    fn offset(&self) -> u64 {
        self.begins + self.at as u64
    }

    /// Reads on until `len` bytes of the next record are there. `false` where the file has no more.
    fn read_on(&mut self, len: usize) -> io::Result<bool> {
        let (file, rest) = (&mut self.file, &self.block.bytes()[self.at..self.filled]);
        let kept = rest.len();
        let (next, filled) = self.pool.filled(BLOCK.max(len), |bytes| {
            bytes[..kept].copy_from_slice(rest);
            fill(file, &mut bytes[kept..]).map(|n| kept + n)
        })?;
        self.begins += self.at as u64;
        self.progress.add((filled - kept) as u64);
        let before = std::mem::replace(&mut self.block, next);
        self.pool.give_back(before, BLOCK);
        (self.at, self.filled) = (0, filled);
        Ok(filled >= len)
    }
}

/// Reads until `bytes` are full or the file has no more.
fn fill(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
