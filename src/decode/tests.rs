use super::*;
use crate::capture::LinkType;
use crate::net::{Seq, Timestamp};
use etherparse::{IpNumber, PacketBuilder};
use proptest::prelude::*;

mod quic;
mod tunnels;

const TEXT: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An IPv4 packet with a TCP segment.
fn v4(text: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(4000, 80, 7, 512)
        .ack(9)
        .psh()
        .write(&mut packet, text)
        .unwrap();
    packet
}

/// The same in IPv6.
fn v6(text: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64)
        .tcp(4000, 80, 7, 512)
        .ack(9)
        .psh()
        .write(&mut packet, text)
        .unwrap();
    packet
}

/// An IPv6 packet whose extension headers and payload are `rest`.
fn v6_with(next: IpNumber, rest: &[u8]) -> Vec<u8> {
    let mut packet = v6(b"");
    packet.truncate(40);
    packet[6] = next.0;
    packet[4..6].copy_from_slice(&(rest.len() as u16).to_be_bytes());
    [packet.as_slice(), rest].concat()
}

fn packet(link_type: LinkType, data: &[u8]) -> Packet<'_> {
    Packet {
        time: Timestamp::from_nanos(1),
        link_type,
        data,
        wire_len: data.len() as u32,
        block: None,
    }
}

fn decode(link: LinkType, data: &[u8]) -> Result<(Vec<u8>, u32), PacketFate> {
    decode_packet(&packet(link, data))
}

fn decode_packet(packet: &Packet<'_>) -> Result<(Vec<u8>, u32), PacketFate> {
    decode_with(&mut Decoder::new(Config::default()), packet)
}

fn decode_with(decoder: &mut Decoder, packet: &Packet<'_>) -> Result<(Vec<u8>, u32), PacketFate> {
    decoder.decode(packet).map(|segment| {
        let source = segment.flow.source(segment.direction);
        let destination = segment.flow.destination(segment.direction);
        assert_eq!((source.port, destination.port), (4000, 80));
        assert_eq!((segment.seq, segment.ack), (Seq(7), Some(Seq(9))));
        assert!(segment.flags.has(Flags::PSH) && !segment.flags.has(Flags::SYN));
        (segment.payload.to_vec(), segment.missing)
    })
}

fn ethernet(rest: &[&[u8]]) -> Vec<u8> {
    [&[2; 12], rest.concat().as_slice()].concat()
}

#[test]
fn every_link_layer_leads_to_the_segment() {
    let (v4, v6) = (&v4(TEXT)[..], &v6(TEXT)[..]);
    let mut sll = [0; 16];
    sll[14] = 0x08;
    let mut sll_llc = [0; 16];
    sll_llc[15] = 0x04;
    let mut sll2 = [0; 20];
    sll2[..2].copy_from_slice(&[0x86, 0xdd]);
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let pppoe = [0x11, 0, 0, 1, 0, 90];
    let cases: &[(&str, LinkType, Vec<u8>)] = &[
        ("Ethernet, IPv4", LinkType::ETHERNET, ethernet(&[&[8, 0], v4])),
        ("Ethernet, IPv6", LinkType::ETHERNET, ethernet(&[&[0x86, 0xdd], v6])),
        ("802.1Q", LinkType::ETHERNET, ethernet(&[&[0x81, 0, 0, 1, 8, 0], v4])),
        ("QinQ", LinkType::ETHERNET, ethernet(&[&[0x88, 0xa8, 0, 2, 0x81, 0, 0, 1, 8, 0], v4])),
        (
            "9100 in 9200",
            LinkType::ETHERNET,
            ethernet(&[&[0x92, 0, 0, 2, 0x91, 0, 0, 1, 8, 0], v4]),
        ),
        ("802.3 with SNAP", LinkType::ETHERNET, ethernet(&[&[0, 100], &snap, v4])),
        ("SNAP in 802.1Q", LinkType::ETHERNET, ethernet(&[&[0x81, 0, 0, 1, 0, 100], &snap, v4])),
        ("PPPoE", LinkType::ETHERNET, ethernet(&[&[0x88, 0x64], &pppoe, &[0, 0x21], v4])),
        ("PPPoE, IPv6", LinkType::PPP_ETHER, [&pppoe[..], &[0, 0x57], v6].concat()),
        ("PPP", LinkType::PPP, [&[0xff, 3, 0, 0x21], v4].concat()),
        ("PPP without address", LinkType::PPP, [&[0, 0x21], v4].concat()),
        ("PPP, compressed protocol", LinkType::PPP_HDLC, [&[0xff, 3, 0x21], v4].concat()),
        ("PPP with direction", LinkType::PPP_WITH_DIR, [&[1, 0xff, 3, 0, 0x21], v4].concat()),
        ("Cisco HDLC", LinkType::C_HDLC, [&[0x0f, 0, 8, 0], v4].concat()),
        ("cooked v1", LinkType::LINUX_SLL, [&sll, v4].concat()),
        ("cooked v1, LLC", LinkType::LINUX_SLL, [&sll_llc, &snap[..], v4].concat()),
        ("cooked v2", LinkType::LINUX_SLL2, [&sll2, v6].concat()),
        ("NULL, little endian", LinkType::NULL, [&[2, 0, 0, 0], v4].concat()),
        ("NULL, big endian", LinkType::NULL, [&[0, 0, 0, 2], v4].concat()),
        ("NULL, IPv6 on macOS", LinkType::NULL, [&[30, 0, 0, 0], v6].concat()),
        ("LOOP", LinkType::LOOP, [&[0, 0, 0, 24], v6].concat()),
        ("raw", LinkType::RAW, v4.to_vec()),
        ("raw, as libpcap numbers it", LinkType::RAW_BSD, v6.to_vec()),
        ("IPv4", LinkType::IPV4, v4.to_vec()),
        ("IPv6", LinkType::IPV6, v6.to_vec()),
    ];
    for (name, link, data) in cases {
        assert_eq!(decode(*link, data), Ok((TEXT.to_vec(), 0)), "{name}");
    }
}

#[test]
fn what_holds_no_segment_says_why() {
    let udp = {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(53, 53);
        builder.write(&mut packet, b"x").unwrap();
        packet
    };
    let mut no_header_len = v4(TEXT);
    no_header_len[32] = 0x40;
    let mut total_len_too_small = v4(TEXT);
    total_len_too_small[2..4].copy_from_slice(&[0, 19]);
    let tags = ethernet(&[&[0x81, 0, 0, 1].repeat(40)]);
    let cases: &[(&str, LinkType, &[u8], PacketFate)] = &[
        ("802.11", LinkType(105), &[0; 60], PacketFate::UnknownLink),
        ("ARP", LinkType::ETHERNET, &ethernet(&[&[8, 6], &[0; 28]]), PacketFate::NotTcp),
        (
            "spanning tree",
            LinkType::ETHERNET,
            &ethernet(&[&[0, 38, 0x42, 0x42, 3]]),
            PacketFate::NotTcp,
        ),
        (
            "PPPoE discovery",
            LinkType::ETHERNET,
            &ethernet(&[&[0x88, 0x63, 0x11, 9]]),
            PacketFate::NotTcp,
        ),
        ("UDP", LinkType::RAW, &udp, PacketFate::NotTcp),
        (
            "ESP",
            LinkType::RAW,
            &v6_with(IpNumber::ENCAPSULATING_SECURITY_PAYLOAD, &[0; 40]),
            PacketFate::NotTcp,
        ),
        ("nothing", LinkType::ETHERNET, &[], PacketFate::Malformed),
        ("a frame too short", LinkType::ETHERNET, &[2; 13], PacketFate::Malformed),
        ("version 5", LinkType::RAW, &[0x55; 60], PacketFate::Malformed),
        ("tags without end", LinkType::ETHERNET, &tags, PacketFate::Malformed),
        ("data offset 4", LinkType::RAW, &no_header_len, PacketFate::Malformed),
        ("total length 19", LinkType::RAW, &total_len_too_small, PacketFate::Malformed),
    ];
    for (name, link, data, fate) in cases {
        assert_eq!(decode(*link, data), Err(*fate), "{name}");
    }
}

#[test]
fn the_link_types_that_are_said_to_be_decoded_are() {
    for link in (0..400).map(LinkType) {
        let unknown = decode(link, &[0; 64]) == Err(PacketFate::UnknownLink);
        assert_eq!(unknown, !link.is_decoded(), "{link:?}");
    }
}

#[test]
fn ethernet_padding_is_no_payload() {
    let frame = ethernet(&[&[8, 0], &v4(b"x"), &[0xee; 5]]);
    assert_eq!(decode(LinkType::ETHERNET, &frame), Ok((b"x".to_vec(), 0)));
    let frame = ethernet(&[&[8, 0], &v4(TEXT), b"FCS!"]);
    assert_eq!(decode(LinkType::ETHERNET, &frame), Ok((TEXT.to_vec(), 0)));
}

#[test]
fn a_length_of_zero_means_up_to_the_end_of_the_packet() {
    let mut offloaded = v4(TEXT);
    offloaded[2..4].fill(0);
    assert_eq!(
        decode(LinkType::ETHERNET, &ethernet(&[&[8, 0], &offloaded])),
        Ok((TEXT.to_vec(), 0))
    );
    let mut big = v6(TEXT);
    big[4..6].fill(0);
    assert_eq!(decode(LinkType::RAW, &big), Ok((TEXT.to_vec(), 0)));
    // In a frame so short it could be padding: nobody can say.
    let mut short = v4(b"x");
    short[2..4].fill(0);
    let frame = ethernet(&[&[8, 0], &short, &[0; 5]]);
    assert_eq!(decode(LinkType::ETHERNET, &frame), Err(PacketFate::Malformed));
}

#[test]
fn super_packets_of_more_than_64_kib_are_whole() {
    let text = vec![b'a'; 100_000];
    let mut big = v6(b"");
    big[4..6].fill(0);
    big.extend_from_slice(&text);
    assert_eq!(decode(LinkType::RAW, &big), Ok((text, 0)));
}

#[test]
fn what_the_snapshot_length_cut_off_is_missing_or_the_packet_truncated() {
    let frame = ethernet(&[&[8, 0], &v4(TEXT)]);
    for captured in 0..frame.len() {
        let mut packet = packet(LinkType::ETHERNET, &frame[..captured]);
        packet.wire_len = frame.len() as u32;
        let expected = match captured.checked_sub(14 + 40) {
            Some(seen) => Ok((TEXT[..seen].to_vec(), (TEXT.len() - seen) as u32)),
            None => Err(PacketFate::Truncated),
        };
        assert_eq!(decode_packet(&packet), expected, "{captured} bytes captured");
    }
}

#[test]
fn options_that_were_cut_off_do_not_hide_the_header() {
    let mut bytes = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .tcp(4000, 80, 7, 512)
        .ack(9)
        .psh()
        .options_raw(&[1; 12])
        .unwrap()
        .write(&mut bytes, TEXT)
        .unwrap();
    let mut packet = packet(LinkType::RAW, &bytes[..20 + 20 + 5]);
    packet.wire_len = bytes.len() as u32;
    assert_eq!(decode_packet(&packet), Ok((vec![], TEXT.len() as u32)));
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let tcp = &v6(TEXT)[40..];
    let hop_by_hop = [IpNumber::IPV6_DESTINATION_OPTIONS.0, 0, 1, 4, 0, 0, 0, 0];
    let options = [IpNumber::IPV6_ROUTE_HEADER.0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routing = [IpNumber::AUTHENTICATION_HEADER.0, 0, 0, 0, 0, 0, 0, 0];
    let auth = [IpNumber::IPV6_FRAGMENTATION_HEADER.0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let atomic = [IpNumber::TCP.0, 0, 0, 0, 0, 0, 0, 5];
    let chain = [&hop_by_hop[..], &options, &routing, &auth, &atomic, tcp].concat();
    let whole = v6_with(IpNumber::IPV6_HEADER_HOP_BY_HOP, &chain);
    assert_eq!(decode(LinkType::RAW, &whole), Ok((TEXT.to_vec(), 0)));
}

#[test]
fn a_wrong_checksum_matters_only_when_checksums_are_verified() {
    let verify = || Decoder::new(Config { verify_checksums: true, ..Config::default() });
    for whole in [v4(TEXT), v6(TEXT)] {
        let mut wrong = whole.clone();
        *wrong.last_mut().unwrap() ^= 1;
        let damaged = packet(LinkType::RAW, &wrong);
        assert!(decode_packet(&damaged).is_ok());
        assert_eq!(decode_with(&mut verify(), &damaged), Err(PacketFate::BadChecksum));
        assert!(decode_with(&mut verify(), &packet(LinkType::RAW, &whole)).is_ok());
    }
    let mut header = v4(TEXT);
    header[8] ^= 1;
    let damaged = packet(LinkType::RAW, &header);
    assert_eq!(decode_with(&mut verify(), &damaged), Err(PacketFate::BadChecksum));
}

#[test]
fn checksums_that_were_left_to_the_hardware_are_not_wrong() {
    let mut offloaded = v4(TEXT);
    offloaded[10..12].fill(0);
    // 192.0.2.1 + 192.0.2.2 + protocol 6 + length 46, as 16-bit words.
    let pseudo = 2 * 0xc000 + 0x0201 + 0x0202 + 6 + 20 + TEXT.len();
    let pseudo = ((pseudo & 0xffff) + (pseudo >> 16)) as u16;
    offloaded[36..38].copy_from_slice(&pseudo.to_be_bytes());
    let mut decoder = Decoder::new(Config { verify_checksums: true, ..Config::default() });
    let packet = packet(LinkType::RAW, &offloaded);
    assert_eq!(decode_with(&mut decoder, &packet), Ok((TEXT.to_vec(), 0)));
}

/// Cuts the IP payload of a packet into fragments at multiples of 8 × `unit`.
fn fragments(whole: &[u8], unit: usize, id: u8) -> Vec<Vec<u8>> {
    let is_v4 = whole[0] >> 4 == 4;
    let (header, payload) = whole.split_at(if is_v4 { 20 } else { 40 });
    let count = payload.len().div_ceil(unit * 8);
    let pieces = payload.chunks(unit * 8).enumerate();
    pieces
        .map(|(i, piece)| {
            let more = u16::from(i + 1 < count);
            let offset = (i * unit) as u16;
            let mut header = header.to_vec();
            if is_v4 {
                header[2..4].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
                header[5] = id;
                header[6..8].copy_from_slice(&(offset | (more << 13)).to_be_bytes());
                return [&header, piece].concat();
            }
            header[4..6].copy_from_slice(&(8 + piece.len() as u16).to_be_bytes());
            header[6] = IpNumber::IPV6_FRAGMENTATION_HEADER.0;
            let place = (offset << 3 | more).to_be_bytes();
            let extension = [IpNumber::TCP.0, 0, place[0], place[1], 0, 0, 0, id];
            [&header, &extension[..], piece].concat()
        })
        .collect()
}

/// Every permutation is a list of swaps.
fn shuffle<T>(items: &mut [T], swaps: &[usize]) {
    for (i, swap) in swaps.iter().enumerate() {
        let len = items.len();
        items.swap(i % len, swap % len);
    }
}

#[test]
fn fragments_that_never_become_whole_are_lost() {
    let pieces = fragments(&v4(TEXT), 2, 1);
    let mut decoder = Decoder::new(Config::default());
    for piece in &pieces[1..] {
        let fate = decode_with(&mut decoder, &packet(LinkType::RAW, piece));
        assert_eq!(fate, Err(PacketFate::Fragment));
    }
    // Another datagram, long after: the first is not waited for any more.
    let late = fragments(&v4(TEXT), 4, 2);
    for piece in &late {
        let mut packet = packet(LinkType::RAW, piece);
        packet.time = Timestamp::from_parts(100, 0);
        let _ = decode_with(&mut decoder, &packet);
    }
    assert_eq!(decoder.counts().get(PacketFate::FragmentLost), pieces.len() as u64 - 1);
    assert_eq!(decoder.counts().get(PacketFate::Segment), 1);
    let mut packet = packet(LinkType::RAW, &pieces[0]);
    packet.time = Timestamp::from_parts(100, 0);
    let _ = decode_with(&mut decoder, &packet);
    decoder.finish();
    assert_eq!(decoder.counts().get(PacketFate::FragmentLost), pieces.len() as u64);
    assert_eq!(decoder.counts().total(), (pieces.len() + late.len()) as u64);
}

#[test]
fn fragments_have_only_so_much_room_and_the_oldest_go_first() {
    let max_fragment_bytes = 2_000;
    let mut decoder = Decoder::new(Config { max_fragment_bytes, ..Config::default() });
    let whole: Vec<_> = (0..100).map(|id| fragments(&v4(TEXT), 4, id)).collect();
    for pieces in &whole {
        let _ = decode_with(&mut decoder, &packet(LinkType::RAW, &pieces[0]));
    }
    assert!(decoder.fragments().bytes <= max_fragment_bytes as u64);
    let newest = whole.last().unwrap();
    assert!(decode_with(&mut decoder, &packet(LinkType::RAW, &newest[1])).is_ok());
    assert!(decode_with(&mut decoder, &packet(LinkType::RAW, &whole[0][1])).is_err());
    assert_eq!(decoder.counts().total(), 102);
}

#[test]
fn the_first_bytes_of_overlapping_fragments_stay() {
    let pieces = fragments(&v4(TEXT), 3, 1);
    let mut other = pieces[1].clone();
    other.iter_mut().skip(20).for_each(|byte| *byte = b'!');
    let mut decoder = Decoder::new(Config::default());
    for piece in [&pieces[1], &other] {
        let _ = decode_with(&mut decoder, &packet(LinkType::RAW, piece));
    }
    let found = decode_with(&mut decoder, &packet(LinkType::RAW, &pieces[0]));
    assert_eq!(found, Ok((TEXT.to_vec(), 0)));
}

#[test]
fn a_header_that_was_cut_off_in_an_earlier_fragment_is_not_malformed() {
    let pieces = fragments(&v4(TEXT), 3, 1);
    let mut decoder = Decoder::new(Config::default());
    let first = Packet { data: &pieces[0][..30], ..packet(LinkType::RAW, &pieces[0]) };
    assert_eq!(decode_with(&mut decoder, &first), Err(PacketFate::Fragment));
    let last = packet(LinkType::RAW, &pieces[1]);
    assert_eq!(decode_with(&mut decoder, &last), Err(PacketFate::Truncated));
}

#[test]
fn a_fragment_that_was_captured_short_leaves_a_known_gap() {
    let pieces = fragments(&v4(TEXT), 3, 1);
    let mut decoder = Decoder::new(Config::default());
    let mut first = packet(LinkType::RAW, &pieces[0]);
    let _ = decode_with(&mut decoder, &first.clone());
    let cut = &pieces[1][..20 + 4];
    first.data = cut;
    first.wire_len = pieces[1].len() as u32;
    let found = decode_with(&mut decoder, &first);
    let seen = 24 - 20 + 4;
    assert_eq!(found, Ok((TEXT[..seen].to_vec(), (TEXT.len() - seen) as u32)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn fragments_in_any_order_make_the_segment_once(
        unit in 1usize..4,
        six in any::<bool>(),
        swaps in prop::collection::vec(any::<usize>(), 0..32),
        twice in any::<usize>(),
    ) {
        let whole = if six { v6(TEXT) } else { v4(TEXT) };
        let mut pieces = fragments(&whole, unit, 3);
        // The last piece is never repeated: after it, a repetition would begin anew.
        shuffle(&mut pieces, &swaps);
        let again = pieces[twice % pieces.len()].clone();
        pieces.insert(0, again);
        let mut decoder = Decoder::new(Config::default());
        let mut found = Vec::new();
        for piece in &pieces {
            if let Ok(segment) = decode_with(&mut decoder, &packet(LinkType::RAW, piece)) {
                found.push(segment);
            }
        }
        prop_assert_eq!(found, vec![(TEXT.to_vec(), 0)]);
        prop_assert_eq!(decoder.counts().total(), pieces.len() as u64);
    }

    #[test]
    fn no_packet_makes_it_panic_and_every_one_is_counted(
        packets in prop::collection::vec(
            (0usize..15, prop::collection::vec(any::<u8>(), 0..200), 0u32..300, any::<i64>(), any::<u8>()),
            1..40,
        ),
        verify_checksums in any::<bool>(),
    ) {
        let links = [0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 204, 228, 276];
        let config = Config { verify_checksums, max_fragment_bytes: 1_000, ..Config::default() };
        let mut decoder = Decoder::new(config);
        for (link, noise, beyond, time, start) in &packets {
            // Half of them begin like a packet.
            let mut data = match start % 4 {
                0 => ethernet(&[&[8, 0], &v4(TEXT)]),
                1 => v6_with(IpNumber(start / 4), noise),
                _ => Vec::new(),
            };
            let at = data.len().min(usize::from(start / 4));
            data.splice(at..data.len().min(at + noise.len() / 8), noise.iter().copied());
            let link_type = LinkType(links[*link]);
            let wire_len = data.len() as u32 + beyond;
            let time = Timestamp::from_nanos(*time);
            if let Ok(segment) = decoder.decode(&Packet { time, link_type, data: &data, wire_len, block: None }) {
                prop_assert!(segment.payload.len() <= data.len().max(65_535));
            }
        }
        decoder.finish();
        prop_assert_eq!(decoder.counts().total(), packets.len() as u64);
    }

    /// What has no Ethernet header goes the long way.
    #[test]
    fn the_short_way_leads_where_the_long_one_does(
        six in any::<bool>(),
        text in prop::collection::vec(any::<u8>(), 0..80),
        trailer in prop::collection::vec(any::<u8>(), 0..20),
        edits in prop::collection::vec((0usize..60, any::<u8>()), 0..3),
        cut in prop::option::weighted(0.2, 14usize..100),
        beyond in prop_oneof![3 => Just(0u32), 1 => 1u32..20],
    ) {
        let mut ip = if six { v6(&text) } else { v4(&text) };
        for (at, byte) in edits {
            let len = ip.len();
            ip[at % len] = byte;
        }
        let ether_type = if six { [0x86, 0xdd] } else { [8, 0] };
        let mut frame = ethernet(&[&ether_type, &ip, &trailer]);
        frame.truncate(cut.unwrap_or(usize::MAX));
        let in_frame = Packet {
            wire_len: frame.len() as u32 + beyond,
            ..packet(LinkType::ETHERNET, &frame)
        };
        let alone = Packet {
            wire_len: in_frame.wire_len - 14,
            ..packet(LinkType::RAW, &frame[14..])
        };
        let (mut short, mut long) = (Decoder::new(Config::default()), Decoder::new(Config::default()));
        if let Ok(segment) = short.decode(&in_frame) {
            prop_assert_eq!(Ok(segment), long.decode(&alone));
        }
    }
}

#[test]
fn what_is_common_goes_the_short_way() {
    for (ether_type, ip) in [([8, 0], v4(TEXT)), ([0x86, 0xdd], v6(TEXT))] {
        let frame = ethernet(&[&ether_type, &ip]);
        let segment = plain::segment(&packet(LinkType::ETHERNET, &frame));
        assert_eq!(segment.map(|segment| segment.payload), Some(TEXT));
    }
}
