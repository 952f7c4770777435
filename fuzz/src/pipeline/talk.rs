//! Conversations, and what is said in them: TCP connections of HTTP exchanges with an S3 store,
//! each known by its number.

use crate::support::conversation::{Conversation, Packet, Truth};
use crate::tape::Tape;
use sealwatch::s3::Mode;
use std::ops::Range;

/// The most exchanges of one connection.
const MAX_EXCHANGES: usize = 8;
/// The most packets of one connection, about.
const MAX_PACKETS: usize = 400;

/// What the numbers of exchanges that bodies imitate are above.
const FALSE: usize = 1_000_000;

/// The status of answers that bodies imitate.
pub(super) const FALSE_STATUS: u16 = 299;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What a connection's first byte says.
pub struct Talk;

impl Talk {
    /// The capture begins after the handshake.
    pub const JOINED: u8 = 1;
    /// Bodies hold the text of messages.
    pub const TREACHEROUS: u8 = 2;
    /// It ends properly.
    pub const FINISHED: u8 = 4;
    /// It ends with a reset.
    pub const RESET: u8 = 8;
}

/// What an exchange's first byte says of its request; the second is of its answer ([`Answer`]).
pub struct Ask;

impl Ask {
    /// A PUT with a body; else a GET.
    pub const PUT: u8 = 1;
    /// A HEAD, where it is no PUT.
    pub const HEAD: u8 = 2;
    /// `Expect: 100-continue`, of a PUT with a body.
    pub const EXPECT: u8 = 4;
    /// With that: it is refused, and the body never comes.
    pub const REFUSED: u8 = 8;
    /// The next request is sent before the answer to this one.
    pub const PIPELINED: u8 = 16;
    /// Asks for a mode: `AES256`, or `aws:kms` with the bit after this.
    pub const MODE: u8 = 32;
    /// The other mode.
    pub const KMS: u8 = 64;
    /// The client has not received anything since it last spoke, where it pipelines.
    pub const STALE: u8 = 128;
}

/// What an exchange's second byte says.
pub struct Answer;

impl Answer {
    /// The body is chunked.
    pub const CHUNKED: u8 = 1;
    /// 204, without a body.
    pub const NO_CONTENT: u8 = 2;
    /// 404.
    pub const NOT_FOUND: u8 = 4;
    /// The body goes on until the connection ends; it is the last exchange.
    pub const UNTIL_CLOSE: u8 = 8;
    /// It names a mode: `AES256`, or `aws:kms` with the bit after this.
    pub const MODE: u8 = 16;
    /// The other mode.
    pub const KMS: u8 = 32;
    /// The client acknowledges it in a packet of its own.
    pub const ACKED: u8 = 64;
    /// Acknowledgements between segments.
    pub const CHATTY: u8 = 128;
}

/// What of an exchange is not in its [`Truth`].
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was asked for; `None` where it could not be.
    pub requested: Option<Mode>,
    /// What was applied; `None` where that cannot be said.
    pub applied: Option<Mode>,
    /// The answer's.
    pub status: u16,
    /// All that was said, by either end: from its first byte to the one after its last.
    pub spans: [Range<u64>; 2],
}

/// A connection, and what is said in it.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its packets, and what was said.
    pub conversation: Conversation,
    /// In the order of the conversation's truth.
    pub facts: Vec<Facts>,
    /// Where either end sent what is no content of a body: heads, chunk framing.
    pub framing: [Vec<Range<u64>>; 2],
    /// Where the server told the client to go on with a body.
    pub leave: Vec<Range<u64>>,
    /// The capture begins after the handshake.
    pub joined: bool,
    /// Bodies hold the text of messages.
    pub treacherous: bool,
    /// A request was sent before the one before it was answered.
    pub pipelined: bool,
}

impl Said {
    /// How much the client had received when it sent what begins at `place`.
    pub fn had(&self, place: u64) -> Option<u32> {
        let seq = self.conversation.isn[0].wrapping_add(1).wrapping_add(place as u32);
        let is_there = |packet: &&Packet| packet.from_client && packet.seq == seq;
        let sent = self.conversation.packets.iter().filter(is_there);
        sent.filter(|packet| !packet.payload.is_empty()).find_map(|packet| packet.ack)
    }
}

/// Talks as the script says; exchanges are numbered from `first` on. What is not the first
/// connection of its endpoints, is seen from its `handshake` on.
pub fn talk(tape: &mut Tape<'_>, first: usize, handshake: bool) -> Said {
    let mut options = tape.u8();
    if handshake {
        options &= !Talk::JOINED;
    }
    let is = |option| options & option != 0;
    let count = 1 + tape.below(MAX_EXCHANGES);
    // Some wrap around soon. Those of later connections are well beyond (RFC 6528).
    let later = first as u32;
    let isn = [
        (u32::MAX - u32::from(options) * 40).wrapping_add(later * 9_999_991),
        1_000 + later * 7_777_777,
    ];
    let mut talker = Talker {
        packets: Vec::new(),
        isn,
        sent: [0; 2],
        received: [0; 2],
        framing: [Vec::new(), Vec::new()],
        leave: Vec::new(),
        mss: 1448,
        treacherous: is(Talk::TREACHEROUS),
        chatty: false,
        said: Vec::new(),
        waiting: Vec::new(),
        pipelined: false,
        finished: [false; 2],
    };
    if !is(Talk::JOINED) {
        talker.handshake();
    }
    for id in first..first + count {
        let last = id + 1 == first + count || talker.packets.len() > MAX_PACKETS;
        talker.exchange(tape, id, last);
        if last {
            break;
        }
    }
    talker.end(is(Talk::FINISHED), is(Talk::RESET));
    let (truth, facts) = talker.said.into_iter().unzip();
    Said {
        conversation: Conversation { packets: talker.packets, truth, isn },
        facts,
        framing: talker.framing,
        leave: talker.leave,
        joined: is(Talk::JOINED),
        treacherous: is(Talk::TREACHEROUS),
        pipelined: talker.pipelined,
    }
}

struct Talker {
    packets: Vec<Packet>,
    isn: [u32; 2],
    sent: [u64; 2],
    received: [u64; 2],
    framing: [Vec<Range<u64>>; 2],
    leave: Vec<Range<u64>>,
    mss: usize,
    treacherous: bool,
    chatty: bool,
    said: Vec<(Truth, Facts)>,
    /// Requests that wait for their answers.
    waiting: Vec<Plan>,
    pipelined: bool,
    finished: [bool; 2],
}

/// An exchange as the script has it.
#[derive(Clone, Copy)]
struct Plan {
    id: usize,
    ask: u8,
    answer: u8,
    request_body: usize,
    response_body: usize,
}

impl Plan {
    fn asks(&self, what: u8) -> bool {
        self.ask & what != 0
    }

    fn answers(&self, what: u8) -> bool {
        self.answer & what != 0
    }

    fn expects(&self) -> bool {
        self.asks(Ask::PUT) && self.asks(Ask::EXPECT) && self.request_body > 0
    }

    fn refused(&self) -> bool {
        self.expects() && self.asks(Ask::REFUSED)
    }

    fn status(&self) -> u16 {
        match (self.refused(), self.answers(Answer::NO_CONTENT), self.answers(Answer::NOT_FOUND)) {
            (true, ..) => 403,
            (_, true, _) => 204,
            (_, _, true) => 404,
            _ => 200,
        }
    }

    fn has_response_body(&self) -> bool {
        self.status() != 204 && (self.asks(Ask::PUT) || !self.asks(Ask::HEAD))
    }

    fn mode(named: bool, kms: bool) -> Option<Mode> {
        named.then_some(if kms { Mode::Kms } else { Mode::Aes256 })
    }

    fn facts(&self, spans: [Range<u64>; 2]) -> Facts {
        let asked = Self::mode(self.asks(Ask::MODE), self.asks(Ask::KMS)).unwrap_or(Mode::None);
        let applied = Self::mode(self.answers(Answer::MODE), self.answers(Answer::KMS));
        let success = self.status() / 100 == 2;
        Facts {
            requested: self.asks(Ask::PUT).then_some(asked),
            applied: success.then_some(applied.unwrap_or(Mode::None)),
            status: self.status(),
            spans,
        }
    }
}

fn header_of(mode: Option<Mode>) -> String {
    mode.map_or(String::new(), |mode| {
        format!("x-amz-server-side-encryption: {}\r\n", mode.as_str())
    })
}

impl Talker {
    fn handshake(&mut self) {
        let [client, server] = self.isn;
        let packet = |from_client, seq, ack, flags| Packet {
            time: 0,
            from_client,
            seq,
            ack,
            flags,
            payload: Vec::new(),
        };
        let one = |n: u32| n.wrapping_add(1);
        self.packets.push(packet(true, client, None, SYN));
        self.packets.push(packet(false, server, Some(one(client)), SYN | ACK));
        self.packets.push(packet(true, one(client), Some(one(server)), ACK));
    }

    fn push(&mut self, from_client: bool, flags: u8, payload: &[u8]) {
        let me = usize::from(!from_client);
        let at = |end: usize, n: u64| self.isn[end].wrapping_add(1).wrapping_add(n as u32);
        let (seq, ack) = (at(me, self.sent[me]), Some(at(1 - me, self.received[me])));
        self.sent[me] += payload.len() as u64;
        let payload = payload.to_vec();
        self.packets.push(Packet { time: 0, from_client, seq, ack, flags, payload });
    }

    /// Sends bytes, having received everything; the other end acknowledges now and then.
    fn send(&mut self, from_client: bool, bytes: &[u8]) {
        let me = usize::from(!from_client);
        self.received[me] = self.sent[1 - me];
        self.send_stale(from_client, bytes);
    }

    /// The same, having received nothing new.
    fn send_stale(&mut self, from_client: bool, bytes: &[u8]) {
        let other = usize::from(from_client);
        for (count, segment) in bytes.chunks(self.mss).enumerate() {
            self.push(from_client, ACK, segment);
            if self.chatty && count % 2 == 1 {
                self.received[other] = self.sent[1 - other];
                self.push(!from_client, ACK, b"");
            }
        }
    }

    /// Sends what is no content of a body.
    fn send_framing(&mut self, from_client: bool, bytes: &[u8], stale: bool) -> (u64, u64) {
        let me = usize::from(!from_client);
        let start = self.sent[me];
        if stale {
            self.send_stale(from_client, bytes)
        } else {
            self.send(from_client, bytes)
        }
        self.framing[me].push(start..self.sent[me]);
        (start, self.sent[me])
    }

    /// One request, and the answers to it and those before it, unless the next is pipelined.
    fn exchange(&mut self, tape: &mut Tape<'_>, id: usize, last: bool) {
        let (mut ask, mut answer) = (tape.u8(), tape.u8());
        let size = |code: u8| usize::from(code).pow(2) / 8;
        let (request_body, response_body) = (size(tape.u8()), size(tape.u8()));
        self.mss = tape.one_of(&[1448, 200, 536, 64, 9000, 24]);
        if !last {
            answer &= !Answer::UNTIL_CLOSE;
        }
        if last || (ask & Ask::PUT != 0 && ask & Ask::EXPECT != 0) {
            ask &= !Ask::PIPELINED;
        }
        let request_body = if ask & Ask::PUT != 0 { request_body } else { 0 };
        let plan = Plan { id, ask, answer, request_body, response_body };
        self.pipelined |= plan.asks(Ask::PIPELINED);
        self.chatty = plan.answers(Answer::CHATTY);
        self.ask(&plan);
        self.waiting.push(plan);
        if !plan.asks(Ask::PIPELINED) {
            let waiting = std::mem::take(&mut self.waiting);
            let first = self.said.len() - waiting.len();
            (first..).zip(waiting).for_each(|(index, plan)| self.answer(index, &plan));
        }
    }

    fn ask(&mut self, plan: &Plan) {
        let method = match (plan.asks(Ask::PUT), plan.asks(Ask::HEAD)) {
            (true, _) => "PUT",
            (_, true) => "HEAD",
            _ => "GET",
        };
        let (id, body) = (plan.id, plan.request_body);
        let mode = if plan.asks(Ask::PUT) { plan.facts([0..0, 0..0]).requested } else { None };
        let mode = header_of(mode.filter(|mode| *mode != Mode::None));
        let length =
            if plan.asks(Ask::PUT) { format!("Content-Length: {body}\r\n") } else { String::new() };
        let expect = if plan.expects() { "Expect: 100-continue\r\n" } else { "" };
        let head = format!(
            "{method} /b/{id} HTTP/1.1\r\nHost: s3.example\r\nx-amz-date: 20261123T120000Z\r\n\
             {mode}{length}{expect}\r\n"
        );
        let stale = self.pipelined && plan.asks(Ask::STALE) && !self.waiting.is_empty();
        let request_head = self.send_framing(true, head.as_bytes(), stale);
        if plan.expects() && !plan.refused() {
            let (start, end) = self.send_framing(false, b"HTTP/1.1 100 Continue\r\n\r\n", false);
            self.leave.push(start..end);
        }
        let request_body = if plan.refused() { 0 } else { body };
        self.send_body(true, request_body, id);
        let facts = plan.facts([request_head.0..self.sent[0], 0..0]);
        let request_body = request_body as u64;
        let truth =
            Truth { id, request_head, response_head: (0, 0), request_body, response_body: 0 };
        self.said.push((truth, facts));
    }

    /// The answer to what was said as number `index`. It is longer than an interim one, as S3's are.
    fn answer(&mut self, index: usize, plan: &Plan) {
        let (id, status, body) = (plan.id, plan.status(), plan.response_body);
        let chunked = plan.answers(Answer::CHUNKED) && !plan.answers(Answer::UNTIL_CLOSE);
        let framing = match status {
            204 => String::new(),
            _ if plan.answers(Answer::UNTIL_CLOSE) => "Connection: close\r\n".to_owned(),
            _ if chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
            _ => format!("Content-Length: {body}\r\n"),
        };
        let mode = header_of(Plan::mode(plan.answers(Answer::MODE), plan.answers(Answer::KMS)));
        let pad = "0123456789ABCDEF".repeat(12);
        let head = format!(
            "HTTP/1.1 {status} S\r\nContent-Type: id/{id}\r\nx-amz-request-id: {pad}\r\n\
             {mode}{framing}\r\n"
        );
        let response_head = self.send_framing(false, head.as_bytes(), false);
        let body = if plan.has_response_body() { body } else { 0 };
        match plan.has_response_body() && chunked {
            true => self.send_chunked(body),
            false => self.send_body(false, body, id),
        }
        let (truth, facts) = &mut self.said[index];
        (truth.response_head, truth.response_body) = (response_head, body as u64);
        facts.spans[1] = response_head.0..self.sent[1];
        if plan.answers(Answer::UNTIL_CLOSE) {
            self.fin(false);
        } else if plan.answers(Answer::ACKED) {
            self.received[0] = self.sent[1];
            self.push(true, ACK, b"");
        }
    }

    /// A body; a treacherous one is the text of messages, one a segment.
    fn send_body(&mut self, from_client: bool, length: usize, id: usize) {
        if !self.treacherous {
            let body: Vec<u8> = (0..length).map(|at| (at % 253) as u8 ^ 0x55).collect();
            return self.send(from_client, &body);
        }
        let text = if from_client {
            format!("GET /b/{} HTTP/1.1\r\nHost: s3.example\r\n\r\n", id + FALSE)
        } else {
            let id = id + FALSE;
            format!(
                "HTTP/1.1 {FALSE_STATUS} F\r\nContent-Type: id/{id}\r\nContent-Length: 0\r\n\r\n"
            )
        };
        let body: Vec<u8> = text.bytes().cycle().take(length).collect();
        let mss = std::mem::replace(&mut self.mss, text.len());
        self.send(from_client, &body);
        self.mss = mss;
    }

    fn send_chunked(&mut self, length: usize) {
        const CHUNK: usize = 700;
        let body: Vec<u8> = (0..length).map(|at| (at % 253) as u8 ^ 0x55).collect();
        for chunk in body.chunks(CHUNK) {
            let size = format!("{:x};e=\"v\"\r\n", chunk.len());
            self.send_framing(false, size.as_bytes(), false);
            self.send(false, chunk);
            self.send_framing(false, b"\r\n", false);
        }
        self.send_framing(false, b"0\r\n\r\n", false);
    }

    fn fin(&mut self, from_client: bool) {
        let me = usize::from(!from_client);
        if !std::mem::replace(&mut self.finished[me], true) {
            self.received[me] = self.sent[1 - me];
            self.push(from_client, FIN | ACK, b"");
            self.sent[me] += 1;
        }
    }

    fn end(&mut self, finished: bool, reset: bool) {
        if finished {
            self.fin(true);
            self.fin(false);
            self.received[0] = self.sent[1];
            self.push(true, ACK, b"");
        } else if reset {
            self.push(false, RST, b"");
        }
    }
}
