//! One conversation in every tunnel and mirror encapsulation, both directions, with IPv4 and IPv6
//! outside and inside: the answer is the bare conversation's.

mod support;

use etherparse::{IpNumber, PacketBuilder};
use serde_json::Value;
use std::fs;
use support::binary::{Run, run};
use support::conversation::{Packet, endpoint};
use support::pcap::{Timed, connection, pcap_of};
use support::script::Script;

const ETHERNET: u32 = 1;
/// The least an Ethernet frame has; shorter ones are padded on their way.
const SHORTEST_FRAME: usize = 60;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TAG: u16 = 0x8100;
const SERVICE_TAG: u16 = 0x88a8;
const MPLS: u16 = 0x8847;
const PPPOE: u16 = 0x8864;
/// Ethernet in something else.
const TEB: u16 = 0x6558;
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;
const MPLS_IN_IP: IpNumber = IpNumber(137);

/// Which way an outer packet goes, and the how-manieth it is.
#[derive(Clone, Copy)]
struct Way {
    v6: bool,
    from_client: bool,
    number: u32,
}

impl Way {
    /// An outer IP packet.
    fn ip(self, protocol: IpNumber, data: &[u8]) -> Vec<u8> {
        let (from, to) = if self.from_client { (1, 2) } else { (2, 1) };
        let builder = if self.v6 {
            PacketBuilder::ipv6([from; 16], [to; 16], 64)
        } else {
            PacketBuilder::ipv4([198, 51, 100, from], [198, 51, 100, to], 64)
        };
        let mut packet = Vec::new();
        builder.write(&mut packet, protocol, data).expect("a packet can be written");
        packet
    }

    /// An outer IP packet with a datagram to `port`; the source port is a hash in real tunnels.
    fn udp(self, port: u16, data: &[&[u8]]) -> Vec<u8> {
        let data = data.concat();
        let source = 50_000 + u16::from(self.from_client);
        let length = data.len() as u16 + 8;
        let header = [source, port, length, 0].map(u16::to_be_bytes).concat();
        self.ip(IpNumber::UDP, &[header, data].concat())
    }

    fn gre(self, flags: u16, kind: u16, rest: &[&[u8]]) -> Vec<u8> {
        let header = [flags, kind].map(u16::to_be_bytes).concat();
        self.ip(IpNumber::GRE, &[header, rest.concat()].concat())
    }

    /// The packet's number, as GRE and GTP-U write it.
    fn sequence(self) -> [u8; 4] {
        self.number.to_be_bytes()
    }

    fn vxlan(self, port: u16, vni: u32, frame: &[u8]) -> Vec<u8> {
        self.udp(port, &[&[8, 0, 0, 0], &(vni << 8).to_be_bytes(), frame])
    }

    fn geneve(self, vni: u32, kind: u16, options: &[u8], data: &[u8]) -> Vec<u8> {
        let header = [&[options.len() as u8 / 4, 0][..], &kind.to_be_bytes()].concat();
        self.udp(6081, &[&header, &(vni << 8).to_be_bytes(), options, data])
    }

    fn erspan_2(self, session: u8, frame: &[u8]) -> Vec<u8> {
        let header = [0x10, 1, 0, session, 0, 0, 0, 1];
        self.gre(0x1000, ERSPAN, &[&self.sequence(), &header, frame])
    }

    fn gtp_u(self, flags: u8, id: u32, rest: &[&[u8]]) -> Vec<u8> {
        let rest = rest.concat();
        let head = [&[0x30 | flags, 0xff][..], &(rest.len() as u16).to_be_bytes()].concat();
        self.udp(2152, &[&head, &id.to_be_bytes(), &rest])
    }
}

fn kind_of(ip: &[u8]) -> u16 {
    if ip[0] >> 4 == 4 { IPV4 } else { IPV6 }
}

/// An Ethernet frame, padded as networks do.
fn ethernet(kind: u16, rest: &[&[u8]]) -> Vec<u8> {
    let mut frame = [&[2; 12][..], &kind.to_be_bytes(), &rest.concat()].concat();
    frame.resize(frame.len().max(SHORTEST_FRAME), 0);
    frame
}

fn frame(ip: &[u8]) -> Vec<u8> {
    ethernet(kind_of(ip), &[ip])
}

/// A tag, and what it says follows.
fn tag(id: u16, kind: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (id.to_be_bytes(), kind.to_be_bytes());
    [a, b, c, d]
}

/// A stack of labels.
fn labels(labels: &[u32]) -> Vec<u8> {
    let last = labels.len() - 1;
    let entry =
        |(at, label): (usize, &u32)| (label << 12 | u32::from(at == last) << 8 | 64).to_be_bytes();
    labels.iter().enumerate().flat_map(entry).collect()
}

fn pppoe(ip: &[u8]) -> Vec<u8> {
    let protocol: u16 = if kind_of(ip) == IPV4 { 0x0021 } else { 0x0057 };
    let length = (ip.len() + 2) as u16;
    let header = [&[0x11, 0, 0, 7][..], &length.to_be_bytes(), &protocol.to_be_bytes()].concat();
    ethernet(PPPOE, &[&header, ip])
}

/// Takes an IP packet, gives the frame that arrives at the tap.
type Wrap = fn(Way, &[u8]) -> Vec<u8>;

/// What is not asserted.
const ANY: &str = "*";
/// IP in IP is told by what is inside.
const IP_IN_IP: &str = "ipip or 6in4";

/// A name, the record's `tunnel`, and how.
const ENCAPSULATIONS: &[(&str, &str, Wrap)] = &[
    ("nothing", "", |_, ip| frame(ip)),
    ("a tag", "", |_, ip| ethernet(TAG, &[&tag(100, kind_of(ip)), ip])),
    ("stacked tags", "", |_, ip| {
        ethernet(SERVICE_TAG, &[&tag(200, TAG), &tag(100, kind_of(ip)), ip])
    }),
    ("four tags", "", |_, ip| {
        ethernet(
            SERVICE_TAG,
            &[&tag(4, 0x9100), &tag(3, 0x9200), &tag(2, TAG), &tag(1, kind_of(ip)), ip],
        )
    }),
    ("PPPoE", ANY, |_, ip| pppoe(ip)),
    ("PPPoE in a tag", ANY, |_, ip| ethernet(TAG, &[&tag(7, PPPOE), &pppoe(ip)[14..]])),
    ("MPLS", "mpls:16", |_, ip| ethernet(MPLS, &[&labels(&[16]), ip])),
    ("MPLS, three labels", "mpls:18", |_, ip| ethernet(MPLS, &[&labels(&[16, 17, 18]), ip])),
    ("MPLS in a tag", "mpls:19", |_, ip| ethernet(TAG, &[&tag(9, MPLS), &labels(&[19]), ip])),
    ("a pseudo-wire", "mpls:20", |_, ip| ethernet(MPLS, &[&labels(&[16, 20]), &frame(ip)])),
    ("a pseudo-wire around MPLS", "mpls:24", |_, ip| {
        let inner = ethernet(MPLS, &[&labels(&[24]), ip]);
        ethernet(MPLS, &[&labels(&[16]), &inner])
    }),
    ("a pseudo-wire with a control word", "mpls:21", |way, ip| {
        let word = (way.number & 0xffff).to_be_bytes();
        ethernet(MPLS, &[&labels(&[16, 21]), &word, &frame(ip)])
    }),
    ("MPLS in IP", "mpls:22", |way, ip| {
        frame(&way.ip(MPLS_IN_IP, &[labels(&[22]), ip.to_vec()].concat()))
    }),
    ("MPLS in GRE", "mpls:23", |way, ip| frame(&way.gre(0, MPLS, &[&labels(&[23]), ip]))),
    ("IP in IP", IP_IN_IP, |way, ip| {
        let protocol = if kind_of(ip) == IPV4 { IpNumber::IPV4 } else { IpNumber::IPV6 };
        frame(&way.ip(protocol, ip))
    }),
    ("VXLAN", "vxlan:42", |way, ip| frame(&way.vxlan(4789, 42, &frame(ip)))),
    ("VXLAN, port of old", "vxlan:43", |way, ip| frame(&way.vxlan(8472, 43, &frame(ip)))),
    ("VXLAN, a port of one's own", "vxlan:16777215", |way, ip| {
        frame(&way.vxlan(9999, 0xff_ffff, &frame(ip)))
    }),
    ("VXLAN around tags", "vxlan:44", |way, ip| {
        let inner = ethernet(SERVICE_TAG, &[&tag(200, TAG), &tag(100, kind_of(ip)), ip]);
        ethernet(TAG, &[&tag(5, kind_of_way(way)), &way.vxlan(4789, 44, &inner)])
    }),
    ("Geneve", "geneve:99", |way, ip| frame(&way.geneve(99, TEB, &[], &frame(ip)))),
    ("Geneve with options", "geneve:100", |way, ip| {
        frame(&way.geneve(100, TEB, &[1, 2, 0x80, 1, 9, 9, 9, 9], &frame(ip)))
    }),
    ("Geneve around IP", "geneve:101", |way, ip| {
        frame(&way.geneve(101, kind_of(ip), &[0; 252], ip))
    }),
    ("GRE", "gre", |way, ip| frame(&way.gre(0, kind_of(ip), &[ip]))),
    ("GRE with a checksum", "gre", |way, ip| {
        frame(&way.gre(0x8000, kind_of(ip), &[&[0xab, 0xcd, 0, 0], ip]))
    }),
    ("GRE with a sequence", "gre", |way, ip| {
        frame(&way.gre(0x1000, kind_of(ip), &[&way.sequence(), ip]))
    }),
    ("GRE with a key", "gre:77", |way, ip| {
        frame(&way.gre(0x2000, kind_of(ip), &[&77u32.to_be_bytes(), ip]))
    }),
    ("GRE with everything", "gre:78", |way, ip| {
        let fields = [[0xab, 0xcd, 0, 0], 78u32.to_be_bytes(), way.sequence()].concat();
        frame(&way.gre(0xb000, TEB, &[&fields, &frame(ip)]))
    }),
    ("NVGRE", "nvgre:5000", |way, ip| {
        frame(&way.gre(0x2000, TEB, &[&(5000u32 << 8 | 3).to_be_bytes(), &frame(ip)]))
    }),
    ("PPTP", "gre:6", |way, ip| {
        let protocol: u16 = if kind_of(ip) == IPV4 { 0x0021 } else { 0x0057 };
        let payload = [&[0xff, 3][..], &protocol.to_be_bytes(), ip].concat();
        let call = [(payload.len() as u16).to_be_bytes(), 6u16.to_be_bytes()].concat();
        frame(&way.gre(0x3001, 0x880b, &[&call, &way.sequence(), &payload]))
    }),
    ("ERSPAN I", "erspan", |way, ip| frame(&way.gre(0, ERSPAN, &[&frame(ip)]))),
    ("ERSPAN II", "erspan:42", |way, ip| frame(&way.erspan_2(42, &frame(ip)))),
    ("ERSPAN III", "erspan:43", |way, ip| {
        let header = [0x20, 1, 0, 43, 0, 0, 0, 1, 0, 0, 0, 0];
        frame(&way.gre(0x1000, ERSPAN_3, &[&way.sequence(), &header, &frame(ip)]))
    }),
    ("ERSPAN III with a platform header", "erspan:44", |way, ip| {
        let header = [0x20, 1, 0, 44, 0, 0, 0, 1, 0, 0, 0, 1];
        frame(&way.gre(0x1000, ERSPAN_3, &[&way.sequence(), &header, &[5; 8], &frame(ip)]))
    }),
    ("GTP-U", "gtp-u:9", |way, ip| frame(&way.gtp_u(0, 9, &[ip]))),
    ("GTP-U with a sequence", "gtp-u:10", |way, ip| {
        let [.., a, b] = way.sequence();
        frame(&way.gtp_u(2, 10, &[&[a, b, 0, 0], ip]))
    }),
    ("GTP-U with extension headers", "gtp-u:11", |way, ip| {
        let headers: [&[u8]; 3] =
            [&[0, 0, 0, 0x85], &[1, 0x10, 9, 0xc0], &[2, 0, 1, 0, 0, 0, 0, 0]];
        frame(&way.gtp_u(4, 11, &[&headers.concat(), ip]))
    }),
    ("Geneve around VXLAN", "vxlan:50", |way, ip| {
        frame(&way.geneve(1, IPV4, &[], &Way { v6: false, ..way }.vxlan(4789, 50, &frame(ip))))
    }),
    ("ERSPAN around VXLAN", "vxlan:51", |way, ip| {
        frame(&way.erspan_2(1, &frame(&way.vxlan(4789, 51, &frame(ip)))))
    }),
    ("VXLAN around GTP-U", "gtp-u:12", |way, ip| {
        frame(&way.vxlan(4789, 1, &frame(&Way { v6: true, ..way }.gtp_u(0, 12, &[ip]))))
    }),
    ("VXLAN around a pseudo-wire around PPPoE", ANY, |way, ip| {
        frame(&way.vxlan(4789, 1, &ethernet(MPLS, &[&labels(&[16, 20]), &pppoe(ip)])))
    }),
    ("eight deep", "vxlan:52", |way, ip| {
        let deep = (0..6).fold(way.vxlan(4789, 52, &frame(ip)), |inner, n| {
            let way = Way { v6: n % 2 == 0, ..way };
            way.gre(0x2000, kind_of(&inner), &[&u32::to_be_bytes(n), &inner])
        });
        frame(&deep)
    }),
];

fn kind_of_way(way: Way) -> u16 {
    if way.v6 { IPV6 } else { IPV4 }
}

/// Uploads and downloads under several modes, in segments of several sizes.
fn talk(key: &str) -> Vec<Packet> {
    let body = |n: usize| "b".repeat(n);
    let sse = "x-amz-server-side-encryption";
    let kms = "x-amz-server-side-encryption-aws-kms-key-id: k";
    let put = |mode: &str, length: usize| {
        format!(
            "PUT /b/{key} HTTP/1.1\r\nHost: h\r\n{sse}: {mode}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let done = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n");
    Script::opened()
        .c(put("AES256", 2000))
        .c(body(1300))
        .s("")
        .c(body(700))
        .s(done(&format!("{sse}: AES256\r\n")))
        .c("")
        .c(put("aws:kms", 1))
        .c("k")
        .s(done(&format!("{sse}: aws:kms\r\n{kms}\r\n")))
        .c(put("aws:kms", 0))
        .s(done(""))
        .c(format!("GET /b/{key} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .s(format!(
            "HTTP/1.1 200 OK\r\n{sse}: aws:kms\r\nETag: \"e\"\r\nContent-Length: 1000\r\n\r\n"
        ))
        .s(body(999))
        .s("b")
        .c_fin()
        .s_fin()
        .c("")
        .packets
}

/// The packets of a conversation, IPv4 or IPv6 inside.
fn inner(v6: bool, packets: &[Packet]) -> Vec<Timed> {
    let end = |n: u8, port| {
        let mut end = endpoint(n, port);
        if v6 {
            end.addr = [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n)].into();
        }
        end
    };
    connection(end(1, 40_000), end(2, 9000), packets)
}

/// A conversation as it passes a tap.
fn wrapped(wrap: Wrap, outer_v6: bool, inner_v6: bool, packets: &[Packet]) -> Vec<Timed> {
    let wrap_one = |(number, ((time, ip), packet)): (usize, (Timed, &Packet))| {
        let from_client = packet.from_client;
        (time, wrap(Way { v6: outer_v6, from_client, number: number as u32 }, &ip))
    };
    inner(inner_v6, packets).into_iter().zip(packets).enumerate().map(wrap_one).collect()
}

fn replay(packets: &[Timed], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("capture");
    fs::write(&file, pcap_of(ETHERNET, packets)).expect("a file can be written");
    let file = file.to_str().expect("paths here are UTF-8");
    run([&["replay", "--quiet", "--vxlan-port", "9999"], arguments, &[file]].concat()).ok()
}

fn records(packets: &[Timed], arguments: &[&str]) -> Vec<Value> {
    replay(packets, &[&["--format", "jsonl"], arguments].concat()).records()
}

fn summary(packets: &[Timed], arguments: &[&str]) -> Value {
    replay(packets, &[&["--format", "json"], arguments].concat()).json()
}

/// The records of a bare conversation, as they are with this tunnel around.
fn with_tunnel(mut records: Vec<Value>, tunnel: &str) -> Vec<Value> {
    for record in &mut records {
        let is_v6 = record["client_ip"].as_str().is_some_and(|ip| ip.contains(':'));
        record["tunnel"] = match (tunnel, is_v6) {
            ("", _) => Value::Null,
            (IP_IN_IP, false) => "ipip".into(),
            (IP_IN_IP, true) => "6in4".into(),
            (tunnel, _) => tunnel.into(),
        };
    }
    records
}

/// Records that can be told apart, and sorted.
fn sorted(records: Vec<Value>) -> Vec<String> {
    let mut lines: Vec<_> = records.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

fn without_tunnel(records: Vec<Value>) -> Vec<Value> {
    with_tunnel(records, "")
}

#[test]
fn in_every_encapsulation_a_conversation_is_what_it_is_bare() {
    for inner_v6 in [false, true] {
        let packets = talk("key");
        let bare = wrapped(ENCAPSULATIONS[0].2, false, inner_v6, &packets);
        let (bare_records, bare_summary) = (records(&bare, &[]), summary(&bare, &[]));
        assert_eq!(bare_records.len(), 4);
        assert_eq!(bare_summary["verdict"], "examined 100 % of payload bytes, 0 gaps");
        for (name, tunnel, wrap) in ENCAPSULATIONS {
            for outer_v6 in [false, true] {
                let name = format!("{name}; IPv6 outside: {outer_v6}, inside: {inner_v6}");
                let packets = wrapped(*wrap, outer_v6, inner_v6, &packets);
                let (mut got, mut bare) = (records(&packets, &[]), bare_records.clone());
                if *tunnel == ANY {
                    got = without_tunnel(got);
                } else {
                    bare = with_tunnel(bare, tunnel);
                }
                assert_eq!(got, bare, "{name}");
                // The whole answer, the ledger with it.
                assert_eq!(summary(&packets, &[]), bare_summary, "{name}");
            }
        }
    }
}

/// The encapsulations whose tunnels have names of their own: what tells connections apart where
/// that is asked for.
fn named() -> impl Iterator<Item = &'static (&'static str, &'static str, Wrap)> {
    let is_first = |(at, tunnel): (usize, &str)| {
        !ENCAPSULATIONS[..at].iter().any(|(_, other, _)| *other == tunnel)
    };
    ENCAPSULATIONS
        .iter()
        .enumerate()
        .filter(move |(at, (_, tunnel, _))| *tunnel != ANY && is_first((*at, tunnel)))
        .map(|(_, encapsulation)| encapsulation)
}

/// A conversation as it passes a tap through all those tunnels at once: each packet once a tunnel,
/// a microsecond apart.
fn side_by_side(packets: &[Packet]) -> Vec<Timed> {
    let through = |(at, (_, _, wrap)): (usize, &(&str, &str, Wrap))| {
        let outer_v6 = at % 2 == 1;
        let later = |(time, packet)| (time + at as i64 * 1000, packet);
        wrapped(*wrap, outer_v6, false, packets).into_iter().map(later).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = named().enumerate().flat_map(through).collect();
    all.sort_by_key(|(time, _)| *time);
    all
}

#[test]
fn through_several_tunnels_at_once_a_connection_counts_once() {
    let packets = talk("key");
    let bare = wrapped(ENCAPSULATIONS[0].2, false, false, &packets);
    let (bare_records, bare_summary) = (records(&bare, &[]), summary(&bare, &[]));
    let all = side_by_side(&packets);
    let tunnels = named().count();
    assert!(tunnels > 25, "{tunnels}");
    assert_eq!(records(&all, &[]), bare_records);
    let got = summary(&all, &[]);
    assert_eq!(got["hosts"], bare_summary["hosts"]);
    assert_eq!(got["verdict"], bare_summary["verdict"]);
    // Each byte is a repeat in every tunnel but the first.
    let payload: usize = packets.iter().map(|packet| packet.payload.len()).sum();
    let repeats = payload * (tunnels - 1);
    assert_eq!(got["ledger"]["payload_bytes"]["duplicate"], repeats);
    assert_eq!(got["ledger"]["packets"]["segment"], packets.len() * tunnels);
    // Copies that are left out before they reach a connection are counted as such.
    assert_eq!(records(&all, &["--dedup"]), bare_records);
    let got = summary(&all, &["--dedup"]);
    assert_eq!(got["hosts"], bare_summary["hosts"]);
    assert_eq!(got["ledger"]["packets"]["copy"], packets.len() * (tunnels - 1));
    assert_eq!(got["ledger"]["payload_bytes"], bare_summary["ledger"]["payload_bytes"]);
}

#[test]
fn where_tunnels_tell_connections_apart_it_counts_in_each() {
    let packets = talk("key");
    let bare = wrapped(ENCAPSULATIONS[0].2, false, false, &packets);
    let bare_records = records(&bare, &[]);
    let all = side_by_side(&packets);
    // Each through its tunnel, and that much later.
    let mut got = records(&all, &["--flow-key", "tunnel"]);
    let untimed = |records: &mut Vec<Value>| {
        for record in records {
            record["time"] = Value::Null;
        }
    };
    untimed(&mut got);
    let mut expected: Vec<_> =
        named().flat_map(|(_, tunnel, _)| with_tunnel(bare_records.clone(), tunnel)).collect();
    untimed(&mut expected);
    assert_eq!(sorted(got), sorted(expected));
    let got = summary(&all, &["--flow-key", "tunnel"]);
    assert_eq!(got["verdict"], "examined 100 % of payload bytes, 0 gaps");
    assert_eq!(got["ledger"]["payload_bytes"]["duplicate"], 0);
    // A copy is one only within its tunnel.
    let got = summary(&all, &["--flow-key", "tunnel", "--dedup"]);
    assert_eq!(got["ledger"]["packets"]["copy"], 0);
}

#[test]
fn networks_in_tunnels_that_use_the_same_addresses_are_kept_apart() {
    let through = |(at, (name, _, wrap)): (usize, &(&str, &str, Wrap))| {
        wrapped(*wrap, at % 2 == 0, false, &talk(&format!("key-of-{}", name.len() * 100 + at)))
    };
    let each: Vec<_> = named().enumerate().map(through).collect();
    let alone: Vec<_> = each.iter().flat_map(|packets| records(packets, &[])).collect();
    let mut all = each.concat();
    // Packet by packet in turns.
    all.sort_by_key(|(time, _)| *time);
    let got = records(&all, &["--flow-key", "tunnel"]);
    assert_eq!(got.len(), alone.len());
    assert_eq!(sorted(got), sorted(alone));
}

#[test]
fn each_direction_may_have_a_tunnel_of_its_own() {
    // As GTP-U has by its nature, and mirrors of two interfaces have.
    let packets = talk("key");
    let bare = wrapped(ENCAPSULATIONS[0].2, false, false, &packets);
    let wrap: Wrap = |way, ip| {
        let inner = frame(ip);
        frame(&if way.from_client { way.vxlan(4789, 1, &inner) } else { way.erspan_2(2, &inner) })
    };
    for outer_v6 in [false, true] {
        let split = wrapped(wrap, outer_v6, false, &packets);
        assert_eq!(records(&split, &[]), with_tunnel(records(&bare, &[]), "vxlan:1"));
        assert_eq!(summary(&split, &[]), summary(&bare, &[]));
    }
}
