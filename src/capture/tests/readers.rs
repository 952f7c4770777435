//! Both ways of reading a file, beside each other: in blocks, and through libpcap, which a filter
//! that passes everything asks for.

use super::Folder;
use crate::capture::formats::{
    ENHANCED_PACKET, INTERFACE_DESCRIPTION, OBSOLETE_PACKET, SECTION_HEADER, SIMPLE_PACKET,
};
use crate::capture::{CaptureFiles, ErrorKind, Next, PacketSource};
use proptest::prelude::*;
use std::ops::ControlFlow;

/// A packet: time, link type, wire length, bytes.
type Seen = (i64, i32, u32, Vec<u8>);

/// What a file came to.
#[derive(Debug, Default)]
struct Came {
    packets: Vec<Seen>,
    problems: Vec<ErrorKind>,
}

fn came(folder: &Folder, filter: Option<&str>) -> Came {
    let mut files = CaptureFiles::open(&[folder.path("file")], filter.map(str::to_owned));
    let mut came = Came::default();
    loop {
        let next = files.next(&mut |packet| {
            let (time, link) = (packet.time.as_nanos(), packet.link_type.0);
            came.packets.push((time, link, packet.wire_len, packet.data.to_vec()));
            ControlFlow::Continue(())
        });
        match next {
            Ok(Next::End) => return came,
            Ok(_) => {}
            Err(error) => came.problems.push(error.kind),
        }
    }
}

/// What libpcap refuses and blocks do not: an interface that differs from the first, a section in
/// another byte order (whose length, 28, it misreads), and filters on link types that it does not know.
fn is_libpcaps_alone(problem: &ErrorKind) -> bool {
    match problem {
        ErrorKind::Corrupt { reason, .. } => {
            let words = ["mixture", "of the first interface", "byte orders", "size 469762048"];
            words.iter().any(|words| reason.contains(words))
        }
        ErrorKind::Filter(_) => true,
        _ => false,
    }
}

fn compare(file: &[u8]) -> (Came, Came) {
    compare_all(file, true)
}

/// Both read the same, but that blocks go on where libpcap alone does not. Where a pcap file's
/// numbers of seconds or fractions reach 2³¹, libpcap gives times a sign or not by their byte
/// order: then `times` are not to be compared.
fn compare_all(file: &[u8], times: bool) -> (Came, Came) {
    let folder = Folder::with(&[("file", file)]);
    let (mut blocks, mut libpcap) = (came(&folder, None), came(&folder, Some("")));
    if !times {
        let packets = blocks.packets.iter_mut().chain(&mut libpcap.packets);
        packets.for_each(|(time, ..)| *time = 0);
    }
    if libpcap.problems.iter().any(is_libpcaps_alone) {
        assert!(blocks.packets.starts_with(&libpcap.packets), "{blocks:?} {libpcap:?}");
        return (blocks, libpcap);
    }
    assert_eq!(blocks.packets, libpcap.packets, "{:?} {:?}", blocks.problems, libpcap.problems);
    assert_eq!(blocks.problems.len(), libpcap.problems.len(), "{blocks:?} {libpcap:?}");
    for (ours, theirs) in blocks.problems.iter().zip(&libpcap.problems) {
        match (ours, theirs) {
            (ErrorKind::Corrupt { offset, .. }, ErrorKind::Corrupt { offset: None, .. }) => {
                assert!(offset.is_some(), "blocks are told where a fault is");
            }
            // Of libpcap's faults some are not seen in the framing, which is at fault later then.
            (ErrorKind::Corrupt { offset, .. }, ErrorKind::Corrupt { offset: theirs, .. }) => {
                assert!(offset <= theirs, "{blocks:?} {libpcap:?}");
            }
            // What is cut off may be impossible besides.
            (ErrorKind::CutOff { offset }, ErrorKind::Corrupt { offset: Some(theirs), .. }) => {
                assert_eq!(offset, theirs);
            }
            _ => assert_eq!(format!("{ours:?}"), format!("{theirs:?}")),
        }
    }
    (blocks, libpcap)
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy, Debug)]
struct Writer {
    big: bool,
}

impl Writer {
    fn words(self, words: &[u32]) -> Vec<u8> {
        let bytes = |word: &u32| if self.big { word.to_be_bytes() } else { word.to_le_bytes() };
        words.iter().flat_map(bytes).collect()
    }

    fn halves(self, high: u16, low: u16) -> Vec<u8> {
        let bytes = |half: u16| if self.big { half.to_be_bytes() } else { half.to_le_bytes() };
        [bytes(high), bytes(low)].concat()
    }

    fn pcap(self, magic: u32, snapshot: u32, link: u32, packets: &[Scripted]) -> Vec<u8> {
        let mut file = self.words(&[magic]);
        file.extend(self.halves(2, 4));
        file.extend(self.words(&[0, 0, snapshot, link]));
        for Scripted { time, bytes, more, .. } in packets {
            let captured = bytes.len() as u32;
            const LEAST_31_BITS: u32 = u32::MAX >> 1;
            let (seconds, fraction) = ((time >> 32) as u32, *time as u32);
            let (seconds, fraction) = (seconds & LEAST_31_BITS, fraction & LEAST_31_BITS);
            file.extend(self.words(&[seconds, fraction, captured, captured + more]));
            file.extend(bytes);
        }
        file
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let len = 12 + body.len().next_multiple_of(4);
        let mut block = self.words(&[kind, len as u32]);
        block.extend(body);
        block.resize(len - 4, 0);
        block.extend(self.words(&[len as u32]));
        block
    }

    fn section(self) -> Vec<u8> {
        let mut body = self.words(&[0x1a2b_3c4d]);
        body.extend(self.halves(1, 0));
        body.extend([0xff; 8]);
        self.block(SECTION_HEADER, &body)
    }

    fn interface(self, link: u16, snapshot: u32, resolution: Option<u8>) -> Vec<u8> {
        let mut body = self.halves(link, 0);
        body.extend(self.words(&[snapshot]));
        if let Some(resolution) = resolution {
            body.extend(self.halves(9, 1));
            body.extend([resolution, 0, 0, 0]);
        }
        self.block(INTERFACE_DESCRIPTION, &body)
    }

    fn packet(self, Scripted { kind, interface, time, bytes, more }: &Scripted) -> Vec<u8> {
        let captured = bytes.len() as u32;
        let rest = [(time >> 32) as u32, *time as u32, captured, captured + more];
        let mut body = match kind {
            0 => self.words(&[u32::from(*interface)]),
            1 => self.halves(*interface, 0),
            2 => Vec::new(),
            _ => return self.block(5, bytes),
        };
        body.extend(if *kind == 2 { self.words(&[captured]) } else { self.words(&rest) });
        body.extend(bytes);
        let kinds = [ENHANCED_PACKET, OBSOLETE_PACKET, SIMPLE_PACKET];
        self.block(kinds[usize::from(*kind)], &body)
    }
}

/// What is written of a packet; in pcapng, in which kind of block.
#[derive(Clone, Debug)]
struct Scripted {
    kind: u8,
    interface: u16,
    time: u64,
    bytes: Vec<u8>,
    more: u32,
}

prop_compose! {
    fn scripted()(
        kind in 0_u8..4,
        interface in prop_oneof![6 => Just(0_u16), 3 => Just(1), 1 => Just(2)],
        time in prop_oneof![0_u64..1 << 52, any::<u64>()],
        bytes in prop::collection::vec(any::<u8>(), 0..70),
        more in 0_u32..9,
    ) -> Scripted {
        Scripted { kind, interface, time, bytes, more }
    }
}

prop_compose! {
    fn pcap()(
        big in any::<bool>(),
        magic in prop::sample::select(vec![0xa1b2_c3d4_u32, 0xa1b2_3c4d]),
        snapshot in prop_oneof![Just(0_u32), Just(262_144), Just(u32::MAX), 0_u32..90],
        link in prop::sample::select(vec![1_u32, 101, 108, 147, 231, 0x1000_0001]),
        packets in prop::collection::vec(scripted(), 0..12),
    ) -> Vec<u8> {
        Writer { big }.pcap(magic, snapshot, link, &packets)
    }
}

prop_compose! {
    fn section(mixed: bool)(
        big in any::<bool>(),
        links in prop::collection::vec(prop::sample::select(vec![1_u16, 113, 147]), 1..3),
        snapshot in prop_oneof![3 => Just(262_144_u32), 1 => Just(0), 1 => 0_u32..90],
        // Within the resolutions in which libpcap's arithmetic does not overflow.
        resolution in prop::option::of(prop_oneof![0_u8..13, 0x80_u8..0xa0]),
        packets in prop::collection::vec(scripted(), 0..12),
    ) -> Vec<u8> {
        let writer = Writer { big: big && mixed };
        let mut section = writer.section();
        for link in &links {
            let link = if mixed { *link } else { 1 };
            section.extend(writer.interface(link, snapshot, resolution));
        }
        section.extend(packets.iter().flat_map(|packet| writer.packet(packet)));
        section
    }
}

fn pcapng(mixed: bool) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(section(mixed), 1..3).prop_map(|sections| sections.concat())
}

/// A file of which bytes are others, or which ends early.
fn damaged(file: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let end = prop::option::of(any::<prop::sample::Index>());
    (file, edits, end).prop_map(|(mut file, edits, end)| {
        edits.iter().for_each(|(at, byte)| *at.get_mut(&mut file) = *byte);
        if let Some(end) = end {
            file.truncate(end.index(file.len()));
        }
        file
    })
}

proptest! {
    #[test]
    fn both_readers_read_a_pcap_file_alike(file in pcap()) {
        compare(&file);
    }

    #[test]
    fn both_readers_read_a_pcapng_file_alike(file in pcapng(false)) {
        compare(&file);
    }

    #[test]
    fn both_readers_stop_at_the_same_damage(file in damaged(prop_oneof![pcap(), pcapng(false)])) {
        compare_all(&file, false);
    }

    #[test]
    fn where_libpcap_refuses_a_mixture_both_readers_agree_until_there(file in pcapng(true)) {
        let folder = Folder::with(&[("file", &file)]);
        let (blocks, libpcap) = (came(&folder, None), came(&folder, Some("")));
        assert!(blocks.packets.starts_with(&libpcap.packets), "{blocks:?} {libpcap:?}");
    }
}

#[test]
fn interfaces_of_several_link_types_in_one_file_are_read_and_libpcap_refuses_them() {
    let writer = Writer { big: false };
    let packet = |interface, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        writer.packet(&Scripted { kind: 0, interface, time: 7, bytes, more: 0 })
    };
    let mut file = writer.section();
    file.extend(writer.interface(1, 262_144, None));
    file.extend(packet(0, b"one"));
    file.extend(writer.interface(113, 65_535, Some(9)));
    file.extend(writer.interface(147, 65_535, None));
    file.extend([packet(1, b"two"), packet(2, b"three"), packet(0, b"four")].concat());
    let (blocks, libpcap) = compare(&file);
    let packets = [(7000, 1, "one"), (7, 113, "two"), (7000, 147, "three"), (7000, 1, "four")];
    let packets =
        packets.map(|(time, link, text)| (time, link, text.len() as u32, text.as_bytes().to_vec()));
    assert_eq!(blocks.packets, packets);
    assert!(matches!(blocks.problems[..], [ErrorKind::UnknownLink { number: 147, .. }]));
    assert_eq!(libpcap.packets, packets[..1]);
}

#[test]
fn records_across_blocks_and_larger_than_a_block_are_read_alike() {
    let writer = Writer { big: false };
    let sizes = [100_000_u32, 262_144, 1, 262_144, 70_000, 0, 200_000];
    let packets = sizes.iter().map(|size| {
        let bytes = (0..*size).map(|n| (n % 251) as u8).collect();
        Scripted { kind: 0, interface: 0, time: 5, bytes, more: 1 }
    });
    let packets: Vec<_> = packets.collect();
    compare(&writer.pcap(0xa1b2_3c4d, 0, 1, &packets));
    let mut file = [writer.section(), writer.interface(1, 0, None)].concat();
    for packet in &packets {
        file.extend(writer.packet(packet));
        file.extend(writer.block(0x0bad, &vec![3; 1 << 20]));
    }
    assert_eq!(compare(&file).0.packets.len(), sizes.len());
}

#[test]
fn files_of_many_blocks_are_read_alike_wherever_they_end() {
    const BLOCK: usize = 1 << 18;
    let writer = Writer { big: false };
    let packets = (0..2_000_u32).map(|n| {
        let bytes = vec![n as u8; (n * 7_919 % 1_500) as usize];
        Scripted { kind: 0, interface: 0, time: n.into(), bytes, more: 0 }
    });
    let file = writer.pcap(0xa1b2_3c4d, 0, 1, &packets.collect::<Vec<_>>());
    assert!(file.len() > 5 * BLOCK);
    for blocks in 1..=5 {
        for end in blocks * BLOCK - 20..blocks * BLOCK + 20 {
            let (ours, _) = compare(&file[..end]);
            assert!(ours.packets.len() > 100, "{} packets", ours.packets.len());
        }
    }
    assert_eq!(compare(&file).0.packets.len(), 2_000);
}
