//! Packets: one segment under every link type and in every tunnel, and segments in fragments.

use crate::Seed;
use etherparse::{IpNumber, PacketBuilder};
use sealwatch_fuzz::decode::{LINKS, Options, VXLAN_PORT};
use sealwatch_fuzz::tape::Pen;

const TEXT: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// A segment in an IP packet.
pub(crate) fn segment(v6: bool) -> Vec<u8> {
    let builder = if v6 {
        PacketBuilder::ipv6([1; 16], [2; 16], 64)
    } else {
        PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
    };
    let mut packet = Vec::new();
    let written = builder.tcp(4000, 80, 7, 512).ack(9).psh().write(&mut packet, TEXT);
    written.expect("a packet can be written");
    packet
}

fn ip(protocol: IpNumber, data: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4([198, 51, 100, 1], [198, 51, 100, 2], 64);
    builder.write(&mut packet, protocol, data).expect("a packet can be written");
    packet
}

fn udp(port: u16, data: &[u8]) -> Vec<u8> {
    let header = [50_000, port, data.len() as u16 + 8, 0].map(u16::to_be_bytes).concat();
    ip(IpNumber::UDP, &[&header, data].concat())
}

fn gre(flags: u16, kind: u16, rest: &[&[u8]]) -> Vec<u8> {
    let header = [flags, kind].map(u16::to_be_bytes).concat();
    ip(IpNumber::GRE, &[&header, &rest.concat()[..]].concat())
}

fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), rest].concat()
}

/// Frames around the segment, each with a name and its place among [`LINKS`].
fn frames() -> Vec<(&'static str, u8, Vec<u8>)> {
    let v4 = segment(false);
    let v6 = segment(true);
    let frame = ethernet(0x0800, &v4);
    let of = |head: &[u8]| [head, &v4].concat();
    let vlan = [&[0, 5, 0x88, 0xa8, 0, 6][..], &[0x08, 0x00]].concat();
    vec![
        ("ethernet", 0, frame.clone()),
        ("ethernet-v6", 0, ethernet(0x86dd, &v6)),
        ("tags", 0, ethernet(0x8100, &of(&vlan))),
        ("llc-snap", 0, ethernet(60, &of(&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]))),
        ("llc-ip", 0, ethernet(60, &of(&[6, 6, 3]))),
        ("mpls", 0, ethernet(0x8847, &of(&[0, 1, 0, 64, 0, 2, 1, 64]))),
        ("mpls-frame", 0, ethernet(0x8847, &[&[0, 2, 1, 64, 0, 0, 0, 0][..], &frame].concat())),
        ("pppoe", 0, ethernet(0x8864, &of(&[0x11, 0, 0, 1, 0, 68, 0, 0x21]))),
        ("raw", 1, v4.clone()),
        ("null", 2, of(&[2, 0, 0, 0])),
        ("ppp", 3, of(&[0xff, 3, 0, 0x21])),
        ("ppp-short", 3, of(&[0x21])),
        ("raw-v6", 5, v6.clone()),
        ("hdlc", 8, of(&[0x0f, 0, 8, 0])),
        ("loop", 9, of(&[0, 0, 0, 2])),
        ("sll", 10, of(&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0])),
        ("sll2", 14, of(&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0])),
        ("ipip", 1, ip(IpNumber::IPV4, &v4)),
        ("6in4", 1, ip(IpNumber::IPV6, &v6)),
        ("vxlan", 1, udp(4789, &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &frame].concat())),
        ("vxlan-port", 1, udp(VXLAN_PORT, &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &frame].concat())),
        ("geneve", 1, udp(6081, &of(&[1, 0, 8, 0, 0, 0, 7, 0, 1, 2, 3, 0]))),
        ("gtp-u", 1, udp(2152, &of(&[0x34, 0xff, 0, 80, 0, 0, 0, 9, 0, 1, 0, 0x85, 1, 0, 0, 0]))),
        ("gre", 1, gre(0x2000, 0x0800, &[&[0, 0, 0, 77], &v4])),
        ("nvgre", 1, gre(0x2000, 0x6558, &[&[0, 0x20, 0, 0], &frame])),
        ("pptp", 1, gre(0x3081, 0x880b, &[&[0, 70, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0x21], &v4])),
        ("erspan-1", 1, gre(0, 0x88be, &[&frame])),
        ("erspan-2", 1, gre(0x1000, 0x88be, &[&[0, 0, 0, 1, 0x10, 1, 0, 5, 0, 0, 0, 1], &frame])),
        (
            "erspan-3",
            1,
            gre(0x1000, 0x22eb, &[&[0, 0, 0, 1, 0x20, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], &frame]),
        ),
        ("mpls-in-ip", 1, ip(IpNumber(137), &of(&[0, 2, 1, 64]))),
        (
            "quic",
            1,
            udp(443, &[&[0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8][..], &[0; 1190]].concat()),
        ),
    ]
}

/// A packet as a script has it.
fn packet(pen: Pen, link: u8, cut: u8, data: &[u8]) -> Pen {
    pen.bytes(&[link, 1, cut]).u16(data.len() as u16).bytes(data)
}

/// An IP packet in two fragments.
fn in_two(whole: &[u8]) -> [Vec<u8>; 2] {
    let fragment = |from: usize, to: usize, more: u16| {
        let mut packet = whole[..20].to_vec();
        packet.extend(&whole[20 + from..20 + to]);
        packet[2..4].copy_from_slice(&(20 + (to - from) as u16).to_be_bytes());
        packet[6..8].copy_from_slice(&((from as u16 / 8) | more << 13).to_be_bytes());
        packet
    };
    [fragment(0, 24, 1), fragment(24, whole.len() - 20, 0)]
}

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, link, data) in frames() {
        assert!(usize::from(link) < LINKS.len());
        let once = packet(Pen::default().bytes(&[Options::VXLAN]), link, 0, &data);
        seeds.push(("decode", name.to_owned(), once.0));
    }
    let v4 = segment(false);
    let mut short = Pen::default().bytes(&[Options::VERIFY | Options::TUNNELS_APART]);
    for kept in [v4.len(), 50, 40, 30, 10] {
        short = packet(short, 1, (v4.len() - kept) as u8, &v4[..kept]);
    }
    seeds.push(("decode", "cut-short".to_owned(), short.0));
    let [first, last] = in_two(&v4);
    let both = packet(Pen::default().bytes(&[Options::FEW_FRAGMENTS]), 1, 0, &last);
    let both = packet(both, 1, 0, &first);
    seeds.push(("decode", "fragments".to_owned(), both.0));
    for six in [0, 1] {
        // Of 1000 bytes: three that overlap, the last first.
        let pen = Pen::default().bytes(&[Options::FRAGMENTS, six]).u16(999);
        let pen = pen.bytes(&[60, 255, 0, 0]).bytes(&[30, 40, 0, 9]).bytes(&[0, 62, 200, 7]);
        seeds.push(("decode", format!("overlap-{six}"), pen.0));
    }
    seeds
}
