//! Packets in packets.

use super::*;

/// `data` as the payload of an IPv4 and of an IPv6 packet.
fn in_ip(protocol: IpNumber, data: &[u8]) -> [Vec<u8>; 2] {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([198, 51, 100, 1], [198, 51, 100, 2], 64);
    builder.write(&mut packet, protocol, data).unwrap();
    [packet, v6_with(protocol, data)]
}

fn udp_to(port: u16, data: &[u8]) -> Vec<u8> {
    let len = (data.len() + 8) as u16;
    [&50_000u16.to_be_bytes()[..], &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], data].concat()
}

fn vxlan(vni: u8, rest: &[u8]) -> Vec<u8> {
    udp_to(4789, &[&[8, 0, 0, 0, 0, 0, vni, 0], rest].concat())
}

fn tunnel_of(config: Config, link: LinkType, data: &[u8]) -> Result<String, PacketFate> {
    let mut decoder = Decoder::new(config);
    let packet = packet(link, data);
    let segment = decoder.decode(&packet)?;
    assert_eq!(segment.payload, TEXT);
    assert_eq!(segment.missing, 0);
    Ok(segment.tunnel.map_or("none".to_owned(), |tunnel| tunnel.to_string()))
}

/// A name, the tunnel that is found, and what is in the outer packet.
type Case = (&'static str, &'static str, (IpNumber, Vec<u8>));

#[test]
fn every_encapsulation_leads_to_the_segment() {
    let (v4, v6) = (&v4(TEXT)[..], &v6(TEXT)[..]);
    let frame = &ethernet(&[&[8, 0], v4])[..];
    let frame6 = &ethernet(&[&[0x81, 0, 0, 1, 0x86, 0xdd], v6])[..];
    let gre = |flags: [u8; 2], kind: [u8; 2], rest: &[&[u8]]| {
        (IpNumber::GRE, [&flags[..], &kind, &rest.concat()].concat())
    };
    let udp = |port, rest: &[&[u8]]| (IpNumber::UDP, udp_to(port, &rest.concat()));
    let type_ii = [0x10, 1, 0, 0x2a, 0, 0, 0, 1];
    let type_iii = [0x20, 1, 0, 0x2a, 0, 0, 0, 1, 0, 0, 0, 0];
    let mut type_iii_ip = type_iii;
    type_iii_ip[10] = 2 << 2;
    let mut type_iii_platform = type_iii;
    type_iii_platform[11] = 1;
    let g_pdu = [0x30, 0xff, 0, 0, 0, 0, 0, 9];
    let mut g_pdu_extended = g_pdu;
    g_pdu_extended[0] = 0x34;
    let cases: &[Case] = &[
        ("VXLAN", "vxlan:42", (IpNumber::UDP, vxlan(42, frame))),
        ("VXLAN, port of old", "vxlan:1", udp(8472, &[&[8, 0, 0, 0, 0, 0, 1, 0], frame6])),
        ("Geneve", "geneve:99", udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 99, 0], frame])),
        ("Geneve, options, IP", "geneve:1", udp(6081, &[&[2, 0, 8, 0, 0, 0, 1, 0], &[7; 8], v4])),
        (
            "Geneve around VXLAN",
            "vxlan:5",
            udp(6081, &[&[0, 0, 8, 0, 0, 0, 1, 0], &in_ip(IpNumber::UDP, &vxlan(5, frame))[0]]),
        ),
        ("GRE", "gre", gre([0, 0], [8, 0], &[v4])),
        ("GRE, IPv6", "gre", gre([0, 0], [0x86, 0xdd], &[v6])),
        (
            "GRE, everything",
            "gre:77",
            gre([0xb0, 0], [0x65, 0x58], &[&[1; 4], &[0, 0, 0, 77], &[2; 4], frame]),
        ),
        ("GRE, a key", "gre:77", gre([0x20, 0], [0x65, 0x58], &[&[0, 0, 0, 77], frame])),
        ("NVGRE", "nvgre:4660", gre([0x20, 0], [0x65, 0x58], &[&[0, 0x12, 0x34, 9], frame])),
        (
            "PPTP",
            "gre:3",
            gre([0x30, 0x81], [0x88, 0x0b], &[&[0, 80, 0, 3], &[1; 8], &[0xff, 3, 0, 0x21], v4]),
        ),
        ("MPLS in GRE", "mpls:16", gre([0, 0], [0x88, 0x47], &[&[0, 1, 1, 64], v4])),
        ("ERSPAN I", "erspan", gre([0, 0], [0x88, 0xbe], &[frame])),
        ("ERSPAN II", "erspan:42", gre([0x10, 0], [0x88, 0xbe], &[&[0; 4], &type_ii, frame])),
        ("ERSPAN III", "erspan:42", gre([0x10, 0], [0x22, 0xeb], &[&[0; 4], &type_iii, frame6])),
        ("ERSPAN III, IP", "erspan:42", gre([0x10, 0], [0x22, 0xeb], &[&[0; 4], &type_iii_ip, v4])),
        (
            "ERSPAN III, platform header",
            "erspan:42",
            gre([0x10, 0], [0x22, 0xeb], &[&[0; 4], &type_iii_platform, &[5; 8], frame]),
        ),
        ("IPv4 in IP", "ipip", (IpNumber::IPV4, v4.to_vec())),
        ("IPv6 in IP", "6in4", (IpNumber::IPV6, v6.to_vec())),
        ("MPLS in IP", "mpls:2", (MPLS_IN_IP, [&[0, 0, 0x21, 9], v4].concat())),
        ("GTP-U", "gtp-u:9", udp(2152, &[&g_pdu, v4])),
        (
            "GTP-U, extensions",
            "gtp-u:9",
            udp(2152, &[&g_pdu_extended, &[0, 0, 0, 0x85], &[1, 0, 0, 0xc0], &[1, 0, 0, 0], v6]),
        ),
    ];
    for (name, tunnel, (protocol, data)) in cases {
        for outer in in_ip(*protocol, data) {
            let got = tunnel_of(Config::default(), LinkType::RAW, &outer);
            assert_eq!(got.as_deref(), Ok(*tunnel), "{name}");
            let (kind, version) = ([[0x86, 0xdd], [8, 0]], outer[0] >> 4);
            let outer = ethernet(&[&[0x81, 0, 0, 1], &kind[usize::from(version == 4)], &outer]);
            let got = tunnel_of(Config::default(), LinkType::ETHERNET, &outer);
            assert_eq!(got.as_deref(), Ok(*tunnel), "{name} in a VLAN");
        }
    }
}

const MPLS_IN_IP: IpNumber = IpNumber(137);

#[test]
fn below_mpls_anything_is_recognised_that_is_sent_there() {
    let (v4, v6) = (&v4(TEXT)[..], &v6(TEXT)[..]);
    let frame = |first| {
        let mut frame = ethernet(&[&[8, 0], v4]);
        frame[0] = first;
        frame
    };
    let labels = [0, 1, 0, 64, 0, 2, 1, 64];
    let cases: &[(&str, Vec<u8>)] = &[
        ("IPv4", v4.to_vec()),
        ("IPv6", v6.to_vec()),
        ("a frame", frame(0x02)),
        ("a frame from 4…", frame(0x45)),
        ("a frame from 6…", frame(0x60)),
        ("a control word", [&[0; 4], &frame(0x02)[..]].concat()),
    ];
    for (name, data) in cases {
        for kind in [[0x88, 0x47], [0x88, 0x48]] {
            let packet = ethernet(&[&kind, &labels, data]);
            let got = tunnel_of(Config::default(), LinkType::ETHERNET, &packet);
            // A control word in front would be the address of a frame that begins with 0.
            assert_eq!(got.as_deref(), Ok("mpls:32"), "{name}");
        }
    }
}

#[test]
fn pppoe_is_known_by_its_session() {
    let session = [0x11, 0, 0x12, 0x34, 0, 90];
    let plain = ethernet(&[&[0x88, 0x64], &session, &[0, 0x21], &v4(TEXT)]);
    let got = tunnel_of(Config::default(), LinkType::ETHERNET, &plain);
    assert_eq!(got.as_deref(), Ok("pppoe:4660"));
    // What is inside is nearer.
    let [outer, _] = in_ip(IpNumber::IPV4, &v4(TEXT));
    let tunnelled = ethernet(&[&[0x88, 0x64], &session, &[0, 0x21], &outer]);
    let got = tunnel_of(Config::default(), LinkType::ETHERNET, &tunnelled);
    assert_eq!(got.as_deref(), Ok("ipip"));
}

#[test]
fn other_ports_are_vxlan_only_when_told() {
    let frame = ethernet(&[&[8, 0], &v4(TEXT)]);
    let data = udp_to(9999, &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &frame].concat());
    let [packet, _] = in_ip(IpNumber::UDP, &data);
    let with = |vxlan_ports| {
        tunnel_of(Config { vxlan_ports, ..Config::default() }, LinkType::RAW, &packet)
    };
    assert_eq!(with(vec![]), Err(PacketFate::NotTcp));
    assert_eq!(with(vec![9999]).as_deref(), Ok("vxlan:1"));
}

#[test]
fn what_only_looks_like_a_tunnel_is_not_tcp() {
    let frame = ethernet(&[&[8, 0], &v4(TEXT)]);
    for (name, protocol, data) in [
        ("VXLAN without a network", IpNumber::UDP, udp_to(4789, &[&[0; 8], &frame[..]].concat())),
        ("Geneve 2", IpNumber::UDP, udp_to(6081, &[&[0x80; 8], &frame[..]].concat())),
        ("GTP echo", IpNumber::UDP, udp_to(2152, &[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("GRE 2", IpNumber::GRE, [&[0, 2, 8, 0], &v4(TEXT)[..]].concat()),
        ("GRE keepalive", IpNumber::GRE, vec![0, 0, 0, 0]),
        (
            "ERSPAN 7",
            IpNumber::GRE,
            [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x70], &frame[..]].concat(),
        ),
    ] {
        for outer in in_ip(protocol, &data) {
            assert_eq!(decode(LinkType::RAW, &outer), Err(PacketFate::NotTcp), "{name}");
        }
    }
}

#[test]
fn tunnels_nest_within_a_bound() {
    let mut packet = v4(TEXT);
    for depth in 1..20 {
        let frame = ethernet(&[&[8, 0], &packet]);
        [packet, _] = in_ip(IpNumber::UDP, &vxlan(depth, &frame));
        let got = tunnel_of(Config::default(), LinkType::RAW, &packet);
        match depth {
            // Eight IP headers, the innermost included.
            ..8 => assert_eq!(got.as_deref(), Ok("vxlan:1"), "{depth}"),
            _ => assert_eq!(got, Err(PacketFate::Malformed), "{depth}"),
        }
    }
}

#[test]
fn tunnels_are_told_apart_by_key_only_when_asked() {
    let keys = |key_holds_tunnel| {
        [1, 2, 2].map(|vni| {
            let frame = ethernet(&[&[8, 0], &v4(TEXT)]);
            let [packet_data, _] = in_ip(IpNumber::UDP, &vxlan(vni, &frame));
            let config = Config { key_holds_tunnel, ..Config::default() };
            let mut decoder = Decoder::new(config);
            let packet = packet(LinkType::RAW, &packet_data);
            decoder.decode(&packet).unwrap().flow
        })
    };
    let [a, b, c] = keys(false);
    assert!(a == b && b == c);
    let [a, b, c] = keys(true);
    assert!(a != b && b == c);
}

#[test]
fn fragments_of_a_tunnel_and_in_a_tunnel_are_put_together() {
    let mut decoder = Decoder::new(Config::default());
    let mut found = Vec::new();
    // The inner packet in two fragments, each of which is too long for the tunnel's own way.
    for inner in fragments(&v4(TEXT), 3, 1) {
        let frame = ethernet(&[&[8, 0], &inner]);
        let [outer, _] = in_ip(IpNumber::UDP, &vxlan(1, &frame));
        for piece in fragments(&outer, 4, inner[7]) {
            found.push(decode_with(&mut decoder, &packet(LinkType::RAW, &piece)));
        }
    }
    let whole = found.pop().unwrap();
    assert_eq!(whole, Ok((TEXT.to_vec(), 0)));
    assert!(found.iter().all(|fate| *fate == Err(PacketFate::Fragment)), "{found:?}");
    assert_eq!(decoder.counts().total(), found.len() as u64 + 1);
}

#[test]
fn what_a_tunnel_was_cut_short_of_is_missing() {
    let frame = ethernet(&[&[8, 0], &v4(TEXT)]);
    let [whole, _] = in_ip(IpNumber::UDP, &vxlan(1, &frame));
    let cut =
        Packet { wire_len: whole.len() as u32, ..packet(LinkType::RAW, &whole[..whole.len() - 7]) };
    assert_eq!(decode_packet(&cut), Ok((TEXT[..TEXT.len() - 7].to_vec(), 7)));
}

proptest! {
    #[test]
    fn nothing_in_a_tunnel_makes_it_panic(
        protocol in prop_oneof![Just(47u8), Just(17), Just(4), Just(41), Just(137)],
        port in prop_oneof![Just(4789u16), Just(6081), Just(2152)],
        mut data in prop::collection::vec(any::<u8>(), 0..120),
        flags in 0usize..4,
    ) {
        if protocol == 17 {
            data = udp_to(port, &data);
        } else if data.len() > 4 {
            let kind = [0x88be_u16, 0x22eb, 0x6558, 0x8847][flags];
            data[2..4].copy_from_slice(&kind.to_be_bytes());
        }
        for outer in in_ip(IpNumber(protocol), &data) {
            let mut decoder = Decoder::new(Config::default());
            let _ = decoder.decode(&packet(LinkType::RAW, &outer)).map(|segment| segment.payload.len());
            prop_assert_eq!(decoder.counts().total(), 1);
        }
    }
}
