//! Finding one message head.
//!
//! Takes the bytes at a message boundary. Gives what they look like, and the length of the head.
//! Promises that searching for its end costs each byte once however the head was cut.

use super::method::Methods;

/// Which kind of start-line to expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Too little to tell.
    Undecided,
    /// An HTTP/1 head, by its first bytes.
    Http(Kind),
    /// A TLS record (RFC 8446 §5.1).
    Tls,
    /// The HTTP/2 connection preface (RFC 9113 §3.4).
    Http2,
    /// Something else.
    Other,
}

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No registered method is longer than 18 characters (`UPDATEREDIRECTREF`).
pub(super) const MAX_METHOD: usize = 24;

/// Guesses from its first bytes what a direction carries.
pub(super) fn guess(bytes: &[u8]) -> Guess {
    let bytes = skip_empty_lines(bytes);
    if bytes.is_empty() {
        return Guess::Undecided;
    }
    if let Some(guess) = guess_binary(bytes) {
        return guess;
    }
    if bytes.starts_with(b"HTTP/") {
        return Guess::Http(Kind::Response);
    }
    if bytes.starts_with(HTTP2_PREFACE) {
        return Guess::Http2;
    }
    if b"HTTP/".starts_with(bytes) || HTTP2_PREFACE.starts_with(bytes) {
        return Guess::Undecided;
    }
    guess_method(bytes)
}

/// The kind of head that bytes begin with, if they begin with a plain one.
pub(super) fn plain_kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', ..] => Some(Kind::Response),
        [b'A'..=b'Z', ..] => Some(Kind::Request),
        _ => None,
    }
}

fn guess_binary(bytes: &[u8]) -> Option<Guess> {
    // A TLS record: content type 20 to 23, version 3.0 to 3.4, at most 2^14 + 2048 bytes.
    if !(20..=23).contains(&bytes[0]) {
        return None;
    }
    Some(match bytes {
        [_] => Guess::Undecided,
        [_, 3] => Guess::Undecided,
        [_, 3, 0..=4, rest @ ..] => match rest {
            [] | [_] => Guess::Undecided,
            [high, low, ..] => {
                let length = u16::from_be_bytes([*high, *low]);
                if (1..=18_432).contains(&length) { Guess::Tls } else { Guess::Other }
            }
        },
        _ => Guess::Other,
    })
}

/// A method is a token (RFC 9110 §9.1, §5.6.2), followed by one space.
fn guess_method(bytes: &[u8]) -> Guess {
    // Most methods are letters, which is quicker to tell.
    let token = bytes.iter().take_while(|b| b.is_ascii_uppercase() || is_token(**b)).count();
    match bytes.get(token) {
        None if token <= MAX_METHOD => Guess::Undecided,
        Some(b' ') if (1..=MAX_METHOD).contains(&token) => Guess::Http(Kind::Request),
        _ => Guess::Other,
    }
}

pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether bytes could be the beginning of a request that continues a lost direction: stricter
/// than [`guess`], since there a wrong start would invent an exchange.
pub(super) fn may_ask(methods: Methods, bytes: &[u8]) -> bool {
    let target = bytes.iter().position(|b| *b == b' ').and_then(|space| bytes.get(space + 1));
    methods.may_begin(bytes) && target.is_none_or(u8::is_ascii_graphic)
}

/// The same of a response.
pub(super) fn may_answer(bytes: &[u8]) -> bool {
    begins_like(bytes, b"HTTP/1.")
}

/// Whether bytes look like an interim response (RFC 9110 §15.2), as far as they are there.
pub(super) fn looks_interim(bytes: &[u8]) -> bool {
    begins_like(bytes, b"HTTP/1.1 1")
}

/// Whether bytes, of which there are any, begin with what is wanted, as far as they are there.
fn begins_like(bytes: &[u8], wanted: &[u8]) -> bool {
    let n = bytes.len().min(wanted.len());
    n > 0 && bytes[..n] == wanted[..n]
}

/// Empty lines before a start-line are ignored (RFC 9112 §2.2).
pub(super) fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let n = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    &bytes[n..]
}

/// Looks for the end of a head, behind its empty line. `from` is how far an earlier search over the same
/// bytes came; returns the new mark in `Err`.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let from = from.max(bytes.len() - skip_empty_lines(bytes).len());
    for at in memchr::memchr_iter(b'\n', &bytes[from..]) {
        let next = from + at + 1;
        match bytes[next..] {
            [b'\n', ..] => return Ok(next + 1),
            [b'\r', b'\n', ..] => return Ok(next + 2),
            _ => {}
        }
    }
    // The last line end may be the one before the empty line: look at it again.
    Err(match bytes[from..] {
        [.., b'\n'] => bytes.len() - 1,
        [.., b'\n', b'\r'] => bytes.len() - 2,
        _ => bytes.len(),
    })
}

/// Whether the first line, once it is complete, is a start-line of `kind`. `true` while it is
/// not complete.
pub(super) fn first_line_fits(kind: Kind, bytes: &[u8]) -> bool {
    let bytes = skip_empty_lines(bytes);
    let Some(end) = memchr::memchr(b'\n', bytes) else { return true };
    let mut words = bytes[..end].split(|b| matches!(b, b' ' | b'\r')).filter(|w| !w.is_empty());
    match kind {
        Kind::Response => {
            words.next().is_some_and(is_version)
                && words.next().is_some_and(|status| status.first().is_some_and(u8::is_ascii_digit))
        }
        Kind::Request => {
            words.nth(2).is_some() && {
                let line = bytes[..end].trim_ascii_end();
                line.rsplit(|b| matches!(b, b' ' | b'\r')).next().is_some_and(is_version)
            }
        }
    }
}

/// What bytes are the beginning of for sure, since they hold a whole start-line.
pub(super) fn begun(bytes: &[u8]) -> Option<Kind> {
    let bytes = skip_empty_lines(bytes);
    let Guess::Http(kind) = guess(bytes) else { return None };
    (memchr::memchr(b'\n', bytes).is_some() && first_line_fits(kind, bytes)).then_some(kind)
}

/// `HTTP/` and two numbers.
pub(super) fn is_version(word: &[u8]) -> bool {
    let digits = |part: &[u8]| (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    word.strip_prefix(b"HTTP/").is_some_and(|numbers| {
        let mut parts = numbers.split(|b| *b == b'.');
        parts.next().is_some_and(digits)
            && parts.next().is_some_and(digits)
            && parts.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_and_a_prefix_never_decides_otherwise() {
        let cases: [(&[u8], Guess); 9] = [
            (b"GET / HTTP/1.1\r\n", Guess::Http(Kind::Request)),
            (b"\r\n\r\nHEAD /x HTTP/1.1\r\n", Guess::Http(Kind::Request)),
            (b"HTTP/1.1 200 OK\r\n", Guess::Http(Kind::Response)),
            (b"HTTP/2.0 200 OK\r\n", Guess::Http(Kind::Response)),
            (b"\x16\x03\x01\x02\x00\x01", Guess::Tls),
            (HTTP2_PREFACE, Guess::Http2),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Guess::Other),
            (b"\x00\x01\x02", Guess::Other),
            (b"220 mail.example ESMTP\r\n", Guess::Http(Kind::Request)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(guess(bytes), expected, "{}", bytes.escape_ascii());
            for cut in 0..bytes.len() {
                let early = guess(&bytes[..cut]);
                assert!(
                    early == expected || early == Guess::Undecided,
                    "{} cut at {cut}: {early:?}",
                    bytes.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn a_banner_that_looks_like_a_method_fails_at_its_line_end() {
        assert!(!first_line_fits(Kind::Request, b"220 mail.example ESMTP\r\n"));
        assert!(!first_line_fits(Kind::Request, b"OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n"));
        assert!(first_line_fits(Kind::Request, b"GET / HTTP/1.0\n"));
        assert!(first_line_fits(Kind::Response, b"HTTP/1.1 200\r\n"));
        assert!(first_line_fits(Kind::Request, b"GET / HT"));
    }

    #[test]
    fn the_end_is_found_wherever_the_head_is_cut() {
        for head in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"GET / HTTP/1.1\nHost: a\n\n",
            b"GET / HTTP/1.1\r\nHost: a\n\r\n",
            b"\r\n\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let mut mark = 0;
            for cut in 0..head.len() {
                mark = find_end(&head[..cut], mark).expect_err("not complete");
            }
            let found = find_end(head, mark);
            assert_eq!(found, find_end(head, 0), "{}", head.escape_ascii());
            assert_eq!(found, Ok(head.len()), "{}", head.escape_ascii());
        }
    }
}
