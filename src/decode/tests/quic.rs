//! Datagrams to and from UDP port 443.

use super::*;
use crate::net::{Endpoint, Tunnel};

/// What a packet shows of QUIC, and its length.
fn seen(decoder: &mut Decoder, packet: &Packet<'_>) -> Option<(QuicSign, u64)> {
    let fate = decoder.decode(packet).err();
    let datagram = decoder.take_quic()?;
    assert_eq!(fate, Some(PacketFate::NotTcp));
    assert!(decoder.take_quic().is_none(), "it is given once");
    Some((datagram.sign, datagram.bytes))
}

fn udp_v4(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
    builder.udp(source, destination).write(&mut packet, payload).unwrap();
    packet
}

fn seen_raw(data: &[u8]) -> Option<(QuicSign, u64)> {
    seen(&mut Decoder::new(Config::default()), &packet(LinkType::RAW, data))
}

/// The sign of a payload that was captured whole.
fn sign(payload: &[u8]) -> QuicSign {
    let (sign, bytes) = seen_raw(&udp_v4(50_000, 443, payload)).unwrap();
    assert_eq!(bytes, payload.len() as u64);
    sign
}

/// A packet with a long header: its first byte, version, two connection ids, and the rest.
fn long(first: u8, version: u32, ids: [usize; 2], rest: usize) -> Vec<u8> {
    let mut payload = [&[first][..], &version.to_be_bytes()].concat();
    for len in ids {
        payload.push(len as u8);
        payload.extend(vec![0xc1; len]);
    }
    payload.extend(vec![7; rest]);
    payload
}

#[test]
fn long_headers_are_quic_of_any_version() {
    // Version 1, version 2, a draft, Google's, one that is reserved to be not understood.
    for version in [1, 0x6b33_43cf, 0xff00_001d, u32::from_be_bytes(*b"Q050"), 0x1a2a_3a4a] {
        for kind in [0xc0, 0xd3, 0xef, 0xff] {
            for ids in [[8, 0], [0, 0], [20, 20]] {
                assert_eq!(sign(&long(kind, version, ids, 1_150)), QuicSign::LongHeader);
                assert_eq!(sign(&long(kind & !0x40, version, ids, 1_150)), QuicSign::Nothing);
            }
        }
    }
    for nonsense in [
        &long(0xc0, 1, [21, 0], 1_000)[..],
        &long(0xc0, 1, [8, 21], 1_000),
        &long(0xc0, 1, [8, 8], 15),
        &long(0xc0, 1, [8, 8], 0)[..20],
        &[0xc0],
    ] {
        assert_eq!(sign(nonsense), QuicSign::Nothing, "{nonsense:?}");
    }
}

#[test]
fn version_negotiation_may_begin_with_any_bits_but_the_first() {
    for first in 0x80..=0xff {
        assert_eq!(sign(&long(first, 0, [0, 8], 8)), QuicSign::LongHeader, "{first}");
        assert_eq!(sign(&long(first, 0, [0, 8], 0)), QuicSign::Nothing, "no version");
        assert_eq!(sign(&long(first, 0, [0, 8], 7)), QuicSign::Nothing, "half a version");
    }
}

#[test]
fn the_first_byte_tells_what_shares_the_port() {
    for first in 0..=0xff {
        let expected = match first {
            // STUN, ZRTP, DTLS, and what is free.
            0..=63 => QuicSign::Nothing,
            64..=79 => QuicSign::TurnChannel,
            80..=127 => QuicSign::ShortHeader,
            // RTP; and long headers, which need more than a first byte.
            128..=255 => QuicSign::Nothing,
        };
        assert_eq!(sign(&[&[first][..], &[0xfe; 20]].concat()), expected, "{first}");
        assert_eq!(sign(&[&[first][..], &[0xfe; 19]].concat()), QuicSign::Nothing, "{first}");
    }
}

#[test]
fn only_port_443_counts_and_a_tunnel_stays_a_tunnel() {
    let initial = long(0xc0, 1, [8, 8], 1_000);
    assert!(seen_raw(&udp_v4(443, 50_000, &initial)).is_some());
    assert!(seen_raw(&udp_v4(443, 443, &initial)).is_some());
    assert_eq!(seen_raw(&udp_v4(50_000, 8443, &initial)), None);
    assert_eq!(seen_raw(&udp_v4(50_000, 443, b"")), None);
    assert!(seen_raw(&udp_v4(4789, 443, &initial)).is_some(), "an answer is none");
    let vxlan_ports = vec![5_555];
    for port in [4789, 8472, 6081, 2152, 5_555] {
        let config = Config { vxlan_ports: vxlan_ports.clone(), ..Config::default() };
        let data = udp_v4(443, port, &initial);
        let seen = seen(&mut Decoder::new(config), &packet(LinkType::RAW, &data));
        assert_eq!(seen, None, "{port}");
    }
    let mut icmp = v4(b"");
    icmp[9] = IpNumber::ICMP.0;
    assert_eq!(seen_raw(&[&icmp[..20], &udp_v4(50_000, 443, &initial)].concat()), None);
}

#[test]
fn both_directions_are_one_flow_and_tunnels_are_told_apart_where_wanted() {
    let initial = long(0xc0, 1, [8, 8], 1_000);
    let there = ethernet(&[&[8, 0], &udp_v4(50_000, 443, &initial)]);
    let mut back = udp_v4(443, 50_000, &initial);
    back[12..20].rotate_left(4);
    let back = ethernet(&[&[8, 0], &back]);
    let flow = |frame: &[u8], vni: u8, key_holds_tunnel| {
        let vxlan = [&[8, 0, 0, 0, 0, 0, vni, 0], frame].concat();
        let outer = udp_v4(443, 4789, &vxlan);
        let mut decoder = Decoder::new(Config { key_holds_tunnel, ..Config::default() });
        let _ = decoder.decode(&packet(LinkType::RAW, &outer));
        decoder.take_quic().unwrap().flow
    };
    let end = |n, port| Endpoint::new([192, 0, 2, n].into(), port);
    let (expected, _) = crate::net::FlowKey::new(end(2, 443), end(1, 50_000));
    for frame in [&there, &back] {
        assert_eq!(flow(frame, 7, false), expected);
        let tunnel = Tunnel { kind: crate::net::TunnelKind::Vxlan, id: Some(7) };
        assert_eq!(flow(frame, 7, true), expected.within(Some(tunnel)));
    }
    assert_ne!(flow(&there, 7, true), flow(&there, 8, true));
}

#[test]
fn fragments_are_put_together_and_count_once() {
    let whole = udp_v4(50_000, 443, &long(0xc0, 1, [8, 8], 1_000));
    let mut decoder = Decoder::new(Config::default());
    let pieces = fragments(&whole, 50, 1);
    let all = pieces.iter().map(|piece| seen(&mut decoder, &packet(LinkType::RAW, piece)));
    let all: Vec<_> = all.flatten().collect();
    assert_eq!(all, [(QuicSign::LongHeader, 1_023)]);
    assert_eq!(decoder.counts().get(PacketFate::Fragment), pieces.len() as u64 - 1);
    assert_eq!(decoder.counts().get(PacketFate::NotTcp), 1);
    decoder.dropped_quic(1);
    assert_eq!(decoder.counts().get(PacketFate::Dropped), 1);
    assert_eq!(decoder.counts().total(), pieces.len() as u64);
}

#[test]
fn what_the_snapshot_length_cut_off_still_counts() {
    for (payload, expected) in [
        (long(0xc0, 1, [8, 8], 1_000), QuicSign::LongHeader),
        (long(0xc0, 0, [8, 8], 1_000), QuicSign::LongHeader),
        ([&[0x55][..], &[0xfe; 1_000]].concat(), QuicSign::ShortHeader),
    ] {
        let frame = ethernet(&[&[8, 0], &udp_v4(50_000, 443, &payload)]);
        for captured in 43..frame.len() {
            let mut packet = packet(LinkType::ETHERNET, &frame[..captured]);
            packet.wire_len = frame.len() as u32;
            let seen = seen(&mut Decoder::new(Config::default()), &packet);
            assert_eq!(seen, Some((expected, payload.len() as u64)), "{captured} captured");
        }
    }
}

#[test]
fn padding_is_no_payload() {
    let frame = ethernet(&[&[8, 0], &udp_v4(50_000, 443, &[0x55; 21]), &[0; 30]]);
    let frame = packet(LinkType::ETHERNET, &frame);
    let seen = seen(&mut Decoder::new(Config::default()), &frame);
    assert_eq!(seen, Some((QuicSign::ShortHeader, 21)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_payload_makes_it_panic_and_its_length_is_never_more_than_the_wire_s(
        first in any::<u8>(),
        version in 0u32..3,
        noise in prop::collection::vec(0u8..40, 0..60),
        cut in 0usize..70,
        ports in (440u16..446, 440u16..446),
    ) {
        let payload = [&[first][..], &version.to_be_bytes(), &noise].concat();
        let whole = udp_v4(ports.0, ports.1, &payload);
        let mut packet = packet(LinkType::RAW, &whole[..whole.len() - cut.min(whole.len())]);
        packet.wire_len = whole.len() as u32;
        let seen = seen(&mut Decoder::new(Config::default()), &packet);
        prop_assert!(seen.is_none_or(|(_, bytes)| bytes == payload.len() as u64));
        prop_assert!(seen.is_none() || ports.0 == 443 || ports.1 == 443);
    }
}
