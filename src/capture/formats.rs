//! What capture files look like: the numbers by which their parts are known, and what no part can be.
//!
//! Formats: pcap (draft-ietf-opsawg-pcap) and its variants with nanoseconds and with a longer
//! record header, and pcapng (draft-ietf-opsawg-pcapng). Limits are libpcap's.

/// libpcap takes no packet for possible that is larger (`MAXIMUM_SNAPLEN`), nor, on its largest
/// link types, one of more than 128 MiB.
pub(super) const MAX_PACKET: u32 = 262_144;
const MAX_PACKET_OF_LARGE_LINKS: u32 = 128 << 20;
/// D-Bus, USBPcap, EBHSCR.
const LARGE_LINKS: [u32; 3] = [231, 249, 279];
/// The largest pcapng block that libpcap reads before it knows of a larger link type.
const MAX_BLOCK: u32 = 16 << 20;

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(super) const BYTE_ORDER: u32 = 0x1a2b_3c4d;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const OBSOLETE_PACKET: u32 = 2;
pub(super) const SIMPLE_PACKET: u32 = 3;
pub(super) const ENHANCED_PACKET: u32 = 6;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Pcap { record_header: usize, nanos: bool },
    PcapNg,
}

/// In which order the bytes of numbers stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// By the byte order magic of a pcapng section.
    pub(super) fn of_section(magic: &[u8]) -> Result<Self, String> {
        [Self::Little, Self::Big]
            .into_iter()
            .find(|order| magic.len() >= 4 && order.u32(magic, 0) == BYTE_ORDER)
            .ok_or_else(|| "a section without a byte order".to_owned())
    }

    /// The number of 32 bits at `at`, which must be there.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The number of 16 bits at `at`, which must be there.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = [bytes[at], bytes[at + 1]];
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// Whether a file that starts so is a capture file.
pub(super) fn is_capture(start: &[u8]) -> bool {
    start.first_chunk().is_some_and(|magic| format(*magic).is_some())
}

/// The format by a file's first bytes, and the order of the bytes of numbers in it; pcapng says the
/// latter later.
pub(super) fn format(magic: [u8; 4]) -> Option<(Format, Order)> {
    let plain = |nanos| Format::Pcap { record_header: 16, nanos };
    let modified = Format::Pcap { record_header: 24, nanos: false };
    match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
        (0xa1b2_c3d4, _) => Some((plain(false), Order::Big)),
        (0xa1b2_3c4d, _) => Some((plain(true), Order::Big)),
        (_, 0xa1b2_c3d4) => Some((plain(false), Order::Little)),
        (_, 0xa1b2_3c4d) => Some((plain(true), Order::Little)),
        (0xa1b2_cd34, _) => Some((modified, Order::Big)),
        (_, 0xa1b2_cd34) => Some((modified, Order::Little)),
        (SECTION_HEADER, _) => Some((Format::PcapNg, Order::Big)),
        _ => None,
    }
}

/// The most bytes that a packet of a link type has.
pub(super) fn max_packet(link: u32) -> u32 {
    if LARGE_LINKS.contains(&link) { MAX_PACKET_OF_LARGE_LINKS } else { MAX_PACKET }
}

/// The snapshot length of a link type's packets, where the file says `said`, as libpcap understands
/// it.
pub(super) fn snapshot(said: u32, link: u32) -> u32 {
    if said == 0 || said > MAX_PACKET { max_packet(link) } else { said }
}

/// The least length of a pcapng block, by what it is.
const fn least_block(kind: u32) -> u32 {
    match kind {
        SECTION_HEADER => 28,
        INTERFACE_DESCRIPTION => 20,
        SIMPLE_PACKET => 16,
        OBSOLETE_PACKET | ENHANCED_PACKET => 32,
        _ => 12,
    }
}

pub(super) fn check_captured(captured: u32, most: u32) -> Result<(), String> {
    if captured <= most {
        return Ok(());
    }
    Err(format!("a packet of {captured} bytes, when {most} is the most"))
}

/// Whether a packet of so many bytes has room in a block of `len` bytes, of which `besides` are
/// something else.
pub(super) fn check_room(captured: u32, len: u32, besides: u32) -> Result<(), String> {
    if captured <= len - besides {
        return Ok(());
    }
    Err(format!("a packet of {captured} bytes in a block of {len}"))
}

pub(super) fn check_block(kind: u32, len: u32) -> Result<(), String> {
    if len < least_block(kind) || len > MAX_BLOCK || !len.is_multiple_of(4) {
        return Err(format!("a block of {len} bytes"));
    }
    Ok(())
}
