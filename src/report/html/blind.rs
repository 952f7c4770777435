//! What was not looked into: TLS by server name, HTTP/2, QUIC.

use super::tables::columns;
use super::words::{bytes, counted, number, text};
use crate::report::{BlindSpots, ServerName};
use maud::{Markup, html};
use std::cmp::Reverse;

/// How many server names are shown, those of S3 and those with most bytes first.
const SERVER_NAMES: usize = 100;

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

pub(super) fn section(blind: &BlindSpots) -> Markup {
    html! {
        section #blind aria-labelledby="blind-title" {
            h2 #blind-title { "Not looked into" }
            @if blind.connections() == 0 {
                p { "No TLS, no HTTP/2, no QUIC: nothing of that kind was hidden." }
            } @else {
                p { "What is encrypted, or not HTTP/1, can hold exchanges that are in no count." }
                table {
                    caption { "Connections that were not looked into" }
                    (columns(["Kind", "Connections", "Bytes"]))
                    tbody {
                        @for (kind, n, moved) in kinds(blind) {
                            tr { th scope="row" { (kind) } td { (number(n)) } td { (bytes(moved)) } }
                        }
                    }
                }
            }
            (names(blind))
            @if blind.other_connections > 0 {
                p.muted {
                    "Besides, " (counted(blind.other_connections, "connection is", "connections are"))
                    " neither of these nor HTTP: no exchange is in them."
                }
            }
        }
    }
}

fn names(blind: &BlindSpots) -> Markup {
    let names = server_names(blind);
    html! {
        @if !names.is_empty() {
            table {
                caption { "TLS, by the server name that was asked for" }
                (columns(["Server name", "Connections", "Bytes"]))
                tbody {
                    @for (name, counts) in names.iter().take(SERVER_NAMES) {
                        tr {
                            th.name scope="row" {
                                (text(name)) @if names_s3(name) { " " span.tag.warn { "S3" } }
                            }
                            td { (number(counts.connections)) }
                            td { (bytes(counts.bytes)) }
                        }
                    }
                }
            }
            @if names.len() > SERVER_NAMES {
                p.note {
                    "And " (counted((names.len() - SERVER_NAMES) as u64, "more name", "more names"))
                    ": see " code { "blind.csv" } "."
                }
            }
        }
    }
}
