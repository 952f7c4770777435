//! A capture file, read in large blocks and taken apart where it lies.
//!
//! libpcap copies every packet out of a buffer of its own and returns from a call for each. Here a
//! file is read a block at a time, packets are parts of it, and whoever wants to keep one shares the
//! block ([`Block`]).

use super::ahead::{Ahead, Chunk, SLACK, fill};
use super::block::{Block, Pool};
use super::error::ErrorKind;
use super::progress::Progress;
use super::records::{Place, Record, Records};
use super::{LinkType, Packet, Take};
use std::fs::File;
use std::io;
use std::thread::available_parallelism;

/// How much is read at once, in bytes: enough that the system's share does not count, and little
/// enough that the few blocks under way stay in the processor's cache.
const BLOCK: usize = 1 << 18;

/// Room before what is read ahead, for the beginning of a record that ends in it: that of a packet as
/// large as there are on links. What is longer is copied together.
const ROOM: usize = 1 << 14;
/// How large a buffer is in which a block is read ahead.
const READ_AHEAD: usize = ROOM + BLOCK + SLACK;

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Blocks {
    file: File,
    /// Who reads the file on, where it is not read here; and whether that was decided.
    ahead: Option<Ahead>,
    is_decided: bool,
    records: Records,
    pool: Pool,
    block: Block,
    /// Up to where the block was read from the file, and from where on that was not looked at yet.
    filled: usize,
    at: usize,
    /// How much was read of the file.
    read: u64,
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
        let mut bytes = vec![0; BLOCK];
        let filled = fill(&mut file, &mut bytes).map_err(ErrorKind::Unreadable)?;
        let Some(start) = bytes[..filled].first_chunk() else { return Ok(Err(file)) };
        let Ok(records) = Records::new(start) else { return Ok(Err(file)) };
        let at = records.header_len();
        let (link_types, untold) = (Vec::new(), Progress::default());
        let mut blocks = Self {
            file,
            ahead: None,
            is_decided: false,
            records,
            pool: Pool::default(),
            block: Block::new(bytes),
            filled,
            at,
            read: filled as u64,
            link_types,
            progress: untold,
        };
        blocks.find_first_interface()?;
        if !blocks.link_type().is_decoded() {
            return Ok(Err(blocks.file));
        }
        progress.add(blocks.read);
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
        self.read - (self.filled - self.at) as u64
    }

    /// Reads on until `len` bytes of the next record are there. `false` where the file has no more.
    fn read_on(&mut self, len: usize) -> io::Result<bool> {
        let rest = &self.block.bytes()[self.at..self.filled];
        let next = match &mut self.ahead {
            Some(ahead) => follow(ahead, rest, len, &mut self.pool)?,
            None => {
                let mut bytes = self.pool.take(BLOCK.max(len));
                bytes[..rest.len()].copy_from_slice(rest);
                let n = fill(&mut self.file, &mut bytes[rest.len()..])?;
                Unread { filled: rest.len() + n, at: 0, bytes }
            }
        };
        let n = (next.filled - next.at - rest.len()) as u64;
        self.read += n;
        self.progress.add(n);
        let before = std::mem::replace(&mut self.block, Block::new(next.bytes));
        self.pool.give_back(before, READ_AHEAD);
        (self.at, self.filled) = (next.at, next.filled);
        Ok(self.filled - self.at >= len)
    }

    /// From now on the file is read ahead, if it has more than was read, and there is a processor for it.
    pub(super) fn read_ahead(&mut self) {
        if self.is_decided {
            return;
        }
        self.is_decided = true;
        let has_more = self.block.bytes().len() == self.filled;
        if has_more && available_parallelism().is_ok_and(|n| n.get() > 1) {
            // Where that cannot be, it is read here.
            self.ahead = Ahead::start(&self.file, ROOM).ok();
        }
    }
}

/// Bytes of which `at..filled` were not looked at yet.
struct Unread {
    bytes: Vec<u8>,
    at: usize,
    filled: usize,
}

/// What follows `rest` in a file, with that before it: `len` bytes at least, or all there are.
fn follow(ahead: &mut Ahead, rest: &[u8], len: usize, pool: &mut Pool) -> io::Result<Unread> {
    let mut next = |pool: &mut Pool| ahead.next(|| pool.take(READ_AHEAD));
    let Some(Chunk { mut bytes, start, filled, .. }) = next(pool)? else {
        return Ok(Unread { bytes: rest.to_vec(), at: 0, filled: rest.len() });
    };
    if let Some(at) = start.checked_sub(rest.len())
        && filled - at >= len
    {
        bytes[at..start].copy_from_slice(rest);
        return Ok(Unread { bytes, at, filled });
    }
    let mut all = Vec::with_capacity(len + BLOCK);
    all.extend_from_slice(rest);
    all.extend_from_slice(&bytes[start..filled]);
    while all.len() < len
        && let Some(chunk) = next(pool)?
    {
        all.extend_from_slice(&chunk.bytes[chunk.start..chunk.filled]);
    }
    Ok(Unread { at: 0, filled: all.len(), bytes: all })
}
