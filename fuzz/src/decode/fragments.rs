//! A segment in fragments that come in any order, repeat and overlap each other.

use crate::tape::Tape;
use sealwatch::capture::{LinkType, Packet};
use sealwatch::decode::{Config, Decoder, PacketFate};
use sealwatch::net::Timestamp;

const TCP_HEADER: usize = 20;
const MAX_FRAGMENTS: usize = 200;
const MAX_PAYLOAD: usize = 2000;

/// One fragment as it is sent.
struct Fragment {
    offset: usize,
    len: usize,
    more: bool,
    /// How many of its bytes were captured.
    captured: usize,
    /// What its bytes beyond the TCP header differ by from those of other fragments.
    differs: u8,
}

/// What the datagram must become: by the rule that the first bytes win.
struct Model {
    whole: Vec<u8>,
    known: Vec<Option<u8>>,
    covered: Vec<bool>,
    end_known: bool,
}

/// Sends fragments until the datagram is complete, or the script over.
pub(super) fn run(tape: &mut Tape<'_>) {
    let six = tape.flag();
    let whole = segment(1 + tape.below(MAX_PAYLOAD));
    let len = whole.len();
    let mut model =
        Model { known: vec![None; len], covered: vec![false; len], whole, end_known: false };
    let mut decoder = Decoder::new(Config::default());
    for count in 1..=MAX_FRAGMENTS as u64 {
        if tape.is_over() {
            break;
        }
        let fragment = fragment(tape, len);
        let bytes = model.take(&fragment);
        let data = if six { v6(&fragment, &bytes) } else { v4(&fragment, &bytes) };
        let wire_len = data.len() + fragment.len - fragment.captured;
        let packet = Packet {
            time: Timestamp::from_nanos(0),
            link_type: LinkType::RAW,
            data: &data,
            wire_len: wire_len as u32,
            block: None,
        };
        let result = decoder.decode(&packet);
        if model.is_complete() {
            let got = result.map(|segment| (segment.payload.to_vec(), segment.missing as usize));
            assert_eq!(got, model.expected());
            assert_eq!(decoder.counts().get(PacketFate::FragmentLost), 0);
            return;
        }
        assert_eq!(result.err(), Some(PacketFate::Fragment));
        assert_eq!(decoder.counts().get(PacketFate::Fragment), count);
    }
    let sent = decoder.counts().total();
    decoder.finish();
    assert_eq!(decoder.counts().get(PacketFate::FragmentLost), sent);
}

/// A TCP segment: its payload can be told from its place.
fn segment(payload: usize) -> Vec<u8> {
    let mut bytes = vec![0; TCP_HEADER];
    bytes[1] = 80;
    bytes[12] = 5 << 4;
    bytes[13] = 0x10;
    bytes.extend((0..payload).map(|at| (at % 251) as u8));
    bytes
}

/// The next fragment: where it begins and how long it is, in units of eight bytes, how much of it
/// was captured, how it differs. Never the whole: that is none.
fn fragment(tape: &mut Tape<'_>, total: usize) -> Fragment {
    let offset = 8 * tape.below(total.div_ceil(8));
    let mut len = (8 * (1 + tape.below(256))).min(total - offset);
    let cut = tape.u8();
    let differs = tape.u8();
    if offset == 0 && len == total {
        len = (total - 1) / 8 * 8;
    }
    let captured = if cut < 192 { len } else { len.saturating_sub(usize::from(cut) - 191) };
    Fragment { offset, len, more: offset + len < total, captured, differs }
}

impl Model {
    /// Takes a fragment: its bytes that were captured.
    fn take(&mut self, fragment: &Fragment) -> Vec<u8> {
        let Fragment { offset, len, captured, differs, more } = *fragment;
        let differ = |at: usize| if at < TCP_HEADER { 0 } else { differs };
        let bytes: Vec<u8> =
            (offset..offset + captured).map(|at| self.whole[at] ^ differ(at)).collect();
        for (at, byte) in (offset..).zip(&bytes) {
            self.known[at].get_or_insert(*byte);
        }
        self.covered[offset..offset + len].fill(true);
        self.end_known |= !more;
        bytes
    }

    fn is_complete(&self) -> bool {
        self.end_known && self.covered.iter().all(|covered| *covered)
    }

    /// The payload up to the first byte that was not captured, and how many are missing then.
    fn expected(&self) -> Result<(Vec<u8>, usize), PacketFate> {
        let captured: Vec<u8> = self.known.iter().map_while(|byte| *byte).collect();
        let missing = self.known.len() - captured.len();
        match captured.get(TCP_HEADER..) {
            Some(payload) => Ok((payload.to_vec(), missing)),
            None => Err(PacketFate::Truncated),
        }
    }
}

fn v4(fragment: &Fragment, bytes: &[u8]) -> Vec<u8> {
    let total = (20 + fragment.len) as u16;
    let place = (fragment.offset / 8) as u16 | u16::from(fragment.more) << 13;
    let mut packet = vec![0x45, 0];
    packet.extend(total.to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    packet.extend(bytes);
    packet
}

fn v6(fragment: &Fragment, bytes: &[u8]) -> Vec<u8> {
    const FRAGMENT: u8 = 44;
    let len = (8 + fragment.len) as u16;
    let place = fragment.offset as u16 | u16::from(fragment.more);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([FRAGMENT, 64]);
    packet.extend([1; 16]);
    packet.extend([2; 16]);
    packet.extend([6, 0]);
    packet.extend(place.to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend(bytes);
    packet
}
