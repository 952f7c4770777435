//! What became of the bytes that the HTTP room took in.

use std::ops::AddAssign;

/// What became of the stream bytes that came in, and of the messages in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of message heads, interim ones included, and of chunk framing and trailers.
    pub head_bytes: u64,
    /// Bytes of message bodies.
    pub body_bytes: u64,
    /// Bytes of connections, or parts of connections, that are not HTTP.
    pub ignored_bytes: u64,
    /// Bytes of TLS connections.
    pub tls_bytes: u64,
    /// Bytes of HTTP/2 connections.
    pub http2_bytes: u64,
    /// Bytes passed over while looking for the next message after a loss.
    pub lost_bytes: u64,
    /// Request heads read.
    pub requests: u64,
    /// Final response heads read.
    pub responses: u64,
    /// How often a direction lost its place in the message framing.
    pub losses: u64,
    /// Heads that were longer than any that is read.
    pub heads_too_long: u64,
    /// Heads that had more fields than are read.
    pub heads_with_too_many_fields: u64,
    /// Requests that came when too many before them waited for answers: told without theirs.
    pub requests_forgotten: u64,
    /// TLS connections.
    pub tls_connections: u64,
    /// HTTP/2 connections.
    pub http2_connections: u64,
    /// Other connections that are not HTTP/1.
    pub other_connections: u64,
}

/// What there was of TLS under one server name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsCounts {
    /// Connections.
    pub connections: u64,
    /// Their bytes, both directions.
    pub bytes: u64,
}

impl AddAssign for TlsCounts {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.bytes += other.bytes;
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.head_bytes += other.head_bytes;
        self.body_bytes += other.body_bytes;
        self.ignored_bytes += other.ignored_bytes;
        self.tls_bytes += other.tls_bytes;
        self.http2_bytes += other.http2_bytes;
        self.lost_bytes += other.lost_bytes;
        self.requests += other.requests;
        self.responses += other.responses;
        self.losses += other.losses;
        self.heads_too_long += other.heads_too_long;
        self.heads_with_too_many_fields += other.heads_with_too_many_fields;
        self.requests_forgotten += other.requests_forgotten;
        self.tls_connections += other.tls_connections;
        self.http2_connections += other.http2_connections;
        self.other_connections += other.other_connections;
    }
}
