//! One connection: two directions, and the exchanges on them.

use super::half::{Half, Otherwise, Start, State, Why};
use super::head::{self, Kind};
use super::pairing::{Over, Pending, Place, Serial};
use super::{Counts, Limits, Peers, Reader, TlsCounts};
use crate::flow::Turn;
use crate::net::{Direction, FlowKey, Position, Tunnel};
use ahash::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// The HTTP room: the flow room's [`Consumer`](crate::flow::Consumer), with the next room's [`Reader`] inside.
#[derive(Debug)]
pub struct Http<R: Reader> {
    /// What heads and exchanges are given to.
    pub reader: R,
    pub(super) limits: Limits,
    pub(super) counts: Counts,
    pub(super) tls: HashMap<Arc<str>, TlsCounts, RandomState>,
    pub(super) over: Over<R::Request, R::Response>,
}

impl<R: Reader> Http<R> {
    /// A room that gives to `reader`.
    pub fn new(reader: R, limits: Limits) -> Self {
        let counts = Counts::default();
        Self { reader, limits, counts, tls: HashMap::default(), over: Over::default() }
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
    pub(super) halves: [Half; 2],
    /// The direction that carries requests, once a message has told.
    pub(super) client: Option<Direction>,
    pub(super) pending: Pending<R::Request, R::Response>,
    /// Where the last interim response began, as far as could be seen.
    pub(super) interim: Option<Position>,
    /// Where something began that looked like one while the place of the answers was lost.
    pub(super) unproven_interim: Option<Position>,
    pub(super) blind_counted: bool,
    /// What its first packet was wrapped in.
    pub(super) tunnel: Option<Tunnel>,
    /// What TLS said whom it is for.
    pub(super) server_name: Option<Arc<str>>,
    pub(super) memory: R::Connection,
}

/// A connection while one of its directions is being read.
pub(super) struct Session<'a, R: Reader> {
    pub(super) http: &'a mut Http<R>,
    pub(super) connection: &'a mut Connection<R>,
    pub(super) key: &'a FlowKey,
    pub(super) direction: Direction,
}

/// Where in a chunk the reading stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    pub(super) start: Start,
    /// At the first byte of a segment: whether its sender takes its turn. Elsewhere: no.
    pub(super) turn: Turn,
    /// The most that its sender is known to have received before.
    pub(super) had: Option<Position>,
    pub(super) starts_stream: bool,
}

/// A segment that takes its turn and was taken for more of a head that began before: where to read
/// it from, should that turn out to be no head.
#[derive(Debug)]
pub(super) struct Turned {
    /// How many bytes of the head came before it.
    pub(super) behind: usize,
    pub(super) cursor: Cursor,
    /// [`Half::last_ack`] when it came.
    pub(super) last_ack: Option<Position>,
}

impl<R: Reader> Session<'_, R> {
    pub(super) fn half(&mut self) -> &mut Half {
        &mut self.connection.halves[self.direction.index()]
    }

    /// What this direction carries, as far as a message has told.
    pub(super) fn kind(&self) -> Option<Kind> {
        let client = self.connection.client?;
        Some(if client == self.direction { Kind::Request } else { Kind::Response })
    }

    pub(super) fn peers(&self) -> Peers {
        let client = self.connection.client.unwrap_or(self.direction);
        self.peers_if(client)
    }

    /// Who talks to whom, if `client` is the direction of requests.
    pub(super) fn peers_if(&self, client: Direction) -> Peers {
        Peers {
            client: self.key.source(client),
            server: self.key.destination(client),
            tunnel: self.connection.tunnel,
        }
    }

    pub(super) fn pass_closed(&mut self, why: Why, n: usize) -> usize {
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
    pub(super) fn pass_lost(&mut self, n: u64) {
        if self.connection.client.is_some() {
            self.http.counts.lost_bytes += n;
        } else {
            self.half().unplaced += n;
        }
    }

    pub(super) fn close_tls(&mut self, name: Option<String>) {
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

    pub(super) fn close_half(&mut self, why: Why) {
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

    /// Whether the first bytes of a connection, though they are no whole head, show that it is
    /// HTTP; then it is known which end is the client.
    pub(super) fn shows_http(&mut self, held: &[u8]) -> bool {
        let Some(kind) = head::begun(held) else { return false };
        match (self.kind(), kind) {
            (Some(known), kind) => return known == kind,
            (None, Kind::Request) => self.recognise(self.direction, 0),
            (None, Kind::Response) => self.recognise(self.direction.reverse(), 0),
        }
        true
    }

    /// This direction's place in the framing is lost from `position` on.
    pub(super) fn lose(&mut self, position: Position) {
        let lost =
            matches!(self.half().state, State::Lost | State::Head(Otherwise::StillLost { .. }));
        if self.connection.client.is_some() && !lost {
            self.http.counts.losses += 1;
        }
        self.half().lose(position);
        let kind = self.kind();
        let (pending, over) = (&mut self.connection.pending, &mut self.http.over);
        match kind {
            Some(Kind::Request) => pending.requests_lost(over),
            Some(Kind::Response) => pending.responses_lost(over),
            None => {}
        }
    }

    pub(super) fn add_body(&mut self, of: Serial, bytes: u64) {
        match self.kind() {
            Some(Kind::Request) => self.connection.pending.add_request_body(of, bytes),
            _ => self.connection.pending.add_response_body(of, bytes),
        }
    }

    pub(super) fn message_over(&mut self, of: Serial, end: Position) {
        let kind = self.kind();
        let (pending, over) = (&mut self.connection.pending, &mut self.http.over);
        match kind {
            Some(Kind::Request) => pending.request_over(of, end, over),
            _ => pending.response_over(of, over),
        }
    }

    /// This direction has come to its end.
    pub(super) fn finish(&mut self) {
        self.settle_preface();
        match self.half().state {
            State::Head(otherwise) => {
                let held = std::mem::take(&mut self.half().partial);
                if otherwise == Otherwise::NotHttp && !self.shows_http(&held) {
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
    pub(super) fn settle(&mut self) {
        if self.http.over.is_empty() {
            return;
        }
        let peers = self.peers();
        let Http { reader, over, .. } = &mut *self.http;
        for exchange in over.drain() {
            reader.over(&mut self.connection.memory, peers, exchange);
        }
    }
}

pub(super) fn place(start: Start, length: usize) -> Place {
    Place { start: start.position, end: start.position.plus(length as u64), ack: start.ack }
}
