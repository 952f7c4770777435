//! Drives a connection: each chunk of a direction to where that stands, and what it needs next.

use super::Reader;
use super::body::{Body, Stop};
use super::half::{Half, Otherwise, Start, State, Why};
use super::head::{self, Guess, Kind};
use super::pairing::{Pending, Serial};
use super::relock::methods;
use super::resting;
use super::session::{Connection, Cursor, Http, Session};
use super::tls::{self, Hello};
use crate::flow::{Chunk, Consumer, Content, Demand, Folding, Standing, Turn, Unfolding};
use crate::net::{Direction, FlowKey, Position, Tunnel};

impl<R: Reader> Consumer for Http<R> {
    type Connection = Connection<R>;

    fn open(&mut self, _key: &FlowKey, tunnel: Option<Tunnel>) -> Connection<R> {
        Connection {
            halves: [Half::new(), Half::new()],
            client: None,
            pending: Pending::default(),
            interim: None,
            unproven_interim: None,
            blind_counted: false,
            server_name: None,
            tunnel,
            memory: R::Connection::default(),
        }
    }

    fn chunk(&mut self, connection: &mut Connection<R>, key: &FlowKey, chunk: Chunk<'_>) -> Demand {
        let mut at = Session { http: self, connection, key, direction: chunk.direction };
        match chunk.content {
            Content::Data { bytes, .. } => at.data(&chunk, bytes),
            Content::Passed(n) => at.passed(n, &chunk),
            Content::Gap(n) => at.gap(n, chunk.position),
        }
        at.settle();
        at.demand()
    }

    fn pass(
        &mut self,
        connection: &mut Connection<R>,
        key: &FlowKey,
        chunk: Chunk<'_>,
    ) -> Option<Demand> {
        let Content::Passed(n) = chunk.content else { return None };
        match connection.halves[chunk.direction.index()].state {
            State::Closed(_) => {}
            State::Body { body, doubtful: false, .. } if body.certain() >= n => {}
            _ => return None,
        }
        let mut at = Session { http: self, connection, key, direction: chunk.direction };
        at.passed(n, &chunk);
        at.settle();
        Some(at.demand())
    }

    fn end(&mut self, connection: &mut Connection<R>, key: &FlowKey, direction: Direction) {
        let mut at = Session { http: self, connection, key, direction };
        at.finish();
        at.settle();
    }

    fn standing(&self, connection: &Connection<R>) -> Standing {
        let [up, down] = &connection.halves;
        let heads = up.partial.len() + down.partial.len();
        let in_memory = up.partial.capacity() + down.partial.capacity();
        Standing {
            memory: in_memory + connection.pending.memory(),
            unsettled: heads as u64 + up.unplaced + down.unplaced,
            wanted: connection.client.is_some() && !connection.blind_counted,
        }
    }

    fn fold(&mut self, connection: &mut Connection<R>, to: &mut Folding) -> bool {
        resting::fold(connection, to)
    }

    fn unfold(&mut self, from: &mut Unfolding<'_>) -> Connection<R> {
        resting::unfold(&mut self.reader, from)
    }

    fn shed(&mut self, connection: &mut Connection<R>, key: &FlowKey) {
        connection.pending.forget(&mut self.over);
        for direction in [Direction::Up, Direction::Down] {
            let mut at = Session { http: self, connection, key, direction };
            at.give_up_head();
            at.settle();
        }
    }

    fn close(&mut self, mut connection: Connection<R>, key: &FlowKey) {
        for direction in [Direction::Up, Direction::Down] {
            let mut at = Session { http: self, connection: &mut connection, key, direction };
            at.finish();
        }
        // By now both have told what they were, if ever.
        for half in &mut connection.halves {
            self.counts.ignored_bytes += std::mem::take(&mut half.unplaced);
        }
        connection.pending.take_all(&mut self.over);
        let mut at =
            Session { http: self, connection: &mut connection, key, direction: Direction::Up };
        at.settle();
    }
}

impl<R: Reader> Session<'_, R> {
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
        self.half().seen = true;
        self.goes_on();
        self.read(&mut cursor, bytes);
    }

    /// This direction goes on. What the other one said before is read by now, or never: a message is
    /// not paired behind what may have answered it.
    fn goes_on(&mut self) {
        self.connection.halves[self.direction.reverse().index()].turned = None;
    }

    /// Reads bytes from where `cursor` stands.
    pub(super) fn read(&mut self, cursor: &mut Cursor, mut rest: &[u8]) {
        while !rest.is_empty() {
            let taken = match self.half().state {
                State::Fresh => {
                    if cursor.starts_stream {
                        self.half().state = State::Preface;
                    } else {
                        self.join(cursor.start.position);
                    }
                    continue;
                }
                State::Preface => self.preface(cursor, rest),
                State::Proxied(0) => {
                    cursor.starts_stream = true;
                    self.half().state = State::Boundary;
                    continue;
                }
                State::Proxied(left) => self.proxied(left, rest.len()),
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
                State::Boundary => self.at_boundary(cursor, rest),
                State::Lost => self.while_lost(cursor, rest),
                State::Head(otherwise) => {
                    if self.begins_anew(cursor, otherwise, rest) {
                        let held = std::mem::take(&mut self.half().partial);
                        self.reject(cursor, otherwise, &held, held.len(), None);
                        continue;
                    }
                    self.collect(cursor, otherwise, rest)
                }
                State::Body { body, of, doubtful } => {
                    if self.opens_instead(cursor, rest, body, of, doubtful) {
                        continue;
                    }
                    if doubtful && self.gave_way(cursor, of) {
                        // It began in what is missing, which is right before.
                        let head = self.connection.pending.head(of);
                        self.lose(head.map_or(cursor.start.position, |head| head.end));
                        continue;
                    }
                    if doubtful && self.may_be_either(cursor, rest, of) {
                        cursor.turn = Turn::Continues;
                        self.lose(cursor.start.position);
                        continue;
                    }
                    self.walk(body, of, cursor, rest)
                }
            };
            rest = &rest[taken..];
            cursor.start.position = cursor.start.position.plus(taken as u64);
            if taken > 0 {
                self.half().last_ack = cursor.start.ack;
                cursor.turn = Turn::Continues;
                cursor.starts_stream = false;
            }
        }
    }

    /// The first bytes that were captured of a direction, which are not its first: what the other end
    /// had not received before is missing.
    fn join(&mut self, position: Position) {
        let heard = self.connection.halves[self.direction.reverse().index()].last_ack;
        let from = heard.filter(|heard| *heard < position);
        let half = self.half();
        half.gap_end = from.and(Some(position)).or(half.gap_end);
        half.lose(from.unwrap_or(position));
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
            let goes_on = self.follows_interim(cursor) || self.follows_unproven(cursor);
            let asks = (!goes_on).then_some(methods(cursor));
            cursor.turn = Turn::Continues;
            self.half().begin(cursor.start, Otherwise::StillLost { asks });
            return 0;
        }
        if self.connection.client.is_none()
            && cursor.turn != Turn::Continues
            && head::guess(rest) == Guess::Tls
        {
            self.half().greet(&[]);
            return 0;
        }
        self.note_interim(cursor, rest);
        self.pass_lost(rest.len() as u64);
        rest.len()
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
            Stop::Broken => self.lose_in_body(body, of, end),
        }
        taken
    }

    /// Bytes went by that nobody wanted to see.
    fn passed(&mut self, n: u64, chunk: &Chunk<'_>) {
        self.goes_on();
        // What they tell beside themselves counts whether they are looked at or not.
        (self.half().seen, self.half().last_ack) = (true, chunk.ack);
        match self.half().state {
            State::Closed(why) => {
                self.pass_closed(why, usize::try_from(n).unwrap_or(usize::MAX));
            }
            State::Body { body, of, .. } if body.certain() >= n => {
                self.http.counts.body_bytes += n;
                self.skip_body(body, of, n, chunk.position);
            }
            // Nothing else was ever demanded to be skipped; to be safe, nothing is assumed.
            _ => {
                self.lose(chunk.position);
                self.pass_lost(n);
            }
        }
    }

    /// Bytes are missing.
    fn gap(&mut self, n: u64, position: Position) {
        self.goes_on();
        self.half().gap_end = Some(position.plus(n));
        self.settle_preface();
        let state = self.half().state;
        match state {
            State::Proxied(left) if left as u64 >= n => {
                self.half().state = State::Proxied(left - n as usize);
            }
            State::Closed(_) | State::Tunnel | State::Lost => {}
            State::Hello | State::Head(_) => self.give_up_head(),
            State::Body { body, of, doubtful } if !doubtful || self.must_come(of) => {
                self.skip_body(body, of, n, position);
            }
            State::Body { body, of, .. } if self.may_come(of) => {
                let has_leave = self.was_given_leave(of);
                self.connection.pending.request_doubted(of);
                self.skip_body(body, of, n, position);
                match &mut self.half().state {
                    State::Body { doubtful, .. } => *doubtful = true,
                    // As long as the body, and may be other requests all the same.
                    State::Boundary if !has_leave => self.lose(position),
                    _ => {}
                }
            }
            State::Proxied(left) => self.lose(position.plus(left as u64)),
            State::Fresh | State::Preface | State::Boundary | State::Body { .. } => {
                self.lose(position);
            }
        }
    }

    /// Gives up the head that is being collected, if one is.
    fn give_up_head(&mut self) {
        self.settle_preface();
        let half = self.half();
        half.turned = None;
        let (state, start) = (half.state, half.start.position);
        let end = start.plus(half.partial.len() as u64);
        match state {
            State::Hello => self.close_tls(None),
            State::Head(otherwise) => {
                let held = std::mem::take(&mut self.half().partial);
                if let Otherwise::Content(of) = otherwise {
                    self.http.counts.body_bytes += held.len() as u64;
                    self.half().state = State::Body { body: Body::UntilClose, of, doubtful: false };
                    return;
                }
                if otherwise == Otherwise::NotHttp {
                    self.shows_http(&held);
                }
                // How long an answer was counts from its first byte: it tells an interim one from one
                // that leaves the body of its request no reason to come.
                let is_answer = self.kind() == Some(Kind::Response);
                self.lose(if is_answer { start } else { end });
                self.pass_lost(held.len() as u64);
            }
            _ => {}
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
                self.lose_in_body(body, of, position);
            }
        }
    }

    /// The place is lost within a body, whose length is known all the same where only its trailers
    /// are hidden.
    fn lose_in_body(&mut self, body: Body, of: Serial, position: Position) {
        if body.is_in_trailers() {
            self.message_over(of, Position::default());
        }
        self.lose(position);
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
