//! http: from byte streams to paired exchanges.
//!
//! Takes the chunks of both directions of a connection, in causal order: no chunk comes before
//! those that its sender had already received. Gives message heads as they complete and
//! [`Exchange`]s as they end, to a [`Reader`]. Promises that no body byte is ever taken for a
//! head, that a response is paired with a request only where order and acknowledgement numbers
//! leave one possibility, and that every byte it was given has one fate in [`Counts`].
//! Knows nothing of S3 or metrics.

mod body;
mod collect;
mod connection;
mod counts;
mod faulty;
mod fields;
mod half;
mod head;
mod message;
mod method;
mod pairing;
mod parse;
pub mod plain;
mod preface;
mod proxy;
mod relock;
mod resting;
mod scan;
mod session;
mod tls;

use crate::flow::{Folding, Unfolding};
use crate::net::{Endpoint, Timestamp, Tunnel};

pub use counts::{Counts, TlsCounts};
pub use fields::{Field, Headers, Room, Values};
pub use parse::MAX_HEADER_FIELDS;
pub use session::{Connection, Http};

/// Bounds of what is read and remembered of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest head that is read, in bytes. What is longer is no message: its direction is lost
    /// there.
    pub max_head_bytes: usize,
    /// The most header fields that a head may have, up to [`MAX_HEADER_FIELDS`]; likewise.
    pub max_header_fields: usize,
    /// The most exchanges of one connection that are unfinished at once. Requests over that are
    /// told at once, and their responses without a request.
    pub max_pending_exchanges: usize,
}

impl Default for Limits {
    /// More than servers take: 8 KiB and 100 fields are common, S3 takes 8 KiB.
    fn default() -> Self {
        Self { max_head_bytes: 64 << 10, max_header_fields: 256, max_pending_exchanges: 1024 }
    }
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// The end that sends requests.
    pub client: Endpoint,
    /// The end that answers.
    pub server: Endpoint,
    /// What the first packet seen of the connection was wrapped in.
    pub tunnel: Option<Tunnel>,
}

/// A complete request head. Borrowed from the stream: who wants to keep something copies it,
/// so that what nobody asked for (keys, signatures) is never stored.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'h> {
    /// The time of the packet that held its first byte.
    pub time: Timestamp,
    /// Its method, as spelled.
    pub method: &'h str,
    /// Its request target (RFC 9112 §3.2), as spelled, in any of the four forms.
    pub target: &'h str,
    /// The minor version: 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// Its header fields.
    pub headers: Headers<'h>,
}

/// A complete response head; interim (1xx) responses but 101 are not given.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'h> {
    /// The time of the packet that held its first byte.
    pub time: Timestamp,
    /// The status code, 100 to 999.
    pub status: u16,
    /// The minor version: 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// Its header fields.
    pub headers: Headers<'h>,
}

/// One request with its response (RFC 9110 §3.4), as far as both were seen, at its end.
#[derive(Debug)]
pub struct Exchange<Q, P> {
    /// What the reader made of the request head; `None` when no request was seen.
    pub request: Option<Q>,
    /// What the reader made of the response head; `None` when no response was seen.
    pub response: Option<P>,
    /// The request body's bytes that were transferred, without chunk framing; `None` when that
    /// is not known (the request was not seen, or framing was lost).
    pub request_body_bytes: Option<u64>,
    /// The same for the response body.
    pub response_body_bytes: Option<u64>,
}

/// The next room: what HTTP gives its heads and exchanges to.
///
/// For each exchange, in this order: [`request`](Self::request) when a request head is
/// complete, [`response`](Self::response) when a response head is complete and it is settled
/// which request it answers (or that this cannot be known), and [`over`](Self::over) once.
/// Any of the first two can be missing, never both.
pub trait Reader {
    /// What it remembers of a connection.
    type Connection: Default;
    /// What it remembers of a request head.
    type Request;
    /// What it remembers of a response head.
    type Response;

    /// The memory that what it remembers of a request head takes on the heap, in bytes. Does not
    /// change while it is remembered, but for a little.
    fn request_heap(request: &Self::Request) -> usize;

    /// The same of a response head.
    fn response_heap(response: &Self::Response) -> usize;

    /// A connection is at rest: writes down all that it remembers of it. `false` where that cannot be
    /// written down.
    fn fold(_connection: &Self::Connection, _to: &mut Folding) -> bool {
        false
    }

    /// The connection goes on: what it [wrote down](Self::fold).
    fn unfold(&mut self, _from: &mut Unfolding<'_>) -> Self::Connection {
        Self::Connection::default()
    }

    /// A request head is complete.
    fn request(
        &mut self,
        connection: &mut Self::Connection,
        peers: Peers,
        head: &RequestHead<'_>,
    ) -> Self::Request;

    /// A final (or 101) response head is complete, with the request that it answers, if that
    /// was seen.
    fn response(
        &mut self,
        connection: &mut Self::Connection,
        peers: Peers,
        request: Option<&mut Self::Request>,
        head: &ResponseHead<'_>,
    ) -> Self::Response;

    /// An exchange is over: bodies done, superseded, or the connection ended.
    fn over(
        &mut self,
        connection: &mut Self::Connection,
        peers: Peers,
        exchange: Exchange<Self::Request, Self::Response>,
    );
}
