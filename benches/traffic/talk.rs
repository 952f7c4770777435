//! What two ends say to each other, cut to segments.

use super::frame::{FIN, PSH, SYN};
use super::random::Random;
use super::truth::{Exchange, Mode, Place};
use super::{Bodies, Shape};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

const CLIENT: usize = 0;
const SERVER: usize = 1;
const MODES: [&str; 3] = ["AES256", "aws:kms", "aws:kms:dsse"];
/// Exchanges that are told in bodies have numbers from here on: nobody has them.
pub const FALSE: u64 = 900_000_000_000;

const BLOCK: usize = 1 << 16;
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = Random(7);
    (0..2 * BLOCK).map(|_| random.next() as u8).collect()
});

/// A payload, as little of it in memory as can be.
#[derive(Clone, Debug)]
enum Payload {
    Text(Arc<[u8]>),
    /// That part of the noise.
    Noise(usize),
}

/// A packet that an end sends.
#[derive(Clone, Debug)]
pub struct Segment {
    /// 0: the client's.
    pub side: usize,
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: u8,
    /// Nanoseconds since the one before it.
    pub after: u64,
    pub length: usize,
    /// Its place among those of its side that have payload.
    pub number: u32,
    payload: Payload,
}

impl Segment {
    pub fn payload(&self) -> &[u8] {
        match &self.payload {
            Payload::Text(text) => text,
            Payload::Noise(from) => &NOISE[*from..from + self.length],
        }
    }
}

enum Content {
    Text(String),
    Noise(u64),
    /// So many bytes of this text, over and over, each time in segments of its own.
    Lies(String, u64),
}

/// Something that is sent at once.
struct Part {
    content: Content,
    /// Whether it begins a segment.
    fresh: bool,
    /// The exchange whose head it is.
    head: Option<usize>,
}

impl Part {
    fn text(text: impl Into<String>) -> Self {
        Self { content: Content::Text(text.into()), fresh: false, head: None }
    }
}

/// The ends of one connection.
#[derive(Debug)]
pub struct Talk {
    random: Random,
    plan: Range<u64>,
    /// What was said so far.
    pub exchanges: Vec<Exchange>,
    queue: VecDeque<Segment>,
    isn: [u32; 2],
    /// Bytes that each end has sent, SYN and FIN counted.
    sent: [u32; 2],
    /// How much of each end's the other has acknowledged.
    acked: [u32; 2],
    /// Segments with payload that each end has sent.
    segments: [u32; 2],
    host: u64,
    /// How hosts are called.
    name: &'static str,
    pipelines: bool,
    opened: bool,
    closed: bool,
}

impl Talk {
    pub fn new(shape: &Shape, seed: u64, plan: Range<u64>) -> Self {
        let mut random = Random(seed);
        let isn = [random.next() as u32, random.next() as u32];
        let host = random.below(shape.hosts);
        let name = if shape.net == 0 { "store" } else { "net" };
        let pipelines = random.chance(shape.pipelined);
        Self {
            random,
            plan,
            exchanges: Vec::new(),
            queue: VecDeque::new(),
            isn,
            sent: [0, 0],
            acked: [0, 0],
            segments: [0, 0],
            host,
            name,
            pipelines,
            opened: false,
            closed: false,
        }
    }

    /// The next packet; `None` after the last.
    pub fn next(&mut self, shape: &Shape) -> Option<Segment> {
        while self.queue.is_empty() {
            if !std::mem::replace(&mut self.opened, true) {
                self.open();
            } else if !self.plan.is_empty() {
                self.turn(shape);
            } else if !std::mem::replace(&mut self.closed, true) {
                self.close();
            } else {
                return None;
            }
        }
        self.queue.pop_front()
    }

    /// Puts back what [`next`](Self::next) gave.
    pub fn put_back(&mut self, segment: Segment) {
        self.queue.push_front(segment);
    }

    fn open(&mut self) {
        self.push(CLIENT, SYN, 1000, None);
        self.sent[CLIENT] = 1;
        self.push(SERVER, SYN, 200_000, None);
        self.sent[SERVER] = 1;
        self.push(CLIENT, 0, 100_000, None);
    }

    fn close(&mut self) {
        for (side, after) in [(CLIENT, 1_000_000), (SERVER, 200_000)] {
            self.push(side, FIN, after, None);
            self.sent[side] = self.sent[side].wrapping_add(1);
        }
        self.push(CLIENT, 0, 100_000, None);
    }

    /// One exchange, or several whose requests come at once.
    fn turn(&mut self, shape: &Shape) {
        let think = 50_000 + self.random.below(shape.think);
        if !self.pipelines {
            return self.exchange(shape, think);
        }
        let left = self.plan.end - self.plan.start;
        let count = self.random.between(2, 8).min(left);
        let mut requests = Vec::new();
        let mut answers = Vec::new();
        for _ in 0..count {
            let (index, body) = self.fetch(shape);
            requests.push(Part { fresh: self.random.chance(5000), ..self.request(index, "") });
            answers.push((index, body));
        }
        self.send(shape, CLIENT, think, requests);
        for (index, body) in answers {
            let answer = self.answer(shape, index, body, false);
            let delay = self.delay();
            self.send(shape, SERVER, delay, answer);
        }
    }

    fn exchange(&mut self, shape: &Shape, think: u64) {
        let peeks = self.random.chance(shape.peeks);
        let (index, mut body) = self.fetch(shape);
        if self.random.chance(shape.uploads) {
            return self.upload(shape, index, body, think);
        }
        if peeks {
            self.exchanges[index].method = "HEAD";
            body = body.max(1);
        }
        let request = self.request(index, "");
        self.send(shape, CLIENT, think, vec![request]);
        let delay = self.delay();
        let answer = self.answer(shape, index, body, peeks);
        self.send(shape, SERVER, delay, answer);
    }

    /// A new exchange, and the size of its body.
    fn fetch(&mut self, shape: &Shape) -> (usize, u64) {
        let mut draw = self.random.below(10_000);
        let size = shape.sizes.iter().find(|size| {
            let is_it = draw < size.share;
            draw = draw.saturating_sub(size.share);
            is_it
        });
        let body = size.map_or(0, |size| self.random.between(size.from, size.to));
        let id = self.plan.start;
        self.plan.start += 1;
        let applied = self.random.chance(5000).then_some(MODES[0]);
        self.exchanges.push(Exchange {
            id,
            host: self.host,
            method: "GET",
            status: 200,
            asked: None,
            applied,
            bodies: [0, 0],
            heads: [Place::default(); 2],
        });
        (self.exchanges.len() - 1, body)
    }

    fn upload(&mut self, shape: &Shape, index: usize, body: u64, think: u64) {
        let mode = self.random.below(3) as usize;
        let asked: Mode = self.random.chance(shape.asked).then_some(MODES[mode]);
        let applied =
            if asked.is_some() && self.random.chance(shape.differs) { None } else { asked };
        let expects = body > 0 && self.random.chance(shape.expects);
        let refused = expects && self.random.chance(shape.refused);
        let exchange = &mut self.exchanges[index];
        (exchange.method, exchange.asked, exchange.applied) = ("PUT", asked, applied);
        let chunked = body > 0 && self.random.chance(shape.chunked);
        let mut fields = framing(chunked, body);
        if expects {
            fields += "Expect: 100-continue\r\n";
        }
        let request = self.request(index, &fields);
        if refused {
            self.send(shape, CLIENT, think, vec![request]);
            self.exchanges[index].status = 403;
            self.exchanges[index].applied = None;
        } else {
            self.exchanges[index].bodies[CLIENT] = body;
            let mut parts = self.body(shape, CLIENT, body, chunked);
            if expects {
                self.send(shape, CLIENT, think, vec![request]);
                let delay = self.delay();
                self.send(shape, SERVER, delay, vec![Part::text("HTTP/1.1 100 Continue\r\n\r\n")]);
                self.send(shape, CLIENT, 100_000, parts);
            } else {
                parts.insert(0, request);
                self.send(shape, CLIENT, think, parts);
            }
        }
        let delay = self.delay();
        let answer = self.answer(shape, index, 0, false);
        self.send(shape, SERVER, delay, answer);
    }

    fn delay(&mut self) -> u64 {
        self.random.between(200_000, 5_000_000)
    }

    fn request(&mut self, index: usize, framing: &str) -> Part {
        let Exchange { id, host, method, asked, .. } = self.exchanges[index];
        let token = if self.random.chance(3000) {
            let length = self.random.between(400, 1200) as usize;
            format!("X-Amz-Security-Token: {}\r\n", "Zm9y".repeat(length / 4))
        } else {
            String::new()
        };
        let text = format!(
            "{method} /bucket/{id} HTTP/1.1\r\nHost: {name}-{host}.example\r\n\
             User-Agent: Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 lang/python#3.11\r\n\
             X-Amz-Date: 20261125T000000Z\r\n{token}{mode}\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261125/us-east-1/s3/\
             aws4_request, SignedHeaders=host;x-amz-date, Signature={id:064x}\r\n{framing}\r\n",
            name = self.name,
            mode = mode_field(asked),
        );
        Part { content: Content::Text(text), fresh: true, head: Some(index) }
    }

    /// An answer whose body has so many bytes, or, to HEAD, would have.
    fn answer(&mut self, shape: &Shape, index: usize, body: u64, to_head: bool) -> Vec<Part> {
        let chunked = body > 0 && self.random.chance(shape.chunked);
        let Exchange { id, status, applied, .. } = self.exchanges[index];
        let length = self.random.between(16, 76) as usize;
        let head = format!(
            "HTTP/1.1 {status} {}\r\nDate: Wed, 25 Nov 2026 00:00:00 GMT\r\nServer: AmazonS3\r\n\
             X-Amz-Request-Id: {id:016X}\r\nX-Amz-Id-2: {}\r\nX-Id: {id}\r\n\
             Content-Type: application/x-{id}\r\nETag: \"{id:032x}\"\r\n{}{}\r\n",
            if status == 200 { "OK" } else { "Forbidden" },
            "b".repeat(length),
            mode_field(applied),
            framing(chunked, body),
        );
        let mut parts = vec![Part { content: Content::Text(head), fresh: true, head: Some(index) }];
        if !to_head {
            self.exchanges[index].bodies[SERVER] = body;
            parts.extend(self.body(shape, SERVER, body, chunked));
        }
        parts
    }

    fn body(&mut self, shape: &Shape, side: usize, body: u64, chunked: bool) -> Vec<Part> {
        let id = self.plan.start;
        let content = |bytes| match shape.bodies {
            Bodies::Noise => Content::Noise(bytes),
            Bodies::Messages => Content::Lies(lie(side, id, shape.mss / 4), bytes),
        };
        let mut parts = Vec::new();
        if !chunked {
            if body > 0 {
                parts.push(Part { content: content(body), fresh: false, head: None });
            }
        } else {
            let mut left = body;
            while left > 0 {
                let size = self.random.between(1, 65_536).min(left);
                left -= size;
                parts.push(Part::text(format!("{size:x}\r\n")));
                parts.push(Part { content: content(size), fresh: false, head: None });
                parts.push(Part::text("\r\n"));
            }
            parts.push(Part::text("0\r\n\r\n"));
        }
        // Some send the head first, some wait for enough to fill a segment.
        if let Some(first) = parts.first_mut() {
            first.fresh = self.random.chance(5000);
        }
        parts
    }

    /// Sends parts, the first after so many nanoseconds.
    fn send(&mut self, shape: &Shape, side: usize, after: u64, parts: Vec<Part>) {
        let mut cut = Cut { room: shape.mss, after, text: Vec::new(), unacked: 0 };
        for part in parts {
            if part.fresh {
                self.flush(side, &mut cut);
            }
            let first = self.segments[side];
            match part.content {
                Content::Text(text) => self.send_text(side, &mut cut, text.as_bytes()),
                Content::Noise(bytes) => self.send_noise(side, &mut cut, bytes),
                Content::Lies(text, bytes) => self.send_lies(side, &mut cut, &text, bytes),
            }
            if let Some(index) = part.head {
                let last = self.segments[side] - u32::from(cut.text.is_empty());
                self.exchanges[index].heads[side] = Place { first, last };
            }
        }
        self.flush(side, &mut cut);
        if self.random.chance(5000) {
            self.push(1 - side, 0, 40_000, None);
        }
    }

    fn send_text(&mut self, side: usize, cut: &mut Cut, mut text: &[u8]) {
        while !text.is_empty() {
            let (now, later) = text.split_at(text.len().min(cut.room - cut.text.len()));
            cut.text.extend(now);
            text = later;
            if cut.text.len() == cut.room {
                self.flush(side, cut);
            }
        }
    }

    fn send_noise(&mut self, side: usize, cut: &mut Cut, mut left: u64) {
        while left > 0 {
            let from = self.random.below(BLOCK as u64) as usize;
            let room = cut.room - cut.text.len();
            let length = usize::try_from(left).map_or(room, |left| left.min(room));
            left -= length as u64;
            if length == cut.room {
                self.push_data(side, cut, Payload::Noise(from), length);
            } else {
                self.send_text(side, cut, &NOISE[from..from + length]);
            }
        }
    }

    fn send_lies(&mut self, side: usize, cut: &mut Cut, text: &str, mut left: u64) {
        self.flush(side, cut);
        let block = text.repeat((cut.room / text.len()).max(1));
        while left > 0 {
            let length = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
            left -= length as u64;
            self.send_text(side, cut, &block.as_bytes()[..length]);
            self.flush(side, cut);
        }
    }

    fn flush(&mut self, side: usize, cut: &mut Cut) {
        if !cut.text.is_empty() {
            let text = std::mem::take(&mut cut.text);
            let length = text.len();
            self.push_data(side, cut, Payload::Text(text.into()), length);
        }
    }

    fn push_data(&mut self, side: usize, cut: &mut Cut, payload: Payload, length: usize) {
        self.push(side, PSH, std::mem::replace(&mut cut.after, 12_000), Some((payload, length)));
        cut.unacked += 1;
        if cut.unacked >= 2 {
            cut.unacked = 0;
            // The acknowledgement has a way to go: some of the next are under way meanwhile.
            let under_way = self.random.below(3) as u32 * cut.room as u32;
            let upto = self.sent[side].saturating_sub(under_way);
            self.acknowledge(1 - side, upto);
        }
    }

    fn acknowledge(&mut self, side: usize, upto: u32) {
        let acked = self.acked[1 - side];
        // Sequence numbers may wrap; what one connection sends does not fill half of them.
        if upto > acked {
            self.acked[1 - side] = upto;
            self.push_with(side, 0, 5_000, None, upto);
        }
    }

    fn push(&mut self, side: usize, flags: u8, after: u64, data: Option<(Payload, usize)>) {
        let upto = self.sent[1 - side];
        self.acked[1 - side] = upto;
        self.push_with(side, flags, after, data, upto);
    }

    fn push_with(
        &mut self,
        side: usize,
        flags: u8,
        after: u64,
        data: Option<(Payload, usize)>,
        upto: u32,
    ) {
        let number = self.segments[side];
        let (payload, length) = data.unwrap_or((Payload::Noise(0), 0));
        self.segments[side] += u32::from(length > 0);
        let is_first = flags & SYN != 0 && side == CLIENT;
        self.queue.push_back(Segment {
            side,
            seq: self.isn[side].wrapping_add(self.sent[side]),
            ack: (!is_first).then(|| self.isn[1 - side].wrapping_add(upto)),
            flags,
            after,
            length,
            number,
            payload,
        });
        self.sent[side] = self.sent[side].wrapping_add(length as u32);
    }
}

/// Data on its way into segments.
struct Cut {
    room: usize,
    after: u64,
    text: Vec<u8>,
    unacked: u32,
}

fn framing(chunked: bool, body: u64) -> String {
    if chunked {
        "Transfer-Encoding: chunked\r\n".to_owned()
    } else {
        format!("Content-Length: {body}\r\n")
    }
}

fn mode_field(mode: Mode) -> String {
    mode.map_or_else(String::new, |mode| format!("X-Amz-Server-Side-Encryption: {mode}\r\n"))
}

/// The text of a message that nobody sent, of `length` bytes: in an upload, a request; in what is
/// fetched, a response.
fn lie(side: usize, id: u64, length: usize) -> String {
    let id = FALSE + id;
    let start = if side == CLIENT {
        format!("GET /bucket/{id} HTTP/1.1\r\nHost: false.example\r\n")
    } else {
        format!(
            "HTTP/1.1 200 OK\r\nX-Id: {id}\r\nContent-Type: application/x-{id}\r\nContent-Length: 0\r\n"
        )
    };
    let padding = length.saturating_sub(start.len() + 11);
    format!("{start}X-Pad: {}\r\n\r\n", "p".repeat(padding))
}
