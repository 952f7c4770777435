//! The two floors: what it takes to get at each packet of a file, and no more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Large enough that calls do not count, small enough to stay in a core's cache.
const BLOCK: usize = 1 << 20;
const PCAP: usize = 24;
const RECORD: usize = 16;

/// Packets, and a sum that keeps what was touched from being left out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Touched {
    pub(crate) packets: u64,
    pub(crate) sum: u64,
}

impl Touched {
    fn touch(&mut self, packet: &[u8]) {
        self.packets += 1;
        self.sum += packet.first().map_or(0, |byte| u64::from(*byte)) + packet.len() as u64;
    }
}

/// libpcap's `pcap_next_ex`, over and over.
pub(crate) fn libpcap(file: &Path) -> Result<Touched, pcap::Error> {
    let mut capture = pcap::Capture::from_file(file)?;
    let mut touched = Touched::default();
    loop {
        match capture.next_packet() {
            Ok(packet) => touched.touch(packet.data),
            Err(pcap::Error::NoMorePackets) => return Ok(touched),
            Err(error) => return Err(error),
        }
    }
}

/// Reads blocks of 1 MiB and walks over the records in them, in place. Takes little-endian pcap, and
/// pcapng with enhanced packet blocks.
///
/// # Errors
///
/// Where the file cannot be read.
pub(crate) fn blocks(file: &Path) -> io::Result<Touched> {
    let mut file = File::open(file)?;
    let mut block = vec![0; BLOCK];
    let mut filled = file.read(&mut block)?;
    let is_pcapng = block.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
    let walk = if is_pcapng { walk_pcapng } else { walk_pcap };
    let mut at = if is_pcapng { 0 } else { PCAP };
    let mut touched = Touched::default();
    loop {
        at += walk(&block[at..filled], &mut touched);
        block.copy_within(at..filled, 0);
        let kept = filled - at;
        if kept == block.len() {
            return Err(io::Error::other("a packet is larger than a block"));
        }
        at = 0;
        match file.read(&mut block[kept..])? {
            0 => return Ok(touched),
            more => filled = kept + more,
        }
    }
}

fn word(data: &[u8], at: usize) -> Option<usize> {
    let bytes = data.get(at..at + 4)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

/// Touches the records that are whole; where the next begins.
fn walk_pcap(data: &[u8], touched: &mut Touched) -> usize {
    let mut at = 0;
    while let Some(packet) =
        word(data, at + 8).and_then(|length| data.get(at + RECORD..at + RECORD + length))
    {
        touched.touch(packet);
        at += RECORD + packet.len();
    }
    at
}

fn walk_pcapng(data: &[u8], touched: &mut Touched) -> usize {
    const ENHANCED_PACKET: usize = 6;
    let mut at = 0;
    while let (Some(kind), Some(length)) = (word(data, at), word(data, at + 4)) {
        let Some(block) = data.get(at..at + length) else { break };
        let packet = word(block, 20).and_then(|length| block.get(28..28 + length));
        if let (ENHANCED_PACKET, Some(packet)) = (kind, packet) {
            touched.touch(packet);
        }
        at += length;
    }
    at
}
