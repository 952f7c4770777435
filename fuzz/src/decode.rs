//! Target: packets of any link type through the decode room.
//!
//! The first byte is options ([`Options`]); then follow either packets, each with a head of six
//! bytes ([`packet`]), or a segment in fragments ([`fragments`]).
//!
//! What must hold:
//! - every packet has one fate, of those that decoding can give;
//! - payload is part of the packet, and with what is missing no longer than it was on the wire;
//! - a packet is judged by itself: what came before, fragments excepted, changes nothing;
//! - cutting a packet short (snaplen) takes from its payload and changes nothing else;
//! - an IP packet in an Ethernet frame holds what it holds without one;
//! - of fragments that overlap, the first bytes win.

mod fragments;

use crate::tape::Tape;
use sealwatch::capture::{LinkType, Packet};
use sealwatch::decode::{Config, Decoder, Flags, PacketFate, Segment};
use sealwatch::net::Timestamp;

/// Every link type that is known, and one that is not.
pub const LINKS: [LinkType; 16] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::NULL,
    LinkType::PPP,
    LinkType::RAW_BSD,
    LinkType::RAW_OPENBSD,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::C_HDLC,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::PPP_WITH_DIR,
    LinkType::IPV4,
    LinkType::IPV6,
    LinkType::LINUX_SLL2,
    LinkType(147),
];

/// A UDP port that is VXLAN's where the options say so.
pub const VXLAN_PORT: u16 = 4242;

/// The first byte.
pub struct Options;

impl Options {
    /// Checksums are verified.
    pub const VERIFY: u8 = 1;
    /// Connections in different tunnels are different ones.
    pub const TUNNELS_APART: u8 = 2;
    /// [`VXLAN_PORT`] is VXLAN's.
    pub const VXLAN: u8 = 4;
    /// There is room for few fragments.
    pub const FEW_FRAGMENTS: u8 = 8;
    /// What follows is a segment in fragments.
    pub const FRAGMENTS: u8 = 16;
}

/// The target.
pub fn run(data: &[u8]) {
    let mut tape = Tape::new(data);
    let options = tape.u8();
    let is = |option| options & option != 0;
    if is(Options::FRAGMENTS) {
        return fragments::run(&mut tape);
    }
    let mut config = Config {
        verify_checksums: is(Options::VERIFY),
        key_holds_tunnel: is(Options::TUNNELS_APART),
        ..Config::default()
    };
    if is(Options::VXLAN) {
        config.vxlan_ports.push(VXLAN_PORT);
    }
    if is(Options::FEW_FRAGMENTS) {
        config.max_fragment_bytes = 2048;
    }
    packets(&config, &mut tape);
}

fn packets(config: &Config, tape: &mut Tape<'_>) {
    let mut decoder = Decoder::new(config.clone());
    let mut time = 0;
    let mut count = 0;
    let mut fragments = false;
    while !tape.is_over() {
        let packet = packet(tape, &mut time);
        let result = decoder.decode(&packet).map(Owned::of);
        let quic = decoder.take_quic();
        assert!(decoder.take_quic().is_none(), "given twice");
        assert!(quic.is_none() || result == Err(PacketFate::NotTcp), "QUIC in {result:?}");
        count += 1;
        check(config, &packet, &result, &mut fragments);
        assert_eq!(decoder.counts().total(), count, "{:?}", decoder.counts());
        if !fragments {
            let mut fresh = Decoder::new(config.clone());
            assert_eq!(fresh.decode(&packet).map(Owned::of), result, "of {packet:?}");
            assert_eq!(fresh.take_quic().map(|q| q.flow), quic.map(|q| q.flow));
            check_cut(config, &packet, &result);
            check_without_ethernet(config, &packet, &result);
        }
    }
    decoder.finish();
    assert_eq!(decoder.counts().total(), count, "{:?}", decoder.counts());
}

/// What an IP packet in a plain Ethernet frame holds, it holds by itself: the common ones of the
/// former go a shorter way.
fn check_without_ethernet(
    config: &Config,
    packet: &Packet<'_>,
    result: &Result<Owned, PacketFate>,
) {
    let Packet { link_type: LinkType::ETHERNET, data, wire_len, .. } = *packet else { return };
    if let (Ok(segment), Some([8, 0] | [0x86, 0xdd])) = (result, data.get(12..14)) {
        let (link_type, data, wire_len) = (LinkType::RAW, &data[14..], wire_len - 14);
        let alone = Packet { link_type, data, wire_len, ..*packet };
        let alone = Decoder::new(config.clone()).decode(&alone).map(Owned::of);
        assert_eq!(alone.as_ref(), Ok(segment), "of {packet:?}");
    }
}

/// A packet: its link type, seconds since the one before (times 4), how much was cut off, its
/// length, a byte that is not used, its bytes.
fn packet<'a>(tape: &mut Tape<'a>, time: &mut i64) -> Packet<'a> {
    let link_type = tape.one_of(&LINKS);
    *time += i64::from(tape.u8()) * 250_000_000;
    let cut = u32::from(tape.u8());
    let len = usize::from(tape.u16());
    let data = tape.bytes(len);
    let wire_len = data.len() as u32 + cut;
    Packet { time: Timestamp::from_nanos(*time), link_type, data, wire_len, block: None }
}

/// A segment that owns its payload: what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    said: String,
    payload: Vec<u8>,
    missing: u32,
    /// Where the payload was.
    at: usize,
}

impl Owned {
    fn of(segment: Segment<'_>) -> Self {
        let Segment { flow, tunnel, direction, seq, ack, flags, payload, missing, .. } = segment;
        assert_eq!(ack.is_some(), flags.has(Flags::ACK), "{segment:?}");
        let said = format!("{flow:?} {tunnel:?} {direction:?} {seq:?} {ack:?} {flags:?}");
        Self { said, payload: payload.to_vec(), missing, at: payload.as_ptr().addr() }
    }
}

/// Checks one packet's fate and segment by themselves. `fragments` becomes true with the first
/// packet that is one.
fn check(
    config: &Config,
    packet: &Packet<'_>,
    result: &Result<Owned, PacketFate>,
    fragments: &mut bool,
) {
    match result {
        Ok(segment) if !*fragments => {
            let start = packet.data.as_ptr().addr();
            let inside = segment.payload.is_empty()
                || (start <= segment.at
                    && segment.at + segment.payload.len() <= start + packet.data.len());
            assert!(inside, "payload from elsewhere");
            let len = segment.payload.len() + segment.missing as usize;
            let bound = (packet.wire_len as usize).max(usize::from(u16::MAX));
            assert!(len <= bound, "{len} bytes of payload in {packet:?}");
        }
        Ok(segment) => {
            assert!(segment.payload.len() <= packet.data.len().max(usize::from(u16::MAX)));
        }
        Err(PacketFate::Fragment | PacketFate::FragmentLost) => *fragments = true,
        Err(PacketFate::BadChecksum) => assert!(config.verify_checksums, "nobody asked"),
        Err(PacketFate::UnknownLink) => assert!(!packet.link_type.is_decoded()),
        Err(PacketFate::NotTcp | PacketFate::Truncated | PacketFate::Malformed) => {}
        Err(fate @ (PacketFate::Segment | PacketFate::Copy | PacketFate::Dropped)) => {
            panic!("not decoding's to say: {fate:?}")
        }
    }
}

/// The same packet, cut short by the capture at some places.
fn check_cut(config: &Config, packet: &Packet<'_>, result: &Result<Owned, PacketFate>) {
    let len = packet.data.len();
    for kept in [len * 3 / 4, len / 2, len.saturating_sub(1)] {
        let short = Packet { data: &packet.data[..kept], ..*packet };
        let Ok(cut) = Decoder::new(config.clone()).decode(&short).map(Owned::of) else { continue };
        let Ok(whole) = result else {
            // With the rest, its checksum turns out to be wrong.
            assert_eq!(*result, Err(PacketFate::BadChecksum), "{cut:?} of {short:?}");
            continue;
        };
        assert_eq!(cut.said, whole.said, "{packet:?} cut to {kept}");
        assert!(whole.payload.starts_with(&cut.payload), "{packet:?} cut to {kept}");
        let len = |segment: &Owned| segment.payload.len() + segment.missing as usize;
        assert_eq!(len(&cut), len(whole), "{packet:?} cut to {kept}");
    }
}
