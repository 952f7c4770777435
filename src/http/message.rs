//! Reads whole heads, and settles what follows them.

use super::body::{Body, Chunked, Framing};
use super::faulty::framing;
use super::half::{Half, State, Why};
use super::head::Kind;
use super::pairing::{Answers, Method, Serial};
use super::parse::{self, Extent, Text, Unreadable};
use super::session::{Connection, Http, Session, place};
use super::{Headers, Reader, ResponseHead};
use crate::net::{Direction, Position};

impl<R: Reader> Session<'_, R> {
    /// Reads a head of that kind, if one is due here; how long it is.
    pub(super) fn read_head(&mut self, kind: Kind, text: Text<'_>) -> Result<usize, Unreadable> {
        match kind {
            _ if self.kind().is_some_and(|due| due != kind) => Err(Unreadable::NotAHead),
            Kind::Request => self.read_request(text),
            Kind::Response => self.read_response(text),
        }
    }

    /// A first message tells which end is the client; what was passed over before is lost.
    pub(super) fn recognise(&mut self, client: Direction, head_bytes: usize) {
        self.http.counts.head_bytes += head_bytes as u64;
        if self.connection.client.replace(client).is_none() {
            for half in &mut self.connection.halves {
                self.http.counts.lost_bytes += std::mem::take(&mut half.unplaced);
            }
        }
    }

    // Room for its fields is taken here, and only where there is a head.
    #[inline(never)]
    fn read_request(&mut self, text: Text<'_>) -> Result<usize, Unreadable> {
        let Half { start, hole, .. } = *self.half();
        let peers = self.peers_if(self.direction);
        let Http { reader, limits, .. } = &mut *self.http;
        let memory = &mut self.connection.memory;
        let fields = limits.max_header_fields;
        let read = parse::read_request(text, start.time, fields, |extent, head| {
            let method = match head.method {
                "HEAD" => Method::Head,
                "CONNECT" => Method::Connect,
                _ => Method::Other,
            };
            let expects = expects_continue(head.headers);
            let framing = framing(Kind::Request, extent, head.minor_version, head.headers);
            let facts = reader.request(memory, peers, head);
            (extent.bytes.len(), facts, method, framing, expects)
        });
        let (length, facts, method, framing, expects) = read?;
        self.recognise(self.direction, length);
        self.http.counts.requests += 1;
        let answers = &self.connection.halves[self.direction.reverse().index()];
        let answers = match answers.hole {
            Some(_) => Answers::Lost,
            None if answers.seen => Answers::Known,
            None => Answers::Unseen,
        };
        let Http { limits, counts, over, .. } = &mut *self.http;
        let pending = &mut self.connection.pending;
        let place = place(start, length);
        let heap = R::request_heap(&facts);
        let serial = pending.ask(place, method, (facts, heap), answers, hole, over);
        if pending.len() > limits.max_pending_exchanges {
            counts.requests_forgotten += 1;
            pending.forget_newest(over);
        }
        self.half().hole = None;
        self.enter_body(framing, serial, place.end, expects);
        Ok(length)
    }

    #[inline(never)]
    fn read_response(&mut self, text: Text<'_>) -> Result<usize, Unreadable> {
        let Half { start, hole, .. } = *self.half();
        let client = self.direction.reverse();
        let peers = self.peers_if(client);
        let Http { reader, limits, over, .. } = &mut *self.http;
        let Connection { pending, memory, .. } = &mut *self.connection;
        let fields = limits.max_header_fields;
        let read = parse::read_response(text, start.time, fields, |extent, head| {
            let place = place(start, extent.bytes.len());
            if (100..200).contains(&head.status) && head.status != 101 {
                pending.interim(place, hole);
                return (extent.bytes.len(), None);
            }
            let answered = pending.answer(place, hole, over);
            let facts = reader.response(memory, peers, pending.request(answered.serial), head);
            let heap = R::response_heap(&facts);
            pending.set_response(answered.serial, facts, heap);
            let after = after_response(extent, head, answered.method);
            let after = Some((answered.serial, after, upgrades_to_http2(head)));
            (extent.bytes.len(), after)
        });
        let (length, final_response) = read?;
        self.recognise(client, length);
        let Some((serial, after, to_http2)) = final_response else {
            self.connection.interim = Some(start.position);
            self.half().state = State::Boundary;
            return Ok(length);
        };
        let end = place(start, length).end;
        self.http.counts.responses += 1;
        self.half().hole = None;
        match after {
            // Where an answer to HEAD may be followed at once by another, nothing will show that no
            // body came.
            After::Body { framing, doubtful: true }
                if framing != Framing::Length(0) && self.connection.pending.client_pipelines() =>
            {
                self.lose(end);
            }
            After::Body { framing, doubtful } => {
                self.enter_body(framing, serial, end, doubtful);
            }
            After::Tunnel => self.enter_tunnel(serial, to_http2),
        }
        Ok(length)
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
            Framing::Unknown => {
                self.half().state = State::Boundary;
                return self.lose(at);
            }
        };
        self.half().state = State::Body { body, of, doubtful };
    }

    /// After a 101, or a 2xx to CONNECT, no HTTP/1 follows in either direction
    /// (RFC 9110 §15.2.2, §9.3.6).
    fn enter_tunnel(&mut self, serial: Serial, to_http2: bool) {
        self.connection.pending.response_over(serial, &mut self.http.over);
        self.connection.pending.request_sent(&mut self.http.over);
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
fn after_response(extent: Extent<'_>, head: &ResponseHead<'_>, method: Option<Method>) -> After {
    let framing = || framing(Kind::Response, extent, head.minor_version, head.headers);
    match (head.status, method) {
        (101, _) | (200..=299, Some(Method::Connect)) => After::Tunnel,
        (204 | 304, _) | (_, Some(Method::Head)) => {
            After::Body { framing: Framing::Length(0), doubtful: false }
        }
        // An unseen request may have been a HEAD.
        (_, None) => After::Body { framing: framing(), doubtful: true },
        _ => After::Body { framing: framing(), doubtful: false },
    }
}

/// Whether a 101 switches to HTTP/2 (RFC 7540 §3.2).
fn upgrades_to_http2(head: &ResponseHead<'_>) -> bool {
    head.status == 101
        && head.headers.all("upgrade").any(|value| value.eq_ignore_ascii_case(b"h2c"))
}
