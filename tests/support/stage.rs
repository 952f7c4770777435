//! Plays packet scripts: makes the frames that a capture of them would hold.

use super::frames::Frame;
use super::steps::{
    ACK, Capture, Each, FIN, Fragments, Patch, Place, RST, SYN, Send, Step, Steps, URG,
};
use etherparse::{PacketBuilder, TcpHeader};
use sealwatch::net::Endpoint;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// 2026-01-01T00:00:00Z, in nanoseconds: one step before the first packet.
const BEGIN: i64 = 1_767_225_600_000_000_000;
const STEP: i64 = 1_000_000;
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const ETHERNET_MIN: usize = 60;
const UDP_OF_VXLAN: u16 = 4789;

/// What a capture of a script holds.
#[derive(Clone, Debug)]
pub struct Played {
    pub frames: Vec<Frame>,
    /// How many TCP payload bytes are in it; `None` where that is for the reader to find out.
    pub payload: Option<u64>,
    /// How often the script was played.
    pub times: usize,
}

/// Plays a script, as often as it asks for.
pub fn play(script: &Steps) -> Played {
    let times = script.steps.iter().find_map(variants);
    let mut stage = Stage::default();
    for variant in 0..times.unwrap_or(1) {
        stage.begin(variant);
        script.steps.iter().for_each(|step| stage.step(step));
        assert!(stage.held.is_empty(), "what is held is released");
        stage.end(script);
    }
    let payload = stage.exact.then_some(stage.payload);
    Played { frames: stage.frames, payload, times: times.unwrap_or(1) }
}

/// How often a segment is to be tried.
fn variants(step: &Step) -> Option<usize> {
    let Step::Send(send) = step else { return None };
    send.each.map(|each| match each {
        Each::Cut => send.payload.len() - 1,
        Each::Snap | Each::Hole => send.payload.len(),
    })
}

/// A frame on its way into the capture.
#[derive(Clone, Debug)]
struct Captured {
    from_client: bool,
    data: Vec<u8>,
    wire_len: usize,
    payload: u64,
}

#[derive(Clone, Debug)]
struct Connection {
    ends: [Endpoint; 2],
    isn: [u32; 2],
    next: [i64; 2],
    spoke: [bool; 2],
}

#[derive(Debug)]
struct Stage {
    variant: usize,
    connections: BTreeMap<String, Connection>,
    current: String,
    now: i64,
    /// Of this time that the script is played.
    captured: Vec<(i64, Captured)>,
    held: Vec<Captured>,
    copies: usize,
    snaplen: usize,
    padding: Vec<u8>,
    vlan: Option<u16>,
    vxlan: Option<u32>,
    fragmented: u16,
    frames: Vec<Frame>,
    payload: u64,
    exact: bool,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            variant: 0,
            connections: BTreeMap::new(),
            current: String::new(),
            now: BEGIN,
            captured: Vec::new(),
            held: Vec::new(),
            copies: 1,
            snaplen: usize::MAX,
            padding: Vec::new(),
            vlan: None,
            vxlan: None,
            fragmented: 0,
            frames: Vec::new(),
            payload: 0,
            exact: true,
        }
    }
}

impl Stage {
    /// Begins to play the script, for the `variant`th time.
    fn begin(&mut self, variant: usize) {
        self.variant = variant;
        self.connections.clear();
        (self.copies, self.snaplen, self.vlan, self.vxlan) = (1, usize::MAX, None, None);
        self.padding.clear();
        self.go_on("", None, None);
    }

    /// What was played becomes frames.
    fn end(&mut self, script: &Steps) {
        let mut captured = std::mem::take(&mut self.captured);
        if let Some(client) = script.first {
            let times: Vec<_> = captured.iter().map(|(time, _)| *time).collect();
            captured.sort_by_key(|(_, one)| one.from_client != client);
            captured.iter_mut().zip(times).for_each(|((time, _), at)| *time = at);
        }
        if let Some(client) = script.only {
            captured.retain(|(_, one)| one.from_client == client);
        }
        for (time, Captured { data, wire_len, payload, .. }) in captured {
            self.payload += payload;
            self.frames.push(Frame { time, data, wire_len: wire_len as u32 });
        }
    }

    /// Goes on with that connection, a new one where there is none of that name.
    fn go_on(&mut self, name: &str, client: Option<Endpoint>, server: Option<Endpoint>) {
        name.clone_into(&mut self.current);
        let n = self.connections.len() as u16;
        let [high, low] = (self.variant as u16).to_be_bytes();
        let client_ip = if self.variant == 0 { [192, 0, 2, 1] } else { [198, 18, high, low] };
        let end = |ip: [u8; 4], port| Endpoint::new(IpAddr::from(ip), port);
        self.connections.entry(name.to_owned()).or_insert_with(|| Connection {
            ends: [
                client.unwrap_or(end(client_ip, 40_000 + n)),
                server.unwrap_or(end([192, 0, 2, 2], 80)),
            ],
            isn: [1_000_000, 5_000_000],
            next: [0, 0],
            spoke: [false, false],
        });
    }

    fn connection(&mut self) -> &mut Connection {
        self.connections.get_mut(&self.current).expect("a connection has begun")
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Send(send) => self.try_each(send),
            Step::On { name, client, server } => self.go_on(name, *client, *server),
            Step::Isn(client, server) => self.connection().isn = [*client, *server],
            Step::Reuse => {
                let connection = self.connection();
                connection.isn = connection.isn.map(|isn| isn.wrapping_add(777_777_777));
                (connection.next, connection.spoke) = ([0, 0], [false, false]);
            }
            Step::Wait(nanos) => self.now += nanos,
            Step::Swap => {
                let [.., (_, one), (_, other)] = &mut self.captured[..] else {
                    panic!("there are no two packets to swap")
                };
                std::mem::swap(one, other);
            }
            Step::Release => {
                for one in std::mem::take(&mut self.held) {
                    self.capture(one);
                }
            }
            Step::Copies(n) => self.copies = *n,
            Step::Snaplen(bytes) => self.snaplen = *bytes,
            Step::Padding(bytes) => self.padding.clone_from(bytes),
            Step::Vlan(tag) => self.vlan = Some(*tag),
            Step::Vxlan(network) => self.vxlan = Some(*network),
            Step::Frame(data) => {
                self.exact = false;
                let (data, wire_len) = (data.clone(), data.len());
                self.capture(Captured { from_client: true, data, wire_len, payload: 0 });
            }
        }
    }

    /// Sends a segment; where something is tried at each of its bytes, at the one whose turn it is.
    fn try_each(&mut self, send: &Send) {
        let at = self.variant;
        let part = |range: std::ops::Range<usize>, capture| Send {
            payload: send.payload[range].to_vec(),
            capture,
            each: None,
            ..send.clone()
        };
        let end = send.payload.len();
        match send.each {
            None => {
                let mss = send.mss.unwrap_or(end.max(1));
                let starts = (0..end.max(1)).step_by(mss);
                starts.for_each(|from| {
                    self.send(&part(from..end.min(from + mss), send.capture));
                });
            }
            Some(Each::Cut) => {
                self.send(&part(0..at + 1, send.capture));
                self.send(&part(at + 1..end, send.capture));
            }
            Some(Each::Snap) => self.send(&Send { cut: Some(at), ..send.clone() }),
            Some(Each::Hole) => {
                if at > 0 {
                    self.send(&part(0..at, send.capture));
                }
                self.send(&part(at..at + 1, Capture::Never));
                if at + 1 < end {
                    self.send(&part(at + 1..end, send.capture));
                }
            }
        }
    }

    fn send(&mut self, send: &Send) {
        let (ends, tcp) = self.connection().tcp(send);
        let packet = ip_packet(ends, &tcp, send);
        let header = packet.len() - send.payload.len();
        let sent: Vec<Captured> = match send.fragments {
            None => {
                let cut = send.cut.map(|bytes| header + bytes);
                vec![self.frame(send.from_client, &packet, header, cut)]
            }
            Some((size, how)) => {
                self.exact &= how != Fragments::Lose;
                self.fragmented += 1;
                let pieces = fragments(&packet, size, self.fragmented);
                let mut sent: Vec<_> = pieces
                    .iter()
                    .map(|piece| self.frame(send.from_client, piece, piece.len(), None))
                    .collect();
                sent[0].payload = send.payload.len() as u64;
                match how {
                    Fragments::InOrder => {}
                    Fragments::Back => sent.reverse(),
                    Fragments::Lose => drop(sent.remove(1)),
                }
                sent
            }
        };
        self.exact &= send.patches.is_empty();
        for one in sent {
            match send.capture {
                Capture::Now => self.capture(one),
                Capture::Later => self.held.push(one),
                Capture::Never => self.now += STEP,
            }
        }
    }

    fn capture(&mut self, one: Captured) {
        self.now += STEP;
        for copy in 0..self.copies {
            self.captured.push((self.now + copy as i64 * 1000, one.clone()));
        }
    }

    /// The frame around an IP packet of which the first `header` bytes are no payload.
    fn frame(
        &self,
        from_client: bool,
        packet: &[u8],
        header: usize,
        cut: Option<usize>,
    ) -> Captured {
        let kind: [u8; 2] = if packet[0] >> 4 == 6 { [0x86, 0xdd] } else { [0x08, 0x00] };
        let mut data = vec![2; 12];
        if let Some(tag) = self.vlan {
            data.extend([0x81, 0x00]);
            data.extend(tag.to_be_bytes());
        }
        data.extend(kind);
        data.extend(packet);
        if let Some(network) = self.vxlan {
            let [_, a, b, c] = network.to_be_bytes();
            let inner = [&[8, 0, 0, 0, a, b, c, 0], &data[..]].concat();
            data.clear();
            PacketBuilder::ethernet2([3; 6], [4; 6])
                .ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .udp(50_000, UDP_OF_VXLAN)
                .write(&mut data, &inner)
                .expect("a packet can be written");
        }
        let before = data.len() - (packet.len() - header);
        let end = data.len();
        let padding = self.padding.iter().copied().cycle();
        if !self.padding.is_empty() {
            data.extend(padding.take(ETHERNET_MIN.saturating_sub(end)));
        }
        let wire_len = data.len();
        let cut = cut.map_or(usize::MAX, |bytes| end - packet.len() + bytes);
        data.truncate(self.snaplen.min(cut));
        let payload = data.len().min(end).saturating_sub(before) as u64;
        Captured { from_client, data, wire_len, payload }
    }
}

impl Connection {
    /// The ends and the header of a segment, which moves what it moves.
    fn tcp(&mut self, send: &Send) -> ([Endpoint; 2], TcpHeader) {
        let me = usize::from(!send.from_client);
        let you = 1 - me;
        let place = |place: Place, next: i64| match place {
            Place::At(at) => at,
            Place::Next(offset) => next + offset,
        };
        let from = place(send.seq, self.next[me]);
        let syn = send.flags & SYN != 0;
        let number = |end: usize, at: i64| self.isn[end].wrapping_add(1).wrapping_add(at as u32);
        let [from_end, to_end] = [self.ends[me], self.ends[you]];
        let mut tcp = TcpHeader::new(
            from_end.port,
            to_end.port,
            number(me, if syn { from - 1 } else { from }),
            send.window,
        );
        // The first packet of all has nothing to acknowledge.
        let ack = send.ack.filter(|_| !syn || self.spoke[you]);
        tcp.ack = ack.is_some();
        tcp.acknowledgment_number = ack.map_or(0, |ack| number(you, place(ack, self.next[you])));
        let flags = send.flags | if ack.is_some() { ACK } else { 0 };
        (tcp.syn, tcp.fin, tcp.rst) = (syn, flags & FIN != 0, flags & RST != 0);
        tcp.urg = send.urgent.is_some() || flags & URG != 0;
        tcp.urgent_pointer = send.urgent.unwrap_or(0);
        tcp.set_options_raw(&send.options).expect("options are at most 40 bytes");
        self.spoke[me] = true;
        if from <= self.next[me] {
            let fin = i64::from(flags & FIN != 0);
            self.next[me] = self.next[me].max(from + send.payload.len() as i64 + fin);
        }
        ([from_end, to_end], tcp)
    }
}

fn ip_packet([from, to]: [Endpoint; 2], tcp: &TcpHeader, send: &Send) -> Vec<u8> {
    let (builder, header) = match (from.addr, to.addr) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (PacketBuilder::ipv4(a.octets(), b.octets(), 64), IPV4_HEADER)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (PacketBuilder::ipv6(a.octets(), b.octets(), 64), IPV6_HEADER)
        }
        _ => panic!("{from} and {to} are of two families"),
    };
    let mut bytes = Vec::new();
    builder
        .tcp_header(tcp.clone())
        .write(&mut bytes, &send.payload)
        .expect("a packet can be written");
    for Patch { in_tcp, at, bytes: patch } in &send.patches {
        let at = if *in_tcp { header + at } else { *at };
        bytes[at..at + patch.len()].copy_from_slice(patch);
    }
    bytes
}

/// An IPv4 packet (RFC 791 §3.2) or IPv6 packet (RFC 8200 §4.5) in fragments.
fn fragments(packet: &[u8], size: usize, id: u16) -> Vec<Vec<u8>> {
    let v6 = packet[0] >> 4 == 6;
    let (header, payload) = packet.split_at(if v6 { IPV6_HEADER } else { IPV4_HEADER });
    let count = payload.len().div_ceil(size);
    let piece = |(n, bytes): (usize, &[u8])| {
        let more = n + 1 < count;
        let mut head = header.to_vec();
        if v6 {
            let place = (n * size) as u16 | u16::from(more);
            let length = bytes.len() as u16 + 8;
            head[4..6].copy_from_slice(&length.to_be_bytes());
            let next = std::mem::replace(&mut head[6], 44);
            head.extend([next, 0]);
            head.extend(place.to_be_bytes());
            head.extend(u32::from(id).to_be_bytes());
        } else {
            let place = (n * size / 8) as u16 | u16::from(more) << 13;
            let length = (head.len() + bytes.len()) as u16;
            head[2..4].copy_from_slice(&length.to_be_bytes());
            head[4..6].copy_from_slice(&id.to_be_bytes());
            head[6..8].copy_from_slice(&place.to_be_bytes());
        }
        [&head, bytes].concat()
    };
    payload.chunks(size).enumerate().map(piece).collect()
}
