//! Framing that cannot be relied on.
//!
//! Takes a head as it was on the wire, and as it was read. Tells whether others may frame its
//! message otherwise: what follows such a head must not be taken for anything by its length.

use super::Headers;
use super::body::{self, Framing};
use super::head::{Kind, is_token, skip_empty_lines};
use super::parse::Extent;

/// How the body behind a head ends; unknown where that cannot be relied on.
pub(super) fn framing(
    kind: Kind,
    head: Extent<'_>,
    minor_version: u8,
    headers: Headers<'_>,
) -> Framing {
    match kind {
        _ if is_faulty(kind, head, minor_version, headers) => Framing::Unknown,
        Kind::Request => body::of_request(headers),
        Kind::Response => body::of_response(headers),
    }
}

/// Whether part of the framing of a head is hidden, or it is HTTP/1.0 with `Transfer-Encoding`
/// (RFC 9112 §6.1).
fn is_faulty(kind: Kind, head: Extent<'_>, minor_version: u8, headers: Headers<'_>) -> bool {
    minor_version == 0 && headers.first("transfer-encoding").is_some() || hides_framing(kind, head)
}

/// Whether a head holds a field that looks like framing to some and was passed over here, since
/// its name or its value is not valid: others may heed it (RFC 9112 §5.1, §11.2).
fn hides_framing(kind: Kind, head: Extent<'_>) -> bool {
    !head.plain
        && skip_empty_lines(head.bytes)
            .split(|b| *b == b'\n')
            .skip(1)
            .any(|line| is_hidden_framing(kind, line))
}

fn is_hidden_framing(kind: Kind, line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let (mut name, value) = line.split_at(colon);
    if kind == Kind::Response {
        // There, white space before the colon is passed over (RFC 9112 §5.1).
        name = name.trim_ascii_end();
    }
    let folded = matches!(line.first(), Some(b' ' | b'\t'));
    let letters = || name.iter().copied().filter(|b| is_token(*b));
    let is = |wanted: &[u8]| letters().map(|b| b.to_ascii_lowercase()).eq(wanted.iter().copied());
    if folded || !(is(b"transfer-encoding") || is(b"content-length")) {
        return false;
    }
    let invalid = |b: &u8| b.is_ascii_control() && !b"\t\r\0".contains(b);
    letters().count() != name.len() || value.iter().any(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_field_that_looks_like_framing_and_is_not_valid_hides_it() {
        for (kind, line, hidden) in [
            (Kind::Request, "Transfer-Encoding : chunked\r", true),
            (Kind::Response, "Transfer-Encoding : chunked\r", false),
            (Kind::Response, "Transfer-\0Encoding: chunked\r", true),
            (Kind::Request, "Content-Length\u{b}: 5\r", true),
            (Kind::Request, "content-length: \u{7f}5\r", true),
            (Kind::Request, "Content-Length:\t5\r", false),
            (Kind::Request, " Content-Length: 5\r", false),
            (Kind::Request, "X-Content-Length : 5\r", false),
            (Kind::Request, "Content-Length\r", false),
        ] {
            assert_eq!(is_hidden_framing(kind, line.as_bytes()), hidden, "{line:?}");
        }
    }
}
