//! One connection: two directions, and the exchanges on them.

use super::body::{self, Body, Chunked, Framing, Stop};
use super::half::{Half, Otherwise, Start, State, Why};
use super::head::{self, Guess, Kind};
use super::pairing::{Method, Pending, Place, Serial};
use super::tls::{self, Hello};
use super::{Counts, Exchange, Headers, Peers, Reader, ResponseHead, TlsCounts};
use crate::flow::{Chunk, Consumer, Content, Demand, Turn};
use crate::net::{Direction, FlowKey, Position};
use ahash::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// An interim response is at most this long, in bytes: what is longer and could not be read was
/// a final one. (Servers send `100 Continue` without fields, or with a date and a name.)
const MAX_INTERIM: u64 = 200;

/// The HTTP room: the flow room's [`Consumer`], with the next room's [`Reader`] inside.
#[derive(Debug)]
pub struct Http<R: Reader> {
    /// What heads and exchanges are given to.
    pub reader: R,
    counts: Counts,
    tls: HashMap<Arc<str>, TlsCounts, RandomState>,
    over: Vec<Exchange<R::Request, R::Response>>,
}

impl<R: Reader> Http<R> {
    /// A room that gives to `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, counts: Counts::default(), tls: HashMap::default(), over: Vec::new() }
    }

    /// What became of the bytes so far. Bytes of heads that are not complete, and of
    /// connections that have not told what they are, are not in it until they are settled, at
    /// the latest when their connection closes.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What there was of TLS since the last call, by server name. It is in [`Self::counts`], too.
    pub fn take_tls(&mut self) -> impl Iterator<Item = (Arc<str>, TlsCounts)> {
        self.tls.drain()
    }
}

/// What HTTP remembers of a connection.
#[derive(Debug)]
pub struct Connection<R: Reader> {
    halves: [Half; 2],
    /// The direction that carries requests, once a message has told.
    client: Option<Direction>,
    pending: Pending<R::Request, R::Response>,
    /// The request that is being sent, or was sent last.
    sending: Option<Serial>,
    /// Where the last interim response began, as far as could be seen.
    interim: Option<Position>,
    blind_counted: bool,
    /// What TLS said whom it is for.
    server_name: Option<Arc<str>>,
    memory: R::Connection,
}

impl<R: Reader> Consumer for Http<R> {
    type Connection = Connection<R>;

    fn open(&mut self, _key: &FlowKey) -> Connection<R> {
        Connection {
            halves: [Half::new(), Half::new()],
            client: None,
            pending: Pending::default(),
            sending: None,
            interim: None,
            blind_counted: false,
            server_name: None,
            memory: R::Connection::default(),
        }
    }

    fn chunk(&mut self, connection: &mut Connection<R>, key: &FlowKey, chunk: Chunk<'_>) -> Demand {
        let mut at = Session { http: self, connection, key, direction: chunk.direction };
        match chunk.content {
            Content::Data { bytes, .. } => at.data(&chunk, bytes),
            Content::Passed(n) => at.passed(n, chunk.position),
            Content::Gap(n) => at.gap(n, chunk.position),
        }
        at.settle();
        at.demand()
    }

    fn end(&mut self, connection: &mut Connection<R>, key: &FlowKey, direction: Direction) {
        let mut at = Session { http: self, connection, key, direction };
        at.finish();
        at.settle();
    }

    fn close(&mut self, mut connection: Connection<R>, key: &FlowKey) {
        for direction in [Direction::Up, Direction::Down] {
            let mut at = Session { http: self, connection: &mut connection, key, direction };
            at.finish();
            self.counts.ignored_bytes += connection.halves[direction.index()].unplaced;
        }
        connection.pending.take_all(&mut self.over);
        let mut at =
            Session { http: self, connection: &mut connection, key, direction: Direction::Up };
        at.give();
    }
}

/// A connection while one of its directions is being read.
struct Session<'a, R: Reader> {
    http: &'a mut Http<R>,
    connection: &'a mut Connection<R>,
    key: &'a FlowKey,
    direction: Direction,
}

/// Where in a chunk the reading stands.
#[derive(Clone, Copy)]
struct Cursor {
    start: Start,
    /// At the first byte of a segment: whether its sender takes its turn. Elsewhere: no.
    turn: Turn,
    /// The most that its sender is known to have received before.
    had: Option<Position>,
    starts_stream: bool,
}

impl<R: Reader> Session<'_, R> {
    fn half(&mut self) -> &mut Half {
        &mut self.connection.halves[self.direction.index()]
    }

    /// What this direction carries, as far as a message has told.
    fn kind(&self) -> Option<Kind> {
        let client = self.connection.client?;
        Some(if client == self.direction { Kind::Request } else { Kind::Response })
    }

    fn peers(&self) -> Peers {
        let client = self.connection.client.unwrap_or(self.direction);
        Peers { client: self.key.source(client), server: self.key.destination(client) }
    }

    /// Reads bytes, message by message.
    fn data(&mut self, chunk: &Chunk<'_>, bytes: &[u8]) {
        let Content::Data { starts_segment, turn, had, starts_stream, .. } = chunk.content else {
            return;
        };
        let mut cursor = Cursor {
            start: Start { position: chunk.position, time: chunk.time, ack: chunk.ack },
            turn: if starts_segment { turn } else { Turn::Continues },
            had,
            starts_stream,
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.half().state {
                State::Fresh => {
                    if starts_stream {
                        self.half().state = State::Boundary;
                    } else {
                        self.half().lose(cursor.start.position);
                    }
                    continue;
                }
                State::Tunnel => {
                    match head::guess(rest) {
                        Guess::Tls => self.half().greet(&[]),
                        Guess::Http2 => self.close_half(Why::Http2),
                        _ => self.close_half(Why::Other),
                    }
                    continue;
                }
                State::Hello => self.hello(rest),
                State::Closed(why) => self.pass_closed(why, rest.len()),
                State::Boundary => self.at_boundary(&cursor, rest),
                State::Lost => self.while_lost(&mut cursor, rest),
                State::Head(otherwise) => self.collect(&mut cursor, otherwise, rest),
                State::Body { body, of, doubtful } => {
                    if self.opens_instead(&cursor, rest, body, of, doubtful) {
                        continue;
                    }
                    self.walk(body, of, &cursor, rest)
                }
            };
            rest = &rest[taken..];
            self.half().last_ack = chunk.ack;
            cursor.start.position = cursor.start.position.plus(taken as u64);
            if taken > 0 {
                cursor.turn = Turn::Continues;
            }
        }
    }

    fn pass_closed(&mut self, why: Why, n: usize) -> usize {
        if let (Why::Tls, Some(name)) = (why, &self.connection.server_name) {
            self.http.tls.entry(name.clone()).or_default().bytes += n as u64;
        }
        let counts = &mut self.http.counts;
        *match why {
            Why::Tls => &mut counts.tls_bytes,
            Why::Http2 => &mut counts.http2_bytes,
            Why::Other => &mut counts.ignored_bytes,
        } += n as u64;
        n
    }

    /// Bytes that lead to nothing: lost, or, before the connection has shown what it is, not
    /// placed.
    fn pass_lost(&mut self, n: u64) {
        if self.connection.client.is_some() {
            self.http.counts.lost_bytes += n;
        } else {
            self.half().unplaced += n;
        }
    }

    fn at_boundary(&mut self, cursor: &Cursor, rest: &[u8]) -> usize {
        let blank = rest.len() - head::skip_empty_lines(rest).len();
        if blank > 0 {
            self.http.counts.head_bytes += blank as u64;
            return blank;
        }
        let otherwise = if cursor.starts_stream { Otherwise::NotHttp } else { Otherwise::Broken };
        self.half().begin(cursor.start, otherwise);
        0
    }

    fn while_lost(&mut self, cursor: &mut Cursor, rest: &[u8]) -> usize {
        if self.may_relock(cursor, rest) {
            cursor.turn = Turn::Continues;
            self.half().begin(cursor.start, Otherwise::StillLost);
            return 0;
        }
        if self.connection.client.is_none()
            && cursor.turn != Turn::Continues
            && head::guess(rest) == Guess::Tls
        {
            self.half().greet(&[]);
            return 0;
        }
        self.pass_lost(rest.len() as u64);
        rest.len()
    }

    /// Whether a lost direction may find its place here. Where the other direction is seen, only
    /// where the numbers prove a turn: a body could hold the text of a message. Where the
    /// message that this one follows was seen, they do.
    fn may_relock(&self, cursor: &Cursor, bytes: &[u8]) -> bool {
        let half = &self.connection.halves[self.direction.index()];
        let other = &self.connection.halves[self.direction.reverse().index()];
        let joined_here = half.hole == Some(cursor.start.position);
        let proof_is_due = other.state != State::Fresh && !joined_here;
        let enough = if proof_is_due { Turn::Opens } else { Turn::Possible };
        cursor.turn >= enough && self.may_open_message(cursor, bytes)
    }

    fn may_open_message(&self, cursor: &Cursor, bytes: &[u8]) -> bool {
        let request = || head::may_open(Kind::Request, bytes) && !self.follows_interim(cursor);
        let response = || head::may_open(Kind::Response, bytes);
        match self.kind() {
            Some(Kind::Request) => request(),
            Some(Kind::Response) => response(),
            None => request() || response(),
        }
    }

    /// Whether what a client sends here is the rest of a
    /// request that it was told to go on with (or may have been told, where so little is missing
    /// that it can have been an interim response).
    fn follows_interim(&self, cursor: &Cursor) -> bool {
        let since_interim = match (self.connection.interim, cursor.start.ack) {
            (Some(interim), Some(ack)) => ack.since(interim),
            _ => 0,
        };
        (1..=MAX_INTERIM).contains(&since_interim)
            || self.unseen_answer(cursor).is_some_and(|n| (1..=MAX_INTERIM).contains(&n))
    }

    /// How many bytes of answers came since the client last spoke, where some of them were not
    /// captured and the server's direction is lost; `None` elsewhere.
    fn unseen_answer(&self, cursor: &Cursor) -> Option<u64> {
        let half = &self.connection.halves[self.direction.index()];
        let answers = &self.connection.halves[self.direction.reverse().index()];
        let seen = [half.last_ack, cursor.had].into_iter().flatten();
        let seen = seen.fold(answers.hole?, Position::max);
        (answers.gap_end? > seen).then_some(cursor.start.ack?.since(seen))
    }

    /// Whether a body gives way to a new message: it may turn out not to be there, or ends with
    /// its direction but the server went on.
    fn opens_instead(
        &mut self,
        cursor: &Cursor,
        rest: &[u8],
        body: Body,
        of: Serial,
        doubtful: bool,
    ) -> bool {
        if cursor.turn != Turn::Opens || !(doubtful || body == Body::UntilClose) {
            return false;
        }
        if !self.may_open_message(cursor, rest) {
            return false;
        }
        match self.kind() {
            Some(Kind::Request) => {
                if !self.answered_for_good(cursor, of) {
                    return false;
                }
                self.connection.pending.request_over(of, cursor.start.position);
                self.half().begin(cursor.start, Otherwise::Broken);
            }
            Some(Kind::Response) if doubtful => {
                self.connection.pending.response_over(of);
                self.half().begin(cursor.start, Otherwise::Broken);
            }
            _ => {
                let place = place(cursor.start, 1);
                if !self.connection.pending.awaits(place) {
                    return false;
                }
                self.half().begin(cursor.start, Otherwise::Content(of));
            }
        }
        true
    }

    /// Whether the request whose body is due was answered before the body came, so that the
    /// body need not come (RFC 9110 §10.1.1).
    fn answered_for_good(&mut self, cursor: &Cursor, of: Serial) -> bool {
        let (answered, interim) = self.connection.pending.progress(of);
        let unseen = self.unseen_answer(cursor);
        answered || (!interim && unseen.is_some_and(|n| n > MAX_INTERIM))
    }

    /// Whether missing bytes where a doubtful body would begin are of that body: its sender had
    /// no reason yet to leave it out.
    fn must_come(&mut self, of: Serial) -> bool {
        let answers_known = self.connection.halves[self.direction.reverse().index()].hole.is_none();
        let (answered, interim) = self.connection.pending.progress(of);
        self.kind() == Some(Kind::Request) && !answered && (interim || answers_known)
    }

    /// Adds bytes to the head that is being collected, and reads it when it is complete.
    fn collect(&mut self, cursor: &mut Cursor, otherwise: Otherwise, rest: &[u8]) -> usize {
        let (mut partial, scanned) = {
            let half = self.half();
            (std::mem::take(&mut half.partial), half.scanned)
        };
        let held = partial.len();
        let found = if held == 0 {
            head::find_end(rest, 0)
        } else {
            partial.extend_from_slice(rest);
            head::find_end(&partial, scanned)
        };
        let bytes: &[u8] = if held == 0 { rest } else { &partial };
        match found {
            Ok(end) => {
                if end > head::MAX_HEAD_BYTES || !self.read_head(&bytes[..end]) {
                    return self.reject(cursor, otherwise, &bytes[..held], rest);
                }
                cursor.turn = Turn::Continues;
                end - held
            }
            Err(scanned) => {
                if bytes.len() > head::MAX_HEAD_BYTES || !self.promising(bytes) {
                    return self.reject(cursor, otherwise, &bytes[..held], rest);
                }
                if held == 0 {
                    partial = rest.to_vec();
                }
                let half = self.half();
                half.partial = partial;
                half.scanned = scanned;
                rest.len()
            }
        }
    }

    /// Whether an incomplete head may still become one.
    fn promising(&self, bytes: &[u8]) -> bool {
        match (head::guess(bytes), self.kind()) {
            (Guess::Undecided, _) => true,
            (Guess::Http(kind), expected) => {
                expected.is_none_or(|expected| expected == kind)
                    && head::first_line_fits(kind, bytes)
            }
            _ => false,
        }
    }

    /// The collected bytes are no head. `held` of them came with earlier chunks; of the rest
    /// nothing is taken, so that it is read again as what it is.
    fn reject(
        &mut self,
        cursor: &mut Cursor,
        otherwise: Otherwise,
        held: &[u8],
        rest: &[u8],
    ) -> usize {
        cursor.turn = Turn::Continues;
        let n = held.len() as u64;
        let start = self.half().start;
        match otherwise {
            Otherwise::NotHttp => {
                let sample = if held.is_empty() { rest } else { held };
                self.close_half(match head::guess(sample) {
                    Guess::Tls => {
                        self.half().greet(held);
                        return 0;
                    }
                    Guess::Http2 => Why::Http2,
                    _ if self.other_half_is_http2() => Why::Http2,
                    _ => Why::Other,
                });
                if let State::Closed(why) = self.half().state {
                    self.pass_closed(why, held.len());
                }
            }
            Otherwise::Broken => {
                self.lose(start.position);
                self.pass_lost(n);
            }
            Otherwise::StillLost => {
                self.half().state = State::Lost;
                self.pass_lost(n);
            }
            Otherwise::Content(of) => {
                self.half().state = State::Body { body: Body::UntilClose, of, doubtful: false };
                self.http.counts.body_bytes += n;
                self.connection.pending.add_response_body(of, n);
            }
        }
        0
    }

    fn other_half_is_http2(&self) -> bool {
        let other = &self.connection.halves[self.direction.reverse().index()];
        other.state == State::Closed(Why::Http2)
    }

    /// Adds bytes to the first message of TLS, until that has said with whom, or that it does not.
    fn hello(&mut self, rest: &[u8]) -> usize {
        let half = self.half();
        half.partial.extend_from_slice(rest);
        if half.partial.len() < half.scanned {
            return rest.len();
        }
        match tls::read(&half.partial) {
            Hello::Needs(bytes) => half.scanned = bytes,
            Hello::Named(name) => self.close_tls(Some(name)),
            Hello::Nameless => self.close_tls(None),
        }
        rest.len()
    }

    fn close_tls(&mut self, name: Option<String>) {
        let held = std::mem::take(&mut self.half().partial).len();
        if !self.connection.blind_counted
            && let Some(name) = name
        {
            let name: Arc<str> = name.into();
            self.http.tls.entry(name.clone()).or_default().connections += 1;
            self.connection.server_name = Some(name);
        }
        self.close_half(Why::Tls);
        self.pass_closed(Why::Tls, held);
    }

    fn close_half(&mut self, why: Why) {
        self.half().state = State::Closed(why);
        let unplaced = std::mem::take(&mut self.half().unplaced);
        self.pass_closed(why, usize::try_from(unplaced).unwrap_or(usize::MAX));
        if !std::mem::replace(&mut self.connection.blind_counted, true) {
            let counts = &mut self.http.counts;
            *match why {
                Why::Tls => &mut counts.tls_connections,
                Why::Http2 => &mut counts.http2_connections,
                Why::Other => &mut counts.other_connections,
            } += 1;
        }
    }

    /// This direction's place in the framing is lost from `position` on.
    fn lose(&mut self, position: Position) {
        if self.connection.client.is_some() && self.half().state != State::Lost {
            self.http.counts.losses += 1;
        }
        self.half().lose(position);
        match self.kind() {
            Some(Kind::Request) => self.connection.pending.requests_lost(),
            Some(Kind::Response) => self.connection.pending.responses_lost(),
            None => {}
        }
    }

    /// Reads a whole head. `false` when it is none.
    fn read_head(&mut self, bytes: &[u8]) -> bool {
        match (self.kind(), head::guess(bytes)) {
            (Some(Kind::Request) | None, Guess::Http(Kind::Request)) => self.read_request(bytes),
            (Some(Kind::Response) | None, Guess::Http(Kind::Response)) => self.read_response(bytes),
            _ => false,
        }
    }

    /// A first message tells which end is the client; what was passed over before is lost.
    fn recognise(&mut self, client: Direction, head_bytes: usize) {
        self.http.counts.head_bytes += head_bytes as u64;
        if self.connection.client.replace(client).is_none() {
            for half in &mut self.connection.halves {
                self.http.counts.lost_bytes += std::mem::take(&mut half.unplaced);
            }
        }
    }

    fn read_request(&mut self, bytes: &[u8]) -> bool {
        let Half { start, .. } = *self.half();
        let peers = Peers {
            client: self.key.source(self.direction),
            server: self.key.destination(self.direction),
        };
        let (reader, memory) = (&mut self.http.reader, &mut self.connection.memory);
        let read = head::read_request(bytes, start.time, |head| {
            let method = match head.method {
                "HEAD" => Method::Head,
                "CONNECT" => Method::Connect,
                _ => Method::Other,
            };
            let expects = expects_continue(head.headers);
            (reader.request(memory, peers, head), method, body::of_request(head.headers), expects)
        });
        let Ok((facts, method, framing, expects)) = read else { return false };
        self.recognise(self.direction, bytes.len());
        self.http.counts.requests += 1;
        let answers = &self.connection.halves[self.direction.reverse().index()];
        let answers_known = answers.hole.is_none();
        let pending = &mut self.connection.pending;
        pending.requests_superseded();
        let place = place(start, bytes.len());
        let serial = pending.ask(place, method, facts, answers_known);
        self.connection.sending = Some(serial);
        self.half().hole = None;
        self.enter_body(framing, serial, place.end, expects);
        true
    }

    fn read_response(&mut self, bytes: &[u8]) -> bool {
        let Half { start, hole, .. } = *self.half();
        let place = place(start, bytes.len());
        let client = self.direction.reverse();
        let peers = Peers { client: self.key.source(client), server: self.key.destination(client) };
        let Http { reader, over, .. } = &mut *self.http;
        let Connection { pending, memory, .. } = &mut *self.connection;
        let read = head::read_response(bytes, start.time, |head| {
            if (100..200).contains(&head.status) && head.status != 101 {
                pending.interim(place, hole);
                return None;
            }
            pending.responses_superseded();
            let answered = pending.answer(place, hole, over);
            let facts = reader.response(memory, peers, pending.request(answered.serial), head);
            pending.set_response(answered.serial, facts);
            Some((answered.serial, after_response(head, answered.method), upgrades_to_http2(head)))
        });
        let Ok(final_response) = read else { return false };
        self.recognise(client, bytes.len());
        let Some((serial, after, to_http2)) = final_response else {
            self.connection.interim = Some(place.start);
            self.half().state = State::Boundary;
            return true;
        };
        self.http.counts.responses += 1;
        self.half().hole = None;
        match after {
            After::Body { framing, doubtful } => {
                self.enter_body(framing, serial, place.end, doubtful);
            }
            After::Tunnel => self.enter_tunnel(serial, to_http2),
        }
        true
    }

    fn enter_body(&mut self, framing: Framing, of: Serial, at: Position, doubtful: bool) {
        let body = match framing {
            Framing::Length(0) => {
                self.half().state = State::Boundary;
                self.message_over(of, at);
                return;
            }
            Framing::Length(length) => Body::Length(length),
            Framing::Chunked => Body::Chunked(Chunked::START),
            Framing::UntilClose => Body::UntilClose,
            Framing::Unknown => return self.lose(at),
        };
        self.half().state = State::Body { body, of, doubtful };
    }

    /// After a 101, or a 2xx to CONNECT, no HTTP/1 follows in either direction
    /// (RFC 9110 §15.2.2, §9.3.6).
    fn enter_tunnel(&mut self, serial: Serial, to_http2: bool) {
        self.connection.pending.response_over(serial);
        if let Some(sending) = self.connection.sending {
            self.connection.pending.request_over(sending, Position::default());
        }
        let towards = self.direction.reverse();
        let mut there = Session {
            http: self.http,
            connection: self.connection,
            key: self.key,
            direction: towards,
        };
        there.finish();
        for half in &mut self.connection.halves {
            half.state = State::Tunnel;
        }
        if to_http2 {
            for direction in [self.direction, towards] {
                let mut at = Session {
                    http: self.http,
                    connection: self.connection,
                    key: self.key,
                    direction,
                };
                at.close_half(Why::Http2);
            }
        }
    }

    fn walk(&mut self, mut body: Body, of: Serial, cursor: &Cursor, rest: &[u8]) -> usize {
        let walk = body.walk(rest);
        let taken = walk.content + walk.framing;
        self.http.counts.body_bytes += walk.content as u64;
        self.http.counts.head_bytes += walk.framing as u64;
        self.add_body(of, walk.content as u64);
        let end = cursor.start.position.plus(taken as u64);
        match walk.stop {
            Stop::More => self.half().state = State::Body { body, of, doubtful: false },
            Stop::Done => {
                self.half().state = State::Boundary;
                self.message_over(of, end);
            }
            Stop::Broken => self.lose(end),
        }
        taken
    }

    fn add_body(&mut self, of: Serial, bytes: u64) {
        match self.kind() {
            Some(Kind::Request) => self.connection.pending.add_request_body(of, bytes),
            _ => self.connection.pending.add_response_body(of, bytes),
        }
    }

    fn message_over(&mut self, of: Serial, end: Position) {
        match self.kind() {
            Some(Kind::Request) => self.connection.pending.request_over(of, end),
            _ => self.connection.pending.response_over(of),
        }
    }

    /// Bytes went by that nobody wanted to see.
    fn passed(&mut self, n: u64, position: Position) {
        match self.half().state {
            State::Closed(why) => {
                self.pass_closed(why, usize::try_from(n).unwrap_or(usize::MAX));
            }
            State::Body { body, of, .. } if body.certain() >= n => {
                self.http.counts.body_bytes += n;
                self.skip_body(body, of, n, position);
            }
            // Nothing else was ever demanded to be skipped; to be safe, nothing is assumed.
            _ => {
                self.lose(position);
                self.pass_lost(n);
            }
        }
    }

    /// Bytes are missing.
    fn gap(&mut self, n: u64, position: Position) {
        self.half().gap_end = Some(position.plus(n));
        let state = self.half().state;
        match state {
            State::Closed(_) | State::Tunnel | State::Lost => {}
            State::Hello => self.close_tls(None),
            State::Body { body, of, doubtful } if !doubtful || self.must_come(of) => {
                self.skip_body(body, of, n, position);
            }
            State::Head(otherwise) => {
                let held = std::mem::take(&mut self.half().partial).len() as u64;
                if let Otherwise::Content(of) = otherwise {
                    self.http.counts.body_bytes += held;
                    self.half().state = State::Body { body: Body::UntilClose, of, doubtful: false };
                } else {
                    self.lose(position);
                    self.pass_lost(held);
                }
            }
            State::Fresh | State::Boundary | State::Body { .. } => self.lose(position),
        }
    }

    /// Passes over missing bytes of a body, and loses the place where they reach beyond it.
    fn skip_body(&mut self, mut body: Body, of: Serial, n: u64, position: Position) {
        match body.skip(n) {
            Some((content, stop)) => {
                self.add_body(of, content);
                if stop == Stop::Done {
                    self.half().state = State::Boundary;
                    self.message_over(of, position.plus(n));
                } else {
                    self.half().state = State::Body { body, of, doubtful: false };
                }
            }
            None => {
                if let Body::Length(left) = body {
                    self.add_body(of, left);
                    self.message_over(of, position.plus(left));
                    return self.lose(position.plus(left));
                }
                self.lose(position);
            }
        }
    }

    /// This direction has come to its end.
    fn finish(&mut self) {
        match self.half().state {
            State::Head(otherwise) => {
                let held = std::mem::take(&mut self.half().partial);
                if let Otherwise::NotHttp = otherwise {
                    self.close_half(Why::Other);
                    self.pass_closed(Why::Other, held.len());
                } else {
                    self.pass_lost(held.len() as u64);
                }
            }
            State::Body { of, .. } => self.message_over(of, Position::default()),
            State::Hello => self.close_tls(None),
            _ => {}
        }
        if !matches!(self.half().state, State::Closed(_) | State::Tunnel) {
            self.half().state = State::Boundary;
        }
    }

    /// Gives on what is over.
    fn settle(&mut self) {
        self.connection.pending.take_over(&mut self.http.over);
        self.give();
    }

    fn give(&mut self) {
        if self.http.over.is_empty() {
            return;
        }
        let peers = self.peers();
        let Http { reader, over, .. } = &mut *self.http;
        for exchange in over.drain(..) {
            reader.over(&mut self.connection.memory, peers, exchange);
        }
    }

    fn demand(&mut self) -> Demand {
        match self.half().state {
            State::Closed(_) => Demand::Nothing,
            State::Body { body, doubtful: false, .. } if body.certain() > 0 => {
                Demand::Skip(body.certain())
            }
            _ => Demand::Look,
        }
    }
}

fn place(start: Start, length: usize) -> Place {
    Place { start: start.position, end: start.position.plus(length as u64), ack: start.ack }
}

/// `Expect: 100-continue` (RFC 9110 §10.1.1).
fn expects_continue(headers: Headers<'_>) -> bool {
    headers.all("expect").any(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// What follows a final response head.
enum After {
    Body { framing: Framing, doubtful: bool },
    Tunnel,
}

/// RFC 9112 §6.3 rules 1 and 2, which depend on the request.
fn after_response(head: &ResponseHead<'_>, method: Option<Method>) -> After {
    let none = After::Body { framing: Framing::Length(0), doubtful: false };
    match (head.status, method) {
        (101, _) | (200..=299, Some(Method::Connect)) => After::Tunnel,
        (204 | 304, _) | (_, Some(Method::Head)) => none,
        // An unseen request may have been a HEAD.
        (_, None) => After::Body { framing: body::of_response(head.headers), doubtful: true },
        _ => After::Body { framing: body::of_response(head.headers), doubtful: false },
    }
}

/// Whether a 101 switches to HTTP/2 (RFC 7540 §3.2).
fn upgrades_to_http2(head: &ResponseHead<'_>) -> bool {
    head.status == 101
        && head.headers.all("upgrade").any(|value| value.eq_ignore_ascii_case(b"h2c"))
}
