//! Makes TCP conversations of HTTP exchanges whose truth is known, and spoils them the way
//! networks and taps do.

pub use super::random::Random;
use sealwatch::decode::{Flags, Segment};
use sealwatch::net::{Direction, Endpoint, FlowKey, Seq, Timestamp};
use std::net::IpAddr;

/// A segment that owns its payload.
#[derive(Clone, Debug)]
pub struct Packet {
    pub time: i64,
    pub from_client: bool,
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn with<T>(
        &self,
        client: Endpoint,
        server: Endpoint,
        then: impl FnOnce(&Segment<'_>) -> T,
    ) -> T {
        let (from, to) = if self.from_client { (client, server) } else { (server, client) };
        let (flow, direction): (FlowKey, Direction) = FlowKey::new(from, to);
        then(&Segment {
            time: Timestamp::from_nanos(self.time),
            flow,
            tunnel: None,
            direction,
            seq: Seq(self.seq),
            ack: self.ack.map(Seq),
            flags: Flags(self.flags),
            payload: &self.payload,
            unseen: 0,
            missing: 0,
        })
    }
}

pub fn endpoint(host: u8, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::from([192, 0, 2, host]), port)
}

/// What a conversation is made of.
#[derive(Clone, Debug)]
pub struct Shape {
    pub exchanges: usize,
    pub max_body: u64,
    /// The largest segment.
    pub mss: u64,
    /// Bodies hold the text of messages, aligned to segments.
    pub treacherous: bool,
    pub handshake: bool,
}

/// One exchange as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Truth {
    pub id: usize,
    /// Places in the streams, from the first byte after the SYN.
    pub request_head: (u64, u64),
    pub response_head: (u64, u64),
    pub request_body: u64,
    pub response_body: u64,
}

/// A conversation: packets in the order in which they were sent, and what was said.
#[derive(Clone, Debug)]
pub struct Conversation {
    pub packets: Vec<Packet>,
    pub truth: Vec<Truth>,
    pub isn: [u32; 2],
}

struct Writer<'r> {
    random: &'r mut Random,
    packets: Vec<Packet>,
    isn: [u32; 2],
    sent: [u64; 2],
    time: i64,
    mss: u64,
}

impl Writer<'_> {
    fn push(&mut self, from_client: bool, flags: u8, payload: Vec<u8>) {
        let me = usize::from(!from_client);
        self.time += 20_000 + self.random.below(100_000) as i64;
        let seq = self.isn[me].wrapping_add(1).wrapping_add(self.sent[me] as u32);
        let ack = self.isn[1 - me].wrapping_add(1).wrapping_add(self.sent[1 - me] as u32);
        self.sent[me] += payload.len() as u64;
        let packet = Packet { time: self.time, from_client, seq, ack: Some(ack), flags, payload };
        self.packets.push(packet);
    }

    /// Sends `bytes` in segments of random sizes; the other end acknowledges now and then.
    fn send(&mut self, from_client: bool, bytes: &[u8], cut: Option<u64>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = cut.unwrap_or_else(|| 1 + self.random.below(self.mss));
            let (now, later) = rest.split_at((size as usize).min(rest.len()));
            self.push(from_client, 0x18, now.to_vec());
            rest = later;
            if self.random.chance(4000) {
                self.push(!from_client, 0x10, Vec::new());
            }
        }
    }
}

/// Talks: requests and responses in turns, as S3 clients do.
pub fn talk(random: &mut Random, shape: &Shape) -> Conversation {
    let isn = [random.next() as u32, random.next() as u32];
    let mut writer = Writer {
        random,
        packets: Vec::new(),
        isn,
        sent: [0, 0],
        time: 1_000_000_000,
        mss: shape.mss,
    };
    if shape.handshake {
        handshake(&mut writer);
    }
    let truth = (0..shape.exchanges).map(|id| exchange(&mut writer, shape, id)).collect();
    if shape.handshake {
        writer.push(true, 0x11, Vec::new());
    }
    Conversation { packets: writer.packets, truth, isn }
}

fn handshake(writer: &mut Writer<'_>) {
    let [client, server] = writer.isn;
    let syn = |from_client, seq, ack, flags| Packet {
        time: writer.time,
        from_client,
        seq,
        ack,
        flags,
        payload: Vec::new(),
    };
    let packets = [
        syn(true, client, None, 0x02),
        syn(false, server, Some(client.wrapping_add(1)), 0x12),
        syn(true, client.wrapping_add(1), Some(server.wrapping_add(1)), 0x10),
    ];
    writer.packets.extend(packets);
}

fn exchange(writer: &mut Writer<'_>, shape: &Shape, id: usize) -> Truth {
    let size = |writer: &mut Writer<'_>| match writer.random.below(3) {
        0 => 0,
        _ => writer.random.below(shape.max_body + 1),
    };
    let upload = writer.random.chance(5000);
    let (request_body, response_body) =
        if upload { (size(writer), writer.random.below(30)) } else { (0, size(writer)) };
    let expects = upload && request_body > 0 && writer.random.chance(3000);
    let request = request(writer.random, id, request_body, expects);
    let request_head = (writer.sent[0], writer.sent[0] + request.len() as u64);
    writer.send(true, &request, None);
    if expects {
        writer.push(false, 0x18, b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    }
    send_body(writer, shape, true, request_body, id);
    let chunked = writer.random.chance(3000);
    let head = response(id, upload, response_body, chunked);
    let response_head = (writer.sent[1], writer.sent[1] + head.len() as u64);
    writer.send(false, &head, None);
    if chunked {
        send_chunked(writer, response_body);
    } else {
        send_body(writer, shape, false, response_body, id);
    }
    if writer.random.chance(6000) {
        writer.push(true, 0x10, Vec::new());
    }
    Truth { id, request_head, response_head, request_body, response_body }
}

fn request(random: &mut Random, id: usize, body: u64, expects: bool) -> Vec<u8> {
    let pad = "p".repeat(random.below(600) as usize);
    let method = if body > 0 { "PUT" } else { "GET" };
    let expect = if expects { "Expect: 100-continue\r\n" } else { "" };
    let length = if body > 0 { format!("Content-Length: {body}\r\n") } else { String::new() };
    format!("{method} /{id} HTTP/1.1\r\nHost: h\r\nX-Pad: {pad}\r\n{length}{expect}\r\n")
        .into_bytes()
}

fn response(id: usize, upload: bool, body: u64, chunked: bool) -> Vec<u8> {
    let framing = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {body}")
    };
    let status = if upload { 201 } else { 200 };
    format!(
        "HTTP/1.1 {status} OK\r\nX-Id: {id}\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\
         X-Amz-Request-Id: 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\
         0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

/// A body; a treacherous one is the text of messages, one a segment.
fn send_body(writer: &mut Writer<'_>, shape: &Shape, from_client: bool, length: u64, id: usize) {
    if !shape.treacherous {
        let body: Vec<u8> = (0..length).map(|_| writer.random.next() as u8).collect();
        return writer.send(from_client, &body, None);
    }
    let text = if from_client {
        format!("GET /false-{id} HTTP/1.1\r\nHost: h\r\n\r\n")
    } else {
        format!("HTTP/1.1 299 False\r\nX-Id: {}\r\nContent-Length: 0\r\n\r\n", id + 1_000_000)
    };
    let body: Vec<u8> = text.bytes().cycle().take(length as usize).collect();
    writer.send(from_client, &body, Some(text.len() as u64));
}

fn send_chunked(writer: &mut Writer<'_>, length: u64) {
    let mut body = Vec::new();
    let mut left = length;
    while left > 0 {
        let size = (1 + writer.random.below(5000)).min(left);
        body.extend(format!("{size:x};e=\"v\"\r\n").bytes());
        body.extend((0..size).map(|_| writer.random.next() as u8));
        body.extend(b"\r\n");
        left -= size;
    }
    body.extend(b"0\r\n\r\n");
    writer.send(false, &body, None);
}

/// What a tap does to packets, in 1/10,000.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub reorder: u64,
    pub depth: u64,
    pub duplicate: u64,
    /// Repeats that are cut otherwise, and reach back.
    pub overlap: u64,
}

/// Spoils packets. Of a handshake nothing is lost or moved.
pub fn spoil(random: &mut Random, conversation: &Conversation, faults: Faults) -> Vec<Packet> {
    let mut keyed: Vec<(u64, Packet)> = Vec::new();
    for (index, packet) in conversation.packets.iter().enumerate() {
        let at = index as u64 * 1000;
        if packet.flags & 0x02 != 0 {
            keyed.push((at, packet.clone()));
            continue;
        }
        if random.chance(faults.loss) {
            continue;
        }
        let moved =
            if random.chance(faults.reorder) { random.below(faults.depth * 1000) } else { 0 };
        keyed.push((at + moved, packet.clone()));
        if random.chance(faults.duplicate) {
            keyed.push((at + random.below(faults.depth.max(2) * 1000), packet.clone()));
        }
        if random.chance(faults.overlap) && packet.payload.len() > 2 {
            let cut = 1 + random.below(packet.payload.len() as u64 - 1) as usize;
            let mut repeat = packet.clone();
            repeat.seq = repeat.seq.wrapping_add(cut as u32);
            repeat.payload.drain(..cut);
            keyed.push((at + random.below(3000), repeat));
        }
    }
    keyed.sort_by_key(|(at, _)| *at);
    keyed.into_iter().map(|(_, packet)| packet).collect()
}

/// Whether every byte of a head is in some packet.
pub fn is_whole(
    conversation: &Conversation,
    packets: &[Packet],
    from_client: bool,
    head: (u64, u64),
) -> bool {
    let first = conversation.isn[usize::from(!from_client)].wrapping_add(1);
    let mut covered: Vec<bool> = vec![false; (head.1 - head.0) as usize];
    for packet in packets.iter().filter(|packet| packet.from_client == from_client) {
        let start = u64::from(packet.seq.wrapping_sub(first));
        let end = start + packet.payload.len() as u64;
        for at in start.max(head.0)..end.min(head.1) {
            covered[(at - head.0) as usize] = true;
        }
    }
    covered.into_iter().all(|byte| byte)
}
