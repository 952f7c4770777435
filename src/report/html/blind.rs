//! What was not looked into: TLS by server name, HTTP/2, QUIC.

use crate::report::{BlindSpots, ServerName};
use std::cmp::Reverse;

/// Each kind of connection that can hide exchanges: its name, how many there were, and their bytes.
pub(crate) fn kinds(blind: &BlindSpots) -> [(&'static str, u64, u64); 3] {
    [
        ("TLS", blind.tls_connections, blind.tls_bytes),
        ("HTTP/2", blind.http2_connections, blind.http2_bytes),
        ("QUIC (UDP port 443)", blind.quic_connections, blind.quic_bytes),
    ]
}

/// Whom TLS was for: those of S3 first, then those with most bytes.
pub(crate) fn server_names(blind: &BlindSpots) -> Vec<(&str, &ServerName)> {
    let names = blind.tls_server_names.iter().map(|(name, counts)| (name.as_str(), counts));
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(|(name, counts)| (!names_s3(name), Reverse(counts.bytes), *name));
    names
}

/// Whether a name has `s3` among its parts.
pub(crate) fn names_s3(name: &str) -> bool {
    name.split('.').any(|part| part == "s3" || part.starts_with("s3-"))
}
